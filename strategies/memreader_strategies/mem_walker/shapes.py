"""What the calls write: summaries, actions at nodes, what a segment tells, the answer."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar

from pydantic import Field, create_model, field_validator

from memreader.structured import PlainForm, Shape

BACK = -1
"""The action that goes back to the node above; the paper's own number."""
ENOUGH = 0
"""Ours: the working memory answers the question; offered once something was committed."""


class Summary(Shape):
    """The text of a node."""

    summary: str = Field(title="Summary", description="the summary, as plain running text")

    @field_validator("summary")
    @classmethod
    def _says_something(cls, told: str) -> str:
        if not says_something(told):
            raise ValueError("there is no word in it")
        return told


class Gist(Shape):
    """The same by a plain model: code checks and bounds it."""

    plain: ClassVar[PlainForm | None] = PlainForm("summary", must_be_supported=False, max_tokens=96)
    summary: str = Field(title="Summary", description="a short summary")


class Triage(Shape):
    """Which way to go: the reasoning comes first, since the action follows from it."""

    plain: ClassVar[PlainForm | None] = PlainForm("action", must_be_supported=False, max_tokens=8)
    reasoning: str = Field(
        "",
        title="Reasoning",
        description="compare the summaries with the question, in two or three sentences",
    )
    action: str = Field(title="Action", description="a number")


@lru_cache(maxsize=32)
def triage_shape(*, most: int, back: bool, enough: bool) -> type[Triage]:
    """A triage that names up to `most` children, and may go back or stop."""
    told = "the number of the summary most likely to lead to the answer"
    if most > 1:
        told = f"the numbers of up to {most} summaries that may lead to the answer, best first"
    told += f"; or {BACK} to go back, if none of them can" if back else ""
    told += f"; or {ENOUGH}, if the working memory answers the whole question" if enough else ""
    fields: dict[str, Any] = {"action": (str, Field(title="Action", description=told))}
    return create_model("Triage", __base__=Triage, **fields)


class Look(Shape):
    """What to do at a segment."""

    reasoning: str = Field(
        "",
        title="Reasoning",
        description="whether the answer can be inferred from the text shown, in a sentence or two",
    )
    evidence: str = Field(
        "",
        title="Evidence",
        description="the sentences of the segment that the answer rests on, word for word, each "
        "on its own line after a dash; or the word none",
    )
    action: str = Field(
        title="Action",
        description="commit, only if the answer can be inferred from the text shown; else revert",
    )
    answer: str = Field(
        "", title="Answer", description="when committing: the answer, short; or [NO INFORMATION]"
    )


class Told(Shape):
    """What a plain model says of a segment; code commits where the segment bears it out."""

    plain: ClassVar[PlainForm | None] = PlainForm("answer", evidence="evidence")
    evidence: str = Field("", title="Evidence", description="a sentence of the segment")
    answer: str = Field(title="Answer", description="the answer, or [NO INFORMATION]")


class Final(Shape):
    """An answer from the working memory or from several findings."""

    plain: ClassVar[PlainForm | None] = PlainForm("answer")
    answer: str = Field(title="Answer", description="the final answer, or [NO INFORMATION]")


def says_something(text: str) -> bool:
    """Whether there is any letter or digit in a text."""
    return any(c.isalnum() for c in text)


def committed(action: str) -> bool | None:
    """Commit or revert, in words or in the paper's numbers; None for anything else."""
    word = action.strip().casefold().strip("*_.\"'`[]() ")
    if word.startswith(("commit", "-2")):
        return True
    return False if word.startswith(("revert", "-1")) else None
