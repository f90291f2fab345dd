"""The seam to an embedding model: texts in, vectors out, and what makes vectors comparable."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from memreader.errors import ConfigurationError, MemreaderError
from memreader.llm.base import Price

Vector = Sequence[float]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What two vectors must share to be comparable; kept beside them and checked at open."""

    model: str
    """Name of the embedding model, its endpoint included where that is no well-known one."""
    dimension: int
    """Numbers in a vector; 0 until a first vector has told."""
    normalised: bool = True
    """Whether vectors have length 1."""
    weights: str = ""
    """Hash of the model's weights; empty where they are not in this process."""

    def __str__(self) -> str:
        weights = f" (weights {self.weights})" if self.weights else ""
        kind = "normalised" if self.normalised else "not normalised"
        return f"{self.model}{weights}, {self.dimension} dimensions, {kind}"

    def of(self, dimension: int) -> Fingerprint:
        """The same with the dimension that vectors turned out to have."""
        return replace(self, dimension=dimension)


class Embedder(Protocol):
    """Makes vectors of texts. Raises `TransientError` and `EndpointError` as an `LLM` does."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What the vectors can be compared with."""
        ...

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        """One vector for each text, in order; `query` marks questions for models that want it."""
        ...


@dataclass(frozen=True, slots=True)
class Embedded:
    """What a server answered."""

    vectors: list[Vector]
    input_tokens: int | None = None
    """As the server counts them; None where it does not say."""


@dataclass(frozen=True, slots=True)
class Hosting:
    """Where an embedding model runs that texts are sent to, and what it takes."""

    endpoint: str
    """Key of the dispatcher: one for each endpoint and process. Without keys."""
    price: Price | None
    """None where it is not known."""
    concurrency: int | None = None
    """Requests in flight at most; None for the endpoint's own limit."""


@runtime_checkable
class Hosted(Protocol):
    """An embedder whose requests cost something: they are booked, limited and tried again."""

    @property
    def hosting(self) -> Hosting:
        """Where it runs."""
        ...

    async def request(self, texts: Sequence[str], *, query: bool = False) -> Embedded:
        """One request, without another try. Raises PromptTooLong for a text over its window."""
        ...


def cosine(one: Vector, other: Vector) -> float:
    """Cosine of the angle between two vectors, -1 to 1; 0 where one has no length."""
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    lengths = sum(a * a for a in one) * sum(b * b for b in other)
    return float(dot / lengths**0.5) if lengths else 0.0


def normalised(vector: Vector) -> Vector:
    """The vector at length 1; one without length as it is."""
    length = sum(x * x for x in vector) ** 0.5
    return [x / length for x in vector] if length else vector


def mean(vectors: Sequence[Vector], weights: Sequence[float]) -> Vector:
    """Weighted mean at length 1: the vector of a text whose parts have these vectors."""
    columns = zip(*vectors, strict=True)
    return normalised([sum(map(operator.mul, weights, column)) for column in columns])


def batches(texts: Sequence[str], most: int = 64, characters: int = 60_000) -> list[list[str]]:
    """Texts in order, at most so many and so long in one batch; a longer one goes alone."""
    found: list[list[str]] = []
    size = 0
    for text in texts:
        if not found or len(found[-1]) == most or size + len(text) > characters:
            found.append([])
            size = 0
        found[-1].append(text)
        size += len(text)
    return found


def halves(text: str) -> tuple[str, str]:
    """A text in two, at the white space nearest to its middle where there is any."""
    middle = len(text) // 2
    near = [at for at in (text.rfind(" ", 1, middle), text.find(" ", middle, -1)) if at > 0]
    cut = min(near, key=lambda at: abs(at - middle), default=middle)
    return text[:cut], text[cut:]


async def computed(embedder: Embedder, texts: Sequence[str], *, query: bool) -> list[Vector]:
    """Vectors of an embedder without a server, maybe the user's own.

    Raises ConfigurationError where it fails.
    """
    try:
        made = await embedder.embed(texts, query=query)
        return [[number + 0.0 for number in vector] for vector in made]
    except MemreaderError:
        raise
    except Exception as error:  # because a stranger's embedder may fail in any way
        name = embedder.fingerprint.model
        raise ConfigurationError(f"The embedding model {name} failed: {error!r}.") from error
