"""Asking before money is spent."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from memreader.errors import BudgetRefused
from memreader.strategy import Planned, Strategy

if TYPE_CHECKING:
    from memreader.document import Arriving
    from memreader.llm.base import Model
    from memreader.loaders.opening import Opened
    from memreader.reader import Reader
    from memreader.shelf import Shelf

ASK_ABOVE = 1.0
"""US dollars."""


def confirm(
    reader: Reader,
    model: Model,
    documents: Opened,
    questions: Sequence[str],
    *,
    max_cost: float | None,
    yes: bool,
) -> None:
    """Let a plan above one dollar be confirmed; without a question it is that of the indexes.

    Raises BudgetRefused where it is not confirmed.
    """
    if model.price is None:
        if max_cost is not None:
            raise BudgetRefused(
                f"The price of {model.name} is unknown, so --max-cost cannot be held. Give it in "
                f'a prices file (setting `prices`): ["{model.name}"] input = 0.15, '
                f"cached_input = 0.075, output = 0.60, in US dollars for a million tokens."
            )
        return
    if yes or max_cost is not None:
        return
    expected = _expected(reader, model, documents, questions)
    if expected <= ASK_ABOVE:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise BudgetRefused(
            f"The plan expects ${expected:,.2f}. Give a cap (--max-cost) or --yes to go ahead."
        )
    import typer

    if not typer.confirm(f"The plan expects ${expected:,.2f}. Go ahead?", err=True):
        raise BudgetRefused("Nothing was spent.")


def _expected(reader: Reader, model: Model, documents: Opened, questions: Sequence[str]) -> float:
    from memreader.document import Corpus
    from memreader.plan import NOTHING, together
    from memreader.probing import remembered

    model = remembered(model, reader.stores.probes) if reader.probe else model
    strategy = reader.strategy_object()
    if not isinstance(strategy, Planned):
        return 0.0
    corpus = Corpus(tuple(d.finish() for d in documents.documents))
    plan = together([strategy.plan(corpus, q, model) for q in questions or [""]])
    if not questions:
        plan = plan.once or NOTHING
    if indexed(reader.stores.shelf(), strategy, model=model, documents=documents.documents):
        plan = plan.more() if questions else NOTHING
    cost = plan.with_thinking(model.thinking).cost(model.price)
    return 0.0 if cost is None else cost[1]


def indexed(
    shelf: Shelf, strategy: Strategy, *, model: Model, documents: Sequence[Arriving]
) -> bool:
    """Whether all documents have indexes of this strategy as it is, with this model."""
    from memreader.identity import Identity

    made_by = Identity(documents, "", model, strategy).made_by
    return shelf.holds(made_by, [a.id for a in documents])
