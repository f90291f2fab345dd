"""`memreader.ask`, `memreader.build` and their kin: one call with the settings in force."""

from __future__ import annotations

from functools import partial
from typing import Any

from memreader.answer import Answer
from memreader.budget import Limits
from memreader.built import Built
from memreader.errors import ConfigurationError
from memreader.llm.base import Model
from memreader.llm.registry import ModelSettings, open_model
from memreader.memory.embedders import EmbedderOpener, as_opener, default_embedder
from memreader.reader import Documents, Reader
from memreader.reranking import open_reranker
from memreader.session import Resumption
from memreader.settings import Settings, home, resolve
from memreader.stores import Stores
from memreader.strategy import Strategy


def open_reader(
    *,
    strategy: Strategy | str | None = None,
    model: Model | str | None = None,
    resumption: Resumption | None = None,
    options: dict[str, Any] | None = None,
    rescue: bool = False,
    embedder: Any = None,
    retriever: Any = None,
    **settings: Any,
) -> Reader:
    """A `Reader` from the settings in force; keyword arguments go before them.

    `embedder` is one of ours, an embedding of LlamaIndex, or a name such as `local`.
    `settings` are the keys of `memreader.settings.Settings`: `max_cost`, `window`, ...
    Raises ConfigurationError where a setting is wrong or no model is to be had.
    """
    if model is not None and not isinstance(model, Model | str):
        raise ConfigurationError(
            f"A model is a name like 'ollama:qwen3' or a Model, not {model!r}."
        )
    named = strategy if isinstance(strategy, str) else None
    flags = {
        **settings,
        "strategy": named,
        "model": model if isinstance(model, str) else None,
        "embedder": embedder if isinstance(embedder, str) else None,
    }
    current = resolve(flags)
    chosen = strategy if strategy is not None and named is None else current.strategy
    return Reader(
        model
        if isinstance(model, Model)
        else partial(open_model, spec(current), model_settings(current)),
        chosen,
        options={**current.options.get(current.strategy, {}), **(options or {})}
        if isinstance(chosen, str)
        else (options or {}),
        limits=limits(current),
        stores=Stores(home().data, current.store),
        resumption=resumption or Resumption(),
        probe=current.probe,
        rescue=rescue,
        embedder=embedder_opener(current)
        if embedder is None or isinstance(embedder, str)
        else embedder,
        retriever=retriever,
        reranker=open_reranker(current.reranker) if current.reranker else None,
    )


async def aask(documents: Documents, question: str, **how: Any) -> Answer:
    """Read documents and answer a question; see `open_reader` for the keyword arguments."""
    return await open_reader(**how).aask(documents, question)


def ask(documents: Documents, question: str, **how: Any) -> Answer:
    """`aask` for scripts and notebooks: works inside a running event loop too.

    memreader.ask("report.pdf", "Who signed it?", model="ollama:qwen3", max_cost=0.50)
    """
    return open_reader(**how).ask(documents, question)


async def abuild(documents: Documents, **how: Any) -> Built:
    """Build a strategy's indexes of documents ahead of the questions; see `open_reader`."""
    return await open_reader(**how).abuild(documents)


def build(documents: Documents, **how: Any) -> Built:
    """`abuild` for scripts and notebooks: works inside a running event loop too.

    memreader.build("report.pdf", strategy="mem_walker", model="ollama:qwen3", max_cost=0.50)
    """
    return open_reader(**how).build(documents)


def spec(settings: Settings) -> str:
    """The model to use: the one that is set, else the embedded one if it is installed."""
    from memreader.llm.registry import default_model

    return settings.model or default_model()


def model_settings(settings: Settings) -> ModelSettings:
    """What opening a model needs of the settings."""
    return ModelSettings(
        window=settings.window,
        concurrency=settings.concurrency,
        requests_per_minute=settings.requests_per_minute,
        tokens_per_minute=settings.tokens_per_minute,
        timeout=settings.timeout,
        prices=settings.prices,
        models=home().models,
    )


def embedder_opener(settings: Settings) -> EmbedderOpener | None:
    """What opens the embedding model in force: the one that is set, else the bundled one."""
    name = settings.embedder or default_embedder(home().models)
    return as_opener(name, model_settings(settings))


def limits(settings: Settings) -> Limits:
    """The caps of a run."""
    return Limits(settings.max_calls, settings.max_tokens, settings.max_cost, settings.max_seconds)
