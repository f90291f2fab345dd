"""The shelf: indexes that readers build once and keep between questions, in SQLite, as JSON."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio

from memreader.database import MEMORY, connected

_SCHEMA = """
CREATE TABLE IF NOT EXISTS shelved (
    key TEXT PRIMARY KEY, label TEXT NOT NULL, made REAL NOT NULL, content TEXT NOT NULL);
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


@dataclass(frozen=True, slots=True)
class Shelved:
    """An index on the shelf."""

    key: str
    label: Label
    made: float
    """Seconds since the epoch."""
    size: int
    """Bytes."""


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

    def remove(self, document: str) -> int:
        """Forget the indexes that a document is part of; returns how many."""
        keys = [s.key for s in self.shelved() if document in s.label.documents]
        self._db.executemany("DELETE FROM shelved WHERE key = ?", [(key,) for key in keys])
        return len(keys)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        database: sqlite3.Connection | None = getattr(self, "_db", None)
        if database is not None:
            database.close()
