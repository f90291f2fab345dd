"""ZIP archives from strangers: their size bounded, every fault of theirs told in one way."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from memreader.errors import BrokenDocument, EncryptedDocument

MOST_BYTES = 500 << 20
"""Unpacked size above which an archive is refused: a small file can unpack to anything."""

_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,  # also NotImplementedError: a compression that this Python does not have
    ValueError,
)


def opened_archive(data: bytes, source: str) -> zipfile.ZipFile:
    """An archive of a bearable size and without a password.

    Raises BrokenDocument and EncryptedDocument.
    """
    with _told(source, "its table of contents"):
        archive = zipfile.ZipFile(io.BytesIO(data))
    if any(entry.flag_bits & 1 for entry in archive.infolist()):
        raise EncryptedDocument(f"{source} is locked with a password. Give a copy without one.")
    # `read` never gives more than the declared size, so that adding these up is enough.
    if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
        raise BrokenDocument(
            f"{source} unpacks to more than {MOST_BYTES >> 20:,} MB, which no document does. "
            f"It may be an attack; it is not read."
        )
    return archive


def part(archive: zipfile.ZipFile, name: str, source: str) -> bytes:
    """The content of one part. Raises BrokenDocument where it is missing or damaged."""
    with _told(source, f"its part {name!r}"):
        return archive.read(name)


@contextmanager
def _told(source: str, what: str) -> Iterator[None]:
    try:
        yield
    except _FAULTS as error:
        raise BrokenDocument(
            f"{source} is damaged or cut short: {what} is missing or broken. Get the file again."
        ) from error


def missing(source: str, name: str) -> BrokenDocument:
    """The error for a part that ought to be there."""
    return BrokenDocument(f"{source} is not whole: its part {name!r} is missing. Get it again.")
