"""The contract that every strategy keeps, ours or a stranger's, as a test suite to inherit.

    from memreader.contract import StrategyContract
    class TestSkim(StrategyContract):
        strategy = Skim()

Runs under pytest, without a network and without a real model: an `Oracle` that answers only
from what its prompt shows it stands in, so that each test is one of information flow.
"""

from __future__ import annotations

from typing import Any, ClassVar

import anyio

from memreader import events
from memreader.answer import Answer
from memreader.budget import Limits
from memreader.document import Corpus, Document
from memreader.errors import EndpointError, MemreaderError, Refused, ServerFault
from memreader.llm.base import LLM, Model, Request
from memreader.reader import Reader
from memreader.specimens import (
    ANSWER,
    FACTS,
    HOSTILE,
    NEEDLE,
    QUESTION,
    Babbling,
    Counting,
    fits,
    paged,
    with_pages,
)
from memreader.stores import Stores
from memreader.strategy import Planned, Strategy
from memreader.testing import Oracle, WordEmbedder, a_model

__all__ = [
    "ANSWER", "FACTS", "HOSTILE", "NEEDLE", "QUESTION", "Counting", "StrategyContract", "paged",
    "with_pages",
]  # fmt: skip


class StrategyContract:
    """Inherit, set `strategy`, and run under pytest."""

    strategy: ClassVar[Strategy]
    reads_everything: ClassVar[bool] = True
    """False for strategies that navigate: then unread chunks are no fault."""
    window: ClassVar[int] = 3072
    huge_pages: ClassVar[int] = 400

    # --- helpers ---------------------------------------------------------------------------

    def model(self, llm: LLM, *, concurrency: int = 6) -> Model:
        """The model that the tests use."""
        return a_model(llm, window=self.window, concurrency=concurrency)

    def ask(self, document: Document, llm: LLM | None = None, **how: Any) -> Answer:
        """One reading with the oracle, or another model."""
        question = how.pop("question", QUESTION)
        on_event = how.pop("on_event", None)
        model = self.model(llm or Oracle(FACTS), concurrency=how.pop("concurrency", 6))
        return self.reader(model, **how).ask(document, question, on_event=on_event)

    def reader(self, model: Model, **how: Any) -> Reader:
        """The reader that the tests use."""
        return Reader(model, self.strategy, probe=False, embedder=WordEmbedder(), **how)

    # --- finding and citing ----------------------------------------------------------------

    def test_the_needle_is_found_wherever_it_stands(self) -> None:
        """First page, middle and last page: the answer is found and its own page is cited."""
        for page in (1, 14, 30):
            answer = self.ask(paged(30, needle_on=page))
            assert (ANSWER, "complete") == (answer.text, answer.status), f"needle on page {page}"
            assert page in [c.page for c in answer.citations]
            assert any(ANSWER in c.quote for c in answer.citations)

    def test_citations_equal_the_document(self) -> None:
        """Each verified citation is the document's text between its offsets, on its page."""
        document = paged(30, needle_on=9)
        answer = self.ask(document)
        assert answer.citations
        for citation in answer.citations:
            assert document.text[citation.start : citation.end] == citation.quote
            page = document.page_at(citation.start)
            assert page is not None
            assert (page.number, page.label) == (citation.page, citation.page_label)

    def test_citations_are_few_and_bear_the_answer(self) -> None:
        """At most five citations; for a single fact, no page is cited that does not hold it."""
        answer = self.ask(paged(30, needle_on=9))
        assert len(answer.citations) <= 5
        assert all(ANSWER in c.quote for c in answer.citations)

    def test_an_absent_answer_is_said_to_be_absent(self) -> None:
        """Nothing supports an answer: not found, no text, no citation."""
        answer = self.ask(paged(12))
        assert ("not_found", "", ()) == (answer.status, answer.text, answer.citations)

    def test_an_invented_answer_is_not_passed_on(self) -> None:
        """A model that invents answers with quotes that stand nowhere gives no answer."""
        answer = self.ask(paged(12), Oracle(FACTS, invent=1.0))
        assert answer.status == "not_found"
        assert "Zanthor" not in answer.text

    def test_hostile_text_changes_nothing(self) -> None:
        """Delimiters, labels and orders in the document leave answer and citation as they were."""
        plain = self.ask(paged(9, needle_on=5))
        hostile = self.ask(paged(9, needle_on=5, extra=HOSTILE))
        beside = self.ask(paged(9, needle_on=4, extra=HOSTILE + "\n" + HOSTILE))
        assert plain.text == hostile.text == beside.text == ANSWER
        assert plain.status == hostile.status == beside.status == "complete"
        assert [c.quote for c in plain.citations] == [c.quote for c in hostile.citations]

    # --- sizes -----------------------------------------------------------------------------

    def test_an_empty_document_costs_nothing(self) -> None:
        """No text, no call, not found."""
        llm = Counting(Oracle(FACTS))
        answer = self.ask(Document(" \n\n \t", "empty.txt"), llm)
        assert ("not_found", 0) == (answer.status, llm.begun)

    def test_a_document_of_one_chunk(self) -> None:
        """The smallest document is read and cited like any other."""
        answer = self.ask(with_pages([NEEDLE]))
        assert (ANSWER, 1, 1) == (answer.text, answer.coverage.chunks, answer.coverage.read)

    def test_a_huge_document_stays_within_the_window(self) -> None:
        """Hundreds of pages: found, every prompt fits, and what is said to be read was shown."""
        counting = Counting(Oracle(FACTS))
        answer = self.ask(paged(self.huge_pages, needle_on=self.huge_pages - 3), counting)
        assert answer.text == ANSWER
        count = self.model(counting).counter.count
        assert max(count(r.text) + r.max_tokens for r in counting.answered) <= self.window
        if self.reads_everything:
            assert answer.coverage.fraction_read == 1.0
            assert answer.coverage.read == answer.coverage.chunks

    def test_a_tight_window_is_kept(self) -> None:
        """Where the plan says that a small window does, the reading fits it to the end."""
        document = paged(30, needle_on=20)
        for window in (900, 1024, 1300, 1601, 2048):
            model = a_model(Oracle(FACTS), window=window)
            if fits(self.strategy, document, model):
                assert self.reader(model).ask(document, QUESTION).text

    # --- plan and budget -------------------------------------------------------------------

    def test_the_plan_bounds_the_run(self) -> None:
        """Calls and tokens of a run lie between the plan's minimum and maximum."""
        if not isinstance(self.strategy, Planned):
            return
        for document in (paged(30, needle_on=9), paged(12), paged(1, needle_on=1)):
            counting = Counting(Oracle(FACTS))
            answer = self.ask(document, counting)
            plan = self.strategy.plan(Corpus((document,)), QUESTION, self.model(counting))
            assert answer.usage.calls in plan.calls
            assert answer.usage.input_tokens <= plan.input_tokens.maximum
            assert answer.usage.output_tokens <= plan.output_tokens.maximum

    def test_every_call_is_metered(self) -> None:
        """What reached the model is what the usage says; a call that is shared counts once."""
        counting, seen = Counting(Oracle(FACTS)), list[events.Event]()
        answer = self.ask(paged(30, needle_on=9), counting, on_event=seen.append)
        finished = [e for e in seen if isinstance(e, events.CallFinished)]
        assert counting.begun == answer.usage.calls == len({e.key for e in finished})

    def test_no_cap_is_passed_in_parallel(self) -> None:
        """At any cap on calls or tokens the model is called within it, and the reader answers."""
        document = paged(30, needle_on=2)
        whole = self.ask(document).usage
        for calls in (0, 1, 2, 3, 5, 8):
            counting = Counting(Oracle(FACTS))
            answer = self.ask(document, counting, limits=Limits(calls=calls), concurrency=16)
            assert counting.begun <= calls
            assert calls >= whole.calls or answer.status in ("partial", "complete")
            assert calls >= whole.calls or answer.stopped == "budget"
        total = whole.input_tokens + whole.output_tokens
        for tokens in (0, total // 5, total // 2, total - 1):
            answer = self.ask(document, limits=Limits(tokens=tokens), concurrency=16)
            assert answer.usage.input_tokens + answer.usage.output_tokens <= tokens

    def test_what_a_cap_left_unread_is_counted(self) -> None:
        """A capped reading says how many chunks it never read."""
        answer = self.ask(paged(60, needle_on=2), limits=Limits(calls=2))
        if self.reads_everything and answer.coverage.chunks > 2:
            assert answer.status == "partial"
            assert answer.coverage.skipped + answer.coverage.read == answer.coverage.chunks
            assert answer.coverage.skipped > 0

    # --- resume, repeat, reuse -------------------------------------------------------------

    def test_killed_and_resumed_repeats_nothing(self) -> None:
        """Stopped dead after any number of calls, the same reading ends the same way."""
        document = paged(30, needle_on=20)
        whole = Counting(Oracle(FACTS))
        expected = self.ask(document, whole)
        for dead_at in {1, min(2, whole.begun), max(1, whole.begun // 2), whole.begun}:
            stores, first, second = Stores(), Counting(Oracle(FACTS)), Counting(Oracle(FACTS))
            self._cancelled_at(dead_at, document, first, stores)
            answer = self.ask(document, second, stores=stores)
            assert (expected.text, expected.citations) == (answer.text, answer.citations)
            kept = {r.text for r in first.answered}
            assert not kept & {r.text for r in second.answered}
            assert len(first.answered) + len(second.answered) == answer.usage.calls == whole.begun

    def test_a_finished_reading_costs_no_call_again(self) -> None:
        """The same question again is answered from the journal, its index from the shelf."""
        stores, document, again = Stores(), paged(12, needle_on=3), Counting(Oracle(FACTS))
        first, second = self.ask(document, stores=stores), self.ask(document, again, stores=stores)
        assert (first.text, 0) == (second.text, again.begun)
        built = sum(s.label.calls for s in stores.shelf().shelved())
        assert first.usage.calls == second.usage.cached_calls + built

    def test_a_second_question_reuses_the_index(self) -> None:
        """What is built once for a document is not built for another question."""
        stores, document = Stores(), paged(12, needle_on=3)
        self.ask(document, stores=stores)
        built = [s.key for s in stores.shelf().shelved()]
        self.ask(document, stores=stores, question="What did the clerk count?")
        assert built == [s.key for s in stores.shelf().shelved()]

    def test_the_same_input_gives_the_same_trace(self) -> None:
        """Two readings emit equal events in equal order."""
        traces: list[list[events.Event]] = [[], []]
        for trace in traces:
            self.ask(paged(30, needle_on=9), on_event=trace.append)
        without_answers = [
            [e for e in trace if not isinstance(e, events.RunFinished)] for trace in traces
        ]
        assert without_answers[0] == without_answers[1]

    # --- failures --------------------------------------------------------------------------

    def test_a_failed_chunk_shows_in_the_coverage(self) -> None:
        """A call that fails for good is counted, and the answer is partial."""

        def fail(_: int, request: Request) -> None:
            if "day 153 " in request.text:
                raise ServerFault("HTTP 500 from a test")

        answer = self.ask(paged(30, needle_on=2), Counting(Oracle(FACTS), before=fail))
        if self.reads_everything:
            assert answer.coverage.failed >= 1
            assert answer.status == "partial"
            assert answer.coverage.read + answer.coverage.failed == answer.coverage.chunks
            assert answer.usage.failed_calls >= 1

    def test_a_refusing_endpoint_is_an_error(self) -> None:
        """An endpoint that refuses is never taken for a document without an answer."""

        def refuse(number: int, _: Request) -> None:
            if number >= 2:
                raise Refused("HTTP 401 from a test: no such key")

        try:
            answer = self.ask(paged(30, needle_on=20), Counting(Oracle(FACTS), before=refuse))
        except EndpointError:
            return
        assert answer.usage.calls <= 1, "the refusal was swallowed"

    def test_unusable_replies_are_not_taken_for_nothing(self) -> None:
        """Replies that cannot be parsed count as failures, not as "no information"."""
        try:
            answer = self.ask(paged(12, needle_on=3), Babbling())
        except MemreaderError:
            return
        assert answer.status == "partial" or answer.text
        assert answer.coverage.failed or answer.text

    def test_cancellation_leaves_nothing_running(self) -> None:
        """After a cancelled reading no call is in flight and none follows."""
        counting = Counting(Oracle(FACTS))
        self._cancelled_at(2, paged(30, needle_on=9), counting, Stores())
        begun = counting.begun
        anyio.run(anyio.sleep, 0)
        assert (0, begun) == (counting.in_flight, counting.begun)

    def _cancelled_at(
        self, number: int, document: Document, counting: Counting, stores: Stores
    ) -> None:
        """Read until call `number` is under way, then cancel everything at once."""

        async def reading() -> None:
            with anyio.CancelScope() as scope:

                def cancel(begun: int, _: Request) -> None:
                    if begun == number:
                        scope.cancel()

                counting.before = cancel
                await self.reader(self.model(counting), stores=stores).aask(document, QUESTION)

        anyio.run(reading)
