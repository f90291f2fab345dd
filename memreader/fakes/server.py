"""What the test server answers: a model's text, spoilt by a defect, in the server's JSON.

See `memreader.testing_server`, which is where the public names are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from memreader.document import content_hash
from memreader.fakes.counter import WordCounter
from memreader.words import content_words

Body = dict[str, Any]


class Defect(Enum):
    """What a misbehaving server does wrong."""

    RATE_LIMIT = "answers 429 with Retry-After"
    SERVER_ERROR = "answers 503"
    RESET = "resets the connection"
    HANG = "gives no answer until the client gives up"
    CUT_STREAM = "breaks off in the middle of its answer"
    MALFORMED = "answers 200 with something that is not JSON"
    FENCED = "puts its answers into code fences, with chatter around them"
    TRUNCATED = "stops half-way, with finish reason `length`"
    EMPTY = "answers with an empty text"
    WRONG_TYPE = "answers with a number, a list or nothing in place of the text"
    WINDOW_EXCEEDED = "refuses every prompt as too long for its window"
    SILENT_CUT = "drops the beginning of a prompt, and does not say so"
    IGNORES_SCHEMA = "takes a JSON schema and does not keep to it"
    IGNORES_STOP = "takes stop strings and writes on past them"
    NO_USAGE = "does not report usage"
    WRONG_DIMENSION = "gives vectors of another dimension"
    WRONG_COUNT = "gives one vector too few"
    LEAKS_REASONING = "puts its reasoning into the answer"
    CHOOSES_BY_POSITION = "names the first of numbered options, whatever they say"


def tokens(text: str) -> int:
    """The server's own count."""
    return WordCounter().count(text)


def longest(body: Body) -> int:
    """Tokens that have to fit the window: those of the chat, or of the longest text to embed."""
    texts = body.get("input", [" ".join(words(body))])
    return max((tokens(text) for text in texts), default=0)


def word_vector(text: str, dimension: int) -> list[float]:
    """Counts of content words at length 1, each word at the place that its hash gives it."""
    counts = [0.0] * dimension
    for word in content_words(text):
        counts[1 + int(content_hash(word)[:8], 16) % (dimension - 1)] += 1
    counts[0] = 0.0 if any(counts) else 1.0
    length = sum(c * c for c in counts) ** 0.5
    return [c / length for c in counts]


EMBEDDING_PATHS = ("/v1/embeddings", "/api/embed")
DIMENSION = 64


def of_embeddings(path: str, body: Body, defect: Defect | None) -> Body:
    """Vectors of word counts in the server's JSON; OpenAI's kind in no particular order."""
    size = DIMENSION + (defect is Defect.WRONG_DIMENSION)
    vectors = [word_vector(text, size) for text in body["input"]]
    if defect is Defect.WRONG_COUNT:
        vectors.pop()
    used = sum(map(tokens, body["input"]))
    if path == "/api/embed":
        return {"embeddings": vectors, "prompt_eval_count": used}
    data = [{"index": i, "embedding": vector} for i, vector in enumerate(vectors)]
    if defect is Defect.WRONG_TYPE:
        data = [{"index": i, "embedding": "AAAA"} for i, _ in enumerate(vectors)]
    usage = {} if defect is Defect.NO_USAGE else {"usage": {"prompt_tokens": used}}
    return {"object": "list", "data": data[::-1], **usage}


@dataclass(frozen=True)
class Turn:
    text: str
    finish: str
    prompt: int
    cached: int
    number: int


def words(body: Body) -> list[str]:
    return [word for message in body.get("messages", ()) for word in message["content"].split()]


def shared(before: list[str], now: list[str]) -> int:
    """Tokens of the common beginning of two prompts, the last word left to be read."""
    common = 0
    for old, new in zip(before, now[:-1], strict=False):
        if old != new:
            break
        common += tokens(new)
    return common


def seen_by_model(body: Body, defect: Defect | None, cut_at: int) -> Body:
    """The request as the model behind the server gets it."""
    seen = dict(body)
    if defect is Defect.IGNORES_SCHEMA:
        seen.pop("response_format", None)
        seen.pop("format", None)
    if defect is Defect.IGNORES_STOP:
        seen.pop("stop", None)
        seen["options"] = {k: v for k, v in body.get("options", {}).items() if k != "stop"}
    if defect is Defect.SILENT_CUT:
        *_, last = body["messages"]
        kept = last["content"].split(" ")
        while tokens(" ".join(kept)) > cut_at:
            kept = kept[max(1, len(kept) // 20) :]
        seen["messages"] = [{**last, "content": " ".join(kept)}]
    return seen


def conforming(text: str, body: Body) -> str:
    """The text if it is a JSON object, else an object of the schema with the text in each field."""
    try:
        if isinstance(json.loads(text), dict):
            return text
    except ValueError:
        pass
    schema = body.get("format") or body["response_format"].get("json_schema", {}).get("schema", {})
    fields: Mapping[str, Any] = schema.get("properties", {})
    plain = {"integer": 0, "number": 0, "boolean": False, "array": []}
    return json.dumps({name: plain.get(kind.get("type"), text) for name, kind in fields.items()})


def spoilt(text: str, finish: str, defect: Defect | None) -> tuple[str, str]:
    match defect:
        case Defect.FENCED:
            return f"Sure! Here is the answer:\n```json\n{text}\n```\nLet me know.", finish
        case Defect.TRUNCATED:
            return text[: len(text) // 2], "length"
        case Defect.EMPTY:
            return "", finish
        case Defect.LEAKS_REASONING:
            return f"<think>\nThe passage has it, I think.\n</think>\n{text}", finish
        case Defect.CHOOSES_BY_POSITION:
            return first_of_options(text), finish
        case _:
            return text, finish


def first_of_options(text: str) -> str:
    """A reply that names a number, alone or in its section, with 1 in the number's place."""
    named = r"^((?:(?:Action|Numbers?|Choice):)?\s*)\d+(?=[\s.,]*$)"
    return re.sub(named, r"\g<1>1", text, flags=re.MULTILINE)


def bounded(text: str, finish: str, body: Body) -> tuple[str, str]:
    """Cut at stop strings and at the most tokens."""
    options = body.get("options", {})
    for stop in body.get("stop") or options.get("stop") or ():
        text = text.partition(stop)[0]
    most = body.get("max_tokens") or body.get("max_completion_tokens") or options.get("num_predict")
    left = text.split(" ")
    if most and tokens(text) > most:
        while left and tokens(" ".join(left)) > most:
            left.pop()
        return " ".join(left), "length"
    return text, finish


def _content(turn: Turn, defect: Defect | None) -> Any:
    """The text, or what WRONG_TYPE puts in its place."""
    if defect is not Defect.WRONG_TYPE:
        return turn.text
    return (42, [1, 2], None)[turn.number % 3]


def _usage(turn: Turn) -> Body:
    return {
        "prompt_tokens": turn.prompt,
        "completion_tokens": tokens(turn.text),
        "prompt_tokens_details": {"cached_tokens": turn.cached},
    }


def of_openai(turn: Turn, defect: Defect | None, body: Body) -> Body:
    if defect is Defect.WRONG_TYPE and turn.number % 4 == 0:
        return {"object": "chat.completion"}
    message = {"role": "assistant", "content": _content(turn, defect)}
    choice: Body = {"index": 0, "message": message, "finish_reason": turn.finish}
    if body.get("logprobs"):
        chosen = [{"token": word, "logprob": -0.1} for word in turn.text.split()]
        choice["logprobs"] = {"content": chosen}
    reply: Body = {"object": "chat.completion", "choices": [choice]}
    if defect is not Defect.NO_USAGE:
        reply["usage"] = _usage(turn)
    return reply


def stream_events(turn: Turn, defect: Defect | None) -> list[str]:
    pieces: list[Any] = [word + " " for word in turn.text.split(" ")] or [""]
    pieces[-1] = pieces[-1][:-1]
    if defect is Defect.WRONG_TYPE:
        pieces = [_content(turn, defect)]
    events: list[Body] = [{"choices": [{"delta": {"content": piece}}]} for piece in pieces]
    events.append({"choices": [{"delta": {}, "finish_reason": turn.finish}]})
    if defect is not Defect.NO_USAGE:
        events.append({"choices": [], "usage": _usage(turn)})
    return [*map(json.dumps, events), "[DONE]"]


def of_ollama(turn: Turn, defect: Defect | None) -> Body:
    message = {"role": "assistant", "content": _content(turn, defect)}
    reply: Body = {"message": message, "done": True, "done_reason": turn.finish}
    if defect is not Defect.NO_USAGE:
        reply.update(prompt_eval_count=turn.prompt, eval_count=tokens(turn.text))
    return reply
