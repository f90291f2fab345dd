"""The journal: every finished model call on disk, so that none is paid twice.

One SQLite file in write-ahead mode. A call is keyed by the hash of everything that determines
it (`Request.key`), whatever run made it. A run is keyed by its job (documents, question,
strategy, options, model); its spend is the sum over its paid attempts, written in the same
transaction as the reply, so that it survives a crash at any point. The memories of runs stand
in the same file (`memreader.memory_table`).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from memreader.database import MEMORY, connected, size_of
from memreader.llm.base import Reply, Usage
from memreader.memory_table import SCHEMA, TABLES, MemoryTable

SIZE_CAP = 2 << 30
"""Bytes; above it the oldest calls are pruned when a journal is opened."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    key TEXT PRIMARY KEY, reply TEXT NOT NULL, made REAL NOT NULL, run TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS attempts (
    run TEXT NOT NULL, key TEXT NOT NULL, ok INTEGER NOT NULL, tokens INTEGER NOT NULL,
    input INTEGER NOT NULL, cached INTEGER NOT NULL, output INTEGER NOT NULL, usd REAL);
CREATE INDEX IF NOT EXISTS attempts_by_run ON attempts (run);
CREATE TABLE IF NOT EXISTS runs (
    id TEXT PRIMARY KEY, job TEXT NOT NULL, ordinal INTEGER NOT NULL, began REAL NOT NULL,
    state TEXT NOT NULL, seconds REAL NOT NULL DEFAULT 0, what TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS runs_by_job ON runs (job, ordinal);
"""


@dataclass(frozen=True, slots=True)
class RunSpend:
    """Sum over the paid attempts of a run."""

    calls: int = 0
    failed: int = 0
    usage: Usage = field(default_factory=Usage)
    tokens: int = 0
    """Tokens counted against the budget: those of failed attempts that may be billed included."""
    usd: float | None = 0.0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the journal knows it."""

    id: str
    state: str
    """running, finished, budget or interrupted."""
    began: float
    seconds: float
    what: str


class Journal:
    """Finished calls and runs, on disk or in memory."""

    def __init__(self, path: Path = MEMORY) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._db = connected(path, "The journal", _SCHEMA + SCHEMA)
        self.memories = MemoryTable(self._db, self._transaction)
        if self.size() > SIZE_CAP:
            self.prune(SIZE_CAP // 2)

    def __del__(self) -> None:
        if hasattr(self, "_db"):
            self._db.close()

    def close(self) -> None:
        """Close the file; the journal is not used afterwards."""
        self._db.close()

    # --- calls -----------------------------------------------------------------------------

    def get(self, key: str) -> Reply | None:
        """The reply of a finished call, from whatever run."""
        row = self._db.execute("SELECT reply FROM calls WHERE key = ?", (key,)).fetchone()
        try:
            return None if row is None else _reply(json.loads(row[0]))
        except (ValueError, TypeError, KeyError):  # damaged, or of another version: ask again
            return None

    def paid_by(self, key: str) -> str | None:
        """Id of the run that paid for a call."""
        row = self._db.execute("SELECT run FROM calls WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, run: str, key: str, reply: Reply, usd: float | None) -> None:
        """Record a finished call and its cost, in one transaction."""
        usage = reply.usage
        tokens = usage.input_tokens + usage.output_tokens
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?)",
                (key, json.dumps(_fields(reply), ensure_ascii=False), time.time(), run),
            )
            self._db.execute(
                "INSERT INTO attempts VALUES (?, ?, 1, ?, ?, ?, ?, ?)",
                (
                    run,
                    key,
                    tokens,
                    usage.input_tokens,
                    usage.cached_input_tokens,
                    usage.output_tokens,
                    usd,
                ),
            )

    def put_spend(self, run: str, key: str, tokens: int, usd: float | None) -> None:
        """Record a request that has no reply to keep here, and what it cost: embeddings."""
        self._db.execute(
            "INSERT INTO attempts VALUES (?, ?, 1, ?, ?, 0, 0, ?)", (run, key, tokens, tokens, usd)
        )

    def put_failure(self, run: str, key: str, tokens: int, usd: float | None) -> None:
        """Record a failed attempt and what it may have cost."""
        self._db.execute(
            "INSERT INTO attempts VALUES (?, ?, 0, ?, 0, 0, 0, ?)", (run, key, tokens, usd)
        )

    # --- runs ------------------------------------------------------------------------------

    def start(self, job: str, *, what: str = "", fresh: bool = False) -> tuple[str, bool]:
        """The id of the job's unfinished run, or of a new one; and whether it continues."""
        row = self._db.execute(
            "SELECT id, state, ordinal FROM runs WHERE job = ? ORDER BY ordinal DESC LIMIT 1",
            (job,),
        ).fetchone()
        if row is not None and row[1] != "finished" and not fresh:
            self._db.execute("UPDATE runs SET state = 'running' WHERE id = ?", (row[0],))
            return str(row[0]), True
        ordinal = 1 if row is None else row[2] + 1
        run = f"{job[:10]}-{ordinal}"
        self._db.execute(
            "INSERT INTO runs (id, job, ordinal, began, state, what) "
            "VALUES (?, ?, ?, ?, 'running', ?)",
            (run, job, ordinal, time.time(), what),
        )
        return run, False

    def finish(self, run: str, state: str, seconds: float) -> None:
        """Record how a run ended: finished, budget or interrupted; its seconds add up."""
        self._db.execute(
            "UPDATE runs SET state = ?, seconds = seconds + ? WHERE id = ?", (state, seconds, run)
        )

    def seconds(self, run: str) -> float:
        """Seconds that earlier processes worked on a run."""
        row = self._db.execute("SELECT seconds FROM runs WHERE id = ?", (run,)).fetchone()
        return float(row[0]) if row else 0.0

    def spend(self, run: str) -> RunSpend:
        """What a run has cost so far, over all its processes."""
        row = self._db.execute(
            "SELECT COALESCE(SUM(ok), 0), COUNT(*), COALESCE(SUM(input), 0),"
            " COALESCE(SUM(cached), 0), COALESCE(SUM(output), 0), COALESCE(SUM(tokens), 0),"
            " COALESCE(SUM(usd), 0), COALESCE(SUM(usd IS NULL), 0) FROM attempts WHERE run = ?",
            (run,),
        ).fetchone()
        ok, attempts, given, cached, output, tokens, usd, unknown = row
        usage = Usage(given, cached, output)
        return RunSpend(ok, attempts - ok, usage, tokens, None if unknown else float(usd))

    def runs(self) -> list[RunRecord]:
        """All runs, the latest first."""
        rows = self._db.execute(
            "SELECT id, state, began, seconds, what FROM runs ORDER BY began DESC, ordinal DESC"
        )
        return [RunRecord(*row) for row in rows]

    # --- housekeeping ----------------------------------------------------------------------

    def size(self) -> int:
        """Bytes of data in the file."""
        return size_of(self._db)

    def count(self) -> int:
        """Finished calls kept."""
        return int(self._db.execute("SELECT COUNT(*) FROM calls").fetchone()[0])

    def prune(self, keep_bytes: int) -> int:
        """Delete the oldest calls until at most `keep_bytes` are left; returns how many.

        The history of a run goes with the calls of its time.
        """
        gone = 0
        while self.size() > keep_bytes and (left := self.count()):
            batch = max(1, left // 10)
            self._db.execute(
                "DELETE FROM calls WHERE key IN (SELECT key FROM calls ORDER BY made LIMIT ?)",
                (batch,),
            )
            gone += min(batch, left)
            oldest = self._db.execute("SELECT MIN(made) FROM calls").fetchone()[0]
            self.memories.drop_before(time.time() if oldest is None else oldest)
        self._db.execute("VACUUM")
        return gone

    def clear(self) -> int:
        """Delete all calls and runs with their histories; returns how many calls there were."""
        gone = self.count()
        with self._transaction():
            for table in ("calls", "attempts", "runs", *TABLES):
                self._db.execute(f"DELETE FROM {table}")
        self._db.execute("VACUUM")
        return gone

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, closing(self._db.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:  # a full disk has ended it already
                    cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")


def _fields(reply: Reply) -> dict[str, object]:
    """Without `asdict`, which copies whatever stands in them: it takes ten times as long."""
    told = {name: getattr(reply, name) for name in Reply.__slots__}
    return {**told, "usage": {name: getattr(reply.usage, name) for name in Usage.__slots__}}


def _reply(data: dict[str, object]) -> Reply:
    fields = dict(data)
    usage = Usage(**fields.pop("usage"))  # type: ignore[arg-type]
    logprobs = fields.pop("logprobs")
    return Reply(usage=usage, logprobs=None if logprobs is None else tuple(logprobs), **fields)  # type: ignore[arg-type]
