"""Fidelity of MemWalker to its specification, and its options."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import anyio
import pytest

from memreader import events
from memreader.answer import Answer
from memreader.budget import Limits
from memreader.contract import ANSWER, FACTS, NEEDLE, QUESTION, Counting, StrategyContract, paged
from memreader.document import Corpus, Document
from memreader.errors import ConfigurationError, ServerFault
from memreader.llm.base import Reply, Request, Usage
from memreader.memory.tree import Node, Tree
from memreader.reader import Reader
from memreader.stores import Stores
from memreader.testing import Oracle, a_model
from memreader_strategies.mem_walker import MemWalker
from memreader_strategies.mem_walker.memory import WorkingMemory, extract
from memreader_strategies.mem_walker.sizes import nodes_above
from tests.strategies.serial import ByCall, fenced

SIGNS = {
    "summarise": "Summarise one part of a longer document",
    "merge": "Numbered summaries of neighbouring parts",
    "triage": "Its parts are summarised below",
    "look": "have come to one of its segments",
    "answer": "You have walked through a long document",
}
SMALL = MemWalker(segment_tokens=48, fan_out=3)


class TestMemWalker(StrategyContract):
    """As shipped, in a small window."""

    strategy = MemWalker()
    reads_everything = False


class TestWithSmallSegments(StrategyContract):
    """A deep tree, a beam, and two commits."""

    strategy = MemWalker(segment_tokens=120, fan_out=3, beam=2)
    reads_everything = False
    huge_pages = 60


class TestBySimilarity(StrategyContract):
    """Children are chosen by code."""

    strategy = MemWalker(segment_tokens=200, choice="similarity")
    reads_everything = False


# --- what the tests read ------------------------------------------------------------------------


def parts(n: int, **facts: str) -> Document:
    """So many paragraphs, each a segment of `SMALL`; `part3="..."` adds a sentence to the third."""
    texts = []
    for i in range(1, n + 1):
        words = " ".join(f"w{i}x{j}" for j in range(24))
        texts.append(f"Here is part{i} of it {words}. {facts.get(f'part{i}', '')}".strip())
    return Document("\n\n".join(texts), "parts.txt")


def named(prompt: str) -> list[int]:
    """Numbers of the parts that the fenced texts of a prompt name."""
    return [int(n) for n in re.findall(r"\bpart(\d+)\b", prompt.partition("<<<")[2])]


def gist(prompt: str) -> str:
    """A summary that names the parts it is of."""
    return "Summary: About " + " ".join(f"part{n}" for n in dict.fromkeys(named(prompt))) + "."


def options(prompt: str) -> list[list[int]]:
    """The parts that each of the numbered summaries names."""
    shown = re.findall(r"<<<\w+ summary \d+>>>\n(.*?)\n<<<end", prompt, re.DOTALL)
    return [[int(n) for n in re.findall(r"part(\d+)", text)] for text in shown]


def toward(part: int) -> Callable[[str], str]:
    """A triage that goes to a part wherever it is offered, and back where it is not."""

    def go(prompt: str) -> str:
        for number, found in enumerate(options(prompt), start=1):
            if part in found:
                return f"Reasoning: It speaks of part{part}.\nAction: {number}"
        return "Reasoning: None does.\nAction: -1"

    return go


REVERT = "Reasoning: Not here.\nEvidence: none\nAction: revert\nAnswer:"


def commits(answer: str, evidence: str = "none") -> str:
    """A look that commits."""
    return f"Reasoning: It is here.\nEvidence: - {evidence}\nAction: commit\nAnswer: {answer}"


def walker(**said: Any) -> ByCall:
    """A model that summarises by naming parts, and walks as it is told."""
    calls = {"summarise": gist, "merge": gist, "answer": lambda _: "Answer: [NO INFORMATION]"}
    return ByCall(SIGNS, **{**calls, **said})


def read(llm: Any, document: Any, strategy: MemWalker = SMALL, **how: Any) -> Answer:
    """One reading."""
    seen, question = how.pop("seen", None), how.pop("question", QUESTION)
    stores = how.pop("stores", None) or Stores()
    limits = how.pop("limits", Limits())
    model = replace(a_model(llm, window=how.pop("window", 3072)), **how)
    reader = Reader(model, strategy, probe=False, stores=stores, limits=limits)
    return reader.ask(document, question, on_event=seen)


def tree_of(stores: Stores) -> Tree:
    """The one tree on the shelf."""
    (kept,) = stores.shelf().shelved()
    return Tree.from_json(stores.shelf().get(kept.key))


# --- the tree -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "levels", "merges"),
    [(1, [1], 0), (3, [3, 1], 1), (4, [4, 1, 1], 2), (10, [10, 3, 1, 1], 5)],
)
def test_the_shape_of_the_tree(n: int, levels: list[int], merges: int) -> None:
    """N = 1, M, M + 1 and M² + 1: a group of one is promoted without a call."""
    llm, stores = walker(triage=toward(1), look=lambda _: REVERT), Stores()
    read(llm, parts(n), stores=stores, strategy=replace(SMALL, max_steps=1))
    tree = tree_of(stores)
    assert levels == [sum(node.level == level for node in tree) for level in range(len(levels))]
    assert (n, merges) == (len(llm.prompts["summarise"]), len(llm.prompts["merge"]))
    assert (merges, len(levels) - 1) == nodes_above(n, 3)
    assert all(len(node.children) != 1 for node in tree)
    assert all(child < node.id for node in tree for child in node.children)


def test_only_neighbours_are_grouped_and_each_node_has_its_places() -> None:
    """The spans below a node are its own, in order and without a gap; the root has them all."""
    stores, document = Stores(), parts(11)
    read(walker(triage=toward(1), look=lambda _: REVERT), document, stores=stores)
    tree = tree_of(stores)
    every = [node.spans[0] for node in tree if not node.children]
    assert every == sorted(every, key=lambda s: s.start) == list(tree.root.spans)
    for node in tree:
        first = every.index(node.spans[0])
        assert list(node.spans) == every[first : first + len(node.spans)]
        if node.children:
            assert node.spans == tuple(s for c in tree.children(node) for s in c.spans)
        assert named(f"<<<{node.text}") == [every.index(s) + 1 for s in node.spans]


def test_long_summaries_have_fewer_to_a_node_and_no_prompt_passes_the_window() -> None:
    """The fan-out looks at tokens: eight would not fit, so fewer stand in one prompt."""

    def long(prompt: str) -> str:
        return gist(prompt) + " word" * 400

    llm = walker(summarise=long, merge=long, triage=toward(9), look=lambda _: REVERT)
    counting, document = Counting(llm), parts(30)
    strategy = MemWalker(segment_tokens=150, summary_tokens=400)
    read(counting, document, strategy, window=1100)
    count = a_model(llm).counter.count
    assert max(count(r.text) + r.max_tokens for r in counting.answered) <= 1100
    assert 1 < max(len(options(p)) for p in llm.prompts["triage"]) < 8


def test_levels_do_not_wait_for_one_another() -> None:
    """A group is merged as soon as it is full, while later segments are still summarised."""
    llm = walker(triage=toward(1), look=lambda _: REVERT)
    read(llm, parts(27), concurrency=2)
    order = [kind for kind in llm.order if kind in ("summarise", "merge")]
    assert order.index("merge") < 12
    assert order[-1] == "merge"


@pytest.mark.parametrize("told", ["Summary:", "Summary: %%%% ~~~"])
def test_a_summary_without_a_word_is_a_failure_and_an_extract_stands_for_it(told: str) -> None:
    """It is on record, the segment stays in reach, and the index is not kept."""

    def some(prompt: str) -> str:
        return told if named(prompt) == [2] or "Put the reply" in prompt else gist(prompt)

    signs = {**SIGNS, "repair": "Put the reply below into the form"}
    llm = ByCall(
        signs, summarise=some, merge=gist, repair=lambda _: told, triage=toward(2),
        look=lambda p: commits("Marta", NEEDLE) if "part2" in p else REVERT,
        answer=lambda _: "Answer: Marta",
    )  # fmt: skip
    stores, seen = Stores(), list[events.Event]()
    answer = read(llm, parts(3, part2=NEEDLE), stores=stores, seen=seen.append)
    assert "Marta" == answer.text
    assert any(isinstance(e, events.CallGivenUp) for e in seen)
    assert [] == stores.shelf().shelved()
    assert NEEDLE in llm.prompts["triage"][0]


def test_a_failed_segment_shows_in_the_coverage_until_it_is_read() -> None:
    """The summary's call failed for good; the walk does not get there."""

    def fail(_: int, request: Request) -> None:
        if "Summarise one part" in request.text and "part5 " in request.text:
            raise ServerFault("HTTP 500 from a test")

    llm = walker(triage=toward(1), look=lambda _: commits("part1"))
    answer = read(Counting(llm, before=fail), parts(6))
    assert (1, 1, "partial") == (answer.coverage.failed, answer.coverage.read, answer.status)
    llm = walker(triage=toward(5), look=lambda _: commits("part5"))
    answer = read(Counting(llm, before=fail), parts(6))
    assert (0, 1) == (answer.coverage.failed, answer.coverage.read)


def test_a_summary_as_long_as_its_source_is_cut_by_code() -> None:
    """An echo of the segment is no summary."""
    llm = walker(summarise=lambda p: f"Summary: {fenced(p, 'passage')} and more",
                 triage=toward(1), look=lambda _: REVERT)  # fmt: skip
    stores = Stores()
    answer = read(llm, parts(3), stores=stores)
    count = a_model(llm).counter.count
    assert all(count(node.text) <= 48 for node in tree_of(stores))
    assert any("extracts made by code" in note for note in answer.notes)


# --- the walk -----------------------------------------------------------------------------------


def test_the_path_to_a_segment_is_one_call_a_level() -> None:
    """The formula on a straight path: n + merges once, depth + 1 for the question."""
    llm = walker(triage=toward(1), look=lambda _: commits(ANSWER, NEEDLE))
    document = parts(10, part1=NEEDLE)
    answer = read(llm, document)
    assert ["triage"] * 3 + ["look"] == llm.order[-4:]
    plan = SMALL.plan(Corpus((document,)), QUESTION, a_model(llm, window=3072))
    assert plan.once is not None
    assert (10 + 5, 4) == (plan.once.calls.expected, plan.more().calls.expected)
    assert plan.calls.expected == answer.usage.calls == len(llm.order)
    assert (ANSWER, "complete", 1) == (answer.text, answer.status, answer.coverage.read)
    assert [NEEDLE] == [c.quote for c in answer.citations]
    assert 0.1 == plan.coverage


def test_a_revert_shows_the_sibling_and_keeps_the_memory() -> None:
    """What was read stays in mind; what was visited is not offered again."""

    def look(prompt: str) -> str:
        return commits("it", NEEDLE) if NEEDLE in fenced(prompt, "passage") else REVERT

    first = "Reasoning: The first.\nAction: 1"
    llm = walker(triage=lambda _: first, look=look)
    answer = read(llm, parts(3, part2=NEEDLE))
    before, after = llm.prompts["triage"]
    assert [[1], [2], [3]] == options(before)
    assert [[2], [3]] == options(after)
    assert "part1 of it" in fenced(after, "working memory")
    assert "About part1 part2" in fenced(after, "working memory")
    assert "it" == answer.text
    assert 2 == answer.coverage.read


def test_when_all_was_visited_the_answer_is_not_found() -> None:
    """Every segment was read once; the root offers nothing more, and no further call is made."""
    llm = walker(triage=lambda _: "Reasoning: Try.\nAction: 1", look=lambda _: REVERT)
    answer = read(llm, parts(5))
    assert ("not_found", 5) == (answer.status, answer.coverage.read)
    assert 5 == len(llm.prompts["look"])
    assert not llm.prompts["answer"]


def test_the_root_offers_no_way_back() -> None:
    """Deeper nodes do; and a revert at the root is a bad action."""
    llm = walker(triage=toward(9), look=lambda _: commits("part9"))
    read(llm, parts(9))
    root, deeper = llm.prompts["triage"]
    assert ("-1" in root, "-1" in deeper) == (False, True)
    llm = walker(triage=lambda _: "Reasoning: Back.\nAction: -1", look=lambda _: REVERT)
    answer = read(llm, parts(3))
    assert ("not_found", 3) == (answer.status, len(llm.prompts["triage"]))


def test_three_bad_actions_in_a_row_end_the_walk() -> None:
    """Each is asked again with what was wrong, and a person is told how the walk ended."""
    llm = walker(triage=lambda _: "Reasoning: All of them.\nAction: 17", look=lambda _: REVERT)
    answer = read(llm, parts(3))
    assert ("not_found", "") == (answer.status, answer.text)
    again = [
        p.partition("Your last reply could not be used: ")[2][:40] for p in llm.prompts["triage"]
    ]
    assert ["", "'17' is no action that was offered.", "'17' is no action that was offered."] == [
        a.partition("\n")[0] for a in again
    ]
    assert any("3 bad actions in a row" in told for told in answer.problems)


def test_an_endpoint_that_fails_three_times_has_not_found_nothing() -> None:
    """The triage got no reply: the answer is partial, not absent."""

    def fail(_: int, request: Request) -> None:
        if SIGNS["triage"] in request.text:
            raise ServerFault("HTTP 500 from a test")

    answer = read(Counting(walker(), before=fail), parts(3))
    assert ("partial", "") == (answer.status, answer.text)


def test_a_good_action_clears_the_bad_ones() -> None:
    """Two bad ones at each of two nodes, and the walk goes on."""
    tries = iter(["9", "9", "1", "9", "9", "1"])
    llm = walker(
        triage=lambda _: f"Reasoning: So.\nAction: {next(tries)}", look=lambda _: commits("part1")
    )
    assert "part1" == read(llm, parts(9)).text


def test_an_action_at_a_segment_is_commit_or_revert() -> None:
    """Anything else is a bad action; the paper's numbers are read too."""
    tries = iter(["jump", "-2"])
    llm = walker(
        triage=toward(1),
        look=lambda _: f"Reasoning: So.\nEvidence: none\nAction: {next(tries)}\nAnswer: part1",
    )
    answer = read(llm, parts(3))
    assert ("part1", 2) == (answer.text, len(llm.prompts["look"]))


def test_the_working_memory_never_pushes_a_prompt_beyond_the_window() -> None:
    """A walk over everything: the oldest texts are dropped, and each prompt fits."""
    llm = walker(triage=lambda _: "Reasoning: Try.\nAction: 1", look=lambda _: REVERT)
    counting = Counting(llm)
    read(counting, parts(14), window=1024)
    count = a_model(llm).counter.count
    assert max(count(r.text) + r.max_tokens for r in counting.answered) <= 1024
    kept = [fenced(p, "working memory") for p in llm.prompts["look"]]
    assert max(map(count, kept)) <= 256
    assert "part1 of it" in kept[1]
    assert "part1 of it" not in kept[-1]
    assert "part13 of it" in kept[-1]


def test_without_a_share_there_is_no_working_memory() -> None:
    """The paper's ablation."""
    llm = walker(triage=lambda _: "Reasoning: Try.\nAction: 1", look=lambda _: REVERT)
    read(llm, parts(4), replace(SMALL, memory_share=0.0))
    assert {""} == {fenced(p, "working memory") for p in llm.prompts["look"]}


def test_of_a_text_that_does_not_fit_the_nearest_sentences_are_kept() -> None:
    """The newest text alone is longer than the budget."""
    counter = a_model(walker()).counter
    memory = WorkingMemory(14, counter, QUESTION)
    memory.add(1, f"It rained all day long. {NEEDLE} The clerk counted barrels of salt.")
    assert NEEDLE == memory.shown(100)
    assert "" == WorkingMemory(12, counter, QUESTION).shown(100)


def test_an_extract_keeps_the_sentences_with_the_most_new_words() -> None:
    """In the order of the text, within the budget."""
    counter = a_model(walker()).counter
    text = "Rain fell. Rain fell. The harbour lease names Marta Ilves. Rain fell. Salt was sold."
    told = "Rain fell. The harbour lease names Marta Ilves. Salt was sold."
    assert told == extract(text, 30, counter)
    assert "The harbour lease names Marta Ilves." == extract(text, 9, counter)


# --- options ------------------------------------------------------------------------------------


def test_a_beam_is_explored_before_the_node_is_asked_again() -> None:
    """One triage names two children; the second is entered without a call."""
    llm = walker(
        triage=lambda _: "Reasoning: One of these.\nAction: 3, 1",
        look=lambda p: commits("part1") if "part1 " in fenced(p, "passage") else REVERT,
    )
    answer = read(llm, parts(3), replace(SMALL, beam=2))
    assert ("part1", 1, 2) == (answer.text, len(llm.prompts["triage"]), len(llm.prompts["look"]))


def test_several_commits_are_answered_together() -> None:
    """Multi-hop: two facts from two segments, then one call over both, with both places."""
    lease, house = "The lease was signed by Marta.", "Marta lives in the mill."
    seen: list[str] = []

    def triage(prompt: str) -> str:
        return toward(6 if "commit" in seen else 1)(prompt)

    def look(prompt: str) -> str:
        seen.append("commit")
        text = fenced(prompt, "passage")
        return commits("Marta", lease) if lease in text else commits("the mill", house)

    llm = walker(triage=triage, look=look, answer=lambda _: "Answer: in the mill")
    document = parts(6, part1=lease, part6=house)
    answer = read(llm, document, replace(SMALL, commits=2), question="Where does the signer live?")
    assert ("in the mill", "complete") == (answer.text, answer.status)
    shown = fenced(llm.prompts["answer"][0], "findings")
    assert [lease in shown, house in shown] == [True, True]
    assert {lease, house} >= {c.quote for c in answer.citations}
    assert "may need facts from several segments" in llm.prompts["look"][0]


def test_a_walk_may_say_that_what_it_found_is_enough() -> None:
    """With several commits allowed, one is enough where the model says so."""
    said = iter(["1", "0"])
    llm = walker(
        triage=lambda _: f"Reasoning: So.\nAction: {next(said)}", look=lambda _: commits("part1")
    )
    answer = read(llm, parts(3), replace(SMALL, commits=3))
    assert ("part1", "complete") == (answer.text, answer.status)
    assert "or 0, if" not in llm.prompts["triage"][0]
    assert "or 0, if" in llm.prompts["triage"][1]


def test_the_literal_walk_is_bounded_by_the_step_cap() -> None:
    """Visited children are offered again, so it oscillates; the answer at the cap is flagged."""
    llm = walker(
        triage=lambda _: "Reasoning: Again.\nAction: 1", look=lambda _: REVERT,
        answer=lambda _: "Answer: w1x3",
    )  # fmt: skip
    answer = read(llm, parts(3), replace(SMALL, hide_visited=False, max_steps=9))
    assert ("w1x3", "partial", 1) == (answer.text, answer.status, answer.coverage.read)
    assert [[1], [2], [3]] == options(llm.prompts["triage"][-1])
    assert "part1 of it" in fenced(llm.prompts["answer"][0], "working memory")
    assert any("after 9 steps" in note for note in answer.notes)


class ByPosition:
    """A small model: names the first option; is surest of an answer that the text holds."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Reply:
        """One word for everything."""
        self.requests.append(request)
        there = NEEDLE in request.text
        text = "1" if "Reply with its number" in request.text else "It rained."
        if there and "Reply with its number" not in request.text:
            text = NEEDLE if "passage is about" in request.text else ANSWER
        logprobs = (-0.1 if there else -2.0,) if request.logprobs else None
        return Reply(text, Usage(10, 0, 3), logprobs=logprobs)


@pytest.mark.parametrize(
    ("choice", "read_first", "soundings"),
    [("letter", 1, 0), ("confidence", 6, 3 + 3 - 1), ("similarity", 6, 0), ("auto", 6, 0)],
)
def test_a_model_that_picks_by_position_is_led_by_code(
    choice: Any, read_first: int, soundings: int
) -> None:
    """By number it goes to the first segment; by confidence and by words, to the right one."""
    llm, seen = ByPosition(), list[events.Event]()
    answer = read(
        llm, parts(6, part6=NEEDLE), replace(SMALL, choice=choice),
        wire="plain", chooses=False, logprobs=True, seen=seen.append,
    )  # fmt: skip
    shown = [e for e in seen if isinstance(e, events.CallFinished) and e.step == "look"]
    assert (read_first - 1,) == shown[0].sources
    assert ANSWER == answer.text
    assert sum(r.logprobs for r in llm.requests) in (0, soundings)
    model = replace(
        a_model(llm, window=3072), wire="plain", chooses=False, logprobs=True
    )  # fmt: skip
    plan = replace(SMALL, choice=choice).plan(Corpus((parts(6, part6=NEEDLE),)), QUESTION, model)
    assert answer.usage.calls in plan.calls
    wanted = {"auto": "by their place", "letter": "as asked for"}.get(choice, choice)
    assert any(wanted in note for note in answer.notes)


def test_without_log_probabilities_similarity_chooses_and_says_so() -> None:
    """The endpoint gives none."""
    llm = ByPosition()
    answer = read(llm, parts(6, part6=NEEDLE), replace(SMALL, choice="confidence"), wire="plain")
    assert (ANSWER, 1) == (answer.text, answer.coverage.read)
    assert any("no log-probabilities" in note for note in answer.notes)


# --- kept, resumed, changed, several ------------------------------------------------------------


def test_a_second_question_builds_nothing() -> None:
    """Another question, and options of the walk, find the tree on the shelf."""
    stores = Stores()
    read(walker(triage=toward(1), look=lambda _: REVERT), parts(9), stores=stores)
    again = walker(triage=toward(4), look=lambda _: commits("part4"))
    read(again, parts(9), replace(SMALL, beam=2), stores=stores, question="What of it?")
    assert ["triage", "triage", "look"] == again.order


def test_a_build_that_was_killed_goes_on_where_it_was() -> None:
    """Stopped dead amid the levels: what was answered is not asked again."""
    stores, document = Stores(), parts(20)
    first = Counting(walker(triage=toward(1), look=lambda _: commits("part1")))

    async def killed() -> None:
        with anyio.CancelScope() as scope:

            def cancel(number: int, _: Request) -> None:
                if number == 15:
                    scope.cancel()

            first.before = cancel
            model = a_model(first, window=3072)
            await Reader(model, SMALL, probe=False, stores=stores).aask(document, QUESTION)

    anyio.run(killed)
    assert [] == stores.shelf().shelved()
    llm = walker(triage=toward(1), look=lambda _: commits("part1"))
    answer = read(llm, document, stores=stores)
    done = {r.text for r in first.answered}
    assert not done & {r.text for r in llm.requests}
    calls, levels = nodes_above(20, 3)
    assert 20 + calls + levels + 1 == len(done) + len(llm.requests) == answer.usage.calls


def test_a_changed_file_pays_for_what_changed_and_what_stands_above_it() -> None:
    """One segment of nine is new: its summary, and one merge on each level."""
    stores = Stores()
    read(walker(triage=toward(1), look=lambda _: commits("part1")), parts(9), stores=stores)

    def changed(prompt: str) -> str:
        return gist(prompt) + (" Marta." if "Marta" in prompt else "")

    llm = walker(
        summarise=changed, merge=changed, triage=toward(1), look=lambda _: commits("part1")
    )
    read(llm, parts(9, part5="Marta."), stores=stores)
    built = [kind for kind in llm.order if kind in ("summarise", "merge")]
    assert ["summarise", "merge", "merge"] == built


def test_several_documents_have_a_tree_each_and_the_answer_says_which() -> None:
    """One root above them, made without a call; a tree that is there is used again."""
    stores = Stores()
    one, two = parts(4), Document(parts(5, part2=NEEDLE).text, "second.txt")
    read(walker(triage=toward(1), look=lambda _: REVERT), one, stores=stores)

    def triage(prompt: str) -> str:
        shown = re.findall(r"<<<\w+ summary \d+>>>\n(\w+\.txt): ", prompt)
        if shown[:2] == ["parts.txt", "second.txt"]:
            return "Reasoning: The second.\nAction: 2"
        return toward(2)(prompt)

    llm = walker(triage=triage, look=lambda _: commits(ANSWER, NEEDLE))
    seen: list[events.Event] = []
    answer = read(llm, [one, two], stores=stores, seen=seen.append)
    assert ["second.txt"] == [c.document for c in answer.citations]
    assert [True, False] == [e.reused for e in seen if isinstance(e, events.IndexReady)]
    assert 2 == len(stores.shelf().shelved())
    assert any("all 2 documents > second.txt" in note for note in answer.notes)
    plan = SMALL.plan(Corpus((one, two)), QUESTION, a_model(llm, window=3072))
    assert plan.more().calls.expected == len(llm.prompts["triage"]) + 1


# --- caps ---------------------------------------------------------------------------------------


def test_a_cap_amid_the_build_still_answers_from_the_likeliest_passage() -> None:
    """The reserve pays one call over what shares most words with the question; it is partial."""
    llm = walker(triage=toward(1), look=lambda _: REVERT, answer=lambda _: f"Answer: {ANSWER}")
    answer = read(llm, parts(20, part17=NEEDLE), limits=Limits(calls=6))
    assert (ANSWER, "partial", "budget") == (answer.text, answer.status, answer.stopped)
    assert [NEEDLE] == [c.quote for c in answer.citations]
    assert 6 == answer.usage.calls


def test_a_cap_amid_the_walk_answers_from_the_memory() -> None:
    """What was read on the way is what it answers from."""
    look = REVERT
    llm = walker(triage=lambda _: "Reasoning: Try.\nAction: 1", look=lambda _: look,
                 answer=lambda _: "Answer: w2x3")  # fmt: skip
    whole = 6 + nodes_above(6, 3)[0]
    answer = read(llm, parts(6), limits=Limits(calls=whole + 6))
    assert ("w2x3", "partial") == (answer.text, answer.status)
    assert "part2 of it" in fenced(llm.prompts["answer"][0], "working memory")


def test_a_window_without_room_is_an_error_before_any_call() -> None:
    """It says what takes the room."""
    with pytest.raises(ConfigurationError, match="too little is left to walk"):
        read(walker(), parts(3), window=500)


# --- what a person sees -------------------------------------------------------------------------


def test_the_trace_names_the_path() -> None:
    """Each step with its pages and its reason; the memory's history is the walk."""
    seen: list[events.Event] = []
    model = a_model(Oracle(FACTS), window=3072)
    strategy = MemWalker(segment_tokens=200, fan_out=3)
    reader = Reader(model, strategy, probe=False)
    answer = reader.ask(paged(12, needle_on=7), QUESTION, on_event=seen.append)
    path = next(note for note in answer.notes if note.startswith("Path: "))
    assert re.fullmatch(r"Path: p\. 1-12 > p\. \d+-\d+ > p\. 7(?:-8)?|.*p\. \d.*", path)
    steps = [note for note in answer.notes if note.startswith("Step ")]
    assert len(steps) == len(answer.memory)
    assert "It is stated." in steps[0]
    assert steps[-1].endswith(f"→ commit: {ANSWER}")
    assert answer.memory[-1].content.splitlines()[0] in steps[0]


def test_a_tree_survives_json() -> None:
    """Other readers of the shelf get what was built, extracts and all."""
    tree = Tree((Node(0, 0, "a", (), (), extract=True), Node(1, 1, "b", (), (0,))))
    assert Tree.from_json(tree.to_json()) == tree
