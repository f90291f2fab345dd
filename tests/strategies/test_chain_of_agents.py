"""Fidelity of Chain-of-Agents to its specification (paper, section 3 and appendix)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from memreader.answer import Answer
from memreader.contract import ANSWER, FACTS, NEEDLE, QUESTION, Counting, StrategyContract, paged
from memreader.document import Corpus, Document
from memreader.errors import ConfigurationError, ServerFault
from memreader.llm.base import Reply, Request, Usage
from memreader.reader import Reader
from memreader.testing import Oracle, WordCounter, a_model
from memreader_strategies.chain_of_agents import ChainOfAgents
from memreader_strategies.chain_of_agents.shapes import role_of
from tests.strategies.serial import ByCall, fenced

SIGNS = {
    "worker": "You are one of several readers",
    "manager": "A document was too long",
    "judge": "Several chains of readers",
    "answer": "Answer the question from this passage alone",
    "useful": "First decide whether it helps",
}
SMALL = ChainOfAgents(unit_tokens=120, reply_tokens=120)


class TestChain(StrategyContract):
    """As shipped, in a small window."""

    strategy = ChainOfAgents(unit_tokens=200, reply_tokens=200)


class TestHierarchical(StrategyContract):
    """The comparison in which a manager sees all notes."""

    strategy = replace(SMALL, topology="hierarchical")


class TestMerge(StrategyContract):
    """The comparison in which chunks answer alone."""

    strategy = replace(SMALL, topology="merge")


class TestChains(StrategyContract):
    """Two chains side by side, and a judge."""

    strategy = replace(SMALL, paths="bidirectional")


def read(llm: Any, document: Document, strategy: ChainOfAgents = SMALL, **how: Any) -> Answer:
    """One reading in a window of 3,072 tokens."""
    model = a_model(llm, window=3072, **how)
    return Reader(model, strategy, probe=False).ask(document, QUESTION)


def units() -> tuple[list[str], Any]:
    """A worker that notes each chunk's first words, and what it was shown."""
    seen: list[str] = []

    def worker(prompt: str) -> str:
        seen.append(fenced(prompt, "notes"))
        return f"Notes: {fenced(prompt, 'passage').split(chr(10))[0]}"

    return seen, worker


def test_each_worker_sees_the_last_unit_and_one_chunk() -> None:
    """The unit is rewritten, not grown; chunks come in order; the manager sees the last unit."""
    seen, worker = units()
    llm = ByCall(SIGNS, worker=worker, manager=lambda _: "Answer: Marta Ilves")
    read(llm, paged(40))
    passages = [fenced(p, "passage") for p in llm.prompts["worker"]]
    assert len(passages) >= 3
    assert [p.split("\n")[0] for p in passages[:-1]] == seen[1:]
    assert "" == seen[0]
    (manager,) = llm.prompts["manager"]
    assert passages[-1].split("\n")[0] == fenced(manager, "notes 1")
    assert not any(p[200:300] in manager for p in passages), "the manager sees no text"


def test_calls_are_n_plus_one() -> None:
    """The paper's cost, as the plan expects it."""
    counting = Counting(Oracle(FACTS))
    document, model = paged(40, needle_on=9), a_model(counting, window=3072)
    answer = Reader(model, SMALL, probe=False).ask(document, QUESTION)
    planned = SMALL.plan(Corpus((document,)), QUESTION, model)
    assert answer.coverage.chunks + 1 == counting.begun == planned.calls.expected
    assert planned.critical_path.expected == planned.calls.expected


def test_a_worker_with_nothing_leaves_the_unit_word_for_word() -> None:
    """The marker for nothing is no unit."""
    first = True

    def worker(prompt: str) -> str:
        nonlocal first
        told, first = ("On day 10 it rained." if first else "[NO INFORMATION]"), False
        return f"Notes: {told}"

    llm = ByCall(SIGNS, worker=worker, manager=lambda _: "Answer: rain")
    read(llm, paged(40))
    assert "On day 10 it rained." == fenced(llm.prompts["manager"][0], "notes 1")


def test_the_unit_has_a_hard_cap() -> None:
    """A worker that writes without end is cut at its cap, by whole sentences."""

    def worker(prompt: str) -> str:
        return "Notes: " + "\n".join(f"Barrel {i} was counted on day {i}." for i in range(90))

    llm = ByCall(SIGNS, worker=worker, manager=lambda _: "Answer: 9")
    read(llm, paged(40))
    count = a_model(llm).counter.count
    for prompt in llm.prompts["worker"][1:]:
        told = fenced(prompt, "notes")
        assert 0 < count(told) <= SMALL.unit_tokens
        assert all(line.endswith(".") for line in told.splitlines())


@pytest.mark.parametrize(("window", "count"), [(2048, 5), (2048, 8), (4096, 5)])
def test_a_judge_can_see_all_units_however_full(window: int, count: int) -> None:
    """With the published caps, five full units are more than a small window: they share it."""
    strategy = ChainOfAgents(paths="permutation", path_count=count)

    def worker(prompt: str) -> str:
        kept = NEEDLE if NEEDLE in prompt else "A quay."
        return f"Notes: {kept}\n" + "\n".join(f"Barrel {i} came on day {i}" for i in range(90))

    llm = ByCall(SIGNS, worker=worker, judge=lambda _: f"Answer: {ANSWER}")
    model = a_model(llm, window=window)
    answer = Reader(model, strategy, probe=False).ask(paged(20, needle_on=4), QUESTION)
    (judged,) = llm.prompts["judge"]
    assert all(NEEDLE in fenced(judged, f"notes {i}") for i in range(1, count + 1))
    assert (ANSWER, "complete", [4]) == (
        answer.text, answer.status, [c.page for c in answer.citations]
    )  # fmt: skip


def test_more_units_than_a_judge_can_see_are_refused_before_any_call() -> None:
    """It says which options to change."""
    strategy = ChainOfAgents(paths="permutation", path_count=200)
    model = a_model(ByCall(SIGNS), window=2048)
    with pytest.raises(ConfigurationError, match="Lower path_count, use selection=vote"):
        Reader(model, strategy, probe=False).ask(paged(3), QUESTION)


def test_notes_that_do_not_fit_the_manager_go_by_the_question() -> None:
    """Not by their place: what bears on the question stays, wherever it stands."""

    def useful(prompt: str) -> str:
        told = [NEEDLE] if NEEDLE in prompt else []
        return "Notes: " + "\n".join(
            [*told, *(line for line in fenced(prompt, "passage").splitlines()[:9])]
        )

    llm = ByCall(SIGNS, useful=useful, judge=lambda _: f"Answer: {ANSWER}")
    strategy = replace(SMALL, topology="hierarchical", window=900)
    answer = read(llm, paged(300, needle_on=297), strategy)
    assert (ANSWER, [297]) == (answer.text, [c.page for c in answer.citations])
    assert any("notes, those that have least to do with" in note for note in answer.notes)


def test_a_fact_of_the_first_chunk_is_cited_at_the_end() -> None:
    """After two hundred pages the answer cites page 3, not the last page."""
    answer = read(Oracle(FACTS), paged(200, needle_on=3))
    assert (ANSWER, [3]) == (answer.text, [c.page for c in answer.citations])
    assert NEEDLE.rstrip(".") in answer.citations[0].quote


def test_a_failed_worker_costs_its_chunk_and_not_the_chain() -> None:
    """Coverage says so, and the unit goes on."""

    def worker(prompt: str) -> str:
        if "day 200 " in prompt:
            raise ServerFault("HTTP 500")
        return f"Notes: {NEEDLE}" if NEEDLE in prompt else "Notes: [NO INFORMATION]"

    llm = ByCall(SIGNS, worker=worker, manager=lambda _: f"Answer: {ANSWER}")
    answer = read(llm, paged(40, needle_on=3))
    assert (ANSWER, "partial", 1) == (answer.text, answer.status, answer.coverage.failed)


@pytest.mark.parametrize("paths", ["bidirectional", "permutation", "self_consistency"])
def test_chains_read_the_same_chunks_in_their_own_orders(paths: Any) -> None:
    """Right to left, in drawn orders, or five times the same; a judge sees all last units."""
    strategy = replace(SMALL, paths=paths, path_count=3)
    seen: dict[str, None] = {}

    def worker(prompt: str) -> str:
        seen[fenced(prompt, "passage")] = None
        return f"Notes: {NEEDLE}" if NEEDLE in prompt else "Notes: [NO INFORMATION]"

    llm = ByCall(SIGNS, worker=worker, judge=lambda _: f"Answer: {ANSWER}")
    answer = read(llm, paged(20, needle_on=9), strategy)
    chains = 2 if paths == "bidirectional" else 3
    assert ANSWER == answer.text
    assert 1 == len(llm.prompts["judge"])
    assert f"notes {chains}>>>" in llm.prompts["judge"][0]
    assert answer.coverage.chunks == len(seen) == answer.coverage.read
    again = read(ByCall(SIGNS, worker=worker, judge=lambda _: f"Answer: {ANSWER}"),
                 paged(20, needle_on=9), strategy)  # fmt: skip
    assert [v.content for v in answer.memory] == [v.content for v in again.memory]


def test_a_vote_takes_the_majority_of_the_chains() -> None:
    """Two against one, case and full stop aside."""
    answers = iter(["Answer: Ada", "Answer: Marta Ilves.", "Answer: marta ilves"])
    drawn = iter(range(99))

    def worker(prompt: str) -> str:
        return f"Notes: {NEEDLE}\nThis is draw {next(drawn)}."

    llm = ByCall(SIGNS, worker=worker, manager=lambda _: next(answers))
    strategy = replace(SMALL, paths="self_consistency", path_count=3, selection="vote")
    answer = read(llm, paged(6, needle_on=2), strategy, concurrency=1)
    assert "marta ilves" == answer.text.casefold().rstrip(".")


def test_a_vote_on_long_texts_is_refused() -> None:
    """Before any call: long texts are never equal."""
    strategy = replace(SMALL, paths="permutation", selection="vote", role="summary")
    with pytest.raises(ConfigurationError, match="judge"):
        read(ByCall(SIGNS), paged(6), strategy)


def test_the_papers_split_is_refused_where_it_would_overflow() -> None:
    """It counts neither unit nor reply; in a smaller window than the model's it may be used."""
    with pytest.raises(ConfigurationError, match="split=reserved"):
        read(ByCall(SIGNS), paged(6), replace(SMALL, split="paper"))
    strategy = replace(SMALL, split="paper", window=2000)
    paper = read(Oracle(FACTS), paged(60, needle_on=5), strategy)
    ours = read(Oracle(FACTS), paged(60, needle_on=5), replace(strategy, split="reserved"))
    assert [ANSWER, ANSWER] == [paper.text, ours.text]
    assert paper.coverage.chunks < ours.coverage.chunks


def test_merge_votes_over_chunks_and_makes_no_further_call() -> None:
    """N calls; the answer that most chunks give."""
    told = Counter[str]()

    def answered(prompt: str) -> str:
        said = "the clerk" if "day 10 " in prompt else "barrels of salt"
        told[said] += 1
        return f"Answer: {said}"

    llm = ByCall(SIGNS, answer=answered)
    answer = read(llm, paged(40), replace(SMALL, topology="merge"))
    assert (1, answer.coverage.chunks - 1) == (told["the clerk"], told["barrels of salt"])
    assert "barrels of salt" == answer.text
    assert {"answer"} == set(llm.order)


@pytest.mark.parametrize(
    ("question", "role"),
    [("Who signed it?", "qa"), ("Summarise the report", "summary"), ("", "summary"),
     ("请总结这份报告", "summary"), ("Fais un résumé du rapport", "summary")],
)  # fmt: skip
def test_the_role_goes_by_the_question(question: str, role: str) -> None:
    """A summary where one, or nothing at all, is asked for."""
    assert role == role_of("auto", question)


def test_a_summary_needs_no_question() -> None:
    """The stock question stands in; the manager writes one text."""
    llm = ByCall(SIGNS, worker=lambda _: "Notes: On day 10 the clerk counted barrels.",
                 manager=lambda _: "Summary: The clerk counted barrels in the rain.")  # fmt: skip
    model = a_model(llm, window=3072)
    answer = Reader(model, SMALL, probe=False).ask(paged(6), "")
    assert "The clerk counted barrels in the rain." == answer.text
    assert "relatively long summary" in llm.prompts["worker"][0]


def test_a_plain_model_is_not_asked_to_rewrite() -> None:
    """It answers about its chunk; code adds the sentence that bears the answer out."""

    class Plain:
        """Answers in free text, right where the passage tells and else with something of it."""

        def __init__(self) -> None:
            self.prompts: list[str] = []

        async def complete(self, request: Request) -> Reply:
            self.prompts.append(request.text)
            said = ANSWER if NEEDLE in request.text else "barrels of salt"
            return Reply(said, Usage(WordCounter().count(request.text), 0, 3))

    llm = Plain()
    answer = read(llm, paged(12, needle_on=7), SMALL, wire="plain")
    assert (ANSWER, [7]) == (answer.text, [c.page for c in answer.citations])
    assert not any("Notes:" in p for p in llm.prompts)
