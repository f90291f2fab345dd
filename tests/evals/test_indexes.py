"""What building and asking take, told apart, with the oracle on an invented manual."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.indexes import main
from memreader.contract import ANSWER, NEEDLE, QUESTION, paged


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """Two questions about one document in which the needle stands once."""
    text = paged(20, needle_on=9).text
    start = text.index(NEEDLE)
    gold = {"doc": "ledger", "quote": NEEDLE, "start": start, "end": start + len(NEEDLE)}
    line = {
        "documents": [{"name": "ledger", "text": text}],
        "answers": [ANSWER],
        "evidence": [gold],
        "metric": "qa_f1",
    }
    asked = {"a": QUESTION, "b": f"{QUESTION} Tell the name."}
    path = tmp_path / "task.jsonl"
    rows = [
        json.dumps({**line, "id": name, "question": question}) for name, question in asked.items()
    ]
    path.write_text("\n".join(rows), "utf-8")
    return path


def _cells(out: str, strategy: str) -> list[str]:
    row = next(line for line in out.splitlines() if line.startswith(f"| {strategy} "))
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_the_index_is_paid_once_and_told_apart(
    task: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tree is built for the first question alone; both questions find and cite the needle."""
    assert 0 == main([str(task), "-s", "mem_walker,segment_tokens=200", "-s", "map_reduce"])
    out = capsys.readouterr().out
    walker, reduced = _cells(out, "mem_walker,segment_tokens=200"), _cells(out, "map_reduce")
    assert int(walker[1]) > 5
    assert "0" == reduced[1]
    assert float(walker[5]) < float(walker[1])
    assert ["100 %"] * 4 == walker[-4:]


def test_an_excerpt_is_read_in_place_of_the_document(
    task: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is cited in the excerpt counts where it stands in the document."""
    assert 0 == main([str(task), "-s", "mem_walker", "--around", "400"])
    assert ["100 %"] * 4 == _cells(capsys.readouterr().out, "mem_walker")[-4:]
