"""The contract that every vector store keeps, ours or a stranger's, as a test suite to inherit.

    from memreader.store_contract import VectorStoreContract
    class TestMine(VectorStoreContract):
        def opened(self):
            return open_mine("...")

Runs under pytest. Each test opens the store anew, and finds in it what it has put there itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import anyio

from memreader.document import Span
from memreader.errors import ConfigurationError
from memreader.memory.embedding import Fingerprint, Vector
from memreader.memory.vectors import Collection, Entry, VectorStore

__all__ = ["VectorStoreContract"]

R = TypeVar("R")


class VectorStoreContract:
    """Inherit, say how the store is opened, and run under pytest."""

    def opened(self) -> AbstractAsyncContextManager[VectorStore]:
        """The store, with nothing in it for the first test."""
        raise NotImplementedError("a suite that inherits says what it opens")

    # --- helpers ---------------------------------------------------------------------------

    def within(self, work: Callable[[VectorStore], Awaitable[R]]) -> R:
        """Work on the open store."""

        async def run() -> R:
            async with self.opened() as store:
                return await work(store)

        return anyio.run(run)

    def collection(self, model: str = "contract", **how: Any) -> Collection:
        """A collection of vectors with three numbers."""
        made_by: dict[str, Any] = {"dimension": 3, "weights": "one", **how}
        return Collection("passages of 60 tokens", Fingerprint(model, **made_by))

    def entry(self, place: int, vector: Vector, document: str = "a" * 40) -> Entry:
        """A passage that begins at a place."""
        span = Span(document, place, place + 5)
        return Entry(f"{place}-{place + 5}", span, f"text {place} «é 漢»", vector)

    # --- finding ---------------------------------------------------------------------------

    def test_the_nearest_come_first_with_span_text_and_cosine(self) -> None:
        """Hits are in order of nearness, and hold what was added."""
        entries = [
            self.entry(0, [1.0, 0.0, 0.0]),
            self.entry(10, [0.0, 1.0, 0.0]),
            self.entry(20, [0.6, 0.8, 0.0]),
        ]

        async def work(store: VectorStore) -> list[Any]:
            await store.add(self.collection("nearest"), entries)
            collection = self.collection("nearest")
            return await store.query(collection, [0.0, 1.0, 0.0], 2, ["a" * 40])

        first, second = self.within(work)
        assert (entries[1].span, entries[1].text) == (first.span, first.text)
        assert (entries[2].id, entries[2].span) == (second.id, second.span)
        assert abs(1.0 - first.score) < 1e-4
        assert abs(0.8 - second.score) < 1e-4

    def test_equally_near_passages_come_in_the_order_of_their_ids(self) -> None:
        """The same question gets the same hits."""
        entries = [self.entry(place, [1.0, 0.0, 0.0]) for place in (30, 10, 20)]

        async def work(store: VectorStore) -> list[str]:
            collection = self.collection("equal")
            await store.add(collection, entries)
            return [h.id for h in await store.query(collection, [1.0, 0.0, 0.0], 3, ["a" * 40])]

        assert ["10-15", "20-25", "30-35"] == self.within(work)

    def test_only_the_documents_asked_for_are_searched(self) -> None:
        """A nearer passage of another document is not found; no document finds nothing."""
        near, far = self.entry(0, [1.0, 0.0, 0.0], "b" * 40), self.entry(0, [0.1, 1.0, 0.0])

        async def work(store: VectorStore) -> list[list[str]]:
            collection = self.collection("documents")
            await store.add(collection, [near, far])
            asked: Sequence[Sequence[str]] = (["a" * 40], ["b" * 40, "a" * 40], ["c" * 40], [])
            return [
                [h.span.document[0] for h in await store.query(collection, [1.0, 0.0, 0.0], 5, d)]
                for d in asked
            ]

        assert [["a"], ["b", "a"], [], []] == self.within(work)

    def test_what_was_never_added_is_not_there(self) -> None:
        """A collection that nobody made is empty, and asking does not make it."""

        async def work(store: VectorStore) -> tuple[set[str], list[Any], list[str]]:
            collection = self.collection("nowhere")
            known = await store.known(collection, "a" * 40)
            hits = await store.query(collection, [1.0, 0.0, 0.0], 3, ["a" * 40])
            return known, hits, [h.collection.fingerprint.model for h in await store.held()]

        known, hits, models = self.within(work)
        assert (set(), []) == (known, hits)
        assert "nowhere" not in models

    # --- adding ----------------------------------------------------------------------------

    def test_an_entry_that_is_added_again_is_replaced(self) -> None:
        """The id stays one entry, with the later vector and text."""

        async def work(store: VectorStore) -> tuple[set[str], list[Any]]:
            collection = self.collection("again")
            await store.add(collection, [self.entry(0, [1.0, 0.0, 0.0])])
            await store.add(collection, [self.entry(0, [0.0, 1.0, 0.0])])
            hits = await store.query(collection, [0.0, 1.0, 0.0], 5, ["a" * 40])
            return await store.known(collection, "a" * 40), hits

        known, hits = self.within(work)
        assert {"0-5"} == known
        assert 1 == len(hits)
        assert hits[0].score > 0.99

    def test_the_same_id_in_two_documents_is_two_entries(self) -> None:
        """Ids are unique in their document."""

        async def work(store: VectorStore) -> list[set[str]]:
            collection = self.collection("ids")
            for document in ("a" * 40, "b" * 40):
                await store.add(collection, [self.entry(0, [1.0, 0.0, 0.0], document)])
            return [await store.known(collection, d) for d in ("a" * 40, "b" * 40, "c" * 40)]

        assert [{"0-5"}, {"0-5"}, set()] == self.within(work)

    def test_many_entries_are_added_and_all_are_known(self) -> None:
        """More than fit one batch; none is lost, and none comes twice."""
        entries = [self.entry(i, [1.0, i / 100, 1.0]) for i in range(2_500)]

        async def work(store: VectorStore) -> tuple[int, int]:
            collection = self.collection("many")
            await store.add(collection, entries)
            hits = await store.query(collection, [1.0, 0.0, 1.0], 200, ["a" * 40])
            return len(await store.known(collection, "a" * 40)), len({h.id for h in hits})

        assert (2_500, 200) == self.within(work)

    # --- fingerprints ----------------------------------------------------------------------

    def test_another_model_has_vectors_of_its_own(self) -> None:
        """Whoever changes the model is not stuck, and finds the old vectors on going back."""

        async def work(store: VectorStore) -> list[set[str]]:
            one, other = self.collection("model-1"), self.collection("model-2", dimension=2)
            await store.add(one, [self.entry(0, [1.0, 0.0, 0.0])])
            await store.add(other, [self.entry(7, [1.0, 0.0])])
            return [await store.known(c, "a" * 40) for c in (one, other)]

        assert [{"0-5"}, {"7-12"}] == self.within(work)

    def test_the_same_model_with_another_fingerprint_is_refused(self) -> None:
        """Other weights, dimension or length: an error that names both, whatever is asked."""
        changes: list[dict[str, Any]] = [
            {"weights": "two"},
            {"dimension": 4},
            {"normalised": False},
        ]
        for n, change in enumerate(changes):
            model = f"changing-{n}"
            old, new = self.collection(model), self.collection(model, **change)
            longer = [1.0, 0.0, 0.0, 0.0][: new.fingerprint.dimension]

            async def work(
                store: VectorStore,
                old: Collection = old,
                new: Collection = new,
                vector: list[float] = longer,
            ) -> list[str]:
                await store.add(old, [self.entry(0, [1.0, 0.0, 0.0])])
                calls: list[Callable[[], Awaitable[Any]]] = [
                    lambda: store.add(new, [self.entry(0, vector)]),
                    lambda: store.known(new, "a" * 40),
                    lambda: store.query(new, vector, 3, ["a" * 40]),
                ]
                return [await _refusal(call) for call in calls]

            for message in self.within(work):
                assert str(old.fingerprint) in message
                assert str(new.fingerprint) in message

    def test_a_vector_of_another_dimension_is_refused(self) -> None:
        """Nothing of the batch is added."""

        async def work(store: VectorStore) -> set[str]:
            collection = self.collection("dimension")
            wrong = [self.entry(0, [1.0, 0.0, 0.0]), self.entry(9, [1.0, 0.0])]
            await _refusal(lambda: store.add(collection, wrong))
            return await store.known(collection, "a" * 40)

        assert set() == self.within(work)

    def test_a_collection_without_entries_takes_the_new_fingerprint(self) -> None:
        """After the documents were removed, the changed model can be used."""

        async def work(store: VectorStore) -> set[str]:
            document = "d" * 40
            old, new = self.collection("freed"), self.collection("freed", dimension=2)
            await store.add(old, [self.entry(0, [1.0, 0.0, 0.0], document)])
            await store.remove(document)
            await store.add(new, [self.entry(3, [1.0, 0.0], document)])
            return await store.known(new, document)

        assert {"3-8"} == self.within(work)

    # --- what is held, and removing ----------------------------------------------------------

    def test_what_is_held_is_told_by_collection_and_document(self) -> None:
        """Counts are those of entries; the fingerprint comes back as it was given."""

        async def work(store: VectorStore) -> list[tuple[str, int]]:
            collection = self.collection("held")
            entries = [self.entry(i, [1.0, 0.0, 0.0], "e" * 40) for i in (0, 9)]
            await store.add(collection, [*entries, self.entry(0, [1.0, 0.0, 0.0], "f" * 40)])
            ours = [h for h in await store.held() if h.collection == collection]
            return [(h.document[0], h.entries) for h in ours]

        assert [("e", 2), ("f", 1)] == self.within(work)

    def test_removing_a_document_takes_what_only_it_supported(self) -> None:
        """From all collections; other documents keep every entry, and are found as before."""

        async def work(store: VectorStore) -> tuple[int, int, list[set[str]], list[str]]:
            gone, stays = "1" * 40, "2" * 40
            both = self.collection("removing-1"), self.collection("removing-2")
            for collection in both:
                entries = [self.entry(i, [1.0, i / 10, 0.0], gone) for i in range(3)]
                await store.add(collection, [*entries, self.entry(1, [0.0, 1.0, 0.0], stays)])
            removed, again = await store.remove(gone), await store.remove(gone)
            known = [await store.known(c, d) for c in both for d in (gone, stays)]
            hits = await store.query(both[0], [1.0, 0.0, 0.0], 5, [gone, stays])
            return removed, again, known, [h.span.document for h in hits]

        expected = (6, 0, [set(), {"1-6"}, set(), {"1-6"}], ["2" * 40])
        assert expected == self.within(work)


async def _refusal(call: Callable[[], Awaitable[Any]]) -> str:
    try:
        await call()
    except ConfigurationError as error:
        return str(error)
    raise AssertionError("The store took vectors that cannot be compared.")
