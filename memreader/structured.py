"""Typed replies: a shape, its contract in words, and a tolerant parser.

A shape is a pydantic model. It travels over one of three wire formats (DESIGN.md, section 3):
`schema` (the server enforces a JSON schema), `labelled` (one labelled section for each field)
and `plain` (free text for the principal field; code derives the rest).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, TypeVar, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from memreader.labels import begins, sections
from memreader.llm.base import Schema, Wire
from memreader.words import sentences, yes_or_no

S = TypeVar("S", bound="Shape")


@dataclass(frozen=True, slots=True)
class PlainForm:
    """How code fills a shape from a plain model's free text."""

    answer: str
    """The field that takes the free text."""
    evidence: str | None = None
    """The field that takes the best supporting sentence."""
    confidence: str | None = None
    """The field that takes the support, scaled to 0..5."""
    must_be_supported: bool = True
    """Whether an unsupported answer becomes the no-information marker."""
    max_tokens: int = 64
    """Cap on the free text: small models do not stop by themselves."""


class Shape(BaseModel):
    """Base of the shapes a strategy asks for. A field's title is its label on the wire."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    plain: ClassVar[PlainForm | None] = None
    """None: the shape has no plain form, and the strategy needs a capable model."""

    @classmethod
    def labels(cls) -> dict[str, str]:
        """Field name to label, in order."""
        return {
            name: info.title or name.replace("_", " ").title()
            for name, info in cls.model_fields.items()
        }


class Unparsed(Exception):
    """A reply does not give the shape; the message says why."""


@lru_cache(maxsize=64)
def contract(shape: type[Shape], wire: Wire) -> str:
    """The words that tell the model what form its reply must have."""
    if wire == "plain":
        return "Answer with a short phrase."
    described = {
        label: shape.model_fields[name].description or "" for name, label in shape.labels().items()
    }
    if wire == "schema":
        keys = "\n".join(
            f'- "{name}": {shape.model_fields[name].description or ""}' for name in shape.labels()
        )
        return f"Reply with one JSON object with these keys:\n{keys}"
    lines = "\n".join(f"{label}: {text}" for label, text in described.items())
    return (
        "Reply with these sections, in this order, each on a new line that starts with its "
        f"label and a colon, and nothing else:\n{lines}"
    )


@lru_cache(maxsize=64)
def json_schema(shape: type[Shape]) -> Schema:
    """The shape's JSON schema, closed and with every field required, as servers want it."""
    schema: dict[str, Any] = shape.model_json_schema()
    schema["required"] = list(shape.model_fields)
    schema["additionalProperties"] = False
    return schema


def shown(reply: Shape, wire: Wire) -> str:
    """A typed reply as later prompts show it: its sections, or a plain model's evidence."""
    form = reply.plain
    if wire == "plain" and form is not None:
        return str(getattr(reply, form.evidence or form.answer))
    labels = type(reply).labels().items()
    return "\n".join(f"{label}: {getattr(reply, name)}".strip() for name, label in labels)


_THOUGHT = re.compile(r"<(think|thinking|reasoning|thought)>.*?(?:</\1>|\Z)", re.DOTALL)
_CODE_FENCE = re.compile(r"^\s*```[\w-]*\n(.*?)\n?```\s*$", re.DOTALL)


def without_reasoning(text: str) -> str:
    """The text without think blocks and without one code fence around all of it."""
    bare = _THOUGHT.sub("", text).strip()
    if (fenced := _CODE_FENCE.match(bare)) is not None:
        return fenced.group(1).strip()
    return bare


def plain_text(text: str) -> str:
    """What a model says in plain text: inside the code fence, where chatter stands around one.

    A sentence that comes again is left out: small models repeat themselves up to their limit.
    """
    bare = without_reasoning(text)
    if (fenced := _ANY_FENCE.search(bare)) is not None and fenced[1].strip():
        bare = fenced[1].strip()
    said: dict[str, tuple[int, int]] = {}
    for start, end in sentences(bare):
        said.setdefault(" ".join(bare[start:end].casefold().split()), (start, end))
    if len(said) == sum(1 for _ in sentences(bare)):
        return bare
    return " ".join(bare[start:end] for start, end in said.values())


def parse(text: str, shape: type[S]) -> S:
    """Read a shape out of a reply, whichever of JSON and labels it uses.

    Raises Unparsed where a required field is missing or has no sensible value.
    """
    bare = without_reasoning(text)
    if not bare:
        raise Unparsed("the reply is empty")
    found = _fields(bare, shape)
    if not found and len(shape.model_fields) == 1:
        found = {next(iter(shape.model_fields)): bare}
    try:
        return shape.model_validate(_typed(found, shape))
    except ValidationError as error:
        labels = shape.labels()
        wrong = ", ".join(
            labels.get(str(e["loc"][0]), "?") if e["loc"] else "?" for e in error.errors()
        )
        raise Unparsed(f"no usable value for: {wrong}") from error


def _fields(bare: str, shape: type[Shape]) -> Mapping[str, Any]:
    """Fields by label, or from a JSON object; whichever begins first is the model's own form.

    The other is then a quote: of a document that holds JSON, or lines that look like labels.
    """
    labels = shape.labels()
    inside = _inside_fence(bare, next(iter(labels.values())))
    found = sections(inside, labels)
    opened = inside.find("{")
    if len(found.texts) > 1 and (opened < 0 or found.start < opened):
        return found.texts
    return _json(bare, shape) or found.texts


_DEEPEST = 64
"""Levels of JSON beyond which a reply is noise, on which parsers run out of stack or of time."""


def _json(text: str, shape: type[Shape]) -> dict[str, Any]:
    start = text.find("{")
    if start < 0 or (start > 0 and '"' not in text[start : start + 40]):
        return {}
    if _depth(text) > _DEEPEST:
        return {}
    from json_repair import repair_json

    data = repair_json(text[start:], return_objects=True)
    if isinstance(data, list):
        data = next((item for item in data if isinstance(item, dict)), {})
    if not isinstance(data, dict):
        return {}
    by_label = {label.casefold(): name for name, label in shape.labels().items()}
    named = {by_label.get(str(key).casefold(), str(key)): value for key, value in data.items()}
    known = {name: value for name, value in named.items() if name in shape.model_fields}
    if not known and len(data) == 1:  # {"reply": {...}}
        return _json(json.dumps(*data.values()), shape)
    return known


def _depth(text: str) -> int:
    """The most brackets open at once, whether or not they are closed."""
    depth = deepest = 0
    for bracket in _BRACKET.findall(text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


_BRACKET = re.compile(r"[\[\]{}]")
_ANY_FENCE = re.compile(r"^[ \t]*```[\w-]*[ \t]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)


def _inside_fence(text: str, first_label: str) -> str:
    """The code fence that holds the whole form, where chatter stands around it.

    A fence inside a field, as of extracted code, does not hold the first label.
    """
    for match in _ANY_FENCE.finditer(text):
        if begins(match[1], first_label):
            return match[1]
    return text


_FIGURE = re.compile(r"-?\d+(?:[.,]\d+)?")


def _typed(found: Mapping[str, Any], shape: type[Shape]) -> dict[str, Any]:
    return {
        name: _value(value, shape.model_fields[name].annotation) for name, value in found.items()
    }


def _value(value: Any, annotation: Any) -> Any:
    """A section's text as the field's type: the first figure of "4.5 / 5", lines of a list."""
    if annotation in (float, int) and isinstance(value, str):
        if (figure := _FIGURE.search(value)) is None:
            return value
        number = float(figure.group().replace(",", "."))  # in whatever script's digits
        return int(number) if number.is_integer() else number
    if annotation is bool and isinstance(value, str):
        said = yes_or_no(value)
        return value if said is None else said
    if annotation is str and not isinstance(value, str):
        return "\n".join(map(str, value)) if isinstance(value, list) else str(value or "")
    if get_origin(annotation) is list and isinstance(value, str):
        return [line.strip(" -*•") for line in value.splitlines() if line.strip(" -*•")]
    return value
