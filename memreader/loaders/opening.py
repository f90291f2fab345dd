"""Opening what a person names: files, folders, standard input."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from memreader.document import Arriving, Corpus, Document, clean
from memreader.errors import DocumentError, MissingExtra, NoText
from memreader.loaders.formats import KINDS, format_of, known

Loader = Callable[[bytes, str], Arriving]

_BLANK = re.compile(rb"[\s\0]*")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file of a folder that was left out, and why."""

    path: str
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", clean(self.path))


@dataclass(frozen=True, slots=True)
class Opened:
    """What was opened, in order, and what a folder held that could not be."""

    documents: tuple[Arriving, ...]
    skipped: tuple[Skipped, ...] = ()

    @classmethod
    def distinct(cls, found: Sequence[Arriving], skipped: Sequence[Skipped]) -> Opened:
        """Each content once, at its first place; the others are skipped and say so."""
        first = {a.id: a for a in reversed(found)}
        again = [
            Skipped(a.source, f"its content is the same as that of {first[a.id].source}")
            for a in found
            if first[a.id] is not a
        ]
        return cls(tuple(a for a in found if first[a.id] is a), (*skipped, *again))


def open_documents(
    sources: Sequence[str | Path], *, stdin: Callable[[], bytes] | None = None
) -> Opened:
    """Open files, folders (all files below, sorted, without hidden ones) and "-".

    A file that was named and cannot be read raises DocumentError; one in a folder is skipped,
    with its reason. The same content twice is read once.
    """
    found: list[Arriving] = []
    skipped: list[Skipped] = []
    for place, source in enumerate(map(str, sources)):
        if source == "-":
            if "-" in map(str, sources[:place]):
                skipped.append(Skipped("-", "standard input can be read once only"))
                continue
            found.append(_from_bytes((stdin or _standard_input)(), "<stdin>"))
        elif os.path.isdir(source):  # Path.is_dir raises on names that are too long
            inside = _folder(source)
            found += inside.documents
            skipped += inside.skipped
        else:
            found.append(open_document(source))
    return Opened.distinct(found, skipped)


def open_document(path: str | Path) -> Arriving:
    """Open one file. Raises DocumentError that says what is wrong and what to do."""
    arriving = _from_bytes(_bytes_of(str(path)), str(path))
    arriving.path = os.path.realpath(path)
    return arriving


def load(sources: Sequence[str | Path]) -> Corpus:
    """Open and read documents whole."""
    return Corpus(tuple(a.finish() for a in open_documents(sources).documents))


def from_text(text: str, source: str = "<text>") -> Arriving:
    """A text that is already at hand, kept as it is but for what no model takes (lone surrogates).

    Raises NoText for a blank one.
    """
    if not text or text.isspace():
        raise NoText(f"{source} is empty: there is nothing to read in it.")
    return Arriving.of(Document(clean(text), source))


def _bytes_of(path: str) -> bytes:
    if not path.strip():
        raise DocumentError("A file name is empty. Name a file, a folder, or - for standard input.")
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise DocumentError(f"No such file: {path}. Check the name.") from None
    except PermissionError:
        raise DocumentError(f"{path} may not be read: no permission.") from None
    except OSError as error:
        raise DocumentError(f"{_short(path)} cannot be read: {error.strerror or error}.") from error
    except ValueError:
        raise DocumentError(f"{_short(path)!r} is not a file name.") from None


def _short(path: str) -> str:
    """A name for a message; a whole text given as a name is cut."""
    return path if len(path) < 300 else f"{path[:100]}…"


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise DocumentError("Standard input is closed. Pipe a document into it, or name a file.")
    return sys.stdin.buffer.read()


def _folder(folder: str) -> Opened:
    """Files below a folder. One that cannot be read is found out now, not in mid-reading."""
    found: list[Arriving] = []
    skipped: list[Skipped] = []
    paths, closed = _below(folder)
    for path in paths:
        if not known(path):
            skipped.append(Skipped(path, f"not a format that memreader reads ({KINDS})"))
            continue
        try:
            arriving = open_document(path)
            # Read whole, so that a folder's files are not all held open at once.
            arriving.finish()
        except (DocumentError, MissingExtra) as error:
            skipped.append(Skipped(path, str(error).removeprefix(f"{path} ")))
        else:
            found.append(arriving)
    skipped += closed
    if not found:
        reasons = f" {skipped[0].path}: {skipped[0].reason}" if skipped else ""
        raise DocumentError(f"{folder} holds nothing that can be read ({KINDS}).{reasons}")
    return Opened(tuple(found), tuple(skipped))


def _below(folder: str) -> tuple[list[str], list[Skipped]]:
    """Files below a folder without hidden ones, sorted; and the folders that may not be entered."""
    paths: list[str] = []
    closed: list[Skipped] = []

    def refused(error: OSError) -> None:
        closed.append(Skipped(str(error.filename), f"cannot be entered: {error.strerror}"))

    for parent, folders, files in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = [
            os.path.join(parent, n) for n in folders if os.path.islink(os.path.join(parent, n))
        ]
        closed += [Skipped(path, "a link to a folder, which is not followed") for path in links]
        here = [os.path.join(parent, name) for name in files if not name.startswith(".")]
        # A link that leads nowhere is opened too: the error says so.
        plain = [path for path in here if os.path.isfile(path) or not os.path.exists(path)]
        closed += [Skipped(p, "a pipe or a device, not a file") for p in here if p not in plain]
        paths += plain
    return sorted(paths, key=lambda path: Path(path).parts), closed


def _from_bytes(data: bytes, source: str) -> Arriving:
    if _BLANK.fullmatch(data):
        raise NoText(f"{source} is empty: there is nothing to read in it.")
    module = import_module(f"memreader.loaders.{format_of(data, source)}")
    loader: Loader = module.arriving
    return loader(data, source)
