"""Prices: the user's file, private endpoints, the bundled data; never zero for unknown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from memreader.errors import ConfigurationError
from memreader.llm.base import FREE, Usage
from memreader.llm.prices import price_of
from memreader.llm.windows import known_window


def test_a_known_model() -> None:
    """Dollars for a million tokens, cached ones cheaper, and where the figures come from."""
    price = price_of("openai:gpt-4o")
    assert price is not None
    assert (price.input, price.cached_input, price.output) == (2.5, 1.25, 10.0)
    assert price.source.startswith("genai-prices ")
    assert price.of(Usage(1_000_000, 400_000, 100_000)) == pytest.approx(1.5 + 0.5 + 1.0)


def test_a_hosted_model_behind_a_compatible_url() -> None:
    """Found by its URL."""
    name = "openai-compatible:https://api.deepseek.com/v1#deepseek-chat"
    assert price_of(name, url="https://api.deepseek.com/v1") is not None


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("local", None),
        ("local:/m.gguf", None),
        ("ollama:qwen3", "http://127.0.0.1:11434"),
        ("openai-compatible:http://10.0.0.5/v1#x", "http://10.0.0.5/v1"),
        ("openai:gpt-4o", "http://localhost:4000/v1"),
    ],
)
def test_private_endpoints_are_free(name: str, url: str | None) -> None:
    """Addresses of one machine and of private networks."""
    assert price_of(name, url=url) is FREE


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("openai:gpt-99-zebra", None),
        ("openai-compatible:https://llm.example.org/v1#zebra", "https://llm.example.org/v1"),
        ("ollama:zebra-cloud", "https://ollama.example.org"),
    ],
)
def test_an_unknown_price_is_none(name: str, url: str | None) -> None:
    """Never zero."""
    assert price_of(name, url=url) is None


def test_the_users_file_goes_first(tmp_path: Path) -> None:
    """Before bundled data and before free; cached input costs as input unless it is given."""
    file = tmp_path / "prices.toml"
    file.write_text('["openai:gpt-4o"]\ninput = 1\noutput = 2.5\n["local"]\ninput=3\noutput=4\n')
    price = price_of("openai:gpt-4o", file)
    assert price is not None
    assert (price.input, price.cached_input, price.output) == (1.0, 1.0, 2.5)
    assert price.source == "prices.toml"
    local = price_of("local", file)
    assert local is not None
    assert local.output == 4.0
    assert price_of("ollama:x", file) is FREE


@pytest.mark.parametrize(
    "body", ['["openai:x"]\ninput = 1', '["openai:x"]\ninput="a"\noutput=1', "not toml [",
             '["openai:x"]\ninput=-1\noutput=1', '"openai:x" = 5']
)  # fmt: skip
def test_a_wrong_file_is_an_error_with_an_example(tmp_path: Path, body: str) -> None:
    """It names the file."""
    file = tmp_path / "prices.toml"
    file.write_text(body)
    with pytest.raises(ConfigurationError, match=r"prices\.toml"):
        price_of("openai:x", file)


def test_the_window_of_a_hosted_model() -> None:
    """From the same data; None for what is not in it."""
    assert known_window("gpt-4o", "openai") == 128_000
    assert known_window("zebra", "openai") is None


def test_the_data_are_loaded_only_when_wanted() -> None:
    """Importing this part of memreader loads neither the prices nor an HTTP library."""
    code = (
        "import sys, memreader.llm.prices, memreader.llm.registry, memreader.llm.dispatch;"
        "print([m for m in ('genai_prices', 'httpx2', 'anthropic', 'xllamacpp', 'tiktoken',"
        " 'tenacity') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
