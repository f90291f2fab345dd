"""Operations on numbered notes: the model proposes them, code applies them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from memreader.chunking import Chunk
from memreader.evidence import says_not_found
from memreader.memory.notes import Notes

_LINE = re.compile(
    # A figure after ADD is the line's number where a mark parts it from the fact, else of the fact.
    r"^[\s\-*•]*(?:(?P<op>REPLACE|KEEP|NO CHANGE)\b\s*(?:line\s*)?(?P<number>\d+)?"
    r"|ADD\b(?:\s*\d+\s*[:.)-](?=\s))?)\s*[:.)-]*\s*(?P<text>.*)$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Applied:
    """The notes after the changes, and the lines that could not be carried out."""

    notes: Notes
    dropped: tuple[str, ...] = ()


def numbered(notes: Notes) -> str:
    """The notes with the numbers that changes refer to."""
    return "\n".join(f"{i}. {item.text}" for i, item in enumerate(notes.items, start=1))


def applied(notes: Notes, changes: str, chunk: Chunk) -> Applied:
    """Carry out the lines one by one; a bad one is dropped, the rest holds.

    A line without an operation is taken as an addition: small models often leave the word out.
    """
    items = list(notes.items)
    dropped: list[str] = []
    for line in filter(None, map(str.strip, changes.splitlines())):
        match = _LINE.match(line)
        text = (match["text"] if match else line.lstrip("-*• ")).strip()
        operation = (match["op"] or "ADD").upper() if match else "ADD"
        nothing = operation == "ADD" and text and says_not_found(text)
        if nothing or operation in ("KEEP", "NO CHANGE"):
            continue
        number = int(match["number"]) if match and match["number"] else None
        if not text or (operation == "REPLACE" and not (number and 0 < number <= len(items))):
            dropped.append(line)
            continue
        item = Notes(tuple(items)).traced(text, chunk)
        if operation == "REPLACE" and number is not None:
            items[number - 1] = item
        elif not any(old.text == item.text for old in items):
            items.append(item)
    return Applied(Notes(tuple(items)), tuple(dropped))
