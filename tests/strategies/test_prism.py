"""PRISM keeps the contract and its specification (paper, section 3 of the spec)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from memreader import events
from memreader.answer import Answer
from memreader.chunking import Chunk
from memreader.contract import ANSWER, FACTS, NEEDLE, QUESTION, StrategyContract, paged, with_pages
from memreader.document import Corpus, Document, Span
from memreader.errors import ConfigurationError
from memreader.llm.base import LLM, Model, Reply, Request, Usage
from memreader.prompts import PromptFiles
from memreader.reader import Reader
from memreader.strategy import configured
from memreader.testing import Oracle, Scripted, WordCounter, a_model
from memreader_strategies.prism import Prism
from memreader_strategies.prism.choosing import SHIPPED, by_form, shipped
from memreader_strategies.prism.cost import Sent, cost_index
from memreader_strategies.prism.instance import leaves, plain
from memreader_strategies.prism.memory import Memory, Mode
from memreader_strategies.prism.revisions import Revision, proposed
from memreader_strategies.prism.schema import Record, SchemaFault, from_model, parsed, told
from memreader_strategies.prism.shapes import forms


class TestPrism(StrategyContract):
    """As shipped: amendments."""

    strategy = Prism()


class TestPrismInPlace(StrategyContract):
    """Revisions carried into the memory."""

    strategy = Prism(mode="in_place")


class TestPrismWithSmallChunks(StrategyContract):
    """The paper's smallest chunks."""

    strategy = Prism(chunk_tokens=500)


class TestPrismWithJson(StrategyContract):
    """Over a server that holds a JSON schema."""

    strategy = Prism()

    def model(self, llm: LLM, *, concurrency: int = 6) -> Model:
        """The wire is JSON."""
        return a_model(llm, window=self.window, concurrency=concurrency, wire="schema")


SCHEMA = """
title: str  # of the work
pages: int
finished: bool
facts: map[str, str]  # name -> what is told
events: list[record]  # in order
  date: str
  event: str  # one sentence
people: map[str, record]
  role: str
  ships: list[str]
open_questions: list[str]
"""


def chunk(text: str, index: int = 0) -> Chunk:
    """A chunk of its own document."""
    return Chunk(index, Span("d", 0, len(text)), text, len(text.split()))


def memory(mode: Mode = "amendments", schema: str = SCHEMA) -> Memory:
    """An empty memory."""
    return Memory.new(parsed(schema), mode)


def after(told_: str, *, on: Memory | None = None, text: str = "", **how: Any) -> Memory:
    """The memory after the revisions of a reply; none may be dropped."""
    changed, dropped = (on or memory()).revised(proposed(told_), chunk(text), **how)
    assert dropped == []
    return changed


class Chunks:
    """Answers revision calls by a function of the passage; keeps the requests by step."""

    def __init__(self, revise: Callable[[str], str], answer: str = "Answer: nine metres") -> None:
        self.revise, self.answer = revise, answer
        self.revisions: list[Request] = []
        self.answers: list[Request] = []

    async def complete(self, request: Request) -> Reply:
        """Tell the step by its own words, and answer."""
        if "You have read a long document" in request.text:
            self.answers.append(request)
            return await Scripted([self.answer]).complete(request)
        self.revisions.append(request)
        passage = request.text.rpartition(" passage>>>\n")[2]
        return await Scripted([self.revise(passage)]).complete(request)


def read(llm: LLM, document: Document, **options: Any) -> Answer:
    """One reading."""
    how = {k: options.pop(k) for k in ("window", "wire") if k in options}
    question = options.pop("question", "How deep is the lock at Harl?")
    listener = options.pop("on_event", None)
    rescue = options.pop("rescue", False)
    model = a_model(llm, **{"window": 3072, **how})
    reader = Reader(model, Prism(**options), probe=False, rescue=rescue)
    return reader.ask(document, question, on_event=listener)


def first_day(passage: str) -> str:
    """The number of the first day in a passage: one for each chunk."""
    match = re.search(r"day (\d+) ", passage)
    return match[1] if match else "0"


# --- revisions -----------------------------------------------------------------------------


def test_bad_revisions_are_dropped_and_the_valid_ones_apply() -> None:
    """A wrong path, a wrong type, an existing key, a missing one: each dropped with its reason."""
    changed, dropped = memory().revised(
        proposed(
            "ADD facts/ferry: The Grey Wether carries the mail\n"
            "ADD weather/june: rain\n"
            "ADD pages: a dozen\n"
            "ADD facts/ferry: Another ship\n"
            "UPDATE facts/lock: nine metres\n"
            "ADD events: The mill burnt\n"
            "DELETE facts/ferry\n"
            "as I said before\n"
            "UPDATE facts/ferry: The Grey Wether carries mail and salt\n"
            "ADD pages: 12"
        ),
        chunk(""),
    )
    assert plain(changed.tree) == {
        "pages": 12,
        "facts": {"ferry": "The Grey Wether carries mail and salt"},
    }
    reasons = [d.reason for d in dropped]
    assert len(reasons) == 7
    for reason, part in zip(
        reasons,
        ["no field `weather`", "needs a int", "a value already", "nothing to update",
         "fields date, event", "may be deleted", "no revision"],
        strict=True,
    ):  # fmt: skip
        assert part in reason


def test_types_are_not_coerced() -> None:
    """A list is no text, a figure no text in JSON, "1.5" no int, a word no bool."""
    wrong: list[tuple[str, object]] = [
        ("facts/a", ["x"]), ("facts/a", 3), ("facts/a", True), ("facts/a", {"b": "c"}),
        ("pages", "1.5"), ("pages", True), ("finished", "perhaps"), ("finished", 1),
        ("events", "x"), ("events", {"day": "x"}), ("people", "x"), ("facts", {"a": "b"}),
        ("facts/a", None), ("facts/a", ""), ("", "x"), ("title/a", "x"), ("facts/a/b", "x"),
    ]  # fmt: skip
    for path, value in wrong:
        told_ = [{"op": "add", "path": path, "value": value}]
        _, dropped = memory().revised(proposed(told_), chunk(""))
        assert len(dropped) == 1, (path, value)


def test_revisions_are_read_in_many_forms() -> None:
    """Lines with bullets, JSON lists, JSON patches, pointers and lists of steps."""
    forms_ = [
        "ADD facts/ferry: It sails: daily",
        "- ADD facts/ferry: It sails: daily",
        "1. **ADD** /facts/ferry: It sails: daily",
        "add `facts/ferry`: It sails: daily",
        "facts/ferry: It sails: daily",
        '[{"op": "add", "path": ["facts", "ferry"], "value": "It sails: daily"}]',
        '```json\n[{"op": "add", "path": "/facts/ferry", "value": "It sails: daily"}]\n```',
        '{"revisions": [{"op": "ADD", "path": "facts/ferry", "value": "It sails: daily"}]}',
    ]
    for form in forms_:
        assert plain(after(form).tree) == {"facts": {"ferry": "It sails: daily"}}, form


def test_paths_reach_into_records_lists_and_escaped_keys() -> None:
    """Keys of maps are made on the way; slashes in keys are escaped as in JSON pointers."""
    changed = after(
        'ADD events: {"date": "1901", "event": "The mill burnt"}\n'
        "UPDATE events/0/date: 1902\n"
        "ADD people/Ann/ships: Wether\nADD people/ann/ships: Gull\nADD people/Ann/role: master\n"
        "ADD facts/in~1out: both\nADD open_questions/-: Who?\nADD open_questions/1: When?"
    )
    assert plain(changed.tree) == {
        "facts": {"in/out": "both"},
        "events": [{"date": "1902", "event": "The mill burnt"}],
        "people": {"Ann": {"role": "master", "ships": ["Wether", "Gull"]}},
        "open_questions": ["Who?", "When?"],
    }
    assert "ADD people/Ann/ships/1: Gull" in changed.text
    assert "ADD facts/in~1out: both" in changed.text


def test_what_stands_there_already_is_neither_done_twice_nor_a_fault() -> None:
    """A known fact added again changes nothing and is no reason to ask again."""
    once = after("ADD facts/a: b\nADD open_questions: Who?")
    assert after("ADD facts/a: b\nADD open_questions: Who?\nUPDATE facts/a: b", on=once) == once
    assert after("ADD facts/c: [NO INFORMATION]", on=once) == once


def test_deletion_is_behind_an_option() -> None:
    """The paper has none."""
    known = after("ADD facts/a: b\nADD title: T\nADD open_questions: x\nADD open_questions: y")
    gone = after("DELETE facts/a\nDELETE title\nDELETE open_questions/0", on=known, may_delete=True)
    assert plain(gone.tree) == {"open_questions": ["y"]}


# --- amendments ----------------------------------------------------------------------------


def test_an_amended_prompt_begins_with_the_prompt_before_up_to_the_end_of_its_memory() -> None:
    """Byte for byte in amendment mode; in place an update breaks it."""

    def revise(passage: str) -> str:
        day = first_day(passage)
        first = int(day) < 100
        return (
            f"ADD facts/day {day}: The clerk counted barrels on day {day}.\n"
            f"ADD open_questions: What of day {day}?\n"
            + ("" if first else f"UPDATE open_questions/0: What of all days up to {day}?")
        )

    held: dict[str, bool] = {}
    modes: tuple[Mode, Mode] = ("amendments", "in_place")
    for mode in modes:
        llm = Chunks(revise)
        read(llm, paged(40), mode=mode, chunk_tokens=500, amendment_tokens=1000, window=6000)
        texts = [r.text for r in llm.revisions]
        assert len(texts) > 5
        held[mode] = all(
            later.encode().startswith(earlier[: earlier.index("\n<<<end ")].encode())
            for earlier, later in pairwise(texts)
        )
        for text in texts:
            assert text.index("How deep") < text.index(" memory>>>") < text.index(" passage>>>")
    assert held == {"amendments": True, "in_place": False}


def test_the_model_is_told_that_amendments_override() -> None:
    """In amendment mode alone, for revisions and for the answer."""
    for mode in ("amendments", "in_place"):
        llm = Chunks(lambda _: "ADD facts/a: The clerk noted rain.")
        read(llm, paged(3), mode=mode)
        for request in (*llm.revisions, *llm.answers):
            assert ("overrides" in request.text) == (mode == "amendments")


def test_an_empty_list_of_revisions_is_legal() -> None:
    """Nothing new: no repair, no note, and without any memory no last call."""
    for nothing in ("Revisions: none", "Revisions:", "[]", "No revisions."):
        llm = Chunks(lambda _, n=nothing: n)  # type: ignore[misc]
        answer = read(llm, paged(12), chunk_tokens=500)
        assert ("not_found", 0, 0) == (
            answer.status, answer.usage.repairs, answer.coverage.failed
        )  # fmt: skip
        assert answer.usage.calls == answer.coverage.chunks == len(llm.revisions)
        assert not any("dropped" in note for note in answer.notes)


def test_compaction_keeps_everything() -> None:
    """Amendments beyond their budget are folded in: text changes, values and places do not."""
    changed = memory()
    for i in range(30):
        text = f"On day {i} the clerk counted {i} barrels of salt."
        changed = after(f"ADD facts/day {i}: {text}", on=changed, text=text)
    count = WordCounter().count
    folded, cut = changed.bounded(memory=2000, amendments=50, count=count, question="x")
    assert (0, ()) == (cut, folded.amendments)
    assert folded.tree == changed.tree
    assert folded.notes == changed.notes
    assert len(folded.notes.sources) == 30 or len(folded.notes.evidence) > 0
    assert all(f"facts/day {i}: On day {i} the" in folded.text for i in range(30))


def test_amendments_are_folded_during_a_reading_and_said() -> None:
    """One note for each folding; the answer's prompt holds every fact."""
    llm = Chunks(
        lambda p: f"ADD facts/day {first_day(p)}: The clerk counted on day {first_day(p)}."
    )
    answer = read(llm, paged(40), chunk_tokens=500, amendment_tokens=60, window=6000)
    assert any("folded in" in note for note in answer.notes)
    shown = llm.answers[0].text
    assert all(f"facts/day {first_day(r.text)}" in shown for r in llm.revisions)


def test_a_full_memory_loses_what_bears_least_on_the_question_and_says_so() -> None:
    """Never in silence: a note, and the fact that the question asks about stays."""

    def revise(passage: str) -> str:
        lock = "\nADD facts/lock: The lock at Harl is nine metres deep."
        day = first_day(passage)
        load = " ".join(f"load{day}x{i}" for i in range(16))
        return f"ADD facts/day {day}: {load}" + (lock if day == "10" else "")

    for mode in ("amendments", "in_place"):
        llm, seen = Chunks(revise), list[events.Event]()
        answer = read(
            llm, paged(60), mode=mode, chunk_tokens=300, memory_tokens=200, amendment_tokens=90,
            on_event=seen.append,
        )  # fmt: skip
        assert any("memory was full" in note for note in answer.notes)
        assert "nine metres deep" in llm.answers[0].text
        assert any(isinstance(e, events.Forgot) for e in seen)
        count = WordCounter().count
        for request in llm.revisions:
            shown = request.text.partition(" memory>>>\n")[2].partition("\n<<<end")[0]
            assert count(shown) <= 200


def test_what_an_update_overwrote_is_read_again_where_that_is_wanted() -> None:
    """The passage of the forgotten fact comes once more after the last chunk, and it is back."""
    seen: list[str] = []

    def revise(passage: str) -> str:
        seen.append(passage)
        if NEEDLE in passage:
            again = any(NEEDLE in earlier for earlier in seen[:-1])
            return f"ADD facts/{'lease once more' if again else 'lease'}: {NEEDLE}"
        if "day 81 " in passage:
            return "UPDATE facts/lease: The clerk of ward 1 counted 57 barrels of salt."
        return "none"

    document = paged(20, needle_on=3)
    how: dict[str, Any] = {"chunk_tokens": 400, "question": QUESTION}
    without = read(Chunks(revise, "Answer: Marta Ilves"), document, **how)
    assert without.forgot is not None
    assert (without.forgot.facts, without.forgot.rescued) == (1, None)
    seen.clear()
    rescued = read(Chunks(revise, "Answer: Marta Ilves"), document, rescue=True, **how)
    assert rescued.forgot is not None
    assert (rescued.text, rescued.forgot.rescued) == ("Marta Ilves", 1)
    assert rescued.usage.calls == without.usage.calls + 1
    assert rescued.coverage.fraction_read == 1.0


PATHS = st.lists(
    st.sampled_from(
        ["facts", "events", "people", "title", "pages", "open_questions", "0", "1", "-", "a", "A",
         "b/c", "d: e", "role", "ships", "date", "nowhere", "x~y"]
    ),
    min_size=1, max_size=3,
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(['"q"', "[1]", "a: b", "none", "3"]))
VALUES = st.one_of(
    TEXTS, st.integers(-5, 5), st.booleans(), st.lists(TEXTS, max_size=2),
    st.fixed_dictionaries({}, optional={"date": TEXTS, "event": TEXTS, "role": TEXTS}),
)  # fmt: skip
REVISIONS = st.lists(
    st.builds(Revision, st.sampled_from(["add", "add", "update"]), PATHS.map(tuple), VALUES,
              st.just("as drawn")),
    max_size=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(REVISIONS)
def test_amendments_folded_are_revisions_in_place(revisions: list[Revision]) -> None:
    """Any sequence: both modes know the same, and each text says all of it by itself."""
    amended, dropped = memory("amendments").revised(revisions, chunk(""))
    in_place, dropped_too = memory("in_place").revised(revisions, chunk(""))
    assert dropped == dropped_too
    assert amended.tree == in_place.tree
    assert amended.folded().base == in_place.text
    for text in (amended.text, in_place.text):
        assert plain(reread(text).tree) == plain(in_place.tree)


def reread(text: str) -> Memory:
    """A memory from its text alone: entries are additions, amendments follow in order."""
    base, _, amendments = text.partition("\nAmendments:")
    lines = [f"ADD {line}" for line in base.splitlines()[1:]] + amendments.splitlines()[1:]
    return after("\n".join(lines) if lines else "none")


# --- asking again --------------------------------------------------------------------------


def test_only_where_all_revisions_are_bad_is_the_model_asked_again() -> None:
    """Once, with the reasons, and at the same place of the prefix."""
    asked: list[str] = []

    def revise(passage: str) -> str:
        asked.append(passage)
        if "could be carried out" in passage:
            return "ADD facts/lock: The lock at Harl is nine metres deep."
        return "ADD depth: nine metres\nADD weather: rain"

    llm = Chunks(revise)
    answer = read(llm, with_pages(["The lock at Harl is nine metres deep."]))
    assert ("nine metres", "complete", 3) == (answer.text, answer.status, answer.usage.calls)
    assert "no field `depth`" in llm.revisions[1].text
    assert sum("dropped the revision" in note for note in answer.notes) == 2

    llm = Chunks(lambda _: "ADD depth: nine metres\nADD facts/lock: The lock is nine metres deep.")
    answer = read(llm, with_pages(["The lock is nine metres deep."]))
    assert answer.usage.calls == 2


def test_a_chunk_whose_revisions_are_bad_twice_counts_as_failed() -> None:
    """It was not read in vain in silence: the coverage says so and the answer is partial."""
    answer = read(Chunks(lambda _: "ADD depth: nine metres"), paged(3))
    assert ("partial", 1) == (answer.status, answer.coverage.failed)
    answer = read(Chunks(lambda _: "Revisions: %%%% ~~~~"), paged(3))
    assert ("partial", 1) == (answer.status, answer.coverage.failed)
    assert answer.usage.calls == 2, "one repair by the engine, none by us"


# --- sources -------------------------------------------------------------------------------


def test_sources_survive_updates_and_compaction() -> None:
    """A value keeps its place when it is completed, and gets the new one beside it."""
    first, second = "The lock at Harl is nine metres deep.", "It was dug by prisoners in 1803."
    changed, _ = memory().revised(proposed(f"ADD facts/lock: {first}"), chunk(first, 0))
    told_ = f"UPDATE facts/lock: {first[:-1]}, dug by prisoners in 1803."
    changed, _ = changed.revised(proposed(told_), Chunk(1, Span("d", 900, 932), second, 7))
    spans = {(s.start, s.end) for s in changed.folded().notes.sources}
    assert spans == {(0, len(first)), (907, 932)}


def test_a_short_value_rests_on_the_sentence_that_says_it() -> None:
    """With its key: not on the first place where the word happens to stand."""
    text = "Orm had a dog. The captain of the ferry was Orm. It rained."
    (_, leaf), *_ = leaves(after("ADD facts/captain of the ferry: Orm", text=text).tree)
    assert "The captain of the ferry was Orm." == leaf.evidence[0].quote
    (_, leaf), *_ = leaves(after("ADD open_questions: Who was the captain?", text=text).tree)
    assert leaf.evidence == ()


def test_a_needle_in_chunk_3_of_100_is_still_cited_at_the_end() -> None:
    """The memory's history and its last version know the page as well."""
    document = paged(180, needle_on=5)
    for mode in ("amendments", "in_place"):
        reader = Reader(
            a_model(Oracle(FACTS)), Prism(mode=mode, chunk_tokens=240), probe=False
        )  # fmt: skip
        answer = reader.ask(document, QUESTION)
        assert answer.coverage.chunks >= 100
        assert (ANSWER, [5]) == (answer.text, [c.page for c in answer.citations])
        assert answer.memory[-1].items[0].text == f"facts/needle: {NEEDLE}"
        assert [v.chunk for v in answer.memory] == list(range(answer.coverage.chunks))


# --- the cost index ------------------------------------------------------------------------


@pytest.mark.parametrize("wire", ["labelled", "schema"])
@pytest.mark.parametrize("schema", [s for s in SHIPPED if s != "generic"])
def test_the_oracle_finds_and_cites_with_every_schema(schema: str, wire: Any) -> None:
    """It writes by the forms that the prompt shows, whatever the schema is."""
    model = a_model(Oracle(FACTS), window=3072, wire=wire)
    strategy = Prism(schema=schema, chunk_tokens=300)
    answer = Reader(model, strategy, probe=False).ask(paged(30, needle_on=4), QUESTION)
    assert (ANSWER, "complete", [4]) == (
        answer.text, answer.status, [c.page for c in answer.citations]
    )  # fmt: skip


def test_the_cost_index_of_a_hand_made_log() -> None:
    """Input less the prefix shared with the call before, and three times the output."""
    count = WordCounter().count
    log = [
        Sent("read this memory one chunk aa", 2),  # 6 new
        Sent("read this memory one more chunk bb", 3),  # "more chunk bb": 3 new
        Sent("answer now", 1),  # 2 new
    ]
    assert cost_index(log, count) == (6 + 3 + 2) + 3 * (2 + 3 + 1)
    assert cost_index([], count) == 0
    assert cost_index([Sent("a b c", 0), Sent("a b c", 0)], count) == 3
    assert cost_index([Sent("alpha beta", 0), Sent("alpha bet", 0)], count) == 3, "whole words"


def test_the_index_and_the_measured_cache_are_reported() -> None:
    """One note at the end, with what the server said beside the arithmetic."""

    class Cached:
        def __init__(self) -> None:
            self.sent: list[Sent] = []

        async def complete(self, request: Request) -> Reply:
            reply = await Scripted(
                ["ADD facts/a: The clerk noted rain." if "passage>>>" in request.text else "rain"]
            ).complete(request)
            self.sent.append(Sent(request.text, reply.usage.output_tokens))
            used = reply.usage
            return Reply(reply.text, Usage(used.input_tokens, 100, used.output_tokens))

    llm = Cached()
    answer = read(llm, paged(12), chunk_tokens=500)
    (note,) = [n for n in answer.notes if n.startswith("Cost index")]
    index = cost_index(llm.sent, WordCounter().count)
    assert f"Cost index {index:,} with" in note
    cached, used = 100 * len(llm.sent), answer.usage
    assert f"took {cached:,} of {used.input_tokens:,} input tokens" in note
    assert f"{used.input_tokens + 3 * used.output_tokens:,} without" in note


def test_amendments_cost_less_than_revisions_in_place() -> None:
    """By the index: where values are updated, the whole memory is read again only in place."""

    def revise(passage: str) -> str:
        day = first_day(passage)
        return f"UPDATE title: up to {day}\nADD facts/day {day}: {'barrels of salt ' * 6}"

    cost = {}
    for mode in ("amendments", "in_place"):
        answer = read(
            Chunks(revise), paged(40), mode=mode, chunk_tokens=500, window=9000, schema=SCHEMA
        )
        (note,) = [n for n in answer.notes if n.startswith("Cost index")]
        cost[mode] = int(note.split()[2].replace(",", ""))
    assert cost["amendments"] < cost["in_place"]


# --- the schema language -------------------------------------------------------------------


def test_a_schema_has_one_text() -> None:
    """What is parsed is written again as it was, from text and from JSON."""
    schema = parsed(SCHEMA)
    assert told(schema) == SCHEMA.strip()
    assert parsed(f"```\n{told(schema)}\n```") == schema
    as_json = json.dumps(
        {
            "facts": "map[str, str]",
            "events": {"type": "list[record]", "meaning": "in order", "fields": {"date": "str"}},
        }
    )
    assert told(parsed(as_json)) == (
        "facts: map[str, str]\nevents: list[record]  # in order\n  date: str"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no fields"),
        ("I think that facts would be good", "not of the form"),
        ("facts: dictionary", "no type `dictionary`"),
        ("score: float", "no type `float`"),
        ("facts: map[int, str]", "no type"),
        ("events: list[record]", "needs fields"),
        ("a: str\n  b: str", "no record"),
        ("a: str\nA: int", "named twice"),
        ("a: " + "list[" * 9 + "str" + "]" * 9, "deeper"),
        ('{"a": ', "JSON"),
    ],
)
def test_what_is_no_schema_is_refused_with_a_reason(text: str, reason: str) -> None:
    """A parser that guesses would give paths that the model does not see."""
    with pytest.raises(SchemaFault, match=re.escape(reason)):
        parsed(text)


class Ship(BaseModel):
    """A record of the example."""

    name: str = Field(description="as painted on it")
    masts: int | None = None
    fate: Literal["lost", "saved"] = "saved"


class Fleet(BaseModel):
    """A schema as pydantic writes it."""

    ships: dict[str, Ship] = Field(description="name -> what is told")
    log: list[str] = []
    complete: bool = False


def test_a_schema_may_be_a_pydantic_class() -> None:
    """Descriptions are meanings; a type that the language lacks is an error."""
    expected = (
        "ships: map[str, record]  # name -> what is told\n  name: str  # as painted on it\n"
        "  masts: int\n  fate: str\nlog: list[str]\ncomplete: bool"
    )
    assert told(from_model(Fleet)) == expected
    assert Prism(schema=Fleet).schema == expected

    class Scored(BaseModel):
        score: float

    with pytest.raises(SchemaFault, match="no type for"):
        from_model(Scored)


def test_shipped_schemas_are_sound_and_their_forms_apply() -> None:
    """Each form that a prompt shows is a revision that its schema takes."""
    files = PromptFiles.of(Prism())
    for name in SHIPPED:
        schema: Record = shipped(name, files).record
        for wire in ("labelled", "schema"):
            lines = forms(schema, wire, may_delete=False).splitlines()
            held = Memory.new(schema, "in_place")
            for line in lines:
                held, dropped = held.revised(proposed(line), chunk(""))
                assert dropped == [], (name, line)
            assert len(list(leaves(held.tree))) >= len(lines) - 1


@pytest.mark.parametrize(
    ("question", "schema"),
    [
        ("Who signed the lease?", "qa"),
        ("", "book_summary"),
        ("Summarise the novel.", "book_summary"),
        ("Give a timeline of the strike.", "timeline"),
        ("In what order did the ships leave?", "timeline"),
        ("What is the relationship of Ann to Orm?", "entities"),
        ("Which column of the table has the highest sum of all?", "table"),
        ("How many barrels were counted in total?", "table"),
        ("Which function in this module parses a date?", "code_search"),
    ],
)
def test_auto_goes_by_the_form_of_the_question(question: str, schema: str) -> None:
    """Without a call."""
    assert schema == by_form(question)


def test_options_are_checked() -> None:
    """A name that is no schema is told the names there are."""
    for wrong in ({"schema": "qaa"}, {"schema": "a: float"}, {"chunk_tokens": 3}, {"mode": "x"}):
        with pytest.raises(ConfigurationError):
            configured(Prism, wrong, "prism")
    with pytest.raises(ConfigurationError, match="smaller schema"):
        read(Chunks(lambda _: "none"), paged(3), question="why " * 2000)


# --- a generated schema --------------------------------------------------------------------

GOOD = "locks: map[str, record]  # name -> what is told\n  depth: str  # in metres"


def generating(replies: Sequence[str], document: Document) -> tuple[Answer, list[Request]]:
    """A reading with a generated schema; the schema calls come first."""
    llm = Scripted([*replies, "Revisions: none"])
    answer = read(llm, document, schema="generate")
    return answer, llm.requests


def test_a_schema_is_generated_from_the_task_and_an_example_of_another() -> None:
    """One call; then it stands in the revision prompt with its own forms."""
    answer, requests = generating([f"Here it is:\n```\n{GOOD}\n```"], paged(3))
    assert "Which of the ships were lost" in requests[0].text
    assert "How deep is the lock" in requests[0].text
    assert "ADD locks/a key: " in requests[1].text
    assert GOOD in requests[1].text
    assert any("The schema is generated" in note for note in answer.notes)


def test_schema_generation_tries_three_times_and_falls_back() -> None:
    """Each failure is said, and shown to the model; then the generic schema holds."""
    answer, requests = generating(["nonsense", "facts: float", GOOD], paged(3))
    assert len(requests) == 4
    assert "no type `float`" in requests[2].text
    assert GOOD in requests[3].text
    answer, requests = generating(["nonsense", "facts: float", "a: b: c: d"], paged(3))
    assert "facts: map[str, str]\nopen_questions: list[str]" in requests[3].text
    assert sum("Schema, try" in note for note in answer.notes) == 3
    assert any("The schema is generic" in note for note in answer.notes)


def test_a_generated_schema_is_not_paid_for_without_text() -> None:
    """An empty document costs nothing; a schema too long to repeat is refused."""
    answer, requests = generating([], Document(" \n", "empty.txt"))
    assert ("not_found", []) == (answer.status, requests)
    long = "\n".join(f"field_{i}: str  # {'meaning ' * 30}" for i in range(20))
    answer, _ = generating([long, GOOD], paged(3))
    assert any("tokens; it may have" in note for note in answer.notes)


# --- plan and models -----------------------------------------------------------------------


def test_calls_are_chunks_plus_one() -> None:
    """The paper's cost; a generated schema takes 1 to 3 more."""
    document = paged(30)
    corpus = Corpus((document,))
    for options in ({"chunk_tokens": 500}, {}, {"mode": "in_place"}):
        llm = Chunks(lambda _: "ADD facts/a: The clerk noted rain.")
        answer = read(llm, document, **options)
        question, model = "How deep is the lock at Harl?", a_model(llm, window=3072)
        plan = Prism(**options).plan(corpus, question, model)
        n = answer.coverage.chunks
        assert answer.usage.calls == plan.calls.expected == plan.critical_path.expected == n + 1
        assert plan.calls.minimum == n
        assert answer.usage.input_tokens in plan.input_tokens
    llm2 = Scripted([GOOD, *["Revisions: ADD locks/Harl/depth: nine metres"] * 99])
    plan = Prism(schema="generate").plan(corpus, "", a_model(llm2, window=3072))
    answer = read(llm2, document, schema="generate", question="")
    n = answer.coverage.chunks
    assert answer.usage.calls == plan.calls.expected == n + 2
    assert (n + 1, 4 * n + 2 + 3) == (plan.calls.minimum, plan.calls.maximum)
    assert answer.usage.input_tokens in plan.input_tokens


def test_a_plain_model_answers_in_free_text_and_code_makes_the_revisions() -> None:
    """Below the labelled contract the sentence that bears the reply out becomes a fact."""
    document = paged(30, needle_on=9)
    for options in ({}, {"mode": "in_place"}, {"schema": "timeline"}, {"schema": "generate"}):
        reader = Reader(
            a_model(Oracle(FACTS), window=2048, wire="plain"), Prism(**options), probe=False  # type: ignore[arg-type]
        )  # fmt: skip
        answer = reader.ask(document, QUESTION)
        assert (ANSWER, [9]) == (answer.text, [c.page for c in answer.citations])
        assert NEEDLE in answer.memory[-1].content
        absent = reader.ask(paged(12), QUESTION)
        assert ("not_found", "") == (absent.status, absent.text)


def test_a_failed_chunk_leaves_the_memory_as_it_was() -> None:
    """The reading goes on, and the coverage counts the chunk."""
    from memreader.errors import ServerFault

    def revise(passage: str) -> str:
        if "day 153 " in passage:
            raise ServerFault("HTTP 500")
        return f"ADD facts/day {first_day(passage)}: The clerk noted rain."

    llm = Chunks(revise)
    answer = read(llm, paged(30), chunk_tokens=500)
    assert ("nine metres", "partial", 1) == (answer.text, answer.status, answer.coverage.failed)
    assert answer.usage.calls == answer.coverage.chunks
    assert "facts/day 10:" in llm.answers[0].text
