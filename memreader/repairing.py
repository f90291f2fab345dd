"""The one repair of a typed reply that could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memreader import events
from memreader.calls import Caller
from memreader.chunking import Chunk
from memreader.errors import PromptTooLong, ReplyUnusable
from memreader.llm.base import Message, Reply, Request
from memreader.prompts import Untrusted, Value, engine_prompt, render
from memreader.rendering import Rendering
from memreader.structured import S, Unparsed, contract, json_schema, parse


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A reply that could not be parsed, and what was asked."""

    reply: Reply
    reason: str
    step: str
    max_tokens: int
    chunks: Sequence[Chunk]
    """What the reply is about: failed where the repair gives nothing either."""
    final: bool


async def repaired(
    unreadable: Unreadable, shape: type[S], caller: Caller, rendering: Rendering
) -> S:
    """Ask once to put the reply into the wanted form. Raises ReplyUnusable where that fails."""
    step, reason, wire = unreadable.step, unreadable.reason, rendering.model.wire
    caller.stream.emit(events.RepairAsked(step=step, reason=reason))
    caller.repairs += 1
    values: dict[str, Value] = {
        "contract": contract(shape, wire),
        "reply": Untrusted(unreadable.reply.text, "reply"),
    }
    text = render(engine_prompt("repair"), values, rendering.fence)
    schema = json_schema(shape) if wire == "schema" else None
    request = Request((Message("user", text),), unreadable.max_tokens, (), schema)
    try:
        reply = await caller.call(request, step=f"{step}.repair", final=unreadable.final)
        return parse(reply.text, shape)
    except (Unparsed, PromptTooLong) as error:
        caller.give_up(step, f"unusable reply: {reason}; {error}", unreadable.chunks)
        raise ReplyUnusable(
            f"The reply of step `{step}` could not be read ({reason}), nor could its repair "
            f"({error})."
        ) from error
