"""Who owns a folder, what a crash loses, and what goes wrong with stores, with real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import anyio
import pytest

from memreader import plugins
from memreader.cli.codes import UNREACHABLE, USAGE
from memreader.errors import ConfigurationError, MemreaderError, StoreInUse, Unreachable
from memreader.memory.embedding import Fingerprint
from memreader.memory.stores import open_store
from memreader.memory.vectors import Collection, Held, VectorStore
from memreader.stores import Stores

pytestmark = pytest.mark.slow

PASSAGES = Collection("passages", Fingerprint("test", 3))

_COMMON = """
import sys, anyio
from memreader.document import Span
from memreader.memory.embedding import Fingerprint
from memreader.memory.stores import open_store
from memreader.memory.vectors import Collection, Entry
PASSAGES = Collection("passages", Fingerprint("test", 3))
def entries(batch, document="d" * 40):
    first = batch * 50
    return [Entry(f"{i}", Span(document, i, i + 1), f"text {i}", [1.0, i / 1000, 0.5])
            for i in range(first, first + 50)]
"""

_OWNER = """
async def main(spec):
    async with open_store(spec) as store:
        await store.add(PASSAGES, entries(0))
        print("owned", flush=True)
        sys.stdin.read()
anyio.run(main, sys.argv[1])
"""

_WRITER = """
async def main(spec):
    async with open_store(spec) as store:
        for batch in range(10_000):
            await store.add(PASSAGES, entries(batch))
            print(batch, flush=True)
anyio.run(main, sys.argv[1])
"""

_SHARER = """
async def main(spec, document):
    async with open_store(spec) as store:
        for batch in range(4):
            await store.add(PASSAGES, entries(batch, document))
        print("added", flush=True)
        sys.stdin.readline()
        hits = await store.query(PASSAGES, [1.0, 0.1, 0.5], 6, ["1" * 40, "2" * 40])
        print(" ".join(h.span.document[0] + h.id for h in hits), flush=True)
anyio.run(main, sys.argv[1], sys.argv[2])
"""


def _process(script: str, *arguments: str) -> subprocess.Popen[str]:
    code = _COMMON + textwrap.dedent(script)
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


async def _held(spec: str) -> list[Held]:
    async with open_store(spec) as store:
        return await store.held()


# --- one owner -----------------------------------------------------------------------------------


def test_a_second_process_is_told_who_owns_the_folder_until_that_one_is_killed(
    tmp_path: Path,
) -> None:
    """The error has the owner's pid and three ways out; a killed owner owns nothing."""
    spec = f"chroma:{tmp_path / 'vectors'}"
    owner = _process(_OWNER, spec)
    try:
        assert "owned" == _line(owner)
        with pytest.raises(StoreInUse) as refused:
            anyio.run(_held, spec)
        for told in (str(owner.pid), "Wait", "chroma run --path", "chroma:memory"):
            assert told in str(refused.value)
        assert USAGE == refused.value.exit_code
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
        assert [50] == [h.entries for h in anyio.run(_held, spec)]
    finally:
        _end(owner)


def test_the_default_store_gives_way_to_memory_and_a_named_one_does_not(tmp_path: Path) -> None:
    """Where nobody named the folder the reading goes on, with a remark."""
    folder = tmp_path / "home"
    owner = _process(_OWNER, f"chroma:{folder / 'chroma'}")
    notes: list[str] = []

    async def held(stores: Stores, note: Any = notes.append) -> list[Held]:
        async with stores.vectors(note) as store:
            return await store.held()

    try:
        assert "owned" == _line(owner)
        with pytest.raises(StoreInUse):
            anyio.run(held, Stores(folder), None)
        assert [] == anyio.run(held, Stores(folder))
        assert 1 == len(notes)
        assert str(owner.pid) in notes[0]
        with pytest.raises(StoreInUse):
            anyio.run(held, Stores(folder, f"chroma:{folder / 'chroma'}"))
    finally:
        _end(owner)


def test_readings_of_one_process_share_the_folder(tmp_path: Path) -> None:
    """What one adds the other finds at once; the last one to leave gives the folder back."""
    spec = f"chroma:{tmp_path / 'vectors'}"
    from memreader.document import Span
    from memreader.memory.vectors import Entry

    async def both() -> list[int]:
        async with open_store(spec) as one:
            async with open_store(spec) as other:
                entry = Entry("1", Span("d", 0, 1), "text", [1.0, 0.0, 0.0])
                await other.add(PASSAGES, [entry])
                hits = await one.query(PASSAGES, [1.0, 0.0, 0.0], 3, ["d"])
            await one.add(PASSAGES, [entry])
            return [len(hits), len(await one.known(PASSAGES, "d"))]

    assert [1, 1] == anyio.run(both)
    other = _process(_OWNER, spec)
    try:
        assert "owned" == _line(other)
    finally:
        _end(other)


# --- crashes -------------------------------------------------------------------------------------


def test_a_process_killed_while_adding_loses_at_most_the_batch_in_flight(tmp_path: Path) -> None:
    """Every batch that was acknowledged is there, whole, and the folder opens and takes more."""
    spec = f"chroma:{tmp_path / 'vectors'}"
    writer = _process(_WRITER, spec)
    try:
        while _line(writer) != "5":
            assert writer.poll() is None
        writer.send_signal(signal.SIGKILL)
        assert writer.stdout is not None
        acknowledged = 5 + len(writer.stdout.read().split()) + 1
        writer.wait()
    finally:
        _end(writer)

    async def known() -> tuple[set[str], int]:
        async with open_store(spec) as store:
            there = await store.known(PASSAGES, "d" * 40)
            return there, len(await store.query(PASSAGES, [1.0, 0.0, 0.5], 60, ["d" * 40]))

    there, found = anyio.run(known)
    assert {str(i) for i in range(acknowledged * 50)} <= there
    assert len(there) in (acknowledged * 50, (acknowledged + 1) * 50)
    assert 60 == found


# --- several processes ---------------------------------------------------------------------------


def test_two_processes_use_one_server_at_once(chroma_server: str) -> None:
    """Each finds what the other has added, while both are open."""
    one, two = (_process(_SHARER, chroma_server, d * 40) for d in "12")
    try:
        assert ["added", "added"] == [_line(p) for p in (one, two)]
        found = []
        for process in (one, two):
            assert process.stdin is not None
            print(file=process.stdin, flush=True)
            found.append(_line(process))
        assert found[0] == found[1]
        assert {"1", "2"} == {hit[0] for hit in found[0].split()}
    finally:
        _end(one)
        _end(two)


def test_a_server_that_is_not_there_is_unreachable() -> None:
    """The message has the address, and how to start one."""
    with pytest.raises(
        Unreachable, match=r"http://127\.0\.0\.1:9.*chroma run --path PATH --port 9"
    ):
        anyio.run(_held, "http://127.0.0.1:9")
    assert UNREACHABLE == Unreachable.exit_code


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("qdrant:somewhere", "chroma:PATH, chroma:memory or http://host:port"),
        ("chroma", "names no vector store"),
        ("chroma:", "chroma:PATH or chroma:memory"),
        ("http://", "not a usable address"),
        ("http://host:port", "not a usable address"),
        ("http://user:secret@host", "not a usable address"),
    ],
)
def test_a_spec_that_names_no_store_is_answered_with_the_form(spec: str, told: str) -> None:
    """One error, which shows no secret."""
    with pytest.raises(ConfigurationError) as refused:
        anyio.run(_held, spec)
    assert told in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_damaged_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    """Neither a traceback nor a lock is left behind."""
    (tmp_path / "chroma.sqlite3").write_bytes(b"this is no database" * 500)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="move it away"):
            anyio.run(_held, f"chroma:{tmp_path}")


def test_a_path_that_is_a_file_is_named(tmp_path: Path) -> None:
    """It is our error, with the path in it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="file"):
        anyio.run(_held, f"chroma:{tmp_path / 'file'}")


def test_settings_of_chroma_in_the_working_folder_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `.env` of another project changes nothing."""
    (tmp_path / ".env").write_text("PERSIST_DIRECTORY=/nowhere\nANONYMIZED_TELEMETRY=true\n")
    monkeypatch.chdir(tmp_path)
    assert [] == anyio.run(_held, f"chroma:{tmp_path / 'vectors'}")
    assert (tmp_path / "vectors" / "chroma.sqlite3").is_file()


# --- a stranger's store --------------------------------------------------------------------------


class Kept:
    """A stranger's store, as far as this test asks it."""

    def __init__(self, where: str) -> None:
        self.where = where

    async def held(self) -> list[Held]:
        """One entry, under the name it was opened by."""
        return [Held(PASSAGES, self.where, 1)]


@asynccontextmanager
async def open_kept(where: str) -> AsyncIterator[Any]:
    """What the stranger's entry point names."""
    yield Kept(where)


def test_a_strangers_store_is_found_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """`kept:...` opens it with what stands after the colon; a broken one is named."""
    group = "memreader.vector_stores"
    entries = {
        "kept": EntryPoint("kept", f"{__name__}:open_kept", group),
        "broken": EntryPoint("broken", "no_such_package:open", group),
        "bare": EntryPoint("bare", "builtins:str", group),
    }
    monkeypatch.setattr(plugins, "entry_points", lambda group: list(entries.values()))
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _this())
    plugins.installed.cache_clear()
    try:
        assert ["//host:6333/x"] == [h.document for h in anyio.run(_held, "kept://host:6333/x")]
        with pytest.raises(MemreaderError, match=r"broken.*no_such_package"):
            anyio.run(_held, "broken:x")
        with pytest.raises(ConfigurationError, match="gives str, which is no asynchronous"):
            anyio.run(_held, "bare:x")
    finally:
        plugins.installed.cache_clear()


def _this() -> Any:
    import types

    module = types.ModuleType(__name__)
    module.open_kept = open_kept  # type: ignore[attr-defined]
    return module


def test_stores_in_memory_live_as_long_as_their_owner() -> None:
    """A second reading finds what the first has kept; another owner's store is another."""
    from memreader.document import Span
    from memreader.memory.vectors import Entry

    async def add(store: VectorStore) -> None:
        await store.add(PASSAGES, [Entry("1", Span("d", 0, 1), "text", [1.0, 0.0, 0.0])])

    async def held(stores: Stores, *, adding: bool = False) -> int:
        async with stores.vectors(lambda text: None) as store:
            if adding:
                await add(store)
            return len(await store.held())

    stores = Stores()
    assert 1 == anyio.run(lambda: held(stores, adding=True))
    assert 1 == anyio.run(lambda: held(stores))
    assert 0 == anyio.run(lambda: held(Stores()))


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """After a store is closed no thread of ours runs, and its files are closed: by Chroma's own
    threads, which take a moment on a busy machine.
    """
    script = _COMMON + textwrap.dedent("""
        import json, os, threading, time
        async def main(spec):
            async with open_store(spec) as store:
                await store.add(PASSAGES, entries(0))
        def held():
            names = [os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
                     if os.path.exists(f"/proc/self/fd/{n}")]
            return [n for n in names if "vectors" in n]
        anyio.run(main, sys.argv[1])
        given_up = time.monotonic() + 20
        while held() and time.monotonic() < given_up:
            time.sleep(0.01)
        print(json.dumps([held(), len(os.listdir("/proc/self/task")),
                          [t.name for t in threading.enumerate()]]))
    """)
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("needs /proc")
    done = subprocess.run(
        [sys.executable, "-c", script, f"chroma:{tmp_path / 'vectors'}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    files, tasks, threads = json.loads(done.stdout)
    assert [] == files
    assert {"MainThread"} == {t for t in threads if not t.startswith("AnyIO worker")}
    assert tasks < 20
