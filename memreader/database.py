"""SQLite files: private to their owner, in write-ahead mode, and errors a person can act on."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from memreader.errors import ConfigurationError, StoreFault

MEMORY = Path(":memory:")


class _Connection(sqlite3.Connection):
    """One whose faults name the file and what to do, whichever statement meets them."""

    name = ""

    def cursor(self, factory: Any = None) -> Any:
        """A cursor of this kind."""
        return super().cursor(factory or _Cursor)

    def execute(self, *given: Any) -> Any:
        """As by a cursor, which the original does not ask."""
        return self.cursor().execute(*given)

    def executemany(self, *given: Any) -> Any:
        """As by a cursor, which the original does not ask."""
        return self.cursor().executemany(*given)


class _Cursor(sqlite3.Cursor):
    def execute(self, *given: Any) -> Any:
        with self._told():
            return super().execute(*given)

    def executemany(self, *given: Any) -> Any:
        with self._told():
            return super().executemany(*given)

    def fetchone(self) -> Any:
        with self._told():
            return super().fetchone()

    def fetchall(self) -> Any:
        with self._told():
            return super().fetchall()

    def __next__(self) -> Any:
        with self._told():
            return super().__next__()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise  # ours to mend, not the person's
        except sqlite3.DatabaseError as error:
            name = getattr(self.connection, "name", "The database")
            raise StoreFault(
                f"{name} failed ({error}). {_advice(error)}, "
                f"or set MEMREADER_HOME to another folder."
            ) from error


def connected(path: Path, what: str, schema: str) -> sqlite3.Connection:
    """A connection to the file at `path` (`MEMORY`: to none), its tables there.

    Raises ConfigurationError, which calls the file `what`, where it cannot be made or used.
    """
    try:
        if path != MEMORY:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Created before SQLite does, so that nobody else can ever read it.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        database = _Connection(path, timeout=30, isolation_level=None, check_same_thread=False)
        database.name = f"{what} {path}"
        database.execute("PRAGMA journal_mode=WAL")
        # Survives the death of the process; only a power cut may lose the last writes.
        database.execute("PRAGMA synchronous=NORMAL")
        database.executescript(schema)
    except OSError as error:
        raise ConfigurationError(
            f"{what} {path} cannot be made ({error.strerror}). "
            f"Set MEMREADER_HOME to a folder that you may write to."
        ) from error
    except (sqlite3.DatabaseError, StoreFault) as error:
        reason = error.__cause__ if isinstance(error, StoreFault) else error
        raise ConfigurationError(
            f"{what} {path} cannot be used ({reason}). {_advice(reason)}, "
            f"or set MEMREADER_HOME to another folder."
        ) from error
    return database


def _advice(error: BaseException | None) -> str:
    name = getattr(error, "sqlite_errorname", "")
    full = name == "SQLITE_FULL" or name.startswith("SQLITE_IOERR")
    return "Make room on its disk" if full else "Move it away"


def size_of(database: sqlite3.Connection) -> int:
    """Bytes of data in the file."""
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
