"""Indexes: built once for documents, free of the question, and kept on the shelf."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from memreader import events
from memreader.building import Tally, building
from memreader.chunking import Chunk
from memreader.document import content_hash
from memreader.identity import Identity
from memreader.shelf import Label, Shelf
from memreader.strategy import name_of

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Indexing:
    """Gives an index from the shelf, or has it built."""

    identity: Identity
    shelf: Shelf
    emit: Callable[[events.Event], None]
    fresh: bool = False
    """Build anew what is on the shelf already."""

    async def index(
        self,
        name: str,
        build: Callable[[], Awaitable[T]],
        documents: Sequence[str],
        depends: Mapping[str, Any] | None,
        capped: Callable[[], bool],
    ) -> T:
        """See `Run.index`; `capped` tells whether the reading was stopped meanwhile."""
        key = self._key(name, documents, depends)
        async with self.shelf.one_at_a_time(key):
            kept = None if self.fresh else self.shelf.get(key)
            if kept is not None:
                self._tell(name, documents, Tally(), reused=True)
                return kept  # type: ignore[no-any-return]
            with building() as tally:
                new = await build()
            # An index with a hole is used, and built again by the next question: what is done
            # is in the journal.
            if not tally.failed and not capped():
                self.shelf.put(key, self._label(name, documents, tally), new)
            self._tell(name, documents, tally, reused=False)
            return new

    def _key(self, name: str, documents: Sequence[str], depends: Mapping[str, Any] | None) -> str:
        """Strategies that name nothing size what they build by the window."""
        model, made_by = self.identity.model, self.identity.index_key(depends)
        window = str(model.window) if depends is None else ""
        return content_hash("\n".join([*documents, made_by, model.wire, window, name]))

    def _label(self, name: str, documents: Sequence[str], tally: Tally) -> Label:
        names = {a.id: a.source for a in self.identity.arriving}
        return Label(
            name,
            name_of(self.identity.strategy),
            self.identity.model.name,
            {d: names[d] for d in documents},
            tally.calls,
            tally.usage.input_tokens,
            tally.usage.output_tokens,
            tally.usd,
            self.identity.made_by,
        )

    def _tell(self, name: str, documents: Sequence[str], tally: Tally, *, reused: bool) -> None:
        self.emit(
            events.IndexReady(
                name=name, documents=tuple(documents), reused=reused, calls=tally.calls
            )
        )


def boundaries(chunks: Sequence[Chunk]) -> str:
    """Hash of chunks and of where they stand: what an index that points at them depends on.

    Their size alone does not tell: the same size gives other chunks with another tokenizer, or
    with an estimate that was calibrated anew, and what the index points at would not be there.
    """
    return content_hash("\0".join(f"{c.span.start}-{c.span.end} {c.text}" for c in chunks))
