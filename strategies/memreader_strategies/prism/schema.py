"""The schema language: a typed hierarchy with one line of meaning for each field.

    characters: map[str, record]  # name -> what is told of the person
      role: str  # what the person does
    events: list[str]  # what happens, in order

Types are `str`, `int`, `bool`, `list[...]`, `map[str, ...]` and `record`, whose fields stand
indented below. The same can be given as JSON, or as a pydantic model class.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

from pydantic import BaseModel

DEEPEST = 6
"""Levels of a schema at most: deeper paths are beyond what models write right."""
WIDEST = 40
"""Fields of a record at most."""


class SchemaFault(ValueError):
    """A text is no schema; the message says why."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value."""

    name: Literal["str", "int", "bool"]


@dataclass(frozen=True, slots=True)
class ListOf:
    """Values of one type, in the order in which they were added."""

    item: Kind


@dataclass(frozen=True, slots=True)
class MapOf:
    """Values of one type by key; keys are texts."""

    value: Kind


@dataclass(frozen=True, slots=True)
class Field:
    """A named field with its meaning."""

    name: str
    kind: Kind
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """Named fields, in order; a schema is the record at the root."""

    fields: tuple[Field, ...]

    def named(self, name: str) -> Field | None:
        """The field of this name, whatever its case."""
        wanted = "_".join(name.split()).casefold()
        return next((f for f in self.fields if f.name.casefold() == wanted), None)


Kind: TypeAlias = Union[Scalar, ListOf, MapOf, Record]  # noqa: UP007 - the classes come in a ring


# --- from text and JSON --------------------------------------------------------------------

_LINE = re.compile(
    r"^(?P<indent> *)(?:[-*] )?(?P<name>[A-Za-z]\w*)\s*:\s*(?P<type>[^#]+?)\s*"
    r"(?:#\s*(?P<meaning>.*))?$"
)
_FENCED = re.compile(r"```[\w-]*\n(.*?)(?:```|\Z)", re.DOTALL)
_ALIASES = {
    "string": "str", "text": "str", "integer": "int", "boolean": "bool", "object": "record",
}  # fmt: skip


@lru_cache(maxsize=32)
def parsed(text: str) -> Record:
    """A schema from its text or JSON form, in a code fence or bare.

    Raises SchemaFault.
    """
    fenced = _FENCED.search(text)
    bare = (fenced[1] if fenced else text).strip("\n")
    if bare.lstrip().startswith("{"):
        try:
            return _sound(Record(_of_json(json.loads(bare))))
        except json.JSONDecodeError as error:
            raise SchemaFault(f"the JSON cannot be read: {error}") from error
    lines = [_line(line) for line in bare.expandtabs(2).splitlines() if line.strip()]
    if not lines:
        raise SchemaFault("there are no fields")
    fields, rest = _block(lines, len(lines[0]["indent"]))
    if rest:
        raise SchemaFault(f"`{rest[0][0].strip()}` is indented under nothing")
    return _sound(Record(fields))


def _line(line: str) -> re.Match[str]:
    match = _LINE.match(line.rstrip())
    if match is None:
        raise SchemaFault(f"`{line.strip()[:80]}` is not of the form `name: type  # meaning`")
    return match


def _block(
    lines: Sequence[re.Match[str]], indent: int
) -> tuple[tuple[Field, ...], Sequence[re.Match[str]]]:
    """The fields at one depth of indentation, and the lines after them."""
    fields = []
    while lines and len(lines[0]["indent"]) == indent:
        head, lines = lines[0], lines[1:]
        inner: tuple[Field, ...] = ()
        if lines and len(lines[0]["indent"]) > indent:
            inner, lines = _block(lines, len(lines[0]["indent"]))
        kind = _kind(head["type"], inner)
        fields.append(Field(head["name"], kind, " ".join((head["meaning"] or "").split())))
    return tuple(fields), lines


def _kind(text: str, inner: tuple[Field, ...]) -> Kind:
    text = text.strip()
    if (of := re.fullmatch(r"list\[(.+)\]", text)) is not None:
        return ListOf(_kind(of[1], inner))
    if (of := re.fullmatch(r"(?:map|dict)\[\s*(?:str|string)\s*,(.+)\]", text)) is not None:
        return MapOf(_kind(of[1], inner))
    name = _ALIASES.get(text, text)
    if name == "record":
        if not inner:
            raise SchemaFault("a `record` needs fields, indented below it")
        return Record(inner)
    if inner:
        raise SchemaFault(f"fields stand below a `{text}`, which is no record")
    match name:
        case "str" | "int" | "bool":
            return Scalar(name)
    raise SchemaFault(
        f"there is no type `{text}`; there are str, int, bool, list[...], map[str, ...], record"
    )


def _of_json(fields: object) -> tuple[Field, ...]:
    """`{"name": "type"}`, or `{"name": {"type": ..., "meaning": ..., "fields": {...}}}`."""
    if not isinstance(fields, Mapping):
        raise SchemaFault("fields are a JSON object, by name")
    found = []
    for name, value in fields.items():
        about = value if isinstance(value, Mapping) else {"type": value}
        inner = _of_json(about["fields"]) if about.get("fields") else ()
        kind = _kind(str(about.get("type", "record" if inner else "")), inner)
        found.append(Field(str(name), kind, " ".join(str(about.get("meaning", "")).split())))
    return tuple(found)


def _sound(record: Record, depth: int = 1) -> Record:
    """The record, checked: names once, neither too deep nor too wide."""
    names = [field.name for field in record.fields]
    if not 0 < len(names) <= WIDEST:
        raise SchemaFault(f"a record has {len(names):,} fields; it may have 1 to {WIDEST}")
    if wrong := [n for n in names if not re.fullmatch(r"[A-Za-z]\w*", n)]:
        raise SchemaFault(f"`{wrong[0]}` is no name of a field")
    if len({n.casefold() for n in names}) < len(names):
        raise SchemaFault("a field is named twice")
    for field in record.fields:
        kind, level = field.kind, depth
        while not isinstance(kind, Scalar) and level < DEEPEST:
            level += 1
            if isinstance(kind, Record):
                _sound(kind, level)
                break
            kind = kind.item if isinstance(kind, ListOf) else kind.value
        if level >= DEEPEST:
            raise SchemaFault(f"`{field.name}` is nested deeper than {DEEPEST} levels")
    return record


# --- from a pydantic model, and to text ----------------------------------------------------

_SCALARS = {str: Scalar("str"), int: Scalar("int"), bool: Scalar("bool")}


def from_model(model: type[BaseModel]) -> Record:
    """A schema from a pydantic model class; descriptions become meanings.

    Raises SchemaFault where a field has a type that the language lacks.
    """
    return _sound(_record_of(model, 1))


def _record_of(model: type[BaseModel], depth: int) -> Record:
    if depth > DEEPEST:
        raise SchemaFault(f"`{model.__name__}` is nested deeper than {DEEPEST} levels")
    return Record(
        tuple(
            Field(name, _of_annotation(info.annotation, depth), info.description or "")
            for name, info in model.model_fields.items()
        )
    )


def _of_annotation(told: Any, depth: int) -> Kind:
    origin = get_origin(told)
    inner = [a for a in get_args(told) if a is not type(None)]
    if told in _SCALARS:
        return _SCALARS[told]
    if isinstance(told, type) and issubclass(told, BaseModel):
        return _record_of(told, depth + 1)
    if origin is list:
        return ListOf(_of_annotation(inner[0], depth + 1))
    if origin is dict and inner[0] is str:
        return MapOf(_of_annotation(inner[1], depth + 1))
    if origin is Literal and all(isinstance(a, str) for a in inner):
        return Scalar("str")
    if origin is not None and len(inner) == 1 and origin is not Literal:  # Optional, Annotated
        return _of_annotation(inner[0], depth)
    raise SchemaFault(f"the schema language has no type for `{told}`")


def told(record: Record, indent: str = "") -> str:
    """The schema's text: the same schema always gives the same text."""
    lines = []
    for field in record.fields:
        meaning = f"  # {field.meaning}" if field.meaning else ""
        lines.append(f"{indent}{field.name}: {type_of(field.kind)}{meaning}")
        if inner := _record_in(field.kind):
            lines.append(told(inner, indent + "  "))
    return "\n".join(lines)


def type_of(kind: Kind) -> str:
    """A type as the language writes it."""
    match kind:
        case Scalar():
            return kind.name
        case ListOf():
            return f"list[{type_of(kind.item)}]"
        case MapOf():
            return f"map[str, {type_of(kind.value)}]"
        case Record():
            return "record"


def _record_in(kind: Kind) -> Record | None:
    match kind:
        case ListOf():
            return _record_in(kind.item)
        case MapOf():
            return _record_in(kind.value)
        case Record():
            return kind
        case Scalar():
            return None
