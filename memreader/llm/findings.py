"""What a probe found, what follows from it, and the same in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from memreader.errors import ConfigurationError
from memreader.llm.base import Model, Wire
from memreader.tokens import Calibrated

PLAIN_PASSAGE = 800
"""Tokens of document text that models below the labelled contract read well in one call."""
LEAST_THINKING = 1024
"""Tokens of room for the reasoning of a model that reasons: probes are easier than documents."""
MARGIN = 1.15
LEAST_SCALE, MOST_SCALE = 0.85, 3.0


@dataclass(frozen=True, slots=True)
class Probe:
    """What the probe's calls showed of one model at one endpoint."""

    window: int
    labelled: bool
    """A labelled contract is followed, with the right values."""
    schema: bool
    """A JSON schema gives the right values."""
    schema_enforced: bool
    """The server holds the model to the schema even where the prompt asks for prose."""
    stop: bool | None
    """Stop strings are honoured; None where that could not be tried."""
    usage: bool
    cached_tokens: bool
    """The prefix cache works, and says so."""
    truncated: str | None
    """How a prompt was cut in silence, in words; None where none was."""
    reasoning: int
    """Characters of the longest reasoning before an answer."""
    thinking: int
    """Tokens of the longest reply with reasoning."""
    overrun: bool
    """Replies are longer than the limit asked for."""
    wrapped: bool
    """Replies come in code fences."""
    stopped_early: bool
    """Replies end with reason `length` long before their limit."""
    scale: float | None
    """Tokens of the endpoint for one token of our estimate."""
    chooses: bool | None = None
    """The right one of four numbered notes is named, wherever it stands; None: not known."""
    logprobs: bool = False
    """Log-probabilities of the reply's tokens are given where they are asked for."""
    failures: tuple[str, ...] = ()
    calls: int = 0
    full: bool = False

    @property
    def wire(self) -> Wire:
        """How typed replies are to travel."""
        if self.schema and self.schema_enforced:
            return "schema"
        return "labelled" if self.labelled else "plain"

    def applied(self, model: Model) -> Model:
        """The model with what was found: wire, choice, passages, room to think, estimate."""
        found = replace(model, wire=self.wire, chooses=self.chooses, logprobs=self.logprobs)
        if self.wire == "plain" and model.passage is None:
            found = replace(found, passage=min(PLAIN_PASSAGE, model.window // 2))
        if self.reasoning:
            room = min(model.window // 4, max(LEAST_THINKING, 4 * self.thinking))
            found = replace(found, window=model.window - room, thinking=room)
        if self.scale is not None and not model.counter.exact:
            factor = min(MOST_SCALE, max(LEAST_SCALE, self.scale * MARGIN))
            found = replace(found, counter=Calibrated(factor))
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "failures": list(self.failures)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Probe:
        """A probe from `to_json`. Raises ConfigurationError for what another version wrote."""
        names = {f.name for f in fields(cls)}
        if set(data) != names:
            raise ConfigurationError("This probe was written by another version; probe again.")
        return cls(**{**data, "failures": tuple(data["failures"])})

    def findings(self) -> list[tuple[bool, str]]:
        """What is well and what is not, each as one sentence."""
        said = [(False, f"A call failed: {reason}") for reason in self.failures]
        if self.failures and not self.usage_known:
            return said
        return [
            *said,
            self._form(),
            self._schema(),
            *self._choice(),
            *self._stop(),
            *self._accounts(),
            *self._text(),
        ]

    @property
    def usage_known(self) -> bool:
        """Whether any call came back, so that there is something to judge."""
        return self.calls > len(self.failures)

    def _form(self) -> tuple[bool, str]:
        if self.labelled:
            return True, "It follows a labelled contract, with the right values."
        if self.wire == "schema":
            return True, "It does not follow a labelled contract; JSON schemas are used instead."
        return False, (
            "It does not follow a labelled contract, so it is asked for plain text and code "
            "decides the rest; it is given short passages at a time."
        )

    def _schema(self) -> tuple[bool, str]:
        if self.schema and self.schema_enforced:
            return True, "The server enforces JSON schemas, and the values are right."
        if self.schema_enforced:
            return True, "The server enforces JSON schemas, but the values are wrong: not used."
        return False, "The server ignores JSON schemas; they are not used."

    def _choice(self) -> list[tuple[bool, str]]:
        given = "given" if self.logprobs else "not given"
        logprobs = (True, f"Log-probabilities of a reply are {given}.")
        if self.chooses is None:
            return [logprobs]
        if self.chooses:
            return [
                (True, "It can choose by number: it names the right one of four notes."),
                logprobs,
            ]
        return [
            (False, (
                "It cannot choose by number: what it names depends on the place in the list, not "
                "on what is said there; code chooses for it."
            )),
            logprobs,
        ]  # fmt: skip

    def _stop(self) -> list[tuple[bool, str]]:
        if self.stop is None:
            return []
        if self.stop:
            return [(True, "Stop strings are honoured.")]
        return [(False, "Stop strings are ignored; replies run on to their token limit.")]

    def _accounts(self) -> list[tuple[bool, str]]:
        usage = (
            (True, "Usage is reported.")
            if self.usage
            else (False, "Usage is not reported; tokens and cost are our own count.")
        )
        cached = (
            "Cached prompt tokens are reported."
            if self.cached_tokens
            else "No cached prompt tokens were reported; a repeated beginning is paid in full."
        )
        cut = (
            (True, f"Prompts are read whole (window {self.window:,} tokens).")
            if self.truncated is None
            else (False, f"Prompts are cut in silence: {self.truncated}")
        )
        return [usage, (True, cached), cut]

    def _text(self) -> list[tuple[bool, str]]:
        said = []
        if self.reasoning:
            said.append((False, (
                f"It reasons before it answers (up to {self.reasoning:,} characters); that is kept "
                f"apart, and each reply gets room for it."
            )))  # fmt: skip
        if self.wrapped:
            said.append((False, "It puts replies into code fences, with words around them."))
        if self.overrun:
            said.append((
                False, "The limit on a reply's tokens is ignored; a reply may pass the budget.",
            ))  # fmt: skip
        if self.stopped_early:
            said.append((
                False, "Replies are cut off half-way, long before the token limit asked for.",
            ))  # fmt: skip
        return said
