"""A real model server on loopback, healthy or with one defect at a time, for tests.

It speaks the chat-completions subset that memreader uses (plain and streamed), llama.cpp's
`/props` and `/tokenize`, `/v1/models`, and Ollama's `/api/chat` and `/api/show`; and it embeds, at
`/v1/embeddings` and `/api/embed`. What it answers is up to the test:

    with MisbehavingServer(lambda body: "Paris", defect=Defect.RATE_LIMIT, first=2) as server:
        model = f"openai-compatible:{server.url}#test"
        ...
        assert len(server.requests) == 3
"""

from __future__ import annotations

import json
import math
import select
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from memreader.fakes.server import (
    EMBEDDING_PATHS,
    Body,
    Defect,
    Turn,
    bounded,
    conforming,
    longest,
    of_embeddings,
    of_ollama,
    of_openai,
    seen_by_model,
    shared,
    spoilt,
    stream_events,
    tokens,
    words,
)

__all__ = ["Defect", "MisbehavingServer"]

Answer = Callable[[Body], str]


@dataclass
class MisbehavingServer:
    """A context manager that serves on a free loopback port until it is left.

    Without `first`, `every` and `when` all requests for an answer misbehave.
    """

    answer: Answer
    """The text for a request's JSON body. It sees what the server lets it see: no schema where
    the schema is ignored, no beginning where the prompt is cut."""
    defect: Defect | None = None
    first: int | None = None
    """Only this many requests misbehave, the first ones."""
    every: int | None = None
    """Each n-th request misbehaves."""
    when: Callable[[Body], bool] | None = None
    """Requests for which this is true misbehave."""
    window: int = 8192
    """Tokens of prompt and reply; longer prompts are refused as llama.cpp refuses them."""
    slots: int = 4
    speaks: Literal["llama.cpp", "openai", "ollama"] = "llama.cpp"
    """What it tells about itself: OpenAI's kind tells nothing."""
    retry_after: float = 1.0
    """Seconds, as said in `Retry-After`."""
    cut_at: int = 200
    """Tokens of a prompt that are left with SILENT_CUT."""
    requests: list[Body] = field(default_factory=list)
    """Bodies of all requests for an answer, in the order of arrival."""
    paths: list[str] = field(default_factory=list)
    """Paths of all requests whatsoever."""
    in_flight: int = 0
    peak: int = 0
    """Most requests for an answer that were open at once."""

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._last: list[str] = []

    def __enter__(self) -> MisbehavingServer:
        handler = type("Handler", (_Exchange,), {"owner": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def root(self) -> str:
        """Base URL without a path: what Ollama's clients use."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """Base URL of chat completions."""
        return f"{self.root}/v1"

    # --- one request -----------------------------------------------------------------------

    def begin(self, body: Body) -> Defect | None:
        """Record a request for an answer; the defect it meets."""
        with self._lock:
            self.requests.append(body)
            number = len(self.requests)
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
        if self.first is not None:
            met = number <= self.first
        elif self.every is not None:
            met = number % self.every == 0
        else:
            met = self.when is None or self.when(body)
        return self.defect if met else None

    def end(self) -> None:
        """The request is done, well or not."""
        with self._lock:
            self.in_flight -= 1

    def turn(self, body: Body, defect: Defect | None) -> Turn:
        """The answer to a request, as far as the defect lets it be one."""
        seen = seen_by_model(body, defect, self.cut_at)
        prompt = words(seen)
        with self._lock:
            cached = shared(self._last, prompt)
            self._last = prompt
        text = self.answer(seen)
        if "response_format" in seen or "format" in seen:
            text = conforming(text, seen)
        text, finish = spoilt(text, "stop", defect)
        text, finish = bounded(text, finish, seen)
        return Turn(text, finish, tokens("\n".join(prompt)) + 4, cached, len(self.requests))

    def wait_for_client(self, connection: socket.socket) -> None:
        """Hang until the client has closed, or the server does."""
        while not self._closing.wait(0.01):
            readable, _, _ = select.select([connection], [], [], 0)
            if readable and not connection.recv(1, socket.MSG_PEEK):
                return


class _Server(ThreadingHTTPServer):
    """Threads that end with the process; clients that are killed are no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what is the server's own fault alone."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Exchange(BaseHTTPRequestHandler):
    """Speaks HTTP for its owner."""

    owner: MisbehavingServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Facts about the server and its model."""
        at = self.owner
        at.paths.append(self.path)
        model = {"id": "test", "object": "model"}
        if self.path == "/props" and at.speaks == "llama.cpp":
            settings = {"n_ctx": at.window}
            self._json({"default_generation_settings": settings, "total_slots": at.slots})
        elif self.path == "/v1/models":
            self._json({"object": "list", "data": [model]})
        else:
            self._error(404, "not found")

    def do_POST(self) -> None:
        """Answers, token counts, and what Ollama shows of a model."""
        at = self.owner
        at.paths.append(self.path)
        size = int(self.headers.get("Content-Length", 0))
        data = self.rfile.read(size)
        if len(data) < size:  # the client died while it was sending
            self.close_connection = True
            return
        body = json.loads(data or b"{}")
        if self.path in ("/v1/chat/completions", "/api/chat", *EMBEDDING_PATHS):
            defect = at.begin(body)
            try:
                self._chat(body, defect)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True
            finally:
                at.end()
        elif self.path == "/tokenize" and at.speaks == "llama.cpp":
            self._json({"tokens": list(range(tokens(body["content"])))})
        elif self.path == "/api/show" and at.speaks == "ollama":
            self._json({"model_info": {"test.context_length": at.window}})
        else:
            self._error(404, "not found")

    def _chat(self, body: Body, defect: Defect | None) -> None:
        at = self.owner
        size = longest(body)
        if defect is Defect.RATE_LIMIT:
            self._error(429, "slow down", retry_after=at.retry_after)
        elif defect is Defect.SERVER_ERROR:
            self._error(503, "overloaded")
        elif defect is Defect.RESET:
            linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
        elif defect is Defect.HANG:
            at.wait_for_client(self.connection)
            self.close_connection = True
        elif defect is Defect.WINDOW_EXCEEDED or size > at.window:
            self._too_long(size, min(at.window, max(1, size - 1)))
        elif defect is Defect.MALFORMED:
            self._send(200, b"<html>Bad gateway, try again</html>")
        else:
            self._answer(body, defect)

    def _answer(self, body: Body, defect: Defect | None) -> None:
        if self.path in EMBEDDING_PATHS:
            self._json(of_embeddings(self.path, body, defect))
            return
        turn = self.owner.turn(body, defect)
        if self.path == "/api/chat":
            reply = of_ollama(turn, defect)
        elif body.get("stream"):
            self._stream(stream_events(turn, defect), cut=defect is Defect.CUT_STREAM)
            return
        else:
            reply = of_openai(turn, defect, body)
        data = json.dumps(reply).encode()
        self._send(200, data, cut=defect is Defect.CUT_STREAM)

    def _too_long(self, size: int, window: int) -> None:
        message = f"request ({size} tokens) exceeds the available context size ({window} tokens)"
        error = {"code": 400, "message": message, "type": "exceed_context_size_error",
                 "n_prompt_tokens": size, "n_ctx": window}  # fmt: skip
        self._send(400, json.dumps({"error": error}).encode())

    def _error(self, status: int, message: str, *, retry_after: float | None = None) -> None:
        body = {"error": {"message": message, "type": "error", "code": status}}
        seconds = {} if retry_after is None else {"Retry-After": str(math.ceil(retry_after))}
        self._send(status, json.dumps(body).encode(), headers=seconds)

    def _json(self, value: Any) -> None:
        self._send(200, json.dumps(value).encode())

    def _send(
        self,
        status: int,
        data: bytes,
        *,
        cut: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection = self.close_connection or cut

    def _stream(self, events: list[str], *, cut: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for event in events[: max(1, len(events) // 2)] if cut else events:
            self.wfile.write(f"data: {event}\n\n".encode())
        self.close_connection = True
