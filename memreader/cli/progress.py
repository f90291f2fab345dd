"""The live display on a terminal; the event stream for `--jsonl`; lines for `-v`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from memreader import events
from memreader.cli.printable import json_text, on_one_line, say

if TYPE_CHECKING:
    from memreader.llm.base import Model

Listener = Callable[[str, events.Event], None]
"""Takes a question and an event of its reading."""


@contextmanager
def listening(
    form: str, loud: str, model: Model, *, questions: int | None = None
) -> Iterator[Listener]:
    """A listener for this form of output; of so many questions, each event says which is meant."""
    listeners: list[Listener] = []
    if form == "jsonl":
        listeners.append(_print_jsonl if questions is None else _print_jsonl_of_each)
    if loud == "verbose":
        listeners.append(_print_line if questions is None else _print_line_of_each)
    if loud == "normal" and sys.stderr.isatty():
        with _Display(model, questions or 1) as display:
            yield _all([*listeners, display.take])
        return
    yield _all(listeners)


def _all(listeners: list[Listener]) -> Listener:
    def take(question: str, event: events.Event) -> None:
        for listener in listeners:
            listener(question, event)

    return take


def _print_jsonl(_: str, event: events.Event) -> None:
    print(json_text(events.event_json(event)), flush=True)


def _print_jsonl_of_each(question: str, event: events.Event) -> None:
    told = {"question": question, **events.event_json(event)}
    print(json_text(told), flush=True)


def _print_line_of_each(question: str, event: events.Event) -> None:
    print(f"memreader: {question}", end=" ", file=sys.stderr)
    _print_line(question, event)


def _print_line(_: str, event: events.Event) -> None:
    fields = {k: v for k, v in events.event_json(event).items() if k not in ("event", "answer")}
    number, at = fields.pop("number"), fields.pop("at")
    told = " ".join(f"{k}={v}" for k, v in fields.items() if v not in ((), None, ""))
    say(f"{at:7.2f} s #{number} {event.kind} {told}")


class _Display:
    """One line that lives: chunks read, calls, tokens, money, time left."""

    def __init__(self, model: Model, questions: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._model, self._questions = model, questions
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[told]}"),
            TimeRemainingColumn(compact=True),
            console=Console(stderr=True),
            transient=True,
            expand=True,
            speed_estimate_period=600,  # seconds; a call to a small local model may take one minute
        )
        self._task = self._progress.add_task("reading", total=None, told="")
        self._read: set[tuple[str, int]] = set()
        self._indexed: set[tuple[str, int]] = set()
        self._indexing = False
        self._chunks: dict[str, int | None] = {}
        self._about: dict[str, str] = {}
        self._calls = self._tokens = 0
        self._usd: float | None = 0.0

    def __enter__(self) -> _Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def take(self, question: str, event: events.Event) -> None:
        """Show an event."""
        match event:
            case events.ChunkMade():
                self._expect(question, event.expected, "about ")
            case events.ChunksMade():
                self._expect(question, event.chunks, "")
            case events.CallFinished():
                self._count(question, event)
            case events.AttemptFailed():
                self._progress.console.print(
                    f"memreader: {on_one_line(event.reason)} (trying again)",
                    style="dim",
                    markup=False,
                )

    def _count(self, question: str, event: events.CallFinished) -> None:
        self._indexing = event.for_index
        shown = self._indexed if event.for_index else self._read
        shown.update((question, index) for index in event.sources)
        if not event.from_journal:
            self._calls += 1
            self._tokens += event.input_tokens + event.output_tokens
        if event.cost_usd is None:
            self._usd = None
        elif self._usd is not None:
            self._usd += event.cost_usd
        self._show()

    def _expect(self, question: str, chunks: int | None, about: str) -> None:
        """How many chunks there are to read for a question, as far as it is known."""
        self._chunks[question], self._about[question] = chunks, about
        self._show()

    def _show(self) -> None:
        read, of = len(self._indexed if self._indexing else self._read), ""
        chunks = sum(n or 0 for n in self._chunks.values())
        if chunks and None not in self._chunks.values():
            begun = len(self._chunks)
            chunks = round(chunks * self._questions / begun)  # those to come are like those begun
            about = "about " if begun < self._questions else max(self._about.values())
            of = f" of {about}{chunks:,}"
            # A share, since rich forgets the speed whenever the total changes.
            self._progress.update(self._task, total=1.0, completed=read / chunks)
        price = self._model.price
        free = price is not None and not (price.input or price.output)
        money = "price unknown" if self._usd is None else f"${self._usd:,.4f}"
        told = [
            f"{read:,}{of} chunks{' indexed' if self._indexing else ''}",
            f"{self._calls:,} {'call' if self._calls == 1 else 'calls'}",
            f"{self._tokens:,} tokens",
            "$0" if free else money,
        ]
        self._progress.update(self._task, told=" · ".join(told))
