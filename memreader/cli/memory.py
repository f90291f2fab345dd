"""`memreader memory`: what a reading knew, when, and where from."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memreader.cli import memory_json
from memreader.cli.memory_json import Json
from memreader.cli.printable import json_text, printable
from memreader.errors import ConfigurationError

if TYPE_CHECKING:
    from memreader.answer import Citation
    from memreader.history import History, Past
    from memreader.journal import Journal
    from memreader.lineage import Life
    from memreader.memory.changes import Changes
    from memreader.memory.notes import Item

Told = tuple[Any, list[str]]
"""What a verb has to say: as JSON, and as lines."""
MOST_ALIKE = 4
"""Versions in a row that the log lists although nothing changed in them."""
WIDEST = 72
"""Characters of an item in a line of the log."""


def memory(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="runs | RUN log | RUN show K | RUN diff J K | RUN blame TEXT",
            help="RUN is an id, its beginning, or `last`; K is a version, or @37 for chunk 37.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a reading had in memory after each chunk, where from, and what it dropped."""
    from memreader.history import load
    from memreader.journal import Journal
    from memreader.settings import home

    journal = Journal(home().data / "journal.sqlite")
    run, *rest = arguments
    if run == "runs":
        told = _runs(journal)
    else:
        verb, words = _verb(rest)
        told = verb(load(journal, run), words)
    if as_json:
        typer.echo(json_text(told[0], indent=2))
    else:
        typer.echo(printable("\n".join(told[1])))


def _verb(words: list[str]) -> tuple[Callable[[History, list[str]], Told], list[str]]:
    """The verb and its arguments. Raises ConfigurationError where they do not fit."""
    verbs = {"log": (_log, 0, ""), "show": (_show, 1, " K"), "diff": (_diff, 2, " J K"),
             "blame": (_blame, 1, ' "text"')}  # fmt: skip
    usage = ", ".join(f"{name}{given}" for name, (_, _, given) in verbs.items())
    name, *given = words or [""]
    if name not in verbs:
        what = f"There is no `{name}` of a run's memory" if name else "A verb is missing"
        raise ConfigurationError(
            f"{what}. There are: {usage} (memreader memory RUN log); and `memreader memory runs`."
        )
    verb, wanted, _ = verbs[name]
    if len(given) != wanted:
        raise ConfigurationError(
            f"`{name}` takes {wanted or 'no'} argument{'s' * (wanted != 1)}, not {len(given)}. "
            f"There are: {usage}."
        )
    return verb, given


def _runs(journal: Journal) -> Told:
    import time

    rows: list[Json] = []
    lines: list[str] = []
    for reading in journal.memories.readings():
        about = json.loads(reading.told)
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(reading.began))
        rows.append(
            {
                "run": reading.run,
                "began": when,
                "state": reading.state,
                "strategy": about["strategy"],
                "question": about["question"],
                "documents": list(about["documents"].values()),
                "versions": reading.versions,
            }
        )
        lines.append(
            f"{reading.run}  {when}  {about['strategy']:16}  {reading.versions:,} versions  "
            f"{about['question']}"
        )
    return rows, lines or ["No run has a history yet."]


# --- the verbs -------------------------------------------------------------------------------


def _log(history: History, _: list[str]) -> Told:
    steps = [(past, history.step(past)) for past in history.past]
    rows = [
        {
            **memory_json.about(past),
            **memory_json.counts(step),
            "changes": memory_json.changes(history, step),
        }
        for past, step in steps
    ]
    width = max(len(_when(history, past)) for past in history.past)
    lines: list[str] = []
    for changed, group in groupby(steps, key=lambda s: next(_marked(s[1]), None) is not None):
        alike = [_logged(history, past, step, width) for past, step in group]
        if not changed and len(alike) > MOST_ALIKE:
            between = f"      ... nothing changed in {len(alike) - 2:,} more versions ..."
            alike = [alike[0], between, alike[-1]]
        lines += alike
    return rows, lines


def _logged(history: History, past: Past, step: Changes, width: int) -> str:
    mark, first = next(_marked(step), (" ", None))
    counts = f"+{len(step.added)} -{len(step.dropped)} ~{len(step.replaced)}"
    said = f"{mark} {_short(first.text)}" if first is not None else "  nothing changed"
    return f"{past.number:>4}  {_when(history, past):<{width}}  {counts:<10}  {said}"


def _show(history: History, words: list[str]) -> Told:
    rows: list[Json] = []
    lines: list[str] = []
    for past in _meant(history, words[0]):
        rows.append(
            {**memory_json.about(past), "items": [memory_json.item(history, i) for i in past.items]}
        )
        lines.append(f"Version {past.number}, {_when(history, past)}:")
        for number, item in enumerate(past.items, start=1):
            lines += [f"{number:>3}. {item.text}", *_where(history, item)]
        if not past.items:
            lines.append("     Nothing was noted yet.")
        if not past.version.items and past.version.sources:
            lines.append("     resting on:")
            lines += [f"     {_place(history.places[s])}" for s in past.version.sources]
    return (rows[0] if len(rows) == 1 else rows), lines


def _diff(history: History, words: list[str]) -> Told:
    from memreader.memory.changes import changes

    before, after = (_one(history, word) for word in words)
    changed = changes(before.items, after.items)
    lines: list[str] = []
    for old, new in changed.replaced:
        lines += [f"- {old.text}", *_where(history, old), f"+ {new.text}", *_where(history, new)]
    for mark, items in (("-", changed.dropped), ("+", changed.added)):
        for item in items:
            lines += [f"{mark} {item.text}", *_where(history, item)]
    told = {
        "from": memory_json.about(before),
        "to": memory_json.about(after),
        **memory_json.changes(history, changed),
    }
    return told, lines or [f"Versions {before.number} and {after.number} hold the same."]


def _blame(history: History, words: list[str]) -> Told:
    from memreader.lineage import blamed

    found = blamed(history, words[0])
    if not found:
        raise ConfigurationError(
            f"Nothing like {words[0]!r} was ever noted in run {history.run}. "
            f"See what was: memreader memory {history.run} log"
        )
    lines: list[str] = []
    for life in found:
        lines += [f"“{_squeezed(life.item.text)}”", *_lived(history, life)]
    return [memory_json.life(history, life) for life in found], lines


def _lived(history: History, life: Life) -> list[str]:
    names = {"noted": "first noted", "rewritten": "rewritten", "dropped": "dropped"}
    lines: list[str] = []
    for step in life.steps:
        when = f"version {step.past.number}, {_when(history, step.past)}"
        lines.append(f"  {names[step.happened]} in {when}")
        if step.happened == "rewritten":
            lines.append(f"      {step.item.text}")
        if step.happened != "dropped":
            lines += _where(history, step.item, quoted=True)
    if not life.dropped:
        lines.append(f"  still there in the last of {len(history.past):,} versions")
    return lines


# --- what is meant ---------------------------------------------------------------------------


def _meant(history: History, word: str) -> list[Past]:
    """The version with this number, or what was known after chunk `@N`."""
    number = word.removeprefix("@")
    if not number.isdecimal():
        raise ConfigurationError(
            f"{word!r} is no version. Give a number from 1 to {len(history.past):,}, or @37 for "
            f"what was known after chunk 37."
        )
    return history.after(int(number)) if word.startswith("@") else [history.at(int(number))]


def _one(history: History, word: str) -> Past:
    found = _meant(history, word)
    if len(found) > 1:
        numbers = ", ".join(str(past.number) for past in found)
        raise ConfigurationError(
            f"After chunk {word[1:]} there were {len(found)} memories side by side: name one of "
            f"the versions {numbers}."
        )
    return found[0]


# --- how it is said --------------------------------------------------------------------------


def _when(history: History, past: Past) -> str:
    """Chunk and pages, or what else the version belongs to."""
    told = f"after chunk {past.chunk}"
    if past.chunk is None:
        alike = (p for p in reversed(history.past) if p.version.path == past.version.path)
        told = "at the end" if next(alike) is past else "on the way"
    if past.pages is not None:
        first, last = past.pages
        told += f" (page {first})" if first == last else f" (pages {first}-{last})"
    told += ", read again" if past.version.again else ""
    return f"{told}, {past.version.path}" if past.version.path else told


def _where(history: History, item: Item, *, quoted: bool = False) -> list[str]:
    places = history.cited(item)
    lines = [f"      {_place(place)}" + (f": “{_squeezed(place.quote)}”" if quoted else "")
             for place in places]  # fmt: skip
    return lines or (["      no place was found for it"] if not item.sources else [])


def _place(place: Citation) -> str:
    page = "" if place.page is None else f", page {place.page}"
    if place.page is not None and place.page_label not in (None, str(place.page)):
        page += f" (printed {place.page_label})"
    return f"{place.document}{page}"


def _marked(step: Changes) -> Any:
    yield from (("+", item) for item in step.added)
    yield from (("~", new) for _, new in step.replaced)
    yield from (("-", item) for item in step.dropped)


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _short(text: str) -> str:
    text = _squeezed(text)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
