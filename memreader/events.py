"""What happens in a reading, as one numbered stream of frozen events.

The progress display, the trace file, the report and the API's stream all consume this one
stream. Events carry no text of keys or headers; equal readings give equal streams, apart from
`at`, which is not compared.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from memreader.document import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The base: a number counted from 1 in each run, and seconds since the run began."""

    kind: ClassVar[str] = "event"
    number: int = 0
    at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A reading began, or continues an interrupted one (`carried_calls` are already paid)."""

    kind: ClassVar[str] = "run_started"
    run_id: str
    strategy: str
    model: str
    question: str
    wire: str
    documents: dict[str, str] = field(default_factory=dict)
    """Hash of each document, as spans have it, to its name."""
    carried_calls: int = 0
    carried_cost_usd: float | None = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkMade(Event):
    """A chunk was cut for whoever reads next."""

    kind: ClassVar[str] = "chunk_made"
    index: int
    span: Span
    tokens: int
    expected: int | None
    """Chunks in all, estimated from how much of the text this one reaches; None: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunksMade(Event):
    """All documents are cut: how much there is to read. Follows the last chunk."""

    kind: ClassVar[str] = "chunks_made"
    chunks: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted(Event):
    """An attempt at a model call goes out, its worst case booked. Retries start again."""

    kind: ClassVar[str] = "call_started"
    step: str
    key: str
    attempt: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFinished(Event):
    """A model call is finished and journalled, or was found in the journal (`from_journal`)."""

    kind: ClassVar[str] = "call_finished"
    step: str
    key: str
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    cost_usd: float | None
    from_journal: bool
    sources: tuple[int, ...] = ()
    """Indices of the chunks whose text the call showed to the model."""
    for_index: bool = False
    """Whether the call was for an index: then its chunks do not count as read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFailed(Event):
    """One attempt failed; another may follow."""

    kind: ClassVar[str] = "attempt_failed"
    step: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallGivenUp(Event):
    """A call failed for good; the chunks it would have read count as failed."""

    kind: ClassVar[str] = "call_given_up"
    step: str
    reason: str
    sources: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairAsked(Event):
    """A reply could not be parsed; the model is asked once to put it into the wanted form."""

    kind: ClassVar[str] = "repair_asked"
    step: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReady(Event):
    """A question-free index is there: taken from the shelf (`reused`), or built now."""

    kind: ClassVar[str] = "index_ready"
    name: str
    documents: tuple[str, ...]
    """Ids of the documents it is of."""
    reused: bool
    calls: int
    """Calls it was built with in this reading, whether paid now or found in the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryVersion(Event):
    """The strategy's memory has a new version, resting on these spans."""

    kind: ClassVar[str] = "memory_version"
    version: int
    sources: tuple[Span, ...]
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgot(Event):
    """A sentence of the memory is gone after this chunk, and nothing contradicts it."""

    kind: ClassVar[str] = "forgot"
    text: str
    sources: tuple[Span, ...]
    chunk: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note(Event):
    """A remark of the engine or the strategy on a decision it took."""

    kind: ClassVar[str] = "note"
    text: str
    warning: bool = False
    """Whether the command line says it without `-v` too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapReached(Event):
    """No further call will be made: a cap or an interrupt."""

    kind: ClassVar[str] = "cap_reached"
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """The reading ended with this answer (the JSON object of DESIGN.md, section 5)."""

    kind: ClassVar[str] = "run_finished"
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFinished(Event):
    """Building ahead of the questions ended: the JSON object of `memreader.built.Built`."""

    kind: ClassVar[str] = "build_finished"
    built: dict[str, Any]


def event_json(event: Event) -> dict[str, Any]:
    """An event as a JSON object, its kind first."""
    return {"event": event.kind, **asdict(event)}
