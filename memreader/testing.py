"""Fakes at memreader's own seams, to test information flow. Part of the product.

`Oracle` is a model that answers only from what its prompt shows it: if the needle reached the
last prompt, the answer is right. `Scripted` plays a queue of replies; `Recorded` replays a file.
`MisbehavingServer` is a real server on loopback with one defect at a time. The contract suite
that every strategy has to pass, ours or a stranger's, is in `memreader.contract`.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from memreader.document import content_hash
from memreader.errors import MemreaderError
from memreader.evidence import NO_INFORMATION
from memreader.llm.base import FREE, LLM, Model, Price, Reply, Request, TokenCounter, Usage, Wire
from memreader.llm.retry import RetryPolicy
from memreader.memory.embedding import Fingerprint, Vector
from memreader.testing_server import Defect, MisbehavingServer
from memreader.words import content_words

__all__ = [
    "Defect",
    "MisbehavingServer",
    "Oracle",
    "Recorded",
    "Recorder",
    "Scripted",
    "WordCounter",
    "WordEmbedder",
    "a_model",
]


@dataclass(frozen=True, slots=True)
class WordCounter:
    """A tokenizer that a person can follow: one token for each word, or six characters of one."""

    exact: bool = True
    name: str = "words"

    def count(self, text: str) -> int:
        """Words, long ones counted for each six characters begun."""
        return sum(-(-len(word) // 6) for word in text.split())


@dataclass(frozen=True, slots=True)
class WordEmbedder:
    """An embedding that a person can follow: texts are as near as the words they share."""

    dimension: int = 256

    @property
    def fingerprint(self) -> Fingerprint:
        """Vectors of word counts, each word at the place its hash gives it."""
        return Fingerprint("words", self.dimension)

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        """Counts of content words, at length 1; a text without any points away from all."""
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> Vector:
        counts = [0.0] * self.dimension
        for word in content_words(text):
            counts[1 + int(content_hash(word)[:8], 16) % (self.dimension - 1)] += 1
        counts[0] = 0.0 if any(counts) else 1.0
        length = sum(c * c for c in counts) ** 0.5
        return [c / length for c in counts]


def a_model(
    llm: LLM,
    *,
    window: int = 4096,
    wire: Wire = "labelled",
    concurrency: int = 4,
    price: Price | None = FREE,
    counter: TokenCounter | None = None,
) -> Model:
    """A model for tests around any `LLM`."""
    return Model(
        "test:model",
        llm,
        counter or WordCounter(),
        window,
        wire=wire,
        price=price,
        concurrency=concurrency,
        retry=RetryPolicy(base=0.0),
    )


Script = str | Reply | Exception | Callable[[Request], str]


@dataclass
class Scripted:
    """Plays replies in order; keeps the requests. A test that asks for more fails loudly."""

    replies: Iterable[Script]
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._left = iter(self.replies)

    async def complete(self, request: Request) -> Reply:
        """The next reply of the script; an exception in it is raised."""
        self.requests.append(request)
        reply = next(self._left, None)
        if reply is None:
            raise MemreaderError(f"The script is over at call {len(self.requests)}.")
        if isinstance(reply, Exception):
            raise reply
        if callable(reply):
            reply = reply(request)
        return reply if isinstance(reply, Reply) else _reply(request, reply)


@dataclass
class Recorded:
    """Replays replies by request, from a JSON file that `Recorder` wrote."""

    path: Path

    def __post_init__(self) -> None:
        self._replies: dict[str, dict[str, object]] = json.loads(self.path.read_text("utf-8"))

    async def complete(self, request: Request) -> Reply:
        """The recorded reply to this very request."""
        key = request.key("recorded")
        if key not in self._replies:
            raise MemreaderError(
                f"{self.path} has no reply to {request.text[:80]!r}... Record it anew."
            )
        kept = dict(self._replies[key])
        return Reply(str(kept["text"]), Usage(**kept["usage"]))  # type: ignore[arg-type]


@dataclass
class Recorder:
    """Wraps a real model and writes what it answers, for `Recorded`."""

    llm: LLM
    path: Path
    _replies: dict[str, dict[str, object]] = field(default_factory=dict)

    async def complete(self, request: Request) -> Reply:
        """Ask the wrapped model and write its reply down."""
        reply = await self.llm.complete(request)
        self._replies[request.key("recorded")] = {"text": reply.text, "usage": asdict(reply.usage)}
        self.path.write_text(json.dumps(self._replies, ensure_ascii=False, indent=1), "utf-8")
        return reply


def _reply(request: Request, text: str) -> Reply:
    counter = WordCounter()
    return Reply(text, Usage(counter.count(request.text), 0, counter.count(text)))


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
        return _reply(request, self.said(request.text, schema=request.schema is not None))

    def said(self, prompt: str, *, schema: bool = False) -> str:
        """The text of the answer to a prompt: for servers that speak for the oracle."""
        question = next((q for q in self.facts if q in prompt), None)
        return _in_form(prompt, self._look(question, prompt), schema=schema)

    def _look(self, question: str | None, prompt: str) -> _Seen:
        marked = list(_MARKER.finditer(prompt))
        shown = [m["text"] for m in marked] or [prompt]
        material = "\n".join(shown)
        draw = random.Random(content_hash(f"{self.seed}\n{material}"))
        beside = NO_INFORMATION
        if question is not None:
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
_LABEL = re.compile(r"^(?P<label>[A-Z][A-Za-z ]{2,30}): .+$", re.MULTILINE)
_KEY = re.compile(r'^- "(?P<key>\w+)": ', re.MULTILINE)


def _in_form(prompt: str, seen: _Seen, *, schema: bool) -> str:
    """The oracle's reply in the labelled or JSON form that the contract lists."""
    quote, answer, noted, number = seen
    known = answer != NO_INFORMATION
    head = prompt.split("<<<", 1)[0]

    def value(name: str) -> str:
        name = name.casefold().replace("_", " ")
        for words, told, nothing in (
            (("confidence",), "5", "0"),
            (("passage numbers",), number, "none"),
            (("relevant", "useful", "enough", "new"), "yes", "no"),
            (("plan", "recall"), "none", "none"),
            (("revisions",), _revision(head, quote), "none"),
            (("information", "code", "evidence"), f"- {quote}", "none"),
            (("notes", "memory"), noted, noted),
            (("rationale", "reasoning"), "It is stated.", "Nothing is stated."),
        ):
            if any(word in name for word in words):
                return told if known else nothing
        return answer

    if schema:
        listed = [json.loads(_revision(head, quote, schema=True))] if known else []
        return json.dumps(
            {key: listed if key == "revisions" else value(key) for key in _KEY.findall(head)}
        )
    asked = head.rpartition("Reply with these sections")[2] if "Reply with these" in head else ""
    asked = asked.split("\n\n", 1)[0]
    labels = [m["label"] for m in _LABEL.finditer(asked)]
    return "\n".join(f"{label}: {value(label)}" for label in labels) or answer
