"""From `provider:name` to an embedding model ready to be used.

local                                       the bundled MiniLM, in this process, offline
sentence-transformers:NAME_OR_PATH          any model of that library that is on disk
openai:text-embedding-3-small               OPENAI_API_KEY, OPENAI_BASE_URL
openai-compatible:http://host:8080/v1#name  the key of a known host, or OPENAI_COMPATIBLE_API_KEY
ollama:nomic-embed-text                     OLLAMA_HOST
llama-index:package.module:Class            an embedding class of LlamaIndex, made without arguments

Providers, a stranger's too, are found by the entry-point group `memreader.embedders`: a name to a
function of (what stands after the colon, `ModelSettings`) that gives an async context manager.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from memreader.errors import ConfigurationError
from memreader.llm.bundles import MINILM
from memreader.llm.registry import ModelSettings
from memreader.memory.embedding import Embedder
from memreader.plugins import did_you_mean, installed, opening

GROUP = "memreader.embedders"
NONE = "none"
"""The spec that says: no embedding model, though one is installed."""

EmbedderOpener = Callable[[], AbstractAsyncContextManager[Embedder]]

HOW = (
    "Set one in any of these ways: (1) on this machine: pip install 'memreader-agents[st]' && "
    "memreader models pull minilm; (2) --embedder ollama:nomic-embed-text; "
    "(3) --embedder openai:text-embedding-3-small; (4) in Python: Reader(embedder=...)."
)
_NAMELESS = ("local",)


def open_embedder(
    spec: str, settings: ModelSettings | None = None
) -> AbstractAsyncContextManager[Embedder]:
    """An embedding model for as long as the context lasts.

    Raises ConfigurationError for a spec that names nothing, MissingExtra for a package that is
    not installed, Unreachable where nothing answers, Refused where the key is not taken.
    """
    provider, _, name = spec.strip().partition(":")
    known = installed(GROUP)
    if provider not in known:
        raise ConfigurationError(
            f"{spec!r} names no embedding model.{did_you_mean(provider, known)} "
            f"Providers: {', '.join(known)}."
        )
    if not name and provider not in _NAMELESS:
        raise ConfigurationError(
            f"{spec!r} names no embedding model: write {provider}: and its name."
        )
    what, given = "provider of embedding models", settings or ModelSettings()
    embedder: AbstractAsyncContextManager[Embedder] = opening(GROUP, provider, what, name, given)
    return embedder


def default_embedder(models: Path | None) -> str | None:
    """`local`, where the bundled MiniLM and what runs it are installed; nothing is imported."""
    if find_spec("sentence_transformers") and MINILM.found(models):
        return "local"
    return None


def as_opener(
    given: Any, settings: ModelSettings | None = None, *, named: bool = True
) -> EmbedderOpener | None:
    """What opens an embedder of ours, an embedding of LlamaIndex, or a spec where `named`.

    Raises ConfigurationError for anything else.
    """
    if given is None or given == NONE:
        return None
    if isinstance(given, str):
        if named:
            return partial(open_embedder, given, settings)
        raise ConfigurationError(
            f"Reader takes an embedder, or what opens one. For the name {given!r} use "
            f"memreader.ask(..., embedder={given!r}) or "
            f"memreader.open_reader(embedder={given!r})."
        )
    if hasattr(given, "embed") and hasattr(given, "fingerprint"):
        return lambda: nullcontext(given)
    if hasattr(given, "get_text_embedding_batch"):  # before callable: LlamaIndex's are callable
        from memreader.memory.llama_index import LlamaIndexEmbedder

        return lambda: nullcontext(LlamaIndexEmbedder(given))
    if callable(given):
        opener: EmbedderOpener = given
        return opener
    raise ConfigurationError(
        f"An embedder is a memreader Embedder, an embedding of LlamaIndex, or a name such as "
        f"openai:text-embedding-3-small; not {type(given).__name__}."
    )
