"""A simulated chat server on loopback: `python -m benchmarks.server`.

Speaks chat completions (without streaming), `/v1/models`, and with `--props` llama.cpp's `/props`
and `/tokenize`. In a process of its own, so that the client's CPU time is measured alone.
Prints its port. `GET /records` gives every call so far; `POST /reset` forgets them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.latency import Latency, PrefixCache, tokens_of
from benchmarks.replies import needs_of, reply_to, size_of


@dataclass(slots=True)
class Call:
    """One chat completion as the server saw it; times are of the machine's monotonic clock."""

    number: int
    key: str
    """Hash of the prompt: equal for a repeated call."""
    arrived: float
    in_flight: int
    """Requests that had arrived and were not answered, this one included."""
    prompt_tokens: int
    output_tokens: int
    needs: tuple[int, ...]
    """Numbers of the calls whose replies its prompt shows."""
    cached_tokens: int = 0
    seconds: float = 0.0
    """What the latency model gave it, waiting for a slot not included."""
    finished: float | None = None
    """When the reply had been handed to the connection; None where it never was."""


@dataclass(slots=True)
class Simulation:
    """The state of one server."""

    latency: Latency
    slots: int
    window: int
    props: bool
    calls: list[Call] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)
    """Requests to other paths, by path."""
    in_flight: int = 0
    cache: PrefixCache = field(default_factory=PrefixCache)
    free: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.free = asyncio.Semaphore(self.slots)

    def reset(self) -> None:
        """Forget calls and cache."""
        self.calls, self.others, self.cache = [], {}, PrefixCache()

    async def completed(self, body: dict[str, Any]) -> tuple[Call, dict[str, Any]]:
        """Answer a chat completion after as long as the latency model says."""
        prompt = "\n".join(_content(message) for message in body["messages"])
        text = reply_to(prompt, len(self.calls))
        given, output = size_of(prompt, text)
        key = hashlib.sha256(prompt.encode()).hexdigest()[:16]
        call = Call(
            len(self.calls), key, time.monotonic(), self.in_flight, given, output, needs_of(prompt)
        )
        self.calls.append(call)
        async with self.free:
            call.cached_tokens = min(self.cache.cached(prompt), given)
            call.seconds = self.latency.seconds(given, call.cached_tokens, output)
            await asyncio.sleep(call.seconds)
            self.cache.keep(prompt)
        return call, _completion(call, str(body.get("model")), text)

    def told(self, path: str, body: bytes) -> Any:
        """The answer to any other request; None where there is nothing."""
        self.others[path] = self.others.get(path, 0) + 1
        if path == "/v1/models":
            return {"data": [{"id": "sim", "object": "model", "max_model_len": self.window}]}
        if path == "/records":
            return {"calls": [asdict(call) for call in self.calls], "others": self.others}
        if path == "/reset":
            self.reset()
            return {}
        if path == "/props" and self.props:
            settings = {"n_ctx": self.window}
            return {"default_generation_settings": settings, "total_slots": self.slots}
        if path == "/tokenize" and self.props:
            return {"tokens": list(range(tokens_of(json.loads(body)["content"])))}
        return None


def _content(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(str(part.get("text", "")) for part in content)


def _completion(call: Call, model: str, text: str) -> dict[str, Any]:
    return {
        "id": f"call-{call.number}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": call.prompt_tokens,
            "completion_tokens": call.output_tokens,
            "total_tokens": call.prompt_tokens + call.output_tokens,
            "prompt_tokens_details": {"cached_tokens": call.cached_tokens},
        },
    }


@dataclass(slots=True)
class Connection:
    """One connection: requests in turn, kept alive unless the client says otherwise."""

    simulation: Simulation
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def serve(self) -> None:
        """Answer requests until the client goes."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await self._one():
                pass
        self.writer.close()

    async def _one(self) -> bool:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.split("\r\n")
        path = request.split(" ")[1].partition("?")[0]
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        body = await self.reader.readexactly(int(headers.get("content-length") or 0))
        if path.endswith("/chat/completions"):
            await self._complete(body)
        else:
            await self._send(self.simulation.told(path, body))
        return headers.get("connection", "").lower() != "close"

    async def _complete(self, body: bytes) -> None:
        self.simulation.in_flight += 1
        try:
            call, answer = await self.simulation.completed(json.loads(body))
            if not self.reader.at_eof():
                await self._send(answer)
                call.finished = time.monotonic()
        finally:
            self.simulation.in_flight -= 1

    async def _send(self, answer: Any) -> None:
        status = "404 Not Found" if answer is None else "200 OK"
        data = json.dumps(answer if answer is not None else {"error": {"message": "none"}}).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        self.writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        await self.writer.drain()


async def serve(simulation: Simulation, port: int) -> None:
    """Serve until cancelled; prints the port first."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Connection(simulation, reader, writer).serve()

    server = await asyncio.start_server(connected, "127.0.0.1", port, limit=1 << 20, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--slots", type=int, default=32)
    parser.add_argument("--window", type=int, default=16_384)
    parser.add_argument("--scale", type=float, default=1.0, help="factor on all latencies")
    parser.add_argument("--props", action="store_true", help="speak /props and /tokenize too")
    given = parser.parse_args(arguments)
    simulation = Simulation(Latency(scale=given.scale), given.slots, given.window, given.props)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(simulation, given.port))


if __name__ == "__main__":
    main()
