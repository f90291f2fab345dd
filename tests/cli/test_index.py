"""`memreader index` in processes of their own, with a stranger's strategy that has an index."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from memreader.contract import paged
from memreader.testing import MisbehavingServer
from tests.cli.conftest import Run, said, with_strategy

pytestmark = pytest.mark.slow

STRATEGY = '''
"""Summarises each chunk into an index of each document."""
from dataclasses import dataclass
from memreader.answer import NOT_FOUND
from memreader.plan import Plan, Range


@dataclass(frozen=True)
class Outline:
    size: int = 200
    prompts = {"gist": "Summarise.\\n\\n$chunk", "read": "$question"}

    async def index(self, run):
        chunks = [chunk async for chunk in run.chunks(self.size)]

        async def gist(chunk):
            values = {"chunk": chunk}
            return (await run.ask("gist", max_tokens=60, values=values, sources=[chunk])).text

        for document in dict.fromkeys(c.span.document for c in chunks):
            own = [c for c in chunks if c.span.document == document]

            async def build(own=own):
                return await run.map(gist, own)

            await run.index("gists", build, documents=[document])

    async def read(self, question, run):
        await self.index(run)
        await run.ask("read", max_tokens=60, values={"question": question})
        return NOT_FOUND

    def plan(self, corpus, question, model):
        some = Range(10, 20, 30)
        once = Plan(some, some, some, some)
        one = Range.exactly(21)
        return Plan(Range(11, 21, 31), one, one, one, once=once)
'''


@pytest.fixture
def outline(tmp_path: Path) -> dict[str, str]:
    """An environment in which the strategy `outline` is installed."""
    return with_strategy(tmp_path, "outline", "Outline", STRATEGY)


def model(server: MisbehavingServer) -> list[str]:
    """The options that point memreader at a test server and the strategy."""
    return ["--no-probe", "-m", f"openai-compatible:{server.url}#test", "-s", "outline"]


def test_built_shown_used_and_removed(
    memreader: Run, ledger: Path, tmp_path: Path, outline: dict[str, str]
) -> None:
    """The life of an index: built once, listed with its cost, found by a question, removed."""
    other = tmp_path / "other.txt"
    other.write_text(paged(12).text, "utf-8")
    with MisbehavingServer(said) as server:
        done = memreader("index", ledger, other, *model(server), env=outline)
        calls = len(server.requests)
        assert 0 == done.returncode, done.stderr
        assert [f"{ledger}: gists of outline, built with test.", True] == [
            done.stdout.splitlines()[0].replace(f"openai-compatible:{server.url}#test", "test"),
            str(other) in done.stdout.splitlines()[1],
        ]
        # The two ledgers have pages in common: those are read once.
        counted = re.search(r"(\d+) of (\d+) calls made, (\d+) found in the journal", done.stderr)
        assert counted is not None
        assert [calls, calls + int(counted[3])] == [int(counted[1]), int(counted[2])]
        again = memreader("index", ledger, *model(server), env=outline)
        assert "there already" in again.stdout
        assert "0 of 0 calls made" in again.stderr
        memreader("ask", other, "Who?", *model(server), env=outline)
        assert calls + 1 == len(server.requests), "a question makes its own call alone"
    shown = memreader("index", env=outline)
    assert (0, 3) == (shown.returncode, len(shown.stdout.splitlines()))
    assert re.search(rf"{re.escape(str(other))} +\w{{8}} +gists +outline +.*\$0", shown.stdout)
    rows = json.loads(memreader("index", "--list", "--json", env=outline).stdout)["indexes"]
    assert int(counted[2]) == sum(row["calls"] for row in rows)
    assert {"documents", "kind", "strategy", "model", "built", "bytes", "calls", "input_tokens",
            "output_tokens", "cost_usd"} == set(rows[0])  # fmt: skip
    gone = memreader("index", "--remove", other, env=outline)
    assert f"{other}: 1 index and 0 vectors removed." == gone.stdout.strip()
    (left,) = json.loads(memreader("index", "--json", env=outline).stdout)["indexes"]
    (identity,) = left["documents"]
    gone = memreader("index", "--remove", identity[:6], "--json", env=outline)
    assert [1] == [row["indexes"] for row in json.loads(gone.stdout)["removed"]]
    assert "Nothing is indexed yet" in memreader("index", env=outline).stdout


def test_a_changed_file_pays_only_for_what_changed(
    memreader: Run, ledger: Path, outline: dict[str, str]
) -> None:
    """It says so, and the older version is gone afterwards."""
    with MisbehavingServer(said) as server:
        memreader("index", ledger, *model(server), env=outline)
        before = len(server.requests)
        ledger.write_text(ledger.read_text("utf-8").replace("day 53 ", "day 53 at dawn "), "utf-8")
        done = memreader("index", ledger, *model(server), env=outline)
        made = len(server.requests) - before
    assert 1 <= made <= 3
    counted = re.search(r"(\d+) of (\d+) calls made, (\d+) found", done.stderr)
    assert counted is not None
    assert [made, before] == [int(counted[1]), int(counted[2])]
    assert "An older version of the same files was removed." in done.stdout
    assert 1 == len(json.loads(memreader("index", "--json", env=outline).stdout)["indexes"])


def _start(ledger: Path, server: MisbehavingServer, env: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "memreader", "index", str(ledger), *model(server),
               "--concurrency", "2"]  # fmt: skip
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    )


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_killed_dead_while_indexing_and_continued(
    memreader: Run, ledger: Path, outline: dict[str, str]
) -> None:
    """Kill -9, then the same command: only the calls in flight are made again."""
    child: list[subprocess.Popen[str]] = []

    def deadly(body: dict[str, Any]) -> str:
        if len(server.requests) >= 9 and child:
            child[0].kill()
        return said(body)

    with MisbehavingServer(deadly) as server:
        child.append(_start(ledger, server, outline))
        child[0].communicate()
        before = [json.dumps(r["messages"]) for r in server.requests]
        assert -signal.SIGKILL == child.pop().returncode
        assert "Nothing is indexed yet" in memreader("index", env=outline).stdout
        done = memreader("index", ledger, "--json", *model(server), env=outline)
        after = [json.dumps(r["messages"]) for r in server.requests[len(before) :]]
    built = json.loads(done.stdout)
    assert "complete" == built["status"]
    assert len(set(before) & set(after)) <= 2, "only the calls that were in flight"
    assert built["usage"]["calls"] == len(set(before) | set(after))
    assert built["calls"]["made"] == len(after)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_while_indexing(memreader: Run, ledger: Path, outline: dict[str, str]) -> None:
    """Calls in flight are kept, exit 130, and the same command makes the others."""
    sent = threading.Event()
    child: list[subprocess.Popen[str]] = []

    def interrupting(body: dict[str, Any]) -> str:
        if len(server.requests) >= 5 and child and not sent.is_set():
            sent.set()
            child[0].send_signal(signal.SIGINT)
        return said(body)

    with MisbehavingServer(interrupting) as server:
        child.append(_start(ledger, server, outline))
        out, err = child[0].communicate()
        assert 130 == child.pop().returncode
        assert "Not complete: the same command makes" in out
        assert "interrupted: finishing the calls in flight" in err
        done = memreader("index", ledger, "--json", *model(server), env=outline)
        texts = [json.dumps(r["messages"]) for r in server.requests]
    assert len(set(texts)) == len(texts)
    assert len(texts) == json.loads(done.stdout)["usage"]["calls"]


def test_a_cap_is_exit_3_and_resume_goes_on(
    memreader: Run, ledger: Path, outline: dict[str, str]
) -> None:
    """As for `ask`."""
    with MisbehavingServer(said) as server:
        capped = memreader("index", ledger, "--max-calls", 3, *model(server), env=outline)
        assert (3, 3) == (capped.returncode, len(server.requests))
        assert "with --resume" in capped.stdout
        again = memreader("index", ledger, "--max-calls", 3, *model(server), env=outline)
        assert (3, 3) == (again.returncode, len(server.requests))
        done = memreader("index", ledger, "--resume", *model(server), env=outline)
    assert 0 == done.returncode
    assert "3 found in the journal" in done.stderr


def test_a_price_above_a_dollar_wants_a_yes(
    memreader: Run, ledger: Path, tmp_path: Path, outline: dict[str, str]
) -> None:
    """What is built is asked for; the question afterwards only pays for itself."""
    prices = tmp_path / "prices.toml"
    env = {**outline, "MEMREADER_PRICES": str(prices)}
    with MisbehavingServer(said) as server:
        name, figure = f"openai-compatible:{server.url}#test", "60_000"
        prices.write_text(
            f'["{name}"]\ninput = {figure}\ncached_input = {figure}\noutput = {figure}\n', "utf-8"
        )
        refused = memreader("index", ledger, *model(server), env=env)
        assert (2, "") == (refused.returncode, refused.stdout)
        assert "The plan expects $2.40. Give a cap (--max-cost) or --yes" in refused.stderr
        assert [] == server.requests
        question = memreader("ask", ledger, "Who?", *model(server), env=env)
        assert "The plan expects $2.52" in question.stderr
        assert 0 == memreader("index", ledger, "-y", *model(server), env=env).returncode
        assert 0 == memreader("index", ledger, *model(server), env=env).returncode
        assert 0 == memreader("ask", ledger, "Who?", *model(server), env=env).returncode
        other = memreader("ask", ledger, "Who?", "--window", "2000", *model(server), env=env)
        assert "The plan expects $2.52" in other.stderr, "another window is another index"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["index", "ledger.txt"], "`map_reduce` builds no index ahead of a question. Those that"),
        (["index", "ledger.txt", "-s", "outlin"], "Did you mean `outline`?"),
        (["index", "--remove"], "--remove wants the files"),
        (["index", "--remove", "ledger.txt"], "Nothing is kept of 'ledger.txt'"),
        (["index", "--list", "ledger.txt"], "Nothing is kept of 'ledger.txt'"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_mistakes_get_one_clear_line(
    memreader: Run, ledger: Path, outline: dict[str, str], arguments: list[str], told: str
) -> None:
    """Exit 2, one line."""
    assert ledger.exists()
    done = memreader(*arguments, env=outline)
    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert told in done.stderr


def test_the_plan_says_what_is_paid_once(
    memreader: Run, ledger: Path, outline: dict[str, str]
) -> None:
    """The index, and what each question takes once it is there; nothing once it is."""
    with MisbehavingServer(said) as server:
        where = ["-m", f"openai-compatible:{server.url}#test", "-s", "outline"]
        done = memreader("plan", ledger, "Who?", *where, env=outline)
        assert re.search(r"built once +each question", done.stdout)
        assert re.search(r"20 calls, \$0 +1 call, \$0", done.stdout)
        memreader("index", ledger, *model(server), env=outline)
        done = memreader("plan", ledger, "Who?", *where, env=outline)
        assert re.search(r"outline +1 .* there +1 call, \$0", done.stdout)
        rows = json.loads(memreader("plan", ledger, "Who?", "--json", *where, env=outline).stdout)
    assert (True, [0, 0, 0]) == (rows[0]["indexed"], rows[0]["once"]["calls"])
