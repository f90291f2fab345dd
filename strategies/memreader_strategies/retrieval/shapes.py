"""The shapes of the calls."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from memreader.structured import PlainForm, Shape


class Quotes(Shape):
    """ALR²'s retrieve call: sentences, copied."""

    rationale: str = Field(
        "", title="Rationale", description="in one sentence, which passages tell what helps"
    )
    evidence: str = Field(
        title="Evidence",
        description="the copied sentences, each on its own line after a dash and the number of "
        "its passage in square brackets; or the word none",
    )


class Numbers(Shape):
    """The same by the numbers of passages; also a reranker's order."""

    rationale: str = Field(
        "", title="Rationale", description="in one sentence, which passages tell what helps"
    )
    evidence: str = Field(
        title="Passage Numbers",
        description="the numbers of the passages that help, the most useful first, separated by "
        "commas; or the word none",
    )


class Final(Shape):
    """ALR²'s reason call."""

    plain: ClassVar[PlainForm | None] = PlainForm("answer", evidence="rationale")
    rationale: str = Field("", title="Rationale", description="how the evidence leads to it")
    answer: str = Field(title="Answer", description="the answer, short; or [NO INFORMATION]")
