"""Fidelity of PI-Mem to its specification."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from memreader.answer import Answer
from memreader.budget import Limits
from memreader.contract import ANSWER, NEEDLE, QUESTION, StrategyContract, paged
from memreader.document import Corpus, Document
from memreader.errors import ServerFault
from memreader.reader import Reader
from memreader.testing import WordCounter, a_model
from memreader_strategies.pi_mem import PiMem
from tests.strategies.serial import ByCall, fenced

SIGNS = {
    "extract": "You read one section of a long document",
    "merge": "Readers have each read one section",
    "answer": "You have read a long document",
}
SMALL = PiMem(section_tokens=600, extract_tokens=120, memory_tokens=200)


class TestPiMem(StrategyContract):
    """As shipped, in a small window."""

    strategy = PiMem()


class TestPiMemWithManyMerges(StrategyContract):
    """Sections and extracts so small that merges go group by group."""

    strategy = PiMem(section_tokens=500, extract_tokens=100, memory_tokens=150)


def read(llm: Any, document: Document, strategy: PiMem = SMALL) -> Answer:
    """One reading in a window of 3,072 tokens."""
    return Reader(a_model(llm, window=3072), strategy, probe=False).ask(document, QUESTION)


def first_line(prompt: str) -> str:
    """The first line of the section that a prompt shows."""
    return fenced(prompt, "passage").split("\n")[0]


def needle(prompt: str) -> str:
    """Extracts the needle where it is, once."""
    new = NEEDLE in fenced(prompt, "passage") and NEEDLE not in fenced(prompt, "memory")
    return f"New: yes\nNotes: {NEEDLE}" if new else "New: no\nNotes: [NO INFORMATION]"


def test_it_stops_when_no_section_has_anything_new() -> None:
    """One pass finds it, one pass finds nothing: 2 n + 2 calls, as the plan expects."""
    llm = ByCall(
        SIGNS, extract=needle, merge=lambda _: f"Memory: {NEEDLE}",
        answer=lambda _: f"Answer: {ANSWER}",
    )  # fmt: skip
    answer = read(llm, paged(20, needle_on=7))
    n = answer.coverage.chunks
    assert (2 * n, 1, 1) == tuple(len(llm.prompts[k]) for k in ("extract", "merge", "answer"))
    assert (ANSWER, [7]) == (answer.text, [c.page for c in answer.citations])


def test_nothing_found_costs_one_pass_and_no_answer_call() -> None:
    """N calls."""
    llm = ByCall(SIGNS, extract=lambda _: "New: no\nNotes: none")
    answer = read(llm, paged(20))
    assert ("not_found", answer.coverage.chunks) == (answer.status, answer.usage.calls)


def test_a_missing_check_counts_as_yes() -> None:
    """As released: only a literal no filters."""
    llm = ByCall(
        SIGNS,
        extract=lambda p: f"Notes: {NEEDLE}" if NEEDLE in p else "Notes: [NO INFORMATION]",
        merge=lambda _: f"Memory: {NEEDLE}", answer=lambda _: f"Answer: {ANSWER}",
    )  # fmt: skip
    assert ANSWER == read(llm, paged(20, needle_on=7)).text


def test_there_are_at_most_so_many_passes() -> None:
    """Even where every section always has something new."""
    number = iter(range(10_000))
    llm = ByCall(
        SIGNS,
        extract=lambda _: f"New: yes\nNotes: Ship {next(number)} came in.",
        merge=lambda p: f"Memory: {fenced(p, 'section 1').splitlines()[0]}",
        answer=lambda _: "Answer: [NO INFORMATION]",
    )
    answer = read(llm, paged(6), replace(SMALL, passes=2))
    assert 2 * answer.coverage.chunks == len(llm.prompts["extract"])


def test_merges_go_in_groups_that_fit_and_lose_nothing() -> None:
    """The released code puts all extracts into one prompt of whatever size."""
    llm = ByCall(
        SIGNS,
        extract=lambda p: f"New: yes\nNotes: {first_line(p)}",
        merge=lambda p: "Memory:\n" + fenced(p, "memory"),
        answer=lambda _: "Answer: salt",
    )
    count = WordCounter().count
    answer = read(llm, paged(400), replace(SMALL, passes=1, section_tokens=200))
    merges = llm.prompts["merge"]
    assert len(merges) > 1
    assert all(count(p) + SMALL.memory_tokens <= 3072 for p in merges)
    for index, prompt in enumerate(llm.prompts["extract"]):
        label = f"section {index + 1}>>>"
        assert 1 == sum(f" {label}\n{first_line(prompt)}" in p for p in merges), label
    assert 1.0 == answer.coverage.fraction_read


def test_the_merges_of_a_pass_are_a_tree() -> None:
    """Groups are merged side by side, and their results again; only the last sees the memory."""
    number = iter(range(10_000))
    llm = ByCall(
        SIGNS,
        extract=lambda p: f"New: yes\nNotes: {first_line(p)}",
        merge=lambda p: f"Memory: Ship {next(number)} came in.",
        answer=lambda _: "Answer: salt",
    )
    document, strategy = paged(400), replace(SMALL, passes=2, section_tokens=200)
    model = a_model(llm, window=3072)
    answer = Reader(model, strategy, probe=False).ask(document, QUESTION)
    plan = strategy.plan(Corpus((document,)), QUESTION, model)
    merges = llm.prompts["merge"]
    remembering = [p for p in merges if fenced(p, "memory")]
    assert len(remembering) == 1 < len(merges) - 2, "the first pass has no memory to see"
    assert any("sections 1 to" in p for p in merges)
    assert answer.usage.calls in plan.calls
    sections = answer.coverage.chunks
    assert plan.critical_path.maximum < sections
    assert llm.order.index("answer") == len(llm.order) - 1


@pytest.mark.parametrize("told", ["[NO INFORMATION]", "The clerk is thanked.", "asdf"])
def test_a_merge_that_keeps_nothing_loses_no_extract(told: str) -> None:
    """A merge has nothing to add: where all is gone from it, it has failed."""
    llm = ByCall(
        SIGNS, extract=needle, merge=lambda _: f"Memory: {told}",
        answer=lambda _: f"Answer: {ANSWER}",
    )  # fmt: skip
    answer = read(llm, paged(20, needle_on=15))
    assert (ANSWER, [15]) == (answer.text, [c.page for c in answer.citations])
    assert any("kept nothing" in note for note in answer.notes)


def test_what_a_merge_drops_is_forgotten_and_counted() -> None:
    """It was noted by its section, and lost before it stood in a memory."""
    llm = ByCall(
        SIGNS,
        extract=lambda p: f"New: yes\nNotes: {NEEDLE if NEEDLE in p else first_line(p)}",
        merge=lambda _: f"Memory: {NEEDLE}", answer=lambda _: f"Answer: {ANSWER}",
    )  # fmt: skip
    answer = read(llm, paged(20, needle_on=15), replace(SMALL, passes=1))
    assert answer.forgot is not None
    assert answer.coverage.chunks - 1 == answer.forgot.facts == answer.forgot.noted - 1


def test_a_cap_among_the_merges_loses_no_extract() -> None:
    """What has been told already is joined by code, within the memory's cap."""
    llm = ByCall(
        SIGNS,
        extract=lambda p: f"New: yes\nNotes: {NEEDLE if NEEDLE in p else first_line(p)}",
        merge=lambda p: "Memory:\n" + fenced(p, "section 1"), answer=lambda _: f"Answer: {ANSWER}",
    )  # fmt: skip
    strategy = replace(SMALL, passes=1, section_tokens=200)
    document, model = paged(100, needle_on=60), a_model(llm, window=3072)
    Reader(model, strategy, probe=False).ask(document, QUESTION)
    sections = llm.order.count("extract")
    limits = Limits(calls=sections + 2)
    answer = Reader(model, strategy, limits=limits, probe=False).ask(document, QUESTION)
    assert (ANSWER, "partial", [60]) == (
        answer.text, answer.status, [c.page for c in answer.citations]
    )  # fmt: skip


@pytest.mark.parametrize("said", ["Noteworthy: one fact", "Now yes"])
def test_only_a_no_filters(said: str) -> None:
    """A word that begins like it does not."""
    llm = ByCall(
        SIGNS,
        extract=lambda p: f"New: {said}\nNotes: {NEEDLE if NEEDLE in p else '[NO INFORMATION]'}",
        merge=lambda _: f"Memory: {NEEDLE}", answer=lambda _: f"Answer: {ANSWER}",
    )  # fmt: skip
    assert ANSWER == read(llm, paged(20, needle_on=7)).text


def test_a_failed_section_counts_as_failed() -> None:
    """Not as "nothing new"."""

    def extract(prompt: str) -> str:
        if "day 50 " in prompt:
            raise ServerFault("HTTP 500")
        return needle(prompt)

    llm = ByCall(
        SIGNS, extract=extract, merge=lambda _: f"Memory: {NEEDLE}",
        answer=lambda _: f"Answer: {ANSWER}",
    )  # fmt: skip
    answer = read(llm, paged(20, needle_on=15))
    assert (ANSWER, "partial", 1) == (answer.text, answer.status, answer.coverage.failed)


def test_a_failed_merge_loses_no_extract() -> None:
    """The released code keeps the old memory alone."""

    def fail(_: str) -> str:
        raise ServerFault("HTTP 500")

    llm = ByCall(SIGNS, extract=needle, merge=fail, answer=lambda _: f"Answer: {ANSWER}")
    answer = read(llm, paged(20, needle_on=15))
    assert (ANSWER, [15]) == (answer.text, [c.page for c in answer.citations])
    assert any("merge" in note for note in answer.notes)
