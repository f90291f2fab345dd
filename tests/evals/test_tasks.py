"""Question files and gold places."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from evals.places import Place, excerpt, was_read
from evals.tasks import Library, Question, TaskError, chosen, find, load, scorable
from memreader.document import Document, Page

TEXT = "First page.\nSecond page holds gold.\nThird page.\n"
PAGED = Document(
    TEXT, "r.pdf", (Page(0, 12, 0, "i"), Page(12, 36, 1, "1"), Page(36, len(TEXT), 2, "2"))
)


def a_question(**fields: Any) -> Question:
    line = {"id": "q", "documents": [{"name": "r.pdf"}], "question": "Where?", "metric": "qa_f1"}
    return Question.model_validate({**line, **fields})


def test_the_example_questions_load_and_every_gold_quote_stands_on_its_gold_page() -> None:
    path = find("examples")
    questions = load(path)
    library = Library((path.parent,))
    assert len(questions) == len(scorable(questions)) == 20
    for question in questions:
        (document,) = library.documents(question)
        for entry, place in zip(question.evidence, question.gold([document]), strict=True):
            page = document.text[place.start : place.end]
            assert "".join(entry.quote.split()) in "".join(page.split()), question.id


def test_a_gold_page_is_the_range_of_its_text_and_a_span_stays_as_it_is() -> None:
    asked = a_question(
        evidence=[
            {"doc": "r.pdf", "page": 2},
            {"doc": "r.pdf", "start": 3, "end": 5},
            {"doc": "r.pdf", "quote": "not located"},
        ]
    )
    assert [Place("r.pdf", 12, 36), Place("r.pdf", 3, 5)] == asked.gold([PAGED])


def test_a_gold_page_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"r\.pdf has no page 4"):
        a_question(evidence=[{"doc": "r.pdf", "page": 4}]).gold([PAGED])


def test_options_are_asked_with_the_question() -> None:
    assert a_question(choices=["Here", "There"]).asked == "Where?\nA. Here\nB. There"


def test_a_line_that_is_no_question_is_named(tmp_path: Path) -> None:
    good = json.dumps(a_question().model_dump())
    (tmp_path / "bad.jsonl").write_text(f"{good}\n{{}}\n")
    with pytest.raises(TaskError, match=r"bad\.jsonl, line 2"):
        load(tmp_path / "bad.jsonl")


def test_files_are_found_by_name_and_opened_packed_or_not(tmp_path: Path) -> None:
    line = json.dumps(a_question(question="Wo\u2028?").model_dump(), ensure_ascii=False)
    (tmp_path / "some.jsonl.gz").write_bytes(gzip.compress(f"{line}\n".encode()))
    assert [a_question(question="Wo\u2028?")] == load(find("some", tmp_path))
    with pytest.raises(TaskError, match="no question file other"):
        find("other", tmp_path)


def test_text_documents_keep_the_characters_that_gold_offsets_count(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("  A\ttext \n\n\n\nwith ﬁ gaps", "utf-8")
    asked = a_question(documents=[{"name": "a", "ref": "a.txt"}, {"name": "b", "text": "B"}])
    documents = Library((tmp_path,)).documents(asked)
    assert [("a", "  A\ttext \n\n\n\nwith ﬁ gaps"), ("b", "B")] == [
        (d.source, d.text) for d in documents
    ]


def test_a_missing_document_is_named(tmp_path: Path) -> None:
    asked = a_question(documents=[{"name": "a", "ref": "docs/a.txt"}])
    with pytest.raises(TaskError, match=r"docs/a\.txt"):
        Library((tmp_path,)).documents(asked)


def test_questions_are_chosen_by_id_and_limit() -> None:
    three = [a_question(id=i) for i in "abc"]
    assert three[:2] == chosen(three, limit=2)
    assert [three[2]] == chosen(three, ["c"], limit=2)
    with pytest.raises(TaskError, match="x"):
        chosen(three, ["x"])


def test_a_place_was_read_when_only_white_space_is_missing() -> None:
    page = Place("r.pdf", 12, 36)
    assert was_read(page, [Place("r.pdf", 0, 20), Place("r.pdf", 20, 35)], PAGED)
    assert not was_read(page, [Place("r.pdf", 0, 20), Place("r.pdf", 22, 36)], PAGED)
    assert not was_read(page, [Place("other", 0, 40)], PAGED)


def test_an_excerpt_keeps_page_numbers_and_leads_back() -> None:
    cut = excerpt(PAGED, [Place("r.pdf", 14, 15), Place("r.pdf", 40, 41)])
    assert TEXT[12:] == cut.document.text
    assert [(2, "1"), (3, "2")] == [(p.number, p.label) for p in cut.document.pages]
    assert Place("r.pdf", 13, 15) == cut.original(1, 3)
    assert Place("r.pdf", 37, 40) == cut.original(25, 28)


def test_an_excerpt_without_pages_is_a_window_around_a_span() -> None:
    text = "\n".join(f"Line {i:04}" for i in range(1000))
    gold = Place("a", text.find("Line 0500"), text.find("Line 0501"))
    cut = excerpt(Document(text, "a"), [gold, gold])
    assert text[gold.start - 1500 : gold.end + 1500] == cut.document.text
    at = cut.document.text.find("Line 0500")
    assert gold == cut.original(at, at + 10)
