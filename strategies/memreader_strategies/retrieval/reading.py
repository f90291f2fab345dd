"""One reading: steps 2 to 7 of the strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from memreader.answer import NOT_FOUND, Draft
from memreader.chunking import Chunk
from memreader.errors import BudgetExceeded, CallFailed, ConfigurationError
from memreader.evidence import Evidence, says_not_found
from memreader.fitting import best_that_fit, first_that_fit
from memreader.grounding import MOST, bearing
from memreader.prompts import Untrusted, Value
from memreader.run import Run
from memreader.structured import S
from memreader_strategies.retrieval.pieces import Piece, Shelf
from memreader_strategies.retrieval.searching import ranked
from memreader_strategies.retrieval.shapes import Final, Numbers, Quotes
from memreader_strategies.retrieval.sizes import REFUSED, Sizes
from memreader_strategies.retrieval.verifying import (
    Checked,
    Cited,
    by_code,
    checked_numbers,
    checked_quotes,
)

if TYPE_CHECKING:
    from memreader_strategies.retrieval.strategy import Retrieval

_NONE: Mapping[str, Value] = MappingProxyType({})


@dataclass(slots=True)
class Reading:
    """One reading in progress."""

    options: Retrieval
    run: Run
    sizes: Sizes
    question: str
    shelf: Shelf

    async def answer(self) -> Draft:
        """Steps 2 to 7."""
        if not self.sizes.plain:
            self.run.reserve(
                input_tokens=self.sizes.overheads["answer"] + self.sizes.budget,
                output_tokens=self.sizes.answer,
            )
        passages, options = self.shelf.passages, self.options
        order = await ranked(options, self.question, passages, self.sizes.collection, self.run)
        order = (await self._reranked(order))[: options.top_k]
        if not order:
            self.run.note("No passage has anything to do with the question.")
            return NOT_FOUND
        chosen = self.shelf.within(order)
        if len(chosen) < len(order):
            self.run.note(
                f"The budget of {self.sizes.budget:,} tokens shows {len(chosen)} of the "
                f"{len(order)} passages found."
            )
        if self.sizes.plain:
            return await self._one_by_one([passages[i] for i in chosen])
        if options.expand != "off":
            chosen = self.shelf.widened(
                chosen, options.expand_tokens, section=options.expand == "section"
            )
        return await self._from(self.shelf.pieces(chosen))

    async def _from(self, shown: list[Piece]) -> Draft:
        """Steps 5 to 7."""
        if self.options.evidence == "off":
            return await self._reason([_whole(piece) for piece in shown], shown=shown)
        checked = await self._evidence(shown)
        self.run.note(str(checked))
        if not checked.found:
            return Draft("", status="not_found", rationale=str(checked))
        if not self.run.capped:
            self.run.keep(self._evidence_alone(checked))
        return await self._reason(checked.found, told=str(checked))

    def _evidence_alone(self, checked: Checked) -> Draft:
        """What there is to say if the answer call cannot be made: the evidence itself."""
        if self.options.evidence == "ids":
            checked = by_code(self.question, [c.piece for c in checked.found])
        quotes = [c.evidence for c in checked.found[:MOST]]
        text = "\n".join(e.quote for e in quotes)
        return Draft(text, tuple(quotes), "partial", "No call could draw an answer from this.")

    # --- step 3 ----------------------------------------------------------------------------

    async def _reranked(self, order: list[int]) -> list[int]:
        """The candidates in a better order; as they were where nothing orders them."""
        if self.options.rerank == "off" or len(order) < 2:
            return order
        if self.options.rerank == "model" and not self.sizes.plain:
            return await self._reranked_by_call(order)
        texts = [self.shelf.passages[i].text for i in order]
        if self.options.rerank == "model":
            scores = await self.run.search.nearness(self.question, texts)
        elif self.run.reranker is None:
            raise ConfigurationError(
                "rerank=cross-encoder needs the setting `reranker`: the name or path of a "
                "CrossEncoder. Or let the model order the passages: -o rerank=model."
            )
        else:
            scores = await self.run.reranker.score(self.question, texts)
        return [order[i] for i in sorted(range(len(order)), key=lambda i: (-scores[i], i))]

    async def _reranked_by_call(self, order: list[int]) -> list[int]:
        """What the model names comes first, in its order; the rest follows as it was."""
        listed = self.shelf.listed(order, self.sizes.rerank)
        if len(listed) < len(order):
            self.run.note(f"The rerank call sees {len(listed)} of the {len(order)} candidates.")
        sources = [piece.passages[0] for piece in listed]
        shown = [piece.shown for piece in listed]
        try:
            reply = await self._ask(Numbers, "rerank", self.sizes.cited, shown, sources)
        except CallFailed:
            self.run.note("The rerank call failed: the order of the search stands.")
            return order
        except BudgetExceeded as error:
            self.run.cap(error)
            return order
        named = checked_numbers(reply.evidence, listed)
        first = [order[listed.index(cited.piece)] for cited in named.found]
        return [*first, *(i for i in order if i not in first)]

    # --- steps 5 and 6 ---------------------------------------------------------------------

    async def _evidence(self, shown: list[Piece]) -> Checked:
        """Verified evidence; chosen by code where no call gives any."""
        try:
            checked = await self._cited(shown)
            if checked.dropped and not checked.found:
                self.run.note("Nothing that was cited stands in the passages: asked once more.")
                checked = await self._cited(shown, refused=checked.dropped)
            return checked
        except CallFailed:
            self.run.note("The evidence call failed: code chose the sentences.")
        except BudgetExceeded as error:
            self.run.cap(error)
            self.run.note("No budget for the evidence call: code chose the sentences.")
        return by_code(self.question, shown)

    async def _cited(self, shown: list[Piece], refused: Sequence[str] = ()) -> Checked:
        again = ".again" if refused else ""
        more: dict[str, Value] = {"refused": self._refused(refused)} if refused else {}
        name, material = f"{self.options.evidence}{again}", [piece.shown for piece in shown]
        sources = [passage for piece in shown for passage in piece.passages]
        if self.options.evidence == "ids":
            numbers = await self._ask(Numbers, name, self.sizes.cited, material, sources, more=more)
            return checked_numbers(numbers.evidence, shown)
        quotes = await self._ask(Quotes, name, self.sizes.cited, material, sources, more=more)
        return checked_quotes(quotes.evidence, shown)

    def _refused(self, lines: Sequence[str]) -> Untrusted:
        """The lines that stand nowhere, as many as the prompt has room for."""
        count = self.run.model.counter.count
        told = first_that_fit(lines, REFUSED, lambda line: count(line) + 1)
        return Untrusted("\n".join(told), "lines that stand in no passage")

    # --- step 7 ----------------------------------------------------------------------------

    async def _reason(
        self, cited: Sequence[Cited], *, told: str = "", shown: Sequence[Piece] = ()
    ) -> Draft:
        cited = self._within(cited)
        evidence = [c.evidence for c in cited]
        self.run.remember(
            [{"passage": c.piece.label, "text": c.evidence.quote} for c in cited],
            [e.span for e in evidence if e.span is not None],
        )
        reply = await self._ask(
            Final,
            "answer",
            self.sizes.answer,
            [Untrusted(c.evidence.quote, c.piece.label) for c in cited],
            [passage for piece in shown for passage in piece.passages] or evidence,
            final=True,
        )
        rationale = f"{reply.rationale} {told}".strip()
        if says_not_found(reply.answer):
            return Draft("", status="not_found", rationale=rationale)
        return Draft(
            reply.answer.strip(), self._citations(reply.answer, cited), rationale=rationale
        )

    def _within(self, cited: Sequence[Cited]) -> list[Cited]:
        """The evidence in the order of the documents, as much as the call holds."""

        def size(c: Cited) -> int:
            return self.shelf.size(Piece(c.piece.label, c.piece.span, c.evidence.quote, ()))

        kept = best_that_fit(cited, self.sizes.budget, size)
        if len(kept) < len(cited):
            self.run.note(f"{len(cited) - len(kept)} places of evidence did not fit the call.")
        first = {d.id: i for i, d in enumerate(self.shelf.corpus.documents)}
        return sorted(
            kept, key=lambda c: (first[c.piece.span.document], c.piece.span.start, _start(c))
        )

    def _citations(self, answer: str, cited: Sequence[Cited]) -> tuple[Evidence, ...]:
        """Quotes as they are; of whole passages the sentences that bear the answer out."""
        if self.options.evidence == "quotes":
            return bearing(self.question, answer, [c.evidence for c in cited])
        located = [e for c in cited for e in self.run.evidence("", answer, c.piece.chunk)]
        if located or self.options.evidence == "off":
            return bearing(self.question, answer, located)
        return tuple(c.evidence for c in cited[:3])

    # --- plain models ----------------------------------------------------------------------

    async def _one_by_one(self, passages: list[Chunk]) -> Draft:
        """Each passage by itself; the answer that its passage bears out best is taken.

        Where none is borne out, the sentence nearest to the question is asked about alone: of one
        sentence such a model makes more right answers than of several (docs/design.md).
        """
        answers = [a for a in await self.run.map(self._alone, passages) if a is not None]
        if not answers and not self.run.capped:
            single = [Piece("", p.span, p.text, (p,)) for p in passages]
            nearest = by_code(self.question, single).found[:1]
            answers = [a for c in nearest for a in [await self._of(c.evidence)] if a]
        if not answers:
            return NOT_FOUND
        (best,) = self.run.narrowed(answers, lambda a: a[1].score)
        text, evidence = best
        self.run.remember(
            [{"answer": a, "text": e.quote} for a, e in answers],
            [e.span for _, e in answers if e.span is not None],
        )
        return Draft(text, (evidence,))

    async def _alone(self, passage: Chunk) -> tuple[str, Evidence] | None:
        try:
            reply = await self._ask(Final, "answer", self.sizes.answer, [passage], [passage])
        except CallFailed:  # the coverage counts the passage
            return None
        if says_not_found(reply.answer):
            return None
        found = self.run.evidence(reply.rationale, reply.answer, passage)
        return (reply.answer.strip(), found[0]) if found else None

    async def _of(self, sentence: Evidence) -> tuple[str, Evidence] | None:
        try:
            shown = [Untrusted(sentence.quote)]
            reply = await self._ask(Final, "answer", self.sizes.answer, shown, [sentence])
        except CallFailed:  # then nothing supports an answer
            return None
        except BudgetExceeded as error:
            self.run.cap(error)
            return None
        return None if says_not_found(reply.answer) else (reply.answer.strip(), sentence)

    async def _ask(
        self,
        shape: type[S],
        prompt: str,
        reply: int,
        material: Sequence[Chunk | Untrusted],
        sources: Sequence[Chunk] | Sequence[Evidence],
        *,
        final: bool = False,
        more: Mapping[str, Value] = _NONE,
    ) -> S:
        return await self.run.ask_for(
            shape,
            prompt,
            max_tokens=reply,
            values={"question": self.question, "material": material, **more},
            sources=sources,
            temperature=self.options.temperature,
            final=final,
        )


def _whole(piece: Piece) -> Cited:
    return Cited(piece, Evidence(piece.text, piece.span, "exact"))


def _start(cited: Cited) -> int:
    return cited.evidence.span.start if cited.evidence.span is not None else 0
