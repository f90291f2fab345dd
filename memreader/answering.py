"""From a strategy's draft to the answer: citations checked, coverage and spend added up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from memreader.answer import Answer, Draft, Forgotten, Status, Stopped
from memreader.citing import citation, cited, stands
from memreader.evidence import NO_INFORMATION
from memreader.run import Run
from memreader.strategy import name_of

if TYPE_CHECKING:
    from memreader.session import Session


async def answer_of(session: Session, run: Run, draft: Draft) -> Answer:
    """Check the draft against the sources, and make the answer of it."""
    corpus = await run.corpus()
    run.supply.account_for_the_rest(corpus)
    caller, ledger = run.caller, run.caller.ledger
    read = ledger.spans_read()
    if NO_INFORMATION in draft.text:  # our own marker is no answer
        draft = _withheld(draft)
    evidence = cited(draft, corpus, session.question, read) if draft.text else []
    if draft.text and not stands(draft, evidence, session.question, corpus, read):
        run.note("The answer rests on nothing that was read; it is withheld.")
        draft, evidence = _withheld(draft), []
    forgot = _account_for_the_memory(session, run)
    spans = [e.span for e in evidence if e.span is not None]
    used = run.memory.held if run.versions else spans
    coverage = ledger.report(corpus, [*used, *spans], spans)
    lacking = run.capped or caller.clipped or coverage.failed
    status: Status = "partial" if lacking else draft.status
    return Answer(
        text=draft.text,
        status=status,
        strategy=name_of(session.strategy),
        model=session.model.name,
        citations=tuple(citation(e, corpus) for e in evidence),
        coverage=coverage,
        usage=caller.spend(),
        cost_usd=None if session.model.price is None else caller.journal.spend(caller.run_id).usd,
        seconds=time.monotonic() - session.began,
        stopped=stopped(run),
        run_id=caller.run_id,
        notes=tuple(session.remarks.notes),
        problems=session.remarks.problems,
        carried_calls=caller.carried,
        rationale=draft.rationale,
        memory=tuple(run.versions),
        forgot=forgot,
        manifest={**session.identity.manifest, "embedder": run.search.used},
    )


def _account_for_the_memory(session: Session, run: Run) -> Forgotten | None:
    """How much the memory forgot, said in a line; nothing is lost in silence."""
    memory = run.memory
    if not run.capped:
        memory.table.end(memory.run, len(memory.versions))
    forgot = memory.forgot
    if forgot is not None and forgot.facts:
        run.note(str(forgot))
    if session.rescue and not memory.asked and not run.capped:
        run.note(f"{name_of(session.strategy)} does not read again what it forgot: no rescue.")
    return forgot


def stopped(run: Run) -> Stopped:
    """Why a run made no further call."""
    if not run.capped:
        return "finished"
    return "interrupted" if run.caller.budget.stop_reason else "budget"


def _withheld(draft: Draft) -> Draft:
    """The draft without its answer."""
    return Draft("", status="not_found" if draft.status == "complete" else draft.status)
