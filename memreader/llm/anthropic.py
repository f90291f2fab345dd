"""Anthropic's models through its SDK, an optional extra; the SDK's own retries are off."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from memreader.errors import (
    ConfigurationError,
    MemreaderError,
    MissingExtra,
    Refused,
    ServerFault,
    Unreachable,
)
from memreader.llm.base import Model, Reply, Request, TokenCounter, Usage
from memreader.llm.chat import finish_reason, own_count, reply_of, whole
from memreader.llm.faults import TimedOut, fault
from memreader.llm.prices import price_of
from memreader.tokens import ESTIMATE

if TYPE_CHECKING:
    import anthropic

    from memreader.llm.registry import ModelSettings

URL = "https://api.anthropic.com"
_OPTIONAL = ("temperature", "output_config", "stop_sequences")
_UNSUPPORTED = re.compile(
    r"not supported|unsupported|does not support|extra inputs|not permitted|deprecated|cannot",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Anthropic:
    """A client for one model. It neither retries nor limits."""

    sdk: anthropic.AsyncAnthropic
    model: str
    where: str = URL
    """Without user and password: it stands in messages."""
    counter: TokenCounter = ESTIMATE
    _dropped: set[str] = field(default_factory=set)
    """Parameters that this model has refused; never sent again."""

    async def complete(self, request: Request) -> Reply:
        """Answer one request; a parameter that the model refuses is left out from then on.

        Anthropic gives no log-probabilities and takes no seed.
        """
        for _ in _OPTIONAL:
            try:
                return await self._once(request)
            except Refused as error:
                refused = self._refused_parameter(str(error), request)
                if refused is None:
                    raise
                self._dropped.add(refused)
        return await self._once(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.sdk.close()

    async def _once(self, request: Request) -> Reply:
        with translating(self.where, self.sdk.api_key):
            message = await self.sdk.messages.create(
                model=self.model,
                max_tokens=request.max_tokens,
                messages=_turns(request),
                extra_body=self._extras(request),
            )
        # What the server sent is not validated by the SDK: it may be anything.
        blocks = getattr(message, "content", None)
        if not isinstance(blocks, list):
            raise ServerFault(f"{self.where} answered without content.", may_be_billed=True)
        text = "".join(_field(b, "text") for b in blocks if _field(b, "type") == "text")
        thinking = "".join(_field(b, "thinking") for b in blocks if _field(b, "type") == "thinking")
        return reply_of(
            text,
            thinking,
            finish_reason(message.stop_reason),
            _usage(message.usage) or own_count(request, text, self.counter),
            where=self.where,
        )

    def _extras(self, request: Request) -> dict[str, Any]:
        """Parameters that not every model or version of the SDK knows."""
        extras: dict[str, Any] = {"temperature": request.temperature}
        if request.stop:
            extras["stop_sequences"] = list(request.stop)
        if request.schema is not None:
            shape = {"type": "json_schema", "schema": dict(request.schema)}
            extras["output_config"] = {"format": shape}
        system = "\n\n".join(m.content for m in request.messages if m.role == "system")
        if system:
            extras["system"] = system
        return {name: value for name, value in extras.items() if name not in self._dropped}

    def _refused_parameter(self, message: str, request: Request) -> str | None:
        if not _UNSUPPORTED.search(message):
            return None
        sent = self._extras(request)
        return next((name for name in _OPTIONAL if name in sent and name in message), None)


def _turns(request: Request) -> list[anthropic.types.MessageParam]:
    turns: list[anthropic.types.MessageParam] = []
    for message in request.messages:
        if message.role == "user":
            turns.append({"role": "user", "content": message.content})
        elif message.role == "assistant":
            turns.append({"role": "assistant", "content": message.content})
    return turns


def _field(block: object, name: str) -> str:
    value = getattr(block, name, "")
    return value if isinstance(value, str) else ""


def _usage(usage: object) -> Usage | None:
    """Anthropic counts cached tokens beside `input_tokens`, not within them."""
    cached = whole(getattr(usage, "cache_read_input_tokens", 0))
    written = whole(getattr(usage, "cache_creation_input_tokens", 0))
    fresh = whole(getattr(usage, "input_tokens", 0))
    if not (cached or written or fresh):
        return None
    return Usage(fresh + cached + written, cached, whole(getattr(usage, "output_tokens", 0)))


@contextmanager
def translating(where: str, secret: str | None = None) -> Iterator[None]:
    """Turn every exception of the SDK into one of ours; `secret` never shows in a message."""
    import anthropic

    try:
        yield
    except anthropic.APIStatusError as error:
        body = error.body if isinstance(error.body, str) else json.dumps(error.body, default=str)
        body = body.replace(secret, "(the key)") if secret else body
        raise fault(error.status_code, error.response.headers, body, where=where) from None
    except anthropic.APITimeoutError as error:
        raise TimedOut(f"{where} gave no answer in time.", may_be_billed=True) from error
    except anthropic.APIConnectionError as error:
        cause = type(error.__cause__).__name__
        if cause in ("ConnectError", "ConnectTimeout", "ProxyError"):
            raise Unreachable(f"Nothing answers at {where} ({cause}).") from None
        if cause == "LocalProtocolError":  # its message may quote the header with the key
            raise ConfigurationError(
                "The request cannot be sent: check that ANTHROPIC_API_KEY has no line break."
            ) from None
        raise ServerFault(f"{where} broke off ({cause}).", may_be_billed=True) from None
    except anthropic.APIError as error:
        why = f"{type(error).__name__}: {error}"
        raise ServerFault(f"{where} gave no usable answer ({why}).", may_be_billed=True) from None
    except anthropic.AnthropicError as error:
        raise Refused(f"{where} cannot be called: {type(error).__name__}.") from error
    except (TypeError, AttributeError, json.JSONDecodeError, RecursionError) as error:
        # The SDK builds its objects from whatever JSON came, and trips over what does not fit.
        raise ServerFault(
            f"{where} gave no usable answer ({error!r}).", may_be_billed=True
        ) from error


def _sdk(key: str, url: str, timeout: float) -> anthropic.AsyncAnthropic:
    try:
        import anthropic
    except ModuleNotFoundError as error:
        raise MissingExtra("An Anthropic model", "anthropic") from error
    from memreader.llm._http import is_private

    http = anthropic.DefaultAsyncHttpxClient(
        trust_env=not is_private(url),
        follow_redirects=False,  # the key would go along
    )
    return anthropic.AsyncAnthropic(
        api_key=key, base_url=url, timeout=timeout, max_retries=0, http_client=http
    )


@asynccontextmanager
async def open_anthropic(model: str, settings: ModelSettings) -> AsyncIterator[Model]:
    """`anthropic:MODEL`."""
    from memreader.llm._http import without_secrets
    from memreader.llm.endpoints import HOSTED_CONCURRENCY, window_of
    from memreader.llm.windows import remarks

    env = settings.environment
    key = settings.api_key or env.get("ANTHROPIC_API_KEY")
    if not key:
        raise ConfigurationError(
            f"anthropic:{model} needs a key. Set ANTHROPIC_API_KEY in the environment."
        )
    url = settings.base_url or env.get("ANTHROPIC_BASE_URL") or URL
    sdk = _sdk(key, url, settings.timeout)
    client = Anthropic(sdk, model, without_secrets(url))
    try:
        name = f"anthropic:{model}"
        own = url.rstrip("/") != URL
        told = await _window(client)
        yield Model(
            name=name,
            llm=client,
            counter=ESTIMATE,
            window=window_of(told, settings.window),
            endpoint=client.where,
            price=price_of(name, settings.prices, url=url if own else None),
            concurrency=settings.concurrency or HOSTED_CONCURRENCY,
            overhead=16,
            remarks=remarks(told, settings.window),
        )
    finally:
        with anyio.CancelScope(shield=True):
            await client.aclose()


async def _window(client: Anthropic) -> int | None:
    """What the endpoint says; else the bundled data. A wrong key or model is found out here."""
    from memreader.llm.windows import known_window

    try:
        with translating(client.where, client.sdk.api_key):
            told = await client.sdk.models.retrieve(client.model)
    except (Refused, Unreachable):
        raise
    except MemreaderError:
        told = None
    return whole(getattr(told, "max_input_tokens", 0)) or known_window(client.model, "anthropic")
