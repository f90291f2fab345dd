"""The Python interface: in a script, in a running loop, in FastAPI, event by event."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from fastapi import FastAPI

import memreader
from memreader import events
from memreader.answer import Answer, Draft
from memreader.contract import ANSWER, FACTS, NEEDLE, QUESTION, Counting, paged
from memreader.document import Corpus, Document
from memreader.errors import ConfigurationError, DocumentError
from memreader.reader import Reader, opened
from memreader.run import Run
from memreader.session import Control
from memreader.stores import Stores
from memreader.testing import MisbehavingServer, Oracle, a_model

DOCUMENT = paged(30, needle_on=20)


def reader(llm: Any = None, **how: Any) -> Reader:
    """A reader with the oracle."""
    return Reader(a_model(llm or Oracle(FACTS), window=3072), probe=False, **how)


def test_in_a_script() -> None:
    """No loop runs: `ask` makes one."""
    answer = memreader.ask(DOCUMENT, QUESTION, model=a_model(Oracle(FACTS), window=3072))
    assert (ANSWER, 20) == (answer.text, answer.citations[0].page)


def test_inside_a_running_loop_as_in_a_notebook() -> None:
    """`ask` works where a loop runs already, and `aask` may be awaited there."""

    async def cell() -> tuple[Answer, Answer]:
        return reader().ask(DOCUMENT, QUESTION), await reader().aask(DOCUMENT, QUESTION)

    assert [ANSWER, ANSWER] == [a.text for a in anyio.run(cell)]


def test_in_fastapi() -> None:
    """Asynchronous and threaded handlers of one application share a reader."""
    app, shared = FastAPI(), reader()

    @app.get("/async")
    async def asynchronous(question: str) -> dict[str, Any]:
        return (await shared.aask(DOCUMENT, question)).to_json()

    @app.get("/sync")
    def threaded(question: str) -> dict[str, Any]:
        return shared.ask(DOCUMENT, question).to_json()

    async def visit() -> list[str]:
        transport = httpx2.ASGITransport(app=app)
        said: list[str] = []

        async def get(client: httpx2.AsyncClient, path: str) -> None:
            reply = await client.get(path, params={"question": QUESTION})
            said.append(reply.json()["answer"])

        async with (
            httpx2.AsyncClient(transport=transport, base_url="http://app") as client,
            anyio.create_task_group() as tasks,
        ):
            for path in ("/async", "/sync", "/async", "/sync"):
                tasks.start_soon(get, client, path)
        return said

    assert [ANSWER] * 4 == anyio.run(visit)


def test_a_reader_of_a_served_model_is_used_from_several_loops() -> None:
    """The same reader in two loops, one after the other, at a real server."""

    def said(body: dict[str, Any]) -> str:
        prompt = "\n".join(m["content"] for m in body["messages"])
        return Oracle(FACTS).said(prompt, schema="response_format" in body)

    with MisbehavingServer(said) as server:
        served = memreader.open_reader(model=f"openai-compatible:{server.url}#test")
        assert ANSWER == served.ask(DOCUMENT, QUESTION).text
        made = len(server.requests)
        assert ANSWER == served.ask(DOCUMENT, QUESTION).text
        assert made == len(server.requests), "a finished reading costs no call"


def test_events_as_they_happen() -> None:
    """The stream is in order and ends with the answer."""

    async def listen() -> list[events.Event]:
        return [event async for event in reader().stream(DOCUMENT, QUESTION)]

    heard = anyio.run(listen)
    assert list(range(1, len(heard) + 1)) == [e.number for e in heard]
    assert isinstance(heard[-1], events.RunFinished)
    assert ANSWER == heard[-1].answer["answer"]
    assert {"run_started", "chunks_made", "call_started", "call_finished"} <= {
        e.kind for e in heard
    }


def test_a_stream_that_is_left_stops_the_reading() -> None:
    """Closing the iterator cancels what is in flight."""
    counting = Counting(Oracle(FACTS))

    async def leave() -> None:
        stream = reader(counting).stream(DOCUMENT, QUESTION)
        async for event in stream:
            if isinstance(event, events.CallFinished):
                break
        await stream.aclose()
        made = counting.begun
        await anyio.wait_all_tasks_blocked()
        assert (0, made) == (counting.in_flight, counting.begun)

    anyio.run(leave)


def test_an_error_reaches_who_listens() -> None:
    """A document that cannot be read is no empty stream."""

    async def listen() -> None:
        async for _ in reader().stream("nothing-here.pdf", QUESTION):
            pass

    with pytest.raises(DocumentError, match=r"nothing-here\.pdf"):
        anyio.run(listen)


def test_a_control_interrupts() -> None:
    """An application's stop button: the answer is partial, and the next reading continues."""
    counting, stores = Counting(Oracle(FACTS)), memreader.stores.Stores()

    async def stopped() -> Answer:
        control = Control()

        def listen(event: events.Event) -> None:
            if isinstance(event, events.CallFinished) and event.step == "map":
                control.interrupt()

        return await reader(counting, stores=stores).aask(
            DOCUMENT, QUESTION, on_event=listen, control=control
        )

    first = anyio.run(stopped)
    assert ("partial", "interrupted") == (first.status, first.stopped)
    before = counting.begun
    second = reader(counting, stores=stores).ask(DOCUMENT, QUESTION)
    assert (ANSWER, "complete") == (second.text, second.status)
    assert second.usage.calls == counting.begun
    assert 0 < before < counting.begun


def test_what_a_folder_holds_that_cannot_be_read_is_in_the_answer(tmp_path: Path) -> None:
    """Nothing is left out in silence, in Python either."""
    (tmp_path / "good.txt").write_text(f"{NEEDLE}\n")
    (tmp_path / "zero.txt").write_bytes(b"")
    answer = reader().ask(tmp_path, QUESTION)
    assert ANSWER == answer.text
    assert [n for n in answer.notes if "zero.txt" in n and "empty" in n]


def test_the_same_content_is_read_once(tmp_path: Path) -> None:
    """Two paths with one content, given as one list."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(f"{NEEDLE}\n")
    answer = reader().ask([tmp_path / "a.txt", tmp_path / "b.txt"], QUESTION)
    assert 1 == answer.coverage.chunks
    assert any("b.txt" in note for note in answer.notes)


@pytest.mark.parametrize("nothing", [[], Corpus(())])
def test_no_document_is_an_error(nothing: Any) -> None:
    """An empty list is a mistake, not an answer."""
    with pytest.raises(ConfigurationError, match="No document"):
        reader().ask(nothing, QUESTION)


def test_a_blank_document_costs_nothing() -> None:
    """A `Document` without text gives `not_found` without a call."""
    counting = Counting(Oracle(FACTS))
    answer = reader(counting).ask(Document(" \n "), QUESTION)
    assert ("not_found", 0) == (answer.status, counting.begun)


@dataclass(frozen=True)
class _Marked:
    """A strategy that hands our own marker on as its answer."""

    async def read(self, question: str, run: Run) -> Draft:
        """Without reading anything."""
        return Draft("The text says: [NO INFORMATION]")


def test_the_marker_for_nothing_is_never_an_answer() -> None:
    """Whatever strategy lets it through."""
    answer = Reader(a_model(Oracle(FACTS)), _Marked(), probe=False).ask(DOCUMENT, QUESTION)
    assert ("", "not_found") == (answer.text, answer.status)


def test_mistakes_in_python_say_what_to_do() -> None:
    """A name for a model, bytes for a document, a keyword that is no setting."""
    with pytest.raises(ConfigurationError, match=r"model='ollama:qwen3'"):
        Reader("ollama:qwen3")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"Document.*not bytes"):
        opened(b"some text")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"`stratgy` in the arguments.*Did you mean"):
        memreader.open_reader(stratgy="map_reduce")


def test_half_a_character_in_the_question_is_replaced() -> None:
    """A terminal with another encoding sends bytes that no database takes."""
    answer = reader().ask(DOCUMENT, QUESTION + " \udcff")
    assert ANSWER == answer.text


def test_a_shelf_that_cannot_be_used_is_one_plain_error(tmp_path: Path) -> None:
    """No exception group around it, although readings run in a group of tasks."""
    (tmp_path / "shelf.sqlite").write_text("no database at all, and long enough to be told")
    with pytest.raises(ConfigurationError, match=r"The shelf .*cannot be used"):
        reader(stores=Stores(tmp_path)).ask(DOCUMENT, QUESTION)


def test_a_name_that_is_no_unicode_is_no_obstacle() -> None:
    """File systems have such names, Python gives them as half characters."""
    answer = reader().ask(Document(DOCUMENT.text, "b\udcffd.txt"), QUESTION)
    assert (ANSWER, "b\ufffdd.txt") == (answer.text, answer.citations[0].document)


@pytest.mark.parametrize(
    ("misused", "told"),
    [
        (lambda: reader().ask(None, QUESTION), "A document is a path"),  # type: ignore[arg-type]
        (lambda: reader().ask(DOCUMENT, 7), "A question is a text, not 7"),  # type: ignore[arg-type]
        (lambda: memreader.ask(DOCUMENT, QUESTION, model=7), "A model is a name"),
        (lambda: Reader(None), "A model is a Model"),  # type: ignore[arg-type]
        (lambda: reader(strategy=7), "A strategy is a name or an object"),
        (lambda: reader(strategy=memreader.load("map_reduce")), "make one first"),
    ],
)
def test_misuse_is_a_plain_error(misused: Any, told: str) -> None:
    """Above all no other model is used than the one that was meant."""
    with pytest.raises(ConfigurationError, match=told):
        misused()


def test_a_stream_that_is_left_leaves_nothing_running() -> None:
    """When it is closed, all tasks of the reading are over."""

    async def leave() -> set[asyncio.Task[Any]]:
        stream = reader().stream(DOCUMENT, QUESTION)
        await anext(stream)
        await stream.aclose()
        return asyncio.all_tasks()

    assert 1 == len(anyio.run(leave))
