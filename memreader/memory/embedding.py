"""The seam to an embedding model: texts in, vectors out, and what makes vectors comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

Vector = Sequence[float]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What two vectors must share to be comparable; kept beside them and checked at open."""

    model: str
    """Name of the embedding model, with a hash of its weights where it is in this process."""
    dimension: int
    normalised: bool = True
    """Whether vectors have length 1."""

    def __str__(self) -> str:
        kind = "normalised" if self.normalised else "not normalised"
        return f"{self.model}, {self.dimension} dimensions, {kind}"


class Embedder(Protocol):
    """Makes vectors of texts. Raises `TransientError` and `EndpointError` as an `LLM` does."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What the vectors can be compared with."""
        ...

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        """One vector for each text, in order; `query` marks questions for models that want it."""
        ...


def cosine(one: Vector, other: Vector) -> float:
    """Cosine of the angle between two vectors, -1 to 1; 0 where one has no length."""
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    lengths = sum(a * a for a in one) * sum(b * b for b in other)
    return float(dot / lengths**0.5) if lengths else 0.0
