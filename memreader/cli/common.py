"""What several commands share: arguments, documents."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from memreader.cli.printable import say
from memreader.errors import ConfigurationError

if TYPE_CHECKING:
    from memreader.loaders.opening import Opened


def files_and_question(arguments: list[str]) -> tuple[list[str], str]:
    """The last argument is the question. Raises ConfigurationError where one is missing."""
    if len(arguments) < 2:
        only = arguments[0] if arguments else ""
        what = "a question" if only == "-" or os.path.exists(only) else "a file"
        raise ConfigurationError(
            f'Give at least one file and then the question: memreader ask report.pdf "Who signed '
            f'it?" ({what} is missing).'
        )
    *files, question = arguments
    if question and os.path.exists(question):  # Path.exists raises on names that are too long
        kind = "folder" if os.path.isdir(question) else "file"
        raise ConfigurationError(
            f"The last argument is the question, but {question!r} is a {kind}. "
            f'Put the question last: memreader ask {question} "..."'
        )
    return files, question


def files_and_questions(
    arguments: list[str], questions: Path | None
) -> tuple[list[str], list[str]]:
    """With a file of questions all arguments are files; else the last one is the question."""
    if questions is None:
        files, question = files_and_question(arguments)
        return files, [question]
    from memreader.cli.questions import questions_in

    return arguments, questions_in(questions)


def options_from(pairs: list[str] | None) -> dict[str, str]:
    """`-o KEY=VALUE` as a mapping."""
    options = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals:
            raise ConfigurationError(f"Option {pair!r} is not of the form KEY=VALUE.")
        options[key.strip().replace("-", "_")] = value
    return options


def opened_files(files: list[str]) -> Opened:
    """Open documents; files of a folder that cannot be read get a line on standard error each."""
    from memreader.loaders import open_documents

    found = open_documents(files)
    for skipped in found.skipped:
        say(f"skipped {skipped.path}: {skipped.reason}")
    return found
