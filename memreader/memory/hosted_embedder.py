"""Embedding models behind HTTP: OpenAI's interface, and Ollama's own.

Texts are sent to the configured endpoint and nowhere else. Retries, limits and bookings are not
here: see `memreader.embedding_calls`.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio

from memreader.errors import ConfigurationError, Refused, ServerFault
from memreader.llm._http import Endpoint, Http, is_private, without_secrets
from memreader.llm.chat import whole
from memreader.llm.endpoints import OPENAI, base_url, key_for, organisation
from memreader.llm.ollama import address
from memreader.llm.prices import price_of
from memreader.llm.registry import ModelSettings
from memreader.memory.embedding import (
    Embedded,
    Embedder,
    Fingerprint,
    Hosting,
    Vector,
    batches,
    normalised,
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a server is asked for vectors, and where they stand in its answer."""

    path: str
    extra: Mapping[str, Any]
    vectors: Callable[[Any], list[Any]]
    tokens: Callable[[Any], Any]


def _in_place(data: Any) -> list[Any]:
    """Vectors of OpenAI's answer by their index, which need not be the order they come in."""
    items = data["data"]
    places = [item.get("index", place) for place, item in enumerate(items)]
    if sorted(places) != list(range(len(items))):
        raise ValueError(f"it numbers its vectors {places[:5]}")
    return [item["embedding"] for _, item in sorted(zip(places, items, strict=True), key=_place)]


def _place(pair: tuple[int, Any]) -> int:
    return pair[0]


OPENAI_DIALECT = Dialect(
    "/embeddings",
    {"encoding_format": "float"},
    _in_place,
    lambda data: (data.get("usage") or {}).get("prompt_tokens"),
)
# Without `truncate` Ollama cuts long texts and does not say so.
OLLAMA_DIALECT = Dialect(
    "/api/embed",
    {"truncate": False},
    lambda data: list(data["embeddings"]),
    lambda data: data.get("prompt_eval_count"),
)


class HostedEmbedder:
    """An embedding model behind HTTP."""

    def __init__(
        self, http: Http, name: str, model: str, hosting: Hosting, dialect: Dialect
    ) -> None:
        self._http, self._name, self._model = http, name, model
        self._hosting, self._dialect = hosting, dialect
        self._dimension = 0

    @property
    def fingerprint(self) -> Fingerprint:
        """Name and endpoint; the dimension is known after the first vector."""
        return Fingerprint(self._name, self._dimension)

    @property
    def hosting(self) -> Hosting:
        """Where it runs."""
        return self._hosting

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        """One vector for each text, by as many requests as that takes, without another try."""
        found: list[Vector] = []
        for batch in batches(texts):
            found += (await self.request(batch, query=query)).vectors
        return found

    async def request(self, texts: Sequence[str], *, query: bool = False) -> Embedded:
        """One request.

        Raises ServerFault for an answer that is not one vector for each text, Refused where the
        vectors have another dimension than before.
        """
        sent = [text or " " for text in texts]  # an empty text is refused by some servers
        body = {"model": self._model, "input": sent, **self._dialect.extra}
        data = await self._http.post(self._dialect.path, body)
        try:
            raw = self._dialect.vectors(data)
            tokens = whole(self._dialect.tokens(data))
            vectors = [[float(x) for x in vector] for vector in raw]
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise self._fault(f"an answer without vectors ({str(data)[:120]})") from error
        self._check(vectors, len(texts))
        return Embedded([normalised(vector) for vector in vectors], tokens or None)

    def _check(self, vectors: list[list[float]], wanted: int) -> None:
        if len(vectors) != wanted:
            raise self._fault(f"{len(vectors):,} vectors for {wanted:,} texts")
        if not all(math.isfinite(x) for vector in vectors for x in vector):
            raise self._fault("vectors with infinite or missing numbers")
        sizes = sorted({len(vector) for vector in vectors})
        if len(sizes) != 1 or not sizes[0]:
            raise self._fault(f"vectors of different dimensions ({', '.join(map(str, sizes))})")
        if self._dimension and sizes[0] != self._dimension:
            raise Refused(
                f"{self._name} gives vectors of {sizes[0]:,} dimensions, and gave "
                f"{self._dimension:,} before: another model is served under the same name."
            )
        self._dimension = sizes[0]

    def _fault(self, what: str) -> ServerFault:
        return ServerFault(f"{self._http.endpoint.shown} answered {what}.", may_be_billed=True)


@asynccontextmanager
async def open_openai(model: str, settings: ModelSettings) -> AsyncIterator[Embedder]:
    """`openai:MODEL`, at OPENAI_BASE_URL if that is set."""
    env = settings.environment
    url = base_url(env.get("OPENAI_BASE_URL") or env.get("OPENAI_API_BASE") or OPENAI)
    key = env.get("OPENAI_API_KEY")
    if not key and not is_private(url):
        raise ConfigurationError(
            f"The embedding model openai:{model} needs a key. Set OPENAI_API_KEY in the "
            f"environment."
        )
    headers = organisation(env) if url == OPENAI else {}
    name = f"openai:{model}" if url == OPENAI else f"openai:{model}@{url}"
    provider = "openai" if url == OPENAI else None
    price = price_of(f"openai:{model}", settings.prices, provider=provider, url=url, embeds=True)
    at = Endpoint(url, key, settings.timeout, keep_alive=not is_private(url), headers=headers)
    async with _served(at, name, model, Hosting(url, price), OPENAI_DIALECT) as opened:
        yield opened


@asynccontextmanager
async def open_compatible(rest: str, settings: ModelSettings) -> AsyncIterator[Embedder]:
    """`openai-compatible:URL#MODEL`."""
    address_, _, model = rest.partition("#")
    url = base_url(address_)
    if not model:
        raise ConfigurationError(
            f"{url} needs the name of an embedding model. Write it as openai-compatible:{url}#NAME."
        )
    raw = address_ if "://" in address_ else f"http://{address_}"
    name = f"openai-compatible:{url}#{model}"
    price = price_of(name, settings.prices, url=url, embeds=True)
    at = Endpoint(
        url, key_for(raw, settings.environment), settings.timeout, keep_alive=not is_private(url)
    )
    async with _served(at, name, model, Hosting(url, price), OPENAI_DIALECT) as opened:
        yield opened


@asynccontextmanager
async def open_ollama(model: str, settings: ModelSettings) -> AsyncIterator[Embedder]:
    """`ollama:MODEL`, at OLLAMA_HOST or on this machine."""
    env = settings.environment
    url = address(env.get("OLLAMA_HOST"))
    at = Endpoint(url, env.get("OLLAMA_API_KEY"), settings.timeout, keep_alive=not is_private(url))
    local = is_private(url)
    name = f"ollama:{model}" if local else f"ollama:{model}@{without_secrets(url)}"
    price = price_of(f"ollama:{model}", settings.prices, url=url, embeds=True)
    hosting = Hosting(without_secrets(url), price)
    async with _served(at, name, model, hosting, OLLAMA_DIALECT) as opened:
        yield opened


@asynccontextmanager
async def _served(
    at: Endpoint, name: str, model: str, hosting: Hosting, dialect: Dialect
) -> AsyncIterator[Embedder]:
    http = Http(at)
    try:
        yield HostedEmbedder(http, name, model, hosting, dialect)
    finally:
        with anyio.CancelScope(shield=True):
            await http.aclose()
