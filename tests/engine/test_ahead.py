"""Building ahead of the questions: `Reader.build`, on the path that questions take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from memreader.answer import NOT_FOUND, Draft
from memreader.budget import Limits
from memreader.built import Built
from memreader.contract import Counting, paged
from memreader.errors import CallFailed, ConfigurationError, ServerFault
from memreader.llm.base import Price, Request
from memreader.reader import Reader
from memreader.run import Run
from memreader.session import Control, Resumption
from memreader.stores import Stores
from memreader.testing import Oracle, a_model


@dataclass(frozen=True)
class Outline:
    """Summarises each chunk into an index of each document."""

    size: int = 200
    prompts = {"gist": "Summarise.\n\n$chunk"}  # noqa: RUF012

    async def index(self, run: Run) -> None:
        chunks = [chunk async for chunk in run.chunks(self.size)]

        async def gist(chunk: Any) -> str:
            try:
                values = {"chunk": chunk}
                return (await run.ask("gist", max_tokens=60, values=values, sources=[chunk])).text
            except CallFailed:
                return ""

        for document in dict.fromkeys(c.span.document for c in chunks):
            own = [c for c in chunks if c.span.document == document]

            async def build(own: Any = own) -> list[str]:
                return await run.map(gist, own)

            await run.index("gists", build, documents=[document])

    async def read(self, question: str, run: Run) -> Draft:
        await self.index(run)
        return NOT_FOUND


@dataclass(frozen=True)
class Plain:
    """Builds nothing."""

    prompts = {"none": ""}  # noqa: RUF012

    async def read(self, question: str, run: Run) -> Draft:
        return NOT_FOUND


def _reader(stores: Stores, llm: Any = None, **how: Any) -> Reader:
    model = a_model(llm or Oracle({}), price=how.pop("price", Price(1.0, 0.5, 2.0)))
    return Reader(model, Outline(), stores=stores, probe=False, **how)


def _build(stores: Stores, documents: Any, llm: Any = None, **how: Any) -> Built:
    return _reader(stores, llm, **how).build(documents)


def test_what_is_built_ahead_is_there_for_the_question() -> None:
    """The result says what was built and what it took; a question makes no call for it."""
    stores, again = Stores(), Counting(Oracle({}))
    built = _build(stores, paged(12))
    (part,) = built.indexes
    assert ("complete", "finished") == (built.status, built.stopped)
    assert ("gists", (paged(12).id,), False) == (part.name, part.documents, part.reused)
    assert part.calls == built.made == built.usage.calls > 5
    assert (0, 0) == (built.found, built.failed)
    assert built.cost_usd is not None
    assert 0 < built.cost_usd < 1
    answer = _reader(stores, again).ask(paged(12), "What was counted?")
    assert (0, 0) == (again.begun, answer.usage.calls)


def test_building_twice_builds_once() -> None:
    """The second time everything is there: no call, and said so."""
    stores, again = Stores(), Counting(Oracle({}))
    _build(stores, paged(12))
    built = _build(stores, paged(12), again)
    assert [(True, 0)] == [(p.reused, p.calls) for p in built.indexes]
    assert (0, 0, 0, 0.0) == (again.begun, built.made, built.found, built.cost_usd)


def test_fresh_builds_anew_what_is_there() -> None:
    """Neither the shelf nor the journal is used."""
    stores, again = Stores(), Counting(Oracle({}))
    first = _build(stores, paged(6))
    built = _build(stores, paged(6), again, resumption=Resumption(fresh=True))
    assert first.made == built.made == again.begun
    assert 1 == len(stores.shelf().shelved())


def test_several_documents_have_an_index_each() -> None:
    """One that was there already is taken, the other one is built."""
    stores = Stores()
    _build(stores, paged(6))
    built = _build(stores, [paged(6), paged(12)])
    assert [True, False] == [p.reused for p in built.indexes]


def test_a_strategy_without_an_index_names_those_that_have_one() -> None:
    """Before any call, and before the model is opened."""

    def never() -> Any:
        raise AssertionError("the model was opened")

    with pytest.raises(ConfigurationError, match="`Plain` builds no index ahead of a question"):
        Reader(never, Plain()).build(paged(3))


def test_a_cap_gives_a_partial_result_that_can_be_continued() -> None:
    """The cap holds, nothing is on the shelf, and with a fresh budget the rest is built."""
    stores, again = Stores(), Counting(Oracle({}))
    built = _build(stores, paged(12), limits=Limits(calls=3))
    assert ("partial", "budget", 3) == (built.status, built.stopped, built.usage.calls)
    assert "cap of 3" in built.problems[-1]
    assert [] == stores.shelf().shelved()
    whole = _build(stores, paged(12), again, resumption=Resumption(new_budget=True))
    assert ("complete", 3, 3) == (whole.status, whole.found, whole.carried_calls)
    assert again.begun == whole.made == whole.usage.calls - 3


def test_an_interrupt_ends_building_and_what_is_done_is_kept() -> None:
    """Calls in flight are journalled; the next try makes the others alone."""
    stores, control = Stores(), Control()

    def stop(number: int, _: Request) -> None:
        if number == 4:
            control.interrupt()

    first = Counting(Oracle({}), before=stop)
    built = _reader(stores, first).build(paged(12), control=control)
    assert ("partial", "interrupted") == (built.status, built.stopped)
    again = Counting(Oracle({}))
    whole = _build(stores, paged(12), again)
    assert ("complete", first.begun) == (whole.status, whole.found)
    assert whole.usage.calls == first.begun + again.begun


def test_a_failed_call_is_counted_and_made_again() -> None:
    """An index with a hole is partial, and is not on the shelf."""

    def fail(_: int, request: Request) -> None:
        if "day 53 " in request.text:
            raise ServerFault("HTTP 500 from a test")

    stores = Stores()
    built = _build(stores, paged(12), Counting(Oracle({}), before=fail))
    assert ("partial", "finished", 1) == (built.status, built.stopped, built.failed)
    assert "HTTP 500 from a test" in built.problems[0]
    assert [] == stores.shelf().shelved()
    assert ("complete", 1) == ((whole := _build(stores, paged(12))).status, whole.made)


def test_a_question_without_words_is_another_job() -> None:
    """A cap on the summary that `""` asks for leaves building its own budget."""
    stores = Stores()
    _reader(stores, limits=Limits(calls=3)).ask(paged(12), "")
    built = _build(stores, paged(12), limits=Limits(calls=30))
    assert ("complete", 0) == (built.status, built.carried_calls)


def test_a_changed_file_pays_for_what_changed_and_takes_its_older_place(tmp_path: Path) -> None:
    """Few calls are made, the others found; the older index goes when the new one is complete."""
    stores, path = Stores(), tmp_path / "ledger.txt"
    text = paged(30).text
    path.write_text(text, "utf-8")
    first = _build(stores, path)
    (old,) = first.documents
    path.write_text(text.replace("day 53 ", "day 53 at dawn "), "utf-8")
    capped = _build(stores, path, limits=Limits(calls=0))
    assert ("partial", ()) == (capped.status, capped.replaced)
    assert [[old]] == [list(s.label.documents) for s in stores.shelf().shelved()]
    built = _build(stores, path, resumption=Resumption(new_budget=True))
    (new,) = built.documents
    assert 1 <= built.made <= 3
    assert built.made + built.found >= first.made
    assert (old,) == built.replaced
    assert [[new]] == [list(s.label.documents) for s in stores.shelf().shelved()]
    assert [new] == stores.shelf().at(str(path))


def test_content_that_stands_in_another_file_stays(tmp_path: Path) -> None:
    """The older version of a file that was copied before is a document still."""
    stores, path, copy = Stores(), tmp_path / "a.txt", tmp_path / "b.txt"
    path.write_text(paged(6).text, "utf-8")
    copy.write_text(paged(6).text, "utf-8")
    _build(stores, path)
    _build(stores, copy)
    path.write_text(paged(9).text, "utf-8")
    assert () == _build(stores, path).replaced
    assert 2 == len(stores.shelf().shelved())


def test_files_of_one_name_in_two_folders_are_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative name says nothing: the file's own place counts."""
    stores = Stores()
    for folder, pages in (("one", 6), ("two", 9)):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        Path("report.txt").write_text(paged(pages).text, "utf-8")
        assert () == _build(stores, "report.txt").replaced
    assert 2 == len(stores.shelf().shelved())
