"""HTTP: foreign exceptions and statuses become ours, and no key shows anywhere."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memreader.errors import (
    ConfigurationError,
    MemreaderError,
    PromptTooLong,
    RateLimited,
    Refused,
    ServerFault,
    Unreachable,
)
from memreader.llm._http import Endpoint, Http, is_private, translating, without_secrets
from memreader.llm.faults import TimedOut, fault, seconds_to_wait
from memreader.testing_server import Defect, MisbehavingServer

KEY = "sk-secret-0123456789"

EXPECTED: dict[str, type[MemreaderError]] = {
    "ConnectError": Unreachable,
    "ConnectTimeout": Unreachable,
    "ProxyError": Unreachable,
    "InvalidURL": ConfigurationError,
    "UnsupportedProtocol": ConfigurationError,
    "LocalProtocolError": ConfigurationError,
    "TooManyRedirects": Refused,
    "ReadTimeout": TimedOut,
}
BILLED = {"ReadTimeout", "ReadError", "RemoteProtocolError", "DecodingError"}
NOT_BILLED = {"PoolTimeout", "WriteTimeout", "WriteError"}


def foreign() -> list[type[Exception]]:
    """Every exception class that httpx2 can raise."""
    found = [c for _, c in inspect.getmembers(httpx2, inspect.isclass) if issubclass(c, Exception)]
    return [c for c in found if not issubclass(c, Warning)]


def made(kind: type[Exception]) -> Exception:
    """An instance, whatever the constructor wants."""
    request = httpx2.Request("GET", "http://x")
    if kind is httpx2.HTTPStatusError:
        return httpx2.HTTPStatusError("s", request=request, response=httpx2.Response(500))
    try:
        return kind("broken")
    except TypeError:
        return kind()


@pytest.mark.parametrize("kind", foreign(), ids=lambda k: k.__name__)
def test_each_foreign_exception_becomes_one_of_ours(kind: type[Exception]) -> None:
    """No class of httpx2's passes through, and each has the meaning that callers act on."""
    with pytest.raises(MemreaderError) as caught, translating("http://x"):
        raise made(kind)
    assert type(caught.value) is EXPECTED.get(kind.__name__, ServerFault)
    if kind.__name__ in BILLED:
        assert caught.value.may_be_billed  # type: ignore[attr-defined]
    if kind.__name__ in NOT_BILLED:
        assert not caught.value.may_be_billed  # type: ignore[attr-defined]


def test_a_certificate_that_is_not_trusted_is_told_from_a_server_that_is_not_there() -> None:
    """And how to trust it."""
    with pytest.raises(Unreachable, match="SSL_CERT_FILE"), translating("https://x"):
        raise httpx2.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")


def test_there_are_foreign_exceptions_at_all() -> None:
    """The enumeration above is not empty."""
    assert len(foreign()) >= 20


STATUSES: list[tuple[int, str, type[MemreaderError]]] = [
    (401, "bad key", Refused),
    (402, "pay first", Refused),
    (403, "not yours", Refused),
    (404, "no such model", Refused),
    (418, "teapot", Refused),
    (301, "moved", Refused),
    (429, "slow down", RateLimited),
    (429, "You exceeded your current quota", Refused),
    (408, "slow client", ServerFault),
    (409, "conflict", ServerFault),
    (500, "oops", ServerFault),
    (502, "<html>bad gateway</html>", ServerFault),
    (503, "loading model", ServerFault),
    (529, "overloaded", ServerFault),
]


@pytest.mark.parametrize(("status", "message", "kind"), STATUSES)
def test_each_status_means_one_error(status: int, message: str, kind: type[MemreaderError]) -> None:
    """The message quotes the server, and the type says whether to try again."""
    error = fault(status, {}, f'{{"error": {{"message": "{message}"}}}}', where="http://x/v1")
    assert type(error) is kind
    assert message in str(error)
    assert f"answered {status}" in str(error)


TOO_LONG = [
    (400, {"error": {"type": "exceed_context_size_error", "message": "request (6031 tokens) exceeds"
                     " the available context size", "n_prompt_tokens": 6031, "n_ctx": 2048}}),
    (400, {"error": {"code": "context_length_exceeded", "message": "This model's maximum context "
                     "length is 2048 tokens. However, your messages resulted in 6031 tokens."}}),
    (400, {"object": "error", "message": "This model's maximum context length is 2048 tokens. "
           "However, you requested 6031 tokens", "type": "BadRequestError", "code": 400}),
    (400, {"type": "error", "error": {"type": "invalid_request_error",
           "message": "prompt is too long: 6031 tokens > 2048 maximum"}}),
    (400, {"error": "the input length 6031 exceeds the context length 2048"}),
    (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. "
           "Given: 6031. maximum allowed input length"}),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body"), TOO_LONG)
def test_a_prompt_too_long_is_told_from_other_refusals(status: int, body: Any) -> None:
    """llama.cpp, OpenAI, vLLM, Anthropic, Ollama and TGI: the figures are in the message."""
    import json

    error = fault(status, {}, json.dumps(body), where="http://x/v1")
    assert type(error) is PromptTooLong
    assert "6031" in str(error).replace(",", "")
    assert "2048" in str(error).replace(",", "")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2020 07:28:00 GMT"}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after-ms": "0"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "x", "retry-after": "3"}, 3.0),
        ({}, None),
    ],
)
def test_the_wait_asked_for(headers: dict[str, str], seconds: float | None) -> None:
    """Seconds, milliseconds and dates; nonsense and the past are no wait."""
    now = 1792567680.0  # Wed, 21 Oct 2026 07:28:00 GMT
    assert seconds_to_wait(headers, now) == seconds


@given(st.integers(300, 599), st.binary(max_size=300))
def test_any_answer_gives_an_error_of_ours(status: int, body: bytes) -> None:
    """Whatever a server sends, a status and a body become one of our errors."""
    assert isinstance(fault(status, {}, body, where="x"), MemreaderError)


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("http://localhost:8080/v1", True),
        ("http://127.0.0.1:1/v1", True),
        ("http://[::1]:1/v1", True),
        ("http://192.168.1.4/v1", True),
        ("http://10.0.0.1", True),
        ("http://box.local:8080", True),
        ("http://vllm:8000/v1", True),
        ("http://100.64.0.7/v1", True),
        ("https://api.openai.com/v1", False),
        ("http://8.8.8.8", False),
    ],
)
def test_what_is_private(url: str, private: bool) -> None:
    """Addresses of one machine and of private networks: no proxy, no price."""
    assert is_private(url) is private


@pytest.mark.parametrize("url", ["http://[::1/v1", "http://h:99999/v1", "http://u:secret@h:x/v1"])
def test_what_has_no_parts_is_a_setting_that_is_wrong(url: str) -> None:
    """No traceback of the standard library, and no password in the message."""
    with pytest.raises(ConfigurationError) as caught:
        is_private(url)
    assert "secret" not in str(caught.value)


@pytest.mark.anyio
async def test_a_key_that_no_header_can_hold_is_a_setting_that_is_wrong() -> None:
    """Copied with a typographic dash, say."""
    with pytest.raises(ConfigurationError, match="copy it anew"):
        await Http(Endpoint("http://127.0.0.1:9/v1", "sk\u2013secret")).get("/models")


def test_urls_are_shown_without_secrets() -> None:
    """User, password and query never show."""
    assert without_secrets("https://u:pw@h:1/v1/?key=abc#m") == "https://h:1/v1"


def client(url: str, **how: Any) -> Http:
    """An HTTP client with a key."""
    return Http(Endpoint(url, KEY, **how))


@pytest.mark.anyio
async def test_the_key_is_in_no_message_and_no_repr() -> None:
    """Not where the server echoes it, not where it is malformed, not in a repr."""

    def echo(body: dict[str, Any]) -> str:
        raise AssertionError

    with MisbehavingServer(echo) as server:
        http = client(server.url)
        with pytest.raises(Refused) as caught:
            await http.post(f"/{KEY}", {})
        await http.aclose()
        assert KEY not in repr(http.endpoint)
        broken = Http(Endpoint(server.url, KEY + "\n"))
        with pytest.raises(ConfigurationError) as malformed:
            await broken.post("/chat/completions", {})
        await broken.aclose()
    assert KEY not in str(caught.value) + str(malformed.value)
    assert "line break" in str(malformed.value)
    error = fault(401, {}, "x", where="x")
    assert isinstance(error, Refused)


@pytest.mark.anyio
async def test_nothing_there_is_unreachable() -> None:
    """A refused connection says at which address, and what to check."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    http = client(f"http://127.0.0.1:{port}/v1")
    with pytest.raises(Unreachable, match=f"127.0.0.1:{port}"):
        await http.post("/chat/completions", {})
    await http.aclose()


Broken = Callable[[str], Any]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("defect", "kind"),
    [
        (Defect.RATE_LIMIT, RateLimited),
        (Defect.SERVER_ERROR, ServerFault),
        (Defect.RESET, ServerFault),
        (Defect.HANG, TimedOut),
        (Defect.CUT_STREAM, ServerFault),
        (Defect.MALFORMED, ServerFault),
        (Defect.WINDOW_EXCEEDED, PromptTooLong),
    ],
)
async def test_each_defect_of_a_server_is_the_right_error(
    defect: Defect, kind: type[MemreaderError]
) -> None:
    """On a real connection, and the next request is answered again."""
    body = {"messages": [{"role": "user", "content": "hello there"}], "max_tokens": 5}
    with MisbehavingServer(lambda _: "Paris", defect=defect, first=1) as server:
        http = client(server.url, timeout=0.2)
        with pytest.raises(kind) as caught:
            await http.post("/chat/completions", body)
        if isinstance(caught.value, RateLimited):
            assert caught.value.retry_after == 1.0
        answer = await http.post("/chat/completions", body)
        await http.aclose()
    assert answer["choices"][0]["message"]["content"] == "Paris"


def test_a_client_serves_one_loop_after_another() -> None:
    """Connections belong to an event loop; a second `asyncio.run` gets its own."""
    import asyncio

    body = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 5}
    with MisbehavingServer(lambda _: "Paris") as server:
        http = client(server.url, keep_alive=False)

        async def once() -> None:
            await http.post("/chat/completions", body)
            await http.aclose()

        asyncio.run(once())
        asyncio.run(once())
        assert len(server.requests) == 2
