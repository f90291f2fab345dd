"""The shelf: indexes that readers build once and keep between questions, in SQLite, as JSON."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio

from memreader.database import MEMORY, connected

_SCHEMA = """
CREATE TABLE IF NOT EXISTS shelved (
    key TEXT PRIMARY KEY, label TEXT NOT NULL, made REAL NOT NULL, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS placed (
    path TEXT NOT NULL, document TEXT NOT NULL, name TEXT NOT NULL,
    PRIMARY KEY (path, document));
"""


@dataclass(frozen=True, slots=True)
class Label:
    """What an index is of, and what it took to build."""

    name: str
    """What it is: "tree", "graph"."""
    strategy: str
    model: str
    documents: Mapping[str, str]
    """Id of each document to its name."""
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = 0.0
    """US dollars; None where a price was not known."""
    made_by: str = ""
    """Hash of strategy with all its options, model with its window, and prompts."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """An index on the shelf."""

    key: str
    label: Label
    made: float
    """Seconds since the epoch."""
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A file, and a document that it was once the content of."""

    path: str
    document: str
    """Id of the document."""
    name: str
    """As it was given."""


class Shelf:
    """Indexes by the hash of all that determines them."""

    def __init__(self, path: Path = MEMORY) -> None:
        self._db = connected(path, "The shelf", _SCHEMA)
        self._locks: dict[str, anyio.Lock] = {}

    def get(self, key: str) -> Any:
        """The index under this key; None where there is none."""
        row = self._db.execute("SELECT content FROM shelved WHERE key = ?", (key,)).fetchone()
        try:
            return None if row is None else json.loads(row[0])
        except ValueError:  # damaged: it is built again
            return None

    def put(self, key: str, label: Label, content: Any) -> None:
        """Keep an index of plain JSON values."""
        about = json.dumps(asdict(label), ensure_ascii=False)
        whole = json.dumps(content, ensure_ascii=False)
        self._db.execute(
            "INSERT OR REPLACE INTO shelved VALUES (?, ?, ?, ?)", (key, about, time.time(), whole)
        )

    @asynccontextmanager
    async def one_at_a_time(self, key: str) -> AsyncIterator[None]:
        """Readings that want the same index wait for the one that builds it."""
        async with self._locks.setdefault(key, anyio.Lock()):
            try:
                yield
            finally:
                if not self._locks[key].statistics().tasks_waiting:
                    del self._locks[key]

    def shelved(self) -> list[Shelved]:
        """All indexes, the latest first."""
        rows = self._db.execute(
            "SELECT key, label, made, LENGTH(CAST(content AS BLOB)) FROM shelved "
            "ORDER BY made DESC, key"
        )
        return [Shelved(key, Label(**json.loads(label)), *rest) for key, label, *rest in rows]

    def holds(self, made_by: str, documents: Iterable[str]) -> bool:
        """Whether each of these documents is in an index that was made by just this."""
        mine = [s.label.documents for s in self.shelved() if s.label.made_by == made_by]
        return set(documents) <= {document for several in mine for document in several}

    def entry(self, name: str, document: str) -> tuple[Shelved, Any] | None:
        """The latest index of this name that is of one document alone; None where there is none."""
        for shelved in self.shelved():
            if shelved.label.name == name and list(shelved.label.documents) == [document]:
                return shelved, self.get(shelved.key)
        return None

    def remove(self, document: str) -> int:
        """Forget the indexes that a document is part of; returns how many."""
        keys = [s.key for s in self.shelved() if document in s.label.documents]
        self._db.executemany("DELETE FROM shelved WHERE key = ?", [(key,) for key in keys])
        return len(keys)

    # --- which files the documents were ----------------------------------------------------

    def place(self, document: str, path: str, name: str) -> None:
        """Note that a document is the content of a file, under the name that it was given by."""
        self._db.execute("INSERT OR REPLACE INTO placed VALUES (?, ?, ?)", (path, document, name))

    def displace(self, path: str, document: str) -> None:
        """Note that a file has that content no more."""
        self._db.execute("DELETE FROM placed WHERE path = ? AND document = ?", (path, document))

    def at(self, path: str) -> list[str]:
        """Ids of all documents that a file was, as far as they are known."""
        rows = self._db.execute("SELECT document FROM placed WHERE path = ? ORDER BY 1", (path,))
        return [row[0] for row in rows]

    def placed(self) -> list[Placed]:
        """All files, and the documents that they were."""
        rows = self._db.execute("SELECT path, document, name FROM placed ORDER BY path, document")
        return [Placed(*row) for row in rows]

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        database: sqlite3.Connection | None = getattr(self, "_db", None)
        if database is not None:
            database.close()
