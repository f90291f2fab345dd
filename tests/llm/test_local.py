"""The embedded model: a real llama.cpp where it is installed, clear words where it is not."""

from __future__ import annotations

import builtins
import importlib.util
import os
import socket
import struct
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from memreader.errors import ConfigurationError, MissingExtra, PromptTooLong
from memreader.llm import local
from memreader.llm.gguf import context_length
from memreader.llm.local import LocalSettings, available, open_local
from memreader.llm.weights import SMALL, find_weights, fingerprint, verify

pytestmark = pytest.mark.anyio
installed = pytest.mark.skipif(not available(), reason="the embedded model is not installed")


def header(pairs: list[tuple[bytes, int, bytes]]) -> bytes:
    """A GGUF header with these key-value pairs, values already packed."""
    body = b"".join(
        struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value
        for key, kind, value in pairs
    )
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(pairs)) + body


def text(value: bytes) -> bytes:
    """A packed string."""
    return struct.pack("<Q", len(value)) + value


def test_the_window_is_read_from_the_header(tmp_path: Path) -> None:
    """Strings, arrays and numbers before it are skipped; a cut header gives none."""
    file = tmp_path / "m.gguf"
    array = struct.pack("<IQ", 8, 2) + text(b"a") + text(b"bc")
    numbers = struct.pack("<IQ", 5, 3) + b"\0" * 12
    pairs = [
        (b"general.architecture", 8, text(b"llama")),
        (b"names", 9, array),
        (b"numbers", 9, numbers),
        (b"flag", 7, b"\1"),
        (b"llama.context_length", 4, struct.pack("<I", 8192)),
    ]
    file.write_bytes(header(pairs))
    assert context_length(file) == 8192
    whole = file.read_bytes()
    for size in range(0, len(whole) - 1, 7):
        file.write_bytes(whole[:size])
        assert context_length(file) is None
    assert context_length(tmp_path / "nothing") is None


@pytest.mark.parametrize(
    "value",
    [struct.pack("<Q", 2**64 - 1), struct.pack("<IQ", 9, 1) * 3000, struct.pack("<IQ", 9, 2**60)],
    ids=["a string longer than any file", "arrays in arrays", "more arrays than there are"],
)
def test_a_header_of_junk_gives_no_window(tmp_path: Path, value: bytes) -> None:
    """A damaged download ends in the message of what cannot load it, not in a traceback."""
    file = tmp_path / "m.gguf"
    file.write_bytes(header([(b"junk", 8 if len(value) == 8 else 9, value)]))
    assert context_length(file) is None


def test_a_checksum_is_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verified file is remembered by size and time; a changed one is looked at again."""
    from memreader.llm import weights

    file, memory, hashed = tmp_path / "w.gguf", tmp_path / "home" / "verified.json", []
    file.write_bytes(b"weights")
    real = weights.sha256_of

    def counting(path: Path) -> str:
        hashed.append(path)
        return real(path)

    monkeypatch.setattr(weights, "sha256_of", counting)
    good = real(file)
    for _ in range(3):
        verify(file, good, memory=memory)
    assert len(hashed) == 1
    file.write_bytes(b"changed")
    os.utime(file, (1, 1))
    with pytest.raises(ConfigurationError, match="memreader models pull"):
        verify(file, good, memory=memory)


def test_a_fingerprint_tells_files_apart(tmp_path: Path) -> None:
    """By beginning, end and size."""
    one, other = tmp_path / "1", tmp_path / "2"
    one.write_bytes(b"a" * 100)
    other.write_bytes(b"a" * 99 + b"b")
    assert fingerprint(one) == fingerprint(one) != fingerprint(other)


def test_weights_are_found_in_the_folder_of_pulled_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the installed package; and the package is searched for, never imported."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert find_weights(tmp_path) is None
    (tmp_path / SMALL.file).write_bytes(b"x")
    assert find_weights(tmp_path) == tmp_path / SMALL.file


async def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the line that installs it."""
    failing(monkeypatch, ModuleNotFoundError(name="xllamacpp"))
    with pytest.raises(MissingExtra, match=r"memreader-agents\[local\]"):
        async with open_local():
            pass


async def test_without_openmp(monkeypatch: pytest.MonkeyPatch) -> None:
    """On slim images the system's library is missing; the error says which package has it."""
    failing(monkeypatch, ImportError("libgomp.so.1: cannot open shared object file"))
    with pytest.raises(ConfigurationError, match="apt-get install libgomp1"):
        async with open_local():
            pass


async def test_without_weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error says how to get them."""
    monkeypatch.setattr(local, "_library", lambda: None)
    monkeypatch.setattr(local, "find_weights", lambda models: None)
    with pytest.raises(ConfigurationError, match="memreader models pull"):
        async with open_local(models=tmp_path):
            pass


def failing(monkeypatch: pytest.MonkeyPatch, error: ImportError) -> None:
    """Let importing xllamacpp fail."""
    real = builtins.__import__

    def importing(name: str, *rest: Any) -> Any:
        if name == "xllamacpp":
            raise error
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", importing)


async def test_files_that_are_no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path to nothing and a file that is no GGUF are told apart."""
    monkeypatch.setattr(local, "_library", lambda: None)
    junk = tmp_path / "junk.gguf"
    junk.write_bytes(b"junk")
    for path, words in ((junk, "not a GGUF file"), (tmp_path / "no.gguf", "no model file")):
        with pytest.raises(ConfigurationError, match=words):
            async with open_local(path):
                pass


@installed
@pytest.mark.model
@pytest.mark.timeout(300)
async def test_the_embedded_model_answers(
    request_for: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """It counts exactly, refuses what is too long, says nothing on the terminal, leaves nothing."""
    async with open_local(settings=LocalSettings(window=1024)) as model:
        request = request_for(
            "The code word is heron.\n\nWhat is the code word?", max_tokens=16, logprobs=True
        )
        reply = await model.llm.complete(request)
        again = await model.llm.complete(request)
        with pytest.raises(PromptTooLong, match="1,024"):
            await model.llm.complete(request_for("word " * 3000))
        url = model.llm.http.endpoint.url  # type: ignore[attr-defined]
        ours = model.counter.count(request.text) + model.overhead
    assert "heron" in reply.text
    assert (model.window, model.concurrency, model.price and model.price.output) == (1024, 1, 0.0)
    assert reply.logprobs is not None
    assert len(reply.logprobs) == reply.usage.output_tokens
    assert 0 <= ours - reply.usage.input_tokens <= 4
    assert again.text == reply.text
    assert again.usage.cached_input_tokens > 0
    assert capfd.readouterr() == ("", "")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", urlsplit(url).port or 0)) != 0


@installed
@pytest.mark.model
@pytest.mark.timeout(300)
async def test_a_damaged_file_is_a_clear_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Half of a real file: the message is ours, and llama.cpp is silent."""
    whole = find_weights(None)
    assert whole is not None
    half = tmp_path / "half.gguf"
    with whole.open("rb") as source:
        half.write_bytes(source.read(5_000_000))
    with pytest.raises(ConfigurationError, match="damaged or cut short"):
        async with open_local(half):
            pass
    assert capfd.readouterr() == ("", "")


@installed
@pytest.mark.model
@pytest.mark.timeout(300)
async def test_a_window_beyond_the_training_is_refused() -> None:
    """The message has the figure that works."""
    with pytest.raises(ConfigurationError, match="8,192 or less"):
        async with open_local(settings=LocalSettings(window=100_000)):
            pass
