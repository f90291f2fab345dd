"""The second and last try for a typed reply that could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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

    request: Request
    reply: Reply
    reason: str
    step: str
    chunks: Sequence[Chunk]
    """What the reply is about: failed where the second try gives nothing either."""
    final: bool

    @property
    def cut(self) -> bool:
        """Whether the reply ran into its limit: then the end of it is missing, not its form."""
        return self.reply.finish_reason == "length"


async def repaired(
    unreadable: Unreadable, shape: type[S], caller: Caller, rendering: Rendering
) -> S:
    """Ask once more. Raises ReplyUnusable where that fails.

    A reply in the wrong form is to be put into the right one. One that was cut is asked for
    again with more room: made whole from its beginning alone, it would say that what the model
    had not come to is not there.
    """
    step, reason = unreadable.step, unreadable.reason
    if unreadable.cut:
        reason = f"the reply was cut at its limit of {unreadable.request.max_tokens:,} tokens"
        request = _longer(unreadable.request, caller)
    else:
        request = _in_form(unreadable, shape, rendering)
    caller.stream.emit(events.RepairAsked(step=step, reason=reason))
    caller.repairs += 1
    try:
        reply = await caller.call(request, step=f"{step}.repair", final=unreadable.final)
        return parse(rendering.fence.stripped(reply.text), shape)
    except (Unparsed, PromptTooLong) as error:
        caller.give_up(step, f"unusable reply: {reason}; {error}", unreadable.chunks)
        raise ReplyUnusable(
            f"The reply of step `{step}` could not be read ({reason}), nor could its repair "
            f"({error})."
        ) from error


def _longer(request: Request, caller: Caller) -> Request:
    """The same question with up to twice the room for its reply."""
    room = caller.model.window - caller.tokens(request)
    most = max(request.max_tokens, min(2 * request.max_tokens, room))
    return replace(request, max_tokens=most)


def _in_form(unreadable: Unreadable, shape: type[S], rendering: Rendering) -> Request:
    """The reply, to be put into the wanted form."""
    wire = rendering.model.wire
    values: dict[str, Value] = {
        "contract": contract(shape, wire),
        "reply": Untrusted(unreadable.reply.text, "reply"),
    }
    text = render(engine_prompt("repair"), values, rendering.fence)
    schema = json_schema(shape) if wire == "schema" else None
    return Request((Message("user", text),), unreadable.request.max_tokens, (), schema)
