"""What the simulated model answers: in the form that its prompt asks for, mostly nothing.

Every reply carries its call's number, `(call 17)`. A later prompt that shows it depends on that
call: so the ideal schedule of any client is known without knowing its algorithm.
"""

from __future__ import annotations

import re

from benchmarks.latency import tokens_of
from benchmarks.text import NEEDLE

_CALL = re.compile(r"\(call (\d+)\)")
_NEEDLE = re.compile(re.escape(NEEDLE) + r" [^.\n]*\.")
_CONTRACT = re.compile(r"and nothing else:\n((?:[A-Z][\w ]*: .*\n?)+)")
NOTHING = "[NO INFORMATION]"


def needs_of(prompt: str) -> tuple[int, ...]:
    """Numbers of the calls whose replies a prompt shows."""
    return tuple(sorted({int(number) for number in _CALL.findall(prompt)}))


def reply_to(prompt: str, number: int) -> str:
    """The reply to a prompt, which is the call of this number."""
    found = _NEEDLE.search(prompt)
    quote = found.group() if found else ""
    contract = _CONTRACT.search(prompt)
    if contract:
        return _labelled(contract.group(1), quote, number)
    if not quote and not _CALL.search(prompt):
        return f"{NOTHING} This passage does not say who trims the lamp (call {number})."
    return f"{quote or 'The keeper is named in the parts above.'} So it stands (call {number})."


def _labelled(contract: str, quote: str, number: int) -> str:
    labels = [line.partition(":")[0] for line in contract.splitlines() if line.strip()]
    return "\n".join(f"{label}: {_section(label, quote, number)}" for label in labels)


def _section(label: str, quote: str, number: int) -> str:
    if label.startswith("Extracted"):
        return f"\n- {quote}" if quote else "none"
    if label.startswith("Confidence"):
        return "4.5" if quote else "1"
    if label in ("Rationale", "Reasoning"):
        said = "It stands there in so many words" if quote else "Nothing here speaks of it"
        return f"{said} (call {number})."
    return quote or NOTHING


def size_of(prompt: str, reply: str) -> tuple[int, int]:
    """Tokens of a prompt, chat template included, and of its reply."""
    return tokens_of(prompt) + 8, tokens_of(reply)
