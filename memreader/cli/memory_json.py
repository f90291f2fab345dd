"""A memory's history as JSON: what `memreader memory --json` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memreader.history import History, Past
    from memreader.lineage import Life
    from memreader.memory.changes import Changes
    from memreader.memory.notes import Item

Json = dict[str, Any]


def about(past: Past) -> Json:
    """A version, without what it holds."""
    return {
        "version": past.number,
        "chunk": past.chunk,
        "pages": past.pages,
        "path": past.version.path,
        "read_again": past.version.again,
    }


def counts(step: Changes) -> Json:
    """How many items a version added, dropped and replaced."""
    return {
        "added": len(step.added),
        "dropped": len(step.dropped),
        "replaced": len(step.replaced),
    }


def item(history: History, item: Item) -> Json:
    """An item and its places."""
    return {"text": item.text, "places": [asdict(place) for place in history.cited(item)]}


def items(history: History, several: Sequence[Item]) -> list[Json]:
    """Items and their places."""
    return [item(history, one) for one in several]


def changes(history: History, changed: Changes) -> Json:
    """What a version added, dropped and replaced."""
    pairs = [{"old": item(history, o), "new": item(history, n)} for o, n in changed.replaced]
    return {
        "added": items(history, changed.added),
        "dropped": items(history, changed.dropped),
        "replaced": pairs,
    }


def life(history: History, life: Life) -> Json:
    """What became of an item."""
    steps = [{"happened": s.happened, **about(s.past), **item(history, s.item)} for s in life.steps]
    return {"text": life.item.text, "dropped": life.dropped, "steps": steps}
