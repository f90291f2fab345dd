"""What an endpoint says about itself: its window and how many calls it takes at once.

The window is asked for, never assumed: a wrong one is a prompt cut in silence, or a document read
in far too many calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from memreader.errors import MemreaderError, Unreachable
from memreader.llm.chat import whole

if TYPE_CHECKING:
    from memreader.llm._http import Http

CAREFUL = 4096
"""Tokens assumed where nobody tells."""


def remarks(told: int | None, wanted: int | None) -> tuple[str, ...]:
    """What a person should know of a window that was assumed, or not taken as wanted."""
    if told is None and wanted is None:
        return (
            f"Nobody says how large the window is: {CAREFUL:,} tokens are assumed. "
            f"Say it with --window, or the setting `window`.",
        )
    if told is not None and wanted is not None and wanted > told:
        return (f"A window of {wanted:,} tokens was asked for; {told:,} is all there is.",)
    return ()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one model at one endpoint."""

    window: int | None = None
    slots: int | None = None
    """Calls that the server answers at once."""
    source: str = "nobody"
    """Who says so."""
    tokenizes: bool = False
    """Whether the server counts tokens at `/tokenize` (llama.cpp)."""


async def facts_of(http: Http, model: str) -> Facts:
    """Ask a local or unknown endpoint; raises Unreachable where nothing is there."""
    root = http.endpoint.url.removesuffix("/v1")
    props = await _got(http, f"{root}/props", first=True)
    if props is not None and (found := _from_props(props)) is not None:
        return found
    listed = await _got(http, f"{http.endpoint.url}/models")
    entry = _entry(listed, model)
    for name in ("max_model_len", "context_length", "context_window", "max_context_length"):
        if entry is not None and (window := whole(entry.get(name))):
            return Facts(window, None, f"{name} of /models")
    studio = _entry(await _got(http, f"{root}/api/v0/models"), model)
    for name in ("loaded_context_length", "max_context_length"):
        if studio is not None and (window := whole(studio.get(name))):
            return Facts(window, None, f"LM Studio's {name}")
    return Facts()


def known_window(model: str, provider: str | None, url: str | None = None) -> int | None:
    """The window of a hosted model by the bundled data of genai-prices; None where it has none."""
    from genai_prices.data_snapshot import get_snapshot

    try:
        _, info = get_snapshot().find_provider_model(model, None, provider, url)
    except LookupError:
        return None
    return info.context_window or None


async def _got(http: Http, url: str, *, first: bool = False) -> Any:
    try:
        return await http.get(url)
    except Unreachable:
        if first:
            raise
        return None
    except MemreaderError:
        return None


def _from_props(props: Any) -> Facts | None:
    """llama.cpp: the window is that of one slot."""
    settings = props.get("default_generation_settings") if isinstance(props, dict) else None
    window = whole(settings.get("n_ctx")) if isinstance(settings, dict) else 0
    if not window:
        return None
    return Facts(window, whole(props.get("total_slots")) or 1, "llama.cpp's /props", True)


def _entry(listed: Any, model: str) -> dict[str, Any] | None:
    models = listed.get("data") if isinstance(listed, dict) else None
    for entry in models if isinstance(models, list) else ():
        if isinstance(entry, dict) and entry.get("id") == model:
            return entry
    return None
