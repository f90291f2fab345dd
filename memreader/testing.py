"""Fakes at memreader's own seams, to test information flow. Part of the product.

`Oracle` is a model that answers only from what its prompt shows it: if the needle reached the
last prompt, the answer is right. `Scripted` plays a queue of replies; `Recorded` replays a file.
`MisbehavingServer` is a real server on loopback with one defect at a time. The contract suite
that every strategy has to pass, ours or a stranger's, is in `memreader.contract`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from memreader.errors import MemreaderError
from memreader.fakes.counter import WordCounter, reply_to
from memreader.fakes.oracle import Oracle
from memreader.fakes.recording import Recorded, Recorder
from memreader.fakes.server import word_vector
from memreader.llm.base import FREE, LLM, Model, Price, Reply, Request, TokenCounter, Wire
from memreader.llm.retry import RetryPolicy
from memreader.memory.embedding import Fingerprint, Vector
from memreader.testing_server import Defect, MisbehavingServer

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
class WordEmbedder:
    """An embedding that a person can follow: texts are as near as the words they share."""

    dimension: int = 256

    @property
    def fingerprint(self) -> Fingerprint:
        """Vectors of word counts, each word at the place its hash gives it."""
        return Fingerprint("words", self.dimension)

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        """Counts of content words, at length 1; a text without any points away from all."""
        return [word_vector(text, self.dimension) for text in texts]


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
        return reply if isinstance(reply, Reply) else reply_to(request, reply)
