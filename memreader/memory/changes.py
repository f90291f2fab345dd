"""What changed between two memories, item by item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memreader.memory.notes import KEPT, Item, Notes, holds


@dataclass(frozen=True, slots=True)
class Changes:
    """Items that came, went or were rewritten; all others stand word for word in both."""

    added: tuple[Item, ...] = ()
    dropped: tuple[Item, ...] = ()
    replaced: tuple[tuple[Item, Item], ...] = ()
    """Old and new: the same matter in other words or with other figures. An old item that was
    parted stands here once for each of its parts."""

    def __bool__(self) -> bool:
        return bool(self.added or self.dropped or self.replaced)


def changes(before: Sequence[Item], after: Sequence[Item]) -> Changes:
    """What became of the items of a memory in a later one."""
    same = {item.text for item in before} & {item.text for item in after}
    gone = [item for item in before if item.text not in same]
    new = [item for item in after if item.text not in same]
    dropped = Notes(tuple(gone)).forgotten(Notes(tuple(after)))
    living = [item for item in gone if item not in dropped]
    replaced = [(old, _successor(old, new) or _successor(old, after)) for old in living]
    pairs = [(old, now) for old, now in replaced if now is not None]
    taken = {now.text for _, now in pairs}
    parts = [(_origin(item, living), item) for item in new if item.text not in taken]
    pairs += [(old, now) for old, now in parts if old is not None]
    added = tuple(now for old, now in parts if old is None)
    return Changes(added, dropped, tuple(pairs))


def _successor(old: Item, later: Sequence[Item]) -> Item | None:
    """The later item in which an old one lives on, or which corrects it."""
    heirs = [i for i in later if Notes((i,)).keeps(old) or Notes((i,)).corrects(old)]
    return max(heirs, key=lambda item: holds(old.text, item.text), default=None)


def _origin(new: Item, earlier: Sequence[Item]) -> Item | None:
    """The rewritten item of which a new one is a part."""
    best = max(earlier, key=lambda item: holds(new.text, item.text), default=None)
    return best if best is not None and holds(new.text, best.text) >= KEPT else None
