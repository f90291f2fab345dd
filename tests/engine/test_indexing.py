"""Indexes on the shelf, and search by meaning: what strategies that build something stand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from memreader import events
from memreader.answer import NOT_FOUND, Draft
from memreader.budget import Limits
from memreader.contract import NEEDLE, QUESTION, Counting, paged
from memreader.errors import CallFailed, ServerFault
from memreader.llm.base import Request
from memreader.prompts import Value
from memreader.reader import Reader
from memreader.run import Run
from memreader.stores import Stores
from memreader.testing import Oracle, WordEmbedder, a_model


@dataclass(frozen=True)
class Outline:
    """Summarises each chunk into an index, then reads one chunk for the question."""

    read_first: bool = True
    prompts = {"gist": "Summarise.\n\n$chunk", "read": "$question\n\n$chunk"}  # noqa: RUF012

    async def read(self, question: str, run: Run) -> Draft:
        chunks = [chunk async for chunk in run.chunks(200)]

        async def gist(chunk: Any) -> str:
            try:
                reply = await run.ask(
                    "gist", max_tokens=60, values={"chunk": chunk}, sources=[chunk]
                )
            except CallFailed:
                return ""
            return reply.text

        async def build() -> list[str]:
            return await run.map(gist, chunks)

        await run.index("gists", build, depends={"tokens": 200})
        if self.read_first:
            values: dict[str, Value] = {"question": question, "chunk": chunks[0]}
            await run.ask("read", max_tokens=60, values=values, sources=chunks[:1])
        return NOT_FOUND


def _read(stores: Stores, question: str, llm: Any = None, **how: Any) -> tuple[Any, list[Any]]:
    seen: list[events.Event] = []
    model = a_model(llm or Oracle({}))
    strategy = how.pop("strategy", Outline())
    reader = Reader(model, strategy, stores=stores, probe=False, **how)
    return reader.ask(paged(12), question, on_event=seen.append), seen


def _ready(seen: list[Any]) -> list[tuple[bool, int]]:
    return [(e.reused, e.calls) for e in seen if isinstance(e, events.IndexReady)]


def test_an_index_is_built_once_for_all_questions_and_query_options() -> None:
    """Another question, and options that the index does not depend on, build nothing."""
    stores, again = Stores(), Counting(Oracle({}))
    first, seen = _read(stores, "What was counted?")
    calls = first.coverage.chunks
    assert [(False, calls)] == _ready(seen)
    _, seen = _read(stores, "Who noted rain?", again, strategy=Outline(read_first=False))
    assert ([(True, 0)], 0) == (_ready(seen), again.begun)


def test_what_an_index_shows_is_not_read_for_the_question() -> None:
    """The coverage is the same whether the index was built now or was there."""
    stores = Stores()
    first, _ = _read(stores, "What was counted?")
    second, _ = _read(stores, "Who noted rain?")
    assert 1 == first.coverage.read == second.coverage.read
    assert first.coverage.chunks > 5


def test_an_index_says_what_it_is_of_and_what_it_took() -> None:
    """Its label has documents, strategy, model, calls and tokens."""
    stores = Stores()
    answer, _ = _read(stores, "What was counted?")
    (shelved,) = stores.shelf().shelved()
    document = paged(12)
    assert {document.id: "ledger.pdf"} == shelved.label.documents
    assert answer.usage.calls - 1 == shelved.label.calls
    assert 0 < shelved.label.input_tokens < answer.usage.input_tokens
    assert 0.0 == shelved.label.usd
    assert 1 == stores.shelf().remove(document.id)
    assert [] == stores.shelf().shelved()


def test_an_index_with_a_hole_is_not_kept() -> None:
    """A failed call shows in the coverage, and the next question makes that call alone."""

    def fail(_: int, request: Request) -> None:
        if "day 53 " in request.text:
            raise ServerFault("HTTP 500 from a test")

    stores, again = Stores(), Counting(Oracle({}))
    first, _ = _read(stores, "What was counted?", Counting(Oracle({}), before=fail))
    assert (1, []) == (first.coverage.failed, stores.shelf().shelved())
    second, _ = _read(stores, "Who noted rain?", again)
    assert (0, 2) == (second.coverage.failed, again.begun)
    assert 1 == len(stores.shelf().shelved())


def test_a_capped_index_is_not_kept() -> None:
    """What is built under a cap is no index of the document."""
    stores = Stores()
    _read(stores, "What was counted?", limits=Limits(calls=3))
    assert [] == stores.shelf().shelved()


@dataclass(frozen=True)
class Nearest:
    """Answers with the passage that is nearest to the question."""

    prompts = {"none": ""}  # noqa: RUF012

    async def read(self, question: str, run: Run) -> Draft:
        chunks = [chunk async for chunk in run.chunks(60)]
        await run.search.keep("passages", chunks)
        hits = await run.search.find("passages", question, 3, chunks)
        return Draft(hits[0].text, tuple(hit.span for hit in hits))


def test_the_nearest_passage_is_found_by_its_place() -> None:
    """Vectors stand in the store under their spans; the nearest to the question comes first."""
    model = a_model(Oracle({}))
    reader = Reader(model, Nearest(), probe=False, embedder=WordEmbedder())
    answer = reader.ask(paged(12, needle_on=7), QUESTION)
    assert NEEDLE in answer.text
    assert 7 == answer.citations[0].page


def test_without_an_embedding_model_search_says_so() -> None:
    """A strategy that searches by meaning names what is missing."""
    reader = Reader(a_model(Oracle({})), Nearest(), probe=False)
    with pytest.raises(Exception, match="No embedding model is set"):
        reader.ask(paged(3), QUESTION)
