"""Prompts are Markdown files beside the strategy; values go in strictly, documents go in fenced.

A template is a `string.Template`; a name without a value and a value without a name are errors.
Whatever comes from a document (chunks, quotes, what a model wrote about them) is put between two
lines with a delimiter that an author of the document cannot know: it is derived from the hash of
the documents and the question, checked to be absent from the text, and constant in a run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from string import Template

from memreader.chunking import Chunk
from memreader.document import content_hash
from memreader.errors import MemreaderError


@dataclass(frozen=True, slots=True)
class Untrusted:
    """Text that came from a document, directly or through a model: it is always fenced."""

    text: str
    label: str = "passage"
    """Our own word for it ("chunk 12"); never taken from a document."""


Value = str | int | Chunk | Untrusted | Sequence[Chunk | Untrusted]


_LETTERS = str.maketrans("0123456789abcdef", "bcdfghjkmnpqrstv")


@dataclass(frozen=True, slots=True)
class Fence:
    """The delimiter of one run."""

    delimiter: str
    plain: bool = False
    """Bare delimiter lines: models below the labelled contract copy anything richer."""

    @classmethod
    def derived(cls, corpus: str, question: str, texts: Sequence[str] = ()) -> Fence:
        """From the documents' hash and the question; checked against the texts that are here."""
        for attempt in range(1000):
            digest = content_hash(f"{corpus}\n{attempt}\n{question}")[:10]
            # Letters: a small model that copies digits makes figures of them.
            delimiter = digest.translate(_LETTERS)
            if not any(delimiter in text for text in texts):
                return cls(delimiter)
        raise MemreaderError("No delimiter is absent from the documents.")

    def wrap(self, text: str, label: str) -> str:
        """The text between two delimiter lines, unchanged."""
        if self.delimiter in text:
            raise MemreaderError(
                f"The text of {label} holds the delimiter {self.delimiter} of this reading. "
                f"Ask the question in other words, which gives another delimiter."
            )
        if self.plain:
            return f"--- {self.delimiter}\n{text}\n--- {self.delimiter}"
        return f"<<<{self.delimiter} {label}>>>\n{text}\n<<<end {self.delimiter}>>>"

    def stripped(self, text: str) -> str:
        """A model's text without delimiters that it copied from its prompt, whole or in part."""
        if not any(mark in text for mark in (self.delimiter, "<<", "--")):
            return text.strip()
        whole = rf"<+(?:end )?{self.delimiter}[^\n>]*>*|(?:-+ *)?(?:end )?{self.delimiter}"
        lines = re.sub(whole, "", text).split("\n")
        return "\n".join(line for line in lines if not self._begun(line)).strip()

    def _begun(self, line: str) -> bool:
        """Whether a line is the beginning of a delimiter line, where a reply was cut in it."""
        mark = re.fullmatch(r"\s*(-{2,}|<{2,})\s*(?:end )?(\w*)\s*", line)
        if mark is None or (not mark[2] and not self.plain):
            return False
        return self.delimiter.startswith(mark[2])


def render(template: str, values: Mapping[str, Value], fence: Fence) -> str:
    """Fill a template. Raises MemreaderError for missing and for unused names."""
    parsed = Template(template)
    wanted, given = set(parsed.get_identifiers()), set(values)
    if wanted != given:
        raise MemreaderError(
            f"Prompt and values disagree: missing {sorted(wanted - given)}, "
            f"unused {sorted(given - wanted)}."
        )
    return parsed.substitute({name: _text(value, fence) for name, value in values.items()}).strip()


def _text(value: Value, fence: Fence) -> str:
    match value:
        case str():
            return value
        case int():
            return str(value)
        case Chunk():
            return fence.wrap(value.text, "passage")
        case Untrusted():
            return fence.wrap(value.text, value.label)
        case _:
            return "\n\n".join(_text(item, fence) for item in value)


@dataclass(frozen=True, slots=True)
class PromptFiles:
    """The templates of one strategy, by name."""

    templates: Mapping[str, str]

    @classmethod
    def of(cls, strategy: object) -> PromptFiles:
        """From the strategy's attribute `prompts`, else from `prompts/*.md` beside its module."""
        given = getattr(strategy, "prompts", None)
        if isinstance(given, Mapping):
            return cls(given)
        return cls(_files(type(strategy).__module__))

    def __getitem__(self, name: str) -> str:
        if name not in self.templates:
            raise MemreaderError(f"No prompt `{name}`; there are {sorted(self.templates)}.")
        return self.templates[name]

    def __contains__(self, name: str) -> bool:
        return name in self.templates

    def asked(self, question: str) -> str:
        """The question as prompts show it; without one, what the strategy asks in its place."""
        return question.strip() or self["query_free"].strip()

    @property
    def digest(self) -> str:
        """Hash over all templates: part of what an index and a run depend on."""
        return content_hash("\0".join(f"{n}\0{t}" for n, t in sorted(self.templates.items())))


@lru_cache(maxsize=64)
def _files(module: str) -> Mapping[str, str]:
    package = module if _is_package(module) else module.rpartition(".")[0]
    folder = resources.files(package) / "prompts" if package else None
    if folder is None or not folder.is_dir():
        return {}
    return {
        entry.name.removesuffix(".md"): entry.read_text(encoding="utf-8")
        for entry in sorted(folder.iterdir(), key=lambda e: e.name)
        if entry.name.endswith(".md")
    }


def _is_package(module: str) -> bool:
    import sys

    return hasattr(sys.modules.get(module), "__path__")


@lru_cache(maxsize=8)
def engine_prompt(name: str) -> str:
    """A prompt of the engine itself (the repair of a reply)."""
    return (resources.files("memreader") / "prompt_files" / f"{name}.md").read_text("utf-8")
