"""The probe: what a model and its endpoint really do, found out with at most eight small calls.

    1  a labelled contract over three sentences: three labels, the right value in each;
       once more, with room, where reasoning took it all
    2  the same with a JSON schema: are its keys there, with the right values?
    3  a JSON schema, while the words ask for prose: does the server enforce it?
    4  a stop string that any reply would run into
    5  a longer prompt with a code word at its top: is all of it read, and what does a token hold?
    6  the same beginning again, then a choice among four notes, the last one right: is the
       beginning taken from the prefix cache, and does the model choose by what the notes say?
    7  the choice with the right note in another place; and are log-probabilities given?
    8  a prompt near the window (only in full), with the code word again

What the calls showed is judged in `memreader.llm.findings`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from memreader.errors import BudgetExceeded, EndpointError, MemreaderError, SilentTruncation
from memreader.labels import sections
from memreader.llm.base import Message, Model, Reply, Request, Schema
from memreader.llm.findings import Probe
from memreader.llm.probe_texts import (
    CODE,
    LABELS,
    NOTES,
    PASSAGE,
    QUESTION,
    SCHEMA,
    choice,
    long_text,
    named,
)
from memreader.llm.truncation import EXACT_SHARE, check_truncation, stopped_early
from memreader.tokens import ESTIMATE

__all__ = ["Probe", "probe"]

Complete = Callable[[Request], Awaitable[Reply]]
Known = bool | None

MOST_CALLS = 7
"""Calls of a probe that is not in full; in full there is one more."""
THINKING = 2048
"""Tokens of room for the reasoning of a model that was seen to reason."""
MOST_NEAR_WINDOW = 12_000
"""Tokens of the longest prompt: beyond that, checking costs more than it tells."""


@dataclass(slots=True)
class _Calls:
    """Makes the probe's calls and keeps what is common to all replies."""

    model: Model
    make: Complete
    full: bool
    replies: list[tuple[Request, Reply]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    calls: int = 0
    thinking: int = 0
    """Tokens of room for reasoning, once some was seen."""

    async def ask(
        self,
        text: str,
        *,
        most: int,
        stop: tuple[str, ...] = (),
        schema: Schema | None = None,
        logprobs: bool = False,
    ) -> Reply | None:
        """A reply; None where the call failed, which is kept."""
        most = min(most, self.model.window // 4) + self.thinking
        request = Request((Message("user", text),), most, stop, schema, logprobs=logprobs)
        self.calls += 1
        try:
            reply = await self.make(request)
        except BudgetExceeded:
            raise
        except MemreaderError as error:
            # A reading cannot go on without its endpoint; the doctor wants to hear of it.
            if isinstance(error, EndpointError) and not self.full:
                raise
            self.failures.append(str(error))
            return None
        self.replies.append((request, reply))
        if reply.reasoning:
            self.thinking = min(THINKING, self.model.window // 4)
        return reply


async def probe(model: Model, *, full: bool = False, complete: Complete) -> Probe:
    """Find out what the model and its endpoint do.

    `complete` makes each call, metered by whoever asks. In full, failures of the endpoint are
    findings; else they are raised, as in a reading.
    """
    calls = _Calls(model, complete, full)
    labelled = await _labelled(calls)
    if calls.replies and _thought_only(calls.replies[-1][1]):
        labelled = await _labelled(calls)  # now with room for it
    works = enforced = False
    if not calls.failures:
        works = await _schema_works(calls)
        enforced = await _schema_enforced(calls)
    # A stop string would end the reasoning, and leave no answer.
    thinks = any(reply.reasoning for _, reply in calls.replies)
    stops = None if calls.failures or thinks else await _stops(calls)
    cut, scale, cached, chooses, logprobs = None, None, False, None, False
    if not calls.failures:
        cut, scale, cached, chooses = await _long(calls, capable=labelled)
    if not calls.failures:
        chooses, logprobs = await _chooses(calls, chooses)
    if full and not calls.failures and cut is None:
        cut = await _near_window(calls, scale, capable=labelled)
    reported = [reply.usage.reported for _, reply in calls.replies]
    return Probe(
        window=model.window,
        labelled=labelled,
        schema=works,
        schema_enforced=enforced,
        stop=stops,
        usage=all(reported),
        cached_tokens=cached,
        truncated=cut,
        reasoning=max((len(r.reasoning) for _, r in calls.replies), default=0),
        thinking=max((r.usage.output_tokens for _, r in calls.replies if r.reasoning), default=0),
        overrun=any(_overrun(q, r) for q, r in calls.replies),
        wrapped=any(_wrapped(reply) for _, reply in calls.replies),
        stopped_early=any(stopped_early(q, r) for q, r in calls.replies),
        scale=scale,
        chooses=chooses,
        logprobs=logprobs,
        failures=tuple(calls.failures),
        calls=calls.calls,
        full=full,
    )


async def _labelled(calls: _Calls) -> bool:
    form = "\n".join(f"{label}: {what}" for label, what in LABELS)
    reply = await calls.ask(
        "Read the passage and answer the question from it. Reply with these sections, in this "
        "order, each on a new line that starts with its label and a colon, and nothing else:\n"
        f"{form}\n\nQuestion: {QUESTION}\n\nPassage:\n{PASSAGE}",
        most=160,
    )
    if reply is None:
        return False
    found = sections(reply.text, {label: label for label, _ in LABELS}).texts
    return _right(*(found.get(label, "") for label, _ in LABELS))


async def _schema_works(calls: _Calls) -> bool:
    """Whether a contract of several keys comes back right: small models fill in the words of it."""
    form = "\n".join(f'- "{label.lower()}": {what}' for label, what in LABELS)
    reply = await calls.ask(
        "Read the passage and answer the question from it. Reply with one JSON object with these "
        f"keys:\n{form}\n\nQuestion: {QUESTION}\n\nPassage:\n{PASSAGE}",
        most=160,
        schema=SCHEMA,
    )
    value = _object(reply)
    return _right(*(str(value.get(label.lower(), "")) for label, _ in LABELS))


def _right(evidence: str, answer: str, confidence: str) -> bool:
    """Whether the three fields hold what the passage says."""
    return (
        "Odalys Wren, who came from" in evidence
        and len(evidence) < len(PASSAGE) // 2
        and "Odalys Wren" in answer
        and len(answer) < 80
        and re.match(r"[1-5](?:\D|$)", confidence) is not None
    )


async def _schema_enforced(calls: _Calls) -> bool:
    reply = await calls.ask(
        f"Tell me in one plain sentence what happened at Ferrow Point.\n\nPassage:\n{PASSAGE}",
        most=80,
        schema=SCHEMA,
    )
    return reply is not None and reply.text.lstrip().startswith("{") and '"evidence"' in reply.text


def _object(reply: Reply | None) -> dict[str, object]:
    try:
        value = json.loads(reply.text) if reply is not None else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


async def _stops(calls: _Calls) -> bool | None:
    """Whether the letter e, at which the reply has to stop, is absent from it."""
    reply = await calls.ask(
        "Repeat this sentence: banana bread under the green tree near the river.",
        most=40,
        stop=("e",),
    )
    return None if reply is None else "e" not in reply.text


async def _long(calls: _Calls, *, capable: bool) -> tuple[str | None, float | None, bool, Known]:
    """How a longer prompt is read: the cut, the scale, the prefix cache, and the first choice."""
    exact = calls.model.counter.exact
    room = calls.model.window * 2  # characters: half of the window at four to a token
    text = long_text(min(1800 if exact else 6000, room))
    first = await calls.ask(f"{text}\n\nWhat is the code word on the first line?", most=48)
    if first is None:
        return None, None, False, None
    request = calls.replies[-1][0]
    cut = _cut(request, first, calls.model) or _top_lost(request, first, capable=capable)
    scale = None
    if first.usage.reported and cut is None:
        scale = first.usage.input_tokens / ESTIMATE.count(request.text)
    again = await calls.ask(f"{text}\n\nNow something else. {choice(len(NOTES))}", most=16)
    cached = again is not None and again.usage.cached_input_tokens > 0
    return cut, scale, cached, named(again, len(NOTES))


async def _chooses(calls: _Calls, before: Known) -> tuple[Known, bool]:
    """Whether the right note is named in a second place too, and whether logprobs are given."""
    reply = await calls.ask(choice(1), most=16, logprobs=True)
    now = named(reply, 1)
    given = reply is not None and bool(reply.logprobs)
    known = [right for right in (before, now) if right is not None]
    return (all(known) if known else None), given


async def _near_window(calls: _Calls, scale: float | None, *, capable: bool) -> str | None:
    model = calls.model
    wanted = min(int(model.window * 0.9) - 64 - calls.thinking, MOST_NEAR_WINDOW)
    text = long_text(8 * wanted)
    while model.counter.count(text) + model.overhead > wanted:
        text = text[: int(len(text) * 0.9)]
    reply = await calls.ask(f"{text}\n\nWhat is the code word on the first line?", most=48)
    if reply is None:
        return None
    request = calls.replies[-1][0]
    return (
        _cut(request, reply, model)
        or _shorter(request, reply, scale)
        or _top_lost(request, reply, capable=capable)
    )


def _cut(request: Request, reply: Reply, model: Model) -> str | None:
    try:
        check_truncation(request, reply, model)
    except SilentTruncation as error:
        return str(error)
    return None


def _shorter(request: Request, reply: Reply, scale: float | None) -> str | None:
    """Whether fewer tokens are reported than of the same kind of text before."""
    if scale is None or not reply.usage.reported:
        return None
    expected = round(scale * ESTIMATE.count(request.text))
    if reply.usage.input_tokens >= EXACT_SHARE * expected:
        return None
    return (
        f"of a prompt of about {expected:,} tokens the server reports that it read "
        f"{reply.usage.input_tokens:,}. Give it a larger context, or set `window` to that."
    )


def _top_lost(request: Request, reply: Reply, *, capable: bool) -> str | None:
    """Whether a model that follows a contract cannot say what stands on the first line."""
    if not capable or reply.finish_reason != "stop" or CODE.partition("-")[2] in reply.text:
        return None
    return (
        f"the code word at the top of a prompt of {len(request.text):,} characters did not come "
        f"back. Give the server a larger context, or set `window` to what it really reads."
    )


def _thought_only(reply: Reply) -> bool:
    """Whether reasoning took all the room there was."""
    return bool(reply.reasoning) and reply.finish_reason == "length"


def _overrun(request: Request, reply: Reply) -> bool:
    return reply.usage.reported and reply.usage.output_tokens > 1.1 * request.max_tokens + 1


def _wrapped(reply: Reply) -> bool:
    return "```" in reply.text
