"""What embedding and keeping 1,000 passages takes on this machine, and finding among them.

    python -m benchmarks.store
    python -m benchmarks.store --embedder ollama:nomic-embed-text --passages 1000

Passages of 300 tokens of the benchmarks' own text are embedded, put into a Chroma store in a
fresh folder and into the cache of embeddings, and asked for with 20 questions. CPU seconds are
user and system time of this process, and repeatable where wall time is not.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import anyio

from benchmarks.report import commit, machine, table
from benchmarks.text import paragraphs
from memreader.chunking import Chunk, chunk_document
from memreader.document import Document
from memreader.llm.registry import ModelSettings
from memreader.memory.embedders import open_embedder
from memreader.memory.embedding import Embedder, Vector
from memreader.memory.embedding_cache import EmbeddingCache, key_of
from memreader.memory.stores import open_store
from memreader.memory.vectors import Collection, Entry
from memreader.settings import home
from memreader.tokens import counter_for

SIZE = 300
"""Tokens of a passage, at most."""
QUESTIONS = [f"Who mended the sails by the tide mill on day {n}?" for n in range(20)]


@dataclass
class Taken:
    """One step: how many things, and what they took."""

    what: str
    number: int
    cpu: float = 0.0
    wall: float = 0.0

    @property
    def row(self) -> Sequence[str]:
        """For the table."""
        rate = f"{self.number / self.cpu:,.0f}" if self.cpu else ""
        each = f"{1000 * self.wall / self.number:,.1f}"
        return self.what, f"{self.number:,}", f"{self.cpu:,.1f}", rate, f"{self.wall:,.1f}", each


@contextmanager
def taking(steps: list[Taken], what: str, number: int) -> Iterator[None]:
    """Measure what happens inside."""
    step = Taken(what, number)
    cpu, wall = time.process_time(), time.monotonic()
    yield
    step.cpu, step.wall = time.process_time() - cpu, time.monotonic() - wall
    steps.append(step)


def passages(number: int) -> list[Chunk]:
    """The first passages of a long text of our own."""
    text = "\n\n".join(paragraphs(number * SIZE * 2))
    return list(chunk_document(Document(text, "text.txt"), SIZE, counter_for("gpt-4o")))[:number]


def bytes_in(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


async def embedding(
    embedder: Embedder, chunks: Sequence[Chunk], steps: list[Taken]
) -> tuple[list[Vector], list[Vector]]:
    """Vectors of passages and questions; the model is loaded before the clock runs."""
    with taking(steps, "load the model, embed one text", 1):
        await embedder.embed(["a text"])
    with taking(steps, "embed passages", len(chunks)):
        vectors = await embedder.embed([chunk.text for chunk in chunks])
    asked: list[Vector] = []
    with taking(steps, "embed questions, one at a time", len(QUESTIONS)):
        for question in QUESTIONS:
            asked += await embedder.embed([question], query=True)
    return vectors, asked


async def keeping(
    folder: Path,
    collection: Collection,
    chunks: Sequence[Chunk],
    vectors: Sequence[Vector],
    asked: Sequence[Vector],
    steps: list[Taken],
) -> None:
    """Vectors into the cache and the store, and out of them."""
    keys = [key_of(collection.fingerprint, chunk.text, query=False) for chunk in chunks]
    cache = EmbeddingCache(folder / "embeddings.sqlite")
    with taking(steps, "put into the cache", len(keys)):
        for start in range(0, len(keys), 64):
            cache.put("m", dict(zip(keys[start : start + 64], vectors[start:], strict=False)))
    with taking(steps, "get from the cache", len(keys)):
        cache.get(keys)
    entries = [
        Entry(str(chunk.index), chunk.span, chunk.text, vector)
        for chunk, vector in zip(chunks, vectors, strict=True)
    ]
    async with open_store(f"chroma:{folder / 'chroma'}") as store:
        with taking(steps, "put into the store", len(entries)):
            await store.add(collection, entries)
        document = [chunks[0].span.document]
        with taking(steps, "find the 10 nearest", len(asked)):
            for vector in asked:
                await store.query(collection, vector, 10, document)


async def measure(spec: str, number: int) -> str:
    """All steps, as a table with the sizes below."""
    chunks, steps = passages(number), list[Taken]()
    tokens = sum(chunk.tokens for chunk in chunks) / len(chunks)
    settings = ModelSettings(models=home().models)
    with tempfile.TemporaryDirectory(prefix="memreader-") as scratch:
        folder = Path(scratch)
        async with open_embedder(spec, settings) as embedder:
            vectors, asked = await embedding(embedder, chunks, steps)
            collection = Collection("passages", embedder.fingerprint)
        await keeping(folder, collection, chunks, vectors, asked, steps)
        sizes = f"store {bytes_in(folder / 'chroma') / 1e6:,.1f} MB"
        sizes += f", cache {bytes_in(folder) / 1e6 - bytes_in(folder / 'chroma') / 1e6:,.1f} MB"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    heads = ("step", "number", "CPU s", "a CPU s", "wall s", "ms each")
    about = f"{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, {machine()}"
    return (
        f"{about}\n{collection.fingerprint}; passages of {tokens:,.0f} tokens\n\n"
        f"{table(heads, [step.row for step in steps])}\n\n{sizes}, peak memory {peak:,.0f} MB"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--embedder", default="local")
    parser.add_argument("--passages", type=int, default=1000)
    chosen = parser.parse_args()
    print(anyio.run(measure, chosen.embedder, chosen.passages))


if __name__ == "__main__":
    main()
