"""memreader answers questions about documents longer than a model's window, with evidence.

    import memreader

    answer = memreader.ask("report.pdf", "Who signed it?")
    print(answer.text, answer.citations)

Everything here is loaded on first use, so that `import memreader` costs almost nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from memreader.answer import Answer, Citation, Coverage, Draft
    from memreader.api import aask, abuild, ask, build, open_reader
    from memreader.budget import Limits
    from memreader.built import Built
    from memreader.document import Corpus, Document, Span
    from memreader.errors import MemreaderError
    from memreader.reader import Reader
    from memreader.strategy import available, load

_HOMES = {
    "Answer": "answer",
    "Citation": "answer",
    "Coverage": "answer",
    "Draft": "answer",
    "aask": "api",
    "abuild": "api",
    "ask": "api",
    "build": "api",
    "open_reader": "api",
    "Limits": "budget",
    "Built": "built",
    "Corpus": "document",
    "Document": "document",
    "Span": "document",
    "MemreaderError": "errors",
    "Reader": "reader",
    "available": "strategy",
    "load": "strategy",
}

__all__ = [
    "Answer",
    "Built",
    "Citation",
    "Corpus",
    "Coverage",
    "Document",
    "Draft",
    "Limits",
    "MemreaderError",
    "Reader",
    "Span",
    "aask",
    "abuild",
    "ask",
    "available",
    "build",
    "load",
    "open_reader",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'memreader' has no attribute {name!r}")
    return getattr(import_module(f"memreader.{_HOMES[name]}"), name)
