"""Finished calls stay finished; spend adds up; files are private."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from memreader.errors import ConfigurationError, MemreaderError, StoreFault
from memreader.journal import Journal
from memreader.llm.base import Message, Reply, Request, Usage
from memreader.shelf import Shelf

REPLY = Reply("text", Usage(10, 4, 5), "length", (-0.5, -1.0), "thought")


def test_a_reply_comes_back_as_it_was(tmp_path: Path) -> None:
    """Text, usage, finish reason, logprobs and reasoning survive; another process reads them."""
    journal = Journal(tmp_path / "j.sqlite")
    journal.put("run-1", "key", REPLY, 0.25)
    again = Journal(tmp_path / "j.sqlite")
    assert (REPLY, "run-1") == (again.get("key"), again.paid_by("key"))
    assert again.get("other") is None


def test_spend_is_the_sum_over_attempts(tmp_path: Path) -> None:
    """Failed attempts count too; an unknown price makes the sum unknown, never 0."""
    journal = Journal(tmp_path / "j.sqlite")
    journal.put("run", "a", REPLY, 0.25)
    journal.put_failure("run", "b", 7, 0.5)
    spend = journal.spend("run")
    assert (1, 1, 22, 0.75) == (spend.calls, spend.failed, spend.tokens, spend.usd)
    journal.put("run", "c", REPLY, None)
    assert journal.spend("run").usd is None


def test_an_unfinished_run_goes_on_and_a_finished_one_does_not() -> None:
    """The same job continues its stopped run; after the end, or fresh, a new run begins."""
    journal = Journal()
    first, continued = journal.start("job")
    assert (first, True) == journal.start("job")
    assert not continued
    journal.finish(first, "budget", 2.0)
    assert (first, True) == journal.start("job")
    journal.finish(first, "finished", 1.0)
    second, continued = journal.start("job")
    assert second != first
    assert not continued
    assert (second, True) != journal.start("job", fresh=True)
    assert journal.seconds(first) == 3.0


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_the_file_is_private(tmp_path: Path) -> None:
    """Nobody else reads what was asked, whatever the umask."""
    before = os.umask(0)
    try:
        Journal(tmp_path / "deep" / "j.sqlite")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "deep" / "j.sqlite").stat().st_mode) == 0o600


def test_pruning_keeps_the_latest(tmp_path: Path) -> None:
    """A size cap deletes the oldest calls."""
    journal = Journal(tmp_path / "j.sqlite")
    for i in range(200):
        journal.put("run", f"key-{i}", Reply("x" * 2000), 0.0)
    assert journal.prune(100_000) > 0
    assert journal.size() <= 100_000
    assert journal.get("key-199") is not None
    assert journal.get("key-0") is None


def test_a_broken_file_is_said_to_be_broken(tmp_path: Path) -> None:
    """No traceback of SQLite for a damaged journal."""
    (tmp_path / "j.sqlite").write_text("not a database, however long it may be" * 50)
    with pytest.raises(ConfigurationError, match="MEMREADER_HOME"):
        Journal(tmp_path / "j.sqlite")


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A file stands where the folder of journal and shelf has to be."""
    (tmp_path / "home").write_text("a file")
    for kind in (Journal, Shelf):
        with pytest.raises(ConfigurationError, match="folder that you may write to"):
            kind(tmp_path / "home" / "a.sqlite")


def test_keys_depend_on_all_that_determines_a_call() -> None:
    """Each field of a request, and the model, changes the key; the fence's delimiter does not."""
    base = Request((Message("user", "Hello abc"),), 10)
    others = [
        Request((Message("system", "Hello abc"),), 10),
        Request((Message("user", "Hello abd"),), 10),
        Request((Message("user", "Hello abc"),), 11),
        Request(base.messages, 10, stop=("x",)),
        Request(base.messages, 10, schema={"a": 1}),
        Request(base.messages, 10, temperature=0.5),
        Request(base.messages, 10, seed=1),
        Request(base.messages, 10, sample=1),
        Request(base.messages, 10, logprobs=True),
    ]
    keys = {r.key("m") for r in [base, *others]} | {base.key("n")}
    assert len(keys) == len(others) + 2
    renamed = Request((Message("user", "Hello xyz"),), 10)
    assert base.key("m", mask="abc") == renamed.key("m", mask="xyz")


def test_a_journal_that_is_damaged_inside_is_said(tmp_path: Path) -> None:
    """It opens, and fails where the damage is met: with its name, and what to do."""
    path = tmp_path / "j.sqlite"
    journal = Journal(path)
    for number in range(300):
        journal.put("run", f"key {number}", Reply("told " * 20, Usage(1, 0, 1)), 0.0)
    journal.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"A" * (len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(MemreaderError, match=r"j\.sqlite .*malformed.*Move it away"):
        Journal(path).get("key 7")


def test_a_full_disk_is_said() -> None:
    """Room is what helps, not another file."""
    journal = Journal()
    journal._db.execute(f"PRAGMA max_page_count = {journal.size() // 4096 + 1}")
    with pytest.raises(StoreFault, match=r"is full.*Make room on its disk"):
        journal.put("run", "key", Reply("told " * 5000, Usage(1, 0, 1)), 0.0)


def test_a_reply_that_cannot_be_read_back_is_asked_for_again() -> None:
    """One of another version, or damaged: it counts as never made."""
    journal = Journal()
    journal._db.execute("INSERT INTO calls VALUES ('key', '{\"text\": 1', 0, 'run')")
    journal._db.execute("INSERT INTO calls VALUES ('old', '{\"words\": 1}', 0, 'run')")
    assert [None, None] == [journal.get("key"), journal.get("old")]
