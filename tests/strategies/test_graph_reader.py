"""GraphReader keeps the contract, and is faithful to its specification (section 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from memreader.answer import NOT_FOUND, Draft
from memreader.budget import Limits
from memreader.contract import ANSWER, FACTS, NEEDLE, Counting, StrategyContract, paged
from memreader.contract import QUESTION as LEASE
from memreader.document import Corpus, Document
from memreader.errors import ConfigurationError, ServerFault
from memreader.llm.base import Request
from memreader.memory.embedding import Fingerprint, Vector
from memreader.reader import Reader
from memreader.run import Run
from memreader.stores import Stores
from memreader.testing import Oracle, WordCounter, a_model
from memreader_strategies.graph_reader import GraphReader
from memreader_strategies.graph_reader.actions import (
    AFTER_CHUNK,
    AFTER_FACTS,
    AFTER_NODE,
    action,
)
from memreader_strategies.graph_reader.lines import atomic_facts, scored
from memreader_strategies.graph_reader.merging import head_noun
from tests.strategies.keepers import (
    QUESTION,
    SMALL,
    chunks_of,
    facts_of_page,
    in_turn,
    keepers,
    node_of,
    notes,
    page_of,
    read,
    script,
    step,
)
from tests.strategies.serial import fenced


class TestGraphReader(StrategyContract):
    """As shipped, in a small window."""

    strategy = GraphReader()
    reads_everything = False


class TestSmallGraphReader(StrategyContract):
    """With many small chunks, few paths and short lists, so that all lists are cut."""

    strategy = GraphReader(chunk_tokens=200, start_nodes=2, list_tokens=128)
    reads_everything = False
    huge_pages = 200


# --- paths ---------------------------------------------------------------------------------

FIVE = "Scores:\n" + "\n".join(f"Keeper{i} | {100 - i}" for i in range(1, 8))


def test_five_paths_have_separate_notebooks() -> None:
    """The five best start; no prompt of a path shows a note of another; the answer sees all."""
    llm = script(
        start=lambda _: FIVE,
        facts=lambda p: step(f"read_chunk({chunks_of(p)[0]})", f"Path of {node_of(p)} began."),
        chunk=lambda p: step("termination()", fenced(p, "notebook")),
    )
    answer = read(llm, keepers(9))
    assert [f"Keeper{i}" for i in range(1, 6)] == sorted(map(node_of, llm.prompts["facts"]))
    assert {"(empty)"} == {fenced(p, "notebook") for p in llm.prompts["facts"]}
    for prompt in llm.prompts["chunk"]:
        start = fenced(prompt, "previous actions").split("\n")[0].rpartition(" ")[2]
        assert f"Path of {start} began." == fenced(prompt, "notebook")
    (last,) = llm.prompts["answer"]
    assert [f"Path of Keeper{i} began." for i in range(1, 6)] == [
        fenced(last, f"notebook {i}") for i in range(1, 6)
    ]
    assert {f"{i}. Keeper{i}" for i in range(1, 6)} == {v.path for v in answer.memory}


def test_the_chunk_queue_is_first_in_first_out() -> None:
    """What is put behind is read behind; a chunk once read is not read again by the path."""
    llm = script(
        extract=lambda p: f"Facts: The bell rang {page_of(p)} times. | bell",
        start=lambda _: "Scores: bell | 99",
        facts=lambda _: step("read_chunk(5, 2, 4)"),
        chunk=in_turn(step("read_subsequent_chunk()"), step("read_previous_chunk()"),
                      step("read_subsequent_chunk()"), step("search_more()")),
    )  # fmt: skip
    read(llm, keepers(8))
    assert [5, 2, 4, 6, 1] == [page_of(p) for p in llm.prompts["chunk"]]


def test_moves_beyond_the_ends_of_a_document_are_ignored() -> None:
    """The first chunk has none before it, the last none after it, in each of two documents."""
    llm = script(
        extract=lambda p: f"Facts: The bell rang {page_of(p)} times. | bell",
        start=lambda _: "Scores: bell | 99",
        facts=lambda _: step("read_chunk(1, 3, 4, 6)"),
        chunk=in_turn(step("read_previous_chunk()"), step("read_subsequent_chunk()"),
                      step("read_previous_chunk()"), step("read_subsequent_chunk()")),
    )  # fmt: skip
    read(llm, [keepers(3), keepers(3, first=11, name="more.pdf")])
    assert [1, 3, 11, 13] == [page_of(p) for p in llm.prompts["chunk"]]
    assert "neighbour" not in llm.order, "the bell has none"


def test_search_more_with_an_empty_queue_goes_to_one_neighbour() -> None:
    """The neighbours of the node by shared facts; the chosen one is the next node."""
    llm = script(
        facts=lambda p: step(f"read_chunk({chunks_of(p)[-1]})"),
        neighbour=in_turn(step('read_neighbor_node("keeper 2")'), step("termination()")),
        start=lambda _: "Scores: Keeper1 | 90",
        extract=lambda p: facts_of_page(p).replace("Keeper2", "Keeper 2"),
    )
    read(llm, keepers(4))
    walked = [kind for kind in llm.order if kind in ("facts", "chunk", "neighbour")]
    assert ["facts", "chunk", "neighbour", "facts", "chunk", "neighbour"] == walked
    assert ["Keeper1", "Keeper 2"] == [node_of(p) for p in llm.prompts["facts"]]
    first, second = (fenced(p, "neighbours").split("\n") for p in llm.prompts["neighbour"])
    assert {"gate", "Keeper 2"} == set(first)
    assert "Keeper1" not in second, "visited nodes are not offered again"


def test_termination_ends_one_path_only() -> None:
    """The others go on to their own ends."""
    llm = script(
        start=lambda _: "Scores:\nKeeper1 | 90\nKeeper3 | 80",
        facts=lambda p: step("read_chunk(" + ", ".join(map(str, chunks_of(p))) + ")"),
        chunk=lambda p: step("termination()" if "Keeper3 knew" in p else "search_more()"),
    )
    answer = read(llm, keepers(6))
    told = notes(answer, "Path ")
    assert told[0].startswith("Path 1: Keeper1; chunks 1; ended: no neighbour can help")
    assert told[1].startswith("Path 2: Keeper3; chunks 2, 3; ended: the notebook is enough")


def test_a_path_ends_at_its_step_cap_and_says_so() -> None:
    """What it noted is answered from, as a best effort: partial."""
    llm = script(
        facts=lambda p: step("stop_and_read_neighbor()", f"{node_of(p)} kept the gate."),
        neighbour=lambda p: step(f"read_neighbor_node({fenced(p, 'neighbours').splitlines()[0]})"),
    )
    answer = read(llm, keepers(30), replace(SMALL, steps=5))
    assert 5 == len(llm.prompts["facts"]) + len(llm.prompts["neighbour"])
    assert ("Keeper1", "partial") == (answer.text, answer.status)
    assert notes(answer, "stopped after 5 function calls, unfinished")


# --- names ---------------------------------------------------------------------------------


def test_invented_start_nodes_are_discarded() -> None:
    """And told; where none is known it is asked once again, then the nearest are taken."""
    llm = script(start=lambda _: "Scores:\nAtlantis | 100\nkeeper 2 | 7\nKEEPER3 | 60")
    answer = read(llm, keepers(4))
    assert ["Keeper3"] == [node_of(p) for p in llm.prompts["facts"]]
    assert notes(answer, "discarded: Atlantis; keeper 2")
    llm = script(start=lambda _: "Scores: Atlantis | 100")
    answer = read(llm, keepers(4))
    assert 2 == len(llm.prompts["start"])
    assert "No line named a key element" in llm.prompts["start"][1]
    assert 5 == len(llm.prompts["facts"])
    assert notes(answer, "nearest to the question were taken")


def test_an_invented_neighbour_is_refused() -> None:
    """Asked once again with what is wrong; then the path ends."""
    llm = script(neighbour=lambda _: step("read_neighbor_node(Atlantis)"))
    answer = read(llm, keepers(4))
    assert 2 == len(llm.prompts["neighbour"])
    assert "names no key element of the list" in llm.prompts["neighbour"][1]
    assert ["Keeper1"] == [node_of(p) for p in llm.prompts["facts"]]
    assert notes(answer, "the safe default was taken")


def test_names_merge_across_unicode_variants_and_documents() -> None:
    """One node, found by any form, its facts under the chunks of both documents."""
    forms = {1: "ÉCLUSE", 2: "E\u0301cluse", 11: "écluses"}
    llm = script(
        extract=lambda p: f"Facts: The lock {page_of(p)} leaks. | {forms[page_of(p)]}",
        start=lambda _: "Scores: écluse | 90",
    )
    read(llm, [keepers(2), keepers(1, first=11, name="more.pdf")])
    assert 1 == len(fenced(llm.prompts["start"][0], "key elements").split("\n"))
    assert [1, 2, 3] == chunks_of(llm.prompts["facts"][0])


@dataclass(frozen=True)
class Likeness:
    """An embedder for which cars are automobiles, and a version is as good as another."""

    fingerprint = Fingerprint("likeness", 3)

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        """Motor cars and automobile cars point one way, versions another, all else a third."""
        return [
            [float(any(w in t for w in ("motor", "automobile"))), float("version" in t), 0.1]
            for t in texts
        ]


def test_names_merge_by_meaning_within_one_head_noun() -> None:
    """Not across heads, not across figures; without an embedder by spelling alone, and said."""
    llm = script(
        extract=lambda _: (
            "Facts: It came. | motor car | automobile car | motor boat | version 1 | version 2"
        )
    )
    read(llm, keepers(2), embedder=Likeness())
    merged = fenced(llm.prompts["start"][0], "key elements").split("\n")
    assert ["automobile car", "motor boat", "version 1", "version 2"] == merged
    answer = read(llm, keepers(2))
    assert 5 == len(fenced(llm.prompts["start"][-1], "key elements").split("\n"))
    assert notes(answer, "merged by their spelling alone")


@pytest.mark.parametrize(
    ("key", "head"),
    [("harbour lease", "lease"), ("bail du port", "bail"), ("king of spain", "king"),
     ("港口租约", "租约"), ("lease", "lease"), ("", "")],
)  # fmt: skip
def test_the_head_noun_of_a_name(key: str, head: str) -> None:
    """The last word, or the one before "of"; of a CJK name its last two characters."""
    assert head == head_noun(key)


# --- extraction ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "facts", "bad"),
    [
        ("1. Salt was sold. | Salt | sold", [("Salt was sold.", ("Salt", "sold"))], 0),
        ("- 盐｜港口｜1990 年", [("盐", ("港口", "1990 年"))], 0),
        ("| Salt was sold | salt, price |", [("Salt was sold", ("salt", "price"))], 0),
        ("1990 was dry | drought\n---|---\nNo bar here", [("1990 was dry", ("drought",))], 1),
        ([{"fact": "It rained.", "elements": ["rain"]}, {"fact": "x"}],
         [("It rained.", ("rain",))], 1),
        ("It rained. | rain | RAIN | — | " + "x" * 90, [("It rained.", ("rain",))], 0),
        ("none", [], 0), ("[NO INFORMATION]", [], 0), ([], [], 0),
    ],
)  # fmt: skip
def test_facts_are_read_from_lines_of_many_forms(told: Any, facts: list[Any], bad: int) -> None:
    """Numbered, barred, listed; a line without a key element is bad, and "none" is no fault."""
    found = atomic_facts(told)
    assert facts == [(fact.text, fact.elements) for fact in found.facts]
    assert bad == len(found.bad)


@pytest.mark.parametrize(
    ("line", "expected"),
    [("3. salt | 90", ("salt", 90)), ('"Salt": 85/100', None), ("salt — 70", ("salt", 70)),
     ("| salt | 60 |", ("salt", 60)), ("salt (score: 55)", ("salt", 55)), ("salt 1990", None),
     ("version 2 | 40", ("version 2", 40)), ("盐｜88 分", ("盐", 88)), ("salt", None)],
)  # fmt: skip
def test_scores_are_read_from_lines_of_many_forms(
    line: str, expected: tuple[str, int] | None
) -> None:
    """A line that gives no name with a score from 0 to 100 is passed over."""
    assert ([expected] if expected else []) == scored(line)


def test_mostly_unreadable_lines_are_asked_for_once_again() -> None:
    """Then the lines that can be read are kept, of both replies, and the rest is counted."""
    llm = script(
        extract=in_turn(
            "Facts:\nThe bell fell. | bell\nThe gate broke.\nThe wall stood.",
            "Facts:\nThe gate broke. | gate\nThe wall stood.",
        )
    )
    answer = read(llm, keepers(1))
    assert 2 == len(llm.prompts["extract"])
    assert "The wall stood." in llm.prompts["extract"][1]
    assert "bell\ngate" == fenced(llm.prompts["start"][0], "key elements")
    assert notes(answer, "without a fact, left out: 1.")


def test_a_failed_extraction_is_counted_and_the_rest_is_used() -> None:
    """Partial, the chunk among the failed, and the next question asks for that chunk alone."""

    def fail(_: int, request: Request) -> None:
        if "Keeper3 kept" in request.text and "take the facts out" in request.text:
            raise ServerFault("HTTP 500 from a test")

    stores = Stores()
    llm = Counting(script(facts=lambda _: step("stop_and_read_neighbor()", "Keeper1 lost it.")))
    llm.before = fail
    answer = read(llm, keepers(4), stores=stores)
    assert ("Keeper1", "partial", 1) == (answer.text, answer.status, answer.coverage.failed)
    assert notes(answer, "their extraction failed: 1.")
    again = script()
    read(again, keepers(4), stores=stores, question="Who else?")
    assert [3] == [page_of(p) for p in again.prompts["extract"]]


# --- actions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "allowed", "expected"),
    [
        ("read_chunk(3, 8)", AFTER_FACTS, "read_chunk(3, 8)"),
        ('read_chunk(["3"])', AFTER_FACTS, "read_chunk(3)"),
        ("`Read Chunk 3`", AFTER_FACTS, "read_chunk(3)"),
        ("3, 8", AFTER_FACTS, "read_chunk(3, 8)"),
        ("**stop_and_read_neighbour**", AFTER_FACTS, "stop_and_read_neighbor()"),
        ("read_previous_chunk", AFTER_CHUNK, "read_previous_chunk()"),
        ("I choose read_next_chunk().", AFTER_CHUNK, "read_subsequent_chunk()"),
        ("TERMINATION", AFTER_CHUNK, "termination()"),
        ('read_neighbor_node("harbour (old) lease")', AFTER_NODE,
         "read_neighbor_node(harbour (old) lease)"),
        ("read_neighbour_node: 码头", AFTER_NODE, "read_neighbor_node(码头)"),
        ("search_more()", AFTER_NODE, None),
        ("dance()", AFTER_CHUNK, None),
        ("", AFTER_FACTS, None),
    ],
)  # fmt: skip
def test_actions_are_read_tolerantly(told: str, allowed: Sequence[str], expected: str) -> None:
    """Quotation marks, missing brackets, a single number; but nothing that was not offered."""
    found = action(told, allowed)
    assert expected == (None if found is None else str(found))


def test_numbers_of_a_malformed_list_are_numbers() -> None:
    """The released ports store a string as the queue, and fail at its end."""
    for told in ('read_chunk("3", "8")', "read_chunk([3,8", "read_chunk 3 and 8"):
        found = action(told, AFTER_FACTS)
        assert found is not None
        assert [3, 8] == found.numbers


def test_an_action_that_cannot_be_understood_has_a_safe_default() -> None:
    """One more request with what is wrong; then the first three chunks, and on to the next."""
    llm = script(
        extract=lambda p: f"Facts: The bell rang {page_of(p)} times. | bell",
        start=lambda _: "Scores: bell | 99",
        facts=lambda _: step("dance()"),
        chunk=lambda _: step("read_chunk(99)"),
    )
    answer = read(llm, keepers(6))
    assert 2 == len(llm.prompts["facts"])
    assert "'dance()' is none of the functions" in llm.prompts["facts"][1]
    assert [1, 1, 2, 2, 3, 3] == [page_of(p) for p in llm.prompts["chunk"]]
    assert notes(answer, "4 actions could not be understood")
    llm = script(facts=lambda _: step("read_chunk(77)"))
    read(llm, keepers(6))
    assert "names no chunk number of the list" in llm.prompts["facts"][1]


# --- notebooks and lists -------------------------------------------------------------------


def test_a_notebook_is_within_its_cap_in_the_next_prompt() -> None:
    """Whatever the model writes; and the answer's prompt holds five of them."""
    long = "\n".join(f"Bread{i} was baked with salt {i}." for i in range(60))
    llm = script(
        start=lambda _: FIVE,
        facts=lambda p: step(f"read_chunk({chunks_of(p)[0]})", long),
        chunk=lambda _: step("termination()", long),
    )
    read(llm, keepers(9))
    for prompt in llm.prompts["chunk"]:
        assert 0 < WordCounter().count(fenced(prompt, "notebook")) <= SMALL.notebook_tokens
    (last,) = llm.prompts["answer"]
    assert 0 < WordCounter().count(fenced(last, "notebook 5")) <= SMALL.notebook_tokens


def test_a_note_from_a_fact_cites_the_sentence_that_states_it() -> None:
    """Without any chunk read, and through a rewrite beside another chunk."""
    llm = script(
        start=lambda _: "Scores: Keeper3 | 90",
        facts=lambda _: step("read_chunk(2)", "Gate 3 of the wall was kept by Keeper3."),
        chunk=lambda _: step("termination()", "Keeper3 kept gate 3 of the wall."),
        answer=lambda _: "Analysis: one tells it\nAnswer: Keeper3 kept gate 3",
    )
    answer = read(llm, keepers(6))
    assert ["Keeper3 kept gate 3 of the wall."] == [c.quote for c in answer.citations]
    assert ([3], "complete") == ([c.page for c in answer.citations], answer.status)
    assert "one tells it" == answer.rationale


def test_broad_elements_show_the_nearest_facts_within_a_budget() -> None:
    """Ranked by the question, in the order of the text, and told."""
    llm = script(
        extract=lambda p: (
            "Facts:\n"
            + "\n".join(f"Bread{page_of(p)} loaf {i} was baked. | bread" for i in range(9))
            + (f"\nKeeper{page_of(p)} lost the bell. | bread" if page_of(p) in (2, 28) else "")
        ),
        start=lambda _: "Scores: bread | 99",
    )
    answer = read(llm, keepers(30), replace(SMALL, list_tokens=128))
    (shown,) = llm.prompts["facts"]
    assert WordCounter().count(fenced(shown, "facts")) <= 128
    assert shown.index("Keeper2 lost the bell.") < shown.index("Keeper28 lost the bell.")
    assert notes(answer, "'bread' has 272 facts")


def test_more_key_elements_than_fit_are_filtered_and_that_is_told() -> None:
    """All of them where they fit, as published; else the nearest, by words without an embedder."""
    llm = script(
        extract=lambda p: (
            "Facts:\n"
            + "\n".join(f"Loaf {i}. | bread{page_of(p)}x{i}" for i in range(60))
            + ("\nA bell. | lost bell" if page_of(p) == 17 else "")
        ),
        start=lambda _: "Scores: lost bell | 90",
    )
    answer = read(llm, keepers(40))
    listed = fenced(llm.prompts["start"][0], "key elements").split("\n")
    assert "lost bell" in listed[:1]
    assert notes(answer, f"the {len(listed):,} of 2,401 key elements that are nearest by words")


# --- once, and the budget ------------------------------------------------------------------


def test_a_second_question_builds_nothing_and_a_changed_page_is_extracted_alone() -> None:
    """The graph is free of the question; calls are keyed by the text of a chunk."""
    stores, first, second, third = Stores(), script(), script(), script()
    before = read(first, keepers(6), stores=stores)
    read(second, keepers(6), stores=stores, question="Who baked the bread, and what for?")
    assert (6, 0) == (len(first.prompts["extract"]), len(second.prompts["extract"]))
    assert 6 == before.coverage.skipped, "an extraction reads nothing for the question"
    text = keepers(6).text.replace("gate 4 of", "gate 4b of")
    read(third, replace(keepers(6), text=text, id=""), stores=stores)
    assert [4] == [page_of(p) for p in third.prompts["extract"]]


@dataclass(frozen=True)
class Letters:
    """Tokens of three letters, said to be words: as an estimate that was calibrated anew."""

    exact: bool = False
    name: str = "words"

    def count(self, text: str) -> int:
        return -(-len(text) // 3)


def test_a_graph_of_other_chunks_is_not_read() -> None:
    """Where another tokenizer cuts at other places, facts would be found in the wrong chunk."""
    stores, document, chunks = Stores(), keepers(8), []
    strategy = GraphReader(chunk_tokens=300, notebook_tokens=64)
    for counter in (None, Letters()):
        model = a_model(script(), window=8000, counter=counter)
        answer = Reader(model, strategy, probe=False, stores=stores).ask(document, QUESTION)
        chunks.append(answer.coverage.chunks)
    assert chunks[0] < chunks[1]
    assert 2 == len(stores.shelf().shelved())


def test_documents_that_were_read_alone_are_joined_without_a_call() -> None:
    """One graph for each document on the shelf; facts keep their document."""
    stores, alone, both = Stores(), script(), script()
    more = keepers(3, first=3, name="more.pdf")
    read(alone, keepers(3), stores=stores)
    read(alone, more, stores=stores)
    both.said["start"] = lambda _: "Scores: Keeper3 | 90"
    both.said["facts"] = lambda _: step("stop_and_read_neighbor()", "Keeper3 knew Keeper4 well.")
    answer = read(both, [keepers(3), more], stores=stores)
    assert 0 == len(both.prompts["extract"])
    assert [2, 3, 4] == chunks_of(both.prompts["facts"][0])
    assert {"keepers.pdf", "more.pdf"} >= {c.document for c in answer.citations}
    labels = [s.label for s in stores.shelf().shelved()]
    assert [("graph", 3, 1)] * 2 == [(one.name, one.calls, len(one.documents)) for one in labels]


def test_the_formula_is_what_a_scripted_path_takes() -> None:
    """N once; then 3, and facts, two chunks and neighbours for each of five paths."""
    llm = script(
        start=lambda _: FIVE,
        extract=lambda p: (
            facts_of_page(p) + f" | bell\n3. The bell rang {page_of(p)} times. | bell"
        ),
        facts=lambda p: step(f"read_chunk({chunks_of(p)[0]})", "Keeper1 it was."),
        chunk=in_turn(*[step("read_subsequent_chunk()")] * 5, step("search_more()")),
    )
    document = keepers(9)
    answer = read(llm, document)
    plan = SMALL.plan(Corpus((document,)), QUESTION, a_model(llm, window=3072))
    assert plan.once is not None
    assert (9, 9 + 3 + 5 * 4) == (plan.once.calls.expected, plan.calls.expected)
    assert answer.usage.calls == plan.calls.expected


@pytest.mark.parametrize("calls", [0, 3, 6, 7, 8, 9, 10, 11, 12])
def test_at_a_cap_the_reader_answers_with_what_it_has(calls: int) -> None:
    """From notebooks, or from facts where no path was begun; never more calls than the cap."""
    document = paged(12, needle_on=3)
    counting = Counting(Oracle(FACTS))
    whole = Counting(Oracle(FACTS))
    strategy = replace(SMALL, chunk_tokens=400)
    read(whole, document, strategy, LEASE)
    answer = read(counting, document, strategy, LEASE, limits=Limits(calls=calls))
    assert counting.begun <= calls < whole.begun
    assert ("partial", "budget") == (answer.status, answer.stopped)
    if calls > 6:
        assert ANSWER == answer.text
        assert [NEEDLE] == [c.quote for c in answer.citations]


def test_a_window_without_room_is_an_error_before_any_call() -> None:
    """It says what to do."""
    with pytest.raises(ConfigurationError, match="use a larger window"):
        read(script(), keepers(3), window=700)


# --- plain models --------------------------------------------------------------------------


def test_a_plain_model_reads_what_code_found_and_that_is_said() -> None:
    """No call for the graph; the needle is found and cited; few calls, as planned."""
    counting, document = Counting(Oracle(FACTS)), paged(60, needle_on=41)
    answer = read(counting, document, GraphReader(chunk_tokens=200), LEASE, wire="plain")
    assert (ANSWER, "complete") == (answer.text, answer.status)
    assert [41] == [c.page for c in answer.citations]
    assert notes(answer, "facts are the document's own sentences")
    planned = GraphReader(chunk_tokens=200).plan(
        Corpus((document,)), LEASE, a_model(counting, window=3072, wire="plain")
    )
    assert counting.begun in planned.calls
    assert planned.once is not None
    assert 0 == planned.once.calls.maximum


def test_the_graph_is_built_ahead_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """`index` builds what `read` will want, without a question and whatever its length."""
    stores, llm, later = Stores(), script(), script()

    async def build(strategy: GraphReader, _: str, run: Run) -> Draft:
        await strategy.index(run)
        return NOT_FOUND

    with monkeypatch.context() as patched:
        patched.setattr(GraphReader, "read", build)
        read(llm, keepers(3), stores=stores, question="")
    read(later, keepers(3), stores=stores, question="Who lost the bell, and when? " * 9)
    assert ["extract"] * 3 == llm.order
    assert 0 == len(later.prompts["extract"]) < len(later.order)


def test_documents_of_no_text_cost_nothing() -> None:
    """Beside one that has text."""
    llm = script()
    answer = read(llm, [Document(" \n", "empty.txt"), keepers(2)])
    assert 2 == len(llm.prompts["extract"])
    assert answer.status == "not_found"


def test_readers_do_not_share_notes() -> None:
    """Two questions at once keep apart."""
    llm = script(facts=lambda _: step("stop_and_read_neighbor()", "Keeper1 kept gate 1 of it."))
    asked = Reader(a_model(llm, window=3072), SMALL, probe=False).ask_all(
        keepers(3), [QUESTION, "And who found it?"]
    )
    assert ["Keeper1", "Keeper1"] == [a.answer.text for a in asked if a.answer]
    assert 3 == len(llm.prompts["extract"])
