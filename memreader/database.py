"""SQLite files: private to their owner, in write-ahead mode, and errors a person can act on."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from memreader.errors import ConfigurationError

MEMORY = Path(":memory:")


def connected(path: Path, what: str, schema: str) -> sqlite3.Connection:
    """A connection to the file at `path` (`MEMORY`: to none), its tables there.

    Raises ConfigurationError, which calls the file `what`, where it cannot be made or used.
    """
    try:
        if path != MEMORY:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Created before SQLite does, so that nobody else can ever read it.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        database = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        database.execute("PRAGMA journal_mode=WAL")
        # Survives the death of the process; only a power cut may lose the last writes.
        database.execute("PRAGMA synchronous=NORMAL")
        database.executescript(schema)
    except OSError as error:
        raise ConfigurationError(
            f"{what} {path} cannot be made ({error.strerror}). "
            f"Set MEMREADER_HOME to a folder that you may write to."
        ) from error
    except sqlite3.DatabaseError as error:
        raise ConfigurationError(
            f"{what} {path} cannot be used ({error}). "
            f"Move it away, or set MEMREADER_HOME to another folder."
        ) from error
    return database
