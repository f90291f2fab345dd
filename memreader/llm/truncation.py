"""Whether a server read all of the prompt and let the reply end: some cut either."""

from __future__ import annotations

from memreader.errors import SilentTruncation
from memreader.llm.base import Model, Reply, Request

EXACT_SHARE = 0.9
"""With the model's own counter: the server must report at least this share of our count."""
LOW_ESTIMATE = 8
"""Characters of a token in the longest-winded text; Latin prose has four to five."""
ESTIMATE_SHARE = 0.4
WORTH_CHECKING = 300
"""Tokens below which templates and rounding drown the difference."""


def check_truncation(
    request: Request, reply: Reply, model: Model, *, at_most: int | None = None
) -> None:
    """Raise SilentTruncation where the reported prompt is far shorter than the one we sent.

    `at_most` is what is known of its tokens from above: the prompt is counted only where the
    server reports a good deal less than that.
    """
    if not reply.usage.reported:
        return
    reported = reply.usage.input_tokens
    if at_most is not None and model.counter.exact and reported >= EXACT_SHARE * at_most:
        return
    text = request.text
    if len(text) < WORTH_CHECKING:
        return
    if model.counter.exact:
        ours = model.counter.count(text)
        too_few = reported < EXACT_SHARE * ours
        said = f"{ours:,}"
    else:
        ours = len(text) // LOW_ESTIMATE
        too_few = reported < ESTIMATE_SHARE * ours
        said = f"at least {ours:,}"
    if ours <= WORTH_CHECKING or not too_few:
        return
    ollama = " For Ollama raise `num_ctx`." if model.name.startswith("ollama:") else ""
    raise SilentTruncation(
        f"{model.name} was sent {said} tokens and reports that it read {reported:,}: the server "
        f"cut the prompt without saying so. Give it a larger context, or set `window` to what "
        f"it really reads.{ollama}"
    )


def stopped_early(request: Request, reply: Reply) -> bool:
    """`length`, though far fewer tokens came than were allowed; not for small limits."""
    told = reply.usage.reported and reply.finish_reason == "length" and request.max_tokens > 20
    return told and reply.usage.output_tokens < 0.7 * request.max_tokens
