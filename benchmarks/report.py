"""The results as Markdown tables."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.measure import Repeats, Result
from benchmarks.parties import ROOT

TARGETS = {50_000: 1.25, 200_000: 1.10, 1_000_000: 1.05}
"""Wall over ideal that memreader promises, by tokens of text."""


@dataclass(slots=True)
class Report:
    """All that one run of the benchmark measured."""

    command: str
    scale: float
    machine: str = ""
    commit: str = ""
    date: str = ""
    results: list[Result] = field(default_factory=list)
    repeats: list[Repeats] = field(default_factory=list)
    memory: list[Result] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machine = self.machine or machine()
        self.commit = self.commit or commit()
        self.date = self.date or time.strftime("%Y-%m-%d %H:%M")

    def markdown(self) -> str:
        """The whole report."""
        parts = [
            f"{self.date}, commit {self.commit}, {self.machine}, latency scale {self.scale:g}. "
            f"Command: `{self.command}`"
        ]
        if self.results:
            parts += [_readings(self.results), _slopes(self.results)]
        if self.repeats:
            parts.append(_repeats(self.repeats))
        if self.memory:
            parts.append(_memory(self.memory))
        parts += [f"Failed: {failure}" for failure in self.failures]
        return "\n\n".join(part for part in parts if part)


def beyond_http(results: Sequence[Result], floor: str = "bare") -> dict[str, float]:
    """Milliseconds of client CPU a call beyond the bare loop's, for each party.

    From the slope between a party's smallest and largest text, so that start-up is left out.
    """
    slopes = {name: _slope(rows) for name, rows in _by_party(results).items()}
    base = slopes.get(floor)
    if base is None:
        return {}
    return {name: 1000 * (slope - base) for name, slope in slopes.items() if slope is not None}


def _slope(rows: Sequence[Result]) -> float | None:
    few, many = min(rows, key=lambda r: r.calls), max(rows, key=lambda r: r.calls)
    return (many.cpu - few.cpu) / (many.calls - few.calls) if many.calls > few.calls else None


def _by_party(results: Iterable[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    for result in results:
        found.setdefault(result.party, []).append(result)
    return found


def _readings(results: Sequence[Result]) -> str:
    rows = [
        (
            f"{r.tokens:,}",
            r.party,
            f"{r.wall:.1f}",
            f"{r.ratio:.2f}" + _spread(r),
            f"{r.first:.2f}",
            f"{r.calls:,}",
            f"{r.prompt_tokens:,}",
            f"{r.output_tokens:,}",
            f"{r.cached:.0%}",
            f"{r.cpu:.2f}",
            f"{r.rss_mb:.0f}",
            f"{r.in_flight} / {r.slots}",
            f"{r.others:,}",
        )
        for r in results
    ]
    heads = (
        "text", "party", "wall s", "wall / ideal", "first s", "calls", "tokens in", "tokens out",
        "cached", "CPU s", "peak MB", "in flight", "other requests",
    )  # fmt: skip
    return table(heads, rows)


def _spread(result: Result) -> str:
    if len(result.walls) < 2:
        return ""
    low, high = (wall / result.ideal for wall in (min(result.walls), max(result.walls)))
    return f" ({low:.2f}-{high:.2f})"


def _slopes(results: Sequence[Result]) -> str:
    rows = [
        (name, f"{1000 * slope:.2f}", f"{beyond:+.2f}")
        for name, beyond in beyond_http(results).items()
        if (slope := _slope(_by_party(results)[name])) is not None
    ]
    return table(("party", "CPU ms a call", "beyond the bare loop"), rows) if rows else ""


def _repeats(repeats: Sequence[Repeats]) -> str:
    rows = [
        (f"{r.tokens:,}", r.party, f"{r.answered:,}", f"{r.repeated:,}", f"{r.after:,}")
        for r in repeats
    ]
    heads = ("text", "party", "answered before kill -9", "of these asked again", "calls after")
    return table(heads, rows)


def _memory(memory: Sequence[Result]) -> str:
    rows = []
    for name, found in _by_party(memory).items():
        small, large = min(found, key=lambda r: r.tokens), max(found, key=lambda r: r.tokens)
        more = (large.tokens - small.tokens) * 4 / (1 << 20)
        grown = large.rss_mb - small.rss_mb
        rows.append(
            (
                name,
                f"{small.rss_mb:.0f}",
                f"{large.rss_mb:.0f}",
                f"{grown:.0f}",
                f"{more:.0f}",
                f"{grown / more:.1f}" if more else "",
            )
        )
    low, high = min(r.tokens for r in memory), max(r.tokens for r in memory)
    heads = (
        "party", f"peak MB at {low:,}", f"at {high:,}", "more", "more text, MB", "more / more text",
    )  # fmt: skip
    return table(heads, rows)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; figures to the right."""
    lines = [heads, ["---" if h in ("party", "text") else "--:" for h in heads], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> str:
    """Processor, cores and Python of this machine."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            models = [line.partition(":")[2].strip() for line in file if "model name" in line]
        name = models[0] if models else name
    except OSError:
        pass
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}"


def commit() -> str:
    """Short hash of the source tree, with a plus where it has changes."""
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run(
        [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--", "memreader", "strategies"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return (head.stdout.strip() or "unknown") + ("+" if changed.stdout.strip() else "")
