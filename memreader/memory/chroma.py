"""The vector store on Chroma, always with our own vectors.

Entries are rows `document:id` of one Chroma collection for each kind of passage and embedding
model. The fingerprint stands in the collection's metadata: it is checked whenever the collection
is used, so that vectors which cannot be compared never meet.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Collection as Group
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from memreader.document import Span
from memreader.errors import ConfigurationError, Unreachable
from memreader.memory.chroma_faults import translating
from memreader.memory.embedding import Fingerprint, Vector
from memreader.memory.vectors import Collection, Entry, Held, Hit

R = TypeVar("R")
PREFIX = "memreader-"
PAGE = 5_000
"""Rows that are listed at once."""
BATCH = 2_000
"""Rows that are added at once, at most: some megabytes."""
EXACT = 10_000
"""Rows of a collection up to which all are compared, in about a tenth of a second for 3,000.
Chroma's own index is approximate, and each time it is built it may find others among equals."""
PATIENCE = 120.0
"""Seconds until a server that answers nothing is given up."""


@dataclass(frozen=True, slots=True)
class ChromaStore:
    """A vector store on one client of Chroma."""

    client: Any
    where: str
    """As messages show it: a folder, a URL, or "memory"."""
    server: bool = False

    async def add(self, collection: Collection, entries: Sequence[Entry]) -> None:
        """Keep entries, in batches that Chroma takes; each is on disk when it was taken."""
        if entries:
            await self._run(partial(self._add, collection, entries))

    async def known(self, collection: Collection, document: str) -> set[str]:
        """Ids of a document's entries."""
        return await self._run(partial(self._known, collection, document))

    async def query(
        self, collection: Collection, vector: Vector, most: int, documents: Group[str]
    ) -> list[Hit]:
        """The nearest entries of these documents."""
        if most < 1 or not documents:
            return []
        return await self._run(partial(self._query, collection, vector, most, documents))

    async def held(self) -> list[Held]:
        """What there is, by collection and document."""
        return await self._run(self._list)

    async def remove(self, document: str) -> int:
        """Forget a document in all collections."""
        return await self._run(partial(self._remove, document))

    async def _run(self, work: Callable[[], R]) -> R:
        """Work in a thread, since Chroma blocks. A server that hangs is left behind."""

        def translated() -> R:
            with translating(self.where, server=self.server):
                return work()

        if not self.server:
            return await anyio.to_thread.run_sync(translated)
        with anyio.move_on_after(PATIENCE):
            return await anyio.to_thread.run_sync(translated, abandon_on_cancel=True)
        raise Unreachable(f"The Chroma server {self.where} gave no answer in {PATIENCE:,.0f} s.")

    # --- collections -----------------------------------------------------------------------

    def _found(self, collection: Collection) -> Any:
        """The collection, its fingerprint checked; None where there is none."""
        from chromadb.errors import NotFoundError

        try:
            found = self.client.get_collection(_name(collection), embedding_function=None)
        except NotFoundError:
            return None
        self._check(found, collection)
        return found

    def _made(self, collection: Collection) -> Any:
        """The collection, its fingerprint checked, made where there is none."""
        made = self.client.get_or_create_collection(
            _name(collection),
            embedding_function=None,
            metadata=_metadata(collection),
            configuration={"hnsw": {"space": "cosine"}},
        )
        if _of(made).fingerprint != collection.fingerprint and not made.count():
            # Nothing is left of the old one, so nothing holds on to its dimension.
            self.client.delete_collection(made.name)
            return self._made(collection)
        self._check(made, collection)
        return made

    def _check(self, found: Any, wanted: Collection) -> None:
        there = _of(found).fingerprint
        if there != wanted.fingerprint:
            raise ConfigurationError(
                f"The vectors of {wanted.name!r} in the store {self.where} were made by "
                f"{there}, and the embedding model is now {wanted.fingerprint}: they cannot be "
                f"compared. Remove the documents that were indexed with the old one (memreader "
                f"index --remove FILE), name the old model (--embedder), or use another store "
                f"(--store chroma:OTHER/PATH)."
            )

    def _ours(self) -> Iterator[Any]:
        """All collections that memreader made; a server may hold others."""
        start = 0
        while some := self.client.list_collections(limit=100, offset=start):
            start += len(some)
            yield from (c for c in some if c.name.startswith(PREFIX))

    # --- the work, in a thread -------------------------------------------------------------

    def _add(self, collection: Collection, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if len(entry.vector) != collection.fingerprint.dimension:
                raise ConfigurationError(
                    f"A vector of {len(entry.vector):,} dimensions is no vector of "
                    f"{collection.fingerprint}."
                )
        held, size = self._made(collection), min(BATCH, self.client.get_max_batch_size())
        for start in range(0, len(entries), size):
            batch = entries[start : start + size]
            held.upsert(
                ids=[f"{e.span.document}:{e.id}" for e in batch],
                embeddings=[list(e.vector) for e in batch],
                documents=[e.text for e in batch],
                metadatas=[
                    {"document": e.span.document, "start": e.span.start, "end": e.span.end}
                    for e in batch
                ],
            )

    def _known(self, collection: Collection, document: str) -> set[str]:
        held = self._found(collection)
        if held is None:
            return set()
        rows = _pages(held, where={"document": document}, include=[])
        return {row.partition(":")[2] for page in rows for row in page["ids"]}

    def _query(
        self, collection: Collection, vector: Vector, most: int, documents: Group[str]
    ) -> list[Hit]:
        held = self._found(collection)
        if held is None:
            return []
        where = {"document": {"$in": sorted(documents)}}
        if held.count() <= EXACT:
            ids = _nearest(held, vector, most, where)
            if not ids:  # Chroma takes no ids for all of them
                return []
            found = held.get(ids=ids, include=["documents", "metadatas", "embeddings"])
            scores = _cosines(found["embeddings"], vector)
            columns = [found["ids"], found["documents"], found["metadatas"], scores]
        else:
            found = held.query(
                query_embeddings=[list(vector)],
                n_results=most,
                where=where,
                include=["documents", "metadatas", "distances"],
            )
            columns = [found[k][0] for k in ("ids", "documents", "metadatas", "distances")]
            columns[-1] = [1 - distance for distance in columns[-1]]
        hits = [
            Hit(
                row.partition(":")[2],
                Span(about["document"], about["start"], about["end"]),
                text,
                max(-1.0, min(1.0, score)),  # single precision may pass 1
            )
            for row, text, about, score in zip(*columns, strict=True)
        ]
        return sorted(hits, key=lambda hit: (-hit.score, hit.span.document, hit.id))

    def _list(self) -> list[Held]:
        found = []
        for collection in self._ours():
            counts: Counter[str] = Counter()
            for page in _pages(collection, include=["metadatas"]):
                counts.update(about["document"] for about in page["metadatas"])
            found += [Held(_of(collection), document, n) for document, n in counts.items()]
        return sorted(found, key=lambda h: (h.collection.name, h.document))

    def _remove(self, document: str) -> int:
        gone = 0
        for collection in list(self._ours()):
            pages = _pages(collection, where={"document": document}, include=[])
            ids = [row for page in pages for row in page["ids"]]
            for start in range(0, len(ids), BATCH):
                collection.delete(ids=ids[start : start + BATCH])
            gone += len(ids)
        return gone


def _nearest(held: Any, vector: Vector, most: int, where: Any) -> list[str]:
    """Ids of the nearest rows, each of them compared; equals by id."""
    scored = [
        (-score, row)
        for page in _pages(held, where=where, include=["embeddings"])
        for row, score in zip(page["ids"], _cosines(page["embeddings"], vector), strict=True)
    ]
    return [row for _, row in sorted(scored)[:most]]


def _cosines(rows: Any, vector: Vector) -> list[float]:
    """Cosines, rounded to what single precision tells apart."""
    import numpy as np

    wanted = np.asarray(vector, dtype=np.float64)
    there = np.asarray(rows, dtype=np.float64).reshape(-1, len(wanted))
    lengths = np.linalg.norm(there, axis=1) * np.linalg.norm(wanted)
    found = there @ wanted / np.where(lengths == 0, 1.0, lengths)
    return [round(float(score), 6) for score in found]


def _pages(collection: Any, **what: Any) -> Iterator[Any]:
    start = 0
    while (page := collection.get(limit=PAGE, offset=start, **what))["ids"]:
        start += len(page["ids"])
        yield page


def _name(collection: Collection) -> str:
    """Name in Chroma: the kind of passage and the embedding model, whatever became of it since.

    Another model is another collection, so that a user may change it and go back. The same model
    with other weights or another dimension is the same collection, which then refuses.
    """
    told = f"{collection.name}\n{collection.fingerprint.model}"
    return PREFIX + hashlib.sha256(told.encode()).hexdigest()[:32]


def _metadata(collection: Collection) -> dict[str, Any]:
    made_by = collection.fingerprint
    return {
        "name": collection.name,
        "model": made_by.model,
        "dimension": made_by.dimension,
        "normalised": made_by.normalised,
        "weights": made_by.weights,
    }


def _of(collection: Any) -> Collection:
    about = collection.metadata or {}
    return Collection(
        str(about.get("name", collection.name)),
        Fingerprint(
            str(about.get("model", "an unknown model")),
            int(about.get("dimension", 0)),
            bool(about.get("normalised", False)),
            str(about.get("weights", "")),
        ),
    )
