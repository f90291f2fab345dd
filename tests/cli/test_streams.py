"""Standard streams that are closed, full or poor in letters, and an early interrupt."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from memreader.contract import ANSWER, QUESTION
from memreader.testing import MisbehavingServer
from tests.cli.conftest import Run, environment, oracle
from tests.cli.test_ask import model

pytestmark = pytest.mark.slow

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX streams, names and signals")


def test_letters_that_standard_output_lacks(memreader: Run, ledger: Path, tmp_path: Path) -> None:
    """An answer that is paid for is printed in any locale, and its JSON stays JSON."""
    env = {**environment(tmp_path), "PYTHONIOENCODING": "ascii"}
    name = ledger.rename(tmp_path / "größe😀.txt")
    with MisbehavingServer(oracle) as server:
        text = memreader("ask", name, QUESTION, *model(server), env=env)
        told = memreader("ask", name, QUESTION, "--json", *model(server), env=env)
    assert (0, ANSWER) == (text.returncode, text.stdout.splitlines()[0])
    assert str(name) == json.loads(told.stdout)["citations"][0]["document"]


@posix
def test_a_name_that_is_no_unicode(memreader: Run, ledger: Path, tmp_path: Path) -> None:
    """The file is read like any other; its name is shown as far as it can be."""
    name = os.fsencode(tmp_path) + b"/b\xffd.txt"
    try:
        os.rename(ledger, name)
    except OSError:
        pytest.skip("this file system has no such names")
    with MisbehavingServer(oracle) as server:
        done = memreader("ask", os.fsdecode(name), QUESTION, "--jsonl", *model(server))
    last = json.loads(done.stdout.splitlines()[-1])
    assert (0, ANSWER) == (done.returncode, last["answer"]["answer"])
    assert last["answer"]["citations"][0]["document"].endswith("/b\ufffdd.txt")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_output_that_cannot_be_written(ledger: Path, form: list[str]) -> None:
    """A full disk: one line, exit 1."""
    with MisbehavingServer(oracle) as server, open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "memreader", "ask", str(ledger), QUESTION, *form, "-q",
             *model(server)],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            env=environment(ledger.parent),
        )  # fmt: skip
    assert 1 == done.returncode
    assert ["memreader: Writing failed: No space left on device."] == [
        line.partition(" What is")[0] for line in done.stderr.splitlines()
    ]


@posix
@pytest.mark.parametrize(("closed", "code"), [("<&-", 5), (">&-", 0), ("2>&-", 0)])
def test_a_stream_that_is_closed(ledger: Path, closed: str, code: int) -> None:
    """As under some schedulers: no stream is needed but for what goes through it."""
    with MisbehavingServer(oracle) as server:
        source = "-" if closed == "<&-" else str(ledger)
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-m", "memreader", "ask",
             source, QUESTION, *model(server)],
            capture_output=True, text=True, check=False, env=environment(ledger.parent),
        )  # fmt: skip
    assert (code, False) == (done.returncode, "Traceback" in done.stderr)
    assert (closed == "2>&-") == done.stdout.startswith(ANSWER)


@posix
def test_one_interrupt_ends_the_wait_for_a_document(tmp_path: Path) -> None:
    """Somebody who forgot to pipe a document presses Ctrl-C once."""
    command = [sys.executable, "-v", "-m", "memreader", "ask", "-", QUESTION, "-m", "local"]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(tmp_path),
    )  # fmt: skip
    assert child.stderr is not None
    for line in child.stderr:  # the last module that is loaded before standard input is read
        if "import 'memreader.loaders.opening'" in line:
            break
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=30)
    assert (130, False) == (child.returncode, "Traceback" in told)


def test_a_folder_is_no_question(memreader: Run, ledger: Path, tmp_path: Path) -> None:
    """Who names a file and a folder forgot the question."""
    done = memreader("ask", ledger, tmp_path)
    assert (2, True) == (done.returncode, "is a folder" in done.stderr)


@pytest.mark.parametrize("keep", ["-1", "nan"])
def test_what_cannot_be_kept_deletes_nothing(memreader: Run, keep: str) -> None:
    """A slip in `--keep` is said."""
    done = memreader("cache", "prune", "--keep", keep)
    assert (2, True) == (done.returncode, "cannot be kept" in done.stderr)
