"""Text from documents, models and servers, made safe for a terminal."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

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


def json_text(value: Any, *, indent: int | None = None) -> str:
    """JSON for standard output, its letters written as they are where that can hold them all."""
    plain = (sys.stdout.encoding or "").lower().replace("-", "") not in ("utf8", "utf16", "utf32")
    return json.dumps(value, ensure_ascii=plain, indent=indent)


def say(text: str) -> None:
    """One line on standard error."""
    print(f"memreader: {on_one_line(text)}", file=sys.stderr)
