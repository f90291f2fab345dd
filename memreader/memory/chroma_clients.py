"""Opens Chroma: in memory, in a folder that this process owns, or on a server.

Of two processes on one folder the reader would keep a stale index and find wrong passages, so
that a folder has one owner: a lock, which the system takes from a process that was killed.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from memreader.errors import ConfigurationError, MissingExtra, StoreInUse, Unreachable
from memreader.memory.chroma import PATIENCE, ChromaStore
from memreader.memory.chroma_faults import translating
from memreader.memory.sharing import Shared
from memreader.memory.vectors import VectorStore

LOCK, OWNER = "memreader.lock", "memreader.owner"
PORTS = {"http": 80, "https": 443}


def _chromadb() -> Any:
    try:
        import chromadb
    except ImportError as error:
        raise MissingExtra("A vector store", "chroma") from error
    return chromadb


def _settings(**how: Any) -> Any:
    """Chroma's settings without telemetry, and without the `.env` of the working folder."""
    _chromadb()
    from chromadb.config import Settings

    return Settings(_env_file=None, anonymized_telemetry=False, **how)


# --- in memory -----------------------------------------------------------------------------------


def in_memory() -> ChromaStore:
    """A store of its own in this process's memory; `forget` it at the end."""
    with translating("memory"):
        chromadb, name = _chromadb(), f"memreader-{uuid.uuid4().hex}"
        # All clients in memory are one system: a database of its own keeps stores apart.
        chromadb.AdminClient(_settings(is_persistent=False)).create_database(name)
        return ChromaStore(
            chromadb.EphemeralClient(_settings(is_persistent=False), database=name), "memory"
        )


def forget(store: ChromaStore) -> None:
    """Give back the memory of a store that was made `in_memory`."""
    for collection in store.client.list_collections():
        store.client.delete_collection(collection.name)
    store.client.close()


# --- in a folder ---------------------------------------------------------------------------------


@contextmanager
def _owned(path: str) -> Iterator[Any]:
    """A client on a folder that no other process of ours uses."""
    chromadb, folder = _chromadb(), Path(path)
    from filelock import FileLock, Timeout

    lock = FileLock(folder / LOCK, timeout=0, thread_local=False)
    with translating(path):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            lock.acquire()
        except Timeout:
            raise _in_use(folder) from None
    try:
        with translating(path):
            (folder / OWNER).write_text(str(os.getpid()), "utf-8")
            client = chromadb.PersistentClient(folder, _settings())
        try:
            yield client
        finally:
            client.close()
    finally:
        (folder / OWNER).unlink(missing_ok=True)
        lock.release()


def _in_use(folder: Path) -> StoreInUse:
    try:
        owner = f"process {int((folder / OWNER).read_text('utf-8'))}"
    except (OSError, ValueError):
        owner = "another process"
    return StoreInUse(
        f"The vector store in {folder} is in use by {owner}, and one process alone may own it. "
        f"Wait until that is finished; or let several share a server: `chroma run --path "
        f"{folder}`, and --store http://localhost:8000 for each; or use --store chroma:memory."
    )


_FOLDERS = Shared(_owned)


# --- openers, found by entry points -------------------------------------------------------------


@asynccontextmanager
async def open_chroma(where: str) -> AsyncIterator[VectorStore]:
    """`chroma:memory`, or `chroma:PATH`: shared by the readings of this process."""
    if not where:
        raise ConfigurationError("`chroma:` names no store. Write chroma:PATH or chroma:memory.")
    if where == "memory":
        store = await anyio.to_thread.run_sync(in_memory)
        try:
            yield store
        finally:
            forget(store)
        return
    path = str(Path(where).expanduser().resolve())
    client = await anyio.to_thread.run_sync(_FOLDERS.take, path)
    try:
        yield ChromaStore(client, path)
    finally:
        _FOLDERS.give_back(path)


@asynccontextmanager
async def open_http(rest: str) -> AsyncIterator[VectorStore]:
    """`http://host:port`: a Chroma server. Raises Unreachable where none answers."""
    async with _server(f"http:{rest}") as store:
        yield store


@asynccontextmanager
async def open_https(rest: str) -> AsyncIterator[VectorStore]:
    """`https://host:port`: a Chroma server."""
    async with _server(f"https:{rest}") as store:
        yield store


@asynccontextmanager
async def _server(url: str) -> AsyncIterator[VectorStore]:
    parts = urlsplit(url)
    try:
        host, port = parts.hostname, parts.port or PORTS[parts.scheme]
    except ValueError:
        host, port = None, 0
    if not host or parts.path.strip("/") or parts.username:
        raise ConfigurationError(
            f"The store {parts.scheme}://{host or ''} is not a usable address. Write it as "
            f"http://localhost:8000."
        )
    _chromadb()
    where = f"{parts.scheme}://{host}:{port}"
    await _alive(where)
    client = await anyio.to_thread.run_sync(_client, where, host, port, parts.scheme == "https")
    try:
        yield ChromaStore(client, where, server=True)
    finally:
        sessions = _sessions(client)
        client.close()
        for session in sessions:
            session.close()


def _client(where: str, host: str, port: int, ssl: bool) -> Any:
    with translating(where, server=True):
        client = _chromadb().HttpClient(host, port, ssl, settings=_settings())
    for session in _sessions(client):
        session.timeout = PATIENCE
    return client


def _sessions(client: Any) -> list[Any]:
    """The HTTP sessions of a client, which its own `close` leaves open and without time-outs."""
    servers = (getattr(c, "_server", None) for c in (client, client._admin_client))
    found = {id(s): s for server in servers if (s := getattr(server, "_session", None))}
    return list(found.values())


async def _alive(where: str) -> None:
    """Ask before Chroma's client does, which waits for ever and says little."""
    from memreader.llm._http import Endpoint, Http

    http = Http(Endpoint(where, keep_alive=False))
    try:
        await http.get("/api/v2/heartbeat", timeout=20.0)
    except Unreachable as error:
        raise Unreachable(
            f"No Chroma server answers at {where}. Start one with: chroma run --path PATH --port "
            f"{where.rpartition(':')[2]}"
        ) from error
    finally:
        with anyio.CancelScope(shield=True):
            await http.aclose()
