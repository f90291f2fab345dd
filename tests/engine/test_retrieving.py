"""A user's own retriever, and rerankers by name: what they give is placed in the documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

import memreader
from memreader.answer import Answer
from memreader.contract import ANSWER, FACTS, NEEDLE, QUESTION, paged
from memreader.cross_encoder import CrossEncoderReranker
from memreader.document import Corpus, Document, Span
from memreader.errors import ConfigurationError
from memreader.reader import Reader
from memreader.reranking import open_reranker
from memreader.retrieving import Passage, as_retriever, places
from memreader.testing import Oracle, a_model
from tests.strategies.serial import ByCall, fenced

DOCUMENT = paged(20, needle_on=7)
SIGNS = {"quotes": "Copy the sentences that help", "answer": "Answer the question from the"}


@dataclass
class Own:
    """A retriever that gives what it is told to."""

    passages: Sequence[Passage]
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def retrieve(self, question: str, most: int) -> Sequence[Passage]:
        """The same for any question."""
        self.asked.append((question, most))
        return self.passages


def ask(retriever: Any, llm: Any = None, strategy: str = "retrieval", **options: Any) -> Answer:
    """One reading of the ledger."""
    model = a_model(llm or Oracle(FACTS), window=3072)
    reader = Reader(model, strategy, options, retriever=retriever, probe=False)
    return reader.ask(DOCUMENT, QUESTION)


def needle_span() -> Span:
    """Where the needle stands."""
    start = DOCUMENT.text.index(NEEDLE)
    return Span(DOCUMENT.id, start, start + len(NEEDLE))


@pytest.mark.parametrize("passage", [needle_span(), NEEDLE], ids=["span", "text"])
def test_what_a_retriever_finds_is_read_and_cited(passage: Passage) -> None:
    """A place or a text; the retriever is asked for as many as are shown."""
    own = Own([passage])
    answer = ask(own, top_k=3)
    assert ([(QUESTION, 3)], ANSWER, [7]) == (
        own.asked,
        answer.text,
        [c.page for c in answer.citations],
    )


def test_foreign_text_is_neither_shown_nor_cited() -> None:
    """What stands in no document is dropped with a note; only the documents' text is shown."""
    foreign = "Nobody at all signed the harbour lease, says a page of another book entirely."
    elsewhere = Span("another document", 0, 10)
    beyond = Span(DOCUMENT.id, 10, 10**9)
    llm = ByCall(
        SIGNS,
        quotes=lambda _: f"Rationale: r\nEvidence:\n- {foreign}\n- {NEEDLE}",
        answer=lambda _: f"Rationale: r\nAnswer: {ANSWER}",
    )
    answer = ask(Own([foreign, elsewhere, beyond, NEEDLE]), llm)
    assert foreign not in "".join(r.text for r in llm.requests)
    assert fenced(llm.prompts["quotes"][0], "passage 1") in DOCUMENT.text
    assert [NEEDLE] == [c.quote for c in answer.citations]
    assert "Passages of the retriever that stand in no document, left out: 3." in answer.notes


def test_nothing_but_foreign_text_gives_no_answer() -> None:
    """Not found, without a call."""
    answer = ask(Own(["The heron left at noon, as it was written nowhere."]))
    assert ("not_found", 0) == (answer.status, answer.usage.calls)


def test_texts_are_placed_as_far_as_they_agree() -> None:
    """Exactly, normalised, fuzzily, sentence by sentence; a text that is half foreign is not."""
    corpus = Corpus((Document("Something else stands here alone.", "other"), DOCUMENT))
    page = DOCUMENT.text[DOCUMENT.pages[6].start : DOCUMENT.pages[6].end].strip()
    start = DOCUMENT.pages[6].start
    whole = [Span(DOCUMENT.id, start, start + len(page))]
    assert whole == places(page, corpus)
    assert whole[0].end - 1 == places(page.replace("\n", "  \n "), corpus)[0].end
    worn = page.replace("clerk", "cIerk", 2).replace("harbour", "harb0ur"[:4] + "our")
    assert places(worn, corpus)[0].overlaps(whole[0])
    sentence = "The auditors added a foreword of their own to this page."
    assert needle_span() in places(f"{sentence} {page}", corpus)
    assert [] == places(f"{NEEDLE} {sentence * 3}", corpus)
    assert [] == places("  ", corpus)


def test_a_retriever_that_fails_is_one_line() -> None:
    """The message names it."""

    class Broken:
        async def retrieve(self, question: str, most: int) -> Sequence[Passage]:
            raise KeyError("no index")

    with pytest.raises(ConfigurationError, match="The retriever Broken failed: KeyError"):
        ask(Broken())


def test_a_passage_that_is_no_text_is_refused() -> None:
    """With the name of what was given."""
    with pytest.raises(ConfigurationError, match="Own gave int for a passage"):
        ask(Own([7]))  # type: ignore[list-item]


def test_what_is_no_retriever_is_refused() -> None:
    """One line that says what is wanted."""
    with pytest.raises(ConfigurationError, match="str is no retriever"):
        ask("my index")


def test_other_strategies_are_unaffected_and_say_so() -> None:
    """The retriever is not asked; a note says it."""
    own = Own([NEEDLE])
    answer = ask(own, strategy="map_reduce")
    assert (ANSWER, []) == (answer.text, own.asked)
    assert "map_reduce did not ask the retriever." in answer.notes


def test_ask_takes_a_retriever(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """`memreader.ask(..., retriever=...)`."""
    monkeypatch.setenv("MEMREADER_HOME", str(tmp_path))
    model = a_model(Oracle(FACTS), window=3072)
    answer = memreader.ask(
        DOCUMENT, QUESTION, model=model, strategy="retrieval", retriever=Own([NEEDLE]), probe=False
    )
    assert ANSWER == answer.text


# --- other libraries -----------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore")
def test_a_retriever_of_llama_index_is_accepted() -> None:
    """The real library: an index over its own nodes, whose texts are placed in our document."""
    core = pytest.importorskip("llama_index.core")
    from llama_index.core.schema import TextNode

    pages = [DOCUMENT.text[p.start : p.end] for p in DOCUMENT.pages[4:8]]
    nodes = [TextNode(text=text, metadata={"file": "x.pdf"}) for text in pages]
    index = core.VectorStoreIndex(nodes, embed_model=core.MockEmbedding(embed_dim=4))
    answer = ask(index.as_retriever(similarity_top_k=4))
    assert (ANSWER, [7]) == (answer.text, [c.page for c in answer.citations])


class LangChainLike:
    """What LangChain's retrievers offer."""

    async def ainvoke(self, question: str) -> list[Any]:
        """Documents of LangChain."""
        return [SimpleNamespace(page_content=NEEDLE, metadata={})]


class OldLangChainLike:
    """What they offered before."""

    def get_relevant_documents(self, question: str) -> list[Any]:
        """Documents of LangChain."""
        return [SimpleNamespace(page_content=NEEDLE, metadata={})]


@pytest.mark.parametrize("given", [LangChainLike(), OldLangChainLike()])
def test_a_retriever_of_langchain_is_accepted(given: Any) -> None:
    """By its methods; the library is not needed."""
    assert ANSWER == ask(given).text
    assert type(as_retriever(given)).__name__ == "LangChainRetriever"


# --- rerankers by name ---------------------------------------------------------------------


def test_a_reranker_is_named_by_kind_or_by_its_path() -> None:
    """A name alone is a cross-encoder; a drive letter is no kind; nothing is loaded."""
    for spec, model in (
        ("cross-encoder:ms-marco", "ms-marco"),
        ("ms-marco", "ms-marco"),
        (r"C:\models\ms-marco", r"C:\models\ms-marco"),
    ):
        made = open_reranker(spec)
        assert isinstance(made, CrossEncoderReranker)
        assert made.model == model
    with pytest.raises(ConfigurationError, match="names no reranker"):
        open_reranker("cross-encoder:")
