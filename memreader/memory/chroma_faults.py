"""What Chroma raises, as errors of ours that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from memreader.errors import ConfigurationError, MemreaderError, Refused, Unreachable


@contextmanager
def translating(where: str, *, server: bool = False) -> Iterator[None]:
    """Turn what Chroma and its parts raise into one of ours; `where` is the store as shown."""
    try:
        yield
    except MemreaderError:
        raise
    except Exception as error:  # because Chroma lets through what its parts raise, of any kind
        raise _ours(error, where, server) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # how its Rust part reports a damaged file
            raise
        raise _ours(error, where, server) from error


def _ours(error: BaseException, where: str, server: bool) -> MemreaderError:
    why = " ".join(f"{type(error).__name__}: {error}".split())[:300].rstrip(".: ")
    if not server:
        return ConfigurationError(
            f"The vector store in {where} cannot be used ({why}). Check that the folder may be "
            f"written to and the disk is not full; if it is damaged, move it away: what was "
            f"embedded is cached beside it. Or use --store chroma:memory."
        )
    if type(error).__module__.startswith("chromadb."):
        return Refused(f"The Chroma server {where} refuses ({why}).")
    return Unreachable(
        f"The Chroma server {where} cannot be reached ({why}). Is it running? Start one with: "
        f"chroma run --path PATH"
    )
