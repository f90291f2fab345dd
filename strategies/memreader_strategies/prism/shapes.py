"""What the model writes: revisions at each chunk, a schema once, the answer at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from pydantic import Field, WithJsonSchema, field_validator

from memreader.llm.base import Wire
from memreader.structured import PlainForm, Shape
from memreader_strategies.prism.instance import Path
from memreader_strategies.prism.revisions import proposed, says_nothing
from memreader_strategies.prism.schema import Kind, ListOf, MapOf, Record, Scalar


class Revisions(Shape):
    """Revisions as lines; a JSON list in their place is read as well."""

    revisions: str | list[Any] = Field(
        title="Revisions",
        description="one line for each revision, in the forms shown above; or the word none",
    )

    @field_validator("revisions")
    @classmethod
    def _is_legible(cls, told: str | list[Any]) -> str | list[Any]:
        _check(told)
        return told


_ITEM = {
    "type": "object",
    "properties": {
        "op": {"type": "string", "enum": ["add", "update", "delete"]},
        "path": {"type": "array", "items": {"type": "string"}},
        "value": {"type": "string"},
    },
    "required": ["op", "path", "value"],
    "additionalProperties": False,
}


class RevisionList(Shape):
    """Revisions as JSON. The server holds their form; what is wrong in one drops that one alone."""

    revisions: Annotated[list[Any], WithJsonSchema({"type": "array", "items": _ITEM})] = Field(
        title="Revisions", description="a list of revisions, in the forms shown above; or []"
    )

    @field_validator("revisions")
    @classmethod
    def _is_legible(cls, told: list[Any]) -> list[Any]:
        _check(told)
        return told


def _check(told: object) -> None:
    """Raises ValueError where something is said and none of it is a revision: that is no "none"."""
    if not says_nothing(told) and not any(r.op for r in proposed(told)):
        raise ValueError("nothing in it is a revision")


class Told(Shape):
    """What a plain model says of a chunk; code makes the revision."""

    plain: ClassVar[PlainForm | None] = PlainForm("fact")
    fact: str = Field(title="Fact", description="what the passage tells, or [NO INFORMATION]")


class Final(Shape):
    """The answer from the memory alone."""

    plain: ClassVar[PlainForm | None] = PlainForm("answer")
    answer: str = Field(title="Answer", description="the final answer, or [NO INFORMATION]")


# --- the forms that the prompt shows -------------------------------------------------------


def forms(schema: Record, wire: Wire, *, may_delete: bool) -> str:
    """The revisions that a schema allows, one form a line, as this wire format writes them."""
    places = list(_places(schema))
    lines = [_form("add", path, value, wire) for path, _, value in places]
    _, there, value = places[0]
    lines.append(_form("update", there, value, wire))
    if may_delete:
        lines.append(_form("delete", there, None, wire))
    return "\n".join(lines)


def _form(op: str, path: tuple[str, ...], value: Any, wire: Wire) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if wire == "schema":
        return json.dumps(
            {"op": op, "path": path, "value": "" if value is None else text}, ensure_ascii=False
        )
    told = "" if value is None else f": {text}"
    return f"{op.upper()} {'/'.join(path)}{told}"


def _places(kind: Kind, path: Path = ()) -> Iterator[tuple[Path, Path, Any]]:
    """Where values are added, where they stand then, and a value of that type."""
    match kind:
        case Record():
            for field in kind.fields:
                yield from _places(field.kind, (*path, field.name))
        case MapOf() if isinstance(kind.value, MapOf):
            # Down to the inner key: a form for the whole inner map could only be used once.
            yield from _places(kind.value, (*path, "a key"))
        case MapOf():
            yield (*path, "a key"), (*path, "a key"), _sample(kind.value)
        case ListOf():
            yield path, (*path, "0"), _sample(kind.item)
        case Scalar():
            yield path, path, _sample(kind)


def _sample(kind: Kind) -> Any:
    match kind:
        case Record():
            return {field.name: _sample(field.kind) for field in kind.fields}
        case MapOf():
            return {"a key": _sample(kind.value)}
        case ListOf():
            return [_sample(kind.item)]
        case Scalar():
            return {"str": "a text", "int": 12, "bool": True}[kind.name]
