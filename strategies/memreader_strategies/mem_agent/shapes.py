"""What the model writes at each section, by the options that are on."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import Field, create_model

from memreader.structured import PlainForm, Shape

NO_CHANGE = "NO CHANGE"


class Update(Shape):
    """A step's reply; the options add their fields before or after the memory."""

    plain: ClassVar[PlainForm | None] = PlainForm("memory")


class Final(Shape):
    """The answer from the memory alone."""

    plain: ClassVar[PlainForm | None] = PlainForm("answer")
    answer: str = Field(title="Answer", description="the final answer, or [NO INFORMATION]")


class Verdict(Shape):
    """Whether reading may stop."""

    plain: ClassVar[PlainForm | None] = PlainForm("enough", must_be_supported=False)
    enough: str = Field(title="Enough", description="yes or no")


_RELEVANT = ("relevant", "Relevant", "yes if the section has anything that helps, else no")
_MEMORY = (
    "memory",
    "Memory",
    f"the new memory, one fact a line, or {NO_CHANGE}",
)
_CHANGES = ("memory", "Memory changes", f"the lines ADD and REPLACE, or {NO_CHANGE}")
_PLAN = ("plan", "Plan", "what to look for in the sections that follow, in one line")
_RECALL = (
    "recall",
    "Recall",
    "a few words to search your earlier memories with, if something there is missing now; or none",
)
_ENOUGH = ("enough", "Enough", "yes if the memory now solves the whole problem, else no")


@lru_cache(maxsize=32)
def update_shape(
    *, operations: bool, gate: bool, plan: bool, recall: bool, leave: bool
) -> type[Update]:
    """The shape of an update with the fields of these options."""
    wanted = [
        *([_RELEVANT] if gate else []),
        _CHANGES if operations else _MEMORY,
        *([_PLAN] if plan else []),
        *([_RECALL] if recall else []),
        *([_ENOUGH] if leave else []),
    ]
    fields: dict[str, Any] = {
        name: (str, Field("" if name != "memory" else ..., title=title, description=told))
        for name, title, told in wanted
    }
    return create_model("Update", __base__=Update, **fields)


_NO_CHANGE = re.compile(
    # In capitals it is our marker, whatever explains it; in other letters it may begin a fact.
    rf"\W*(?:{NO_CHANGE}S?\b(?!\s+[A-Z]{{2}})|(?i:no\W?changes?|none|unchanged)\W*$)"
)


def no_change(text: str) -> bool:
    """The cheap reply: nothing in the section helps."""
    return _NO_CHANGE.match(text) is not None
