"""Answers as gateways and local servers really send them, byte by byte over a loopback socket."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from memreader.endpoint_counter import EndpointCounter
from memreader.errors import (
    MemreaderError,
    PromptTooLong,
    RateLimited,
    ServerFault,
    Unreachable,
)
from memreader.llm._http import Endpoint, Http
from memreader.llm.base import Usage
from memreader.llm.faults import TimedOut
from memreader.llm.openai_compatible import OpenAICompatible
from memreader.llm.registry import ModelSettings, open_model

pytestmark = pytest.mark.anyio
Send = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(send: Send) -> AsyncIterator[str]:
    """A server that reads a request and lets `send` answer to its head; yields its root."""
    open_ones: set[asyncio.Task[Any]] = set()

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(asyncio.current_task())  # type: ignore[arg-type]
        with suppress(ConnectionError, asyncio.IncompleteReadError):  # the client has had enough
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            size = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
            await reader.readexactly(int(size[1]) if size else 0)
            await send(head, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(exchange, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*open_ones)


def whole(body: Any, status: str = "200 OK", kind: str = "application/json") -> bytes:
    """A complete HTTP answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + data


def events(*data: Any, end: str = "\n\n") -> bytes:
    """A stream of events, with what is not ASCII as it is: most servers do not escape it."""
    lines = [d if isinstance(d, str) else json.dumps(d, ensure_ascii=False) for d in data]
    body = "".join(line if line.startswith(":") else f"data: {line}" for line in lines for line in
                   (line + end,)).encode()  # fmt: skip
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + body


def delta(content: Any = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One event with a piece of the answer."""
    return {"choices": [{"delta": {"content": content}, "finish_reason": finish, **more}]}


PARIS = {"choices": [{"message": {"content": "Paris"}, "finish_reason": "stop"}]}
USED = {"prompt_tokens": 10, "completion_tokens": 2}


KEY = "sk-0123456789"


async def answer(data: bytes, request: Any, *, stream: bool = False) -> Any:
    """What the client makes of an answer: a reply, or the error."""

    async def send(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    async with serving(send) as root:
        client = OpenAICompatible(Http(Endpoint(f"{root}/v1", KEY, timeout=5)), "m", stream=stream)
        try:
            return await client.complete(request)
        except MemreaderError as error:
            return error
        finally:
            await client.aclose()


@pytest.mark.parametrize(
    "data",
    [
        events(delta("Pa"), ": ping", delta("ris"), delta(finish="stop"), "[DONE]", end="\r\n\r\n"),
        events("", delta("Paris"), delta(finish="stop")),
        events(delta([{"type": "text", "text": "Paris"}]), delta(finish="stop"), "[DONE]"),
        events({"choices": [None]}, delta("Paris", "stop")),
        whole(PARIS),
    ],
    ids=["comments and CRLF", "blank data, no DONE", "parts", "no choice", "no stream at all"],
)
async def test_streams_of_all_kinds_are_read(data: bytes, request_for: Any) -> None:
    """Also where the server passes over `stream` and answers whole."""
    assert (await answer(data, request_for(), stream=True)).text == "Paris"


@pytest.mark.parametrize("mark", ["\u2028", "\u0085", "\x0b", "\x1c"])
async def test_line_separators_of_unicode_do_not_break_events(mark: str, request_for: Any) -> None:
    """Documents hold them, models quote them, and servers send them as they are."""
    event = delta("Pa|ris", "stop")
    data = events(
        json.dumps(event).replace("|", mark if ord(mark) > 32 else json.dumps(mark)[1:-1])
    )
    reply = await answer(data, request_for(), stream=True)
    assert reply.text.replace(mark, "|").startswith("Pa")
    assert reply.text.endswith("ris")


@pytest.mark.parametrize(
    "data",
    [
        events(delta("Paris"), delta(finish="stop", usage=USED), "[DONE]"),
        events(delta("Paris"), {**delta(finish="stop"), "x_groq": {"usage": USED}}, "[DONE]"),
        events(delta("Paris", "stop"), {"choices": [], "usage": USED}, "[DONE]"),
    ],
    ids=["Moonshot", "Groq", "OpenAI"],
)
async def test_usage_is_found_wherever_a_stream_has_it(data: bytes, request_for: Any) -> None:
    """So that a cut prompt is noticed, and the cost is the server's."""
    assert (await answer(data, request_for(), stream=True)).usage == Usage(10, 0, 2)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "slow down", "code": 429}, RateLimited),
        ({"message": "maximum context length is 4096 tokens", "code": 400}, PromptTooLong),
        ({"message": "the provider is overloaded", "code": "overloaded"}, ServerFault),
        ("boom", ServerFault),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_an_error_inside_an_answer_of_200_is_that_error(
    error: Any, kind: type[Exception], *, stream: bool, request_for: Any
) -> None:
    """Gateways pass on so what a provider refused."""
    data = events(delta("Pa"), {"error": error}) if stream else whole({"error": error})
    assert type(await answer(data, request_for(), stream=stream)) is kind


@pytest.mark.parametrize(
    "data",
    [
        whole(b"[" * 200_000),
        whole(b"<html>Bad gateway</html>", kind="text/html"),
        whole({"choices": [{"message": {"content": [{"type": "text", "text": 5}]}}]}),
    ],
    ids=["deep", "page", "part"],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_nonsense_is_a_fault_of_the_server(
    data: bytes, *, stream: bool, request_for: Any
) -> None:
    """No traceback of a parser, whatever comes."""
    assert type(await answer(data, request_for(), stream=stream)) is ServerFault


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": f"wrong key {KEY}", "code": 401}},
        {"detail": f"headers were: Bearer {KEY}"},
        f"<html>{KEY}</html>".encode(),
        {"choices": [{"message": {"content": {"echo": KEY}}}]},
    ],
)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "502 Bad Gateway"])
async def test_a_key_that_the_server_sends_back_is_in_no_message(
    body: Any, status: str, *, stream: bool, request_for: Any
) -> None:
    """Messages end in the trace and on the terminal."""
    error = await answer(whole(body, status), request_for(), stream=stream)
    assert isinstance(error, MemreaderError)
    assert KEY not in str(error)


@pytest.mark.parametrize("event", [{"choices": [{"delta": "x"}]}, "[1]", "{" * 50_000 + '"'])
async def test_a_broken_event_is_a_fault_of_the_server(event: Any, request_for: Any) -> None:
    """Likewise in a stream."""
    assert type(await answer(events(event), request_for(), stream=True)) is ServerFault


async def test_an_answer_that_comes_byte_by_byte_runs_out_of_time(request_for: Any) -> None:
    """The time-out is for all of an answer, not for its next byte."""

    async def drip(head: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving(drip) as root:
        client = OpenAICompatible(Http(Endpoint(f"{root}/v1", timeout=0.1)), "m")
        with pytest.raises(TimedOut, match=r"in time \(0\.1 s\)"):
            await client.complete(request_for())
        await client.aclose()


@pytest.mark.parametrize("prefix", ["", "/llama"])
async def test_llama_cpp_counts_behind_a_key_and_a_path(prefix: str) -> None:
    """`/tokenize` wants the key too, and stands where `/props` does."""

    async def send(head: str, writer: asyncio.StreamWriter) -> None:
        props = {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 2}
        if "authorization: bearer k1" not in head.lower():
            writer.write(whole({"error": {"message": "Invalid API Key"}}, "401 Unauthorized"))
        elif head.startswith(f"POST {prefix}/tokenize "):
            writer.write(whole({"tokens": [1, 2, 3]}))
        else:
            writer.write(whole(props, "200 OK" if f"{prefix}/props" in head else "404 Not Found"))

    async with serving(send) as root:
        spec = f"openai-compatible:{root}{prefix}/v1#m"
        async with open_model(spec, ModelSettings(api_key="k1", environment={})) as model:
            assert await asyncio.to_thread(model.counter.count, "three words here") == 3


@asynccontextmanager
async def keeping(answers: int) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that closes each connection after so many answers, without saying so beforehand.

    Yields its root, and how many answers each of its connections has had.
    """
    had: list[int] = []
    open_ones: set[asyncio.Task[Any]] = set()
    data = json.dumps({"tokens": [1, 2, 3], "choices": []}).encode()

    async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.add(asyncio.current_task())  # type: ignore[arg-type]
        mine = len(had)
        had.append(0)
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while had[mine] < answers:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                size = re.search(r"content-length: (\d+)", head)
                await reader.readexactly(int(size[1]) if size else 0)
                had[mine] += 1
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n\r\n".encode())
                writer.write(data)
                if "connection: close" in head:
                    break
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(exchange, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", had
    finally:
        server.close()
        await asyncio.gather(*open_ones)


async def test_calls_in_turn_share_a_connection_until_a_stream_ends_it() -> None:
    """Llama.cpp closes a connection after a stream; a call sent on it then would be lost."""
    async with keeping(100) as (root, had):
        http = Http(Endpoint(f"{root}/v1"))
        for _ in range(3):
            await http.post("/chat/completions", {})
        async with http.lines("/chat/completions", {}) as lines:
            assert len([line async for line in lines]) == 1
        await http.post("/chat/completions", {})
        await http.aclose()
    assert [4, 1] == had


async def test_a_connection_that_was_idle_for_long_is_not_used_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be closed at the very moment; here anything is long."""
    monkeypatch.setattr("memreader.llm._http.KEPT", 0.0)
    async with keeping(100) as (root, had):
        http = Http(Endpoint(f"{root}/v1"))
        for _ in range(3):
            await http.post("/chat/completions", {})
        await http.aclose()
    assert [1, 1, 1] == had


@pytest.mark.parametrize(("answers", "connections"), [(100, [4]), (2, [2, 2]), (1, [1, 1, 1, 1])])
async def test_counts_share_a_connection_until_the_server_closes_it(
    answers: int, connections: list[int]
) -> None:
    """A count that meets a closed one is asked again, once, on another."""
    async with keeping(answers) as (root, had):
        counter = EndpointCounter(root)
        for text in "abcd":
            assert await asyncio.to_thread(counter.count, text) == 3
        counter.close()
    assert connections == had
    with pytest.raises(Unreachable):
        counter.count("e")
