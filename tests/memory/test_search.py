"""Search while reading: what it needs, what it says, and what it leaves alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from memreader.answer import NOT_FOUND, Answer, Draft
from memreader.contract import NEEDLE, QUESTION, paged
from memreader.errors import ConfigurationError, Refused
from memreader.memory.embedding import Fingerprint
from memreader.reader import Reader
from memreader.run import Run
from memreader.stores import Stores
from memreader.testing import Oracle, WordEmbedder, a_model


@dataclass(frozen=True)
class Near:
    """Notes how near two texts are to the question, twice."""

    prompts = {"none": ""}  # noqa: RUF012

    async def read(self, question: str, run: Run) -> Draft:
        for _ in range(2):
            near, far = await run.search.nearness(question, [NEEDLE, "Rain fell on the moor."])
            run.note(f"nearer: {near > far}")
        return NOT_FOUND


@dataclass(frozen=True)
class Finds:
    """Notes the place that is found in its documents."""

    prompts = {"none": ""}  # noqa: RUF012

    async def read(self, question: str, run: Run) -> Draft:
        chunks = [chunk async for chunk in run.chunks(60)]
        await run.search.keep("passages", chunks)
        await run.search.keep("passages", chunks)
        hits = await run.search.find("passages", question, 10, chunks)
        assert {hit.span for hit in hits} <= {chunk.span for chunk in chunks}
        run.note(f"found: {NEEDLE in hits[0].text} of {len(hits)}")
        return NOT_FOUND


@dataclass(frozen=True)
class Letters:
    """Tokens of three letters, said to be words: as an estimate that was calibrated anew."""

    exact: bool = False
    name: str = "words"

    def count(self, text: str) -> int:
        return -(-len(text) // 3)


@dataclass
class Counted:
    """A word embedder that counts what it is asked."""

    texts: int = 0

    @property
    def fingerprint(self) -> Fingerprint:
        return WordEmbedder().fingerprint

    async def embed(self, texts: Any, *, query: bool = False) -> Any:
        self.texts += len(texts)
        return await WordEmbedder().embed(texts, query=query)


def _read(strategy: Any, embedder: Any = None, *documents: Any, **how: Any) -> Answer:
    reader = Reader(a_model(Oracle({})), strategy, probe=False, embedder=embedder, **how)
    return reader.ask(documents or paged(12, needle_on=7), QUESTION)


def test_without_an_embedding_model_nearness_is_that_of_words_and_said_once() -> None:
    """The manifest has no embedding model then."""
    answer = _read(Near())
    assert ["nearer: True"] * 2 == [n for n in answer.notes if n.startswith("nearer")]
    assert 1 == sum("shared words" in n for n in answer.notes)
    assert answer.manifest["embedder"] is None


def test_the_manifest_names_the_embedding_model() -> None:
    """With its fingerprint; where it was set and not used, it is not named."""
    answer = _read(Near(), WordEmbedder())
    assert str(WordEmbedder().fingerprint) == answer.manifest["embedder"]
    assert not any("shared words" in n for n in answer.notes)


def test_a_second_question_and_a_changed_document_embed_only_what_is_new(tmp_path: Path) -> None:
    """Passages are kept once; of a changed document the changed ones are embedded."""
    counted = Counted()
    first = _read(Finds(), counted, stores=Stores(tmp_path))
    assert "found: True of 10" in first.notes
    whole = counted.texts
    _read(Finds(), counted, stores=Stores(tmp_path))
    assert whole == counted.texts
    reader = Reader(
        a_model(Oracle({})), Finds(), probe=False, embedder=counted, stores=Stores(tmp_path)
    )
    reader.ask(paged(12, needle_on=7), "Another question?")
    assert whole + 1 == counted.texts
    reader.ask(paged(13, needle_on=7), QUESTION)
    assert whole + 1 < counted.texts < whole + 10


def test_passages_of_another_cut_take_the_place_of_none(tmp_path: Path) -> None:
    """The same documents cut otherwise under the same name: what is found is of this cut."""
    document, stores = paged(12, needle_on=7), Stores(tmp_path)
    for counter in (Letters(), None):
        model = a_model(Oracle({}), counter=counter)
        reader = Reader(model, Finds(), probe=False, embedder=WordEmbedder(), stores=stores)
        assert "found: True of 10" in reader.ask(document, QUESTION).notes


def test_what_searches_by_meaning_says_how_to_set_a_model() -> None:
    """One error with the ways to set one."""
    with pytest.raises(ConfigurationError, match=r"models pull minilm.*--embedder ollama"):
        _read(Finds())


def test_a_strategy_that_needs_no_vectors_loads_nothing_heavy(tmp_path: Path) -> None:
    """`ask -s map_reduce` imports neither torch nor Chroma, embedding model set or not."""
    (tmp_path / "a.txt").write_text("The lease was signed by Ingrid Solheim.\n" * 20)
    script = """
import sys
from memreader.testing import MisbehavingServer
from memreader.cli import run
with MisbehavingServer(lambda body: "Ingrid Solheim") as server:
    code = run(["ask", "-s", "map_reduce", "-m", f"openai-compatible:{server.url}#test",
                "--no-probe", "--embedder", "local", "--store", "chroma:memory", sys.argv[1],
                "Who signed the lease?"])
heavy = {"torch", "chromadb", "sentence_transformers", "llama_index", "transformers", "networkx"}
print(len(server.requests) > 0, sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a.txt")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "True []" == done.stdout.splitlines()[-1]


@dataclass
class Faulty:
    """An embedder of a stranger's that gives `vector`, or raises it."""

    vector: Any

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint("faulty", 2, normalised=False)

    async def embed(self, texts: Any, *, query: bool = False) -> Any:
        if isinstance(self.vector, Exception):
            raise self.vector
        return [self.vector for _ in texts]


@pytest.mark.parametrize(
    ("vector", "told"),
    [
        (RuntimeError("no licence"), r"faulty failed: RuntimeError\('no licence'\)"),
        (None, "faulty failed: TypeError"),
        (["one", "two"], "faulty failed: TypeError"),
    ],
)
def test_an_embedder_that_fails_is_one_line(vector: Any, told: str) -> None:
    """A stranger's embedder may fail in any way."""
    with pytest.raises(ConfigurationError, match=told):
        _read(Near(), Faulty(vector))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_vectors_without_finite_numbers_are_refused_and_not_cached(number: float) -> None:
    """From the cache they would spoil every search of a later reading in silence."""
    stores = Stores()
    with pytest.raises(Refused, match="no finite number"):
        _read(Near(), Faulty([number, 1.0]), stores=stores)
    assert 0 == stores.embeddings().count()
