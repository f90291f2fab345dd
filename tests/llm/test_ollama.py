"""Ollama: the native API, with the context size set in every call."""

from __future__ import annotations

from typing import Any

import pytest

from memreader.errors import ConfigurationError, Refused, ServerFault
from memreader.llm.ollama import MOST, _parallel, address, window_for
from memreader.llm.registry import ModelSettings, open_model
from memreader.testing_server import Defect, MisbehavingServer

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (None, "http://127.0.0.1:11434"),
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:9999", "http://127.0.0.1:9999"),
        ("box", "http://box:11434"),
        ("box:80", "http://box:80"),
        ("http://box", "http://box:80"),
        ("https://box/", "https://box:443"),
        ("http://box:1234/", "http://box:1234"),
        ("::1", "http://[::1]:11434"),
        ("[::1]:80", "http://[::1]:80"),
        ("https://box/ollama/", "https://box:443/ollama"),
    ],
)
def test_the_address_in_all_its_forms(host: str | None, url: str) -> None:
    """OLLAMA_HOST means here what it means to Ollama."""
    assert address(host) == url


@pytest.mark.parametrize(
    ("trained", "wanted", "window"),
    [
        (None, None, 4096),
        (8192, None, 8192),
        (131072, None, MOST),
        (131072, 60000, 60000),
        (8192, 60000, 8192),
        (None, 60000, 60000),
    ],
)
def test_the_context_asked_for(trained: int | None, wanted: int | None, window: int) -> None:
    """What the user wants and the model has; by default not more than fits into memory."""
    assert window_for(trained, wanted) == window


async def test_a_call(request_for: Any) -> None:
    """The context size, the cap, stop strings and the schema go where Ollama wants them."""
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    with MisbehavingServer(lambda _: "Paris", speaks="ollama", window=6000) as server:
        settings = ModelSettings(base_url=server.root, environment={})
        async with open_model("ollama:qwen3", settings) as model:
            reply = await model.llm.complete(
                request_for("which city", stop=("x",), schema=schema, seed=3)
            )
    assert (model.window, model.concurrency, model.name) == (6000, 1, "ollama:qwen3")
    body = server.requests[0]
    expected = {"num_ctx": 6000, "num_predict": 50, "temperature": 0.0, "stop": ["x"], "seed": 3}
    assert body["options"] == expected
    assert body["format"] == schema
    assert body["stream"] is False
    assert reply.text == '{"a": "Paris"}'
    assert (reply.usage.reported, reply.finish_reason) == (True, "stop")


@pytest.mark.parametrize("defect", [Defect.WRONG_TYPE, Defect.EMPTY, Defect.MALFORMED])
async def test_what_is_no_answer_is_a_server_fault(defect: Defect, request_for: Any) -> None:
    """As with every other client."""
    with MisbehavingServer(lambda _: "Paris", defect=defect, speaks="ollama") as server:
        settings = ModelSettings(base_url=server.root, environment={})
        async with open_model("ollama:qwen3", settings) as model:
            with pytest.raises(ServerFault):
                await model.llm.complete(request_for())


async def test_a_model_that_is_not_there() -> None:
    """The error has the command that gets it."""
    with MisbehavingServer(lambda _: "", speaks="openai") as server:
        settings = ModelSettings(base_url=server.root, environment={})
        with pytest.raises(Refused, match="ollama pull nope"):
            async with open_model("ollama:nope", settings):
                pass


def test_how_many_calls_at_once() -> None:
    """One, unless the server's own setting is known; nonsense in it is an error."""
    assert _parallel({}) == 1
    assert _parallel({"OLLAMA_NUM_PARALLEL": "3"}) == 3
    with pytest.raises(ConfigurationError):
        _parallel({"OLLAMA_NUM_PARALLEL": "many"})
