"""A model that answers only from what its prompt shows: see `memreader.testing`."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from memreader.document import content_hash
from memreader.evidence import NO_INFORMATION
from memreader.fakes.counter import reply_to
from memreader.fakes.navigating import Navigation
from memreader.fakes.walking import action, kept
from memreader.llm.base import Reply, Request

_MARKER = re.compile(
    r"^<<<(?P<delimiter>[b-v]{10}) (?P<label>[^\n]*)>>>\n(?P<text>.*?)\n<<<end (?P=delimiter)>>>$",
    re.DOTALL | re.MULTILINE,
)


@dataclass
class Oracle:
    """Answers only from what its prompt shows, by the facts it knows how to recognise.

    `facts` maps a question to the sentence that answers it and the answer in it. Of a prompt it
    sees the fenced material alone: if a sentence stands there, it quotes and answers; else it
    says that there is no information. With `miss` it overlooks what is there at that rate, and
    writes something else into a memory instead, as a model does that forgets; with
    `invent` it makes an answer up, with a quote that stands nowhere. Both draws depend on the
    seed and the prompt alone, so that equal readings stay equal.
    """

    facts: Mapping[str, tuple[str, str]]
    """Question -> (sentence in the document, answer in that sentence)."""
    miss: float = 0.0
    invent: float = 0.0
    seed: int = 0
    requests: list[Request] = field(default_factory=list)

    async def complete(self, request: Request) -> Reply:
        """Answer in the form that the prompt's contract asks for."""
        self.requests.append(request)
        return reply_to(request, self.said(request.text, schema=request.schema is not None))

    def said(self, prompt: str, *, schema: bool = False) -> str:
        """The text of the answer to a prompt: for servers that speak for the oracle."""
        question = next((q for q in self.facts if q in prompt), None)
        seen = self._look(question, prompt)
        navigation = self._navigation(question, prompt, seen)
        return _in_form(prompt, seen, navigation, schema=schema)

    def _navigation(self, question: str | None, prompt: str, seen: _Seen) -> Navigation:
        shown = [m["text"] for m in _MARKER.finditer(prompt)] or [prompt]
        sentences = [sentence for sentence, _ in self.facts.values()]
        found = seen.quote if seen.quote in sentences else ""
        return Navigation(question or "", sentences, found, shown)

    def _look(self, question: str | None, prompt: str) -> _Seen:
        marked = list(_MARKER.finditer(prompt))
        shown = [m["text"] for m in marked] or [prompt]
        material = "\n".join(shown)
        draw = random.Random(content_hash(f"{self.seed}\n{material}"))
        beside = NO_INFORMATION
        if question is None:
            beside = kept([sentence for sentence, _ in self.facts.values()], material)
        else:
            sentence, answer = self.facts[question]
            if _squeezed(sentence) in _squeezed(material):
                if draw.random() >= self.miss:
                    holding = (m for m in marked if _squeezed(sentence) in _squeezed(m["text"]))
                    number = next((_NUMBER.search(m["label"]) for m in holding), None)
                    return _Seen(sentence, answer, sentence, number.group() if number else "1")
                beside = next(
                    (s for s in shown[-1].splitlines() if sentence not in s), NO_INFORMATION
                )
        if draw.random() < self.invent:
            quote = "It was written nowhere that the heron left at noon."
            return _Seen(quote, "Zanthor Quill", quote, "97")
        return _Seen("none", NO_INFORMATION, beside)


class _Seen(NamedTuple):
    """What the oracle makes of a prompt."""

    quote: str
    answer: str
    noted: str
    """What it writes into a memory: when it overlooks the sentence, something beside it."""
    number: str = "none"
    """The number of the passage that holds the sentence, by its label."""


def _squeezed(text: str) -> str:
    return " ".join(text.split())


_ADDITION = {
    False: re.compile(r"^ADD .*\ba text\b.*$", re.MULTILINE),
    True: re.compile(r'^\{"op": "add", .*\ba text\b.*\}$', re.MULTILINE),
}


def _revision(head: str, quote: str, *, schema: bool = False) -> str:
    """The first addition of a text that the prompt's forms offer, with the quote in its place."""
    form = _ADDITION[schema].search(head)
    facts = '{"op": "add", "path": ["facts", "a key"], "value": "a text"}'
    shown = form[0] if form else facts if schema else "ADD facts/a key: a text"
    told = shown.replace("a key", "needle")
    if schema:  # a value that is no text is JSON inside JSON
        revision = json.loads(told)
        revision["value"] = _told(revision["value"], quote)
        return json.dumps(revision, ensure_ascii=False)
    path, _, value = told.partition(": ")
    return f"{path}: {_told(value, quote)}"


def _told(value: str, quote: str) -> str:
    as_json = value.lstrip().startswith(("{", "[", '"'))
    return value.replace(
        "a text", json.dumps(quote, ensure_ascii=False)[1:-1] if as_json else quote
    )


_NUMBER = re.compile(r"\d+")
_LABEL = re.compile(r"^(?P<name>[A-Z][A-Za-z ]{2,30}): (?P<told>.+)$", re.MULTILINE)
_KEY = re.compile(r'^- "(?P<name>\w+)": (?P<told>.*)$', re.MULTILINE)


def _in_form(prompt: str, seen: _Seen, navigation: Navigation, *, schema: bool) -> str:
    """The oracle's reply in the labelled or JSON form that the contract lists."""
    quote, answer, noted, number = seen
    known = answer != NO_INFORMATION
    head = prompt.split("<<<", 1)[0]

    def value(field: re.Match[str]) -> str:
        name = field["name"].casefold().replace("_", " ")
        if (moved := navigation.told(field["told"])) is not None:
            return moved
        for words, told, nothing in (
            (("confidence",), "5", "0"),
            (("passage numbers",), number, "none"),
            (("relevant", "useful", "enough", "new"), "yes", "no"),
            (("plan", "recall"), "none", "none"),
            (("revisions",), _revision(head, quote), "none"),
            (("information", "code", "evidence"), f"- {quote}", "none"),
            (("notes", "memory", "notebook", "summary"), noted, noted),
            (("rationale", "reasoning", "analysis"), "It is stated.", "Nothing is stated."),
        ):
            if any(word in name for word in words):
                return told if known else nothing
        return action(prompt, quote if known else None) if "action" in name else answer

    if schema:
        listed = [json.loads(_revision(head, quote, schema=True))] if known else []
        return json.dumps(
            {
                field["name"]: listed if field["name"] == "revisions" else value(field)
                for field in _KEY.finditer(head)
            }
        )
    asked = head.rpartition("Reply with these sections")[2] if "Reply with these" in head else ""
    fields = list(_LABEL.finditer(asked.split("\n\n", 1)[0]))
    return "\n".join(f"{field['name']}: {value(field)}" for field in fields) or answer
