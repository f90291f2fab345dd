"""The seam to a model: messages in, one reply out, and what is known of the endpoint.

Every client, wrapper and fake implements `LLM`, which has one method.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from memreader.llm.retry import RetryPolicy

Role = Literal["system", "user", "assistant"]
Wire = Literal["schema", "labelled", "plain"]
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more calls, as the server reports them."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    """Those of `input_tokens` that the server took from its prefix cache."""
    output_tokens: int = 0
    reported: bool = True
    """False where the server gave no usage and these are our own counts."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.cached_input_tokens + other.cached_input_tokens,
            self.output_tokens + other.output_tokens,
            self.reported and other.reported,
        )


FinishReason = Literal["stop", "length", "other"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered."""

    text: str
    usage: Usage = Usage()
    finish_reason: FinishReason = "stop"
    logprobs: tuple[float, ...] | None = None
    """Natural log-probability of each generated token, where asked for and given."""
    reasoning: str = ""
    """Reasoning text the endpoint keeps apart from the answer, or that stood in a think block."""


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that determines one model call, and hence its key in the journal."""

    messages: tuple[Message, ...]
    max_tokens: int
    stop: tuple[str, ...] = ()
    schema: Schema | None = None
    temperature: float = 0.0
    seed: int | None = None
    sample: int = 0
    """Number of a repeated draw: keeps equal prompts apart in the journal."""
    logprobs: bool = False

    def key(self, model: str, *, mask: str = "") -> str:
        """Hash over the request and the model's full name (endpoint included).

        `mask` is left out of the texts: the fence's delimiter, which is absent from all
        documents, and which changes when any of them does, while a chunk may not have changed.
        """
        fields = {name: getattr(self, name) for name in self.__slots__}
        fields["messages"] = [
            {"role": m.role, "content": m.content.replace(mask, "\0") if mask else m.content}
            for m in self.messages
        ]
        body = json.dumps([model, fields], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()[:40]

    @property
    def text(self) -> str:
        """All message contents, for counting and for proof of what was shown."""
        return "\n".join(m.content for m in self.messages)


class LLM(Protocol):
    """A model that completes a chat. The one seam every client and fake implements.

    Raises `TransientError` (another attempt may help), `EndpointError` (it will not) or
    `PromptTooLong` (the server refused the length). Clients neither retry nor limit: the
    dispatcher does.
    """

    async def complete(self, request: Request) -> Reply:
        """Answer one request."""
        ...


class TokenCounter(Protocol):
    """Counts tokens as the serving model would, or estimates them from above."""

    @property
    def exact(self) -> bool:
        """Whether counts are the model's own; False for a conservative estimate."""
        ...

    @property
    def name(self) -> str:
        """What counts: "o200k_base", "endpoint", "estimate (UTF-8 bytes / 3)"."""
        ...

    def count(self, text: str) -> int:
        """Tokens of a text on its own, without any chat template."""
        ...


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    input: float
    cached_input: float
    output: float
    source: str = ""
    """Where the figures come from: "genai-prices 0.2.3", "prices.toml", "local endpoint"."""

    def of(self, usage: Usage) -> float:
        """Cost of a usage, in US dollars."""
        fresh = usage.input_tokens - usage.cached_input_tokens
        return (
            fresh * self.input
            + usage.cached_input_tokens * self.cached_input
            + usage.output_tokens * self.output
        ) / 1_000_000


FREE = Price(0.0, 0.0, 0.0, "local endpoint")


@dataclass(frozen=True, slots=True)
class Model:
    """A model ready to be called, with what is known of it and of its endpoint."""

    name: str
    """As the user names it: `ollama:qwen3`, `openai:gpt-4o`, `local`. Without keys."""
    llm: LLM
    counter: TokenCounter
    window: int
    """Tokens of prompt and reply together, as the server says, without `thinking`."""
    endpoint: str = "in-process"
    """Key of the dispatcher: one for each endpoint and process. Without keys."""
    wire: Wire = "labelled"
    """How typed replies travel; chosen by the probe (DESIGN.md, section 3)."""
    probed: bool = False
    """Whether `wire` and `passage` are known of this model, so that no probe is needed."""
    price: Price | None = FREE
    """None where the price is not known; never 0 for that."""
    concurrency: int = 4
    """Requests in flight at most."""
    passage: int | None = None
    """Most tokens of document text that this model reads well in one call; None: its window."""
    thinking: int = 0
    """Tokens that each reply may take beyond its limit, for reasoning before the answer."""
    chooses: bool | None = None
    """Whether it names the right one of numbered options, wherever that stands; None: not known."""
    logprobs: bool = False
    """Whether log-probabilities of a reply's tokens are given where they are asked for."""
    overhead: int = 8
    """Tokens of chat template for each message, from above."""
    remarks: tuple[str, ...] = ()
    """What a person should know of how it was opened: an assumed window, a setting not kept."""
    retry: RetryPolicy | None = None
    """How failed calls to a model in this process are retried; None: as those of a server."""

    @property
    def identity(self) -> str:
        """What stands in journal keys: the name and the endpoint."""
        return f"{self.name}@{self.endpoint}"
