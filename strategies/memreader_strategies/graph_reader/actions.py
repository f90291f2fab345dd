"""Actions as models write them: a function's name and what stands in its brackets (step 7)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

READ_CHUNK = "read_chunk"
TO_NEIGHBOURS = "stop_and_read_neighbor"
SEARCH_MORE = "search_more"
PREVIOUS = "read_previous_chunk"
SUBSEQUENT = "read_subsequent_chunk"
TERMINATION = "termination"
READ_NEIGHBOUR = "read_neighbor_node"

AFTER_FACTS = (READ_CHUNK, TO_NEIGHBOURS)
AFTER_CHUNK = (SEARCH_MORE, PREVIOUS, SUBSEQUENT, TERMINATION)
AFTER_NODE = (READ_NEIGHBOUR, TERMINATION)

_SPELLINGS = {
    READ_CHUNK: r"read[\s_-]*(?:the[\s_-]*)?chunks?",
    TO_NEIGHBOURS: r"(?:stop[\s_-]*and[\s_-]*)?read[\s_-]*neighbou?rs?|stop",
    SEARCH_MORE: r"search[\s_-]*more|continue",
    PREVIOUS: r"read[\s_-]*(?:the[\s_-]*)?prev(?:ious)?[\s_-]*chunk",
    SUBSEQUENT: r"read[\s_-]*(?:the[\s_-]*)?(?:subsequent|next)[\s_-]*chunk",
    TERMINATION: r"terminat(?:ion|e)|finish",
    READ_NEIGHBOUR: r"read[\s_-]*neighbou?r(?:[\s_-]*node)?",
}
_EDGES = " \t\n\"'`*_[](){}<>“”«»「」.;:：。"


@dataclass(frozen=True, slots=True)
class Action:
    """A function and the text of its argument."""

    name: str
    argument: str = ""

    @property
    def numbers(self) -> list[int]:
        """The numbers in the argument, each once: `[3, "4"]`, `3 and 4`, `"3"`."""
        return list(dict.fromkeys(map(int, re.findall(r"\d{1,9}", self.argument))))

    def __str__(self) -> str:
        return f"{self.name}({self.argument})"


def action(told: str, allowed: Sequence[str]) -> Action | None:
    """The first function among the allowed ones that a text names; None where it names none.

    Case, underscores, quotation marks and brackets may be missing or too many. A bare list of
    numbers, where chunks may be read, reads them.
    """
    hits = [(m.start(), m.end(), name) for name in allowed if (m := _found(name, told)) is not None]
    if hits:
        _, end, name = min(hits)
        return Action(name, _argument(told[end:]))
    bare = told.strip(_EDGES)
    if READ_CHUNK in allowed and re.fullmatch(r"\d+(?:\W+(?:and\W+)?\d+)*", bare):
        return Action(READ_CHUNK, bare)
    return None


def _found(name: str, told: str) -> re.Match[str] | None:
    return re.search(rf"(?<![^\W_])(?:{_SPELLINGS[name]})(?![^\W_])", told, re.IGNORECASE)


def _argument(rest: str) -> str:
    """What stands in brackets, else the rest of the line."""
    line = rest.strip().split("\n", 1)[0].lstrip(_EDGES.replace("(", ""))
    if line.startswith("(") and ")" in line:
        line = line[1 : line.rindex(")")]
    return line.strip(_EDGES)
