"""Token counters: exact where a file is there, else from above; never from the network."""

from __future__ import annotations

import base64
import random
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memreader import tokens
from memreader.endpoint_counter import EndpointCounter
from memreader.errors import ConfigurationError, Unreachable
from memreader.testing_server import MisbehavingServer
from memreader.tokens import (
    ESTIMATE,
    Calibrated,
    counter_for,
    encoding_for,
    tiktoken_counter,
)


@given(st.text())
def test_the_estimate_is_at_least_one_for_any_text(text: str) -> None:
    """Nothing counts as nothing, and anything as something, lone surrogates too."""
    assert (ESTIMATE.count(text) > 0) == (text != "")
    assert ESTIMATE.count("\ud800") > 0


@given(st.text(), st.text())
def test_the_estimate_of_a_part_is_not_above_the_whole(start: str, end: str) -> None:
    """Longer texts have more tokens, as long as both are of the spaced kind."""
    spaced = " ".join((start, "and so on", end))
    assert ESTIMATE.count("and so on") <= ESTIMATE.count(spaced)


KINDS = {
    # text, and its tokens by o200k_base (tiktoken 0.14)
    "english": ("The commission met on the third of March and heard eleven witnesses. " * 20, 261),
    "code": ("def add(a: int, b: int) -> int:\n    return a + b\n\n" * 20, 380),
    "chinese": ("委员会于三月三日召开会议，听取了十一名证人的陈述。" * 20, 380),
    "digits": ("31415926535897932384" * 20, 134),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_estimate_is_not_below_the_real_count(kind: str) -> None:
    """For usual kinds of text, by counts of a real tokenizer; nor above three times it."""
    text, real = KINDS[kind]
    assert real <= ESTIMATE.count(text) <= 3 * real


def test_dense_text_is_counted_as_dense() -> None:
    """Base64 holds 1.4 characters a token, not four."""
    dense = base64.b64encode(random.Random(1).randbytes(3000)).decode()
    assert ESTIMATE.count(dense) > len(dense) / 1.5


def test_a_calibrated_estimate_is_scaled() -> None:
    """By what the probe measured."""
    assert Calibrated(2.0).count("hello there") == 2 * ESTIMATE.count("hello there")


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o-mini", "o200k_base"),
        ("openai:gpt-4o", "o200k_base"),
        ("gpt-4.1-nano", "o200k_base"),
        ("gpt-5.2", "o200k_base"),
        ("o3", "o200k_base"),
        ("openai-compatible:https://openrouter.ai/api/v1#openai/gpt-4o", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo", "cl100k_base"),
        ("gpt-oss-20b", None),
        ("gpt-4all", None),
        ("llama-3", None),
        ("ollama:qwen3", None),
        ("claude-sonnet-4-5", None),
    ],
)
def test_which_models_use_which_encoding(model: str, encoding: str | None) -> None:
    """Only names that are known to; a name that merely looks alike is estimated."""
    assert encoding_for(model) == encoding


def no_files(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let tokenizer files be looked for in one folder only."""
    monkeypatch.setattr(tokens, "_folders", lambda: iter([folder]))


def test_without_a_file_the_counter_is_an_estimate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`counter_for` falls back, `tiktoken_counter` says where it looked and what to do."""
    no_files(monkeypatch, tmp_path)
    assert counter_for("gpt-4o") is ESTIMATE
    with pytest.raises(ConfigurationError, match="MEMREADER_TIKTOKEN_DIR"):
        tiktoken_counter()


def test_a_wrong_file_is_left_alone_and_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Tiktoken would delete it and go to the network; we never let it see the file."""
    no_files(monkeypatch, tmp_path)
    file = tmp_path / tokens._FILES["o200k_base"][0]
    file.write_bytes(b"junk")
    with pytest.raises(ConfigurationError, match="wrong sha256"):
        tiktoken_counter("o200k_base")
    assert file.read_bytes() == b"junk"


def test_an_unknown_encoding() -> None:
    """The known ones are named."""
    with pytest.raises(ConfigurationError, match="cl100k_base, o200k_base"):
        tiktoken_counter("p50k")


def test_with_a_file_the_count_is_exact(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Special tokens in a document are ordinary text, and nothing is left in the environment."""
    found = [f / tokens._FILES["o200k_base"][0] for f in tokens._folders()]
    here = next((f for f in found if f.is_file()), None)
    if here is None:
        pytest.skip(
            "no tokenizer file on this machine (llama-index-core or MEMREADER_TIKTOKEN_DIR)"
        )
    shutil.copy(here, tmp_path)
    no_files(monkeypatch, tmp_path)
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    counter = tiktoken_counter("o200k_base")
    assert (counter.exact, counter.name) == (True, "o200k_base")
    assert counter.count("hello world") == 2
    assert counter.count("<|endoftext|>") > 1
    assert counter.count("\ud800") > 0
    for text, real in KINDS.values():
        assert counter.count(text) == real
    import os

    assert "TIKTOKEN_CACHE_DIR" not in os.environ


def test_the_endpoint_counts_and_is_asked_once() -> None:
    """A text counted before is not sent again."""
    with MisbehavingServer(lambda _: "") as server:
        counter = EndpointCounter(server.root)
        assert [counter.count("one two three"), counter.count("one two three")] == [3, 3]
        assert counter.count("") == 0
        assert server.paths == ["/tokenize"]
        counter.close()
    with pytest.raises(Unreachable):
        counter.count("something new")
