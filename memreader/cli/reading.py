"""What commands that make calls share: the reader of the settings, and Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from memreader.cli.printable import say

if TYPE_CHECKING:
    from memreader.llm.base import Model
    from memreader.reader import Reader
    from memreader.session import Control, Resumption
    from memreader.settings import Settings


def reader_of(
    model: Model,
    settings: Settings,
    options: Mapping[str, str],
    resumption: Resumption,
    *,
    rescue: bool = False,
) -> Reader:
    """A reader with an open model, from the settings and the options of the command line."""
    from memreader.api import embedder_opener, limits
    from memreader.reader import Reader
    from memreader.reranking import open_reranker
    from memreader.settings import home
    from memreader.stores import Stores

    return Reader(
        model,
        settings.strategy,
        {**settings.options.get(settings.strategy, {}), **options},
        limits(settings),
        Stores(home().data, settings.store),
        resumption,
        settings.probe,
        rescue,
        embedder_opener(settings),
        reranker=open_reranker(settings.reranker) if settings.reranker else None,
    )


@contextmanager
def signals(control: Control, *, quiet: bool) -> Iterator[None]:
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
