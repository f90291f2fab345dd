"""Tokens as a llama.cpp server counts them, over one kept connection."""

from __future__ import annotations

import functools
import json
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from memreader.errors import Unreachable
from memreader.llm.base import TokenCounter
from memreader.tokens import ESTIMATE, Calibrated

if TYPE_CHECKING:
    from http.client import HTTPConnection

KEPT = 2.0
"""Seconds for which an idle connection is used again; servers close it after 5 or more."""


class EndpointCounter:
    """Counts by llama.cpp's `/tokenize`; remembers the latest counts.

    One request for each new text, on the caller's thread: a loopback server answers in about a
    millisecond, which is why this is not asynchronous.
    """

    def __init__(
        self, url: str, *, key: str | None = None, remembered: int = 256, timeout: float = 60.0
    ) -> None:
        self.url = url
        self.exact = True
        self.name = "endpoint (/tokenize)"
        self._link = _Link(url, timeout)
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._count: Callable[[str], int] = functools.lru_cache(maxsize=remembered)(self._asked)

    def count(self, text: str) -> int:
        """Tokens as the endpoint counts them. Raises Unreachable where it is gone."""
        return self._count(text) if text else 0

    def close(self) -> None:
        """Close the connection; a further count opens another."""
        self._link.close()

    def _asked(self, text: str) -> int:
        from http.client import HTTPException

        sent = text.encode("utf-8", "replace").decode()
        body = json.dumps({"content": sent, "add_special": False}).encode()
        try:
            answer = self._link.posted("/tokenize", body, self._headers)
            return len(json.loads(answer)["tokens"])
        except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
            raise Unreachable(f"{self.url} does not count tokens: {error!r}.") from error


class _Link:
    """A connection that is kept between requests; used by one thread at a time."""

    def __init__(self, url: str, timeout: float) -> None:
        self._parts = urlsplit(url)
        self._timeout = timeout
        self._lock = threading.Lock()
        self._open: HTTPConnection | None = None
        self._used = 0.0

    def posted(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        """The body of the answer. Sent once more where the server had closed what was kept.

        So only for requests that do no harm when they come twice.
        """
        with self._lock:
            if time.monotonic() - self._used > KEPT:
                self._closed()
            kept = self._open is not None
            try:
                return self._sent(path, body, headers)
            except ConnectionError:
                if not kept:
                    raise
                return self._sent(path, body, headers)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._closed()

    def _sent(self, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        connection = self._open = self._open or self._opened()
        try:
            connection.request("POST", self._parts.path + path, body, headers)
            answer = connection.getresponse().read()
        except BaseException:  # because a request that was broken off leaves half an answer behind
            self._closed()
            raise
        self._used = time.monotonic()
        return answer

    def _opened(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection

        kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        return kind(self._parts.hostname or "", self._parts.port, timeout=self._timeout)

    def _closed(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open = None


def for_parts(counter: TokenCounter, sample: str) -> TokenCounter:
    """What counts the many small parts of a text: the counter itself, if it needs no server.

    Instead of a server, an estimate scaled on the sample, so that cutting a text into chunks
    does not take a request for each paragraph. Whole chunks are still counted by the server.
    """
    if not isinstance(counter, EndpointCounter) or not sample.strip():
        return counter
    return Calibrated(_MARGIN * counter.count(sample) / ESTIMATE.count(sample))


_MARGIN = 1.02
"""Above the measured ratio, so that a chunk seldom has to be cut again."""
