"""The seam to a reranker: a model that reads question and passage together and scores the pair.

Rerankers are found by the entry-point group `memreader.rerankers`: a name, and what makes a
reranker of the text after the colon. The setting `reranker = "cross-encoder:NAME_OR_PATH"`, or
`NAME_OR_PATH` alone, is a CrossEncoder of sentence-transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from memreader.errors import ConfigurationError
from memreader.plugins import installed, loaded

GROUP = "memreader.rerankers"
DEFAULT = "cross-encoder"


class Reranker(Protocol):
    """Scores passages for a question."""

    async def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """A score for each text, in order; higher is better, on any scale."""
        ...


def open_reranker(spec: str) -> Reranker:
    """A reranker by its spec; weights are loaded when it is first asked.

    Raises ConfigurationError where the spec names no model.
    """
    known = installed(GROUP)
    kind, colon, model = spec.partition(":")
    if not colon or kind not in known:  # `C:\models\minilm` is a path, not a kind
        kind, model = DEFAULT, spec
    if not model.strip() or kind not in known:
        raise ConfigurationError(
            f"{spec!r} names no reranker. Write it as NAME_OR_PATH of a CrossEncoder, or as "
            f"KIND:MODEL with one of the kinds {', '.join(known) or 'none'}."
        )
    made: Reranker = loaded(GROUP, kind, "reranker")(model)
    return made
