"""`memreader ask FILE... "question"`, and with `-Q` several questions at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memreader.cli.common import files_and_questions, opened_files, options_from
from memreader.cli.printable import say

if TYPE_CHECKING:
    from memreader.events import Event
    from memreader.llm.base import Model
    from memreader.loaders.opening import Opened
    from memreader.questions import Asked
    from memreader.reader import Reader
    from memreader.session import Control
    from memreader.settings import Settings


def ask(  # noqa: PLR0913, PLR0917 - one argument for each flag
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE... QUESTION",
            help="Files or folders, or - for standard input; the question comes last.",
        ),
    ],
    questions: Annotated[
        Path | None,
        typer.Option(
            "-Q",
            "--questions",
            help="Ask each line of this file, side by side; caps hold for all of them together.",
        ),
    ] = None,
    strategy: Annotated[str | None, typer.Option("-s", "--strategy", help="How to read.")] = None,
    model: Annotated[
        str | None, typer.Option("-m", "--model", help="provider:model, or local.")
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("-o", "--option", metavar="KEY=VALUE", help="An option of the strategy."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    as_jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print the events as they happen, one a line.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Nothing on standard error but errors.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Each call and decision on standard error.")
    ] = False,
    max_cost: Annotated[float | None, typer.Option(help="Cap in US dollars.")] = None,
    max_calls: Annotated[int | None, typer.Option(help="Cap on model calls.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Cap on tokens, in and out.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="Cap on seconds.")] = None,
    window: Annotated[int | None, typer.Option(help="Tokens of the model's window.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Calls in flight at most.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds to wait for a reply.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the stopped run with a fresh budget.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ignore the journal.")] = False,
    rescue: Annotated[
        bool, typer.Option("--rescue", help="Read again what the memory forgot, then answer.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 unless all citations are verified.")
    ] = False,
    probe: Annotated[
        bool | None, typer.Option("--probe/--no-probe", help="Probe a new endpoint first.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("-y", "--yes", help="Do not ask before spending over one dollar.")
    ] = False,
) -> int:
    """Answer a question about documents, with quotes and pages."""
    import asyncio

    import anyio

    from memreader.cli.codes import INTERRUPTED, UNVERIFIED
    from memreader.cli.questions import worst
    from memreader.settings import resolve

    files, asked = files_and_questions(arguments, questions)
    settings = resolve(
        {
            "strategy": strategy,
            "model": model,
            "max_cost": max_cost,
            "max_calls": max_calls,
            "max_tokens": max_tokens,
            "max_seconds": max_seconds,
            "window": window,
            "concurrency": concurrency,
            "timeout": timeout,
            "probe": probe,
        }
    )
    asking = _Asking(
        opened_files(files), asked, settings, options_from(option), several=questions is not None,
        resume=resume, fresh=fresh, yes=yes, rescue=rescue,
        form="jsonl" if as_jsonl else "json" if as_json else "text",
        loud="quiet" if quiet else "verbose" if verbose else "normal",
    )  # fmt: skip
    try:
        code = worst(anyio.run(asking.run), strict=strict)
    except asyncio.CancelledError:
        say("stopped at once; what is finished is kept, and the same command continues.")
        return INTERRUPTED
    if code == UNVERIFIED:
        say("--strict: not every citation is a quote that stands in the source word for word.")
    return code


@dataclass(frozen=True, slots=True)
class _Asking:
    """One `ask` from settings to printed answer."""

    documents: Opened
    """Opened outside of the event loop, in which a Ctrl-C would wait for a pipe's next byte."""
    questions: list[str]
    settings: Settings
    options: dict[str, str]
    several: bool
    """Whether the questions came from a file."""
    resume: bool
    fresh: bool
    yes: bool
    rescue: bool
    form: str
    loud: str

    async def run(self) -> list[Asked]:
        """Open everything, read under signal handling, print."""
        from memreader.api import model_settings, spec
        from memreader.cli.output import show_answer
        from memreader.cli.progress import listening
        from memreader.cli.questions import show_all
        from memreader.llm.registry import open_model

        documents = self.documents
        name = spec(self.settings)
        if self.settings.model is None and self.loud != "quiet":
            say(f"No model is set; using the embedded one ({name}).")
        async with open_model(name, model_settings(self.settings)) as model:
            for remark in model.remarks if self.loud != "quiet" else ():
                say(remark)
            reader = self._reader(model)
            self._confirm_price(reader, model, documents)
            number = len(self.questions) if self.several else None
            with listening(self.form, self.loud, model, questions=number) as listener:
                asked = await self._interruptible(reader, documents, listener)
        if self.several:
            show_all(asked, self.form, self.loud, model)
        elif asked[0].answer is not None:
            show_answer(asked[0].answer, self.form, self.loud, model)
        return asked

    def _reader(self, model: Model) -> Reader:
        from memreader.api import limits
        from memreader.reader import Reader
        from memreader.reranking import open_reranker
        from memreader.session import Resumption
        from memreader.settings import home
        from memreader.stores import Stores

        current = self.settings
        return Reader(
            model,
            current.strategy,
            {**current.options.get(current.strategy, {}), **self.options},
            limits(current),
            Stores(home().data),
            Resumption(fresh=self.fresh, new_budget=self.resume),
            current.probe,
            self.rescue,
            reranker=open_reranker(current.reranker) if current.reranker else None,
        )

    async def _interruptible(
        self, reader: Reader, documents: Opened, listener: Callable[[str, Event], None]
    ) -> list[Asked]:
        from memreader.questions import Asked
        from memreader.session import Control

        control = Control()
        with _signals(control, quiet=self.loud == "quiet"):
            if self.several:
                return await reader.aask_all(
                    documents, self.questions, on_event=listener, control=control
                )
            (question,) = self.questions
            one = partial(listener, question)
            answer = await reader.aask(documents, question, on_event=one, control=control)
            return [Asked(question, answer)]

    def _confirm_price(self, reader: Reader, model: Model, documents: Opened) -> None:
        """Ask before spending over a dollar (DESIGN.md, section 6: Money)."""
        from memreader.cli.money import confirm

        if model.price is not None and not (model.price.input or model.price.output):
            return
        confirm(
            reader, model, documents, self.questions, max_cost=self.settings.max_cost, yes=self.yes
        )


@contextmanager
def _signals(control: Control, *, quiet: bool) -> Iterator[None]:
    """First Ctrl-C: no further call, partial answer. Second: stop at once."""
    import asyncio
    import signal

    loop, reading = asyncio.get_running_loop(), asyncio.current_task()

    def obey() -> None:
        if control.reason is None:
            control.interrupt()
            if not quiet:
                say("interrupted: finishing the calls in flight; again to stop at once.")
        elif reading is not None:
            reading.cancel()

    wanted = [signal.SIGINT, signal.SIGTERM]
    try:
        for number in wanted:
            loop.add_signal_handler(number, obey)
    except NotImplementedError:  # Windows: Ctrl-C raises KeyboardInterrupt by itself
        wanted = []
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)
