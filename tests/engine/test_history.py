"""The memory of a reading is kept: every version, what it forgot, and what rescue brings back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from memreader import events
from memreader.answer import Answer, Forgotten, Version
from memreader.budget import Limits
from memreader.chunking import Chunk
from memreader.contract import QUESTION, StrategyContract
from memreader.document import Arriving, Corpus, Document, Piece, Span
from memreader.errors import ConfigurationError, ServerFault
from memreader.evidence import Evidence
from memreader.history import Past, load, recorded
from memreader.journal import Journal
from memreader.lineage import blamed
from memreader.llm.base import LLM, Reply, Request
from memreader.memory.changes import changes
from memreader.memory.notes import Item, Notes
from memreader.reader import Reader
from memreader.rescue import passages
from memreader.stores import Stores
from memreader.strategy import Planned, Strategy
from memreader.testing import Oracle, WordCounter, a_model
from memreader_strategies.chain_of_agents import ChainOfAgents
from memreader_strategies.map_reduce import MapReduce
from memreader_strategies.mem_agent import MemAgent
from tests.engine.forgetful import END, HEIR, LEASE, RENT, Forgetful, book

CHAIN = ChainOfAgents(window=1400, unit_tokens=200, reply_tokens=100)
OVERWRITE = MemAgent(section_tokens=900)
SERIAL = [CHAIN, OVERWRITE, replace(OVERWRITE, update="operations")]


def reader(llm: LLM, stores: Stores, strategy: Strategy = CHAIN, **how: object) -> Reader:
    """A reader of the book."""
    return replace(
        Reader(a_model(llm, window=3072), strategy, stores=stores, probe=False), **how  # type: ignore[arg-type]
    )  # fmt: skip


def read(stores: Stores, llm: LLM | None = None, **how: object) -> Answer:
    """Read the book with a forgetful model."""
    return reader(llm or Forgetful(), stores, **how).ask(book(), QUESTION)  # type: ignore[arg-type]


def texts(past: Past) -> list[str]:
    """A memory as texts."""
    return [item.text for item in past.items]


# --- what is kept --------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [CHAIN, OVERWRITE], ids=["chain", "overwrite"])
def test_the_history_is_there_when_the_reading_and_the_file_are_gone(
    tmp_path: Path, strategy: Strategy
) -> None:
    """Every version with chunk, items, evidence and pages, read by another process later."""
    answer = read(Stores(tmp_path), strategy=strategy)
    history = load(Journal(tmp_path / "journal.sqlite"), answer.run_id)
    assert answer.memory == tuple(past.version for past in history.past)
    assert (QUESTION, "finished") == (history.question, history.state)
    noted = next(p for p in history.past if LEASE in texts(p))
    (place,) = history.cited(noted.items[0])
    assert ("ledger.pdf", 4, "2", LEASE) == (
        place.document, place.page, place.page_label, place.quote,
    )  # fmt: skip
    assert noted.pages is not None
    assert noted.pages[0] <= 4 <= noted.pages[1]


def test_a_reading_from_the_journal_has_its_history_too(tmp_path: Path) -> None:
    """A question asked again costs nothing, and both of its runs can be looked up."""
    stores = Stores(tmp_path)
    first, second = read(stores), read(stores)
    assert (0, True) == (second.usage.calls, first.run_id != second.run_id)
    one, two = (load(stores.journal(), a.run_id) for a in (first, second))
    assert one.past == two.past
    assert [second.run_id, first.run_id] == [r.run for r in stores.journal().memories.readings()]


def test_a_resumed_reading_writes_no_version_twice(tmp_path: Path) -> None:
    """Stopped at a cap and continued: the same versions as of a reading in one go."""
    stores = Stores(tmp_path)
    stopped = read(stores, limits=Limits(calls=4))
    assert "budget" == stopped.stopped
    before = load(stores.journal(), stopped.run_id).past
    whole = read(stores)
    assert whole.run_id == stopped.run_id
    after = load(stores.journal(), whole.run_id).past
    assert len(before) < len(after) == len(whole.memory)
    assert before == after[: len(before)]
    assert read(Stores()).memory == whole.memory


def test_an_older_way_is_dropped_where_a_reading_takes_another() -> None:
    """A version that differs takes its followers with it; the end cuts what is left over."""
    table = Journal().memories
    for number, text in enumerate(("a", "b", "c", "d"), start=1):
        table.remember("run", number, text, {})
    table.remember("run", 1, "a", {})
    assert ["a", "b", "c", "d"] == table.versions("run")
    table.remember("run", 2, "other", {})
    assert ["a", "other"] == table.versions("run")
    table.remember("run", 3, "c", {})
    table.end("run", 2)
    assert ["a", "other"] == table.versions("run")


def test_items_are_kept_once_for_all_versions(tmp_path: Path) -> None:
    """A fact that stands in every version is stored one time."""
    stores = Stores(tmp_path)
    answer = read(stores, Forgetful(keeps=True))
    assert 3 == len(stores.journal().memories.items(answer.run_id))
    assert len(answer.memory) > 3


def test_a_memory_that_is_no_notes_is_kept_by_its_lines(tmp_path: Path) -> None:
    """Text and JSON of other strategies can be browsed too, with the places they rest on."""
    stores = Stores(tmp_path)
    oracle = Oracle({QUESTION: (LEASE, "Marta Ilves")})
    answer = reader(oracle, stores, MapReduce()).ask(book(), QUESTION)
    assert answer.memory[-1].content
    history = load(stores.journal(), answer.run_id)
    assert answer.memory == tuple(past.version for past in history.past)
    span = Span("d", 0, 5)
    version = Version(1, '{"people": [{"name": "Ada", "age": 3}], "none": null}', (span,))
    text, _ = recorded(Past(version), {"d": Document("Hello", id="d")})
    assert "Hello" in text
    assert ["people[0].name: Ada", "people[0].age: 3"] == texts(Past(version))
    assert ["one", "two"] == texts(Past(replace(version, content="one\n\n two")))


def test_pages_are_known_while_the_file_is_still_being_read() -> None:
    """A memory of page one is kept with its page before the last page is extracted."""
    arriving = Arriving("id", "a.pdf", iter([Piece("One. ", "i"), Piece("Two.", "1")]))
    arriving.advance()
    assert ("One. ", ["i"]) == (arriving.here().text, [p.label for p in arriving.here().pages])
    assert arriving.here().page_of(Span("id", 0, 3)) == arriving.finish().pages[0]
    assert "One. Two." == arriving.here().text


def test_histories_go_with_their_runs() -> None:
    """Deleting empties all; pruning takes the oldest histories with the calls of their time."""
    stores = Stores()
    old = read(stores)
    journal = stores.journal()
    for number in range(200):
        journal.put("other", f"key-{number}", Reply("x" * 2000), 0.0)
    young = read(stores)
    journal.prune(150_000)
    kept = [reading.run for reading in journal.memories.readings()]
    assert [young.run_id] == kept
    assert {} == journal.memories.items(old.run_id)
    journal.clear()
    assert ([], {}) == (journal.memories.readings(), journal.memories.items(young.run_id))


def test_a_run_is_named_by_id_prefix_or_last(tmp_path: Path) -> None:
    """The errors say what there is."""
    stores = Stores(tmp_path)
    with pytest.raises(ConfigurationError, match="No run has a history yet"):
        load(stores.journal(), "last")
    run = read(stores).run_id
    assert run == load(stores.journal(), run[:4]).run == load(stores.journal(), "last").run
    other = read(stores).run_id
    assert run[:10] == other[:10]
    assert other == load(stores.journal(), "last").run
    for wrong, told in ((run[:10], "2 runs begin with"), ("zz", "No run 'zz'"), ("", "No run ''")):
        with pytest.raises(ConfigurationError, match=told) as error:
            load(stores.journal(), wrong)
        assert run in str(error.value)


# --- what changed --------------------------------------------------------------------------


def test_changes_tell_rewriting_from_losing() -> None:
    """Other words and corrected figures replace; what stands nowhere any more is dropped."""
    before = [Item(t) for t in (LEASE, RENT, HEIR, "The bell rang at dawn.")]
    told_anew = "Marta Ilves signed the lease of the harbour on May the ninth."
    raised = "The rent of the warehouse is 450 crowns a year."
    after = [Item(t) for t in (told_anew, raised, HEIR, "A mast fell.")]
    changed = changes(before, after)
    assert [(LEASE, told_anew), (RENT, raised)] == [(o.text, n.text) for o, n in changed.replaced]
    assert ["A mast fell."] == [i.text for i in changed.added]
    assert ["The bell rang at dawn."] == [i.text for i in changed.dropped]
    assert not changes(after, after)


def test_a_sentence_that_is_parted_or_merged_is_not_lost() -> None:
    """Both parts come from the whole, and the whole from both parts."""
    whole = "Marta Ilves signed the harbour lease; Jon Adde inherited the chandlery."
    parts = ["Marta Ilves signed the harbour lease.", "Jon Adde inherited the chandlery."]
    split = changes([Item(whole)], [Item(p) for p in parts])
    merged = changes([Item(p) for p in parts], [Item(whole)])
    assert (2, (), ()) == (len(split.replaced), split.added, split.dropped)
    assert (2, (), ()) == (len(merged.replaced), merged.added, merged.dropped)


def test_the_life_of_a_fact() -> None:
    """First noted at its page, and dropped when the next fact came."""
    stores = Stores()
    history = load(stores.journal(), read(stores).run_id)
    (life,) = blamed(history, "marta  ILVES")
    assert ["noted", "dropped"] == [step.happened for step in life.steps]
    assert 4 == history.cited(life.steps[0].item)[0].page
    dropped_at = life.steps[1].past
    assert RENT in texts(dropped_at)
    assert [LEASE] == [item.text for item in dropped_at.forgot]
    (near,) = blamed(history, "the uncle of Jon Adde and his chandlery")
    assert (HEIR, False) == (near.item.text, near.dropped)
    assert [] == blamed(history, "a submarine")


def test_what_it_knew_after_a_chunk() -> None:
    """By chunk number, of each of several memories; a failed chunk has what was known before."""
    stores = Stores()
    history = load(stores.journal(), read(stores).run_id)
    past = next(p for p in history.past if RENT in texts(p))
    assert past.chunk is not None
    assert [past] == history.after(past.chunk)
    assert LEASE in texts(history.after(past.chunk - 1)[0])
    with pytest.raises(ConfigurationError, match="read no chunk 99"):
        history.after(99)
    without = replace(history, past=tuple(p for p in history.past if p is not past))
    assert history.after(past.chunk - 1) == without.after(past.chunk)
    two = replace(CHAIN, paths="bidirectional")
    both = load(stores.journal(), read(stores, Forgetful(keeps=True), strategy=two).run_id)
    known = both.after(2)
    assert ["chain 1", "chain 2"] == sorted(p.version.path for p in known)
    assert {2} == {p.chunk for p in known}


# --- what was forgotten --------------------------------------------------------------------


@pytest.mark.parametrize("strategy", SERIAL, ids=["chain", "overwrite", "operations"])
def test_a_perfect_memory_forgets_nothing(strategy: Strategy) -> None:
    """Three facts noted, none lost, no line about it."""
    answer = read(Stores(), Forgetful(keeps=True), strategy=strategy)
    assert Forgotten(0, 3) == answer.forgot
    assert not [n for n in answer.notes if "Forgot" in n]


def test_losses_are_counted_noted_and_traced() -> None:
    """Two of three: in the answer, in its notes and in the events, but not in the pinned JSON."""
    seen: list[events.Event] = []
    answer = reader(Forgetful(), Stores()).ask(book(), QUESTION, on_event=seen.append)
    assert answer.forgot == Forgotten(2, 3)
    assert answer.forgot.rate == pytest.approx(2 / 3)
    line = "Forgot 2 of 3 facts noted (67%)."
    assert line in answer.notes
    assert line in [e.text for e in seen if isinstance(e, events.Note)]
    assert [LEASE, RENT] == [e.text for e in seen if isinstance(e, events.Forgot)]
    assert "forgot" not in answer.to_json()


def test_a_strategy_without_notes_forgets_nothing_countable() -> None:
    """No notes, no rate; a rescue that has no effect is said."""
    answer = read(Stores(), Oracle({}), strategy=MapReduce(), rescue=True)
    assert answer.forgot is None
    assert [n for n in answer.notes if "no rescue" in n]


# --- rescue --------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", [CHAIN, OVERWRITE], ids=["chain", "overwrite"])
def test_rescue_reads_only_what_was_lost_and_answers_with_it(strategy: Strategy) -> None:
    """Not found without; with it found and cited, from two short passages and no other text."""
    assert "not_found" == read(Stores(), strategy=strategy).status
    llm, stores = Forgetful(), Stores()
    answer = read(stores, llm, strategy=strategy, rescue=True)
    assert ("Marta Ilves", "complete") == (answer.text, answer.status)
    assert 4 in [c.page for c in answer.citations]
    assert Forgotten(2, 3, rescued=2) == answer.forgot
    again = llm.read_again
    assert 2 == len(again)
    assert all(len(p) < 1000 for p in again)
    assert LEASE in again[0]
    assert RENT in again[1]
    assert {LEASE, RENT, HEIR} == {item.text for item in answer.memory[-1].items}
    assert [False, True, True] == [v.again for v in answer.memory[-3:]]
    history = load(stores.journal(), answer.run_id)
    lease = history.at(len(history.past) - 1)
    assert LEASE in texts(lease)
    assert not any(p.version.again for p in history.after(lease.chunk or 0))


def test_rescue_counts_no_chunk_again_and_stays_within_the_plan() -> None:
    """Coverage is as without it; calls stay under the plan's maximum with rescue."""
    vote = replace(CHAIN, paths="permutation", path_count=3, selection="vote")
    for strategy in [*SERIAL, replace(CHAIN, paths="bidirectional"), vote]:
        without, answer = (read(Stores(), strategy=strategy, rescue=r) for r in (False, True))
        assert isinstance(strategy, Planned)
        plan = strategy.plan(Corpus((book(),)), QUESTION, a_model(Forgetful(), window=3072))
        assert answer.coverage.read == answer.coverage.chunks == without.coverage.chunks
        assert answer.coverage.fraction_read == 1.0
        assert answer.usage.calls in plan.rescued().calls
        assert answer.usage.input_tokens <= plan.rescued().input_tokens.maximum
        assert plan.rescued().calls.maximum == 2 * plan.calls.maximum
        assert plan.rescued().calls.expected == plan.calls.expected


def test_rescue_obeys_the_cap() -> None:
    """The budget's reserve still answers; what was not read again stays lost."""
    whole = read(Stores())
    # The capped reading has room for one passage and for the answer.
    answer = read(Stores(), rescue=True, limits=Limits(calls=whole.usage.calls + 1))
    assert ("partial", "budget") == (answer.status, answer.stopped)
    assert "Marta Ilves" == answer.text


def test_a_rescue_that_fails_is_counted_and_fails_no_chunk() -> None:
    """A passage whose call fails leaves the coverage whole; the count says what is back."""

    class Failing(Forgetful):
        async def complete(self, request: Request) -> Reply:
            over = any(END in earlier.text for earlier in self.requests)
            reply = await super().complete(request)
            if over and LEASE in request.text and " passage>>>" in request.text:
                raise ServerFault("HTTP 500 from a test")
            return reply

    answer = read(Stores(), Failing(), strategy=OVERWRITE, rescue=True)
    assert (0, 1.0) == (answer.coverage.failed, answer.coverage.fraction_read)
    assert Forgotten(2, 3, rescued=1) == answer.forgot
    assert answer.usage.failed_calls


def test_rescued_facts_are_not_cut_first() -> None:
    """Where the memory is full, the facts that were read again stay and others go."""
    small, stores = replace(OVERWRITE, memory_tokens=26), Stores()
    answer = read(stores, Forgetful(keeps=True), strategy=small)
    rescued = read(Stores(), Forgetful(keeps=True), strategy=small, rescue=True)
    lost = {HEIR, RENT, LEASE} - {item.text for item in answer.memory[-1].items}
    assert {HEIR} == lost
    assert {HEIR} <= {item.text for item in rescued.memory[-1].items}


def test_a_fact_that_never_had_room_is_lost_too() -> None:
    """Noted and cut off in the same step: it counts, and its history says so."""
    small, stores = replace(OVERWRITE, memory_tokens=26), Stores()
    answer = read(stores, Forgetful(keeps=True), strategy=small)
    assert Forgotten(1, 3) == answer.forgot
    (life,) = blamed(load(stores.journal(), answer.run_id), HEIR)
    assert ["noted", "dropped"] == [step.happened for step in life.steps]
    assert life.steps[0].past == life.steps[1].past


def test_a_fact_without_a_place_is_looked_for_in_its_chunk() -> None:
    """What no sentence bears out word for word was still told of a chunk: that one is read."""
    vague = "Somebody took over premises near quayside."

    class Vague(Forgetful):
        async def complete(self, request: Request) -> Reply:
            reply = await super().complete(request)
            return replace(reply, text=reply.text.replace(LEASE, vague))

    llm, stores = Vague(), Stores()
    answer = read(stores, llm, rescue=True)
    assert vague in [item.text for item in answer.memory[-1].items]
    (life,) = blamed(load(stores.journal(), answer.run_id), vague)[:1]
    assert not life.item.sources
    assert LEASE in llm.read_again[0]


def test_passages_stay_inside_chunk_and_budget() -> None:
    """Places of one chunk are one passage of whole sentences; a small budget parts it."""
    document = book()
    middle = len(document.text) // 2
    chunks = [Span(document.id, 0, middle), Span(document.id, middle, len(document.text))]
    places = [
        Span(document.id, at, at + len(f))
        for f in (LEASE, RENT, HEIR)
        if (at := document.text.find(f)) >= 0
    ]
    count = WordCounter().count

    def given(budget: int) -> list[Chunk]:
        return passages(
            places, chunks, {document.id: document}, budget=budget, counter=WordCounter()
        )

    found = given(5000)
    assert [0, 1] == [p.index for p in found]
    for passage in found:
        assert passage.again
        assert passage.text == document[passage.span]
        assert chunks[passage.index].start <= passage.span.start
        assert passage.span.end <= chunks[passage.index].end
    small = given(100)
    assert max(count(p.text) for p in small) <= 100
    for place in places:
        assert any(p.span.overlaps(place) for p in small)
    assert all(any(p.span.overlaps(place) for place in places) for p in small)


def test_what_is_read_again_adds_and_takes_nothing_away() -> None:
    """A reader that writes only the rescued fact does not lose the others by it."""
    text = f"{LEASE} The tide was low."
    chunk = Chunk(0, Span("d", 0, len(text)), text, 20, again=True)
    kept = Item(HEIR, (Evidence(HEIR, Span("d", 900, 950), "exact"),), 7)
    assert [HEIR, LEASE] == [i.text for i in Notes((kept,)).regained(LEASE, chunk).items]
    assert [HEIR] == [i.text for i in Notes((kept,)).regained("Jon Adde inherited.", chunk).items]


class TestChainWithRescue(StrategyContract):
    """The contract holds with rescue too."""

    strategy = CHAIN

    def ask(self, document: Document, llm: LLM | None = None, **how: object) -> Answer:
        """As ever, with rescue."""
        return super().ask(document, llm, rescue=True, **how)
