"""What is kept of documents between questions, indexes and vectors: shown, and removed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from memreader.cli.printable import on_one_line, say
from memreader.errors import ConfigurationError, StoreInUse

if TYPE_CHECKING:
    from memreader.memory.vectors import Held
    from memreader.settings import Settings
    from memreader.shelf import Shelved
    from memreader.stores import Stores

SHORT = 8
"""Digits of an id that are shown; at least four of them name a document."""


def show(wanted: Sequence[str], settings: Settings, *, as_json: bool) -> None:
    """Print what there is, of some documents or of all."""
    kept = _Kept.of(_stores(settings))
    if wanted:
        kept = kept.only({d for one in wanted for d in kept.documents(one)})
    if as_json:
        typer.echo(json.dumps(kept.to_json(), ensure_ascii=False, indent=2))
    elif kept.shelved or kept.held:
        _table(kept)
    else:
        typer.echo("Nothing is indexed yet: memreader index FILE -s STRATEGY does that.")


def remove(wanted: Sequence[str], settings: Settings, *, as_json: bool) -> None:
    """Remove what is kept of some documents, and print what went."""
    import anyio

    from memreader.ahead import forget

    stores = _stores(settings)
    kept = _Kept.of(stores)
    known = {one: kept.documents(one) for one in wanted}  # all of them, before anything goes
    gone = []
    for document in dict.fromkeys(d for several in known.values() for d in several):
        indexes, entries = anyio.run(forget, stores, document)
        for placed in stores.shelf().placed():
            if placed.document == document:
                stores.shelf().displace(placed.path, document)
        gone.append(
            {
                "document": document,
                "name": kept.names.get(document),
                "indexes": indexes,
                "vectors": entries,
            }
        )
    if as_json:
        typer.echo(json.dumps({"removed": gone}, ensure_ascii=False, indent=2))
        return
    for row in gone:
        name = on_one_line(str(row["name"] or row["document"]))
        typer.echo(f"{name}: {_count(row['indexes'], 'index', 'indexes')} and "
                   f"{_count(row['vectors'], 'vector', 'vectors')} removed.")  # fmt: skip


def _stores(settings: Settings) -> Stores:
    from memreader.settings import home
    from memreader.stores import Stores

    return Stores(home().data, settings.store)


@dataclass(frozen=True, slots=True)
class _Kept:
    """Indexes, vectors, and what the documents are called."""

    shelved: Sequence[Shelved]
    held: Sequence[Held]
    names: dict[str, str]
    paths: dict[str, set[str]]
    """Absolute path of a file to the ids of what it was."""

    @classmethod
    def of(cls, stores: Stores) -> _Kept:
        import anyio

        shelf = stores.shelf()
        shelved, placed = shelf.shelved(), shelf.placed()
        names = {d: name for s in reversed(shelved) for d, name in s.label.documents.items()}
        names |= {p.document: p.name for p in placed}
        paths: dict[str, set[str]] = {}
        for p in placed:
            paths.setdefault(p.path, set()).add(p.document)
        try:
            held = anyio.run(stores.held)
        except StoreInUse as error:
            say(f"Vectors are not shown: {error}")
            held = []
        return cls(shelved, held, names, paths)

    def only(self, documents: set[str]) -> _Kept:
        """The part that is of these documents."""
        return _Kept(
            [s for s in self.shelved if documents & set(s.label.documents)],
            [h for h in self.held if h.document in documents],
            self.names,
            self.paths,
        )

    def documents(self, wanted: str) -> list[str]:
        """Ids of the documents that a file, a name or the beginning of an id stands for.

        Raises ConfigurationError where nothing is kept of it, or where it is not clear.
        """
        there = {d for s in self.shelved for d in s.label.documents}
        there |= {h.document for h in self.held}
        found = self.paths.get(os.path.realpath(wanted), set()) & there
        found |= {d for d in there if self.names.get(d) == wanted}
        if not found and len(wanted) >= 4:
            found = {d for d in there if d.startswith(wanted.casefold())}
            if len(found) > 1:
                which = ", ".join(sorted(found))
                raise ConfigurationError(
                    f"{wanted!r} begins several ids: {which}. Give more of it."
                )
        if not found and os.path.isfile(wanted):
            from memreader.loaders.opening import open_document

            found = {open_document(wanted).id} & there
        if not found:
            raise ConfigurationError(
                f"Nothing is kept of {wanted!r}. `memreader index` shows what exists."
            )
        return sorted(found)

    def to_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "indexes": [
                {
                    "documents": dict(s.label.documents),
                    "kind": s.label.name,
                    "strategy": s.label.strategy,
                    "model": s.label.model,
                    "built": datetime.fromtimestamp(s.made, UTC).isoformat(timespec="seconds"),
                    "bytes": s.size,
                    "calls": s.label.calls,
                    "input_tokens": s.label.input_tokens,
                    "output_tokens": s.label.output_tokens,
                    "cost_usd": s.label.usd,
                }
                for s in self.shelved
            ],
            "vectors": [
                {
                    "document": h.document,
                    "name": self.names.get(h.document),
                    "kind": h.collection.name,
                    "embedder": h.collection.fingerprint.model,
                    "dimension": h.collection.fingerprint.dimension,
                    "entries": h.entries,
                }
                for h in self.held
            ],
        }


def _table(kept: _Kept) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("document", "id", "kind", "by", "model", "built"):
        table.add_column(column, overflow="fold")
    for column in ("size", "calls", "tokens", "cost"):
        table.add_column(column, justify="right", no_wrap=True)
    for s in kept.shelved:
        label = s.label
        tokens = label.input_tokens + label.output_tokens
        names = _joined(kept.names.get(d, d) for d in label.documents)
        ids = _joined(d[:SHORT] for d in label.documents)
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(s.made))
        cells = [names, ids, label.name, label.strategy, label.model, when, _size(s.size),
                 f"{label.calls:,}", f"{tokens:,}", _money(label.usd)]  # fmt: skip
        table.add_row(*(Text(on_one_line(cell)) for cell in cells))
    for h in kept.held:
        name, by = kept.names.get(h.document, "?"), h.collection.fingerprint.model
        cells = [name, h.document[:SHORT], "vectors", h.collection.name, by, "",
                 f"{h.entries:,} entries"]  # fmt: skip
        table.add_row(*(Text(on_one_line(cell)) for cell in cells))
    console = Console()
    # Off a terminal there is no width that anything would have to be folded to.
    (console if console.is_terminal else Console(width=240)).print(table)


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e5 else f"{size / 1e3:,.1f} kB"


def _money(usd: float | None) -> str:
    return "unknown" if usd is None else f"${usd:,.4f}" if usd else "$0"


def _count(number: Any, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"
