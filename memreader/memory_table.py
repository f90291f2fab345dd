"""Memories of past readings in the journal's file: each version, and each item of it once."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

SCHEMA = """
CREATE TABLE IF NOT EXISTS readings (run TEXT PRIMARY KEY, told TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS memories (
    run TEXT NOT NULL, number INTEGER NOT NULL, version TEXT NOT NULL, made REAL NOT NULL,
    PRIMARY KEY (run, number));
CREATE TABLE IF NOT EXISTS memory_items (
    run TEXT NOT NULL, id TEXT NOT NULL, item TEXT NOT NULL, PRIMARY KEY (run, id));
"""
TABLES = ("readings", "memories", "memory_items")


@dataclass(frozen=True, slots=True)
class Reading:
    """A run that has a history."""

    run: str
    began: float
    state: str
    versions: int
    told: str
    """What was read, as JSON: see `memreader.history`."""


@dataclass(frozen=True, slots=True)
class MemoryTable:
    """Versions as JSON texts by run and number; what is in them is left to `memreader.history`."""

    db: sqlite3.Connection
    transaction: Callable[[], AbstractContextManager[None]]

    def describe(self, run: str, told: str) -> None:
        """Keep what a run reads: strategy, question and the names of the documents."""
        self.db.execute("INSERT OR REPLACE INTO readings VALUES (?, ?)", (run, told))

    def remember(self, run: str, number: int, version: str, items: Mapping[str, str]) -> None:
        """Keep a version. A reading that goes on writes its versions anew, none of them twice.

        Where it takes another way than before, what came after on the old way is dropped.
        """
        with self.transaction():
            kept = self.db.execute(
                "SELECT version FROM memories WHERE run = ? AND number = ?", (run, number)
            ).fetchone()
            if kept is not None and kept[0] != version:
                self._cut(run, number)
            self.db.execute(
                "INSERT OR REPLACE INTO memories VALUES (?, ?, ?, ?)",
                (run, number, version, time.time()),
            )
            self.db.executemany(
                "INSERT OR REPLACE INTO memory_items VALUES (?, ?, ?)",
                [(run, key, item) for key, item in items.items()],
            )

    def end(self, run: str, last: int) -> None:
        """A reading is over: versions after its last one are of an older way."""
        with self.transaction():
            self._cut(run, last + 1)

    def versions(self, run: str) -> list[str]:
        """The versions of a run in order."""
        rows = self.db.execute("SELECT version FROM memories WHERE run = ? ORDER BY number", (run,))
        return [row[0] for row in rows]

    def items(self, run: str) -> dict[str, str]:
        """All items of a run's versions, by id."""
        rows = self.db.execute("SELECT id, item FROM memory_items WHERE run = ?", (run,))
        return dict(rows.fetchall())

    def readings(self) -> list[Reading]:
        """Runs that have a history, the latest first."""
        rows = self.db.execute(
            "SELECT runs.id, runs.began, runs.state, COUNT(*), readings.told FROM runs"
            " JOIN readings ON readings.run = runs.id JOIN memories ON memories.run = runs.id"
            " GROUP BY runs.id ORDER BY runs.began DESC, runs.rowid DESC"
        )
        return [Reading(*row) for row in rows]

    def drop_before(self, moment: float) -> None:
        """Delete the histories that were last written to before a moment."""
        old = [
            row[0]
            for row in self.db.execute(
                "SELECT run FROM memories GROUP BY run HAVING MAX(made) < ?", (moment,)
            )
        ]
        for table in TABLES:
            self.db.executemany(f"DELETE FROM {table} WHERE run = ?", [(run,) for run in old])

    def _cut(self, run: str, number: int) -> None:
        self.db.execute("DELETE FROM memories WHERE run = ? AND number >= ?", (run, number))
