"""One question to the model, from the strategy's words to a reply: free text, or a typed shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from memreader import events
from memreader.calls import Caller
from memreader.chunking import Chunk
from memreader.errors import ModelTooSmall
from memreader.grounding import Grounding, Source
from memreader.llm.base import Message, Reply, Request
from memreader.llm.truncation import stopped_early
from memreader.prompts import Value
from memreader.rendering import Rendering
from memreader.repairing import Unreadable, repaired
from memreader.structured import PlainForm, S, Shape, Unparsed, json_schema, parse, plain_text


@dataclass(frozen=True, slots=True)
class Asking:
    """A prompt by its name, what fills it, and how the reply is to be drawn."""

    prompt: str
    max_tokens: int
    values: Mapping[str, Value]
    sources: Sequence[Source]
    """What the prompt shows: chunks among it count as read."""
    temperature: float
    sample: int
    final: bool
    """Whether it may use the budget's reserve."""
    logprobs: bool = False
    """Whether the log-probabilities of the reply's tokens are wanted."""

    @property
    def chunks(self) -> list[Chunk]:
        """The chunks among the sources that are read for the first time."""
        return [s for s in self.sources if isinstance(s, Chunk) and not s.again]

    def request(self, rendering: Rendering, shape: type[Shape] | None) -> Request:
        """The model call, with the words and the schema of the form that a shape needs."""
        text = rendering.prompt(self.prompt, self.values, shape)
        schema = json_schema(shape) if shape and rendering.model.wire == "schema" else None
        return Request(
            (Message("user", text),), self.max_tokens, (), schema, self.temperature, None,
            self.sample, self.logprobs,
        )  # fmt: skip

    async def free(self, caller: Caller, rendering: Rendering) -> Reply:
        """A reply in free text."""
        return await self._sent(self.request(rendering, None), caller, rendering)

    async def typed(
        self, shape: type[S], caller: Caller, rendering: Rendering, grounding: Grounding
    ) -> S:
        """A reply as a shape, over the wire format of the model; tried twice where needed."""
        if rendering.model.wire == "plain":
            return await self._plain(shape, caller, rendering, grounding)
        request = self.request(rendering, shape)
        reply = await self._sent(request, caller, rendering)
        try:
            parsed = parse(reply.text, shape)
        except Unparsed as error:
            unreadable = Unreadable(
                request, reply, str(error), self.prompt, self.chunks, self.final
            )
            return await repaired(unreadable, shape, caller, rendering)
        if reply.finish_reason == "length":
            self._shortened(caller, self.max_tokens)
        return parsed

    async def _plain(
        self, shape: type[S], caller: Caller, rendering: Rendering, grounding: Grounding
    ) -> S:
        form: PlainForm | None = shape.plain
        if form is None:
            raise ModelTooSmall(
                f"{rendering.model.name} answers in plain text only, and this strategy needs "
                f"{shape.__name__} replies. Use a larger model."
            )
        short = replace(self, max_tokens=min(self.max_tokens, form.max_tokens))
        request = short.request(rendering, None)
        reply = await self._sent(request, caller, rendering)
        if stopped_early(request, reply):  # at its limit a plain reply may well end
            self._shortened(caller, reply.usage.output_tokens)
        return grounding.derived(shape, form, plain_text(reply.text), self.sources)

    async def _sent(self, request: Request, caller: Caller, rendering: Rendering) -> Reply:
        reply = await caller.call(request, step=self.prompt, chunks=self.chunks, final=self.final)
        return replace(reply, text=rendering.fence.stripped(reply.text))

    def _shortened(self, caller: Caller, limit: int) -> None:
        """A reply that can be read was cut all the same: the end of its last field is missing."""
        caller.clipped = caller.clipped or self.final
        told = f"The reply of step `{self.prompt}` was cut after {limit:,} tokens."
        caller.stream.emit(events.Note(text=told))
