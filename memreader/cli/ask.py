"""`memreader ask FILE... "question"`, and with `-Q` several questions at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memreader.cli import flags
from memreader.cli.common import files_and_questions, opened_files, options_from
from memreader.cli.printable import say

if TYPE_CHECKING:
    from memreader.events import Event
    from memreader.llm.base import Model
    from memreader.loaders.opening import Opened
    from memreader.questions import Asked
    from memreader.reader import Reader
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
    model: flags.ModelName = None,
    option: flags.Options = None,
    as_json: flags.AsJson = False,
    as_jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print the events as they happen, one a line.")
    ] = False,
    quiet: flags.Quiet = False,
    verbose: flags.Verbose = False,
    max_cost: flags.MaxCost = None,
    max_calls: flags.MaxCalls = None,
    max_tokens: flags.MaxTokens = None,
    max_seconds: flags.MaxSeconds = None,
    window: flags.Window = None,
    concurrency: flags.Concurrency = None,
    timeout: flags.Timeout = None,
    embedder: flags.EmbedderName = None,
    store: flags.StoreName = None,
    resume: flags.Resume = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ignore the journal.")] = False,
    rescue: Annotated[
        bool, typer.Option("--rescue", help="Read again what the memory forgot, then answer.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 4 unless all citations are verified.")
    ] = False,
    probe: flags.Probing = None,
    yes: flags.Yes = False,
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
            "embedder": embedder,
            "store": store,
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
        from memreader.cli.reading import reader_of
        from memreader.llm.registry import open_model
        from memreader.session import Resumption

        documents = self.documents
        name = spec(self.settings)
        if self.settings.model is None and self.loud != "quiet":
            say(f"No model is set; using the embedded one ({name}).")
        async with open_model(name, model_settings(self.settings)) as model:
            for remark in model.remarks if self.loud != "quiet" else ():
                say(remark)
            again = Resumption(fresh=self.fresh, new_budget=self.resume)
            reader = reader_of(model, self.settings, self.options, again, rescue=self.rescue)
            self._confirm_price(reader, model, documents)
            number = len(self.questions) if self.several else None
            with listening(self.form, self.loud, model, questions=number) as listener:
                asked = await self._interruptible(reader, documents, listener)
        if self.several:
            show_all(asked, self.form, self.loud, model)
        elif asked[0].answer is not None:
            show_answer(asked[0].answer, self.form, self.loud, model)
        return asked

    async def _interruptible(
        self, reader: Reader, documents: Opened, listener: Callable[[str, Event], None]
    ) -> list[Asked]:
        from memreader.cli.reading import signals
        from memreader.questions import Asked
        from memreader.session import Control

        control = Control()
        with signals(control, quiet=self.loud == "quiet"):
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
