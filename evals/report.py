"""The summary of a run as a Markdown table: a row a figure, a column a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from evals.run import Outcome

NONE = "–"
"""Where a figure does not apply."""

Rows = Sequence[Outcome]


def markdown(outcomes: Rows, facts: Mapping[str, str]) -> str:
    """The facts of a run (model, file, date, commit), then the table."""
    readers = {name: of(outcomes, name) for name in dict.fromkeys(o.reader for o in outcomes)}
    metrics = dict.fromkeys(o.metric for o in outcomes if not o.absent)
    figures = {**_ANSWERS, **_by_metric(metrics), **_READING}
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", f"| | {' | '.join(readers)} |", "|---" * (len(readers) + 1) + "|"]
    for name, figure in figures.items():
        cells = [figure(rows) for rows in readers.values()]
        if any(cell != NONE for cell in cells):
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def of(outcomes: Rows, reader: str) -> list[Outcome]:
    """The outcomes of one reader."""
    return [o for o in outcomes if o.reader == reader]


def mean_score(rows: Rows) -> float | None:
    """Mean of the metric over answerable questions; of a pair of claims both must be right."""
    units: dict[str, float] = {}
    for row in rows:
        if not row.absent:
            key = row.pair or row.id
            units[key] = min(row.score, units.get(key, 1.0))
    return mean(units.values())


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of the values that there are."""
    known = [v for v in values if v is not None]
    return sum(known) / len(known) if known else None


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f} %"


def _number(value: float | None, digits: int = 0) -> str:
    return NONE if value is None else f"{value:,.{digits}f}"


def _share(hits: Sequence[bool]) -> str:
    return f"{sum(hits)} of {len(hits)}" if hits else NONE


def _seconds(rows: Rows) -> str:
    """Only over questions none of whose calls came from the journal, which takes no time."""
    fresh = [o.seconds for o in rows if not o.from_journal and not o.error]
    told = _number(mean(fresh), 1)
    return told if len(fresh) == len(rows) or not fresh else f"{told} (of {len(fresh)})"


def _with_model(figure: Callable[[Rows], str]) -> Callable[[Rows], str]:
    return lambda rows: figure(rows) if any(o.calls for o in rows) else NONE


def _by_metric(metrics: Iterable[str]) -> dict[str, Callable[[Rows], str]]:
    """A row for each metric, where there are several: their mean mixes unlike things."""
    several = list(metrics)
    if len(several) < 2:
        return {}

    def figure(metric: str) -> Callable[[Rows], str]:
        return lambda rows: _percent(mean_score([o for o in rows if o.metric == metric]))

    return {f"- {metric}": figure(metric) for metric in several}


_ANSWERS: dict[str, Callable[[Rows], str]] = {
    "questions": lambda rows: str(len(rows)),
    "not read, for an error": lambda rows: str(sum(o.error is not None for o in rows)),
    "contains the answer": lambda rows: _percent(mean(o.contains for o in rows)),
    "exact match": lambda rows: _percent(mean(o.exact for o in rows)),
    "mean metric": lambda rows: _percent(mean_score(rows)),
}
_READING: dict[str, Callable[[Rows], str]] = {
    "metric, clean of wrong values": lambda rows: _percent(mean(o.clean for o in rows)),
    "gold page read": lambda rows: _percent(mean(o.gold_read for o in rows)),
    "gold page cited": lambda rows: _percent(mean(o.gold_cited for o in rows)),
    "citation precision": lambda rows: _percent(mean(o.citation_precision for o in rows)),
    "citation F1": lambda rows: _percent(mean(o.citation_f1 for o in rows)),
    "absent, and said so": lambda rows: _share([o.refused for o in rows if o.absent]),
    "false refusals": lambda rows: _share([o.refused for o in rows if not o.absent]),
    "partial": lambda rows: _share([o.status == "partial" for o in rows]),
    "calls": _with_model(lambda rows: _number(mean(o.calls for o in rows), 1)),
    "failed attempts": _with_model(lambda rows: _number(mean(o.failed_attempts for o in rows), 1)),
    "tokens in": _with_model(lambda rows: _number(mean(o.input_tokens for o in rows))),
    "tokens out": _with_model(lambda rows: _number(mean(o.output_tokens for o in rows))),
    "longest prompt": _with_model(lambda rows: _number(max(o.longest_prompt for o in rows))),
    "seconds a question": _seconds,
}
