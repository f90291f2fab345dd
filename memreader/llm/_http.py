"""HTTP: the only module that imports httpx2, and where its exceptions become ours.

Imported by the clients when they open, never by `import memreader`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import httpx2

from memreader.errors import ConfigurationError, MemreaderError, Refused, ServerFault, Unreachable
from memreader.llm.faults import TimedOut, fault, fault_within

CONNECT = 10.0
"""Seconds until a connection must stand."""
KEPT = 2.0
"""Seconds for which an idle connection to a server nearby is used again: llama.cpp, uvicorn and
Node close one after 5, and a request sent just then would be lost, paid or not."""


def is_private(url: str) -> bool:
    """Whether a URL names this machine or a private network: no proxy, no price."""
    host = parts_of(url).hostname or ""
    if host == "host.docker.internal" or host.endswith((".localhost", ".local")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return bool(host) and "." not in host  # localhost, or a name that only this network knows


def parts_of(url: str) -> SplitResult:
    """The parts of a URL. Raises ConfigurationError for one that has none."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no port
    except ValueError as error:
        raise ConfigurationError(f"{url.rpartition('@')[2]} is no address ({error}).") from None
    return parts


@lru_cache(maxsize=64)
def without_secrets(url: str) -> str:
    """A URL without user, password and query: fit for logs, journals and messages."""
    parts = parts_of(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


@contextmanager
def translating(where: str, secret: str | None = None) -> Iterator[None]:
    """Turn every exception of httpx2 into one of ours; `secret` never shows in a message."""
    try:
        yield
    except (
        httpx2.HTTPError,
        httpx2.InvalidURL,
        httpx2.CookieConflict,
        httpx2.StreamError,
    ) as error:
        raise _ours(error, where, secret) from None


def _ours(  # noqa: PLR0911 - one return for each kind of failure reads best
    error: Exception, where: str, secret: str | None
) -> MemreaderError:
    why = f"{type(error).__name__}: {error}".rstrip(": ")
    why = why.replace(secret, "(the key)") if secret else why
    match error:
        case httpx2.ConnectError() if "CERTIFICATE_VERIFY" in why:
            return Unreachable(
                f"The certificate of {where} is not trusted ({why}). If the server is yours, put "
                f"the path of its certificate into SSL_CERT_FILE."
            )
        case httpx2.ConnectError() | httpx2.ConnectTimeout() | httpx2.ProxyError():
            return Unreachable(
                f"Nothing answers at {where} ({why}). Is the server running, and the address right?"
            )
        case httpx2.InvalidURL() | httpx2.UnsupportedProtocol():
            return ConfigurationError(f"{where} is not a usable address ({why}).")
        case httpx2.LocalProtocolError():  # its message may quote the header with the key
            return ConfigurationError(
                f"The request to {where} cannot be sent: a header is not valid. Check that the "
                f"key has no line break or blank in it."
            )
        case httpx2.TooManyRedirects():
            return Refused(f"{where} redirects in a circle ({why}). Check the base URL.")
        case httpx2.ReadTimeout():
            return TimedOut(
                f"{where} gave no answer in time ({why}). Raise `timeout` for a slow server.",
                may_be_billed=True,
            )
        case httpx2.PoolTimeout() | httpx2.WriteTimeout() | httpx2.WriteError():
            return ServerFault(f"The request did not get through to {where} ({why}).")
        case _:  # the request went out: read errors, protocol errors, undecodable bodies
            return ServerFault(f"{where} broke off ({why}).", may_be_billed=True)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go, and how."""

    url: str
    """Base of all paths, without a slash at its end."""
    key: str | None = field(default=None, repr=False)
    timeout: float = 600.0
    """Seconds to wait for an answer; for the next bytes of one that is streamed."""
    connections: int | None = None
    """At most; None leaves it to the gate, which limits what is in flight."""
    keep_alive: bool = True
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def shown(self) -> str:
        """The URL as messages show it."""
        return without_secrets(self.url)


class Http:
    """JSON over HTTP to one endpoint, with a connection pool for each event loop that uses it."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._clients: dict[asyncio.AbstractEventLoop, httpx2.AsyncClient] = {}
        self._lock = threading.Lock()

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON of the answer. Raises the error that any other answer stands for."""
        async with self._waiting(self.endpoint.timeout):
            response = await self._client().post(self._at(path), json=body)
        data = self._json(response)
        if (refusal := fault_within(data, where=self.endpoint.shown)) is not None:
            raise refusal
        return data

    async def get(self, path: str, *, timeout: float = 5.0) -> Any:
        """The JSON at a path, within `timeout` seconds."""
        async with self._waiting(timeout):
            response = await self._client().get(self._at(path), timeout=timeout)
        return self._json(response)

    @asynccontextmanager
    async def lines(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of a streamed answer, as they come."""
        # llama.cpp closes the connection after a stream without saying so beforehand.
        headers = {"Connection": "close"} if is_private(self.endpoint.url) else {}
        with self._translating():
            async with self._client().stream(
                "POST", self._at(path), json=body, headers=headers
            ) as response:
                if not response.is_success:
                    await response.aread()
                    raise self._fault(response)
                yield _lines(response.aiter_bytes(), self._hushed)

    async def aclose(self) -> None:
        """Close this loop's connections; those of closed loops are let go."""
        with self._lock:
            client = self._clients.pop(asyncio.get_running_loop(), None)
            self._clients = {k: v for k, v in self._clients.items() if not k.is_closed()}
        if client is not None:
            await client.aclose()

    def _client(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            with self._lock:
                self._clients = {k: v for k, v in self._clients.items() if not k.is_closed()}
                client = self._clients[loop] = self._opened()
        return client

    def _opened(self) -> httpx2.AsyncClient:
        at = self.endpoint
        headers = {"User-Agent": "memreader", **at.headers}
        if at.key:
            if not at.key.isascii():
                raise ConfigurationError(
                    f"The key for {at.shown} has a character that no key has; copy it anew."
                )
            headers.setdefault("Authorization", f"Bearer {at.key}")
        private = is_private(at.url)
        return httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(at.timeout, connect=CONNECT, pool=None),
            limits=httpx2.Limits(
                max_connections=at.connections,
                max_keepalive_connections=(at.connections or 64) if at.keep_alive else 0,
                keepalive_expiry=KEPT if private else 5.0,
            ),
            # Without TLS no certificates are needed, whose loading takes 0.1 s. With it, the
            # environment's are trusted on a private network too, unlike the environment's proxy.
            verify=not at.url.startswith("http://") and httpx2.create_ssl_context(),
            trust_env=not private,
        )

    def _at(self, path: str) -> str:
        return path if "://" in path else self.endpoint.url + path

    @asynccontextmanager
    async def _waiting(self, seconds: float) -> AsyncIterator[None]:
        """So long for all of an answer: one that comes byte by byte would never time out."""
        try:
            async with asyncio.timeout(seconds):
                with self._translating():
                    yield
        except TimeoutError:
            raise TimedOut(
                f"{self.endpoint.shown} gave no answer in time ({seconds:,.6g} s). Raise `timeout` "
                f"for a slow server.",
                may_be_billed=True,
            ) from None

    def _translating(self) -> Any:
        return translating(self.endpoint.shown, self.endpoint.key)

    def _json(self, response: httpx2.Response) -> Any:
        if not response.is_success:
            raise self._fault(response)
        return self.parsed(self._hushed(response.content))

    def _hushed(self, content: bytes) -> bytes:
        """What came, without the key: some servers put the request into what they answer."""
        key = self.endpoint.key
        return content.replace(key.encode(), b"(the key)") if key else content

    def parsed(self, content: bytes) -> Any:
        """The JSON of a body. Raises ServerFault where it is something else."""
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            start = content[:80].decode("utf-8", "replace")
            raise ServerFault(
                f"{self.endpoint.shown} answered with something that is not JSON: {start!r}.",
                may_be_billed=True,
            ) from error

    def _fault(self, response: httpx2.Response) -> MemreaderError:
        body = self._hushed(response.content)
        return fault(response.status_code, response.headers, body, where=self.endpoint.shown)


async def _lines(
    pieces: AsyncIterator[bytes], hushed: Callable[[bytes], bytes]
) -> AsyncIterator[str]:
    """Lines that end with a line feed, with or without a carriage return.

    Not `aiter_lines`, which takes U+2028 and U+0085 for line ends, as they stand in documents.
    """
    left = b""
    async for piece in pieces:
        *whole, left = (left + piece).split(b"\n")
        for line in whole:
            yield hushed(line.removesuffix(b"\r")).decode("utf-8-sig", "replace")
    if left:
        yield hushed(left).decode("utf-8-sig", "replace")


# --- downloads ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Download:
    """An open download."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    first: Mapping[str, str]
    """Headers of the first answer, before redirects: hubs name the checksum there."""


@contextmanager
def downloading(url: str, headers: Mapping[str, str]) -> Iterator[Download]:
    """Open a URL for reading, redirects followed."""
    timeout = httpx2.Timeout(60.0, connect=CONNECT)
    private = is_private(url)
    with (
        translating(without_secrets(url)),
        httpx2.Client(timeout=timeout, trust_env=not private) as client,
        client.stream("GET", url, headers=headers, follow_redirects=True) as response,
    ):
        first = response.history[0] if response.history else response
        if response.status_code not in (200, 206, 416):
            response.read()
            raise fault(
                response.status_code, response.headers, response.content, where=without_secrets(url)
            )
        yield Download(response.status_code, response.headers, response.iter_raw(), first.headers)
