"""The one thing we need of a GGUF file's header: the window its model was trained on."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
_WHOLE = {0: "<B", 2: "<H", 4: "<I", 5: "<i", 10: "<Q", 11: "<q"}
_MOST_KEYS = 200


def context_length(path: Path) -> int | None:
    """`<architecture>.context_length`, or None where the header does not have it or is broken."""
    try:
        with path.open("rb") as file:
            return _search(file)
    except (OSError, struct.error, KeyError, MemoryError, ValueError, RecursionError):
        return None


def _search(file: BinaryIO) -> int | None:
    magic, version, _tensors, pairs = struct.unpack("<4sIQQ", _exactly(file, 24))
    if magic != b"GGUF" or version < 2:
        return None
    for _ in range(min(pairs, _MOST_KEYS)):
        key = _text(file)
        kind: int = struct.unpack("<I", _exactly(file, 4))[0]
        if key.endswith(b".context_length") and kind in _WHOLE:
            form = _WHOLE[kind]
            return int(struct.unpack(form, _exactly(file, struct.calcsize(form)))[0])
        _skip(file, kind)
    return None


def _skip(file: BinaryIO, kind: int) -> None:
    if kind == _STRING:
        file.seek(_length(file), 1)
    elif kind == _ARRAY:
        inner: int = struct.unpack("<I", _exactly(file, 4))[0]
        many = _length(file)
        if inner in _SIZES:
            file.seek(many * _SIZES[inner], 1)
        else:
            for _ in range(many):
                _skip(file, inner)
    else:
        file.seek(_SIZES[kind], 1)


def _length(file: BinaryIO) -> int:
    return int(struct.unpack("<Q", _exactly(file, 8))[0])


def _text(file: BinaryIO) -> bytes:
    return _exactly(file, min(_length(file), 1 << 16))


def _exactly(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise struct.error("the header is cut short")
    return data
