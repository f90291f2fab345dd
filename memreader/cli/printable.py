"""Text from documents, models and servers, made safe for a terminal."""

from __future__ import annotations

import re
import sys

_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\Z)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """The text without escape sequences and control characters, which move a terminal's cursor,
    change its title or hide what was printed; tabs and line ends stay.
    """
    return _CONTROL.sub("", _SEQUENCE.sub("", text.replace("\r\n", "\n")))


def on_one_line(text: str) -> str:
    """The same on one line."""
    return " ".join(printable(text).split())


def say(text: str) -> None:
    """One line on standard error."""
    print(f"memreader: {on_one_line(text)}", file=sys.stderr)
