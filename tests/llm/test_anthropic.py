"""Anthropic's SDK against a loopback server: what is sent, read and translated."""

from __future__ import annotations

import builtins
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from memreader.errors import (
    ConfigurationError,
    MemreaderError,
    MissingExtra,
    PromptTooLong,
    RateLimited,
    Refused,
    ServerFault,
    Unreachable,
)
from memreader.llm.base import Message, Request
from memreader.llm.registry import ModelSettings, open_model

pytest.importorskip("anthropic")
pytestmark = pytest.mark.anyio
KEY = "sk-ant-secret"


class Messages:
    """A server of the Messages API with canned answers."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str], Any]] = []
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.url = ""


def said(*blocks: Any, **usage: int) -> Any:
    """A message."""
    return {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": list(blocks),
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": 4, **usage},
    }


PARIS = {"type": "text", "text": "Paris"}


@pytest.fixture
def server() -> Iterator[Messages]:
    """A running server."""
    state = Messages()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self._send(200, {}, {
                "type": "model", "id": "claude-x", "display_name": "X", "max_input_tokens": 150000,
                "created_at": "2026-01-01T00:00:00Z", "lifecycle": "active",
            })  # fmt: skip

        def do_POST(self) -> None:
            size = int(self.headers["Content-Length"])
            state.bodies.append(json.loads(self.rfile.read(size)))
            state.keys.append(self.headers["x-api-key"] or self.headers["authorization"])
            self._send(*state.answers.pop(0))

        def _send(self, status: int, headers: dict[str, str], body: Any) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{running.server_address[1]}"
    yield state
    running.shutdown()
    running.server_close()
    thread.join()


def settings(server: Messages) -> ModelSettings:
    """Settings with a key."""
    return ModelSettings(base_url=server.url, api_key=KEY, timeout=2.0, environment={})


async def test_a_call(server: Messages) -> None:
    """The system message apart, cached tokens counted in, the window asked for."""
    thinking = {"type": "thinking", "thinking": "hm", "signature": "s"}
    usage = {"cache_read_input_tokens": 60, "cache_creation_input_tokens": 30}
    server.answers.append((200, {}, said(thinking, PARIS, **usage)))
    request = Request((Message("system", "be brief"), Message("user", "which?")), 50, ("STOP",))
    async with open_model("anthropic:claude-x", settings(server)) as model:
        reply = await model.llm.complete(request)
    assert (model.window, model.counter.exact) == (150000, False)
    assert (reply.text, reply.reasoning, reply.finish_reason) == ("Paris", "hm", "stop")
    assert (reply.usage.input_tokens, reply.usage.cached_input_tokens) == (100, 60)
    (body,) = server.bodies
    assert body["system"] == "be brief"
    assert body["messages"] == [{"role": "user", "content": "which?"}]
    assert body["stop_sequences"] == ["STOP"]
    assert KEY in str(server.keys[0])  # in which header is the SDK's affair


async def test_the_schema_travels_as_output_format(server: Messages, request_for: Any) -> None:
    """And is dropped for a model that refuses it, once for all."""
    no = {"type": "error", "error": {"type": "invalid_request_error",
          "message": "output_config: Extra inputs are not permitted"}}  # fmt: skip
    server.answers += [(400, {}, no), (200, {}, said(PARIS)), (200, {}, said(PARIS))]
    async with open_model("anthropic:claude-x", settings(server)) as model:
        await model.llm.complete(request_for(schema={"type": "object"}))
        await model.llm.complete(request_for(schema={"type": "object"}))
    first, second, third = server.bodies
    assert first["output_config"]["format"]["schema"] == {"type": "object"}
    assert "output_config" not in second
    assert "output_config" not in third


def refusal(kind: str, message: str = "no") -> Any:
    """An error as Anthropic sends it."""
    return {"type": "error", "error": {"type": kind, "message": message}}


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind"),
    [
        (401, {}, refusal("authentication_error"), Refused),
        (404, {}, refusal("not_found_error"), Refused),
        (429, {"retry-after": "7"}, refusal("rate_limit_error"), RateLimited),
        (529, {}, refusal("overloaded_error"), ServerFault),
        (500, {}, b"<html>", ServerFault),
        (
            400,
            {},
            refusal("invalid_request_error", "prompt is too long: 9 tokens > 5 maximum"),
            PromptTooLong,
        ),
        (401, {}, refusal("authentication_error", f"invalid x-api-key {KEY}"), Refused),
        (308, {"location": "http://127.0.0.1:9/elsewhere"}, b"", Refused),
        (200, {}, b"not json", ServerFault),
        (200, {}, b"[" * 200_000, ServerFault),
        (200, {}, {"type": "message"}, ServerFault),
        (200, {}, {"type": "message", "content": 5}, ServerFault),
        (200, {}, {"type": "message", "content": [3]}, ServerFault),
        (200, {}, [], ServerFault),
        (200, {}, said(), ServerFault),
    ],
)
async def test_every_other_answer_is_an_error_of_ours(
    server: Messages,
    request_for: Any,
    status: int,
    headers: dict[str, str],
    body: Any,
    kind: type[MemreaderError],
) -> None:
    """One attempt each: the SDK's own retries are off."""
    server.answers.append((status, headers, body))
    async with open_model("anthropic:claude-x", settings(server)) as model:
        with pytest.raises(kind) as caught:
            await model.llm.complete(request_for())
    assert len(server.bodies) == 1
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after == 7.0
    assert KEY not in str(caught.value)


async def test_the_environments_proxy_and_a_password_stay_out_of_it(
    server: Messages, request_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway on this machine is asked without a proxy, and its password shows nowhere."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    how = settings(server)
    url = str(how.base_url).replace("://", "://user:pass@")
    server.answers.append((500, {}, b"oops"))
    async with open_model("anthropic:claude-x", replace(how, base_url=url)) as model:
        assert "pass" not in model.endpoint
        with pytest.raises(ServerFault) as caught:
            await model.llm.complete(request_for())
    assert "pass@" not in str(caught.value)


async def test_without_a_server_it_is_unreachable() -> None:
    """The connection's failure is told, not the SDK's name for it."""
    nowhere = ModelSettings(base_url="http://127.0.0.1:9", api_key=KEY, environment={})
    with pytest.raises(Unreachable):
        async with open_model("anthropic:claude-x", nowhere):
            pass


async def test_without_a_key() -> None:
    """The error names the variable."""
    with pytest.raises(ConfigurationError, match="ANTHROPIC_API_KEY"):
        async with open_model("anthropic:claude-x", ModelSettings(environment={})):
            pass


async def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the line that installs it."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "anthropic":
            raise ModuleNotFoundError(name=name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"memreader-agents\[anthropic\]"):
        async with open_model("anthropic:x", ModelSettings(api_key=KEY)):
            pass
