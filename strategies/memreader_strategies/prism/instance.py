"""An instance of a schema: a tree whose leaves know the places they rest on.

Values are decoded strictly: a text that is no figure is no `int`. Containers are plain lists and
dicts that nobody changes once they are made; a revision copies them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from memreader.evidence import NO_INFORMATION, Evidence
from memreader_strategies.prism.schema import Kind, ListOf, MapOf, Record, Scalar, type_of

Value: TypeAlias = str | int | bool
Path: TypeAlias = tuple[str, ...]


class Unfit(ValueError):
    """A revision does not fit the schema or the memory; the message says why."""


class Idle(Unfit):
    """A revision that changes nothing: it says nothing, or what stands there already."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar of the memory."""

    value: Value
    evidence: tuple[Evidence, ...] = ()
    """The places it rests on; none where code found none."""
    since: int = 0
    """Index of the chunk at which it got this value."""


Node: TypeAlias = Leaf | dict[str, "Node"] | list["Node"] | None
"""None is a scalar field of a record that has no value yet."""


def empty(kind: Kind) -> Node:
    """The instance of a type before anything is known."""
    match kind:
        case Record():
            return {field.name: empty(field.kind) for field in kind.fields}
        case MapOf():
            return {}
        case ListOf():
            return []
        case Scalar():
            return None


def is_empty(node: Node) -> bool:
    """Whether nothing is known below here."""
    if isinstance(node, Leaf):
        return False
    return all(map(is_empty, node.values() if isinstance(node, dict) else node or ()))


def copied(node: Node) -> Node:
    """The same tree with containers of its own."""
    if isinstance(node, dict):
        return {key: copied(child) for key, child in node.items()}
    return [copied(child) for child in node] if isinstance(node, list) else node


def plain(node: Node) -> Any:
    """The tree as JSON values, without what has no value."""
    if isinstance(node, dict):
        return {key: plain(child) for key, child in node.items() if not is_empty(child)}
    if isinstance(node, list):
        return [plain(child) for child in node]
    return node.value if isinstance(node, Leaf) else None


def leaves(node: Node, path: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """All leaves with their paths, in order."""
    if isinstance(node, Leaf):
        yield path, node
    for step, child in _children(node):
        yield from leaves(child, (*path, step))


def _children(node: Node) -> Iterator[tuple[str, Node]]:
    if isinstance(node, dict):
        yield from node.items()
    elif isinstance(node, list):
        yield from ((str(i), child) for i, child in enumerate(node))


def mapped(node: Node, change: Callable[[Leaf], Leaf]) -> Node:
    """The same tree with each leaf changed."""
    if isinstance(node, dict):
        return {key: mapped(child, change) for key, child in node.items()}
    if isinstance(node, list):
        return [mapped(child, change) for child in node]
    return None if node is None else change(node)


# --- as text -------------------------------------------------------------------------------


def path_text(path: Path) -> str:
    """A path as a JSON pointer without its first slash."""
    return "/".join(step.replace("~", "~0").replace("/", "~1") for step in path)


def value_text(node: Node) -> str:
    """A value on one line: a text as it is, all else as JSON."""
    value = plain(node)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def entries(kind: Kind, node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """What the memory is made of: elements of lists and maps, and scalars of records."""
    if isinstance(kind, Record) and isinstance(node, dict):
        for field in kind.fields:
            yield from entries(field.kind, node[field.name], (*path, field.name))
    elif isinstance(node, Leaf):
        yield path, node
    else:
        yield from ((((*path, step)), child) for step, child in _children(node))


# --- decoding ------------------------------------------------------------------------------

_FIGURE = re.compile(r"[+-]?\d{1,18}")
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}


def built(kind: Kind, value: object) -> Node:
    """A value as an instance of a type: of JSON, or of the text that a line held.

    Raises Unfit.
    """
    match kind:
        case Scalar():
            return Leaf(_scalar(kind, value))
        case ListOf():
            items = _of_json(value)
            if not isinstance(items, list):
                raise Unfit(f"it needs a {type_of(kind)}, as JSON")
            return [built(kind.item, item) for item in items]
        case MapOf():
            told = _of_json(value)
            if not isinstance(told, Mapping):
                raise Unfit(f"it needs a {type_of(kind)}, as JSON")
            return {key_of(str(key)): built(kind.value, child) for key, child in told.items()}
        case Record():
            return _record(kind, _of_json(value))


def _record(kind: Record, told: object) -> Node:
    names = ", ".join(field.name for field in kind.fields)
    if not isinstance(told, Mapping):
        raise Unfit(f"it needs a JSON object with the fields {names}")
    found: dict[str, Node] = {field.name: empty(field.kind) for field in kind.fields}
    for key, child in told.items():
        field = kind.named(str(key))
        if field is None:
            raise Unfit(f"it has no field `{key}`; its fields are {names}")
        if child is not None and child != "":
            found[field.name] = built(field.kind, child)
    if is_empty(found):
        raise Unfit("it says nothing")
    return found


def _scalar(kind: Scalar, value: object) -> Value:
    text = _bare(value) if isinstance(value, str) else ""
    if NO_INFORMATION in text:
        raise Idle("it says nothing")
    if kind.name == "str" and text:
        return text
    if kind.name == "bool":
        if isinstance(value, bool):
            return value
        if text.casefold() in _TRUTH:
            return _TRUTH[text.casefold()]
    if kind.name == "int":
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if _FIGURE.fullmatch(text):
            return int(text)
    raise Unfit("it says nothing" if value == "" else f"it needs a {kind.name}")


def _bare(text: str) -> str:
    """A text on one line, out of its quotation marks: what is kept never reads as JSON again."""
    text = " ".join(text.split())
    while len(text) > 1 and text.startswith('"') and text.endswith('"'):
        try:
            text = " ".join(str(json.loads(text)).split())
        except json.JSONDecodeError:
            break
    return text


def is_list(value: object) -> bool:
    """Whether a value is a list, or a text that is one as JSON."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return isinstance(json.loads(value), list)
        except json.JSONDecodeError:
            return False
    return isinstance(value, list)


def _of_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        from json_repair import repair_json

        return repair_json(value, return_objects=True) if value.lstrip()[:1] in "[{" else value


def key_of(step: str) -> str:
    """A key of a map on one line; a colon before a space would end its path."""
    key = " ".join(re.sub(r":+(?=\s|$)|：", " ", step).split())
    if not key:
        raise Unfit("the key is empty")
    return key
