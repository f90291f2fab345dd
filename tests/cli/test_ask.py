"""`memreader ask` as a person and a script meet it, against a real server on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from memreader.contract import ANSWER, NEEDLE, QUESTION
from memreader.testing import Defect, MisbehavingServer
from tests.cli.conftest import Run, environment, oracle


def model(server: MisbehavingServer) -> list[str]:
    """The options that point memreader at a test server."""
    return ["--no-probe", "-m", f"openai-compatible:{server.url}#test", "-o", "chunk_size=1800"]


def test_a_found_answer(memreader: Run, ledger: Path) -> None:
    """Answer and quote on standard output, coverage and spend on standard error, exit 0."""
    with MisbehavingServer(oracle) as server:
        done = memreader("ask", ledger, QUESTION, *model(server))
    assert (0, ANSWER) == (done.returncode, done.stdout.splitlines()[0])
    assert f"“{NEEDLE.rstrip('.')}" in done.stdout
    coverage, spend = done.stderr.splitlines()
    assert coverage.startswith("memreader: read ")
    assert "100% of the text" in coverage
    assert "$0 (local endpoint)" in spend


def test_the_json_object_has_the_pinned_keys(memreader: Run, ledger: Path) -> None:
    """The keys of DESIGN.md, section 5, and nothing else on standard output."""
    with MisbehavingServer(oracle) as server:
        done = memreader("ask", ledger, QUESTION, "--json", "-q", *model(server))
    answer = json.loads(done.stdout)
    assert list(answer) == [
        "answer", "status", "strategy", "model", "citations", "coverage", "usage", "cost_usd",
        "seconds", "stopped", "run_id",
    ]  # fmt: skip
    assert list(answer["citations"][0]) == [
        "document", "start", "end", "quote", "page", "page_label", "verified",
    ]  # fmt: skip
    assert list(answer["coverage"]) == [
        "chunks", "read", "used", "cited", "failed", "skipped", "pages", "pages_without_text",
        "fraction_read",
    ]  # fmt: skip
    assert list(answer["usage"]) == [
        "calls", "cached_calls", "input_tokens", "cached_input_tokens", "output_tokens",
        "failed_calls", "repairs", "retries",
    ]  # fmt: skip
    text = ledger.read_text("utf-8")
    cited = answer["citations"][0]
    assert text[cited["start"] : cited["end"]] == cited["quote"]
    assert done.stderr == ""


def test_the_event_stream_is_numbered_json_lines(memreader: Run, ledger: Path) -> None:
    """Every line is an object, numbers rise by one, the last event carries the answer."""
    with MisbehavingServer(oracle) as server:
        done = memreader("ask", ledger, QUESTION, "--jsonl", *model(server))
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert list(range(1, len(events) + 1)) == [e["number"] for e in events]
    assert ("run_started", "run_finished") == (events[0]["event"], events[-1]["event"])
    assert events[-1]["answer"]["answer"] == ANSWER


def test_standard_input_and_several_files(memreader: Run, ledger: Path, tmp_path: Path) -> None:
    """`-` reads standard input; the citation says which document."""
    other = tmp_path / "other.md"
    other.write_text("# Another\n\nNothing of note stands here.\n", "utf-8")
    with MisbehavingServer(oracle) as server:
        done = memreader(
            "ask", other, "-", QUESTION, "--json", *model(server), input=ledger.read_text("utf-8")
        )
    assert json.loads(done.stdout)["citations"][0]["document"] == "<stdin>"


def test_an_absent_answer_is_no_error(memreader: Run, tmp_path: Path) -> None:
    """Not found is said in words, exit 0."""
    (tmp_path / "a.txt").write_text("The clerk counted barrels. " * 30, "utf-8")
    with MisbehavingServer(oracle) as server:
        done = memreader("ask", "a.txt", QUESTION, *model(server))
    assert (0, True) == (done.returncode, done.stdout.startswith("Not found"))


def test_a_cap_gives_a_partial_answer_and_resume_goes_on(memreader: Run, ledger: Path) -> None:
    """Exit 3 at the cap; the same command stops there again; --resume finishes, nothing twice."""
    with MisbehavingServer(oracle) as server:
        capped = memreader("ask", ledger, QUESTION, "--max-calls", 3, *model(server))
        assert capped.returncode == 3
        assert "over the cap of 3" in capped.stderr
        assert "--resume" in capped.stderr
        assert capped.stdout.startswith(("(Partial: not all was read.)\n", "No answer in what"))
        made = len(server.requests)
        assert made <= 3
        again = memreader("ask", ledger, QUESTION, "--max-calls", 3, *model(server))
        assert (3, made) == (again.returncode, len(server.requests))
        done = memreader("ask", ledger, QUESTION, "--resume", *model(server))
        assert (0, ANSWER) == (done.returncode, done.stdout.splitlines()[0])
        texts = [json.dumps(r["messages"]) for r in server.requests]
    assert len(set(texts)) == len(texts)
    assert f"{len(texts)} calls ({len(texts) - made} of them now)" in done.stderr


def test_strict_wants_verified_quotes(memreader: Run, ledger: Path) -> None:
    """An answer whose place code had to locate is exit 4 with --strict."""

    def without_quotes(body: dict[str, Any]) -> str:
        if "Give the final answer" in str(body["messages"]):
            return f"Rationale: as the record says\nAnswer: {ANSWER}"
        return oracle(body).replace(f"- {NEEDLE}", "none")

    with MisbehavingServer(without_quotes) as server:
        loose = memreader("ask", ledger, QUESTION, *model(server))
        strict = memreader("ask", ledger, QUESTION, "--strict", *model(server))
    assert (0, 4) == (loose.returncode, strict.returncode)
    assert "located by memreader" in loose.stdout
    assert "--strict: not every citation" in strict.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "defect",
    [
        Defect.RATE_LIMIT, Defect.SERVER_ERROR, Defect.RESET, Defect.MALFORMED, Defect.EMPTY,
        Defect.WRONG_TYPE,
    ],
    ids=lambda d: d.name,
)  # fmt: skip
def test_passing_faults_are_outlived(memreader: Run, ledger: Path, defect: Defect) -> None:
    """The first requests fail, the reading does not, and the failures are counted."""
    with MisbehavingServer(oracle, defect=defect, first=2, retry_after=0.05) as server:
        done = memreader("ask", ledger, QUESTION, "--json", *model(server))
    answer = json.loads(done.stdout)
    assert (ANSWER, "complete") == (answer["answer"], answer["status"])
    assert answer["usage"]["failed_calls"] == 2
    assert answer["coverage"]["fraction_read"] == 1.0


def test_a_document_cannot_write_on_the_terminal(memreader: Run, tmp_path: Path) -> None:
    """Escape sequences and control characters of a document are not printed with its quotes."""
    path = tmp_path / "escapes.txt"
    path.write_text("\x1b]0;title\x07" + NEEDLE.replace("lease", "lease\x1b[31m\x08"), "utf-8")
    with MisbehavingServer(oracle) as server:
        done = memreader("ask", path, "Who signed the harbour lease?", *model(server))
    assert not set(done.stdout) & set("\x1b\x07\x08")


def test_what_a_folder_skips_is_said_even_when_quiet(memreader: Run, ledger: Path) -> None:
    """The loss of a file is no chatter: a script that reads the JSON hears of it too."""
    (ledger.parent / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    with MisbehavingServer(oracle) as server:
        done = memreader("ask", ledger.parent, QUESTION, "--json", "-q", *model(server))
    assert "skipped" in done.stderr
    assert "broken.pdf" in done.stderr


def test_fenced_replies_are_read(memreader: Run, ledger: Path) -> None:
    """Chatter and code fences around every reply cost nothing."""
    with MisbehavingServer(oracle, defect=Defect.FENCED) as server:
        done = memreader("ask", ledger, QUESTION, "--json", *model(server))
    assert json.loads(done.stdout)["answer"] == ANSWER


def test_a_silent_cut_is_an_error(memreader: Run, ledger: Path) -> None:
    """A server that drops the beginning of prompts is named, exit 6, no answer."""
    with MisbehavingServer(oracle, defect=Defect.SILENT_CUT) as server:
        done = memreader("ask", ledger, QUESTION, *model(server))
    assert (6, "") == (done.returncode, done.stdout)
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_one_lasting_failure_is_a_partial_answer(memreader: Run, ledger: Path) -> None:
    """A chunk whose call always fails is counted; the others are read."""
    with MisbehavingServer(
        oracle, defect=Defect.MALFORMED, when=lambda body: "day 33 " in json.dumps(body)
    ) as server:
        done = memreader("ask", ledger, QUESTION, "--json", *model(server))
    answer = json.loads(done.stdout)
    assert "1 call failed for good" in done.stderr
    assert (3, "partial", 1) == (done.returncode, answer["status"], answer["coverage"]["failed"])


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["ask"], 2, "Missing argument"),
        (["ask", "ledger.txt"], 2, "question"),
        (["ask", "missing.pdf", "Who?"], 5, "missing.pdf"),
        (["ask", "zero.txt", "Who?"], 5, "empty"),
        (["ask", "binary.txt", "Who?"], 5, "binary"),
        (["ask", "broken.pdf", "Who?"], 5, "broken.pdf"),
        (["ask", "ledger.txt", "Who?", "-s", "map_reduse"], 2, "map_reduce"),
        (["ask", "ledger.txt", "Who?", "-o", "chunksize=9"], 2, "chunk_size"),
        (["ask", "ledger.txt", "Who?", "-o", "chunk_size=many"], 2, "chunk_size"),
        (["ask", "ledger.txt", "Who?", "-m", "olama:x"], 2, "ollama"),
        (["ask", "ledger.txt", "Who?", "--max-cost", "-3"], 2, "max_cost"),
        (["nonsense"], 2, "No such command"),
    ],
    ids=lambda v: " ".join(v[:4]) if isinstance(v, list) else "",
)
def test_mistakes_get_one_clear_line(
    memreader: Run, ledger: Path, tmp_path: Path, arguments: list[str], code: int, told: str
) -> None:
    """The right exit code, what happened and what to do, no traceback, nothing on stdout."""
    (tmp_path / "zero.txt").write_bytes(b"")
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\n" + b"x" * 500)
    with MisbehavingServer(oracle) as server:
        extra = [] if "-m" in arguments or arguments[0] != "ask" else model(server)[:3]
        done = memreader(*arguments, *(extra if len(arguments) > 2 else []))
    assert (code, "") == (done.returncode, done.stdout)
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    if code == 5:
        assert len(done.stderr.splitlines()) == 1


def test_nothing_at_the_address_is_exit_6(memreader: Run, ledger: Path) -> None:
    """A closed port: one line, exit 6."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    done = memreader(
        "ask",
        ledger,
        QUESTION,
        "--no-probe",
        "-m",
        f"openai-compatible:http://127.0.0.1:{port}/v1#x",
    )
    assert (6, "") == (done.returncode, done.stdout)
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_of_mixed_files(memreader: Run, ledger: Path, tmp_path: Path) -> None:
    """What can be read is read; each other file gets a line with its reason."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "good.txt").write_text(ledger.read_text("utf-8"), "utf-8")
    (folder / "zero.txt").write_bytes(b"")
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\n" + b"x" * 500)
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    with MisbehavingServer(oracle) as server:
        done = memreader("ask", folder, QUESTION, *model(server))
    assert (0, ANSWER) == (done.returncode, done.stdout.splitlines()[0])
    skipped = [line for line in done.stderr.splitlines() if "skipped" in line]
    assert [n for n in ("binary.txt", "broken.pdf", "photo.jpg", "zero.txt")] == [
        Path(line.split(": ")[1].removeprefix("skipped ")).name for line in skipped
    ]


def start(ledger: Path, server: MisbehavingServer) -> subprocess.Popen[str]:
    """A reading in a process of its own."""
    command = [
        sys.executable, "-m", "memreader", "ask", str(ledger), QUESTION, *model(server),
        "--concurrency", "2",
    ]  # fmt: skip
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(ledger.parent),
    )  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_killed_dead_and_continued(memreader: Run, ledger: Path) -> None:
    """Kill -9 in mid-reading, then the same command: no finished call again, the spend adds up."""
    child: list[subprocess.Popen[str]] = []

    def deadly(body: dict[str, Any]) -> str:
        if len(server.requests) >= 7 and child:
            child[0].kill()
        return oracle(body)

    with MisbehavingServer(deadly) as server:
        child.append(start(ledger, server))
        child[0].communicate()
        before = [json.dumps(r["messages"]) for r in server.requests]
        child_gone = child.pop()
        done = memreader("ask", ledger, QUESTION, "--json", *model(server), "--concurrency", 2)
        after = [json.dumps(r["messages"]) for r in server.requests[len(before) :]]
    assert child_gone.returncode == -signal.SIGKILL
    answer = json.loads(done.stdout)
    assert ANSWER == answer["answer"]
    repeated = set(before) & set(after)
    assert len(repeated) <= 2, "only the calls that were in flight are made again"
    assert answer["usage"]["calls"] == len(set(before) | set(after))


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_the_first_interrupt_finishes_what_is_in_flight(memreader: Run, ledger: Path) -> None:
    """Ctrl-C: calls in flight are journalled, the partial answer is printed, exit 130."""
    sent = threading.Event()
    child: list[subprocess.Popen[str]] = []

    def interrupting(body: dict[str, Any]) -> str:
        if len(server.requests) >= 5 and child and not sent.is_set():
            sent.set()
            child[0].send_signal(signal.SIGINT)
        return oracle(body)

    with MisbehavingServer(interrupting) as server:
        child.append(start(ledger, server))
        out, err = child[0].communicate()
        made = len(server.requests)
        assert child.pop().returncode == 130
        assert "not complete" in out or ANSWER in out
        assert "Interrupted" in err
        done = memreader("ask", ledger, QUESTION, "--json", *model(server))
        total = len(server.requests)
    answer = json.loads(done.stdout)
    assert (ANSWER, total) == (answer["answer"], answer["usage"]["calls"])
    assert made < total


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals")
def test_progress_is_shown_on_a_terminal_and_nowhere_else(ledger: Path) -> None:
    """Chunks read of how many, calls, tokens, money; gone when the answer is printed."""
    import pty

    with MisbehavingServer(oracle) as server:
        terminal, end = pty.openpty()
        command = [sys.executable, "-m", "memreader", "ask", str(ledger), QUESTION, *model(server)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=end, text=True,
            env={**environment(ledger.parent), "COLUMNS": "100", "TERM": "xterm"},
        ) as child:  # fmt: skip
            os.close(end)
            shown = bytearray()
            with contextlib.suppress(OSError):  # Linux: the other end is closed
                while block := os.read(terminal, 65536):
                    shown += block
            os.close(terminal)
            assert child.stdout is not None
            out = child.stdout.read()
    assert 0 == child.returncode
    plain = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", bytes(shown)).decode()
    assert ANSWER == out.splitlines()[0]
    chunks = re.search(r"read (\d+) of \1 chunks", plain)
    assert chunks is not None
    assert re.search(
        rf"\d+ of (about )?{chunks[1]} chunks · \d+ calls? · [\d,]+ tokens · \$0", plain
    )
