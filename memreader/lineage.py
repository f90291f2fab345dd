"""The lives of the items of a memory: first noted, rewritten, dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from memreader.history import History, Past
from memreader.memory.notes import KEPT, Item, holds

Happened = Literal["noted", "rewritten", "dropped"]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened to an item at a version."""

    happened: Happened
    past: Past
    item: Item


@dataclass(frozen=True, slots=True)
class Life:
    """An item through all its words, from its first noting on."""

    steps: tuple[Step, ...]

    @property
    def item(self) -> Item:
        """The item as it was last."""
        return self.steps[-1].item

    @property
    def dropped(self) -> bool:
        """Whether it is gone from the last memory."""
        return self.steps[-1].happened == "dropped"


def lives(history: History) -> list[Life]:
    """The lives of all items, in the order in which they were first noted."""
    ended: list[list[Step]] = []
    alive: dict[str, list[list[Step]]] = {}
    for past in history.past:
        here = alive.setdefault(past.version.path, [])
        changed = history.step(past)
        heirs: dict[str, list[Item]] = {}
        for old, new in changed.replaced:
            heirs.setdefault(old.text, []).append(new)
        gone = {item.text for item in changed.dropped}
        on: list[list[Step]] = []
        for life in here:
            text = life[-1].item.text
            if text in gone:
                ended.append([*life, Step("dropped", past, life[-1].item)])
            elif text in heirs:
                on += [[*life, Step("rewritten", past, heir)] for heir in heirs[text]]
            else:
                on.append(life)
        for item in changed.added:
            life = [Step("noted", past, item)]
            if item.text in gone:
                ended.append([*life, Step("dropped", past, item)])
            else:
                on.append(life)
        alive[past.version.path] = on
    every = [*ended, *(life for path in alive.values() for life in path)]
    return [Life(tuple(steps)) for steps in sorted(every, key=lambda s: s[0].past.number)]


def blamed(history: History, text: str) -> list[Life]:
    """The lives of the items that hold a text word for word; else of those that are like it."""
    every = lives(history)
    wanted = _squeezed(text)
    exact = [life for life in every if any(wanted in _squeezed(s.item.text) for s in life.steps)]
    if exact or not wanted:
        return exact
    scored = [(max(holds(text, s.item.text) for s in life.steps), life) for life in every]
    near = [(score, life) for score, life in scored if score >= KEPT]
    return [life for _, life in sorted(near, key=lambda pair: -pair[0])]


def _squeezed(text: str) -> str:
    return " ".join(text.split()).casefold()
