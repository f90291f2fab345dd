"""Several questions in one go: `-Q`, `Reader.aask_all`, and a budget that they share."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest

from memreader import events
from memreader.budget import Budget, Cost, Limits
from memreader.contract import ANSWER, NEEDLE, QUESTION, Counting, paged
from memreader.document import Corpus
from memreader.errors import BudgetExceeded, Refused
from memreader.llm.base import Model, Request
from memreader.plan import Plan, Range, together
from memreader.questions import Asked
from memreader.reader import Reader
from memreader.session import Control
from memreader.stores import Stores
from memreader.testing import MisbehavingServer, Oracle, a_model
from memreader_strategies.mem_agent import MemAgent
from tests.cli.conftest import Run, environment, oracle

pytestmark = pytest.mark.slow

SALT = "How many barrels were counted on day 153?"
SALT_FACT = "On day 153 the clerk of ward 3 counted 108 barrels of salt"
FACTS = {QUESTION: (NEEDLE, ANSWER), SALT: (SALT_FACT, "108 barrels")}
ABSENT = "Who painted the ceiling?"


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """Two questions that have an answer, one that has none."""
    path = tmp_path / "questions.txt"
    path.write_text(
        f"\ufeff# for the council\n{QUESTION}\n\n  {ABSENT}  \n#x\n{QUESTION}\n", "utf-8"
    )
    return path


def model(server: MisbehavingServer) -> list[str]:
    """The options that point memreader at a test server."""
    return ["--no-probe", "-m", f"openai-compatible:{server.url}#test", "-o", "chunk_size=1800"]


# --- the command line ----------------------------------------------------------------------


def test_answers_are_numbered_by_question(memreader: Run, ledger: Path, questions: Path) -> None:
    """Each question once, in order, with its own citations, coverage and spend."""
    with MisbehavingServer(oracle) as server:
        done = memreader("ask", ledger, "-Q", questions, *model(server))
    assert 0 == done.returncode
    first, second = done.stdout.split(f"\n2. {ABSENT}\n")
    assert first.startswith(f"1. {QUESTION}\n\n{ANSWER}\n")
    assert f"“{NEEDLE.rstrip('.')}" in first
    assert "Not found" in second
    for number in (1, 2):
        assert f"memreader: question {number}: read " in done.stderr


def test_json_is_one_object_a_line(memreader: Run, ledger: Path, questions: Path) -> None:
    """The question, then the pinned keys; every run has an id and a history of its own."""
    with MisbehavingServer(oracle) as server:
        done = memreader("ask", ledger, "-Q", questions, "--json", "-q", *model(server))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [QUESTION, ABSENT] == [row["question"] for row in rows]
    assert ["question", "answer", "status"] == list(rows[0])[:3]
    assert ["complete", "not_found"] == [row["status"] for row in rows]
    assert 2 == len({row["run_id"] for row in rows})
    assert "" == done.stderr


def test_events_say_which_question_is_meant(memreader: Run, ledger: Path, questions: Path) -> None:
    """With --jsonl each line has the question; each reading is numbered by itself."""
    with MisbehavingServer(oracle) as server:
        done = memreader("ask", ledger, "-Q", questions, "--jsonl", *model(server))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    for question in (QUESTION, ABSENT):
        numbers = [row["number"] for row in rows if row["question"] == question]
        assert list(range(1, len(numbers) + 1)) == numbers
    assert 2 == sum(row["event"] == "run_finished" for row in rows)


def test_questions_are_read_at_the_same_time(memreader: Run, ledger: Path, questions: Path) -> None:
    """The second question's first call is made before the first question's last."""
    with MisbehavingServer(oracle) as server:
        memreader("ask", ledger, "-Q", questions, *model(server))
        asked = [QUESTION in json.dumps(r["messages"]) for r in server.requests]
    assert asked.index(False) < len(asked) - 1 - asked[::-1].index(True)


def test_a_cap_holds_for_all_questions_together(
    memreader: Run, ledger: Path, questions: Path
) -> None:
    """Exit 3, the worst code; never more calls than the cap; --resume finishes both."""
    with MisbehavingServer(oracle) as server:
        capped = memreader("ask", ledger, "-Q", questions, "--max-calls", 9, *model(server))
        assert 3 == capped.returncode
        assert len(server.requests) <= 9
        again = memreader("ask", ledger, "-Q", questions, "--max-calls", 9, *model(server))
        assert (3, True) == (again.returncode, len(server.requests) <= 9)
        done = memreader("ask", ledger, "-Q", questions, "--resume", *model(server))
        texts = [json.dumps(r["messages"]) for r in server.requests]
    assert 0 == done.returncode
    assert len(set(texts)) == len(texts)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_an_interrupt_stops_all_questions(memreader: Run, ledger: Path, questions: Path) -> None:
    """One Ctrl-C: exit 130, every question has its line, and the same command continues."""
    sent = threading.Event()
    child: list[subprocess.Popen[str]] = []

    def interrupting(body: dict[str, Any]) -> str:
        if len(server.requests) >= 5 and child and not sent.is_set():
            sent.set()
            child[0].send_signal(signal.SIGINT)
        return oracle(body)

    with MisbehavingServer(interrupting) as server:
        command = [
            sys.executable, "-m", "memreader", "ask", str(ledger), "-Q", str(questions), "--json",
            *model(server), "--concurrency", "2",
        ]  # fmt: skip
        child.append(
            subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env=environment(ledger.parent),
            )
        )  # fmt: skip
        out, _ = child[0].communicate()
        assert 130 == child.pop().returncode
        rows = [json.loads(line) for line in out.splitlines()]
        assert ["interrupted"] * 2 == [row["stopped"] for row in rows]
        done = memreader("ask", ledger, "-Q", questions, "--json", *model(server))
        texts = [json.dumps(r["messages"]) for r in server.requests]
    assert ANSWER == json.loads(done.stdout.splitlines()[0])["answer"]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("text", "told"),
    [("# nothing\n\n", "holds no question"), (None, "No such file")],
    ids=["empty", "missing"],
)
def test_a_file_without_questions_is_a_mistake(
    memreader: Run, ledger: Path, tmp_path: Path, text: str | None, told: str
) -> None:
    """Exit 2 and one line, before any call."""
    path = tmp_path / "q.txt"
    if text is not None:
        path.write_text(text, "utf-8")
    done = memreader("ask", ledger, "-Q", path, "-m", "local")
    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert told in done.stderr


def test_the_plan_has_total_and_marginal_price(
    memreader: Run, ledger: Path, questions: Path
) -> None:
    """For all questions together, and for one more; no call is made."""
    with MisbehavingServer(oracle) as server:
        where = ["-m", f"openai-compatible:{server.url}#test", "-s", "map_reduce"]
        one = json.loads(memreader("plan", ledger, QUESTION, "--json", *where).stdout)[0]
        both = json.loads(memreader("plan", ledger, "-Q", questions, "--json", *where).stdout)[0]
        table = memreader("plan", ledger, "-Q", questions, *where).stdout
        rescue = json.loads(
            memreader("plan", ledger, QUESTION, "--rescue", "--json", *where).stdout
        )[0]
        assert not server.requests
    assert "one_more" not in one
    assert 2 == both["questions"]
    assert [2 * n for n in one["calls"]] == both["calls"]
    assert one["calls"] == both["one_more"]["calls"]
    assert one["critical_path"] == both["critical_path"]
    assert "one more question" in table
    assert "2 questions together" in table
    assert [*one["calls"][:2], 2 * one["calls"][2]] == rescue["calls"]


# --- from Python ---------------------------------------------------------------------------


def reader(llm: Any, **how: Any) -> Reader:
    """A serial reader of the ledger."""
    return Reader(a_model(llm), MemAgent(section_tokens=400), probe=False, **how)


def test_each_question_has_its_own_memory_and_answer() -> None:
    """As if asked alone, in the order of asking; one asked twice is read once."""
    document = paged(30, needle_on=20)
    counting = Counting(Oracle(FACTS))
    asked = reader(counting).ask_all(document, [SALT, QUESTION, ABSENT, SALT])
    assert [SALT, QUESTION, ABSENT] == [one.question for one in asked]
    for one in asked:
        alone = reader(Oracle(FACTS)).ask(document, one.question)
        assert one.answer is not None
        assert (alone.text, alone.citations) == (one.answer.text, one.answer.citations)
        assert alone.memory == one.answer.memory
        assert alone.usage == one.answer.usage
    assert counting.begun == sum(one.answer.usage.calls for one in asked if one.answer)


def test_serial_readings_go_side_by_side() -> None:
    """A serial reader has one call in flight; three questions have three."""
    peak = 0

    def before(_: int, __: Request) -> None:
        nonlocal peak
        peak = max(peak, counting.in_flight)

    counting = Counting(Oracle(FACTS), before=before)
    reader(counting).ask_all(paged(30, needle_on=20), [SALT, QUESTION, ABSENT])
    assert 3 == peak


def test_no_cap_is_passed_by_all_questions_together() -> None:
    """At any cap, the calls of all readings stay within it, and each has an answer or says so."""
    document = paged(30, needle_on=2)
    for calls in (0, 1, 4, 9, 15):
        counting = Counting(Oracle(FACTS))
        asked = reader(counting, limits=Limits(calls=calls)).ask_all(document, [QUESTION, ABSENT])
        assert counting.begun <= calls
        assert all(one.answer and one.answer.stopped == "budget" for one in asked)
    whole = reader(Oracle(FACTS)).ask(document, QUESTION).usage.calls
    assert whole > 9


def test_one_control_interrupts_all() -> None:
    """No further call of any question."""
    control = Control()

    def heard(_: str, event: events.Event) -> None:
        if isinstance(event, events.CallFinished):
            control.interrupt()

    counting = Counting(Oracle(FACTS))
    asked = reader(counting).ask_all(
        paged(30), [QUESTION, SALT, ABSENT], on_event=heard, control=control
    )
    assert counting.begun <= 3
    assert ["interrupted"] * 3 == [one.answer.stopped for one in asked if one.answer]


def test_an_error_of_one_question_leaves_the_others() -> None:
    """The refused one has its error; the other one its answer."""

    def refuse(_: int, request: Request) -> None:
        if ABSENT in request.text:
            raise Refused("HTTP 403 from a test")

    asked = reader(Counting(Oracle(FACTS), before=refuse)).ask_all(
        paged(12, needle_on=3), [ABSENT, QUESTION]
    )
    assert isinstance(asked[0].error, Refused)
    assert (None, ANSWER) == (asked[0].answer, asked[1].answer and asked[1].answer.text)


def test_each_answer_says_which_files_were_left_out(tmp_path: Path) -> None:
    """As a single question does; and what is the same question for a model is read once."""
    (tmp_path / "ledger.txt").write_text(paged(6, needle_on=2).text, "utf-8")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 broken")
    reader = Reader(a_model(Oracle(FACTS)), MemAgent(), probe=False)
    (asked,) = reader.ask_all(str(tmp_path), [QUESTION, QUESTION + "\0", QUESTION])
    assert asked.answer is not None
    assert ANSWER == asked.answer.text
    assert any("skipped" in n and "broken.pdf" in n for n in asked.answer.notes)


def test_a_fault_is_raised_plainly() -> None:
    """A broken strategy is no group of errors."""

    @dataclass(frozen=True)
    class Broken:
        async def read(self, question: str, run: object) -> object:
            raise ZeroDivisionError(question)

    broken = Reader(a_model(Oracle(FACTS)), Broken(), probe=False)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        broken.ask_all(paged(3), [QUESTION, ABSENT])


def test_the_worst_exit_code_counts() -> None:
    """An error before an interrupt before a cap before unverified citations."""
    from memreader.cli.questions import worst

    document = paged(12, needle_on=3)
    whole = Asked("a", reader(Oracle(FACTS)).ask(document, QUESTION))
    capped = Asked("b", reader(Oracle(FACTS), limits=Limits(calls=1)).ask(document, QUESTION))
    control = Control()
    control.interrupt()
    stopped = Asked("c", reader(Oracle(FACTS)).ask(document, QUESTION, control=control))
    refused = Asked("d", error=Refused("no"))
    assert 0 == worst([whole], strict=True)
    assert 3 == worst([whole, capped], strict=False)
    assert 130 == worst([stopped, capped, whole], strict=False)
    assert 6 == worst([stopped, refused, whole], strict=False)


# --- budget and plan -----------------------------------------------------------------------


def test_reserves_of_several_readings_add_up() -> None:
    """Each final call may use its own reserve and no other's; a reading that ends frees its."""

    async def booked() -> list[str]:
        budget, told = Budget(Limits(calls=6)), list[str]()

        async def book(owner: str, *, final: bool = False) -> None:
            try:
                await budget.book(Cost(1), owner=owner, final=final)
                budget.settle(Cost(1), Cost(1))
                told.append(owner)
            except BudgetExceeded:
                told.append(f"{owner} refused")

        budget.reserve(Cost(1), "a")
        budget.reserve(Cost(1), "b")
        for _ in range(5):
            await book("a")
        await book("a", final=True)
        budget.release("a")
        await book("a")
        await book("b", final=True)
        return told

    assert ["a"] * 4 + ["a refused", "a", "a refused", "b"] == anyio.run(booked)


def test_spend_of_earlier_processes_is_carried_for_each_reading() -> None:
    """Calls add up; seconds ran side by side."""
    now = 100.0
    budget = Budget(Limits(calls=5, seconds=10), clock=lambda: now)
    budget.carry(Cost(2), 3.0)
    budget.carry(Cost(1), 4.0)
    assert Cost(3) == budget.spent
    assert 6.0 == budget.deadline(final=True)


def test_an_index_is_planned_once_for_all_questions() -> None:
    """The first question pays for it; one more does not."""
    ten, whole = Range(10, 10, 12), Range(11, 12, 15)
    plan = Plan(whole, whole, whole, whole, once=Plan(ten, ten, ten, ten))
    total = together([plan] * 3)
    assert Range(1, 2, 3) == plan.more().calls
    assert Range(13, 16, 21) == total.calls == total.input_tokens
    assert Range(11, 12, 15) == total.critical_path


def test_money_is_asked_for_all_questions_together(
    memreader: Run, ledger: Path, questions: Path, tmp_path: Path
) -> None:
    """A plan that is cheap for one and dear for all stops with exit 2."""
    prices = tmp_path / "prices.toml"
    with MisbehavingServer(oracle) as server:
        name = f"openai-compatible:{server.url}#test"
        (tmp_path / "memreader.toml").write_text(f'prices = "{prices}"\nprobe = false\n', "utf-8")
        prices.write_text(f'["{name}"]\ninput = 1.0\ncached_input = 1.0\noutput = 1.0\n', "utf-8")
        plan = memreader("plan", ledger, QUESTION, "-m", name, "-s", "map_reduce", "--json")
        dear = 0.75 / json.loads(plan.stdout)[0]["cost_usd"][1]
        table = f"input = {dear}\ncached_input = {dear}\noutput = {dear}\n"
        prices.write_text(f'["{name}"]\n{table}', "utf-8")
        one = memreader("ask", ledger, QUESTION, "-m", name)
        both = memreader("ask", ledger, "-Q", questions, "-m", name)
    assert (0, 2) == (one.returncode, both.returncode)
    assert "The plan expects $1." in both.stderr


def test_documents_are_opened_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """All readings share the finished documents, and one opening of the model."""
    opened: list[int] = []

    class Opening:
        def __call__(self) -> Opening:
            return self

        async def __aenter__(self) -> Model:
            opened.append(1)
            return a_model(Oracle(FACTS))

        async def __aexit__(self, *_: object) -> None:
            return None

    reading = Reader(Opening(), MemAgent(), stores=Stores(), probe=False)
    asked = reading.ask_all(Corpus((paged(12, needle_on=3),)), [QUESTION, ABSENT])
    assert ([1], ANSWER) == (opened, asked[0].answer and asked[0].answer.text)
