"""The test server itself: it counts, schedules its defect, and is healthy without one."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from memreader.errors import MemreaderError, PromptTooLong
from memreader.llm._http import Endpoint, Http
from memreader.testing import Defect, MisbehavingServer

pytestmark = pytest.mark.anyio


def body(text: str = "hello there", **more: Any) -> dict[str, Any]:
    """A request."""
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 20, **more}


async def outcomes(server: MisbehavingServer, times: int, **more: Any) -> list[bool]:
    """Which of so many requests were answered."""
    http, went = Http(Endpoint(server.url)), []
    for number in range(times):
        try:
            await http.post("/chat/completions", body(f"request {number}", **more))
            went.append(True)
        except MemreaderError:
            went.append(False)
    await http.aclose()
    return went


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ({}, [False] * 6),
        ({"first": 2}, [False, False, True, True, True, True]),
        ({"every": 3}, [True, True, False, True, True, False]),
        (
            {"when": lambda b: "request 4" in b["messages"][0]["content"]},
            [True, True, True, True, False, True],
        ),
    ],
)
async def test_when_it_misbehaves(schedule: Any, expected: list[bool]) -> None:
    """Always, the first, each n-th, or where a predicate says so."""
    with MisbehavingServer(lambda _: "x", defect=Defect.SERVER_ERROR, **schedule) as server:
        assert await outcomes(server, 6) == expected
    assert len(server.requests) == 6


async def test_it_counts_what_is_in_flight() -> None:
    """Three requests held open together are a peak of three."""
    meeting = threading.Barrier(3, timeout=10)

    def answer(request: Any) -> str:
        meeting.wait()
        return "x"

    with MisbehavingServer(answer) as server:
        http = Http(Endpoint(server.url))
        calls = (http.post("/chat/completions", body(str(i))) for i in range(3))
        await asyncio.gather(*calls)
        await http.aclose()
    assert (server.peak, server.in_flight) == (3, 0)


async def test_a_healthy_server_keeps_its_word() -> None:
    """Stop strings, token limits, schemas, the window and the prefix cache work as in real ones."""
    schema = {"properties": {"city": {"type": "string"}, "count": {"type": "integer"}}}
    shape = {"type": "json_schema", "json_schema": {"schema": schema}}
    with MisbehavingServer(lambda _: "one two END three", window=100) as server:
        http = Http(Endpoint(server.url))

        async def answer(**more: Any) -> Any:
            return await http.post("/chat/completions", body(**more))

        first = await answer()
        stopped = await answer(stop=["END"])
        short = await answer(max_tokens=2)
        shaped = await answer(response_format=shape)
        with pytest.raises(PromptTooLong):
            await answer(text="word " * 200)
        await http.aclose()
    assert stopped["choices"][0]["message"]["content"] == "one two "
    assert short["choices"][0]["finish_reason"] == "length"
    assert shaped["choices"][0]["message"]["content"].startswith('{"city":')
    assert first["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    assert stopped["usage"]["prompt_tokens_details"]["cached_tokens"] == 1


async def test_a_silent_cut_drops_the_beginning() -> None:
    """The model sees the end only, and the reported prompt is short."""
    seen: list[Any] = []

    def answer(request: Any) -> str:
        seen.append(request["messages"][-1]["content"])
        return "x"

    with MisbehavingServer(answer, defect=Defect.SILENT_CUT, cut_at=50) as server:
        http = Http(Endpoint(server.url))
        words = " ".join(f"w{i}" for i in range(500))
        reply = await http.post("/chat/completions", body(words))
        await http.aclose()
    assert seen[0].endswith("w499")
    assert "w0 " not in seen[0]
    assert reply["usage"]["prompt_tokens"] <= 54
