"""What clients share in reading an answer: reasoning kept apart, finish reasons, empty replies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from memreader.document import clean
from memreader.errors import ServerFault
from memreader.llm.base import FinishReason, Reply, Request, TokenCounter, Usage

_OPENING = re.compile(r"\s*<(think|thinking|reasoning|thought)>", re.IGNORECASE)

_FINISH: Mapping[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
}


def finish_reason(value: object) -> FinishReason:
    """The server's reason in our three words."""
    return _FINISH.get(value, "other") if isinstance(value, str) else "other"


def parted(text: str) -> tuple[str, str]:
    """Reasoning that stands in front of an answer, and the answer.

    Some templates open the block in the prompt, so that only its end is in the reply; a block
    that is never closed is all reasoning.
    """
    if (opening := _OPENING.match(text)) is not None:
        tag = opening.group(1)
        body = text[opening.end() :]
        end = re.search(rf"</{tag}>", body, re.IGNORECASE)
        return (body, "") if end is None else (body[: end.start()], body[end.end() :].lstrip())
    before, end_tag, after = text.partition("</think>")
    if end_tag and "<think>" not in before:
        return before, after.lstrip()
    return "", text


def reply_of(
    text: str,
    reasoning: str,
    finish: FinishReason,
    usage: Usage,
    *,
    where: str,
    logprobs: tuple[float, ...] | None = None,
) -> Reply:
    """The reply, or ServerFault for an empty one that did not even run out of room."""
    thought, answer = parted(clean(text))
    if not answer.strip() and finish != "length":
        raise ServerFault(f"{where} gave an empty reply.", may_be_billed=True)
    return Reply(answer, usage, finish, logprobs, clean(reasoning + thought).strip())


def own_count(request: Request, text: str, counter: TokenCounter) -> Usage:
    """Our own count, where the server reports none."""
    return Usage(counter.count(request.text), 0, counter.count(text), reported=False)


def whole(value: Any) -> int:
    """A token count from JSON; 0 for anything that is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
