"""Key elements that mean the same though they are written otherwise (step 3).

After Lu et al. (2023, InsTag), as the paper does, but without what needs a corpus: no frequency
floor, no merging by association. What `key_of` normalises needs nothing from here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from memreader.memory.embedding import Vector, cosine
from memreader.memory.graph import Fact, key_of
from memreader.search import Search
from memreader.words import IS_CJK

# "bail du port", "king of Spain": what the name is about stands before them.
_OF = frozenset("of de du des d del della do da von vom".split())
_FIGURES = re.compile(r"\d+")


def head_noun(key: str) -> str:
    """The word that a normalised name is about; of a CJK name its last two characters."""
    words = key.split()
    before = next((i for i, word in enumerate(words) if i and word in _OF), len(words))
    head = words[before - 1] if words else ""
    return head[-2:] if IS_CJK.search(head) else head


async def merged(facts: Sequence[Fact], search: Search, similarity: float) -> list[Fact]:
    """The facts, with pairs of names that mean one node; the commoner name is the proper one.

    Names are compared within one head noun, and never across different figures: "version 1" and
    "version 2" are near neighbours to any embedding.
    """
    counts = Counter(name for fact in facts for name in fact.nodes)
    names: dict[str, str] = {}
    for name, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])):
        names.setdefault(key_of(name), name)
    groups: dict[tuple[str, ...], list[str]] = {}
    for key in names:
        groups.setdefault((head_noun(key), *_FIGURES.findall(key)), []).append(key)
    wanted = [key for group in groups.values() if len(group) > 1 for key in group]
    vectors = dict(zip(wanted, await search.embed([names[k] for k in wanted]), strict=True))
    proper: dict[str, str] = {}
    for group in groups.values():
        if len(group) > 1:
            proper |= _led(group, vectors, similarity)
    return [_said(fact, names, proper) for fact in facts]


def _led(group: Sequence[str], vectors: Mapping[str, Vector], similarity: float) -> dict[str, str]:
    """Each key with the first commoner one that is near: so that no chain of likenesses forms."""
    leaders: list[str] = []
    led: dict[str, str] = {}
    for key in group:
        near = (lead for lead in leaders if cosine(vectors[key], vectors[lead]) >= similarity)
        leader = next(near, None)
        if leader is None:
            leaders.append(key)
        else:
            led[key] = leader
    return led


def _said(fact: Fact, names: Mapping[str, str], proper: Mapping[str, str]) -> Fact:
    pairs = [(n, names[proper[key_of(n)]]) for n in fact.nodes if key_of(n) in proper]
    return replace(fact, same=tuple(pairs)) if pairs else fact
