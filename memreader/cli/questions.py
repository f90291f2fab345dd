"""`-Q questions.txt`: several questions in one go."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memreader.cli.codes import COMPLETE, INTERRUPTED, PARTIAL, UNVERIFIED, code_of
from memreader.cli.output import cited, coverage_line, problems, said, spend_line
from memreader.cli.printable import json_text, on_one_line, printable, say
from memreader.errors import ConfigurationError

if TYPE_CHECKING:
    from memreader.llm.base import Model
    from memreader.questions import Asked

_BETTER_FIRST = (COMPLETE, UNVERIFIED, PARTIAL, INTERRUPTED)
"""All other codes are errors, and worse."""


def questions_in(path: Path) -> list[str]:
    """The questions of a file, each once. Raises ConfigurationError where there are none."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The questions in {path} cannot be read: "
            f"{getattr(error, 'strerror', None) or error}. Give a text file in UTF-8."
        ) from error
    lines = (line.strip() for line in text.splitlines())
    found = list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))
    if not found:
        raise ConfigurationError(f"{path} holds no question. Write one question a line.")
    return found


def show_all(asked: Sequence[Asked], form: str, loud: str, model: Model) -> None:
    """Print what became of each question: numbered text, or one JSON object a line."""
    for number, one in enumerate(asked, start=1):
        if form == "json":
            print(json_text(_json(one)))
        elif form == "text":
            _show(number, one)
        sys.stdout.flush()
        _tell(number, one, loud, model)


def worst(asked: Sequence[Asked], *, strict: bool) -> int:
    """The exit code of the question that went worst."""
    codes = [code_of(one.answer, strict=strict) for one in asked if one.answer is not None]
    codes += [one.error.exit_code for one in asked if one.error is not None]
    return max(codes, key=_badness, default=COMPLETE)


def _badness(code: int) -> int:
    return _BETTER_FIRST.index(code) if code in _BETTER_FIRST else len(_BETTER_FIRST)


def _json(one: Asked) -> dict[str, Any]:
    told = {"error": str(one.error)} if one.answer is None else one.answer.to_json()
    return {"question": one.question, **told}


def _show(number: int, one: Asked) -> None:
    print(f"{'' if number == 1 else chr(10)}{number}. {on_one_line(one.question)}\n")
    if one.answer is None:
        print("No answer: an error.")
        return
    print(printable(said(one.answer)))
    for place, citation in enumerate(one.answer.citations, start=1):
        print(f"\n  [{place}] {cited(citation)}")


def _tell(number: int, one: Asked, loud: str, model: Model) -> None:
    """Coverage and spend, or the error, of one question on standard error."""
    if one.answer is None:
        say(f"question {number}: {one.error}")
    elif loud != "quiet":
        notes = one.answer.notes if loud == "verbose" else ()
        spent = spend_line(one.answer, model)
        for line in (*notes, *problems(one.answer), coverage_line(one.answer), spent):
            say(f"question {number}: {line}")
