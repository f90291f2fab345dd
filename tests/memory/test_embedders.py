"""Embedding models behind HTTP and of LlamaIndex: faults, bookings, and the cache."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from memreader import events
from memreader.answer import NOT_FOUND, Answer, Draft
from memreader.api import open_reader
from memreader.budget import Limits
from memreader.contract import paged
from memreader.errors import (
    BudgetRefused,
    ConfigurationError,
    MissingExtra,
    Refused,
    Unreachable,
)
from memreader.llm.base import Price
from memreader.llm.dispatch import Dispatcher
from memreader.llm.registry import ModelSettings
from memreader.llm.retry import RetryPolicy
from memreader.memory.embedders import NONE, as_opener, default_embedder, open_embedder
from memreader.memory.embedding import Vector, batches, cosine, halves, mean
from memreader.memory.embedding_cache import EmbeddingCache
from memreader.reader import Reader
from memreader.run import Run
from memreader.stores import Stores
from memreader.testing import Defect, MisbehavingServer, Oracle, WordEmbedder, a_model

TEXTS = [f"The ferry {i} carries mail to island {i * 7}." for i in range(150)]


@dataclass(frozen=True)
class Embeds:
    """A strategy that embeds texts and says how near the first is to the second."""

    texts: tuple[str, ...] = tuple(TEXTS)
    prompts = {"none": ""}  # noqa: RUF012

    async def read(self, question: str, run: Run) -> Draft:
        vectors = await run.search.embed(self.texts)
        run.note(f"nearness {cosine(vectors[0], vectors[-1]):.3f}, {len(vectors)} vectors")
        return NOT_FOUND


@pytest.fixture
def server() -> Iterator[MisbehavingServer]:
    """A healthy endpoint, whose retries take no time."""
    with MisbehavingServer(lambda body: "", speaks="openai") as running:
        for url in (running.url, running.root):
            Dispatcher.for_endpoint(url, policy=RetryPolicy(base=0.0))
        yield running


def _read(
    server: MisbehavingServer,
    *,
    strategy: Any = None,
    stores: Stores | None = None,
    limits: Limits | None = None,
    prices: Path | None = None,
    spec: str = "openai-compatible",
) -> tuple[Answer, list[Any]]:
    name = f"openai-compatible:{server.url}#test" if spec == "openai-compatible" else spec
    settings = ModelSettings(prices=prices, environment={"OLLAMA_HOST": server.root})
    seen: list[events.Event] = []
    reader = Reader(
        a_model(Oracle({})),
        strategy or Embeds(),
        stores=stores or Stores(),
        limits=limits or Limits(),
        probe=False,
        embedder=as_opener(name, settings),
    )
    return reader.ask(paged(2), "What?", on_event=seen.append), seen


# --- requests ------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ["openai-compatible", "ollama:test"])
def test_texts_go_out_in_batches_and_vectors_come_back_in_order(
    server: MisbehavingServer, spec: str
) -> None:
    """150 texts are three requests; both interfaces give the same vectors."""
    answer, _ = _read(server, spec=spec)
    assert [22, 64, 64] == sorted(len(body["input"]) for body in server.requests)
    expected = WordEmbedder(64)
    one, last = anyio.run(expected.embed, [TEXTS[0], TEXTS[-1]])
    assert f"nearness {cosine(one, last):.3f}, 150 vectors" in answer.notes
    path = "/v1/embeddings" if spec == "openai-compatible" else "/api/embed"
    assert {path} == set(server.paths)
    if path == "/api/embed":
        assert [False] * 3 == [body["truncate"] for body in server.requests]


def test_requests_are_counted_and_told(server: MisbehavingServer) -> None:
    """Calls and tokens stand in the usage, events of the step `embed` on the stream."""
    answer, seen = _read(server)
    finished = [e for e in seen if isinstance(e, events.CallFinished)]
    assert ["embed"] * 3 == [e.step for e in finished]
    assert 3 == answer.usage.calls
    assert answer.usage.input_tokens == sum(e.input_tokens for e in finished) > 900
    assert 0.0 == answer.cost_usd
    assert answer.manifest["embedder"].startswith(f"openai-compatible:{server.url}#test, 64 dim")


def test_hosted_embeddings_are_paid_for(server: MisbehavingServer, tmp_path: Path) -> None:
    """The user's price is in the cost; booked before, it keeps a cap."""
    prices = tmp_path / "prices.toml"
    prices.write_text(f'["openai-compatible:{server.url}#test"]\ninput = 1000.0\n')
    answer, _ = _read(server, prices=prices)
    expected = Price(1000.0, 1000.0, 0.0).input * answer.usage.input_tokens / 1e6
    assert answer.cost_usd == pytest.approx(expected)
    asked = len(server.requests)
    capped, _ = _read(server, prices=prices, limits=Limits(usd=0.1))
    assert ("partial", "budget") == (capped.status, capped.stopped)
    assert asked == len(server.requests)


def test_an_unknown_price_is_unknown_and_refused_under_a_cap_in_dollars() -> None:
    """Whatever LlamaIndex computes, memreader does not know what it costs."""
    reader = Reader(a_model(Oracle({})), Embeds(), probe=False, embedder=Lengths())
    answer = reader.ask(paged(2), "What?")
    assert answer.cost_usd is None
    capped = Reader(
        a_model(Oracle({})), Embeds(), probe=False, embedder=Lengths(), limits=Limits(usd=1.0)
    )
    with pytest.raises(BudgetRefused, match="prices"):
        capped.ask(paged(2), "What?")


def test_a_cap_on_calls_holds_for_embeddings(server: MisbehavingServer) -> None:
    """What is embedded before the cap is kept for the next reading."""
    stores = Stores()
    answer, _ = _read(server, limits=Limits(calls=2), stores=stores)
    assert ("budget", 2) == (answer.stopped, len(server.requests))
    _read(server, stores=stores)
    assert 3 == len(server.requests)


# --- the cache -----------------------------------------------------------------------------------


def test_no_text_is_sent_twice(server: MisbehavingServer, tmp_path: Path) -> None:
    """Another process asks for nothing; of changed texts only the changed ones go out."""
    _read(server, stores=Stores(tmp_path))
    assert 3 == len(server.requests)
    answer, _ = _read(server, stores=Stores(tmp_path))
    assert 3 == len(server.requests)
    assert 0 == answer.usage.calls
    assert answer.manifest["embedder"].startswith("openai-compatible")
    changed = tuple(t.replace("mail", "coal") if "ferry 7 " in t else t for t in TEXTS)
    _read(server, stores=Stores(tmp_path), strategy=Embeds(changed))
    assert [1] == [len(body["input"]) for body in server.requests[3:]]


def test_equal_texts_are_one_text(server: MisbehavingServer) -> None:
    """A passage that stands in ten places is embedded once."""
    answer, _ = _read(server, strategy=Embeds(("the same",) * 10))
    assert [["the same"]] == [body["input"] for body in server.requests]
    assert "nearness 1.000, 10 vectors" in answer.notes


def test_the_cache_keeps_what_it_was_given(tmp_path: Path) -> None:
    """Single precision, by key; it counts, measures and forgets."""
    cache = EmbeddingCache(tmp_path / "e.sqlite")
    cache.put("one", {b"a": [0.5, -0.25, 1 / 3]})
    cache.put("two", {b"b": [1.0], b"c": [2.0]})
    (found,) = EmbeddingCache(tmp_path / "e.sqlite").get([b"a", b"x"]).values()
    assert [0.5, -0.25, pytest.approx(1 / 3)] == list(found)
    assert (3, {"two": 2, "one": 1}) == (cache.count(), cache.models())
    assert cache.size() > 0
    assert (3, 0) == (cache.clear(), cache.count())


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "defect",
    [
        Defect.RATE_LIMIT,
        Defect.SERVER_ERROR,
        Defect.RESET,
        Defect.MALFORMED,
        Defect.WRONG_COUNT,
        Defect.WRONG_TYPE,
    ],
)
def test_a_fault_that_passes_costs_another_try(server: MisbehavingServer, defect: Defect) -> None:
    """The first request fails; the reading is whole all the same."""
    server.defect, server.first, server.retry_after = defect, 1, 0.0
    answer, _ = _read(server)
    assert "150 vectors" in str(answer.notes)
    assert (4, 1, 3) == (len(server.requests), answer.usage.retries, answer.usage.calls)


@pytest.mark.parametrize("defect", [Defect.SERVER_ERROR, Defect.WRONG_COUNT, Defect.RESET])
def test_a_fault_that_stays_ends_the_reading_and_says_why(
    server: MisbehavingServer, defect: Defect
) -> None:
    """No vector is made up; the answer is partial, with the reason in it."""
    server.defect = defect
    answer, _ = _read(server, strategy=Embeds(("one text",)))
    assert "partial" == answer.status
    assert "127.0.0.1" in " ".join([*answer.notes, *map(str, answer.problems)])


def test_a_server_that_changes_its_dimension_is_refused(server: MisbehavingServer) -> None:
    """Vectors of two models never meet: neither in one reading, nor with those of the cache."""
    stores = Stores()
    _read(server, stores=stores, strategy=Embeds(("one text",)))
    server.defect = Defect.WRONG_DIMENSION
    with pytest.raises(Refused, match="64"):
        _read(server, stores=stores, strategy=Embeds(("one text", "two texts")))


def test_a_text_that_is_too_long_for_the_server_is_taken_in_parts(
    server: MisbehavingServer,
) -> None:
    """It is not cut: its vector is the mean of its parts', and the others are not lost."""
    server.window = 40
    long = "The lamp was lit. " * 20 + "The heron left the pond. " * 20
    answer, _ = _read(server, strategy=Embeds((long, "short", "The heron left the pond. " * 3)))
    (told,) = (n for n in answer.notes if n.startswith("nearness"))
    assert 0.5 < float(told.split()[1].rstrip(",")) < 0.9


def test_nothing_listens_there() -> None:
    """An unreachable endpoint ends the reading with its own error."""
    opener = as_opener("openai-compatible:http://127.0.0.1:9/v1#test")
    Dispatcher.for_endpoint("http://127.0.0.1:9/v1", policy=RetryPolicy(base=0.0))
    reader = Reader(a_model(Oracle({})), Embeds(), probe=False, embedder=opener)
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
        reader.ask(paged(2), "What?")


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("opnai:x", "Did you mean `openai`"),
        ("openai", "openai: and its name"),
        ("openai:text-embedding-3-small", "OPENAI_API_KEY"),
        ("openai-compatible:http://host/v1", "#NAME"),
        ("llama-index:no.such:Class", "package.module:Class"),
        ("local:x", "sentence-transformers:x"),
    ],
)
def test_a_name_that_does_not_work_says_what_does(spec: str, told: str) -> None:
    """One error, before anything is sent."""

    async def run() -> None:
        async with open_embedder(spec, ModelSettings(environment={})):
            pass

    with pytest.raises(ConfigurationError) as refused:
        anyio.run(run)
    assert told in str(refused.value)


def test_without_the_library_there_is_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is chosen that cannot work, and naming it gives the line to install it."""
    for module in ("embedders", "sentence_embedder"):
        monkeypatch.setattr(f"memreader.memory.{module}.find_spec", lambda name: None)
    assert default_embedder(None) is None

    async def run() -> None:
        async with open_embedder("local"):
            pass

    with pytest.raises(MissingExtra, match=r"memreader-agents\[st\]"):
        anyio.run(run)


# --- what Reader takes ---------------------------------------------------------------------------


class Lengths:
    """An embedding with LlamaIndex's interface, which is callable too."""

    model_name = "lengths"

    def get_text_embedding_batch(self, texts: Sequence[str]) -> list[Vector]:
        return [[float(len(text)), 1.0] for text in texts]

    def get_query_embedding(self, text: str) -> Vector:
        return [float(len(text)), 2.0]

    def __call__(self, nodes: Any) -> Any:
        raise AssertionError("A LlamaIndex embedding is no opener.")


def test_an_embedding_of_llama_index_is_an_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an object, and as a class that is named in the settings."""
    reader = Reader(a_model(Oracle({})), Embeds(("a", "bb")), probe=False, embedder=Lengths())
    answer = reader.ask(paged(2), "What?")
    assert "2 vectors" in str(answer.notes)
    assert "Lengths#lengths, 2 dimensions, normalised" in answer.manifest["embedder"]
    module = types.ModuleType("strangers_embeddings")
    module.Lengths = Lengths  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "strangers_embeddings", module)

    async def run() -> list[Vector]:
        async with open_embedder("llama-index:strangers_embeddings:Lengths") as embedder:
            return await embedder.embed(["abc"], query=True)

    (vector,) = anyio.run(run)
    assert [pytest.approx(3 / 13**0.5), pytest.approx(2 / 13**0.5)] == list(vector)


@pytest.mark.slow
def test_a_real_embedding_of_llama_index_works() -> None:
    """LlamaIndex's own mock, by name."""
    pytest.importorskip("llama_index.core")
    spec = "llama-index:llama_index.core:MockEmbedding"
    with pytest.raises(ConfigurationError, match="no arguments"):
        anyio.run(_opened, spec)
    from llama_index.core import MockEmbedding

    reader = Reader(
        a_model(Oracle({})), Embeds(("a", "b")), probe=False, embedder=MockEmbedding(embed_dim=5)
    )
    assert "5 dimensions" in reader.ask(paged(2), "What?").manifest["embedder"]


async def _opened(spec: str) -> None:
    async with open_embedder(spec):
        pass


def test_reader_takes_no_names_and_open_reader_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are resolved by `memreader.ask` and its kin alone."""
    with pytest.raises(ConfigurationError, match=r"open_reader\(embedder='local'\)"):
        Reader(a_model(Oracle({})), embedder="local")
    with pytest.raises(ConfigurationError, match="not int"):
        Reader(a_model(Oracle({})), embedder=7)
    model = a_model(Oracle({}))
    assert open_reader(model=model, embedder="openai:x").embedder is not None
    assert open_reader(model=model, embedder=NONE).embedder is None
    monkeypatch.setenv("MEMREADER_EMBEDDER", "none")
    monkeypatch.setenv("MEMREADER_STORE", "chroma:memory")
    reader = open_reader(model=model)
    assert (None, "chroma:memory") == (reader.embedder, reader.stores.store)


# --- arithmetic ----------------------------------------------------------------------------------


def test_batches_keep_to_number_and_size() -> None:
    """In order, nothing lost; a text longer than a batch goes alone."""
    texts = ["a" * 10] * 5 + ["b" * 100] + ["c"]
    found = batches(texts, 3, 40)
    assert [3, 2, 1, 1] == [len(b) for b in found]
    assert texts == [t for b in found for t in b]


def test_halves_lose_nothing_and_a_mean_has_length_one() -> None:
    """Cut at white space where there is any, else in the middle."""
    for text in ("one two three four", "unbroken", "漢字漢字", "a ", "ab"):
        first, second = halves(text)
        assert text == first + second
        assert first
        assert second
    assert [0.6, 0.8] == [pytest.approx(x) for x in mean([[1.0, 0.0], [0.0, 1.0]], [3, 4])]
