"""What one call says about one part of the document, and the shapes it travels in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from pydantic import Field

from memreader.evidence import Evidence, says_not_found, support
from memreader.structured import PlainForm, Shape

CITATIONS = 5
"""An answer cites at most this many places."""

_INFORMATION = (
    "the passages that help to answer the question, or that could help together with another "
    "part of the document, copied word for word, each on its own line after a dash; "
    "or the word none"
)
_ANSWER = "the answer as far as this text gives it, or [NO INFORMATION]"


class QaRecord(Shape):
    """The structured information protocol: four fields (paper, section 3.2)."""

    plain: ClassVar[PlainForm | None] = PlainForm(
        "answer", evidence="information", confidence="confidence"
    )
    information: str = Field("", title="Extracted Information", description=_INFORMATION)
    rationale: str = Field("", title="Rationale", description="how these lead to the answer")
    answer: str = Field(title="Answer", description=_ANSWER)
    confidence: float = Field(
        title="Confidence Score", description="a number from 0 to 5, as explained above"
    )


class RetrievalRecord(QaRecord):
    """The retrieval preset names its second field otherwise."""

    rationale: str = Field("", title="Reasoning", description="where in the text it stands")


class CodeRecord(QaRecord):
    """The code preset extracts code."""

    information: str = Field(
        "",
        title="Extracted Code",
        description="the code that matters, word for word, in a code fence; or the word none",
    )


class Summary(Shape):
    """The summary preset has one field and no marker."""

    plain: ClassVar[PlainForm | None] = PlainForm("answer", must_be_supported=False, max_tokens=160)
    answer: str = Field(title="Summary", description="the summary of this text")


class Explained(Shape):
    """The last reply: rationale and answer."""

    plain: ClassVar[PlainForm | None] = PlainForm("answer")
    rationale: str = Field("", title="Rationale", description="how the parts lead to the answer")
    answer: str = Field(title="Answer", description="the final answer, short; or [NO INFORMATION]")


class Bare(Shape):
    """The last reply of the presets that want nothing but the answer."""

    plain: ClassVar[PlainForm | None] = PlainForm("answer")
    answer: str = Field(title="Answer", description="the final answer, and nothing else")


class LongText(Shape):
    """The last reply of the summary preset."""

    plain: ClassVar[PlainForm | None] = PlainForm("answer", must_be_supported=False, max_tokens=320)
    answer: str = Field(title="Summary", description="one continuous text without bullets")


@dataclass(frozen=True, slots=True)
class Record:
    """A parsed record with its provenance, which the paper's records lose."""

    text: str
    """As later prompts show it."""
    answer: str
    confidence: float
    chunks: tuple[int, ...]
    """Indices of the chunks it came from, kept through every collapse."""
    evidence: tuple[Evidence, ...] = ()
    informative: bool = True
    """False for "no information" with something extracted: kept at low priority."""

    @property
    def label(self) -> str:
        """The header in later prompts: "chunk 4", "chunks 4-9", by original numbers from 1."""
        first, last = self.chunks[0] + 1, self.chunks[-1] + 1
        return f"chunk {first}" if first == last else f"chunks {first}-{last}"

    @property
    def rank(self) -> tuple[bool, float, float]:
        """Order among records when code has to choose: found, confident, well supported."""
        return self.informative, self.confidence, max((e.score for e in self.evidence), default=0.0)


def has_content(extracted: str) -> bool:
    """Whether an extracted-information field holds anything."""
    return not says_not_found(extracted.strip().strip("-").strip())


def rests(evidence: tuple[Evidence, ...]) -> bool:
    """Whether any quote was found; a reply that quoted nothing is believed.

    Only a reply all of whose quotes are inventions is refused: support alone may not refuse
    a capable model's yes, count or paraphrase (DESIGN.md, section 6).
    """
    return not evidence or any(e.span is not None for e in evidence)


def merged(records: list[Record]) -> Record:
    """The group as one record without a model: its best member with everyone's provenance."""
    best = max(records, key=lambda r: r.rank)
    return replace(
        best,
        chunks=tuple(sorted({i for r in records for i in r.chunks})),
        evidence=best.evidence + tuple(e for r in records if r is not best for e in r.evidence),
    )


def fitted(
    reply: Shape, limit: int, shown: Callable[[Shape], str], count: Callable[[str], int]
) -> tuple[str, bool]:
    """A reply as later prompts show it, within a limit of tokens; and whether content was cut.

    The rationale goes first, then the end of what was extracted; answer and score stay.
    """
    text = shown(reply)
    if count(text) > limit and isinstance(reply, QaRecord):
        text = shown(reply.model_copy(update={"rationale": ""}))
    if count(text) <= limit:
        return text, False
    told = reply.information if isinstance(reply, QaRecord) else ""
    while told and count(text) > limit:
        told = told[: len(told) * 4 // 5]
        text = shown(reply.model_copy(update={"rationale": "", "information": told}))
    while count(text) > limit:
        text = text[: len(text) * 4 // 5]
    return text, True


def cited(question: str, answer: str, records: Iterable[Record]) -> tuple[Evidence, ...]:
    """The places that bear out the answer best; by the records' rank where none stands out."""
    ranked = sorted(
        (
            (support(question, answer, e.quote).score, r.confidence, e)
            for r in records
            for e in r.evidence
        ),
        key=lambda item: (item[0], item[1], item[2].score),
        reverse=True,
    )
    bearing = [e for score, _, e in ranked if score > 0] or [e for _, _, e in ranked][:3]
    return tuple(dict.fromkeys(bearing))[:CITATIONS]
