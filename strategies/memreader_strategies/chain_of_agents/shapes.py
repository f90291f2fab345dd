"""What a worker and the manager write, and which role the question gives them."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field

from memreader.structured import PlainForm, Shape

Role = Literal["qa", "summary", "code"]


class Unit(Shape):
    """The communication unit: free text, rewritten by each worker."""

    plain: ClassVar[PlainForm | None] = PlainForm("notes")
    notes: str = Field(
        title="Notes",
        description="all that the next reader needs, one fact a line, each with its names, dates "
        "and figures; [NO INFORMATION] where neither notes nor passage tell anything",
    )


class Final(Shape):
    """The manager's reply."""

    plain: ClassVar[PlainForm | None] = PlainForm("answer")
    answer: str = Field(title="Answer", description="the final answer, or [NO INFORMATION]")


class LongText(Shape):
    """The manager's reply where a summary is asked for."""

    plain: ClassVar[PlainForm | None] = PlainForm("answer", must_be_supported=False, max_tokens=320)
    answer: str = Field(title="Summary", description="one continuous text")


_SUMMARY = re.compile(
    r"^\s*(?:please\s+|can you\s+|could you\s+)?(?:summari[sz]e\b|give (?:me )?(?:a|an) "
    r"(?:\w+ )?(?:summary|overview)|write (?:a|an) (?:\w+ )?(?:summary|abstract|overview)|"
    r"what is (?:this|the) (?:document|text|report|book|paper|file|story) about|tl;?dr|"
    r"résume[rz]?\b|fais un résumé|zusammenfassung|resumen\b)|总结|概括|摘要",
    re.IGNORECASE,
)


def role_of(role: str, question: str) -> Role:
    """The role by name; `auto` gives a summary where none or a summary is asked for."""
    if role in ("qa", "summary", "code"):
        return role  # type: ignore[return-value]
    return "summary" if not question.strip() or _SUMMARY.search(question) else "qa"
