"""The chunk contract, as properties."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memreader.chunking import Chunk, chunk_arriving, chunk_document
from memreader.document import Arriving, Document, Heading, Piece
from memreader.errors import ConfigurationError
from memreader.llm.base import TokenCounter
from memreader.testing import WordCounter
from memreader.tokens import ESTIMATE

WORDS = WordCounter()


class Bytes:
    """A counter as unlike words as can be: whole and parts differ by what stands between."""

    exact = True
    name = "bytes / 2"

    def count(self, text: str) -> int:
        """Half the bytes, rounded up."""
        return -(-len(text.encode("utf-8", "surrogatepass")) // 2)


texts = st.lists(
    st.one_of(
        st.sampled_from(["\n\n", "\n", " ", ". ", "。", "! ", "\t", "\r\n", "\n# ", "\u3000"]),
        st.text(max_size=40),
        st.sampled_from(["word ", "中" * 90, "x" * 200, "é́ ", "👩‍👩‍👧 ", "123 456. "]),
    ),
    max_size=60,
).map("".join)


def assert_contract(
    document: Document, chunks: list[Chunk], budget: int, counter: TokenCounter
) -> None:
    """Text equals its span, only white space is uncovered, order holds, nothing is over budget."""
    position = 0
    for index, chunk in enumerate(chunks):
        span = chunk.span
        assert index == chunk.index
        assert document.text[span.start : span.end] == chunk.text
        assert not document.text[position : span.start].strip()
        assert chunk.tokens == counter.count(chunk.text) <= budget
        assert chunk.text.strip()
        position = span.end
    assert not document.text[position:].strip()


@settings(max_examples=150, deadline=None)
@given(texts, st.integers(16, 120), st.sampled_from([WORDS, Bytes(), ESTIMATE]))
def test_any_text_is_cut_without_loss(text: str, budget: int, counter: TokenCounter) -> None:
    """Whatever the text, the budget and the counter: the contract holds, twice the same."""
    document = Document(text)
    chunks = list(chunk_document(document, budget, counter))
    assert_contract(document, chunks, budget, counter)
    assert chunks == list(chunk_document(document, budget, counter))


@settings(max_examples=100, deadline=None)
@given(st.lists(texts, max_size=8), st.integers(16, 80))
def test_pages_as_they_arrive_give_the_chunks_of_the_whole(pages: list[str], budget: int) -> None:
    """Reading from page one on gives the same chunks as the finished document."""

    def arriving() -> Arriving:
        pieces = (
            Piece(t, str(i + 1), (Heading(len(t) // 2, 1, "x"),) if t else ())
            for i, t in enumerate(pages)
        )
        return Arriving("id", "pages.pdf", pieces)

    streamed = list(chunk_arriving(arriving(), budget, WORDS))
    document = arriving().finish()
    assert streamed == list(chunk_document(document, budget, WORDS))
    assert_contract(document, streamed, budget, WORDS)


@pytest.mark.parametrize(
    "text",
    ["中" * 3000, "x" * 4000, "🧂" * 700, "é" * 2000, "A" * 50 + "中" * 3000 + "。" + "b" * 3000],
)
def test_unbroken_runs_lose_nothing(text: str) -> None:
    """What has neither spaces nor full stops is cut between code points, joined it is whole."""
    chunks = list(chunk_document(Document(text), 100, Bytes()))
    assert text == "".join(c.text for c in chunks)
    assert max(c.tokens for c in chunks) <= 100


def test_letters_keep_their_accents() -> None:
    """A cut never parts a letter from a combining accent or an emoji from its joiners."""
    chunks = list(chunk_document(Document("e\u0301" * 900), 64, Bytes()))
    assert not any(c.text.startswith("\u0301") for c in chunks)


def test_a_chunk_ends_at_a_heading_where_one_is_near() -> None:
    """A heading past half the budget ends the chunk, although more would fit."""
    first, second = "one two three four. " * 15, "five six seven eight. " * 30
    document = Document(first + second, headings=(Heading(len(first), 1, "Second"),))
    chunks = list(chunk_document(document, 100, WORDS))
    assert chunks[1].text.startswith("five")


def test_an_edit_changes_few_chunks() -> None:
    """After a sentence is put in, the boundaries find one another again."""
    paragraphs = [f"Entry {i}: " + "salt and rain and rope. " * (3 + i % 5) for i in range(600)]
    before = list(chunk_document(Document("\n\n".join(paragraphs)), 300, WORDS))
    paragraphs.insert(200, "A new paragraph that was not there.")
    after = list(chunk_document(Document("\n\n".join(paragraphs)), 300, WORDS))
    kept = {c.text for c in before}
    assert len(after) > 40
    assert sum(c.text not in kept for c in after) <= 4


def test_a_tiny_budget_is_refused() -> None:
    """Below what a code point may take, no promise could be kept."""
    with pytest.raises(ConfigurationError, match="at least 16"):
        list(chunk_document(Document("text"), 8, WORDS))


@pytest.mark.slow
def test_a_large_text_does_not_multiply_in_memory() -> None:
    """Iterating over the chunks of a large text takes far less than the text itself."""
    line = "The clerk counted barrels of salt and noted rain in the ledger of the harbour.\n"
    document = Document((line * 40 + "\n") * 3000)
    tracemalloc.start()
    count = sum(1 for _ in chunk_document(document, 4000, ESTIMATE))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count > 500
    assert peak < len(document.text) / 5
