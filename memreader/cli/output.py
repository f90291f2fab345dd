"""The answer on standard output; coverage and spend on standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from memreader.cli.printable import json_text, on_one_line, printable, say

if TYPE_CHECKING:
    from memreader.answer import Answer, Citation
    from memreader.built import Built
    from memreader.llm.base import Model

LONGEST_QUOTE = 300
MOST_PROBLEMS = 3


def show_answer(answer: Answer, form: str, loud: str, model: Model) -> None:
    """Print an answer in the wanted form."""
    if form == "json":
        print(json_text(answer.to_json(), indent=2))
    elif form == "text":
        print(printable(said(answer)))
        for number, citation in enumerate(answer.citations, start=1):
            print(f"\n  [{number}] {cited(citation)}")
    sys.stdout.flush()
    if loud != "quiet":
        for told in [*remarks(answer, loud), coverage_line(answer), spend_line(answer, model)]:
            say(told)


def said(answer: Answer) -> str:
    """The answer's text, or in plain words that there is none."""
    if answer.text:
        beginning = "(Partial: not all was read.)\n" if answer.status == "partial" else ""
        return beginning + answer.text
    if answer.status == "not_found":
        return "Not found: nothing in what was read supports an answer."
    return "No answer in what was read so far; the reading is not complete."


def cited(citation: Citation) -> str:
    """A quote with document, page and how it was verified."""
    quote = on_one_line(citation.quote)
    if len(quote) > LONGEST_QUOTE:
        quote = quote[: LONGEST_QUOTE - 1] + "…"
    where = on_one_line(citation.document)
    if citation.page is not None:
        where += f", page {citation.page}"
        if citation.page_label not in (None, str(citation.page)):
            where += f" (printed {citation.page_label})"
    how = {
        "exact": "quoted",
        "normalised": "quoted",
        "fuzzy": "quoted, nearly word for word",
        "located": "located by memreader, not quoted by the model",
        "unverified": "UNVERIFIED: these words are not in the document",
    }[citation.verified]
    return f"“{quote}”\n      {where + ' · ' if where else ''}{how}"


def remarks(answer: Answer | Built, loud: str) -> list[str]:
    """What is said before the figures: with `verbose` every note, and each remark once."""
    shown = problems(answer)
    notes = answer.notes if loud == "verbose" else ()
    return [*(note for note in notes if note not in shown), *shown]


def problems(answer: Answer | Built) -> list[str]:
    """Warnings, why calls failed and why the reading stopped, the commonest reasons alone."""
    shown = list(answer.problems[-MOST_PROBLEMS:])
    left = len(answer.problems) - len(shown)
    return [*shown, *([f"{left:,} more reasons: see -v."] if left > 0 else [])]


def coverage_line(answer: Answer) -> str:
    """What was read, in one line."""
    c = answer.coverage
    line = f"read {c.read:,} of {c.chunks:,} chunks ({c.fraction_read:.0%} of the text"
    line += f", {c.pages:,} pages)" if c.pages is not None else ")"
    line += f"; {c.used:,} used, {c.cited:,} cited"
    if c.failed:
        line += f"; {c.failed:,} FAILED"
    if c.skipped:
        line += f"; {c.skipped:,} not read"
    if c.pages_without_text:
        shown = ", ".join(map(str, c.pages_without_text[:8]))
        more = "…" if len(c.pages_without_text) > 8 else ""
        line += f"; no text on page {shown}{more}"
    if answer.stopped == "budget":
        line += ". Stopped at a cap"
    if answer.stopped == "interrupted":
        line += ". Interrupted: the same command continues"
    return line + "."


def spend_line(answer: Answer | Built, model: Model) -> str:
    """What it took, in one line."""
    u = answer.usage
    line = f"{u.calls:,} {'call' if u.calls == 1 else 'calls'}"
    if answer.carried_calls:
        line += f" ({u.calls - answer.carried_calls:,} of them now)"
    if u.cached_calls:
        line += f" (and {u.cached_calls:,} from the journal)"
    line += f", {u.input_tokens:,} tokens in ({u.cached_input_tokens:,} cached)"
    line += f", {u.output_tokens:,} out"
    if u.failed_calls:
        line += f", {u.failed_calls:,} attempts failed"
    if u.repairs:
        line += f", {u.repairs:,} repairs"
    return f"{line}; {money(answer, model)}; {answer.seconds:,.1f} s."


def money(answer: Answer | Built, model: Model) -> str:
    """The cost in words: unknown is not 0, and 0 says why."""
    if answer.cost_usd is None:
        return "price unknown"
    if not answer.cost_usd and model.price is not None and not model.price.output:
        return "$0 (local endpoint)"
    return f"${answer.cost_usd:,.4f}"
