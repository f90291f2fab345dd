"""Fidelity of LLM×MapReduce to its specification (paper, sections 3.1 to 3.4)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from memreader import events
from memreader.answer import Answer
from memreader.contract import Counting, paged
from memreader.document import Corpus, Document
from memreader.errors import ConfigurationError, ServerFault
from memreader.llm.base import Reply, Request
from memreader.reader import Reader
from memreader.stores import Stores
from memreader.testing import Scripted, a_model
from memreader_strategies.map_reduce import MapReduce
from memreader_strategies.map_reduce.presets import PRESETS, chosen

QUESTION = "How deep is the lock at Harl?"
NONE = (
    "Extracted Information: none\nRationale: nothing\nAnswer: [NO INFORMATION]\nConfidence Score: 0"
)


def record(answer: str, *, quote: str = "", confidence: float = 4.0, words: int = 0) -> str:
    """A reply of the map or collapse step, padded to a size."""
    told = f"- {quote}" if quote else "none"
    why = "because " * words or "as it says"
    return (
        f"Extracted Information:\n{told}\nRationale: {why}\nAnswer: {answer}\n"
        f"Confidence Score: {confidence}"
    )


class ByStage:
    """Answers each stage by a function of the prompt; keeps the prompts by stage."""

    def __init__(self, **stages: Callable[[str], str]) -> None:
        self.stages = stages
        self.prompts: dict[str, list[str]] = {"map": [], "collapse": [], "reduce": []}
        self.order: list[str] = []
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Reply:
        """Tell the stage by its own words, and answer."""
        text = request.text
        stage = (
            "map" if "You read one passage" in text
            else "collapse" if "Combine their records" in text
            else "reduce"
        )  # fmt: skip
        self.prompts[stage].append(text)
        self.order.append(stage)
        self.requests.append(request)
        answer = self.stages[stage](text)
        return await Scripted([answer]).complete(request)


def reduced(text: str = "Rationale: so\nAnswer: nine metres") -> Callable[[str], str]:
    """A reduce step that always says the same."""
    return lambda _: text


def read(llm: Any, document: Document, **options: Any) -> Answer:
    """One reading."""
    how = {
        "concurrency": 4,
        "window": 4096,
        **{k: options.pop(k) for k in ("concurrency", "window") if k in options},
    }
    question = options.pop("question", QUESTION)
    listener = options.pop("on_event", None)
    reader = Reader(a_model(llm, **how), MapReduce(**options), probe=False)
    return reader.ask(document, question, on_event=listener)


def test_calls_are_chunks_plus_groups_plus_one() -> None:
    """The paper's cost: n + sum of collapse groups + 1, over at least two rounds, as planned."""
    document = paged(40)
    llm = ByStage(
        map=lambda _: record("nine", words=60), collapse=lambda _: record("nine", words=60),
        reduce=reduced(),
    )  # fmt: skip
    options: dict[str, Any] = {"chunk_size": 1000, "reply_tokens": 120}
    answer = read(llm, document, **options)
    n, groups = len(llm.prompts["map"]), len(llm.prompts["collapse"])
    assert answer.usage.calls == n + groups + 1
    assert len(llm.prompts["reduce"]) == 1
    sizes = [len(re.findall(r"<<<\w+ chunks?", p)) for p in llm.prompts["collapse"]]
    rounds = {("chunks " in p) for p in llm.prompts["collapse"]}
    assert rounds == {True, False}, "a second round collapses what the first one made"
    assert min(sizes) >= 2
    plan = MapReduce(**options).plan(Corpus((document,)), QUESTION, a_model(llm))
    assert answer.usage.calls in plan.calls
    assert n == plan.calls.minimum


def test_a_full_group_starts_before_the_map_is_over() -> None:
    """Groups do not wait for the wave: a collapse call comes before the last map call."""
    llm = ByStage(
        map=lambda _: record("nine", words=60), collapse=lambda _: record("nine"),
        reduce=reduced(),
    )  # fmt: skip
    read(llm, paged(40), chunk_size=1000, reply_tokens=120)
    last_map = max(i for i, stage in enumerate(llm.order) if stage == "map")
    assert llm.order.index("collapse") < last_map


def test_the_collapse_ends_whatever_the_model_writes() -> None:
    """Records that never shrink, each as long as the cap: rounds are bounded by halving."""
    long = record("nine", quote="noted rain", words=400)
    llm = ByStage(map=lambda _: long, collapse=lambda _: long, reduce=reduced())
    answer = read(llm, paged(60), chunk_size=1000, reply_tokens=150)
    assert answer.text == "nine metres"
    assert len(llm.prompts["collapse"]) < len(llm.prompts["map"])


def test_small_chunks_do_not_cut_records() -> None:
    """Where a call of `chunk_size` holds prompts and little more, records are kept whole."""
    llm = ByStage(
        map=lambda _: record("nine", words=200), collapse=lambda _: record("nine", words=200),
        reduce=reduced(),
    )  # fmt: skip
    answer = read(llm, paged(12), chunk_size=1200)
    assert not [note for note in answer.notes if "was cut" in note]


def test_without_survivors_no_call_is_made() -> None:
    """Nothing anywhere: not found, and neither collapse nor reduce is asked."""
    llm = ByStage(map=lambda _: NONE)
    answer = read(llm, paged(12))
    assert ("not_found", "") == (answer.status, answer.text)
    assert set(llm.order) == {"map"}


def test_partial_evidence_is_kept_at_low_priority() -> None:
    """What a chunk extracted while answering "no information" still reaches the reduce step."""
    quote = "the clerk of ward 3 counted 10 barrels"

    def mapped(prompt: str) -> str:
        if quote in prompt:
            return record("[NO INFORMATION]", quote=quote, confidence=0)
        return NONE

    llm = ByStage(map=mapped, reduce=reduced())
    answer = read(llm, paged(12))
    assert quote in llm.prompts["reduce"][0]
    assert answer.status == "complete"
    without = ByStage(map=mapped)
    assert read(without, paged(12), keep_partial=False).status == "not_found"


def test_chunk_numbers_are_kept_to_the_end() -> None:
    """Survivors keep the numbers of their chunks in the document, not their rank."""
    document = paged(40)

    def mapped(prompt: str) -> str:
        match = re.search(r"day (201|351) ", prompt)
        return record("nine", quote=match[0]) if match else NONE

    llm = ByStage(map=mapped, reduce=reduced())
    seen: list[events.Event] = []
    read(llm, document, chunk_size=1200, reply_tokens=200, concurrency=1, on_event=seen.append)
    asked = [e for e in seen if isinstance(e, events.CallFinished) and e.step == "map"]
    prompts = dict(zip((e.sources[0] + 1 for e in asked), llm.prompts["map"], strict=True))
    expected = [n for n, p in prompts.items() if re.search(r"day (201|351) ", p)]
    labels = [int(n) for n in re.findall(r"<<<\w+ chunk (\d+)>>>", llm.prompts["reduce"][0])]
    assert expected == labels
    assert labels != [1, 2]


def test_the_same_calibration_stands_in_every_stage() -> None:
    """The worked example makes scores comparable only if map, collapse and reduce share it."""

    def run(**options: Any) -> list[bool]:
        llm = ByStage(
            map=lambda _: record("nine", words=60), collapse=lambda _: record("nine"),
            reduce=reduced(),
        )  # fmt: skip
        read(llm, paged(40), chunk_size=1100, reply_tokens=120, **options)
        return ["Halvard" in p for stage in llm.prompts.values() for p in stage]

    assert all(run())
    assert not any(run(calibration=False))


def test_every_stage_subtracts_question_prompt_and_reply() -> None:
    """No prompt with its reply is over chunk_size, however long the question."""
    llm = ByStage(
        map=lambda _: record("nine", words=80), collapse=lambda _: record("nine", words=80),
        reduce=reduced(),
    )  # fmt: skip
    question = QUESTION + " Think of the sill, the gates and the tide." * 12
    read(llm, paged(40), chunk_size=1400, reply_tokens=150, question=question)
    count = a_model(llm).counter.count
    assert max(count(r.text) + r.max_tokens for r in llm.requests) <= 1400
    assert {r.max_tokens for r in llm.requests} == {150}


def test_a_question_that_leaves_no_room_is_an_error() -> None:
    """Said before any call, with what to do."""
    llm = ByStage()
    with pytest.raises(ConfigurationError, match="chunk_size"):
        read(llm, paged(3), chunk_size=700, question="why " * 600)
    assert not llm.requests


def test_temperature_and_policy_reach_the_model() -> None:
    """Options are not decoration."""
    llm = ByStage(map=lambda _: record("nine", quote="noted rain"), reduce=reduced("Answer: nine"))
    read(llm, paged(3), temperature=0.7, policy="override")
    assert {r.temperature for r in llm.requests} == {0.7}
    assert "only the records with a score of 5" in llm.prompts["reduce"][0]


def test_a_failed_collapse_loses_no_record() -> None:
    """The best record of the group stands in, and the answer is partial."""
    quote = "noted rain"

    def fail(_: str) -> str:
        raise ServerFault("HTTP 500")

    llm = ByStage(
        map=lambda _: record("nine", quote=quote, words=60), collapse=fail, reduce=reduced()
    )
    answer = read(llm, paged(30), chunk_size=1000, reply_tokens=120)
    assert ("nine metres", "partial") == (answer.text, answer.status)
    assert any("stands in" in note for note in answer.notes)
    assert answer.coverage.failed == 0


def test_a_failed_reduce_gives_the_best_record() -> None:
    """Not a lost reading: the most confident record's answer, said to be partial."""

    def mapped(prompt: str) -> str:
        sure = "day 201 " in prompt
        return record("eleven" if sure else "nine", quote="noted rain", confidence=5 if sure else 2)

    def fail(_: str) -> str:
        raise ServerFault("HTTP 500")

    answer = read(ByStage(map=mapped, reduce=fail), paged(40))
    assert ("eleven", "partial") == (answer.text, answer.status)


def test_a_reading_that_ends_early_on_partial_evidence_has_no_answer() -> None:
    """A record without an answer may stand in for none: our marker is never shown as one."""

    def mapped(prompt: str) -> str:
        return record("[NO INFORMATION]", quote="noted rain", confidence=0)

    def fail(_: str) -> str:
        raise ServerFault("HTTP 500")

    answer = read(ByStage(map=mapped, reduce=fail), paged(40))
    assert ("", "partial") == (answer.text, answer.status)


def _said(reply: str, _: str) -> str:
    return reply


def test_a_yes_without_quotes_is_believed() -> None:
    """Support is evidence, not a veto: yes, counts and paraphrases of a capable model stand."""
    for told in ("Yes", "No, it was not given.", "7", "Approximately a dozen, all told"):
        mapped = record(told, quote="noted rain")
        llm = ByStage(map=partial(_said, mapped), reduce=reduced(f"Rationale: so\nAnswer: {told}"))
        assert (told, "complete") == (read(llm, paged(3)).text, read(llm, paged(3)).status)


def test_an_answer_whose_quotes_are_all_inventions_is_dropped() -> None:
    """A record that quotes what is not there does not reach the reduce step."""
    llm = ByStage(map=lambda _: record("nine", quote="the lock is nine fathoms deep at low water"))
    assert read(llm, paged(3)).status == "not_found"


@pytest.mark.parametrize(
    ("question", "preset"),
    [
        ("Who signed the lease?", "qa"),
        ("Where was the treaty signed?\nA. Paris\nB. Rome\nC. Bern", "multiple_choice"),
        ("What is the pass key hidden in the text?", "retrieval"),
        ("How many times is the harbour master named?", "aggregate"),
        ("List all ships that were lost.", "aggregate"),
        ("Which function in this module raises KeyError when called?", "code"),
        ("Summarise the report.", "summary"),
        ("Can you summarize this document?", "summary"),
        ("", "summary"),
        ("Résume le document", "summary"),
        ("总结这篇文章", "summary"),
        ("Resume talks with whom?", "qa"),
        ("What does the summary of the treaty say about fish?", "qa"),
        ("How many barrels were lost?", "qa"),
    ],
)
def test_auto_chooses_the_preset_by_the_question(question: str, preset: str) -> None:
    """By form alone, without a call."""
    assert preset == chosen("auto", question).name


def test_presets_have_their_fields_and_policies() -> None:
    """The specification's table of preset differences."""
    labels = {name: list(p.record.labels().values()) for name, p in PRESETS.items()}
    assert labels["qa"] == ["Extracted Information", "Rationale", "Answer", "Confidence Score"]
    assert labels["code"][0] == "Extracted Code"
    assert labels["retrieval"][1] == "Reasoning"
    assert labels["summary"] == ["Summary"]
    assert {n: p.policy for n, p in PRESETS.items()} == {
        "qa": "pick", "multiple_choice": "pick", "retrieval": "override",
        "aggregate": "aggregate", "code": "pick", "summary": "union",
    }  # fmt: skip


def test_options_of_a_choice_are_seen_by_the_map_step() -> None:
    """In V1 the options live inside the question."""
    llm = ByStage(map=lambda _: NONE)
    read(llm, paged(3), question="Where?\nA. Paris\nB. Rome")
    assert "B. Rome" in llm.prompts["map"][0]


def test_a_summary_needs_no_question_and_no_marker() -> None:
    """Query-free: every chunk is summarised, nothing is dropped, and places are cited."""
    llm = ByStage(
        map=lambda _: "Summary: The clerk counted barrels of salt and noted rain.",
        reduce=reduced("Summary: A clerk counted barrels of salt and noted rain, day after day."),
    )
    answer = read(llm, paged(12), question="")
    assert answer.status == "complete"
    assert "barrels of salt" in answer.text
    assert answer.citations


def test_a_changed_page_costs_only_the_chunks_that_changed() -> None:
    """Calls are keyed by chunk text: after an edit the other chunks come from the journal."""
    document, stores = paged(40), Stores()
    edited = Document(document.text.replace("day 201 ", "day 999 "), "ledger.txt")
    for text, most in ((document, 1000), (edited, 3)):
        llm = Counting(ByStage(map=lambda _: NONE))
        model = a_model(llm, window=1500)
        plain = Document(text.text, "ledger.txt")
        Reader(model, MapReduce(), stores=stores, probe=False).ask(plain, QUESTION)
        assert 0 < llm.begun <= most
