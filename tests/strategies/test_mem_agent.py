"""Fidelity of MemAgent to its specification, and its options."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from memreader import events
from memreader.answer import Answer
from memreader.chunking import Chunk
from memreader.contract import ANSWER, FACTS, NEEDLE, QUESTION, Counting, StrategyContract, paged
from memreader.document import Corpus, Document, Span
from memreader.errors import ConfigurationError
from memreader.memory.notes import Item, Notes
from memreader.reader import Reader
from memreader.testing import Oracle, WordCounter, a_model
from memreader_strategies.mem_agent import MemAgent
from memreader_strategies.mem_agent.changes import applied
from memreader_strategies.mem_agent.recall import best_match
from memreader_strategies.mem_agent.shapes import no_change
from tests.strategies.serial import ByCall, fenced

SIGNS = {
    "update": "You read a long document section by section",
    "answer": "You have read a long document",
    "verify": "A reader of a long document says",
}
SMALL = MemAgent(section_tokens=900, memory_tokens=120)


class TestMemAgent(StrategyContract):
    """As shipped, in a small window."""

    strategy = MemAgent()


class TestOperations(StrategyContract):
    """With lines that code carries out, and the update gate."""

    strategy = MemAgent(section_tokens=900, update="operations", update_gate=True)


def read(llm: Any, document: Document, strategy: MemAgent = SMALL, **how: Any) -> Answer:
    """One reading in a window of 3,072 tokens."""
    seen = how.pop("seen", None)
    reader = Reader(a_model(llm, window=3072, **how), strategy, probe=False)
    return reader.ask(document, QUESTION, on_event=seen)


def first_line(prompt: str) -> str:
    """The first line of the section that a prompt shows."""
    return fenced(prompt, "passage").split("\n")[0]


def test_n_plus_one_calls_and_only_the_memory_at_the_end() -> None:
    """Sections in order, the memory overwritten; the last call sees no text."""
    llm = ByCall(
        SIGNS,
        update=lambda p: f"Memory: {first_line(p)}",
        answer=lambda _: "Answer: barrels of salt",
    )
    document = paged(40)
    answer = read(llm, document)
    updates = llm.prompts["update"]
    assert [first_line(p) for p in updates[:-1]] == [fenced(p, "memory") for p in updates[1:]]
    assert "" == fenced(updates[0], "memory")
    assert first_line(updates[-1]) == fenced(llm.prompts["answer"][0], "memory")
    assert "passage>>>" not in llm.prompts["answer"][0]
    planned = SMALL.plan(Corpus((document,)), QUESTION, a_model(llm, window=3072))
    assert len(llm.order) == len(updates) + 1 == answer.usage.calls == planned.calls.expected


def test_the_memory_is_within_its_cap_in_the_next_prompt() -> None:
    """Whatever is written; whole sentences are left out."""
    llm = ByCall(
        SIGNS,
        update=lambda _: "Memory:\n" + "\n".join(f"Barrel {i} is on quay {i}." for i in range(80)),
        answer=lambda _: "Answer: quay",
    )
    read(llm, paged(40))
    for prompt in llm.prompts["update"][1:]:
        assert 0 < WordCounter().count(fenced(prompt, "memory")) <= SMALL.memory_tokens


@pytest.mark.parametrize(
    "told",
    [
        "NO CHANGE", "no change.", "[NO INFORMATION]", "**NO CHANGE**", "NO CHANGE: only weather",
        "NO CHANGE\\n(The section is about hens.)", "[NO INFORMATION]. It is about the weather.",
    ],
)  # fmt: skip
def test_no_change_leaves_the_memory_word_for_word(told: str) -> None:
    """A cheap reply, first-class."""
    replies = iter([f"Memory: {NEEDLE}"])
    llm = ByCall(
        SIGNS,
        update=lambda _: next(replies, f"Memory: {told}"),
        answer=lambda _: f"Answer: {ANSWER}",
    )
    answer = read(llm, paged(40, needle_on=1))
    assert NEEDLE == fenced(llm.prompts["answer"][0], "memory")
    assert (ANSWER, [1]) == (answer.text, [c.page for c in answer.citations])


def test_nothing_is_cut_off_a_million_tokens() -> None:
    """The released code keeps both ends of 120,000 tokens; here all is read."""
    strategy = replace(SMALL, section_tokens=5000)
    document = paged(3000, needle_on=1500)
    answer = Reader(
        a_model(Oracle(FACTS), window=16_000), strategy, probe=False
    ).ask(document, QUESTION)  # fmt: skip
    assert (ANSWER, 1.0) == (answer.text, answer.coverage.fraction_read)
    assert [1500] == [c.page for c in answer.citations]


def test_what_is_dropped_is_told() -> None:
    """A memory that loses a fact without contradicting it says so, with its place."""
    replies = iter([f"Memory: {NEEDLE}", "Memory: On day 300 it rained."])
    llm = ByCall(
        SIGNS,
        update=lambda _: next(replies, "Memory: NO CHANGE"),
        answer=lambda _: "Answer: [NO INFORMATION]",
    )
    seen: list[events.Event] = []
    read(llm, paged(40, needle_on=1), seen=seen.append)
    (forgot,) = [e for e in seen if isinstance(e, events.Forgot)]
    assert (NEEDLE, 1) == (forgot.text, forgot.chunk)
    assert forgot.sources


# --- options -----------------------------------------------------------------------------------


def test_the_update_gate_keeps_the_memory_where_a_section_is_irrelevant() -> None:
    """Whatever the reply writes beside it."""
    replies = iter([f"Relevant: yes\nMemory: {NEEDLE}"])
    llm = ByCall(
        SIGNS,
        update=lambda _: next(replies, "Relevant: no\nMemory: Nothing of note happened."),
        answer=lambda _: f"Answer: {ANSWER}",
    )
    read(llm, paged(40, needle_on=1), replace(SMALL, update_gate=True))
    assert NEEDLE == fenced(llm.prompts["answer"][0], "memory")


@pytest.mark.parametrize("relevant", ["", "Relevant: it is about the lease\n"])
def test_a_gate_that_does_not_say_no_lets_through(relevant: str) -> None:
    """A model that leaves the gate out has not said that the section is irrelevant."""
    llm = ByCall(
        SIGNS,
        update=lambda p: f"{relevant}Memory: {NEEDLE if NEEDLE in p else 'NO CHANGE'}",
        answer=lambda _: f"Answer: {ANSWER}",
    )
    answer = read(llm, paged(40, needle_on=1), replace(SMALL, update_gate=True))
    assert (ANSWER, [1]) == (answer.text, [c.page for c in answer.citations])


def test_a_plain_model_passes_the_gate_which_it_cannot_work() -> None:
    """It writes no gate: nothing is lost by that, and a note says so."""
    model = a_model(Oracle(FACTS), window=3072, wire="plain")
    answer = Reader(model, replace(SMALL, update_gate=True), probe=False).ask(
        paged(40, needle_on=3), QUESTION
    )
    assert (ANSWER, [3]) == (answer.text, [c.page for c in answer.citations])
    assert any("plain text only" in note for note in answer.notes)


def test_a_fact_beside_the_marker_for_nothing_is_noted() -> None:
    """Models write what they found, and the marker for what is missing still."""
    replies = iter(["Memory: It rained on day 10."])
    llm = ByCall(
        SIGNS,
        update=lambda p: next(
            replies,
            f"Memory: - {NEEDLE}\n- Date of the end: [NO INFORMATION]"
            if NEEDLE in p
            else "Memory: NO CHANGE",
        ),
        answer=lambda _: f"Answer: {ANSWER}",
    )
    answer = read(llm, paged(40, needle_on=30))
    assert "It rained on day 10.\n" + NEEDLE == fenced(llm.prompts["answer"][0], "memory")
    assert (ANSWER, [30]) == (answer.text, [c.page for c in answer.citations])


def test_two_agreeing_exits_end_the_reading() -> None:
    """One is not enough: untrained models say so too early."""
    said = iter(["yes", "no", "yes", "yes"])
    llm = ByCall(
        SIGNS,
        update=lambda _: f"Memory: {NEEDLE}\nEnough: {next(said)}",
        answer=lambda _: f"Answer: {ANSWER}",
    )
    answer = read(llm, paged(80, needle_on=1), replace(SMALL, exit_gate="twice"))
    assert 4 == len(llm.prompts["update"])
    assert "complete" == answer.status
    assert answer.coverage.skipped == answer.coverage.chunks - 4 > 0


def test_a_verified_exit_asks_once_for_each_claim() -> None:
    """A refused exit goes on reading; a granted one ends it."""
    granted = iter(["no", "yes"])
    llm = ByCall(
        SIGNS,
        update=lambda p: f"Memory: {NEEDLE}\n{first_line(p)}\nEnough: yes",
        verify=lambda _: f"Enough: {next(granted)}",
        answer=lambda _: f"Answer: {ANSWER}",
    )
    read(llm, paged(80, needle_on=1), replace(SMALL, exit_gate="verified"))
    assert ["update", "verify", "update", "verify", "answer"] == llm.order


def test_recall_shows_the_nearest_earlier_memory_at_the_next_step_and_at_the_end() -> None:
    """Over all past memories, not the last alone."""
    replies = iter(
        [
            f"Memory: {NEEDLE}\nRecall: none",
            "Memory: Rain on day 150 in ward 3.\nRecall: none",
            "Memory: Salt was counted in ward 5.\nRecall: who signed the harbour lease",
        ]
    )
    llm = ByCall(
        SIGNS,
        update=lambda _: next(replies, "Memory: NO CHANGE\nRecall: harbour lease signed"),
        answer=lambda _: f"Answer: {ANSWER}",
    )
    answer = read(llm, paged(40, needle_on=1), replace(SMALL, recall=True))
    assert NEEDLE == fenced(llm.prompts["update"][3], "an earlier memory")
    assert NEEDLE == fenced(llm.prompts["answer"][0], "an earlier memory")
    assert (ANSWER, [1]) == (answer.text, [c.page for c in answer.citations])


def test_recall_takes_the_best_by_tf_idf() -> None:
    """Words that all memories share count for little; none shared is none found."""
    memories = ["the lock is at Harl", "the lease of the lock was signed", "the lock is deep"]
    assert 1 == best_match("who signed the lease", memories)
    assert 2 == best_match("how deep is the lock", memories)
    assert best_match("Zanthor Quill", memories) is None


def test_a_plan_is_carried_beside_the_memory() -> None:
    """It is shown at the next step, and an empty one does not erase it."""
    replies = iter(["Memory: It rained on day 10.\nPlan: look for a lease"])
    llm = ByCall(
        SIGNS,
        update=lambda _: next(replies, "Memory: NO CHANGE\nPlan: none"),
        answer=lambda _: "Answer: rain",
    )
    read(llm, paged(40), replace(SMALL, plan_ahead=True))
    assert {"look for a lease"} == {
        fenced(p, "what to look for") for p in llm.prompts["update"][1:]
    }


# --- operations ----------------------------------------------------------------------------------

TEXT = "The lock is eleven fathoms deep. The roof cost 18,400 pounds."
SECTION = Chunk(4, Span("doc", 0, len(TEXT)), TEXT, 12)
OLD = Notes((Item("The lock is nine fathoms deep."), Item("Marta signed the lease.")))


def test_operations_change_what_they_name_and_keep_the_rest() -> None:
    """ADD and REPLACE by code; a wrong number is dropped and told, the rest holds."""
    changes = (
        "REPLACE 1: The lock is eleven fathoms deep.\n- ADD: The roof cost 18,400 pounds.\n"
        "REPLACE 9: Nothing.\nKEEP 2\nADD:"
    )
    result = applied(OLD, changes, SECTION)
    assert [
        "The lock is eleven fathoms deep.", "Marta signed the lease.",
        "The roof cost 18,400 pounds.",
    ] == [item.text for item in result.notes.items]  # fmt: skip
    assert ("REPLACE 9: Nothing.", "ADD:") == result.dropped
    assert [(33, 61)] == [(s.start, s.end) for s in result.notes.items[2].sources]


def test_a_figure_after_add_belongs_to_the_fact() -> None:
    """It is the number of a line only where a mark parts it from the fact."""
    changes = (
        "ADD 18 barrels came.\nADD 4: The quay is dry.\nREPLACE line 2: Ilse signed the lease."
    )
    assert [
        "The lock is nine fathoms deep.", "Ilse signed the lease.", "18 barrels came.",
        "The quay is dry.",
    ] == [item.text for item in applied(OLD, changes, SECTION).notes.items]  # fmt: skip


@pytest.mark.parametrize("changes", ["NO CHANGE", "", "KEEP 1\nKEEP 2", "[NO INFORMATION]"])
def test_operations_that_change_nothing(changes: str) -> None:
    """All old facts stay, in their order."""
    assert applied(OLD, changes, SECTION).notes == OLD


def test_with_operations_no_fact_is_lost_over_forty_sections() -> None:
    """Each section adds one line; all lines stand at the end."""
    number = iter(range(1, 99))
    llm = ByCall(
        SIGNS,
        update=lambda _: f"Memory changes: ADD: Ship {next(number)} came in.",
        answer=lambda _: "Answer: [NO INFORMATION]",
    )
    read(llm, paged(120), replace(SMALL, update="operations", memory_tokens=384))
    told = fenced(llm.prompts["answer"][0], "memory").splitlines()
    assert [f"{i}. Ship {i} came in." for i in range(1, len(llm.prompts["update"]) + 1)] == told


@pytest.mark.parametrize(
    ("text", "expected"), [("No change", True), ("NO CHANGES.", True), ("No change in rain", False)]
)
def test_no_change_is_told_from_text(text: str, expected: bool) -> None:
    """A sentence that begins like it is a fact."""
    assert expected is no_change(text)


def test_a_window_without_room_is_an_error_before_any_call() -> None:
    """It says what takes the room."""
    with pytest.raises(ConfigurationError, match="too little is left"):
        Reader(a_model(ByCall(SIGNS), window=300), MemAgent(), probe=False).ask(paged(3), QUESTION)


def test_the_expected_calls_are_made_by_the_oracle() -> None:
    """The formula, on the scripted path."""
    counting, document = Counting(Oracle(FACTS)), paged(30, needle_on=4)
    model = a_model(counting, window=3072)
    Reader(model, SMALL, probe=False).ask(document, QUESTION)
    assert counting.begun == SMALL.plan(Corpus((document,)), QUESTION, model).calls.expected
