"""What the model writes at each step."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, WithJsonSchema, field_validator

from memreader.structured import PlainForm, Shape
from memreader_strategies.graph_reader.lines import atomic_facts, says_nothing


class FactLines(Shape):
    """Atomic facts with their key elements, one a line; a JSON list is read as well."""

    facts: str | list[Any] = Field(
        title="Facts",
        description="one line for each fact: the fact | key element | key element; or none",
    )

    @field_validator("facts")
    @classmethod
    def _is_legible(cls, told: str | list[Any]) -> str | list[Any]:
        return _checked(told)


_ITEM = {
    "type": "object",
    "properties": {
        "fact": {"type": "string"},
        "elements": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["fact", "elements"],
    "additionalProperties": False,
}


class FactList(Shape):
    """Atomic facts with their key elements, as JSON whose form the server holds."""

    facts: Annotated[
        str | list[Any], WithJsonSchema({"type": "array", "items": _ITEM})
    ] = Field(
        title="Facts",
        description="a list with the fact and its key elements (fact | elements) for each; or []",
    )  # fmt: skip

    @field_validator("facts")
    @classmethod
    def _is_legible(cls, told: str | list[Any]) -> str | list[Any]:
        return _checked(told)


def _checked(told: str | list[Any]) -> str | list[Any]:
    """Raises ValueError where something is said and none of it is a fact: that is no "none"."""
    if not says_nothing(told) and not atomic_facts(told).facts:
        raise ValueError("no line has a fact and a key element")
    return told


class Starts(Shape):
    """Key elements to begin at."""

    scores: str = Field(
        title="Scores", description="one line for each choice: the key element | its score"
    )


class FactStep(Shape):
    """After the facts of a key element."""

    notebook: str = Field("", title="Notebook", description="the new notebook, one note a line")
    rationale: str = Field("", title="Rationale", description="why this is next, in one sentence")
    action: str = Field(
        title="Action", description="one of read_chunk(numbers), stop_and_read_neighbor()"
    )


class ChunkStep(Shape):
    """After the text of a chunk."""

    notebook: str = Field("", title="Notebook", description="the new notebook, one note a line")
    rationale: str = Field("", title="Rationale", description="why this is next, in one sentence")
    action: str = Field(
        title="Action",
        description="one of search_more(), read_previous_chunk(), read_subsequent_chunk(), "
        "termination()",
    )


class NeighbourStep(Shape):
    """After a key element is done with."""

    rationale: str = Field("", title="Rationale", description="why this is next, in one sentence")
    action: str = Field(
        title="Action", description="one of read_neighbor_node(name), termination()"
    )


class Final(Shape):
    """The answer from all notebooks."""

    plain: ClassVar[PlainForm | None] = PlainForm("answer")
    analysis: str = Field(
        "", title="Analysis", description="what each notebook tells, and where they disagree"
    )
    answer: str = Field(title="Answer", description="the final answer, or [NO INFORMATION]")


class Told(Shape):
    """What a plain model says of a chunk."""

    plain: ClassVar[PlainForm | None] = PlainForm("fact")
    fact: str = Field(title="Fact", description="what the passage tells, or [NO INFORMATION]")
