"""Using the probe: asked once for each endpoint and model, kept, and applied to the model."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from memreader import events
from memreader.errors import ConfigurationError
from memreader.files import write_whole
from memreader.llm.base import Model, Reply, Request

if TYPE_CHECKING:
    from memreader.calls import Caller
    from memreader.llm.findings import Probe


async def probed(caller: Caller, kept: Path | None) -> Model:
    """The model with what a probe found of it; probed now, on this run's budget, if it never was.

    Raises BudgetExceeded where the budget does not hold the probe's calls.
    """
    model = caller.model
    if model.probed:
        return model
    from memreader.llm.probe import probe

    async def complete(request: Request) -> Reply:
        return await caller.call(request, step="probe")

    found = _kept(model, kept)
    if found is None:
        found = await probe(model, complete=complete)
        if not found.failures:
            remember(model, found.to_json(), kept)
    if found.truncated is not None:
        caller.stream.emit(events.Note(text=f"Prompts are cut in silence: {found.truncated}"))
    return replace(found.applied(model), probed=True)


def metered(model: Model) -> Callable[[Request], Awaitable[Reply]]:
    """Makes a probe's calls outside of any run: limited and retried, but booked nowhere."""
    from memreader.llm.dispatch import Dispatcher

    dispatcher = Dispatcher.for_endpoint(model.endpoint, concurrency=model.concurrency)

    async def nothing() -> None:
        return None

    async def complete(request: Request) -> Reply:
        tokens = model.counter.count(request.text) + request.max_tokens
        return await dispatcher.complete(
            model.llm,
            request,
            key=request.key(model.identity),
            tokens=tokens,
            on_attempt=nothing,
            on_failure=lambda error: None,
        )

    return complete


def remembered(model: Model, kept: Path | None) -> Model:
    """The model with what an earlier probe found; as it is where there was none."""
    found = None if model.probed else _kept(model, kept)
    return model if found is None else replace(found.applied(model), probed=True)


def _kept(model: Model, kept: Path | None) -> Probe | None:
    from memreader.llm.findings import Probe

    data = _all(kept).get(model.identity)
    if data is None:
        return None
    try:
        found = Probe.from_json(data)
    except (ConfigurationError, TypeError):
        return None
    return found if found.window == model.window else None


def remember(model: Model, found: dict[str, object], kept: Path | None) -> None:
    """Keep a probe's result. Another process's result that lands at the same time may be lost.

    Raises ConfigurationError where nothing can be written.
    """
    if kept is None:
        return
    try:
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(kept, json.dumps({**_all(kept), model.identity: found}, indent=1))
    except OSError as error:
        raise ConfigurationError(
            f"What the probe found cannot be kept in {kept} ({error.strerror}). "
            f"Set MEMREADER_HOME to a folder that you may write to."
        ) from error


def _all(kept: Path | None) -> dict[str, dict[str, object]]:
    if kept is None or not kept.is_file():
        return {}
    try:
        data = json.loads(kept.read_text("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}  # a probe is cheap to repeat
    return data if isinstance(data, dict) else {}
