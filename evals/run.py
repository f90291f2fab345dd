"""START HERE. `evaluate` is the whole path: open, read with each reader, score, record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from evals import scorers
from evals.places import Place, was_read
from evals.readers import Read, Reading
from evals.tasks import Library, Question
from memreader.document import Document
from memreader.errors import EndpointError, MemreaderError


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One question, read by one reader: a line of the record."""

    id: str
    reader: str
    task: str
    metric: str
    absent: bool
    """The documents do not tell."""
    pair: str | None = None
    """Claims of one pair count only together (`pair_accuracy`)."""
    answers: tuple[str, ...] = ()
    answer: str = ""
    status: str = "error"
    error: str | None = None
    """Why nothing was read; such a question scores 0."""
    score: float = 0.0
    exact: float | None = None
    contains: float | None = None
    clean: float | None = None
    """The score, but 0 if a wrong answer stands in it; None where no wrong answers are known."""
    refused: bool = False
    """Whether it said that the documents do not tell."""
    gold_read: float | None = None
    """Share of the gold places whose text the model was shown."""
    gold_cited: float | None = None
    citation_precision: float | None = None
    citation_f1: float | None = None
    cited: tuple[str, ...] = ()
    """Pages that were cited ("R-data.pdf p. 5-6"), or offsets where there are no pages."""
    calls: int = 0
    from_journal: int = 0
    failed_attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    longest_prompt: int = 0
    seconds: float = field(default=0.0, compare=False)


async def evaluate(
    questions: Iterable[Question],
    library: Library,
    readers: Mapping[str, Read],
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Read each question with each reader and score what it says.

    A question that cannot be read is recorded with its error, and the next one follows; only an
    endpoint that answers no call (EndpointError) ends it all.
    """
    outcomes = []
    for question in questions:
        for name, read in readers.items():
            try:
                documents = library.documents(question)
                reading = await read(question, documents)
                if reading is None:
                    continue
                outcome = scored(question, name, reading, documents)
            except EndpointError:
                raise
            except MemreaderError as error:
                outcome = failed(question, name, error)
            outcomes.append(outcome)
            on_outcome(outcome)
    return outcomes


def scored(
    question: Question, reader: str, reading: Reading, documents: Sequence[Document]
) -> Outcome:
    """The outcome of a reading."""
    text, answers = reading.text, question.answers
    refused = reading.status == "not_found" or bool(scorers.abstain(text))
    score = scorers.score(question.metric, text, answers, question.choices)
    if question.absent:
        score = float(refused)
    gold = question.gold(documents)
    cited = scorers.citations(reading.cited, gold)
    found = scorers.found(question.metric, text, answers)
    return replace(
        _of(question, reader),
        answer=text,
        status=reading.status,
        score=score,
        exact=None if found is None else scorers.exactly(text, answers),
        contains=found,
        clean=score * scorers.clean(text, question.wrong_answers)
        if question.wrong_answers
        else None,
        refused=refused,
        gold_read=_share_read(gold, reading, documents),
        gold_cited=cited.recall if cited else None,
        citation_precision=cited.precision if cited else None,
        citation_f1=cited.f1 if cited else None,
        cited=tuple(_label(place, documents) for place in reading.cited),
        calls=reading.calls,
        from_journal=reading.from_journal,
        failed_attempts=reading.failed_attempts,
        input_tokens=reading.input_tokens,
        output_tokens=reading.output_tokens,
        longest_prompt=reading.longest_prompt,
        seconds=round(reading.seconds, 3),
    )


def failed(question: Question, reader: str, error: Exception) -> Outcome:
    """The outcome of a question that could not be read: it counts as a wrong answer."""
    located = 0.0 if any(e.page or e.end for e in question.evidence) else None
    return replace(
        _of(question, reader),
        error=f"{type(error).__name__}: {error}",
        contains=scorers.found(question.metric, "", question.answers),
        gold_read=located,
        gold_cited=located,
        citation_f1=located,
    )


def _of(question: Question, reader: str) -> Outcome:
    """What is known of an outcome before anything is read."""
    pair = question.meta.get("pair") if question.metric == "pair_accuracy" else None
    return Outcome(
        id=question.id,
        reader=reader,
        task=question.task,
        metric=question.metric,
        absent=question.absent,
        pair=f"{question.documents[0].name} {pair}" if pair is not None else None,
        answers=question.answers,
    )


def _share_read(
    gold: Sequence[Place], reading: Reading, documents: Sequence[Document]
) -> float | None:
    if not gold or reading.read is None:
        return None
    named = {d.source: d for d in documents}
    return sum(was_read(g, reading.read, named[g.document]) for g in gold) / len(gold)


def _label(place: Place, documents: Sequence[Document]) -> str:
    """The pages a citation stands on; it may run over the end of one."""
    document = next(d for d in documents if d.source == place.document)
    if place.start >= place.end:
        return f"{place.document} unverified"
    first, last = document.page_at(place.start), document.page_at(place.end - 1)
    if first is None or last is None:
        return f"{place.document} {place.start}-{place.end}"
    pages = str(first.number) if first == last else f"{first.number}-{last.number}"
    return f"{place.document} p. {pages}"
