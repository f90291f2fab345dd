"""Exit codes (DESIGN.md, section 5); those of errors stand on the errors themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memreader.answer import Answer

COMPLETE = 0
ERROR = 1
USAGE = 2
PARTIAL = 3
UNVERIFIED = 4
UNREADABLE = 5
UNREACHABLE = 6
INTERRUPTED = 130

_CHECKED = ("exact", "normalised", "fuzzy")


def code_of(answer: Answer, *, strict: bool) -> int:
    """The exit code of an answer. `not_found` is an answer too: 0."""
    if answer.stopped == "interrupted":
        return INTERRUPTED
    if answer.status == "partial":
        return PARTIAL
    if strict and answer.status == "complete" and not _verified(answer):
        return UNVERIFIED
    return COMPLETE


def _verified(answer: Answer) -> bool:
    """Whether there are citations, all of them quotes found in the source."""
    return bool(answer.citations) and all(c.verified in _CHECKED for c in answer.citations)
