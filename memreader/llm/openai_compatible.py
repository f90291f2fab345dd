"""Any server that speaks OpenAI's chat completions: hosted, vLLM, llama.cpp, LM Studio, ..."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from memreader.errors import Refused, ServerFault
from memreader.llm import _http
from memreader.llm.base import FinishReason, Reply, Request, Usage

_THINK = re.compile(r"^\s*<(think|thinking|reasoning)>(.*?)(?:</\1>|\Z)\s*", re.DOTALL)


@dataclass(slots=True)
class OpenAICompatible:
    """Client of one model at one base URL. Neither retries nor limits: the dispatcher does."""

    model: str
    http: _http.Client = field(repr=False)
    where: str
    """The base URL, for messages."""
    limit_name: str = "max_tokens"
    """Newer hosted models call it `max_completion_tokens`; learnt from the first refusal."""
    takes_temperature: bool = True

    async def complete(self, request: Request) -> Reply:
        """Answer one request."""
        try:
            return await self._post(request)
        except Refused as error:
            if not self._adapt(str(error)):
                raise
            return await self._post(request)

    async def _post(self, request: Request) -> Reply:
        with _http.translated(self.where):
            response = await self.http.post("chat/completions", json=self._body(request))
        return reply_of(_http.json_of(response, self.where), self.where)

    def _body(self, request: Request) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": m.role, "content": m.content} for m in request.messages],
            self.limit_name: request.max_tokens,
        }
        if self.takes_temperature:
            body["temperature"] = request.temperature
        if request.stop:
            body["stop"] = list(request.stop)
        if request.seed is not None:
            body["seed"] = request.seed
        if request.logprobs:
            body["logprobs"] = True
        if request.schema is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "reply", "schema": dict(request.schema), "strict": True},
            }
        return body

    def _adapt(self, refusal: str) -> bool:
        """Learn from a refused parameter, once each."""
        if self.limit_name == "max_tokens" and "max_completion_tokens" in refusal:
            self.limit_name = "max_completion_tokens"
            return True
        if self.takes_temperature and "temperature" in refusal and "support" in refusal:
            self.takes_temperature = False
            return True
        return False


def reply_of(body: dict[str, Any], where: str) -> Reply:
    """The reply in a chat completion. Raises ServerFault where there is none."""
    try:
        choice = body["choices"][0]
        message = choice["message"]
        content = message.get("content")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        told = body.get("error") or sorted(body)
        raise ServerFault(
            f"{where} answered without a choice: {str(told)[:200]}.", may_be_billed=True
        ) from error
    reasoning = str(message.get("reasoning_content") or message.get("reasoning") or "")
    if content is None:
        content = ""
    if not isinstance(content, str):
        raise ServerFault(
            f"{where} answered with content of type {type(content).__name__}, not text.",
            may_be_billed=True,
        )
    text, thought = apart(content)
    finish = _finish(choice.get("finish_reason"))
    if not text.strip() and not (finish == "length" and (reasoning or thought)):
        raise ServerFault(f"{where} answered with an empty reply.", may_be_billed=True)
    return Reply(
        text, usage_of(body), finish, _logprobs(choice.get("logprobs")), reasoning or thought
    )


def apart(content: str) -> tuple[str, str]:
    """A leading think block apart from the answer."""
    match = _THINK.match(content)
    return (content[match.end() :], match[2].strip()) if match else (content, "")


def usage_of(body: dict[str, Any]) -> Usage:
    """Token counts, wherever the server puts the cached ones."""
    usage = body.get("usage")
    if not isinstance(usage, dict) or not isinstance(usage.get("prompt_tokens"), int):
        return Usage(reported=False)
    details = usage.get("prompt_tokens_details") or {}
    timings = body.get("timings") or {}
    cached = (
        details.get("cached_tokens")
        or usage.get("prompt_cache_hit_tokens")
        or timings.get("cache_n")
        or 0
    )
    return Usage(usage["prompt_tokens"], int(cached), int(usage.get("completion_tokens") or 0))


def _finish(reason: Any) -> FinishReason:
    if reason in ("stop", "eos", "end_turn", "stop_sequence", None):
        return "stop"
    return "length" if reason in ("length", "max_tokens") else "other"


def _logprobs(given: Any) -> tuple[float, ...] | None:
    items = given.get("content") if isinstance(given, dict) else None
    if not items:
        return None
    return tuple(float(item["logprob"]) for item in items if "logprob" in item)


async def window_of(http: _http.Client, model: str) -> tuple[int | None, int | None]:
    """What the server says of itself: window in tokens for each call, and slots.

    llama.cpp tells in /props, vLLM and OpenRouter in /models, LM Studio in its own listing.
    """
    root = str(http.base_url).rstrip("/").removesuffix("/v1")
    props = await _asked(http, f"{root}/props")
    settings = props.get("default_generation_settings")
    if isinstance(settings, dict) and isinstance(settings.get("n_ctx"), int):
        slots = props.get("total_slots")
        return settings["n_ctx"], slots if isinstance(slots, int) else None
    for listing in (await _asked(http, "models"), await _asked(http, f"{root}/api/v0/models")):
        entries = listing.get("data")
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and entry.get("id") in (model, None):
                for name in (
                    "max_model_len", "loaded_context_length", "context_length",
                    "max_context_length",
                ):  # fmt: skip
                    if isinstance(entry.get(name), int):
                        return entry[name], None
    return None, None


async def _asked(http: _http.Client, path: str) -> dict[str, Any]:
    """A JSON object at a path; empty where the server has none."""
    try:
        response = await http.get(path, timeout=10.0)
        body = response.json() if response.status_code == 200 else {}
    except Exception:  # because a server that lacks this page may answer it in any way
        return {}
    return body if isinstance(body, dict) else {}
