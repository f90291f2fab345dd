"""One HTML file with all that it needs inside: drawing library, style, script and data.

Titles and texts come from documents, which are untrusted. They are carried as JSON in which no
tag can stand, the script puts them on the page as text alone, and a policy in the page lets
nothing run but the two scripts whose hashes it names, and nothing be loaded from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any

from memreader.about import own_version


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be drawn."""

    kind: str
    """`graph` or `tree`."""
    title: str
    notes: tuple[str, ...]
    """What is drawn, what was left out, and who made it: shown in the page."""
    data: dict[str, Any]


def page_of(picture: Picture) -> str:
    """The picture as a page that a browser opens from a file."""
    library = _part("vendor/force-graph.min.js")
    script = "\n".join(_part(f"page/{name}.js") for name in ("panel", picture.kind, "picture"))
    data = {"kind": picture.kind, "notes": list(picture.notes), **picture.data}
    return Template(_part("page/page.html")).substitute(
        policy=_policy(library, script),
        title=html.escape(picture.title),
        kind=html.escape(picture.kind),
        style=_part("page/style.css"),
        library=library,
        script=script,
        data=_embedded(data),
        version=html.escape(own_version()),
    )


def _part(name: str) -> str:
    return (files("memreader.pictures") / name).read_text("utf-8").replace("\r\n", "\n")


def _policy(*scripts: str) -> str:
    """Nothing from any network, and no script but these."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'"
        for s in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        f"base-uri 'none'; form-action 'none'"
    )


def _embedded(data: dict[str, Any]) -> str:
    """JSON that ends no script element, begins no comment, and is valid in any script."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text
