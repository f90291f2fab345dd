"""What building ahead of the questions gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from memreader.answer import Spend, Stopped


@dataclass(frozen=True, slots=True)
class Part:
    """An index that is there now: built in this run, or on the shelf before."""

    name: str
    """What it is: "tree", "graph"."""
    documents: tuple[str, ...]
    """Ids of the documents it is of."""
    reused: bool
    """Whether it was on the shelf."""
    calls: int
    """Calls it was built with, made now or found in the journal; 0 where it was there."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """What the vector store holds of a document, of one kind of passage."""

    name: str
    document: str
    """Id of the document."""
    entries: int


@dataclass(frozen=True, slots=True)
class Built:
    """The result of `Reader.build`: what a question on these documents will find."""

    status: Literal["complete", "partial"]
    """`partial`: a cap, an interrupt, or calls that failed. What is done is in the journal, so
    that the next try makes the other calls alone."""
    strategy: str
    model: str
    documents: Mapping[str, str]
    """Id of each document to its name."""
    indexes: tuple[Part, ...]
    vectors: tuple[Vectors, ...]
    made: int
    """Calls for the indexes that were made now."""
    found: int
    """Calls for the indexes that were in the journal already, at no cost."""
    failed: int
    """Calls that were given up."""
    usage: Spend
    cost_usd: float | None
    """None where the price is unknown; 0 for a local endpoint."""
    seconds: float
    stopped: Stopped
    run_id: str
    replaced: tuple[str, ...] = ()
    """Ids of older versions of the same files, whose indexes and vectors were removed."""
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """Why calls failed and why building stopped before its end, the commonest first."""
    carried_calls: int = 0
    """Calls of `usage` that earlier processes paid for in this run."""
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A stable JSON object."""
        return {
            "status": self.status,
            "strategy": self.strategy,
            "model": self.model,
            "documents": dict(self.documents),
            "indexes": [{**asdict(p), "documents": list(p.documents)} for p in self.indexes],
            "vectors": [asdict(v) for v in self.vectors],
            "calls": {"made": self.made, "found": self.found, "failed": self.failed},
            "replaced": list(self.replaced),
            "usage": asdict(self.usage),
            "cost_usd": self.cost_usd,
            "seconds": round(self.seconds, 3),
            "stopped": self.stopped,
            "run_id": self.run_id,
        }
