"""Notes: every sentence keeps the places it rests on, over any number of rewrites."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memreader.chunking import Chunk
from memreader.document import Span
from memreader.memory.notes import Item, Notes

FERRY = "The Grey Wether carries the mail to Ebbing Island."
GAUGE = "Gauge 7 was read at 41 centimetres on 3 May."


def chunk(text: str, index: int = 0, start: int = 0) -> Chunk:
    """A chunk that stands at an offset of its document."""
    return Chunk(index, Span("doc", start, start + len(text)), text, len(text.split()))


def places(notes: Notes) -> list[list[tuple[int, int]]]:
    """Offsets by item."""
    return [[(s.start, s.end) for s in item.sources] for item in notes.items]


def test_a_quoted_sentence_rests_on_its_place() -> None:
    """Word for word, hence quoted."""
    notes = Notes().rewritten(f"- {FERRY}", chunk(f"Some words. {FERRY} More.", 3, 100))
    assert [[(112, 112 + len(FERRY))]] == places(notes)
    assert ("exact", 3) == (notes.items[0].evidence[0].verified, notes.items[0].since)


def test_sources_survive_rewrites_beside_other_chunks() -> None:
    """Told again in other words, five chunks later, a fact still rests on its own page."""
    notes = Notes().rewritten(FERRY, chunk(FERRY, 0, 100))
    for index, told in enumerate(
        ("The mail to Ebbing Island is carried by the Grey Wether.",
         "Mail for Ebbing Island: carried by the Grey Wether.",
         "The Grey Wether carries mail to Ebbing Island."),
        start=1,
    ):  # fmt: skip
        notes = notes.rewritten(told, chunk("The rain went on. Barrels were counted.", index, 900))
    assert [[(100, 100 + len(FERRY))]] == places(notes)
    assert 0 == notes.items[0].since


def test_a_sentence_of_two_facts_rests_on_both() -> None:
    """A merge of an old fact with a new quote keeps the old place beside the new one."""
    notes = Notes().rewritten(FERRY, chunk(FERRY, 0, 100))
    merged = notes.retold("The Grey Wether carries the mail to Ebbing Island. Gauge 7 read 41.")
    assert [(100, 100 + len(FERRY))] == places(merged)[0]
    both = notes.added(Item(GAUGE, (), 2))
    assert len(both.items) == 2
    assert both.added(Item(FERRY)) == both


@pytest.mark.parametrize("mark", ["", "- ", "* ", "{n}. ", "({n}) "])
def test_facts_one_a_line_each_rest_on_their_own_place(mark: str) -> None:
    """The form that prompts ask for, without full stops as most models write it, or numbered."""
    facts = [FERRY.rstrip("."), GAUGE.rstrip("."), "The lease of the quay ends in 1987"]
    notes = Notes()
    for index, fact in enumerate(facts):
        told = [mark.format(n=n) + f for n, f in enumerate(facts[: index + 1], start=1)]
        text = f"Some words. {fact}. More."
        notes = notes.rewritten("\n".join(told), chunk(text, index, 100 * index))
    assert facts == [item.text for item in notes.items]
    assert [
        [(100 * i + 12, 100 * i + 12 + len(fact))] for i, fact in enumerate(facts)
    ] == places(notes)  # fmt: skip


def test_a_line_that_begins_with_a_figure_keeps_it() -> None:
    """Only numbers that count from 1 are those of a list."""
    told = "1987 was the year\n3.5 fathoms is the depth"
    assert told.splitlines() == [i.text for i in Notes().rewritten(told, chunk(FERRY)).items]


def test_invented_sentences_rest_on_nothing() -> None:
    """What stands neither in the chunk nor in the old notes has no place."""
    notes = Notes().rewritten("Zanthor Quill left at noon.", chunk(FERRY))
    assert [[]] == places(notes)


def test_what_is_forgotten_and_what_is_corrected() -> None:
    """Dropped in silence is forgotten; another figure for the same matter is a correction."""
    old = Notes((Item(FERRY, (), 0), Item(GAUGE, (), 1)))
    assert [FERRY, GAUGE] == [i.text for i in old.forgotten(Notes())]
    corrected = Notes((Item("Gauge 7 was read at 44 centimetres on 3 May.", (), 2),))
    assert [FERRY] == [i.text for i in old.forgotten(corrected)]
    assert () == old.forgotten(Notes((Item(f"{FERRY} {GAUGE}", (), 2),)))


def test_nothing_told_is_nothing_noted() -> None:
    """The marker is no fact."""
    assert Notes() == Notes().rewritten("[NO INFORMATION]\n- none", chunk(FERRY))


def test_chinese_notes_keep_their_places() -> None:
    """Without spaces too."""
    text = "渡船灰羊号把邮件送到埃宾岛。"
    notes = Notes().rewritten(text, chunk(f"天下雨。{text}", 0, 10))
    again = notes.rewritten("把邮件送到埃宾岛的渡船是灰羊号。", chunk("天又下雨了。", 1, 500))
    assert [[(14, 14 + len(text))]] == places(again)


_SENTENCE = st.sampled_from(
    ["The lock is nine fathoms deep.", "Marta Ilves signed the lease in May.",
     "The roof cost 18,400 pounds.", "Nobody saw the heron leave at noon."]
)  # fmt: skip


@given(st.lists(_SENTENCE, min_size=1, max_size=6), st.lists(_SENTENCE, max_size=4))
def test_sources_never_leave_their_chunks(first: list[str], second: list[str]) -> None:
    """Whatever is rewritten, each place lies in a chunk that was read, and holds text."""
    one, two = chunk(" ".join(first), 0, 0), chunk(" ".join(second), 1, 1000)
    notes = Notes().rewritten("\n".join(first), one).rewritten("\n".join([*second, *first]), two)
    for span in notes.sources:
        assert any(c.span.start <= span.start < span.end <= c.span.end for c in (one, two))
    assert all(item.sources for item in notes.items)


@given(st.lists(_SENTENCE, unique=True, max_size=4), st.integers(0, 40))
def test_the_budget_holds_and_the_best_stay(told: list[str], budget: int) -> None:
    """Within the cap, in order, the highest ranks first."""
    notes = Notes(tuple(Item(t) for t in told))
    cut = notes.within(budget, lambda t: len(t.split()), lambda item: float("lock" in item.text))
    assert sum(len(i.text.split()) + 1 for i in cut.items) <= budget
    assert [i for i in notes.items if i in cut.items] == list(cut.items)
    lock = [i for i in notes.items if "lock" in i.text]
    if lock and budget >= 7:
        assert lock[0] in cut.items
