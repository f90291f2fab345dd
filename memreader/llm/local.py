"""The embedded model: llama.cpp in this process, through xllamacpp, on a loopback port.

Nothing is left behind: leaving the context frees the port and the memory; there is no process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio.to_thread

from memreader.endpoint_counter import EndpointCounter
from memreader.errors import ConfigurationError, MissingExtra
from memreader.llm.base import FREE, Model, TokenCounter
from memreader.llm.openai_compatible import OpenAICompatible
from memreader.llm.weights import SMALL, find_weights, fingerprint, verify

SMALL_PASSAGE = 500
"""Tokens of text that the small model reads best in one call (docs/design.md, section 8)."""


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """How llama.cpp runs. The defaults were measured on two busy cores (`docs/design.md`)."""

    window: int | None = None
    """Tokens of one call; None takes what the model was trained on, up to `most`."""
    most: int = 8192
    """Cap on a window that nobody asked for: its memory is taken at once."""
    slots: int = 1
    """Calls at once; one is enough, since they share the same cores."""
    threads: int = 1
    """For generation: more meet at a barrier after each step, and wait for busy neighbours."""
    batch_threads: int | None = None
    """For prompts; None takes every core."""
    cache_mib: int = 256
    """Cap on the prompt cache in memory, which else grows to 8 GiB without a word."""
    gpu_layers: int | None = None
    """None leaves it to llama.cpp, which takes what fits."""


class Server:
    """A running llama.cpp. `stop` frees the port and the memory."""

    def __init__(self, path: Path, settings: LocalSettings) -> None:
        self._server = _started(path, settings)
        self.url: str = self._server.listening_address
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End the server; harmless when it has ended."""
        with self._lock, suppress(AttributeError):
            del self._server


def available(models: Path | None = None) -> bool:
    """Whether the embedded model could be opened: the library is there, and the weights."""
    import importlib.util

    library = importlib.util.find_spec("xllamacpp") is not None
    return library and find_weights(models) is not None


def small_weights(models: Path | None) -> Path:
    """The verified file of the default model. Raises ConfigurationError that says what to do."""
    path = find_weights(models)
    if path is None:
        raise ConfigurationError(
            "The embedded model's weights are not on this machine. "
            "Get them with: memreader models pull"
        )
    verify(path, SMALL.sha256, memory=models / "verified.json" if models else None)
    return path


@asynccontextmanager
async def open_local(
    path: Path | None = None,
    settings: LocalSettings | None = None,
    *,
    models: Path | None = None,
    timeout: float = 600.0,
) -> AsyncIterator[Model]:
    """A model from a GGUF file (by default the small one), served for as long as the context lasts.

    Raises MissingExtra without xllamacpp, ConfigurationError for a file that is missing or broken.
    """
    from memreader.llm._http import Endpoint, Http

    settings = settings or LocalSettings()
    _library()
    file = await anyio.to_thread.run_sync(_checked, path, models)
    server = await anyio.to_thread.run_sync(Server, file, settings)
    try:
        endpoint = Endpoint(
            server.url + "/v1", timeout=timeout, connections=settings.slots + 2, keep_alive=False
        )
        counter = EndpointCounter(server.url)
        client = OpenAICompatible(Http(endpoint), "local", counter)
        try:
            yield await _described(client, path, file, settings)
        finally:
            counter.close()
            with anyio.CancelScope(shield=True):
                await client.aclose()
    finally:
        # In this thread: it takes some milliseconds, and must happen in spite of cancellation.
        server.stop()


async def _described(
    client: OpenAICompatible, path: Path | None, file: Path, settings: LocalSettings
) -> Model:
    from memreader.llm.windows import facts_of

    facts = await facts_of(client.http, "local")
    return Model(
        name="local" if path is None else f"local:{path}",
        llm=client,
        counter=client.counter,
        window=facts.window or settings.most,
        endpoint=f"llama.cpp:{fingerprint(file)}",
        wire="plain" if path is None else "labelled",
        probed=path is None,  # the small model is known; a file of one's own is probed
        passage=SMALL_PASSAGE if path is None else None,
        chooses=False if path is None else None,  # by position alone: docs/guides/small-models.md
        logprobs=True,
        price=FREE,
        concurrency=facts.slots or settings.slots,
        overhead=await _overhead(client),
    )


def _checked(path: Path | None, models: Path | None) -> Path:
    if path is None:
        return small_weights(models)
    file = path.expanduser()
    if not file.is_file():
        raise ConfigurationError(f"There is no model file at {file}. Give a path to a GGUF file.")
    with file.open("rb") as start:
        if start.read(4) != b"GGUF":
            raise ConfigurationError(
                f"{file} is not a GGUF file (it does not start with `GGUF`). "
                f"llama.cpp reads GGUF files only."
            )
    return file


def _library() -> Any:
    try:
        import xllamacpp
    except ModuleNotFoundError as error:
        if error.name == "xllamacpp":
            raise MissingExtra("The embedded model", "local") from error
        raise
    except ImportError as error:
        if "libgomp" in str(error):
            raise ConfigurationError(
                "The embedded model needs the system's OpenMP library, which is missing. "
                "Install it with: apt-get install libgomp1"
            ) from error
        raise ConfigurationError(f"xllamacpp does not load here: {error}.") from error
    return xllamacpp


def _trained_on(path: Path) -> int | None:
    """The window the model was trained on, from the GGUF header."""
    from memreader.llm.gguf import context_length

    return context_length(path)


def _started(path: Path, settings: LocalSettings) -> Any:
    library = _library()
    trained = _trained_on(path)
    window = settings.window or min(trained or settings.most, settings.most)
    if trained is not None and window > trained:
        raise ConfigurationError(
            f"{path.name} was trained on {trained:,} tokens; a window of {window:,} is too large "
            f"for it. Set `window` to {trained:,} or less."
        )
    cores = os.cpu_count() or 1
    params = library.CommonParams()
    params.model.path = str(path)
    params.port = 0
    params.verbosity = 0  # errors too: the exception below says what a user can do
    params.n_parallel = settings.slots
    params.n_ctx = settings.slots * window  # llama.cpp divides it among the slots
    params.cache_ram_mib = settings.cache_mib
    params.cpuparams.n_threads = min(settings.threads, cores)
    params.cpuparams_batch.n_threads = settings.batch_threads or cores
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    params.ui = False
    if settings.gpu_layers is not None:
        params.n_gpu_layers = settings.gpu_layers
    try:
        return library.Server(params)
    except RuntimeError as error:
        raise ConfigurationError(
            f"llama.cpp cannot load {path}: the file is damaged or cut short, its architecture is "
            f"unknown to this version, or memory is short. Get the file anew, or lower `window`."
        ) from error


async def _overhead(client: OpenAICompatible) -> int:
    """Tokens that the chat template puts around one message, its system prompt included."""
    root = client.http.endpoint.url.removesuffix("/v1")
    body = {"messages": [{"role": "user", "content": "x"}]}
    shown = (await client.http.post(f"{root}/apply-template", body)).get("prompt", "")
    counter: TokenCounter = client.counter
    return counter.count(shown) - counter.count("x") + 2
