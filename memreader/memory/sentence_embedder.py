"""Embedding models of sentence-transformers, in this process: the bundled MiniLM, or any on disk.

Nothing is downloaded, and torch is imported when a text has to be embedded, not before.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio.to_thread

from memreader.errors import ConfigurationError, MissingExtra
from memreader.llm.bundles import MINILM
from memreader.llm.registry import ModelSettings
from memreader.llm.weights import fingerprint
from memreader.memory.embedding import (
    Embedder,
    Fingerprint,
    Vector,
    batches,
    halves,
    mean,
)
from memreader.memory.sharing import Shared

BATCH = 32
"""Passages in one forward pass."""


@dataclass(slots=True)
class _Loaded:
    """A model in memory, and what keeps several threads from computing at once."""

    model: Any
    turn: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def _loaded(folder: str) -> Iterator[_Loaded]:
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model = SentenceTransformer(folder, local_files_only=True)
    except Exception as error:  # because a folder may be broken in as many ways as it has files
        raise ConfigurationError(
            f"{folder} is no embedding model that sentence-transformers can load: {error!r}"
        ) from error
    yield _Loaded(model)


_MODELS = Shared(_loaded)


class SentenceEmbedder:
    """A model of sentence-transformers. Readings of one process share what is loaded."""

    def __init__(self, folder: Path, made_by: Fingerprint) -> None:
        self._folder, self._made_by = str(folder), made_by
        self._lock = threading.Lock()
        self._loaded: _Loaded | None = None

    @property
    def fingerprint(self) -> Fingerprint:
        """Name and weights; the dimension may be known after the first vector only."""
        return self._made_by

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        """One vector for each text, in a thread.

        A text longer than the model's longest sequence (256 tokens for MiniLM) is split in
        halves until each part fits; its vector is the mean of theirs, weighted by tokens. Left
        alone, the library would cut it and say nothing.
        """
        found: list[Vector] = []
        for batch in batches(texts, BATCH):
            found += await anyio.to_thread.run_sync(self._vectors, batch, query)
        if found:
            self._made_by = self._made_by.of(len(found[0]))
        return found

    def close(self) -> None:
        """Let go of the model; it leaves memory when no other reading uses it."""
        with self._lock:
            if self._loaded is not None:
                self._loaded = None
                _MODELS.give_back(self._folder)

    # --- in a thread -----------------------------------------------------------------------

    def _vectors(self, texts: list[str], query: bool) -> list[Vector]:
        with self._lock:
            if self._loaded is None:
                self._loaded = _MODELS.take(self._folder)
            loaded = self._loaded
        with loaded.turn:
            limit = _limit(loaded.model, query=query)
            pieces = [list(_pieces(loaded.model, text, limit)) for text in texts]
            encode = loaded.model.encode_query if query else loaded.model.encode_document
            flat = encode(
                [text for parts in pieces for text, _ in parts],
                batch_size=BATCH,
                show_progress_bar=False,
                normalize_embeddings=True,
            )
        rows = iter(flat.tolist())
        found = []
        for parts in pieces:
            vectors = [next(rows) for _ in parts]
            weights = [size for _, size in parts]
            found.append(vectors[0] if len(vectors) == 1 else mean(vectors, weights))
        return found


def _limit(model: Any, *, query: bool) -> int | None:
    """Tokens of a text that one forward pass takes, its special tokens and prompt left out."""
    longest = model.max_seq_length
    if longest is None:
        return None
    prompts: Mapping[str, str | None] = model.prompts or {}
    names = ("query",) if query else ("document", "passage", "corpus")
    prompt = next((prompts[n] for n in names if prompts.get(n)), "") or ""
    special = model.tokenizer.num_special_tokens_to_add()
    return max(8, int(longest) - int(special) - _size(model, prompt))


def _size(model: Any, text: str) -> int:
    found = model.tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)
    return len(found["input_ids"])


def _pieces(model: Any, text: str, limit: int | None) -> Iterator[tuple[str, int]]:
    """Parts of a text that fit, each with its tokens."""
    size = 1 if limit is None else _size(model, text)
    if limit is None or size <= limit or len(text) < 2:
        yield text, max(1, size)
        return
    for half in halves(text):
        yield from _pieces(model, half, limit)


# --- openers, found by entry points ------------------------------------------------------------


@asynccontextmanager
async def open_local(name: str, settings: ModelSettings) -> AsyncIterator[Embedder]:
    """`local`: the bundled MiniLM. Raises ConfigurationError where it is not here or damaged."""
    if name:
        raise ConfigurationError(
            f"`local` is the bundled embedding model. For a model of your own write "
            f"sentence-transformers:{name}."
        )
    _installed()
    folder = MINILM.found(settings.models)
    if folder is None:
        raise ConfigurationError(
            "The bundled embedding model is not installed. Get it with: memreader models pull "
            "minilm"
        )
    await anyio.to_thread.run_sync(MINILM.verified, folder, settings.models)
    weights = MINILM.files["model.safetensors"][:12]
    async with _closing(folder, Fingerprint("all-MiniLM-L6-v2", 384, weights=weights)) as opened:
        yield opened


@asynccontextmanager
async def open_named(name: str, settings: ModelSettings) -> AsyncIterator[Embedder]:
    """`sentence-transformers:NAME_OR_PATH`: a folder, or a model in the hub's cache on disk."""
    _installed()
    folder, shown = Path(name).expanduser(), name
    if folder.is_dir():
        folder = folder.resolve()
        shown = str(folder)
    else:
        folder = await anyio.to_thread.run_sync(_of_the_hub, name, settings.environment)
    weights = await anyio.to_thread.run_sync(_weights, folder)
    made_by = Fingerprint(f"sentence-transformers:{shown}", 0, weights=weights)
    async with _closing(folder, made_by) as opened:
        yield opened


@asynccontextmanager
async def _closing(folder: Path, made_by: Fingerprint) -> AsyncIterator[SentenceEmbedder]:
    embedder = SentenceEmbedder(folder, made_by)
    try:
        yield embedder
    finally:
        embedder.close()


def _installed() -> None:
    if find_spec("sentence_transformers") is None:
        raise MissingExtra("An embedding model in this process", "st")


def _of_the_hub(name: str, environment: Mapping[str, str]) -> Path:
    """The model's folder in the hub's cache; downloaded only where HF_HUB_OFFLINE=0 allows it."""
    from huggingface_hub import snapshot_download

    offline = environment.get("HF_HUB_OFFLINE") != "0"
    repository = name if "/" in name else f"sentence-transformers/{name}"
    try:
        return Path(snapshot_download(repository, local_files_only=offline))
    except Exception as error:  # because names, caches and networks fail in ways of their own
        first = " ".join(str(error).split("\n")[0].split())[:200]
        raise ConfigurationError(
            f"The embedding model {name!r} is not on this machine ({first}). Give the path of its "
            f"folder, or allow the download for once: HF_HUB_OFFLINE=0 memreader ..."
        ) from error


def _weights(folder: Path) -> str:
    """Hash of the weights files, by their names' order; of the configuration where none is."""
    files = sorted(folder.glob("*.safetensors")) or sorted(folder.glob("*.bin"))
    files = files or sorted(folder.glob("config*.json"))
    if not files:
        raise ConfigurationError(
            f"{folder} holds no embedding model: a folder of sentence-transformers has a "
            f"modules.json and a model.safetensors."
        )
    return "-".join(fingerprint(file) for file in files)[:25]
