"""`memreader memory`: what a reading knew, when and where from, after it is over."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from memreader.answer import NOT_FOUND, Answer, Draft
from memreader.cli import run
from memreader.contract import QUESTION
from memreader.reader import Reader
from memreader.run import Run as Reading
from memreader.settings import home
from memreader.stores import Stores
from memreader.testing import MisbehavingServer, a_model
from memreader_strategies.chain_of_agents import ChainOfAgents
from tests.cli.conftest import Run, oracle
from tests.engine.forgetful import HEIR, LEASE, RENT, Forgetful, book

pytestmark = pytest.mark.slow

Told = tuple[int, str, str]
Memory = Callable[..., Told]


@pytest.fixture
def memory(capsys: pytest.CaptureFixture[str]) -> Memory:
    """Runs `memreader memory ...` in this process: code, standard output, standard error."""

    def told(*arguments: str) -> Told:
        capsys.readouterr()
        code = run(["memory", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return told


@pytest.fixture
def answer() -> Answer:
    """A reading that lost two facts, in the journal that the command line uses."""
    return read()


def read(**how: Any) -> Answer:
    """Read the book with a model that forgets."""
    strategy = ChainOfAgents(window=1400, unit_tokens=200, reply_tokens=100)
    model = a_model(Forgetful(), window=3072)
    stores = Stores(home().data)
    return Reader(model, strategy, stores=stores, probe=False, **how).ask(book(), QUESTION)


def test_the_runs_with_a_history_are_listed(memory: Memory, answer: Answer) -> None:
    """Id, time, strategy, question, the latest first; as JSON too."""
    second = read().run_id
    code, out, _ = memory("runs")
    assert 0 == code
    first_line, second_line = out.splitlines()
    assert re.match(rf"{second}  \d{{4}}-\d\d-\d\d \d\d:\d\d  \S+ +\d+ versions  ", first_line)
    assert second_line.startswith(answer.run_id)
    assert second_line.endswith(QUESTION)
    rows = json.loads(memory("runs", "--json")[1])
    assert [second, answer.run_id] == [row["run"] for row in rows]
    assert (QUESTION, ["ledger.pdf"]) == (rows[0]["question"], rows[0]["documents"])


def test_without_a_history_there_is_nothing_to_list(memory: Memory) -> None:
    """An empty list is no error; a run that is named is."""
    assert (0, "No run has a history yet.\n", "") == memory("runs")
    assert "[]\n" == memory("runs", "--json")[1]
    code, out, err = memory("last", "log")
    assert (2, "", 1) == (code, out, len(err.splitlines()))


def test_the_log_has_a_line_for_each_version(memory: Memory, answer: Answer) -> None:
    """Number, chunk, pages, counts, and the first words of what changed."""
    _, out, _ = memory(answer.run_id[:5], "log")
    lines = out.splitlines()
    assert len(answer.memory) == len(lines)
    noted = next(line for line in lines if RENT in line)
    assert re.match(r" +\d+  after chunk \d+ \(pages \d+-\d+\) +\+1 -1 ~0 +\+ The rent", noted)
    assert "+0 -0 ~0" in lines[-1]
    rows = json.loads(memory("last", "log", "--json")[1])
    row = rows[lines.index(noted)]
    assert (1, 1, 0) == (row["added"], row["dropped"], row["replaced"])
    assert LEASE == row["changes"]["dropped"][0]["text"]
    assert 4 == row["changes"]["dropped"][0]["places"][0]["page"]


def test_show_tells_what_was_known_after_a_version_or_a_chunk(
    memory: Memory, answer: Answer
) -> None:
    """Each item with document and page; by number, or by chunk with an @."""
    number = next(v.number for v in answer.memory if RENT in v.content)
    version = answer.memory[number - 1]
    assert version.chunk is not None
    _, by_number, _ = memory("last", "show", str(number))
    _, by_chunk, _ = memory("last", "show", f"@{version.chunk + 1}")
    assert by_number == by_chunk
    assert f"1. {RENT}\n      ledger.pdf, page 13 (printed 11)" in by_number
    assert LEASE not in by_number
    told = json.loads(memory("last", "show", str(number), "--json")[1])
    assert (number, version.chunk + 1) == (told["version"], told["chunk"])
    assert [RENT] == [item["text"] for item in told["items"]]
    assert "Nothing was noted yet" in memory("last", "show", "1")[1] or answer.memory[0].content


def test_diff_has_lines_that_went_and_came(memory: Memory, answer: Answer) -> None:
    """Minus and plus, each with where it is from; nothing between equal versions."""
    lease, heir = (
        next(str(v.number) for v in answer.memory if fact in v.content) for fact in (LEASE, HEIR)
    )
    assert memory("last", "diff", lease, heir)[1].splitlines() == [
        f"- {LEASE}",
        "      ledger.pdf, page 4 (printed 2)",
        f"+ {HEIR}",
        "      ledger.pdf, page 21 (printed 19)",
    ]
    assert memory("last", "diff", heir, lease)[1].startswith(f"- {HEIR}")
    assert "hold the same" in memory("last", "diff", lease, lease)[1]
    told = json.loads(memory("last", "diff", lease, heir, "--json")[1])
    assert [HEIR] == [item["text"] for item in told["added"]]
    assert [LEASE] == [item["text"] for item in told["dropped"]]


def test_blame_tells_where_a_fact_came_from_and_when_it_went(memory: Memory) -> None:
    """First noted at which chunk, page and quote; dropped; and back after a rescue."""
    answer = read(rescue=True)
    first, *_, back = (v.number for v in answer.memory if LEASE in v.content)
    _, out, _ = memory("last", "blame", "marta ilves signed")
    assert f"first noted in version {first}, after chunk 1 (pages 1-" in out
    assert f"ledger.pdf, page 4 (printed 2): “{LEASE}”" in out
    assert re.search(r"dropped in version \d+, after chunk \d+", out)
    assert "read again" in out
    assert f"still there in the last of {len(answer.memory)} versions" in out
    told = json.loads(memory("last", "blame", "marta ilves signed", "--json")[1])
    assert [["noted", "dropped"], ["noted"]] == [
        [step["happened"] for step in life["steps"]] for life in told
    ]
    assert [False, True] == [told[i]["steps"][0]["read_again"] for i in (0, 1)]
    assert back == len(answer.memory)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["zz", "log"], "No run 'zz' has a history"),
        (["last"], "log, show K, diff J K, blame"),
        (["last", "frobnicate"], "`frobnicate`"),
        (["last", "show"], "`show` takes 1 argument, not 0"),
        (["last", "diff", "1"], "`diff` takes 2 arguments, not 1"),
        (["last", "log", "3"], "`log` takes no arguments, not 1"),
        (["last", "show", "999"], "it has 1 to"),
        (["last", "show", "0"], "it has 1 to"),
        (["last", "show", "@999"], "read no chunk 999"),
        (["last", "show", "@x"], "'@x' is no version"),
        (["last", "blame", "a submarine"], "Nothing like 'a submarine'"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_mistakes_get_one_line_with_what_there_is(
    memory: Memory, answer: Answer, arguments: list[str], told: str
) -> None:
    """Exit 2, nothing on standard output, one line that helps."""
    code, out, err = memory(*arguments)
    assert (2, "", 1) == (code, out, len(err.splitlines()))
    assert told in err


def test_the_command_line_keeps_a_history_of_what_it_asks(
    memreader: Run, ledger: Path, tmp_path: Path
) -> None:
    """Of any strategy; it can be read when the file is gone, and goes with `cache delete`."""
    with MisbehavingServer(oracle) as server:
        model = ["--no-probe", "-m", f"openai-compatible:{server.url}#test"]
        asked = memreader("ask", ledger, QUESTION, "--json", *model)
    ledger.unlink()
    run_id = json.loads(asked.stdout)["run_id"]
    assert run_id in memreader("memory", "runs").stdout
    shown = memreader("memory", "last", "show", "1")
    assert (0, "") == (shown.returncode, shown.stderr)
    assert "Marta Ilves" in shown.stdout
    assert "ledger.txt" in shown.stdout
    memreader("cache", "delete", "--yes")
    assert "No run has a history yet.\n" == memreader("memory", "runs").stdout


@dataclass(frozen=True)
class Steps:
    """Notes two things before it has read, and one after, on two paths."""

    prompts = {"none": ""}  # noqa: RUF012

    async def read(self, question: str, run: Reading) -> Draft:
        """Three versions without a chunk."""
        run.remember("one", path="a")
        run.remember("one", path="b")
        run.remember("one\ntwo", path="a")
        return NOT_FOUND


def test_only_the_last_version_of_a_path_is_at_the_end(memory: Memory) -> None:
    """A walk and a search of a graph remember things before they read a chunk."""
    model, stores = a_model(Forgetful(), window=3072), Stores(home().data)
    Reader(model, Steps(), stores=stores, probe=False).ask(book(), QUESTION)
    _, out, _ = memory("last", "log")
    when = [re.match(r" +\d+  (.*?), [ab]", line) for line in out.splitlines()]
    assert ["on the way", "at the end", "at the end"] == [m and m[1] for m in when]
