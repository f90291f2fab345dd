"""Runs a party against a server of its own, and says what that took."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.latency import Task, ideal
from benchmarks.parties import ROOT, Job, Party, environment

PATIENCE = 1800.0
"""Seconds until a party is ended."""


class Failed(Exception):
    """A party did not come to its end; the message holds what it said."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process that has ended."""

    began: float
    seconds: float
    cpu: float
    """User and system time."""
    rss_mb: float
    """Peak."""


@dataclass(frozen=True, slots=True)
class Result:
    """One reading by one party."""

    party: str
    tokens: int
    """Of the text."""
    wall: float
    ideal: float
    first: float
    """Seconds from process start to the first request's arrival."""
    calls: int
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    cpu: float
    rss_mb: float
    in_flight: int
    """Most requests in flight."""
    slots: int
    others: int
    """Requests that were no chat completions: windows, models, token counts."""
    walls: tuple[float, ...] = ()
    """Of all repetitions."""

    @property
    def ratio(self) -> float:
        """Wall over the ideal schedule of the same calls."""
        return self.wall / self.ideal if self.ideal else 0.0

    @property
    def cached(self) -> float:
        """Share of the prompt tokens that came from the prefix cache."""
        return self.cached_tokens / self.prompt_tokens if self.prompt_tokens else 0.0


@dataclass(frozen=True, slots=True)
class Repeats:
    """What a kill in the middle cost."""

    party: str
    tokens: int
    answered: int
    """Calls that had been answered when the process was killed."""
    repeated: int
    """Of these, how many were asked again by the same command."""
    after: int
    """Calls of the second process in all."""


@contextmanager
def server(*, slots: int, scale: float, props: bool) -> Iterator[str]:
    """A simulated server for as long as the context lasts; gives its root URL."""
    command = [sys.executable, "-m", "benchmarks.server", f"--slots={slots}", f"--scale={scale}"]
    command += ["--props"] if props else []
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        port = process.stdout.readline().strip() if process.stdout else ""
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()
        if process.stdout:
            process.stdout.close()


def records(url: str) -> dict[str, Any]:
    """All that the server has seen."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}/records", timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def tasks_of(calls: Sequence[dict[str, Any]]) -> list[Task]:
    """Calls as a schedule sees them: a last call that shows any reply waits for all of them."""
    tasks = [
        Task(c["seconds"], tuple(need for need in c["needs"] if need < c["number"])) for c in calls
    ]
    if tasks and tasks[-1].needs:
        tasks[-1] = Task(tasks[-1].seconds, tuple(range(len(tasks) - 1)))
    return tasks


def run(party: Party, job: Job, tokens: int) -> Result:
    """One reading from process start to process end."""
    process = _ended(party.command(job), job)
    seen = records(job.url)
    calls = seen["calls"]
    if not calls:
        raise Failed(f"{party.name} made no call.")
    return Result(
        party=party.name,
        tokens=tokens,
        wall=process.seconds,
        ideal=ideal(tasks_of(calls), job.slots),
        first=calls[0]["arrived"] - process.began,
        calls=len(calls),
        prompt_tokens=sum(c["prompt_tokens"] for c in calls),
        cached_tokens=sum(c["cached_tokens"] for c in calls),
        output_tokens=sum(c["output_tokens"] for c in calls),
        cpu=process.cpu,
        rss_mb=process.rss_mb,
        in_flight=max(c["in_flight"] for c in calls),
        slots=job.slots,
        others=sum(n for path, n in seen["others"].items() if path not in ("/records", "/reset")),
    )


def killed(party: Party, job: Job, tokens: int, *, after: int) -> Repeats:
    """Kill the reading once `after` calls are answered, and give the same command again."""
    process = subprocess.Popen(
        party.command(job), env=environment(job), cwd=ROOT,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    answered: set[str] = set()
    while process.poll() is None and len(answered) < after:
        time.sleep(0.05)
        answered = {c["key"] for c in records(job.url)["calls"] if c["finished"]}
    process.send_signal(signal.SIGKILL)
    moment = time.monotonic()
    process.wait()
    before = records(job.url)["calls"]
    answered = {c["key"] for c in before if c["finished"] and c["finished"] < moment}
    _ended(party.command(job), job)
    again = records(job.url)["calls"][len(before) :]
    repeated = sum(c["key"] in answered for c in again)
    return Repeats(party.name, tokens, len(answered), repeated, len(again))


def _ended(command: Sequence[str], job: Job) -> Process:
    """Run a command to its end. Raises Failed where it ends with an error."""
    with tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            command, env=environment(job), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors
        )
        guard = threading.Timer(PATIENCE, process.kill)
        guard.start()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        guard.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace")[-2000:]
            raise Failed(f"{Path(command[0]).name} ended with {process.returncode}:\n{said}")
    return Process(began, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
