"""Ollama through its native API, because only there the context size can be set.

Left alone, Ollama serves a model with a few thousand tokens of context and cuts longer prompts
without a word; through its OpenAI-compatible API nothing can be done about it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from memreader.errors import ConfigurationError, Refused, ServerFault
from memreader.llm._http import Endpoint, Http, is_private, without_secrets
from memreader.llm.base import Model, Reply, Request, TokenCounter, Usage
from memreader.llm.chat import finish_reason, own_count, reply_of, whole
from memreader.llm.prices import price_of
from memreader.llm.windows import CAREFUL, remarks
from memreader.tokens import ESTIMATE

if TYPE_CHECKING:
    from memreader.llm.registry import ModelSettings

PORT = 11434
MOST = 16_384
"""Tokens of context asked for where the user sets no window: more may not fit into memory."""


@dataclass(slots=True)
class Ollama:
    """A client for one model of one Ollama server. It neither retries nor limits."""

    http: Http
    model: str
    window: int
    """Sent as `num_ctx` with each call, so that it never changes and the model stays loaded."""
    counter: TokenCounter = ESTIMATE

    async def complete(self, request: Request) -> Reply:
        """Answer one request."""
        data = await self.http.post("/api/chat", self._body(request))
        where = self.http.endpoint.shown
        message = data.get("message") if isinstance(data, dict) else None
        if not isinstance(message, dict) or not isinstance(message.get("content"), str):
            said = str(data.get("error", data) if isinstance(data, dict) else data)[:200]
            raise ServerFault(f"{where} answered without a text: {said}.", may_be_billed=True)
        if data.get("done") is False:
            raise ServerFault(f"{where} cut its answer short.", may_be_billed=True)
        text: str = message["content"]
        thinking = message.get("thinking")
        return reply_of(
            text,
            thinking if isinstance(thinking, str) else "",
            finish_reason(data.get("done_reason")),
            _usage(data) or own_count(request, text, self.counter),
            where=where,
            logprobs=_logprobs(data.get("logprobs")) if request.logprobs else None,
        )

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        await self.http.aclose()

    def _body(self, request: Request) -> dict[str, Any]:
        options: dict[str, Any] = {
            "num_ctx": self.window,
            "num_predict": request.max_tokens,
            "temperature": request.temperature,
        }
        if request.stop:
            options["stop"] = list(request.stop)
        if request.seed is not None:
            options["seed"] = request.seed + request.sample
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "stream": False,
            "truncate": False,  # newer servers then refuse a prompt that is too long
            "options": options,
        }
        if request.schema is not None:
            body["format"] = dict(request.schema)
        if request.logprobs:
            body["logprobs"] = True
        return body


def _usage(data: Mapping[str, Any]) -> Usage | None:
    """Ollama leaves `prompt_eval_count` out where all of the prompt was cached."""
    prompt = whole(data.get("prompt_eval_count"))
    return Usage(prompt, 0, whole(data.get("eval_count"))) if prompt else None


def _logprobs(data: Any) -> tuple[float, ...] | None:
    if not isinstance(data, list) or not data:
        return None
    return tuple(float(t["logprob"]) for t in data if isinstance(t, dict) and "logprob" in t)


def address(host: str | None) -> str:
    """Ollama's base URL from OLLAMA_HOST in any of its forms: a host, a port, a URL."""
    host = (host or "").strip().rstrip("/")
    if not host:
        return f"http://127.0.0.1:{PORT}"
    scheme, separator, rest = host.partition("://")
    if not separator:
        scheme, rest = "http", host
    place, slash, path = rest.partition("/")
    if place.count(":") > 1 and "[" not in place:  # an IPv6 address, and no port
        place = f"[{place}]"
    name, colon, port = place.rpartition(":")
    if not colon or not port.isdigit():
        name, port = place, "443" if scheme == "https" else str(PORT) if not separator else "80"
    name = "127.0.0.1" if name in ("", "0.0.0.0", "[::]") else name
    return f"{scheme}://{name}:{port}{slash}{path}"


@asynccontextmanager
async def open_ollama(model: str, settings: ModelSettings) -> AsyncIterator[Model]:
    """`ollama:MODEL`, at OLLAMA_HOST or on this machine."""
    env = settings.environment
    url = address(settings.base_url or env.get("OLLAMA_HOST"))
    key = settings.api_key or env.get("OLLAMA_API_KEY")
    slots = settings.concurrency or _parallel(env)
    http = Http(Endpoint(url, key, settings.timeout, slots + 1, keep_alive=not is_private(url)))
    try:
        trained = await _context(http, model)
        window = window_for(trained, settings.window)
        name = f"ollama:{model}"
        yield Model(
            name=name,
            llm=Ollama(http, model, window),
            counter=ESTIMATE,
            window=window,
            endpoint=without_secrets(url),
            price=price_of(name, settings.prices, url=url),
            concurrency=slots,
            overhead=48,
            remarks=remarks(trained, settings.window),
        )
    finally:
        with anyio.CancelScope(shield=True):
            await http.aclose()


def window_for(trained: int | None, wanted: int | None) -> int:
    """The context to ask for: what the user wants, else what the model has, within memory."""
    if wanted is not None:
        return min(wanted, trained) if trained is not None else wanted
    return min(trained, MOST) if trained is not None else CAREFUL


async def _context(http: Http, model: str) -> int | None:
    """The model's own context, from `/api/show`."""
    try:
        shown = await http.post("/api/show", {"model": model})
    except Refused as error:
        raise Refused(f"{error} Get the model with: ollama pull {model}") from error
    info = shown.get("model_info") if isinstance(shown, dict) else None
    for name, value in (info if isinstance(info, dict) else {}).items():
        if name.endswith(".context_length") and whole(value):
            return whole(value)
    return None


def _parallel(environment: Mapping[str, str]) -> int:
    """Calls at once: one, unless the server's own setting is known here."""
    value = environment.get("OLLAMA_NUM_PARALLEL", "")
    try:
        return max(1, int(value or 1))
    except ValueError as error:
        raise ConfigurationError(
            f"OLLAMA_NUM_PARALLEL is {value!r}, which is no number."
        ) from error
