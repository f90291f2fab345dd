"""Chat completions: what is sent, and how every kind of answer is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from memreader.errors import Refused, ServerFault
from memreader.llm._http import Endpoint, Http
from memreader.llm.base import Usage
from memreader.llm.chat import parted
from memreader.llm.openai_compatible import OpenAICompatible, usage_of
from memreader.testing_server import Defect, MisbehavingServer

pytestmark = pytest.mark.anyio
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


class Wire:
    """In the place of HTTP: canned answers, recorded bodies."""

    def __init__(self, *answers: Any) -> None:
        self.endpoint = Endpoint("http://x/v1")
        self.answers = list(answers)
        self.bodies: list[dict[str, Any]] = []

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """The next answer."""
        self.bodies.append(json.loads(json.dumps(body)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def said(content: Any, finish: str | None = "stop", **more: Any) -> dict[str, Any]:
    """An answer with one choice."""
    message = {"role": "assistant", "content": content, **more.pop("message", {})}
    return {"choices": [{"message": message, "finish_reason": finish, **more}]}


def over(*answers: Any) -> tuple[OpenAICompatible, Wire]:
    """A client over canned answers."""
    wire = Wire(*answers)
    return OpenAICompatible(wire, "m"), wire  # type: ignore[arg-type]


async def test_what_is_sent(request_for: Any) -> None:
    """Only what the request has; the schema strict; repeated draws with seeds of their own."""
    client, wire = over(said("yes"), said("yes"))
    await client.complete(request_for("hi"))
    await client.complete(
        request_for("hi", stop=("x",), schema=SCHEMA, seed=5, sample=2, logprobs=True)
    )
    plain, rich = wire.bodies
    assert set(plain) == {"model", "messages", "max_tokens", "temperature"}
    assert rich["seed"] == 7
    assert rich["stop"] == ["x"]
    assert rich["logprobs"] is True
    assert rich["response_format"]["json_schema"]["schema"] == SCHEMA


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        "text",
        {"choices": []},
        {"choices": [5]},
        {"choices": [{}]},
        {"choices": [{"message": "text"}]},
        said(None),
        said(42),
        said([1, 2]),
        said([]),
        said(""),
        said("  \n"),
        said("<think>only thought</think>"),
    ],
)
async def test_what_is_no_answer_is_a_server_fault(answer: Any, request_for: Any) -> None:
    """Wrong types, missing parts and empty texts may be billed, and another try may mend them."""
    client, _ = over(answer)
    with pytest.raises(ServerFault) as caught:
        await client.complete(request_for())
    assert caught.value.may_be_billed


async def test_reasoning_that_took_all_the_room_is_a_reply(request_for: Any) -> None:
    """An empty content with finish reason `length` is no fault: more room is what it needs."""
    client, _ = over(
        said("", "length", message={"reasoning_content": "hmm"}),
        said(None, "length", message={"reasoning": "hmm"}),
        said("<think>hmm", "length"),
    )
    for _ in range(3):
        reply = await client.complete(request_for())
        assert (reply.text, reply.finish_reason, reply.reasoning) == ("", "length", "hmm")


async def test_half_a_character_is_replaced(request_for: Any) -> None:
    """A server may cut an emoji in two; nothing that keeps text takes the half."""
    client, _ = over(said("fine \ud83d", message={"reasoning_content": "\udc00"}))
    reply = await client.complete(request_for("hi"))
    assert ("fine \ufffd", "\ufffd") == (reply.text, reply.reasoning)


@pytest.mark.parametrize(
    ("text", "reasoning", "answer"),
    [
        ("<think>a b</think>\n\nParis", "a b", "Paris"),
        ("  <THINKING>a</THINKING>Paris", "a", "Paris"),
        ("it may be so</think>Paris", "it may be so", "Paris"),
        ("Paris <think>later</think>", "", "Paris <think>later</think>"),
        ("Paris", "", "Paris"),
    ],
)
def test_leading_reasoning_is_kept_apart(text: str, reasoning: str, answer: str) -> None:
    """Only at the beginning: a later block may be a quotation."""
    assert parted(text) == (reasoning, answer)


async def test_parts_and_refusals(request_for: Any) -> None:
    """A list of typed parts is joined, and a refusal is an answer of another kind."""
    parts = [{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "Paris"}]
    client, _ = over(said(parts), said(None, message={"refusal": "I cannot."}))
    assert (await client.complete(request_for())).text == "Paris"
    refused = await client.complete(request_for())
    assert (refused.text, refused.finish_reason) == ("I cannot.", "other")


@pytest.mark.parametrize(
    "more",
    [
        {"usage": {"prompt_tokens_details": {"cached_tokens": 60}}},
        {"usage": {"prompt_cache_hit_tokens": 60}},
        {"usage": {"cached_tokens": 60}},
        {"usage": {"cache_read_input_tokens": 60}},
        {"usage": {"prompt_tokens_details": None}, "timings": {"cache_n": 60, "prompt_n": 40}},
    ],
)
def test_cached_tokens_are_found_wherever_they_stand(more: Any) -> None:
    """OpenAI and vLLM, DeepSeek, Moonshot, gateways to Anthropic, llama.cpp."""
    usage = {"prompt_tokens": 100, "completion_tokens": 5, **more["usage"]}
    found = usage_of({**more, "usage": usage})
    assert found is not None
    assert (found.input_tokens, found.cached_input_tokens, found.output_tokens) == (100, 60, 5)


def test_usage_by_the_names_of_the_responses_form() -> None:
    """Some gateways answer chats with it; and some count in floats."""
    usage = {
        "input_tokens": 100.0,
        "output_tokens": 5,
        "input_tokens_details": {"cached_tokens": 60},
    }
    assert usage_of({"usage": usage}) == Usage(100, 60, 5)


async def test_without_usage_we_count_ourselves(request_for: Any) -> None:
    """And say that it was not reported."""
    client, _ = over(said("Paris"))
    usage = (await client.complete(request_for("hello there"))).usage
    assert not usage.reported
    assert usage.input_tokens > 0


async def test_parameters_that_a_model_refuses_are_dropped_once(request_for: Any) -> None:
    """`max_tokens` is renamed, `temperature` and `stop` left out, and that is remembered."""
    client, wire = over(
        Refused("400: Unsupported parameter: 'max_tokens' is not supported. Use "
                "'max_completion_tokens' instead."),
        Refused("400: Unsupported value: 'temperature' does not support 0.0"),
        Refused("400: Unsupported parameter: 'stop' is not supported with this model."),
        said("yes"),
        said("yes"),
    )  # fmt: skip
    await client.complete(request_for(stop=("x",)))
    await client.complete(request_for(stop=("x",)))
    assert len(wire.bodies) == 5
    for body in wire.bodies[3:]:
        assert body["max_completion_tokens"] == 50
        assert not {"max_tokens", "temperature", "stop"} & set(body)


async def test_another_refusal_is_raised_at_once(request_for: Any) -> None:
    """A wrong key is not mended by leaving parameters out."""
    client, wire = over(Refused("401: wrong key"))
    with pytest.raises(Refused):
        await client.complete(request_for())
    assert len(wire.bodies) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_over_a_real_connection(stream: bool, request_for: Any) -> None:
    """Text, finish reason, usage and log-probabilities, streamed or not."""
    with MisbehavingServer(lambda _: "Paris is the capital STOP of France") as server:
        client = OpenAICompatible(Http(Endpoint(server.url)), "test", stream=stream)
        reply = await client.complete(
            request_for("which city", stop=("STOP",), logprobs=not stream)
        )
        await client.aclose()
    assert reply.text == "Paris is the capital "
    assert reply.finish_reason == "stop"
    assert (reply.usage.reported, reply.usage.input_tokens) == (True, 6)
    assert reply.logprobs == (None if stream else (-0.1,) * 4)


@pytest.mark.parametrize(
    "defect",
    [Defect.CUT_STREAM, Defect.RESET, Defect.MALFORMED, Defect.EMPTY, Defect.WRONG_TYPE],
)
async def test_a_broken_stream_is_never_a_short_answer(defect: Defect, request_for: Any) -> None:
    """A stream without its end is a fault that may be billed."""
    with MisbehavingServer(lambda _: "Paris is the capital of France", defect=defect) as server:
        client = OpenAICompatible(Http(Endpoint(server.url)), "test", stream=True)
        for _ in range(3):
            with pytest.raises(ServerFault) as caught:
                await client.complete(request_for())
            assert caught.value.may_be_billed
        await client.aclose()


async def test_a_truncated_answer_says_so(request_for: Any) -> None:
    """Finish reason `length` is passed on, with what there is."""
    with MisbehavingServer(lambda _: "Paris is the capital", defect=Defect.TRUNCATED) as server:
        client = OpenAICompatible(Http(Endpoint(server.url)), "test")
        reply = await client.complete(request_for())
        await client.aclose()
    assert (reply.text, reply.finish_reason) == ("Paris is t", "length")
