"""Atomic facts, scores and names, out of the lines that a model writes (steps 2 and 6)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from memreader.evidence import says_not_found
from memreader.memory.graph import key_of

LONGEST = 80
"""Characters of a key element; what is longer is a sentence, not a name."""
_NUMBERING = re.compile(r"^\s*(?:[-*•]+\s+|\(?\d{1,4}[.):]\)?\s+)+")
_BAR = re.compile(r"\s*[|｜]\s*")
_COMMA = re.compile(r"\s*[,;，、；]\s*")
_EDGES = " \t\"'`*_[]()“”«»「」.,;:。"


@dataclass(frozen=True, slots=True)
class Atomic:
    """A fact and its key elements, as the model wrote them."""

    text: str
    elements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Extracted:
    """What could be read of a reply, and the lines that could not."""

    facts: tuple[Atomic, ...]
    bad: tuple[str, ...]


def atomic_facts(told: str | list[Any]) -> Extracted:
    """Facts with at least one key element each; all other lines are bad."""
    facts, bad = dict[str, Atomic](), list[str]()
    if says_nothing(told):
        return Extracted((), ())
    for told_fact, elements, line in _rows(told):
        names = tuple(named(elements))
        fact = " ".join(told_fact.split())
        if fact and names:
            known = facts.get(fact, Atomic(fact, ()))
            facts[fact] = Atomic(fact, tuple(dict.fromkeys((*known.elements, *names))))
        else:
            bad.append(line)
    return Extracted(tuple(facts.values()), tuple(bad))


def says_nothing(told: object) -> bool:
    """Whether a reply says that a passage has no facts."""
    if isinstance(told, str):
        return says_not_found(told.strip(" -*.[]")) or told.strip(" -*.[]") == ""
    return told == []


def named(elements: Iterable[str]) -> Iterator[str]:
    """The names among key elements, each once, without quotation marks and white space."""
    seen: set[str] = set()
    for element in elements:
        name = " ".join(element.split()).strip(_EDGES)
        key = key_of(name)
        if key and len(name) <= LONGEST and key not in seen:
            seen.add(key)
            yield name


def _rows(told: str | list[Any]) -> Iterator[tuple[str, list[str], str]]:
    """Fact, elements and the line as it stands."""
    for item in told.splitlines() if isinstance(told, str) else told:
        if isinstance(item, Mapping):
            listed = item.get("elements", item.get("key_elements", []))
            fact = str(item.get("fact", item.get("atomic_fact", "")))
            several = listed if isinstance(listed, list) else _COMMA.split(str(listed))
            yield fact, list(map(str, several)), json.dumps(item, ensure_ascii=False)
            continue
        line = _NUMBERING.sub("", str(item)).strip().strip("|｜").strip()
        if not line or set(line) <= set("-=:|` "):  # blank, or a table's rule
            continue
        fact, *elements = _BAR.split(line)
        if len(elements) == 1:
            elements = _COMMA.split(elements[0])
        yield fact, elements, line


_SCORED = re.compile(
    r"^(?P<name>.+?)\s*(?:[|｜:：=–—-]|\s)\s*\(?(?:score\D*)?(?P<score>\d{1,3})\D*$"
)


def scored(told: str) -> list[tuple[str, int]]:
    """Names with their scores, 0 to 100, in the order of the lines; other lines are passed over."""
    found: list[tuple[str, int]] = []
    for line in told.splitlines():
        match = _SCORED.match(_NUMBERING.sub("", line).strip().strip("|｜").strip())
        if match is not None and int(match["score"]) <= 100:
            found.append((match["name"].strip(_EDGES + "|｜"), int(match["score"])))
    return found
