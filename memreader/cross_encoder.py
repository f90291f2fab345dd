"""A reranker by a CrossEncoder of sentence-transformers, from weights that are already here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import anyio.to_thread

from memreader.errors import ConfigurationError, MissingExtra


@dataclass(slots=True)
class CrossEncoderReranker:
    """Scores pairs of question and passage; the weights are loaded once, on first use."""

    model: str
    """Name of a model in the local cache, or the path of its folder."""
    _loaded: Any = None
    _loading: Lock = field(default_factory=Lock, repr=False)

    async def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """The model's score of each pair. Raises MissingExtra, ConfigurationError."""
        pairs = [(question, text) for text in texts]
        return await anyio.to_thread.run_sync(self._scores, pairs) if pairs else []

    def _scores(self, pairs: list[tuple[str, str]]) -> list[float]:
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load()
        return [float(s) for s in self._loaded.predict(pairs, show_progress_bar=False)]

    def _load(self) -> Any:
        try:
            from sentence_transformers import CrossEncoder
        except ImportError as error:
            raise MissingExtra("A cross-encoder", "st") from error
        try:
            return CrossEncoder(self.model, local_files_only=True)
        except Exception as error:  # because the library has an error of its own for each defect
            raise ConfigurationError(
                f"The reranker {self.model!r} cannot be loaded: {str(error).splitlines()[0]} "
                f"Give the folder of a CrossEncoder that is on this machine; nothing is fetched."
            ) from error
