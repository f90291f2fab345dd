"""A notebook that is written anew beside facts, so that each note keeps where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memreader.evidence import says_not_found
from memreader.memory.notes import KEPT, Item, Notes, holds

SHARE = 0.25
"""Share of a note's words that a fact has to hold for the note to rest on it: a note joins a few
facts, but "Origin: Debian" is no source of every note on Debian."""
MOST = 3
"""Facts that one note rests on, at most: the nearest."""


def rewritten(notes: Notes, told: str, facts: Sequence[Item]) -> Notes:
    """The notes after the model wrote them anew beside these facts; unchanged without any."""
    if says_not_found(told):
        return notes
    kept = notes.retold(told)
    return Notes(tuple(_sourced(item, notes, facts) for item in kept.items))


def _sourced(item: Item, before: Notes, facts: Sequence[Item]) -> Item:
    """A note with the places of the old notes that it repeats, and of the facts that it tells."""
    told = [
        (min(holds(fact.text, item.text), 2 * holds(item.text, fact.text)), fact)
        for fact in facts
        if holds(fact.text, item.text) >= KEPT and holds(item.text, fact.text) >= SHARE
    ]
    near = [fact for _, fact in sorted(told, key=lambda pair: -pair[0])[:MOST]]
    known = item.since if before.keeps(item) else None
    since = min((f.since for f in near), default=item.since) if known is None else known
    evidence = {e.span: e for source in (item, *near) for e in source.evidence}
    return replace(item, evidence=tuple(evidence.values()), since=since)
