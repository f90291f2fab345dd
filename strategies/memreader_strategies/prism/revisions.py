"""Revisions: what the model may propose, read from lines or from JSON, and carried out by path."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from memreader.evidence import says_not_found
from memreader_strategies.prism.instance import (
    Idle,
    Node,
    Path,
    Unfit,
    built,
    copied,
    empty,
    is_empty,
    is_list,
    key_of,
    plain,
)
from memreader_strategies.prism.schema import Kind, ListOf, MapOf, Record


@dataclass(frozen=True, slots=True)
class Revision:
    """One proposed change."""

    op: str
    """`add`, `update` or `delete`; "" where what was said is no revision."""
    path: Path
    value: object
    said: str
    """As the model wrote it."""


# --- reading a reply -----------------------------------------------------------------------

_OPS = {
    "add": "add", "append": "add", "insert": "add", "update": "update", "replace": "update",
    "set": "update", "delete": "delete", "remove": "delete",
}  # fmt: skip
_LINE = re.compile(
    rf"^[\s\-*•>`\d.)]*?(?P<op>\b(?:{'|'.join(_OPS)})\b)[*_`]*:?\s+(?P<path>.+?)\s*"
    r"(?:(?::\s+|：\s*)(?P<value>.+)|[:：]?)$",
    re.IGNORECASE,
)
_WITHOUT_OP = re.compile(r"^[\s\-*•>]*(?P<path>\w+(?:/[^:]+)+?)\s*:\s+(?P<value>.+)$")
_JSON = re.compile(r"[\"']?op[\"']?\s*:\s*[\"']")
_NOTHING = re.compile(
    r"""^[\s\-*•.()\[\]"'`]*(?:(?:(?:add|update)\W+)?(?:none|nothing|no\s(?:new\s)?(?:revisions?|
    changes?)(?:\s(?:are\s)?needed)?)|(?:the|this)\s(?:passage|text)\s(?:tells|says|has|holds|
    contains|adds)\snothing\b.*)?[\s\-*•.()\[\]"'`]*$""",
    re.IGNORECASE | re.VERBOSE,
)


def proposed(told: object) -> list[Revision]:
    """The revisions in a reply: lines, or a JSON list of {op, path, value}, or such a list."""
    if isinstance(told, list):
        if all(isinstance(item, str) for item in told):
            return proposed("\n".join(told))
        return [r for item in told for r in _item(item)]
    text = told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)
    if _JSON.search(text) and not any(map(_LINE.match, text.splitlines())):
        from json_repair import repair_json

        start = min(i for i in (text.find("["), text.find("{"), len(text)) if i >= 0)
        data = repair_json(text[start:], return_objects=True)
        return [r for item in (data if isinstance(data, list) else [data]) for r in _item(item)]
    return [r for line in _joined(text) for r in _of_line(line)]


def says_nothing(told: object) -> bool:
    """Whether a reply proposes nothing, which is legal and common."""
    if isinstance(told, str):
        return _NOTHING.match(told) is not None or says_not_found(told)
    return not told or (isinstance(told, list) and all(isinstance(i, str) for i in told) and
                        says_nothing("\n".join(told)))  # fmt: skip


def _item(item: object) -> Iterator[Revision]:
    if isinstance(item, str):
        yield from _of_line(item)
    elif isinstance(item, Mapping) and isinstance(item.get("revisions"), list):
        yield from proposed(item["revisions"])
    elif isinstance(item, Mapping):
        op = _OPS.get(str(item.get("op", item.get("operation", ""))).casefold(), "")
        said = json.dumps(item, ensure_ascii=False, default=str)
        yield Revision(op, segments(item.get("path", "")), item.get("value"), said)
    else:
        yield Revision("", (), None, str(item))


def _joined(text: str) -> list[str]:
    """Lines; JSON that goes on over several of them stands on one."""
    lines: list[str] = []
    for line in text.splitlines():
        if lines and (lines[-1].count("{") > lines[-1].count("}")) and not _LINE.match(line):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


def _of_line(line: str) -> Iterator[Revision]:
    match = _LINE.match(line)
    if match is not None:
        op, path, value = _OPS[match["op"].casefold()], match["path"], match["value"]
        if value is None and op != "delete":
            path, _, value = path.partition(":")
        if value or not says_nothing(path):
            yield Revision(op, segments(path), value, line.strip())
    elif says_nothing(line) or line.strip().startswith("```"):
        return
    elif (bare := _WITHOUT_OP.match(line)) is not None:  # small models often leave the word out
        yield Revision("add", segments(bare["path"]), bare["value"], line.strip())
    elif not line.rstrip().endswith(":"):
        yield Revision("", (), None, line.strip())


def segments(path: object) -> Path:
    """The steps of a path, of a list or of a JSON pointer with or without its first slash."""
    if isinstance(path, list | tuple):
        return tuple(" ".join(str(step).split()) for step in path)
    text = str(path).strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "`\"'":
        text = text[1:-1].strip()
    text = text.removeprefix("#").removeprefix("/")
    steps = [s.replace("~1", "/").replace("~0", "~").strip() for s in text.split("/")]
    return tuple(steps) if any(steps) else ()


# --- carrying one out ----------------------------------------------------------------------


class Change(NamedTuple):
    """What a revision did: the new tree, the path it went to, the value there and before."""

    tree: Node
    path: Path
    new: Node
    old: Node


def carried_out(schema: Record, tree: Node, revision: Revision) -> Change:
    """Carry one revision out. Raises Unfit, and then nothing is changed."""
    if revision.op not in ("add", "update", "delete"):
        raise Unfit("it is no revision")
    if not revision.path:
        raise Unfit("it has no path")
    tree = copied(tree)
    kind, parent, path = _parent(schema, tree, revision)
    step, done = revision.path[-1], _ACTS[revision.op]
    if isinstance(kind, Record):
        field = kind.named(step)
        if field is None:
            raise Unfit(_no_field(kind, step))
        if revision.op == "delete":
            old, parent[field.name] = parent[field.name], empty(field.kind)
            return Change(tree, (*path, field.name), None, old)
        return done(tree, (*path, field.name), field.kind, parent, revision.value)
    if isinstance(kind, MapOf):
        return done(tree, (*path, _key(parent, step)), kind.value, parent, revision.value)
    if isinstance(kind, ListOf):
        index = str(len(parent)) if step == "-" else step.lstrip("0") or "0"
        return done(tree, (*path, index), kind.item, parent, revision.value)
    raise Unfit(f"`{'/'.join(path)}` is a single value: nothing stands below it")


def _parent(schema: Record, tree: Node, revision: Revision) -> tuple[Kind, Any, Path]:
    """Type, node and path of what holds the path's last step.

    An addition makes the keys of maps on its way.
    """
    kind: Kind = schema
    node: Any = tree
    path: Path = ()
    for wanted in revision.path[:-1]:
        step = wanted
        match kind:
            case Record():
                field = kind.named(step)
                if field is None:
                    raise Unfit(_no_field(kind, step))
                kind, step = field.kind, field.name
            case MapOf():
                step = _key(node, step)
                kind = kind.value
                if step not in node:
                    if revision.op != "add":
                        raise Unfit(f"there is no `{step}`")
                    node[step] = empty(kind)
            case ListOf():
                _index(node, step)
                kind = kind.item
        node = node[int(step)] if isinstance(node, list) else node[step]
        path = (*path, step)
        if not isinstance(node, dict | list):
            raise Unfit(f"`{'/'.join(path)}` is a single value: nothing stands below it")
    return kind, node, path


def _add(tree: Node, path: Path, kind: Kind, parent: Any, value: object) -> Change:
    step = path[-1]
    if isinstance(parent, list):
        if step != str(len(parent)):
            raise Unfit("there is an entry at this place already; add to the list itself")
        parent.append(built(kind, value))
        return Change(tree, path, parent[-1], None)
    there = parent.get(step)
    several = is_list(value)
    if isinstance(kind, ListOf) and not (there is None and several):
        if several and not isinstance(kind.item, ListOf):
            raise Unfit("it is a list: add one entry at a time")
        row = there if there is not None else []
        new = built(kind.item, value)
        if plain(new) in plain(row):
            raise Idle("it stands there already")
        parent[step] = [*row, new]
        return Change(tree, (*path, str(len(row))), new, None)
    if there is not None and not (isinstance(kind, Record) and is_empty(there)):
        if isinstance(kind, MapOf):
            raise Unfit("it is a map: its path needs a key")
        if plain(built(kind, value)) == plain(there):
            raise Idle("it stands there already")
        raise Unfit("there is a value already; it can be updated")
    parent[step] = built(kind, value)
    return Change(tree, path, parent[step], None)


def _update(tree: Node, path: Path, kind: Kind, parent: Any, value: object) -> Change:
    step: Any = _index(parent, path[-1]) if isinstance(parent, list) else path[-1]
    if isinstance(parent, dict) and step not in parent:
        raise Unfit("there is nothing to update; it can be added")
    old, parent[step] = parent[step], built(kind, value)
    if plain(parent[step]) == plain(old):
        raise Idle("it stands there already")
    return Change(tree, path, parent[step], old)


def _delete(tree: Node, path: Path, kind: Kind, parent: Any, value: object) -> Change:
    step: Any = _index(parent, path[-1]) if isinstance(parent, list) else path[-1]
    if isinstance(parent, dict) and step not in parent:
        raise Unfit("there is nothing to delete")
    old = parent.pop(step)
    return Change(tree, path, None, old)


_ACTS = {"add": _add, "update": _update, "delete": _delete}


def _key(node: Mapping[str, Node], step: str) -> str:
    """The key that is there already in another case, else the step as a key of its own."""
    key = key_of(step)
    if key in node:
        return key
    return next((k for k in node if k.casefold() == key.casefold()), key)


def _index(node: list[Node], step: str) -> int:
    if not step.isdecimal() or not int(step) < len(node):
        raise Unfit(f"there is no entry `{step}` in this list of {len(node):,}")
    return int(step)


def _no_field(kind: Record, step: str) -> str:
    return f"there is no field `{step}`; there are {', '.join(f.name for f in kind.fields)}"
