"""The shelf: indexes that readers build once and keep between questions, in SQLite, as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from memreader.database import MEMORY, connected

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS indexes (
    key TEXT PRIMARY KEY, name TEXT NOT NULL, made REAL NOT NULL, content TEXT NOT NULL);
"""


class Shelf:
    """Indexes by the hash of all that determines them."""

    def __init__(self, path: Path = MEMORY) -> None:
        self._db = connected(path, "The shelf", _SCHEMA)

    def get(self, key: str) -> Any:
        """The index under this key; None where there is none."""
        row = self._db.execute("SELECT content FROM indexes WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, key: str, name: str, content: Any) -> None:
        """Keep an index of plain JSON values."""
        self._db.execute(
            "INSERT OR REPLACE INTO indexes VALUES (?, ?, ?, ?)",
            (key, name, time.time(), json.dumps(content, ensure_ascii=False)),
        )

    async def built(self, key: str, name: str, build: Callable[[], Awaitable[T]]) -> T:
        """The index under this key; built and kept where there was none."""
        kept = self.get(key)
        if kept is not None:
            return kept  # type: ignore[no-any-return]
        new = await build()
        self.put(key, name, new)
        return new

    def keys(self) -> list[str]:
        """Keys of all indexes, in order."""
        return [row[0] for row in self._db.execute("SELECT key FROM indexes ORDER BY key")]

    def __del__(self) -> None:
        if hasattr(self, "_db"):
            self._db.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()
