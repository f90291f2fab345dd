"""The memory of a reading: its versions, what it forgot, and what is read again for that."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from memreader import events
from memreader.answer import Forgotten, Version
from memreader.chunking import Chunk
from memreader.document import Span
from memreader.history import Past, pages_of, recorded
from memreader.memory.notes import Item, Notes
from memreader.memory_table import MemoryTable
from memreader.rescue import passages
from memreader.supply import Supply


@dataclass(slots=True)
class Remembering:
    """Keeps each version of a reading's memory, in the journal too, as soon as it is made.

    A reading may carry several memories side by side, told apart by their path.
    """

    run: str
    told: str
    """What the run reads: see `memreader.history.told`."""
    table: MemoryTable
    supply: Supply
    emit: Callable[[events.Event], None]
    versions: list[Version] = field(default_factory=list)
    forgotten: list[Item] = field(default_factory=list)
    """What the memories lost on their way without being contradicted."""
    noted: int = 0
    """Facts ever noted."""
    _notes: dict[str, Notes] = field(default_factory=dict)
    _lost: dict[str, list[Item]] = field(default_factory=dict)
    _wanted: dict[str, list[Item]] = field(default_factory=dict)
    """What was forgotten at the time when passages were given to be read again."""

    def version(
        self, content: object, sources: Sequence[Span], chunk: int | None, path: str
    ) -> Version:
        """A new version: `Notes` bring their own sources, all else is kept as text or JSON."""
        notes = content if isinstance(content, Notes) else None
        text = content if isinstance(content, str) else ""
        if not isinstance(content, str | Notes):
            text = json.dumps(content, ensure_ascii=False)
        version = Version(
            len(self.versions) + 1,
            notes.text if notes is not None else text,
            tuple(dict.fromkeys(notes.sources if notes is not None else sources)),
            chunk,
            notes.items if notes is not None else (),
            path,
            path in self._wanted,
        )
        forgot = () if notes is None else self._forgot(notes, chunk, path)
        self.versions.append(version)
        self._keep(version, forgot)
        self.emit(events.MemoryVersion(version=version.number, sources=version.sources, path=path))
        return version

    def _forgot(self, notes: Notes, chunk: int | None, path: str) -> tuple[Item, ...]:
        before = self._notes.get(path, Notes())
        forgot = before.forgotten(notes)
        if notes is not before:  # what had no room from the start was noted and lost at once
            known = {item.text for item in before.items}
            new = Notes(tuple(item for item in notes.cut if item.text not in known))
            forgot += new.forgotten(notes)
        self._notes[path] = notes
        if path not in self._wanted:  # what is read again was noted before
            # Whatever is neither forgotten nor new lives on, perhaps in other words.
            self.noted += max(0, len(notes.items) - len(before.items) + len(forgot))
        self.forgotten += forgot
        self._lost.setdefault(path, []).extend(forgot)
        for item in forgot:
            self.emit(events.Forgot(text=item.text, sources=item.sources, chunk=chunk))
        return forgot

    def _keep(self, version: Version, forgot: tuple[Item, ...]) -> None:
        documents = {d.id: d for d in (a.here() for a in self.supply.arriving)}
        span = self.supply.ledger.span(version.chunk)
        past = Past(version, pages_of(span, documents) if span else None, forgot)
        if version.number == 1:
            self.table.describe(self.run, self.told)
        self.table.remember(self.run, version.number, *recorded(past, documents))

    # --- reading again ---------------------------------------------------------------------

    def lost(self, budget: int, path: str) -> list[Chunk]:
        """Passages around what a memory forgot and does not hold now; given once."""
        if path in self._wanted:
            return []
        now = self._notes.get(path, Notes())
        self._wanted[path] = [i for i in self._lost.get(path, ()) if not now.keeps(i)]
        return passages(
            [span for item in self._wanted[path] for span in self._places(item)],
            self.supply.ledger.spans,
            {d.id: d for d in (a.here() for a in self.supply.arriving)},
            budget=budget,
            counter=self.supply.counter,
        )

    def _places(self, item: Item) -> tuple[Span, ...]:
        """Where to look again: what an item rests on, else the chunk at which it was noted."""
        whole = self.supply.ledger.span(item.since)
        return item.sources or ((whole,) if whole is not None else ())

    @property
    def held(self) -> tuple[Span, ...]:
        """What the memories rest on in the end: the last version on each path."""
        last = {version.path: version.sources for version in self.versions}
        return tuple(dict.fromkeys(span for sources in last.values() for span in sources))

    @property
    def asked(self) -> bool:
        """Whether passages were given to be read again."""
        return bool(self._wanted)

    def regained(self, item: Item) -> bool:
        """Whether an item is one that was forgotten and read again: it is not to go first."""
        one = Notes((item,))
        return any(one.keeps(lost) for wanted in self._wanted.values() for lost in wanted)

    @property
    def forgot(self) -> Forgotten | None:
        """How much was lost on the way; None where no notes were carried."""
        if not self._notes:
            return None
        facts = len(self.forgotten)
        if not self.asked:
            return Forgotten(facts, self.noted)
        back = sum(
            self._notes[path].keeps(item)
            for path, wanted in self._wanted.items()
            for item in wanted
            if path in self._notes
        )
        # What was read again may be lost again: then there are more losses than facts.
        return Forgotten(facts, max(facts, self.noted), back)
