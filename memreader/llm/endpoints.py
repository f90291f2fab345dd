"""Opens models that speak chat completions: keys, base URLs, windows, prices."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

import anyio

from memreader.endpoint_counter import EndpointCounter
from memreader.errors import ConfigurationError
from memreader.llm._http import Endpoint, Http, is_private, parts_of, without_secrets
from memreader.llm.base import Model, TokenCounter
from memreader.llm.openai_compatible import OpenAICompatible, models_of
from memreader.llm.prices import price_of
from memreader.llm.windows import CAREFUL, Facts, facts_of, known_window, remarks
from memreader.tokens import counter_for

if TYPE_CHECKING:
    from memreader.llm.registry import ModelSettings

OPENAI = "https://api.openai.com/v1"
HOSTED_CONCURRENCY = 8

_KEYS = {
    "api.openai.com": "OPENAI_API_KEY",
    "openrouter.ai": "OPENROUTER_API_KEY",
    "api.groq.com": "GROQ_API_KEY",
    "api.mistral.ai": "MISTRAL_API_KEY",
    "api.deepseek.com": "DEEPSEEK_API_KEY",
    "api.together.xyz": "TOGETHER_API_KEY",
    "api.fireworks.ai": "FIREWORKS_API_KEY",
    "generativelanguage.googleapis.com": "GEMINI_API_KEY",
    "api.x.ai": "XAI_API_KEY",
}


@dataclass(frozen=True, slots=True)
class _Known:
    """What has been found out about a model, before it is put together."""

    name: str
    model: str
    provider: str | None
    facts: Facts
    counter: TokenCounter


def key_for(url: str, environment: Mapping[str, str]) -> str | None:
    """The key that belongs to a URL's host. A key is never sent to a host it was not made for."""
    parts = parts_of(url)
    if parts.password:
        return unquote(parts.password)
    own = _KEYS.get(parts.hostname or "")
    if own and environment.get(own):
        return environment[own]
    base = environment.get("OPENAI_BASE_URL") or environment.get("OPENAI_API_BASE") or OPENAI
    if parts.hostname == parts_of(base).hostname and environment.get("OPENAI_API_KEY"):
        return environment["OPENAI_API_KEY"]
    return environment.get("OPENAI_COMPATIBLE_API_KEY") or None


def base_url(url: str) -> str:
    """A base URL in one form: no slash at the end, no user, and `/v1` where no path is given."""
    parts = parts_of(url if "://" in url else f"http://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigurationError(
            f"{without_secrets(url)!r} is not a usable address. "
            f"Write it as openai-compatible:http://localhost:8080/v1#model."
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions").removesuffix("/embeddings")
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{path or '/v1'}"


@asynccontextmanager
async def open_openai(model: str, settings: ModelSettings) -> AsyncIterator[Model]:
    """`openai:MODEL`, at OPENAI_BASE_URL if that is set."""
    env = settings.environment
    raw = settings.base_url or env.get("OPENAI_BASE_URL") or env.get("OPENAI_API_BASE") or OPENAI
    key = settings.api_key or env.get("OPENAI_API_KEY")
    if not key and not is_private(raw):
        raise ConfigurationError(
            f"openai:{model} needs a key. Set OPENAI_API_KEY in the environment."
        )
    async with _served(f"openai:{model}", model, base_url(raw), key, settings) as opened:
        yield opened


@asynccontextmanager
async def open_compatible(rest: str, settings: ModelSettings) -> AsyncIterator[Model]:
    """`openai-compatible:URL#MODEL`; the model may be left out where the server has only one."""
    address, _, model = rest.partition("#")
    raw = settings.base_url or address
    url = base_url(raw)
    key = settings.api_key or key_for(
        raw if "://" in raw else f"http://{raw}", settings.environment
    )
    model = model or await _only_model(url, key)
    name = f"openai-compatible:{url}#{model}"
    async with _served(name, model, url, key, settings) as opened:
        yield opened


@asynccontextmanager
async def _served(
    name: str, model: str, url: str, key: str | None, settings: ModelSettings
) -> AsyncIterator[Model]:
    provider = name.partition(":")[0] if url == OPENAI else None
    headers = organisation(settings.environment) if url == OPENAI else {}
    http = Http(Endpoint(url, key, settings.timeout, headers=headers))
    asked = EndpointCounter(url.removesuffix("/v1"), key=key)
    try:
        facts = await _facts(http, model, provider, url)
        counter: TokenCounter = counter_for(model)
        if facts.tokenizes and is_private(url):  # far away, each count would hold up all calls
            counter = asked
        client = OpenAICompatible(http, model, counter, settings.stream)
        known = _Known(name, model, provider, facts, counter)
        yield _model(known, client, url, settings)
    finally:
        asked.close()
        with anyio.CancelScope(shield=True):
            await http.aclose()


def _model(known: _Known, client: OpenAICompatible, url: str, settings: ModelSettings) -> Model:
    private = is_private(url)
    slots = known.facts.slots or (1 if private else HOSTED_CONCURRENCY)
    return Model(
        name=known.name,
        llm=client,
        counter=known.counter,
        window=window_of(known.facts.window, settings.window),
        endpoint=url,
        price=price_of(known.name, settings.prices, provider=known.provider, url=url),
        concurrency=settings.concurrency or slots,
        overhead=48 if private else 8,  # a template may add a system prompt of its own
        remarks=remarks(known.facts.window, settings.window),
    )


def window_of(told: int | None, wanted: int | None) -> int:
    """The window to work with: never more than the server says."""
    if told is not None and wanted is not None:
        return min(told, wanted)
    return told or wanted or CAREFUL


async def _facts(http: Http, model: str, provider: str | None, url: str) -> Facts:
    """Ask the endpoint; for a hosted one that is in the bundled data, do not even ask."""
    if not is_private(url):
        window = known_window(model, provider, None if provider else url)
        if window is not None:
            return Facts(window, None, "genai-prices")
        if url == OPENAI:  # its list of models has no windows
            return Facts()
    return await facts_of(http, model)


async def _only_model(url: str, key: str | None) -> str:
    http = Http(Endpoint(url, key, keep_alive=False))
    try:
        names = [str(m["id"]) for m in await models_of(http)]
    finally:
        with anyio.CancelScope(shield=True):
            await http.aclose()
    if len(names) == 1:
        return names[0]
    listed = ", ".join(names[:10])
    served = f"It serves: {listed}." if names else "It does not say what it serves."
    raise ConfigurationError(
        f"{url} needs a model name. {served} Write it as openai-compatible:{url}#NAME."
    )


def organisation(environment: Mapping[str, str]) -> dict[str, str]:
    """Headers by which OpenAI's users say who pays."""
    named = {
        "OpenAI-Organization": environment.get("OPENAI_ORG_ID"),
        "OpenAI-Project": environment.get("OPENAI_PROJECT_ID"),
    }
    return {header: value for header, value in named.items() if value}
