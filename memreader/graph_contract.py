"""The contract that every graph store keeps, ours or a stranger's, as a test suite to inherit.

    from memreader.graph_contract import GraphStoreContract
    class TestMyGraph(GraphStoreContract):
        new = MyGraph

Runs under pytest and needs hypothesis, which the suite's user brings along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from memreader.document import Span
from memreader.memory.graph import Fact, GraphStore, Neighbour, Node, key_of
from memreader.memory.pagerank import pagerank

_NAMES = ("Salt", "salts", "SALT", "Écluse", "E\u0301cluse", "lease", "Marta Ilves", "码头", "ﬁre")


def a_fact(text: str, *nodes: str, document: str = "one", at: int = 0) -> Fact:
    """A fact that stands somewhere."""
    return Fact(text, nodes, Span(document, at, at + len(text)), at // 100)


_FACTS = some.lists(
    some.builds(
        a_fact,
        some.sampled_from(("It rained.", "Salt was sold.", "The lock is deep.")),
        some.sampled_from(_NAMES),
        some.sampled_from(_NAMES),
        document=some.sampled_from(("one", "two")),
        at=some.sampled_from((0, 150, 300)),
    ),
    max_size=12,
)


_UNHURRIED = settings(deadline=None)  # a busy machine is no fault of a store


class GraphStoreContract:
    """Inherit, set `new`, and run under pytest."""

    new: ClassVar[Callable[[], GraphStore]]
    """Makes an empty store."""

    def of(self, facts: Sequence[Fact]) -> GraphStore:
        """A store with these facts."""
        store = type(self).new()
        store.add(facts)
        return store

    # --- nodes and names -------------------------------------------------------------------

    def test_an_empty_store_holds_nothing(self) -> None:
        """And says so, whatever it is asked for."""
        store = self.of([])
        assert ([], [], [], [], 0) == (
            store.nodes(), store.facts(), store.facts("salt"), store.neighbours("salt"),
            store.remove("one"),
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Écluse", "E\u0301CLUSE"), ("码头Ａ", "码头A"), ("ﬁre", "FIRE"), ("Straße", "STRASSE"),
            ("harbour-lease", "Harbour  leases"), ("Copies", "copy"), ("boxes", "box"),
        ],
    )  # fmt: skip
    def test_names_merge_across_unicode_variants(self, one: str, other: str) -> None:
        """NFKC, case, punctuation, plural: one node, its forms kept, found by any of them."""
        store = self.of([a_fact("First.", one), a_fact("Then.", other, at=10)])
        (node,) = store.nodes()
        assert ({one, other}, 2) == ({node.name, *node.aliases}, node.facts)
        assert store.facts(one) == store.facts(other) == store.facts()

    @pytest.mark.parametrize(
        ("one", "other"),
        [("码头", "码洞"), ("peche", "pêche"), ("version 1", "version 2"), ("gas", "ga")],
    )
    def test_names_that_mean_different_things_stay_apart(self, one: str, other: str) -> None:
        """CJK, accents, figures: normalising is not ASCII's."""
        assert 2 == len(self.of([a_fact("First.", one), a_fact("Then.", other, at=10)]).nodes())

    def test_names_that_are_said_to_mean_the_same_are_one_node(self) -> None:
        """Whichever document says so, under the name that it calls the proper one."""
        said = Fact("A car came.", ("automobile",), Span("one", 0, 11), 0, (("automobile", "car"),))
        store = self.of([a_fact("It left.", "Automobile", document="two"), said])
        (node,) = store.nodes()
        assert {"automobile", "Automobile"} <= {node.name, "automobile", *node.aliases}
        assert 2 == len(store.facts("automobile")) == len(store.facts("CAR"))
        store.remove("one")
        assert ([], 1) == (store.facts("car"), len(store.facts("automobile")))

    def test_a_name_without_letters_is_no_node(self) -> None:
        """The fact is kept."""
        store = self.of([a_fact("It rained.", "—", "rain")])
        assert (["rain"], 1) == ([n.name for n in store.nodes()], len(store.facts()))

    # --- facts and edges -------------------------------------------------------------------

    def test_facts_stand_in_the_order_of_the_text(self) -> None:
        """Whatever the order in which they came."""
        facts = [a_fact(f"Salt {i}.", "salt", at=100 * i) for i in range(5)]
        assert facts == self.of(facts[::-1]).facts("salt")

    def test_an_edge_weighs_the_facts_that_mention_both(self) -> None:
        """The closest first, equals by name."""
        store = self.of(
            [
                a_fact("One.", "salt", "rain"),
                a_fact("Two.", "Salts", "rain", "clerk", at=10),
                a_fact("Three.", "salt", "barge", at=20),
            ]
        )
        assert [Neighbour("rain", 2), Neighbour("barge", 1), Neighbour("clerk", 1)] == (
            store.neighbours("SALT")
        )

    @_UNHURRIED
    @given(facts=_FACTS)
    def test_adding_again_adds_nothing(self, facts: list[Fact]) -> None:
        """No second fact, no heavier edge."""
        store = self.of(facts)
        before = _seen(store)
        store.add(facts)
        assert before == _seen(store)

    @_UNHURRIED
    @given(facts=_FACTS, order=some.randoms(use_true_random=False))
    def test_the_order_of_adding_is_of_no_matter(self, facts: list[Fact], order: object) -> None:
        """The same facts make the same graph."""
        mixed = list(facts)
        order.shuffle(mixed)  # type: ignore[attr-defined]
        assert _seen(self.of(facts)) == _seen(self.of(mixed))

    @_UNHURRIED
    @given(facts=_FACTS)
    def test_edges_go_both_ways_and_rest_on_facts(self, facts: list[Fact]) -> None:
        """And no node is its own neighbour."""
        store = self.of(facts)
        for node in store.nodes():
            assert node.facts == len(store.facts(node.name)) > 0
            for neighbour in store.neighbours(node.name):
                both = [f for f in store.facts(node.name) if f in store.facts(neighbour.name)]
                assert neighbour.weight == len(both) > 0
                assert key_of(neighbour.name) != key_of(node.name)
                assert Neighbour(node.name, neighbour.weight) in store.neighbours(neighbour.name)

    # --- removal ---------------------------------------------------------------------------

    @_UNHURRIED
    @given(facts=_FACTS)
    def test_removal_takes_exactly_what_only_that_document_supports(
        self, facts: list[Fact]
    ) -> None:
        """The store is then as if the document had never been there."""
        store = self.of(facts)
        held = len(store.facts())
        gone = store.remove("one")
        assert _seen(store) == _seen(self.of([f for f in facts if f.span.document != "one"]))
        assert held == gone + len(store.facts())

    # --- rank ------------------------------------------------------------------------------

    @_UNHURRIED
    @given(facts=_FACTS, seeds=some.dictionaries(some.sampled_from(_NAMES), some.floats(0, 10)))
    def test_pagerank_shares_sum_to_one(self, facts: list[Fact], seeds: dict[str, float]) -> None:
        """Whatever the seeds, also where nodes have no neighbour."""
        store = self.of(facts)
        shares = pagerank(store, seeds)
        assert [n.name for n in store.nodes()] == list(shares)
        assert not shares or abs(sum(shares.values()) - 1) < 1e-9
        assert all(share >= 0 for share in shares.values())

    def test_pagerank_falls_with_the_distance_from_the_seeds(self) -> None:
        """And what cannot be reached has none."""
        store = self.of(
            [a_fact("One.", "a1", "b1"), a_fact("Two.", "b1", "c1"), a_fact("Far.", "d1", "e1")]
        )
        shares = pagerank(store, {"A1": 1.0})
        assert shares["b1"] > shares["c1"] > shares["d1"] == shares["e1"] == 0


def _seen(store: GraphStore) -> tuple[list[Node], list[str], list[list[Neighbour]]]:
    nodes = store.nodes()
    facts = [f"{f.span}{f.text}{sorted(f.nodes)}" for f in store.facts()]
    return nodes, facts, [store.neighbours(node.name) for node in nodes]
