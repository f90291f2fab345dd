"""The history of a reading's memory, as the journal keeps it: for after the reading.

Each version is there with its items, and each item with the places it rests on: document, page
and quote as they were when it was noted, so that the history can be read when the file is gone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from memreader.answer import Citation, Version
from memreader.document import Document, Page, Span, content_hash
from memreader.errors import ConfigurationError
from memreader.evidence import Evidence
from memreader.journal import Journal
from memreader.memory.changes import Changes, changes
from memreader.memory.notes import Item

Documents = Mapping[str, Document]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Past:
    """A version as it was kept: with the pages its chunk stood on, and with what it had lost."""

    version: Version
    pages: tuple[int, int] | None = None
    """Physical numbers of the first and the last page of the chunk."""
    forgot: tuple[Item, ...] = ()

    @property
    def number(self) -> int:
        """From 1."""
        return self.version.number

    @property
    def chunk(self) -> int | None:
        """Number of the chunk after which the memory was as this, from 1."""
        return None if self.version.chunk is None else self.version.chunk + 1

    @property
    def items(self) -> tuple[Item, ...]:
        """The memory item by item; of other memories than notes, line by line."""
        if self.version.items or not self.version.content:
            return self.version.items
        return tuple(Item(line) for line in dict.fromkeys(_lines(self.version.content)))


@dataclass(frozen=True, slots=True)
class History:
    """All versions of one reading's memory."""

    run: str
    strategy: str
    question: str
    began: float
    state: str
    past: tuple[Past, ...]
    places: Mapping[Span, Citation]

    def at(self, number: int) -> Past:
        """The version with this number. Raises ConfigurationError where there is none."""
        if not 1 <= number <= len(self.past):
            raise ConfigurationError(
                f"Run {self.run} has no version {number}; it has 1 to {len(self.past):,}."
            )
        return self.past[number - 1]

    def after(self, chunk: int) -> list[Past]:
        """What was known after this chunk, from 1: one version for each of several memories.

        Where the chunk's own call failed, that is what was known before. Raises
        ConfigurationError for a chunk that was not read.
        """
        read = [p for p in self.past if p.chunk is not None and not p.version.again]
        last = max((p.chunk or 0 for p in read), default=0)
        found = {p.version.path: p for p in read if p.chunk is not None and p.chunk <= chunk}
        own = {p.version.path: p for p in read if p.chunk == chunk}
        if chunk > last or not found:
            known = f"it has memories after chunks {read[0].chunk} to {last}" if read else "none"
            raise ConfigurationError(f"Run {self.run} read no chunk {chunk}; {known}.")
        return list({**found, **own}.values())

    def before(self, past: Past) -> Past | None:
        """The version that this one took the place of."""
        earlier = self.past[: past.number - 1]
        return next((p for p in reversed(earlier) if p.version.path == past.version.path), None)

    def step(self, past: Past) -> Changes:
        """What a version changed; what had no room in it from the start was added and dropped."""
        before = self.before(past)
        made = changes(before.items if before else (), past.items)
        cut = tuple(item for item in past.forgot if item not in made.dropped)
        return replace(made, added=made.added + cut, dropped=made.dropped + cut)

    def cited(self, item: Item) -> list[Citation]:
        """The places that an item rests on."""
        spans = (e.span for e in item.evidence if e.span is not None)
        return [self.places[span] for span in spans if span in self.places]


# --- to the journal --------------------------------------------------------------------------


def told(strategy: str, question: str, documents: Mapping[str, str]) -> str:
    """What a run reads; `documents` are names by id."""
    return json.dumps(
        {"strategy": strategy, "question": question, "documents": dict(documents)},
        ensure_ascii=False,
    )


def recorded(past: Past, documents: Documents) -> tuple[str, dict[str, str]]:
    """A version, and its items by id, as JSON texts."""
    kept: dict[str, str] = {}

    def key(item: Item) -> str:
        text = json.dumps(
            {
                "text": item.text,
                "since": item.since,
                "evidence": [_place(e, documents) for e in item.evidence],
            },
            ensure_ascii=False,
        )
        name = content_hash(text)[:16]
        kept[name] = text
        return name

    version = past.version
    record: Json = {
        "chunk": version.chunk,
        "path": version.path,
        "again": version.again,
        "pages": past.pages,
        "forgot": [key(item) for item in past.forgot],
    }
    if version.items or not version.content:
        record["items"] = [key(item) for item in version.items]
    else:
        exact = (Evidence(_text(s, documents), s, "exact") for s in version.sources)
        record |= {
            "content": version.content,
            "sources": [_place(e, documents) for e in exact],
        }
    return json.dumps(record, ensure_ascii=False), kept


def pages_of(span: Span, documents: Documents) -> tuple[int, int] | None:
    """Physical numbers of the first and the last page that a span touches."""
    document = documents[span.document]
    first, last = document.page_at(span.start), document.page_at(max(span.start, span.end - 1))
    return None if first is None or last is None else (first.number, last.number)


def _place(evidence: Evidence, documents: Documents) -> Json:
    span = evidence.span
    page: Page | None = documents[span.document].page_of(span) if span else None
    return {
        "quote": evidence.quote,
        "span": [span.document, span.start, span.end] if span else None,
        "verified": evidence.verified,
        "score": round(evidence.score, 4),
        "page": [page.number, page.label] if page else None,
    }


def _text(span: Span, documents: Documents) -> str:
    return documents[span.document].text[span.start : span.end]


# --- from the journal ------------------------------------------------------------------------


def load(journal: Journal, run: str) -> History:
    """The history of a run: its id, the beginning of one that is enough to tell, or `last`.

    Raises ConfigurationError, with what there is, where no run or no single run is meant.
    """
    readings = journal.memories.readings()
    if not readings:
        raise ConfigurationError(
            "No run has a history yet. Ask a question first: memreader ask report.pdf '...'"
        )
    named = [r for r in readings if r.run == run] or [r for r in readings if r.run.startswith(run)]
    found = readings[:1] if run == "last" else named if run else []
    if len(found) != 1:
        what = f"{len(found)} runs begin with {run!r}" if found else f"No run {run!r} has a history"
        names = ", ".join(r.run for r in (found or readings)[:5])
        more = ", …" if len(found or readings) > 5 else ""
        raise ConfigurationError(f"{what}. There are: last, {names}{more}.")
    reading = found[0]
    about = json.loads(reading.told)
    places = _Places(about["documents"])
    items = {k: places.item(json.loads(v)) for k, v in journal.memories.items(reading.run).items()}
    rows = zip(count(1), journal.memories.versions(reading.run), strict=False)
    past = tuple(_past(number, json.loads(row), items, places) for number, row in rows)
    return History(
        reading.run, about["strategy"], about["question"], reading.began, reading.state, past,
        places.found,
    )  # fmt: skip


class _Places:
    """Collects where spans stand, as it reads evidence."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names
        self.found: dict[Span, Citation] = {}

    def item(self, told: Json) -> Item:
        return Item(told["text"], tuple(map(self.evidence, told["evidence"])), told["since"])

    def evidence(self, told: Json) -> Evidence:
        span = Span(*told["span"]) if told["span"] else None
        if span is not None:
            page, label = told["page"] or (None, None)
            name = self.names.get(span.document, span.document)
            self.found[span] = Citation(
                name, span.start, span.end, told["quote"], page, label, told["verified"]
            )
        return Evidence(told["quote"], span, told["verified"], told["score"])


def _past(number: int, record: Json, items: Mapping[str, Item], places: _Places) -> Past:
    noted = tuple(items[key] for key in record.get("items", ()))
    resting = [places.evidence(told) for told in record.get("sources", ())]
    spans = [*(s for i in noted for s in i.sources), *(e.span for e in resting if e.span)]
    version = Version(
        number,
        record.get("content", "\n".join(item.text for item in noted)),
        tuple(dict.fromkeys(spans)),
        record["chunk"],
        noted,
        record["path"],
        record["again"],
    )
    pages = record["pages"]
    forgot = tuple(items[key] for key in record["forgot"])
    return Past(version, tuple(pages) if pages else None, forgot)


def _lines(content: str) -> Iterator[str]:
    """The lines of a memory that is no notes; of a structure, one for each value and its path."""
    try:
        structure = json.loads(content)
    except ValueError:
        structure = None
    if isinstance(structure, dict | list):
        yield from _values(structure, "")
    else:
        yield from (line.strip() for line in content.splitlines() if line.strip())


def _values(value: object, path: str) -> Iterator[str]:
    inside: Sequence[tuple[str, object]] = ()
    if isinstance(value, dict):
        inside = [(f"{path}.{key}" if path else str(key), held) for key, held in value.items()]
    elif isinstance(value, list):
        inside = [(f"{path}[{number}]", held) for number, held in enumerate(value)]
    for name, held in inside:
        if isinstance(held, dict | list):
            yield from _values(held, name)
        elif held not in (None, ""):
            yield f"{name}: {held}"
