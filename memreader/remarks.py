"""What a reading's events have to say to a person at its end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from memreader import events


@dataclass(slots=True)
class Remarks:
    """Collects, as a listener, the notes of a reading and what went wrong in it."""

    notes: list[str] = field(default_factory=list)
    _failures: Counter[str] = field(default_factory=Counter)
    _warnings: list[str] = field(default_factory=list)
    _cap: str | None = None

    def take(self, event: events.Event) -> None:
        """Note an event."""
        match event:
            case events.Note():
                self.notes.append(event.text)
                if event.warning:
                    self._warnings.append(event.text)
            case events.CallGivenUp():
                self._failures[event.reason] += 1
            case events.CapReached():
                self._cap = event.reason

    @property
    def problems(self) -> tuple[str, ...]:
        """Warnings, why calls failed (the commonest first), and last why it stopped early."""
        told = [
            f"{number:,} {'call' if number == 1 else 'calls'} failed for good: {reason}"
            for reason, number in self._failures.most_common()
        ]
        return (*self._warnings, *told, *([self._cap] if self._cap else []))
