"""Building ahead of the questions, on the path that questions take: budget, journal, events."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace

from memreader import events
from memreader.answering import stopped
from memreader.built import Built, Part, Vectors
from memreader.calls import Caller
from memreader.document import Arriving
from memreader.errors import ConfigurationError, StoreInUse
from memreader.memory.vectors import VectorStore
from memreader.run import Run
from memreader.session import Session
from memreader.stores import Stores
from memreader.strategy import Indexed, Strategy, indexable, name_of


@dataclass(slots=True)
class _Seen:
    """What events tell of the building."""

    parts: list[Part] = field(default_factory=list)
    made: int = 0
    found: int = 0
    failed: int = 0

    def take(self, event: events.Event) -> None:
        match event:
            case events.IndexReady():
                self.parts.append(Part(event.name, event.documents, event.reused, event.calls))
            case events.CallFinished(for_index=True):
                self.found += event.from_journal
                self.made += not event.from_journal
            case events.CallGivenUp():
                self.failed += 1


async def build(session: Session) -> Built:
    """Have the strategy build what is free of any question.

    Where it is complete, indexes and vectors of older versions of the same files are removed, and
    not before. Raises ConfigurationError for a strategy that builds no index, StoreInUse where
    another process owns the folder of vectors that are to be kept.
    """
    strategy, seen = require_index(session.strategy), _Seen()
    session.stream.listeners.append(seen.take)

    def lasting() -> AbstractAsyncContextManager[VectorStore]:
        """Vectors that would be gone with this process are no index."""
        return session.stores.vectors(None)

    async def work(caller: Caller) -> Built:
        async def step(run: Run) -> tuple[Vectors, ...]:
            run.search.open_store = lasting
            await strategy.index(run)
            held = await run.search.held([a.id for a in session.arriving])
            ours = [h for h in held if str(h.collection.fingerprint) == run.search.used]
            return tuple(Vectors(h.collection.name, h.document, h.entries) for h in ours)

        run, vectors = await session.worked(caller, step)
        return _built(session, run, vectors, seen)

    built = await session.recorded(work)
    if built.status == "complete":
        try:
            built = replace(built, replaced=await replace_older(session.stores, session.arriving))
        except StoreInUse as error:  # the next building tries again
            told = f"Older versions of the files stay for now: {error}"
            session.stream.emit(events.Note(text=told))
            built = replace(built, notes=(*built.notes, told))
    session.stream.emit(events.BuildFinished(built=built.to_json()))
    return built


def require_index(strategy: Strategy) -> Indexed:
    """The strategy as one that builds indexes. Raises ConfigurationError that names those."""
    if isinstance(strategy, Indexed):
        return strategy
    others = indexable()
    which = f"Those that do: {', '.join(others)}." if others else "No installed strategy does."
    raise ConfigurationError(
        f"The strategy `{name_of(strategy)}` builds no index ahead of a question. {which}"
    )


def _built(session: Session, run: Run, vectors: tuple[Vectors, ...] | None, seen: _Seen) -> Built:
    caller = run.caller
    lacking = run.capped or caller.clipped or seen.failed or vectors is None
    return Built(
        status="partial" if lacking else "complete",
        strategy=name_of(session.strategy),
        model=session.model.name,
        documents={a.id: a.source for a in session.arriving},
        indexes=tuple(seen.parts),
        vectors=vectors or (),
        made=seen.made,
        found=seen.found,
        failed=seen.failed,
        usage=caller.spend(),
        cost_usd=None if session.model.price is None else caller.journal.spend(caller.run_id).usd,
        seconds=time.monotonic() - session.began,
        stopped=stopped(run),
        run_id=caller.run_id,
        notes=tuple(session.remarks.notes),
        problems=session.remarks.problems,
        carried_calls=caller.carried,
        manifest={**session.identity.manifest, "embedder": run.search.used},
    )


async def replace_older(stores: Stores, arriving: Sequence[Arriving]) -> tuple[str, ...]:
    """Remove what the stores hold of older contents of the same files; returns their ids.

    Content that also stands in another file stays.
    """
    shelf = stores.shelf()
    older = [(a.path, old) for a in arriving if a.path for old in shelf.at(a.path) if old != a.id]
    left = {p.document for p in shelf.placed() if (p.path, p.document) not in older}
    gone = tuple(dict.fromkeys(old for _, old in older if old not in left))
    for document in gone:
        await forget(stores, document)
    for path, old in older:
        shelf.displace(path, old)
    return gone


async def forget(stores: Stores, document: str) -> tuple[int, int]:
    """Remove all indexes and vectors of a document; how many indexes and entries went.

    The vectors go first: what the shelf still names can be removed again after a crash.
    """
    entries = await stores.forget_vectors(document)
    return stores.shelf().remove(document), entries
