"""From a name to a model: keys, addresses, windows, limits, and what this machine offers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memreader.errors import ConfigurationError, Unreachable
from memreader.llm._http import Endpoint, Http
from memreader.llm.base import FREE
from memreader.llm.dispatch import Dispatcher
from memreader.llm.endpoints import base_url, key_for, window_of
from memreader.llm.openai_compatible import OpenAICompatible
from memreader.llm.registry import ModelSettings, default_model, models_configured, open_model
from memreader.llm.windows import Facts, facts_of, remarks
from memreader.testing_server import MisbehavingServer

pytestmark = pytest.mark.anyio
KEY = "sk-secret"


def paris(body: dict[str, Any]) -> str:
    """An answer."""
    return "Paris"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("opnai:gpt-4o", "Did you mean `openai:"),
        ("gpt-4o", "Did you mean `openai:gpt-4o`"),
        ("claude-x", "Did you mean `anthropic:claude-x`"),
        ("http://h:1/v1", "Did you mean `openai-compatible:http://h:1/v1`"),
        ("m.gguf", "Did you mean `local:m.gguf`"),
        ("zzz:x", "Providers: openai, anthropic, ollama, openai-compatible, local"),
        ("openai:", "names no model"),
        ("", "Providers:"),
    ],
)
def test_a_wrong_name_is_refused_at_once(spec: str, words: str) -> None:
    """Before anything is opened, with the nearest name that works."""
    with pytest.raises(ConfigurationError, match=r"Did you|Providers|names no") as caught:
        open_model(spec)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://h:1", "http://h:1/v1"),
        ("h:1", "http://h:1/v1"),
        ("http://h:1/v1/", "http://h:1/v1"),
        ("https://h/api/v1/chat/completions", "https://h/api/v1"),
        ("https://u:pw@h/v1", "https://h/v1"),
    ],
)
def test_base_urls_in_one_form(given: str, url: str) -> None:
    """However a person writes them; without user and password."""
    assert base_url(given) == url


@pytest.mark.parametrize("given", ["ftp://h/v1", "http://", "://x"])
def test_what_is_no_address(given: str) -> None:
    """The error shows the form."""
    with pytest.raises(ConfigurationError, match="openai-compatible:http"):
        base_url(given)


@pytest.mark.parametrize(
    ("url", "environment", "key"),
    [
        ("https://api.groq.com/openai/v1", {"GROQ_API_KEY": "g", "OPENAI_API_KEY": "o"}, "g"),
        ("https://api.openai.com/v1", {"OPENAI_API_KEY": "o"}, "o"),
        ("https://evil.example/v1", {"OPENAI_API_KEY": "o"}, None),
        ("https://evil.example/v1", {"OPENAI_API_KEY": "o", "OPENAI_COMPATIBLE_API_KEY": "c"}, "c"),
        ("http://proxy:4/v1", {"OPENAI_API_KEY": "o", "OPENAI_BASE_URL": "http://proxy:4"}, "o"),
        ("https://u:p%40w@h/v1", {}, "p@w"),
    ],
)
def test_a_key_goes_only_where_it_belongs(
    url: str, environment: dict[str, str], key: str | None
) -> None:
    """OpenAI's key is not sent to somebody else's server."""
    assert key_for(url, environment) == key


async def test_a_llama_server_tells_all(request_for: Any) -> None:
    """Window of a slot, slots as concurrency, exact counts, no price; the only model is found."""
    with MisbehavingServer(paris, window=3000, slots=3) as server:
        settings = ModelSettings(environment={})
        async with open_model(f"openai-compatible:{server.url}", settings) as model:
            reply = await model.llm.complete(request_for())
            assert model.counter.count("one two") == 2
    assert reply.text == "Paris"
    assert (model.window, model.concurrency, model.counter.exact) == (3000, 3, True)
    assert model.price is FREE
    assert model.name == f"openai-compatible:{server.url}#test"
    assert model.endpoint == server.url


async def test_a_server_that_tells_nothing() -> None:
    """A careful window and one call at a time, unless the user says otherwise."""
    with MisbehavingServer(paris, speaks="openai") as server:
        spec = f"openai-compatible:{server.url}#m"
        async with open_model(spec, ModelSettings(environment={})) as model:
            assert (model.window, model.concurrency, model.counter.exact) == (4096, 1, False)
        settings = ModelSettings(environment={}, window=20_000, concurrency=5)
        async with open_model(spec, settings) as model:
            assert (model.window, model.concurrency) == (20_000, 5)


def test_the_window_is_never_more_than_the_server_says() -> None:
    """A setting can only make it smaller."""
    assert window_of(8000, 4000) == 4000
    assert window_of(8000, 16_000) == 8000
    assert window_of(None, 16_000) == 16_000
    assert window_of(None, None) == 4096


def test_a_window_that_is_assumed_or_not_kept_is_remarked() -> None:
    """Neither happens in silence."""
    assert remarks(8000, 4000) == remarks(8000, None) == remarks(None, 4000) == ()
    assert "4,096 tokens are assumed" in remarks(None, None)[0]
    assert "8,000 is all there is" in remarks(8000, 16_000)[0]


async def test_openai_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of the network to open it: window and price are bundled."""
    environment = {"OPENAI_API_KEY": KEY, "OPENAI_ORG_ID": "org"}
    async with open_model("openai:gpt-4o", ModelSettings(environment=environment)) as model:
        assert (model.window, model.concurrency) == (128_000, 8)
        assert model.price is not None
        assert model.price.input == 2.5
        client = model.llm
        assert isinstance(client, OpenAICompatible)
        assert client.http.endpoint.headers == {"OpenAI-Organization": "org"}
        assert KEY not in repr(model) + repr(client.http.endpoint) + model.identity
    assert KEY not in repr(ModelSettings(api_key=KEY, environment=environment))


async def test_openai_at_another_address(request_for: Any) -> None:
    """OPENAI_BASE_URL is honoured, with the key, and priced by where it is."""
    with MisbehavingServer(paris, speaks="openai") as server:
        environment = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.root}
        async with open_model("openai:gpt-4o", ModelSettings(environment=environment)) as model:
            await model.llm.complete(request_for())
    assert model.endpoint == server.url
    assert server.requests[0]["model"] == "gpt-4o"


async def test_openai_without_a_key() -> None:
    """The error names the variable."""
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        async with open_model("openai:gpt-4o", ModelSettings(environment={})):
            pass


async def test_nothing_answers() -> None:
    """Opening says so, before any document is read."""
    spec = "openai-compatible:http://127.0.0.1:9/v1#m"
    with pytest.raises(Unreachable):
        async with open_model(spec, ModelSettings(environment={})):
            pass
    with pytest.raises(Unreachable):
        async with open_model("openai-compatible:127.0.0.1:9", ModelSettings(environment={})):
            pass


async def test_limits_reach_the_endpoints_dispatcher() -> None:
    """Whoever asks for the dispatcher later gets the limits of the settings."""
    with MisbehavingServer(paris) as server:
        settings = ModelSettings(
            environment={}, concurrency=2, requests_per_minute=7, tokens_per_minute=900
        )
        async with open_model(f"openai-compatible:{server.url}#m", settings) as model:
            found = Dispatcher.for_endpoint(model.endpoint)
    assert found.limit == 2
    assert (found._gate.pace.requests, found._gate.pace.tokens) == (7, 900)


class Listing:
    """In the place of HTTP: JSON by path."""

    def __init__(self, pages: dict[str, Any]) -> None:
        self.endpoint = Endpoint("http://h:1/v1")
        self.pages = pages

    async def get(self, url: str, *, timeout: float = 5.0) -> Any:
        """The page, or an error as of a 404."""
        from memreader.errors import Refused

        path = url.removeprefix("http://h:1")
        if path not in self.pages:
            raise Refused("404")
        return self.pages[path]


@pytest.mark.parametrize(
    ("pages", "facts"),
    [
        (
            {"/props": {"default_generation_settings": {"n_ctx": 512}, "total_slots": 2}},
            Facts(512, 2, "llama.cpp's /props", True),
        ),
        (
            {"/v1/models": {"data": [{"id": "o"}, {"id": "m", "max_model_len": 32768}]}},
            Facts(32768, None, "max_model_len of /models"),
        ),
        (
            {"/v1/models": {"data": [{"id": "m", "context_length": 200_000}]}},
            Facts(200_000, None, "context_length of /models"),
        ),
        (
            {
                "/v1/models": {"data": [{"id": "m"}]},
                "/api/v0/models": {
                    "data": [{"id": "m", "loaded_context_length": 7, "max_context_length": 9}]
                },
            },
            Facts(7, None, "LM Studio's loaded_context_length"),
        ),
        ({"/props": [], "/v1/models": {"data": 5}, "/api/v0/models": "x"}, Facts()),
        ({}, Facts()),
    ],
)
async def test_windows_are_asked_for(pages: dict[str, Any], facts: Facts) -> None:
    """llama.cpp, vLLM, OpenRouter, LM Studio, nobody."""
    http: Http = Listing(pages)  # type: ignore[assignment]
    assert await facts_of(http, "m") == facts


def test_without_any_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names three ways to set one."""
    from memreader.llm import registry

    monkeypatch.setattr(registry, "available", lambda models: False)
    with pytest.raises(ConfigurationError, match=r"(?s)-m ollama.*MEMREADER_MODEL.*memreader.toml"):
        default_model(tmp_path)
    monkeypatch.setattr(registry, "available", lambda models: True)
    assert default_model(tmp_path) == "local"


async def test_what_this_machine_offers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keys that are set, servers that answer, pulled weights; no key is shown."""
    from memreader.llm import discovery

    (tmp_path / "big.gguf").write_bytes(b"GGUF")
    with MisbehavingServer(paris) as server:
        monkeypatch.setattr(discovery, "_USUAL", ((server.url, "a usual port"),))
        environment = {"OPENAI_API_KEY": KEY, "OLLAMA_HOST": "127.0.0.1:9"}
        found = await models_configured(environment, models=tmp_path)
    by_spec = {c.spec: c for c in found}
    assert by_spec["openai:MODEL"].reachable is None
    assert by_spec["ollama:MODEL"].reachable is False
    assert by_spec[f"openai-compatible:{server.url}#MODEL"].models == ("test",)
    assert f"local:{tmp_path / 'big.gguf'}" in by_spec
    assert KEY not in repr(found)
