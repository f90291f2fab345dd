"""Vectors that were made once, in SQLite by what made them and the text they are of.

A changed document pays only for passages whose text changed, and a second question for itself.
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import time
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

from memreader.database import MEMORY, connected, size_of
from memreader.memory.embedding import Fingerprint, Vector

SIZE_CAP = 1 << 30
"""Bytes; above it the oldest vectors are deleted when a cache is opened."""
_AT_ONCE = 500

_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    key BLOB PRIMARY KEY, model TEXT NOT NULL, made REAL NOT NULL, vector BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS vectors_by_age ON vectors (made);
"""


def key_of(made_by: Fingerprint, text: str, *, query: bool) -> bytes:
    """Hash of what determines a vector. The dimension may not be known yet, and follows from it."""
    told = f"{made_by.model}\n{made_by.weights}\n{made_by.normalised}\n{query}\n{text}"
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()[:20]


class EmbeddingCache:
    """Vectors as single precision floats, on disk or in memory."""

    def __init__(self, path: Path = MEMORY) -> None:
        self.path = path
        self._db = connected(path, "The embedding cache", _SCHEMA)
        while self.size() > SIZE_CAP and (held := self.count()):
            self._drop(max(1, held // 4))

    def get(self, keys: Sequence[bytes]) -> dict[bytes, Vector]:
        """The vectors that are here."""
        found: dict[bytes, Vector] = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            marks = ",".join("?" * len(some))
            rows = self._db.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", some)
            found.update((key, _vector(blob)) for key, blob in rows)
        return found

    def put(self, model: str, vectors: Mapping[bytes, Vector]) -> None:
        """Keep vectors, in one transaction."""
        now = time.time()
        rows = [(key, model, now, _blob(vector)) for key, vector in vectors.items()]
        if rows:  # one statement is one transaction, whatever other threads do
            marks = ",".join(["(?, ?, ?, ?)"] * len(rows))
            self._db.execute(
                f"INSERT OR REPLACE INTO vectors VALUES {marks}", [v for row in rows for v in row]
            )

    def count(self) -> int:
        """Vectors kept."""
        return int(self._db.execute("SELECT COUNT(*) FROM vectors").fetchone()[0])

    def models(self) -> dict[str, int]:
        """How many vectors there are of each model, the most first."""
        return dict(
            self._db.execute(
                "SELECT model, COUNT(*) FROM vectors GROUP BY model ORDER BY COUNT(*) DESC, model"
            ).fetchall()
        )

    def size(self) -> int:
        """Bytes of data in the file."""
        return size_of(self._db)

    def clear(self) -> int:
        """Delete all vectors; returns how many."""
        gone = self.count()
        self._db.execute("DELETE FROM vectors")
        self._db.execute("VACUUM")
        return gone

    def _drop(self, oldest: int) -> None:
        self._db.execute(
            "DELETE FROM vectors WHERE key IN (SELECT key FROM vectors ORDER BY made LIMIT ?)",
            (oldest,),
        )

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        database: sqlite3.Connection | None = getattr(self, "_db", None)
        if database is not None:
            database.close()


def _blob(vector: Vector) -> bytes:
    return _in_order(array("f", vector)).tobytes()


def _vector(blob: bytes) -> Vector:
    values = array("f")
    values.frombytes(blob)
    return _in_order(values)


def _in_order(values: array[float]) -> array[float]:
    """Little-endian on disk, so that the file can move between machines."""
    if sys.byteorder == "big":
        values.byteswap()
    return values
