"""The probe: what it finds of healthy, misbehaving and very small models."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from memreader.errors import (
    BudgetExceeded,
    CallFailed,
    ConfigurationError,
    Refused,
)
from memreader.llm.base import Message, Reply, Request
from memreader.llm.dispatch import Dispatcher, RetryPolicy
from memreader.llm.local import SMALL_PASSAGE, available, open_local
from memreader.llm.probe import Probe, probe
from memreader.llm.registry import ModelSettings, open_model
from memreader.reader import Reader
from memreader.specimens import ANSWER, FACTS, QUESTION, paged
from memreader.testing import Oracle
from memreader.testing_server import Defect, MisbehavingServer
from memreader.tokens import ESTIMATE, Calibrated

pytestmark = pytest.mark.anyio
EVIDENCE = "Its keeper in those years was Odalys Wren, who came from Tarn Hollow."


def capable(body: dict[str, Any]) -> str:
    """A model that does as it is told, as far as it can see it."""
    prompt = body["messages"][-1]["content"]
    wants_json = "response_format" in body or "format" in body
    if "Reply with these sections" in prompt:
        return f"Evidence: {EVIDENCE}\nAnswer: Odalys Wren\nConfidence: 5"
    if "JSON object" in prompt or wants_json:
        return json.dumps({"evidence": EVIDENCE, "answer": "Odalys Wren", "confidence": 5})
    if "these four notes" in prompt:
        return next(n for n in "1234" if f"{n}. The keeper of the light" in prompt)
    if "Repeat this sentence" in prompt:
        return "banana bread under the green tree near the river."
    if "code word" in prompt and (found := re.search(r"The code word is (\S+)\.", prompt)):
        return found.group(1)
    return "The Anemone was first."


def copying(body: dict[str, Any]) -> str:
    """A model that copies the words of the form."""
    prompt = body["messages"][-1]["content"]
    if "Reply with these sections" in prompt:
        return "Evidence: the sentence of the passage\nAnswer: in a few words\nConfidence: 5"
    if "response_format" in body:
        return json.dumps({"evidence": "word for word", "answer": "a few words", "confidence": 0})
    return "banana"


async def probed(server: MisbehavingServer, *, full: bool = True) -> Probe:
    """Probe a server through a dispatcher that does not sleep."""

    async def at_once(seconds: float) -> None: ...

    async def book() -> None: ...

    dispatcher = Dispatcher(policy=RetryPolicy(sleep=at_once, clock=iter(range(10**9)).__next__))
    settings = ModelSettings(environment={}, timeout=0.5)
    spec = f"openai-compatible:{server.url}#test"
    async with open_model(spec, settings) as model:

        async def complete(request: Request) -> Reply:
            return await dispatcher.complete(
                model.llm,
                request,
                key=request.key("m"),
                tokens=1,
                on_attempt=book,
                on_failure=lambda error: None,
            )

        return await probe(model, full=full, complete=complete)


async def test_a_healthy_server() -> None:
    """Everything works, at most eight calls, and the wire is the schema."""
    with MisbehavingServer(capable) as server:
        found = await probed(server)
        quick = await probed(server, full=False)
    assert (found.wire, found.calls) == ("schema", len(server.requests) - quick.calls)
    assert quick.calls < found.calls <= 8
    assert all(ok for ok, _ in found.findings())
    assert found.cached_tokens


NAMED = {
    Defect.RATE_LIMIT: "limits our rate",
    Defect.SERVER_ERROR: "503",
    Defect.RESET: "broke off",
    Defect.HANG: "no answer in time",
    Defect.CUT_STREAM: "broke off",
    Defect.MALFORMED: "not JSON",
    Defect.FENCED: "code fences",
    Defect.TRUNCATED: "cut off half-way",
    Defect.EMPTY: "empty reply",
    Defect.WRONG_TYPE: "no text|without choices",
    Defect.WINDOW_EXCEEDED: "context size",
    Defect.SILENT_CUT: "cut in silence",
    Defect.IGNORES_SCHEMA: "ignores JSON schemas",
    Defect.IGNORES_STOP: "Stop strings are ignored",
    Defect.NO_USAGE: "Usage is not reported",
    Defect.LEAKS_REASONING: "reasons before it answers",
    Defect.CHOOSES_BY_POSITION: "cannot choose by number",
}
MAKES_UNREADABLE = {
    Defect.FENCED: {"schema"},
    Defect.TRUNCATED: {"schema", "contract"},
    Defect.LEAKS_REASONING: set[str](),
}


OF_VECTORS = {Defect.WRONG_DIMENSION, Defect.WRONG_COUNT}
"""What a probe of answers does not see."""


@pytest.mark.parametrize("defect", [d for d in Defect if d not in OF_VECTORS])
async def test_each_defect_is_named(defect: Defect) -> None:
    """With one defect switched on, the finding that is not well is the one that names it."""
    with MisbehavingServer(capable, defect=defect) as server:
        found = await probed(server)
    wrong = [said for ok, said in found.findings() if not ok]
    naming = [said for said in wrong if re.search(NAMED[defect], said)]
    assert naming
    for other in set(wrong) - set(naming):  # what cannot be read follows from the defect
        assert any(word in other for word in MAKES_UNREADABLE.get(defect, ()))
    assert found.calls <= 8


async def test_a_model_that_thinks_for_long_is_given_room_for_it() -> None:
    """It is as capable as without its thoughts, and its later replies get the room too."""

    def thinking(body: dict[str, Any]) -> str:
        return f"<think>{'hm ' * 400}</think>\n{capable(body)}"

    with MisbehavingServer(thinking) as server:
        found = await probed(server, full=False)
        async with open_model(
            f"openai-compatible:{server.url}#test", ModelSettings(environment={})
        ) as model:
            applied = found.applied(model)
    assert (found.labelled, found.calls <= 8) == (True, True)
    assert applied.thinking >= 4 * 400
    assert applied.window + applied.thinking == model.window


async def test_a_model_that_thinks_reads() -> None:
    """Its thoughts are longer than any reply that a strategy asks for."""
    oracle = Oracle(FACTS)

    def thinking(body: dict[str, Any]) -> str:
        prompt = body["messages"][-1]["content"]
        told = oracle.said(prompt, schema="response_format" in body)
        return f"<think>{'hm ' * 700}</think>\n{told if QUESTION in prompt else capable(body)}"

    with MisbehavingServer(thinking) as server:
        settings = ModelSettings(environment={})
        async with open_model(f"openai-compatible:{server.url}#test", settings) as model:
            answer = await Reader(model).aask(paged(6, needle_on=4), QUESTION)
    assert (answer.text, answer.status, answer.usage.repairs) == (ANSWER, "complete", 0)


@pytest.mark.parametrize("defect", [None, Defect.NO_USAGE])
async def test_a_cut_that_no_usage_shows_is_named(defect: Defect | None) -> None:
    """A capable model that cannot say what stands on the first line has not seen it."""

    def cut(body: dict[str, Any]) -> str:
        seen = body["messages"][-1]["content"]
        return capable({**body, "messages": [{"content": seen[-900:]}]})

    with MisbehavingServer(cut, defect=defect) as server:
        found = await probed(server)
    assert "code word" in (found.truncated or "")


async def test_a_limit_on_tokens_that_is_ignored_is_named() -> None:
    """Such a reply may cost more than was booked for it."""

    def endless(body: dict[str, Any]) -> str:
        body.pop("max_tokens", None)
        return capable(body) + " and so on" * 200

    with MisbehavingServer(endless) as server:
        wrong = [said for ok, said in (await probed(server)).findings() if not ok]
    assert any("limit on a reply's tokens is ignored" in said for said in wrong)


async def test_without_schemas_the_wire_is_labelled() -> None:
    """A capable model behind a server that ignores schemas."""
    with MisbehavingServer(capable, defect=Defect.IGNORES_SCHEMA) as server:
        assert (await probed(server)).wire == "labelled"


async def test_a_model_that_copies_the_form_is_plain() -> None:
    """Even where the server enforces the schema: the values are wrong."""
    with MisbehavingServer(copying) as server:
        found = await probed(server)
    assert (found.wire, found.schema_enforced) == ("plain", True)


async def test_whether_it_chooses_by_what_is_said_is_found_and_applied() -> None:
    """The right note stands in two places; a model that names one place alone is found out."""
    for defect, chooses in ((None, True), (Defect.CHOOSES_BY_POSITION, False)):
        with MisbehavingServer(capable, defect=defect) as server:
            found = await probed(server, full=False)
            settings = ModelSettings(environment={})
            async with open_model(f"openai-compatible:{server.url}#test", settings) as model:
                applied = found.applied(model)
        assert (chooses, True) == (found.chooses, found.logprobs)
        assert (chooses, True) == (applied.chooses, applied.logprobs)


async def test_what_is_found_is_applied(request_for: Any) -> None:
    """Wire, size of passages, and an estimate scaled by the server's own count."""
    with MisbehavingServer(copying, speaks="openai") as server:
        found = await probed(server)
        settings = ModelSettings(environment={})
        async with open_model(f"openai-compatible:{server.url}#test", settings) as model:
            applied = found.applied(model)
    assert (applied.wire, applied.passage) == ("plain", 800)
    assert found.scale is not None
    assert isinstance(applied.counter, Calibrated)
    text = "the Kestrel brought slate to the harbour " * 50
    assert applied.counter.count(text) < ESTIMATE.count(text)


async def test_a_probe_survives_json() -> None:
    """It is kept between runs; what another version wrote is refused, not misread."""
    with MisbehavingServer(capable) as server:
        found = await probed(server, full=False)
    assert Probe.from_json(json.loads(json.dumps(found.to_json()))) == found
    with pytest.raises(ConfigurationError):
        Probe.from_json({**found.to_json(), "more": 1})


async def test_a_reading_does_not_go_on_without_its_endpoint() -> None:
    """Not in full, a refusal is raised; a call that failed is a finding; a cap is always raised."""
    with MisbehavingServer(capable) as server:
        settings = ModelSettings(environment={})
        async with open_model(f"openai-compatible:{server.url}#test", settings) as model:
            for error, full in ((Refused("401"), False), (BudgetExceeded("calls", 0, 1), True)):

                async def failing(request: Request, error: Exception = error) -> Reply:
                    raise error

                with pytest.raises(type(error)):
                    await probe(model, full=full, complete=failing)

            async def failed(request: Request) -> Reply:
                raise CallFailed("five times 503")

            found = await probe(model, complete=failed)
    assert found.findings() == [(False, "A call failed: five times 503")]
    assert found.calls == 1


@pytest.mark.model
@pytest.mark.timeout(300)
@pytest.mark.skipif(not available(), reason="the embedded model is not installed")
async def test_the_embedded_model_comes_out_plain() -> None:
    """135 million parameters find facts, and copy the words of any form."""
    async with open_local() as model:
        found = await probe(model, complete=model.llm.complete)
        applied = found.applied(model)
        reply = await model.llm.complete(Request((Message("user", "Say hello."),), 8))
    assert (found.wire, found.stop, found.schema_enforced) == ("plain", True, True)
    assert applied.passage == SMALL_PASSAGE
    assert applied.counter.exact
    assert reply.text
