"""How much text a worker reads at once: both of the formulas (step 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from memreader.errors import ConfigurationError
from memreader.prompts import Value
from memreader.rendering import Rendering, chunk_budget
from memreader.structured import Shape

LEAST = 64
"""Tokens of text below which a call is not worth making."""
SMALLEST = 16
"""Tokens of the smallest unit that options may ask for."""
FENCED = 48
"""Tokens of the marker lines around notes and passage, from above."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens of one call's parts."""

    text: int
    unit: int
    """Hard cap on the communication unit."""
    reply: int
    worker: int
    """Of the worker's prompt beside unit and text."""
    manager: int
    """Of the last call's prompt beside the units."""
    window: int
    """Tokens of a call in all."""

    @property
    def shown(self) -> int:
        """Tokens of units that fit the last call, marker lines and all."""
        return self.window - self.manager - self.reply

    @classmethod
    def of(
        cls,
        rendering: Rendering,
        shapes: tuple[type[Shape], type[Shape]],
        values: tuple[Mapping[str, Value], Mapping[str, Value]],
        *,
        window: int,
        unit: int,
        reply: int,
        reserved: bool,
        ends: int | None,
    ) -> Budget:
        """`ends` is how many units the last call sees; None: as many as fit it.

        Raises ConfigurationError where the window leaves no room to read in.
        """
        window = min(window, rendering.model.window)
        unit, reply = min(unit, window // 4), min(reply, window // 4)
        worker = rendering.tokens("worker", {**values[0], "notes": "", "passage": ""}, shapes[0])
        last = "manager" if ends == 1 else "judge"
        manager = rendering.tokens(last, {**values[1], "notes": ""}, shapes[1])
        # Units grow to their cap: all of them have to fit the call in which a judge sees them.
        unit = min(unit, (window - manager - reply) // (ends or 1) - FENCED)
        if unit < SMALLEST:
            raise ConfigurationError(
                f"A judge cannot see the units of {ends} chains in a call of {window:,} tokens. "
                f"Lower path_count, use selection=vote, or raise the window."
            )
        text = window - worker - FENCED
        # The paper's formula (appendix) takes neither unit nor reply off; that only works where
        # the window that counts is smaller than the model's own.
        room = text - unit - max(unit, reply)
        if not reserved and window + 2 * unit > rendering.model.window:
            raise ConfigurationError(
                f"split=paper counts neither the communication unit nor the reply, so the window "
                f"of {window:,} tokens overflows that of {rendering.model.name} "
                f"({rendering.model.window:,}). Lower `window` by {2 * unit:,}, or use "
                f"split=reserved."
            )
        text = room if reserved else text
        if text < LEAST:
            raise ConfigurationError(
                f"Prompt and question take {worker:,}, unit and reply {unit + reply:,} of the "
                f"{window:,} tokens of a call: too little is left to read with. Ask a shorter "
                f"question, or raise the window, or lower unit_tokens."
            )
        return cls(chunk_budget(text, rendering.model), unit, reply, worker, manager, window)
