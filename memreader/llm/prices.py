"""What a model's tokens cost: the user's own file, else data bundled with genai-prices.

Nothing is fetched. An unknown price is None, never zero.
"""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from memreader.errors import ConfigurationError
from memreader.llm.base import FREE, Price

_FORM = '["openai:my-model"]\ninput = 0.5\ncached_input = 0.1\noutput = 1.5'


def price_of(
    name: str,
    user_file: Path | None = None,
    *,
    provider: str | None = None,
    url: str | None = None,
    embeds: bool = False,
) -> Price | None:
    """Price of a model named as the user names it; `url` is its endpoint, if not the usual one.

    A model that `embeds` has no price of output.

    An endpoint on this machine or in a private network is free, unless the file prices it.
    """
    if user_file is not None and (own := _from_file(name, user_file, embeds)) is not None:
        return own
    spec_provider, _, model = name.partition(":")
    if spec_provider in ("local", "ollama") and url is None:
        return FREE
    if url is not None:
        from memreader.llm._http import is_private

        if is_private(url):
            return FREE
    if spec_provider == "openai-compatible":
        model = name.rpartition("#")[2]
        return _bundled(model, None, url, embeds)
    return _bundled(model, provider or spec_provider, None, embeds)


def _from_file(name: str, path: Path, embeds: bool) -> Price | None:
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f"The file of prices {path} cannot be read: {error}. It looks like this:\n{_FORM}"
        ) from error
    entry = table.get(name)
    if entry is None:
        return None
    try:
        paid = float(entry["input"])
        out = float(entry.get("output", 0.0) if embeds else entry["output"])
        price = Price(paid, float(entry.get("cached_input", paid)), out, path.name)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f'{path}: the entry ["{name}"] needs `input` and `output` in dollars for a million '
            f"tokens ({error!r}). It looks like this:\n{_FORM}"
        ) from error
    if not all(
        0 <= figure < float("inf") for figure in (price.input, price.cached_input, price.output)
    ):
        raise ConfigurationError(f'{path}: the entry ["{name}"] has a price below zero.')
    return price


def _bundled(model: str, provider: str | None, url: str | None, embeds: bool) -> Price | None:
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, info = get_snapshot().find_provider_model(model, None, provider, url)
    except LookupError:
        return None
    prices = info.get_prices(_now())
    paid, out = _figure(prices, "input_mtok"), _figure(prices, "output_mtok")
    out = 0.0 if embeds and out is None else out
    if paid is None or out is None:
        return None
    cached = _figure(prices, "cache_read_mtok")
    return Price(paid, paid if cached is None else cached, out, f"genai-prices {_version()}")


def _now() -> Any:
    from datetime import UTC, datetime

    return datetime.now(UTC)


def _figure(prices: Any, name: str) -> float | None:
    """Dollars for a million tokens. Of prices that rise with a call's length the first: calls
    are chunks, far below the usual threshold of 200,000 tokens.
    """
    price = getattr(prices, name, None)
    return None if price is None else float(getattr(price, "base", price))


def _version() -> str:
    try:
        return version("genai-prices")
    except PackageNotFoundError:
        return "unknown"
