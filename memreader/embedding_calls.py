"""Vectors for one reading: from the cache, else asked for in batches that are booked and limited.

Requests to a hosted embedding model go through what model calls go through: booked on the budget
at their worst before they are sent, tried again by the one retry policy, entered in the journal,
and told as events of the step `embed`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from math import isfinite

import anyio

from memreader import events
from memreader.budget import Cost
from memreader.building import being_built
from memreader.calls import Caller
from memreader.errors import (
    BudgetRefused,
    CallFailed,
    EndpointError,
    PromptTooLong,
    Refused,
    TransientError,
)
from memreader.llm.base import Usage
from memreader.llm.dispatch import Dispatcher
from memreader.memory.embedding import (
    Embedded,
    Embedder,
    Fingerprint,
    Hosted,
    Hosting,
    Vector,
    batches,
    computed,
    halves,
    mean,
)
from memreader.memory.embedding_cache import EmbeddingCache, key_of
from memreader.tokens import ESTIMATE

STEP = "embed"
SHORTEST = 200
"""Characters of a text that is not halved any further where a server calls it too long."""


@dataclass(slots=True)
class Embeddings:
    """An embedding model with its cache, on the budget of one reading."""

    embedder: Embedder
    cache: EmbeddingCache
    caller: Caller
    _dimension: int = 0

    @property
    def known(self) -> Fingerprint:
        """What the vectors can be compared with, as far as that is known."""
        made_by = self.embedder.fingerprint
        return made_by.of(self._dimension or made_by.dimension)

    async def fingerprint(self) -> Fingerprint:
        """What the vectors can be compared with; a server is asked once for its dimension."""
        if not self.known.dimension:
            await self.embed(["dimension"])
        return self.known

    async def embed(self, texts: Sequence[str], *, query: bool = False) -> list[Vector]:
        """A vector for each text, each different text once.

        Raises BudgetExceeded before a request that could pass a cap, CallFailed after the last
        attempt, EndpointError where none can help, Refused where dimensions do not agree.
        """
        made_by = self.embedder.fingerprint
        keys = [key_of(made_by, text, query=query) for text in texts]
        known = self.cache.get(list(dict.fromkeys(keys)))
        for vector in known.values():
            self._check(vector)
        missing = {k: t for k, t in zip(keys, texts, strict=True) if k not in known}
        pending = iter(batches(list(missing.values())))

        async def made(batch: list[str]) -> None:
            vectors = await self._vectors(batch, query=query)
            if len(vectors) != len(batch):
                name = self.embedder.fingerprint.model
                raise CallFailed(f"{name} gave {len(vectors):,} vectors for {len(batch):,} texts.")
            self._keep(dict(zip(batch, vectors, strict=True)), known, query=query)

        hosting = self.embedder.hosting if isinstance(self.embedder, Hosted) else None
        await _drained(pending, made, self._workers(hosting))
        return [known[key] for key in keys]

    def _keep(self, made: dict[str, Vector], known: dict[bytes, Vector], *, query: bool) -> None:
        """Vectors into the cache as soon as they are there: a crash loses those in flight."""
        made_by = self.embedder.fingerprint
        for vector in made.values():
            self._check(vector)
        new = {key_of(made_by, text, query=query): vector for text, vector in made.items()}
        self.cache.put(made_by.model, new)
        known.update(new)

    def _check(self, vector: Vector) -> None:
        known = self.known.dimension
        if known and len(vector) != known:
            self.caller.broken = Refused(
                f"{self.embedder.fingerprint.model} gives vectors of {len(vector):,} dimensions, "
                f"but {known:,} were made under this name before. Use the model of before, or "
                f"delete its vectors: memreader cache delete --embeddings"
            )
            raise self.caller.broken
        if not all(map(isfinite, vector)):
            self.caller.broken = Refused(
                f"{self.embedder.fingerprint.model} gives vectors with entries that are no finite "
                f"number. Nothing can be near to them; use another embedding model."
            )
            raise self.caller.broken
        self._dimension = len(vector)

    def _workers(self, hosting: Hosting | None) -> int:
        """Batches at once: in this process one; at a server as many as its dispatcher lets go."""
        if hosting is None:
            return 1
        return hosting.concurrency or self._dispatcher(hosting).limit

    def _dispatcher(self, hosting: Hosting) -> Dispatcher:
        return Dispatcher.for_endpoint(hosting.endpoint, concurrency=hosting.concurrency)

    # --- batches ---------------------------------------------------------------------------

    async def _vectors(self, texts: list[str], *, query: bool) -> list[Vector]:
        """The vectors of a batch; what is too long for the server is taken in halves.

        The vector of a text that was halved is the mean of its parts', weighted by length.
        """
        if not isinstance(self.embedder, Hosted):
            return await computed(self.embedder, texts, query=query)
        try:
            return (await self._paid(self.embedder, texts, query=query)).vectors
        except PromptTooLong:
            if len(texts) > 1:
                half = len(texts) // 2
                first = await self._vectors(texts[:half], query=query)
                return first + await self._vectors(texts[half:], query=query)
            (text,) = texts
            if len(text) < SHORTEST:
                raise
        parts = halves(text)
        vectors = [(await self._vectors([part], query=query))[0] for part in parts]
        return [mean(vectors, [len(part) for part in parts])]

    async def _paid(self, embedder: Hosted, texts: list[str], *, query: bool) -> Embedded:
        name = self.embedder.fingerprint.model
        request = _Request(self.caller, embedder.hosting, name, texts, query)
        answer = partial(embedder.request, texts, query=query)
        return await request.made(self._dispatcher(embedder.hosting), answer)


@dataclass(slots=True)
class _Request:
    """One request on the budget, with all its attempts."""

    caller: Caller
    hosting: Hosting
    model: str
    texts: list[str]
    query: bool
    tokens: int = 0
    """At most."""
    key: str = ""
    _open: bool = False
    _attempts: int = 0

    def __post_init__(self) -> None:
        self.tokens = sum(ESTIMATE.count(text) for text in self.texts)
        told = "\0".join([self.model, str(self.query), *self.texts]).encode(
            "utf-8", "surrogatepass"
        )
        self.key = f"embed-{sha256(told).hexdigest()[:34]}"

    @property
    def worst(self) -> Cost:
        """What an attempt may cost."""
        return Cost(1, self.tokens, self._price(self.tokens) or 0.0)

    async def made(
        self, dispatcher: Dispatcher, answer: Callable[[], Awaitable[Embedded]]
    ) -> Embedded:
        """The answer, booked before and settled after."""
        budget = self.caller.budget
        self._know_the_price()
        try:
            with anyio.move_on_after(budget.deadline(final=False)) as scope:
                found = await dispatcher.run(
                    answer,
                    key=self.key,
                    tokens=self.tokens,
                    on_attempt=self._attempt,
                    on_failure=self._failed,
                )
            if scope.cancelled_caught:
                raise budget.out_of_time()
        except EndpointError as error:
            self.caller.broken = error
            raise
        except CallFailed as error:
            self.caller.give_up(STEP, str(error), ())
            raise
        finally:
            if "found" not in locals():
                self._settle(None, billed=True)
        if self._open:  # not so where it shared another one's flight
            self._settle(found.input_tokens or self.tokens, billed=True)
        return found

    def _know_the_price(self) -> None:
        if self.caller.budget.limits.usd is not None and self.hosting.price is None:
            raise BudgetRefused(
                f"A cap in dollars is set, and what {self.model} costs is not known. Give its "
                f'price in a file that the setting `prices` names: ["{self.model}"] with '
                f"input = DOLLARS for a million tokens; or cap calls or tokens instead."
            )

    async def _attempt(self) -> None:
        await self.caller.budget.book(self.worst)
        self._open, self._attempts = True, self._attempts + 1
        self.caller.retries += self._attempts > 1
        self.caller.stream.emit(events.CallStarted(step=STEP, key=self.key, attempt=self._attempts))

    def _failed(self, error: TransientError) -> None:
        self._settle(None, billed=error.may_be_billed)
        self.caller.stream.emit(events.AttemptFailed(step=STEP, key=self.key, reason=str(error)))

    def _settle(self, tokens: int | None, *, billed: bool) -> None:
        """Close the open booking: with what it took, or as a failure."""
        if not self._open:
            return
        self._open = False
        counted = self.tokens if tokens is None and billed else tokens or 0
        usd, run = self._price(counted), self.caller.run_id
        if tokens is None:
            self.caller.journal.put_failure(run, self.key, counted, usd)
        else:
            self.caller.journal.put_spend(run, self.key, counted, usd)
            self._tell(counted, usd)
        self.caller.budget.settle(self.worst, Cost(1, counted, usd or 0.0))

    def _tell(self, tokens: int, usd: float | None) -> None:
        tally = being_built()
        if tally is not None:
            tally.add(Usage(tokens), usd)
        self.caller.stream.emit(
            events.CallFinished(
                step=STEP,
                key=self.key,
                input_tokens=tokens,
                cached_input_tokens=0,
                output_tokens=0,
                cost_usd=usd,
                from_journal=False,
                for_index=tally is not None,
            )
        )

    def _price(self, tokens: int) -> float | None:
        return None if self.hosting.price is None else self.hosting.price.of(Usage(tokens))


async def _drained(
    pending: Iterator[list[str]], work: Callable[[list[str]], Awaitable[None]], workers: int
) -> None:
    """Work on all batches; after a first error none is begun, and those in flight are finished."""
    failed: list[Exception] = []

    async def worker() -> None:
        for batch in pending:
            try:
                await work(batch)
            except Exception as error:  # because the task group would wrap it in a group
                failed.append(error)
            if failed:
                return

    async with anyio.create_task_group() as tasks:
        for _ in range(max(1, workers)):
            tasks.start_soon(worker)
    if failed:
        raise failed[0]
