"""What a reading gives: the strategy's draft, and the answer made of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from memreader.document import Span
from memreader.evidence import Evidence, Verified
from memreader.memory.notes import Item

Status = Literal["complete", "partial", "not_found"]
Stopped = Literal["finished", "budget", "interrupted"]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a strategy found: the engine makes the `Answer` of it."""

    text: str
    evidence: tuple[Evidence | Span, ...] = ()
    """Spans the answer rests on, the best first. Bare spans were cut by code, hence exact."""
    status: Status = "complete"
    rationale: str = ""


NOT_FOUND = Draft("", status="not_found")
"""Nothing in the documents supports an answer."""


@dataclass(frozen=True, slots=True)
class Citation:
    """A place in a document that bears out the answer, cut out by offset."""

    document: str
    """Name of the document, as the user gave it."""
    start: int
    end: int
    """Half-open character offsets into the document's canonical text; both 0 if unverified."""
    quote: str
    page: int | None
    """Physical page number, from 1; None where the format has no pages."""
    page_label: str | None
    """The number printed on the page."""
    verified: Verified


@dataclass(frozen=True, slots=True)
class Coverage:
    """Proof of what was read."""

    chunks: int = 0
    read: int = 0
    """Chunks whose whole text was shown to the model in a finished call."""
    used: int = 0
    """Chunks whose spans the final memory rests on."""
    cited: int = 0
    failed: int = 0
    """Chunks whose call failed or whose reply could not be used."""
    skipped: int = 0
    """Chunks never read, because of a cap or an interrupt."""
    pages: int | None = None
    pages_without_text: tuple[int, ...] = ()
    """Physical numbers of pages without text, over all documents in order."""
    fraction_read: float = 0.0
    """Tokens of text shown to the model at least once / all tokens of text."""


@dataclass(frozen=True, slots=True)
class Spend:
    """Calls and tokens of a run, over all the processes that worked on it."""

    calls: int = 0
    """Finished calls that were paid in this run."""
    cached_calls: int = 0
    """Calls taken from the journal of other runs, at no cost."""
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    failed_calls: int = 0
    """Attempts that failed."""
    repairs: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a strategy's memory and the spans it rests on."""

    number: int
    content: str
    sources: tuple[Span, ...]
    chunk: int | None = None
    """Index of the chunk after which the memory was as this; None where no chunk belongs to it."""
    items: tuple[Item, ...] = ()
    """The memory sentence by sentence, each with its own places; empty for other memories."""
    path: str = ""
    """Which of several memories that are carried side by side."""
    again: bool = False
    """Made when a passage was read again, to rescue what was forgotten."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What a memory lost on its way without being contradicted."""

    facts: int
    noted: int
    """Facts that were ever noted; rewriting one notes no new one."""
    rescued: int | None = None
    """Of the lost ones, those that were read again and are back; None without a rescue."""

    @property
    def rate(self) -> float:
        """Share of the facts ever noted that were lost."""
        return self.facts / self.noted if self.noted else 0.0

    def __str__(self) -> str:
        back = (
            "" if self.rescued is None else f"; {self.rescued:,} of them back after a second look"
        )
        return f"Forgot {self.facts:,} of {self.noted:,} facts noted ({self.rate:.0%}){back}."


@dataclass(frozen=True, slots=True)
class Answer:
    """The one result of every strategy."""

    text: str
    status: Status
    strategy: str
    model: str
    citations: tuple[Citation, ...]
    coverage: Coverage
    usage: Spend
    cost_usd: float | None
    """None where the price is unknown; 0 for a local endpoint."""
    seconds: float
    stopped: Stopped
    run_id: str
    notes: tuple[str, ...] = ()
    """Decisions and losses worth a line to a person."""
    problems: tuple[str, ...] = ()
    """Why calls failed and why the reading stopped before its end, the commonest first."""
    carried_calls: int = 0
    """Calls of `usage` that earlier processes paid for in this run."""
    rationale: str = ""
    memory: tuple[Version, ...] = ()
    """History of the strategy's memory."""
    forgot: Forgotten | None = None
    """Facts that the memory lost on its way; None where no memory of facts was carried."""
    manifest: dict[str, Any] = field(default_factory=dict)
    """What determined the reading: documents' hashes, options, model, window, wire, versions."""

    def to_json(self) -> dict[str, Any]:
        """The stable JSON object (DESIGN.md, section 5)."""
        return {
            "answer": self.text,
            "status": self.status,
            "strategy": self.strategy,
            "model": self.model,
            "citations": [asdict(c) for c in self.citations],
            "coverage": {
                **asdict(self.coverage),
                "pages_without_text": list(self.coverage.pages_without_text),
            },
            "usage": asdict(self.usage),
            "cost_usd": self.cost_usd,
            "seconds": round(self.seconds, 3),
            "stopped": self.stopped,
            "run_id": self.run_id,
        }

    def __str__(self) -> str:
        return self.text
