"""What the three kinds of call write."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from memreader.structured import PlainForm, Shape


class Extract(Shape):
    """Check and extract: one call for each section of a pass."""

    plain: ClassVar[PlainForm | None] = PlainForm("notes")
    new: str = Field(
        "yes",
        title="New",
        description="no if the section has nothing that helps beyond the memory, else yes",
    )
    notes: str = Field(
        "",
        title="Notes",
        description="the new facts, one a line, with names, dates and figures as the text has "
        "them; or [NO INFORMATION]",
    )


class Merged(Shape):
    """The memory after a pass."""

    plain: ClassVar[PlainForm | None] = None
    memory: str = Field(title="Memory", description="the new memory, one fact a line")


class Final(Shape):
    """The answer from the memory alone."""

    plain: ClassVar[PlainForm | None] = PlainForm("answer")
    answer: str = Field(title="Answer", description="the final answer, or [NO INFORMATION]")
