"""Prompts are counted by the chunks they show: never too few, and at a server only once."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memreader.budget import Budget
from memreader.calls import Caller, EventStream
from memreader.chunking import Chunk, chunk_document
from memreader.coverage import Ledger
from memreader.document import Document, Span
from memreader.errors import ConfigurationError, PromptTooLong, SilentTruncation
from memreader.journal import Journal
from memreader.llm.base import Message, Model, Reply, Request, TokenCounter, Usage
from memreader.llm.dispatch import Dispatcher
from memreader.llm.registry import ModelSettings, open_model
from memreader.prompt_tokens import JOINT, from_above
from memreader.prompts import Fence
from memreader.reader import Reader
from memreader.testing_server import Defect, MisbehavingServer
from memreader.tokens import ESTIMATE, tiktoken_counter

FENCE = Fence("bcdfghjkmn")
TOKEN = re.compile(r"\w{1,5}|[^\w\s]{1,4}\n*|\s*\n+|\s")
"""As byte-pair encodings cut a text, other tokens stand where two parts of it meet."""


@dataclass
class Pieces:
    """An exact counter that remembers what it was asked."""

    exact: bool = True
    name: str = "pieces"
    asked: list[str] = field(default_factory=list)

    def count(self, text: str) -> int:
        """Matches of the pattern."""
        self.asked.append(text)
        return len(TOKEN.findall(text))


def chunk(text: str, tokens: int, *, index: int = 0) -> Chunk:
    """A chunk with a count of its own."""
    return Chunk(index, Span("d", 0, len(text)), text, tokens)


def cut(text: str, counter: TokenCounter, size: int = 64) -> list[Chunk]:
    """Chunks as a reading makes them."""
    return list(chunk_document(Document(text, "d"), size, counter))


@given(st.text(st.sampled_from("ab1 .!<>-\n中é\u200d🙂")), st.text(), st.text())
def test_the_count_from_chunks_is_never_below_the_true_one(
    text: str, before: str, after: str
) -> None:
    """Nor above it by more than what is added for the places where parts meet."""
    counter = Pieces()
    chunks = cut(text, counter)
    prompt = f"{before}\n{chr(10).join(FENCE.wrap(c.text, 'passage') for c in chunks)}\n{after}"
    true = counter.count(prompt)
    assert true <= from_above(counter, prompt, chunks) <= true + 6 * JOINT * len(chunks)


@pytest.mark.parametrize("encoding", ["cl100k_base", "o200k_base"])
def test_real_tokenizers_find_few_more_tokens_where_parts_meet(encoding: str) -> None:
    """At most two, beside a chunk of any kind of text: a quarter of what is allowed for."""
    try:
        counter = tiktoken_counter(encoding)
    except ConfigurationError:
        pytest.skip("no tokenizer file on this machine")
    draw = random.Random(1)
    drawn = "".join(
        draw.choice("aéü中日の🙂 .,;:!?\"'()<>-–…\n\t#*_`|/0123 xyz") for _ in range(9000)
    )
    for text in (drawn, Path(__file__).read_text("utf-8"), "Eleven witnesses were heard. " * 200):
        for one in cut(text, counter):
            ends = f"Question: who?\n\n<<<{FENCE.delimiter} passage>>>\n", "\n<<<end>>>"
            parts = sum(map(counter.count, ends)) + one.tokens
            assert counter.count(one.text.join(ends)) <= parts + 2


def test_what_is_not_shown_as_it_is_counts_with_the_rest() -> None:
    """A chunk that the prompt does not hold, and one whose count nobody knows."""
    counter = Pieces()
    told = "one two three"
    assert from_above(counter, told, [chunk("four", 99), chunk("two", 0)]) == counter.count(told)


def test_an_estimate_is_made_of_the_whole() -> None:
    """A passage without spaces makes an estimate count all of a text as dense."""
    text = "k" * 900
    assert ESTIMATE.count(text + "!") == from_above(ESTIMATE, text + "!", [chunk(text, 1)])


@dataclass
class Reporting:
    """A model that reports what it is told to."""

    reported: int

    async def complete(self, request: Request) -> Reply:
        """A short reply."""
        return Reply("yes", Usage(self.reported, 0, 1))


def caller(counter: Pieces, *, window: int, reported: int) -> Caller:
    """What makes the calls of a run."""
    model = Model("x:m", Reporting(reported), counter, window, overhead=0)
    run = Dispatcher(), Budget(), Journal(), "run", EventStream(), Ledger()
    return Caller(model, *run)


def shown() -> tuple[Request, Chunk]:
    """A prompt of 502 tokens around a chunk of 500, for a reply of 10."""
    text = ("word " * 250).strip() + "."
    prompt = f"<<<<\n{text}\n>>>>"
    assert 502 == Pieces().count(prompt)
    return Request((Message("user", prompt),), 10), chunk(text, 500)


@pytest.mark.anyio
async def test_a_prompt_near_the_window_is_counted_exactly() -> None:
    """It is sent where it fits by one token, and refused before the call where it does not."""
    request, whole = shown()
    fits = caller(Pieces(), window=512, reported=502)
    assert (await fits.call(request, step="map", chunks=[whole])).text == "yes"
    tight = caller(Pieces(), window=511, reported=502)
    with pytest.raises(PromptTooLong, match="502 tokens"):
        await tight.call(request, step="map", chunks=[whole])
    assert 0 == tight.budget.spent.calls


@pytest.mark.anyio
async def test_a_cut_is_looked_for_by_counting_only_where_the_server_reports_less() -> None:
    """The whole prompt goes to the counter where a cut is suspected, and is found out there."""
    request, whole = shown()
    counter = Pieces()
    await caller(counter, window=4096, reported=480).call(request, step="map", chunks=[whole])
    assert request.text not in counter.asked
    with pytest.raises(SilentTruncation, match=r"sent 502 tokens.*read 400"):
        await caller(counter, window=4096, reported=400).call(request, step="map", chunks=[whole])
    assert request.text in counter.asked


NOTHING = "Extracted Information: -\nRationale: -\nAnswer: [NO INFORMATION]\nConfidence Score: 0"


async def counted(paragraphs: int, server: MisbehavingServer) -> tuple[int, int]:
    """Chunks of a reading, and requests for token counts that it took."""
    text = "\n\n".join(f"Paragraph {n}: " + "some more words " * 12 for n in range(paragraphs))
    spec = f"openai-compatible:{server.url}#test"
    server.paths.clear()
    async with open_model(spec, ModelSettings(environment={})) as model:
        reader = Reader(model, "map_reduce", {"chunk_size": 1600}, probe=False)
        answer = await reader.aask(Document(text, "d"), "Who signed it?")
    return answer.coverage.chunks, server.paths.count("/tokenize")


@pytest.mark.anyio
async def test_a_reading_asks_the_server_to_count_each_chunk_once() -> None:
    """Of a longer text as many more counts as it has more chunks, and none for a prompt."""
    with MisbehavingServer(lambda _: NOTHING) as server:
        few, counts = await counted(20, server)
        many, more = await counted(200, server)
    assert many > few + 10
    assert more - counts == many - few


@pytest.mark.anyio
async def test_a_reading_finds_out_a_server_that_cuts() -> None:
    """Though its prompts were never counted whole."""
    with (
        MisbehavingServer(lambda _: NOTHING, defect=Defect.SILENT_CUT) as server,
        pytest.raises(SilentTruncation),
    ):
        await counted(20, server)
