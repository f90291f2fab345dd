"""Chat completions over HTTP: OpenAI, llama.cpp, vLLM, LM Studio, OpenRouter and their kin."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from memreader.errors import MemreaderError, Refused, ServerFault, Unreachable
from memreader.llm.base import Reply, Request, TokenCounter, Usage
from memreader.llm.chat import finish_reason, own_count, reply_of, whole
from memreader.llm.faults import fault_within
from memreader.tokens import ESTIMATE

if TYPE_CHECKING:
    from memreader.llm._http import Http

_OPTIONAL = (
    "max_tokens", "temperature", "stop", "seed", "logprobs", "response_format", "stream_options",
)  # fmt: skip
_UNSUPPORTED = re.compile(
    r"unsupported|not supported|does not support|unrecogni[sz]ed|unknown|extra_forbidden"
    r"|extra inputs|not permitted",
    re.IGNORECASE,
)


@dataclass(slots=True)
class OpenAICompatible:
    """A client for one model of one endpoint. It neither retries nor limits."""

    http: Http
    model: str
    counter: TokenCounter = ESTIMATE
    """Counts where the server reports no usage."""
    stream: bool = False
    """Ask for server-sent events: helps where a proxy cuts connections that stay silent."""
    _dropped: set[str] = field(default_factory=set)
    """Parameters that this model has refused; never sent again."""

    async def complete(self, request: Request) -> Reply:
        """Answer one request; a parameter that the model refuses is left out from then on."""
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
        """Close the connections of this event loop."""
        await self.http.aclose()

    async def _once(self, request: Request) -> Reply:
        body = self._body(request)
        if self.stream:
            return await self._streamed(request, body)
        return self._whole(request, await self.http.post("/chat/completions", body))

    def _whole(self, request: Request, data: Any) -> Reply:
        where = self.http.endpoint.shown
        choice = _choice(data, where)
        message = choice.get("message")
        if not isinstance(message, dict):
            raise ServerFault(f"{where} answered without a message.", may_be_billed=True)
        finish = finish_reason(choice.get("finish_reason"))
        text = _text(message, where, cut=finish == "length")
        if message.get("content") is None and message.get("refusal"):
            finish = "other"
        return reply_of(
            text,
            _reasoning(message),
            finish,
            usage_of(data) or own_count(request, text, self.counter),
            where=where,
            logprobs=_logprobs(choice.get("logprobs")) if request.logprobs else None,
        )

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
        }
        if request.stop:
            body["stop"] = list(request.stop)
        if request.seed is not None:
            body["seed"] = request.seed + request.sample
        if request.logprobs:
            body["logprobs"] = True
        if request.schema is not None:
            shape = {"name": "reply", "schema": request.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": shape}
        if self.stream:
            body.update(stream=True, stream_options={"include_usage": True})
        for name in self._dropped:
            limit = body.pop(name, None)
            if name == "max_tokens":
                body["max_completion_tokens"] = limit
        return body

    def _refused_parameter(self, message: str, request: Request) -> str | None:
        """The parameter of ours that an answer of 400 or 422 complains about, if it does."""
        if not _UNSUPPORTED.search(message):
            return None
        sent = self._body(request)
        for name in _OPTIONAL:
            known = name in sent and name not in self._dropped
            if known and re.search(rf"(?<![\w-]){name}(?![\w-])", message):
                return name
        return None

    async def _streamed(self, request: Request, body: Mapping[str, Any]) -> Reply:
        where = self.http.endpoint.shown
        parts = _Parts()
        async with self.http.lines("/chat/completions", body) as lines:
            async for line in lines:
                if not line.startswith("data:"):
                    parts.other.append(line)
                elif (event := line[5:].strip()) and parts.take(event, where):
                    break
        if parts.is_no_stream:  # some gateways pass over `stream`; others send a page of HTML
            return self._whole(request, self.http.parsed("\n".join(parts.other).encode()))
        if not (parts.done or parts.finish):
            raise ServerFault(f"{where} cut its stream short.", may_be_billed=True)
        text = "".join(parts.text)
        return reply_of(
            text,
            "".join(parts.reasoning),
            finish_reason(parts.finish),
            parts.usage or own_count(request, text, self.counter),
            where=where,
            logprobs=tuple(parts.logprobs) if request.logprobs and parts.logprobs else None,
        )


@dataclass(slots=True)
class _Parts:
    """A stream put together."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish: str | None = None
    usage: Usage | None = None
    done: bool = False
    events: int = 0
    other: list[str] = field(default_factory=list)
    """Lines that are no data: comments, fields of events, or an answer that is no stream."""

    @property
    def is_no_stream(self) -> bool:
        """Whether the answer came whole, as if no stream had been asked for."""
        return not self.events and "".join(self.other).lstrip()[:1] in ("{", "[", "<")

    def take(self, data: str, where: str) -> bool:
        """Add one event; True at the end of the stream."""
        self.events += 1
        if data == "[DONE]":
            self.done = True
            return True
        try:
            event = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ServerFault(f"{where} sent a broken event.", may_be_billed=True) from error
        if (refusal := fault_within(event, where=where)) is not None:
            raise refusal
        if not isinstance(event, dict):
            raise ServerFault(f"{where} broke off: {data[:200]}", may_be_billed=True)
        self.usage = usage_of(event) or self.usage
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else []:
            if isinstance(choice, dict):
                self._add(choice, where)
        return False

    def _add(self, choice: Mapping[str, Any], where: str) -> None:
        delta = choice.get("delta") or {}
        if not isinstance(delta, dict):
            raise ServerFault(f"{where} sent a broken event.", may_be_billed=True)
        if delta.get("content"):
            self.text.append(_text(delta, where, cut=False))
        self.reasoning.append(_reasoning(delta))
        self.logprobs.extend(_logprobs(choice.get("logprobs")) or ())
        self.finish = choice.get("finish_reason") or self.finish
        self.usage = usage_of(choice) or self.usage


def _choice(data: Any, where: str) -> dict[str, Any]:
    choices = data.get("choices") if isinstance(data, dict) else None
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    raise ServerFault(f"{where} answered without choices: {_start(data)}.", may_be_billed=True)


def _start(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False)[:200]


def _text(message: Mapping[str, Any], where: str, *, cut: bool) -> str:
    """The content: a string, or a list of typed parts, of which those of text are taken."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list) and content and all(_is_part(part) for part in content):
        return "".join(part["text"] for part in content if part["type"] in ("text", "output_text"))
    if content is None:
        if isinstance(refusal := message.get("refusal"), str) and refusal:
            return refusal
        if cut:  # all of the room went into reasoning
            return ""
    raise ServerFault(
        f"{where} answered with content that is no text: {_start(content)}.", may_be_billed=True
    )


def _is_part(part: object) -> bool:
    """Parts of other types, as of reasoning, hold what they like."""
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        return False
    return part["type"] not in ("text", "output_text") or isinstance(part.get("text"), str)


def _reasoning(message: Mapping[str, Any]) -> str:
    for name in ("reasoning_content", "reasoning"):
        if isinstance(value := message.get(name), str) and value:
            return value
    return ""


def _logprobs(data: Any) -> tuple[float, ...] | None:
    content = data.get("content") if isinstance(data, dict) else None
    if not isinstance(content, list) or not content:
        return None
    found = (token.get("logprob") for token in content if isinstance(token, dict))
    return tuple(float(value) for value in found if isinstance(value, int | float)) or None


def usage_of(data: Mapping[str, Any]) -> Usage | None:
    """The usage that a server reports, in the several places they put it and cached tokens."""
    usage = data.get("usage")
    if usage is None and isinstance(beside := data.get("x_groq"), dict):
        usage = beside.get("usage")
    if not isinstance(usage, dict):
        return None
    prompt = whole(usage.get("prompt_tokens")) or whole(usage.get("input_tokens"))
    if not prompt:
        return None
    reply = whole(usage.get("completion_tokens")) or whole(usage.get("output_tokens"))
    return Usage(prompt, min(_cached(usage, data.get("timings")), prompt), reply)


def _cached(usage: Mapping[str, Any], timings: Any) -> int:
    """OpenAI and vLLM; the Responses form; DeepSeek; Moonshot; Anthropic's name; llama.cpp."""
    for name in ("prompt_tokens_details", "input_tokens_details"):
        details = usage.get(name)
        if isinstance(details, dict) and (cached := whole(details.get("cached_tokens"))):
            return cached
    for name in ("prompt_cache_hit_tokens", "cached_tokens", "cache_read_input_tokens"):
        if cached := whole(usage.get(name)):
            return cached
    return whole(timings.get("cache_n")) if isinstance(timings, dict) else 0


async def models_of(http: Http, *, timeout: float = 5.0) -> list[dict[str, Any]]:
    """The models an endpoint lists; empty where it lists none. Raises Unreachable, Refused."""
    try:
        data = await http.get("/models", timeout=timeout)
    except (Unreachable, Refused):
        raise
    except MemreaderError:
        return []
    listed = data.get("data") if isinstance(data, dict) else None
    return [m for m in listed or () if isinstance(m, dict) and isinstance(m.get("id"), str)]
