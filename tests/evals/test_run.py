"""The whole path with a model that answers only from what it is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from evals.__main__ import main
from evals.places import Place
from evals.readers import Read, Reading, WithModel, lexical
from evals.report import markdown, mean_score
from evals.run import Outcome, evaluate, scored
from evals.tasks import Library, Question
from memreader.document import Document, Page
from memreader.errors import Refused
from memreader.llm.base import Model
from memreader.stores import Stores
from memreader.testing import Oracle, Scripted, a_model
from memreader_strategies.map_reduce import MapReduce

FERRY = "Which ferry carries the mail to Ebbing Island?"
SENTENCE = "The ferry that carries the mail to Ebbing Island is the Grey Wether."
FILLER = " ".join(f"The gauge at post {i} was read and was dry." for i in range(300))
TEXT = f"{FILLER} {SENTENCE} {FILLER}"
START = TEXT.index(SENTENCE)


def asked(**fields: Any) -> Question:
    return Question.model_validate(
        {
            "id": "ferry",
            "documents": [{"name": "log", "text": TEXT}],
            "question": FERRY,
            "answers": ["Grey Wether"],
            "evidence": [{"doc": "log", "start": START, "end": START + len(SENTENCE)}],
            "metric": "qa_f1",
            **fields,
        }
    )


ABSENT = asked(
    id="absent", question="Who painted the gauges?", answers=[], evidence=[], metric="abstain"
)


def oracle() -> Model:
    return a_model(Oracle({FERRY: (SENTENCE, "the Grey Wether")}), window=2048)


def outcomes(
    questions: list[Question], model: Model, stores: Stores | None = None
) -> dict[tuple[str, str], Outcome]:
    reader = WithModel(model, MapReduce(), stores or Stores(), probe=False)
    readers: dict[str, Read] = {
        "lexical": lexical,
        "gold-page": reader.gold_page,
        "map_reduce": reader,
    }
    found = anyio.run(evaluate, questions, Library(()), readers)
    return {(o.id, o.reader): o for o in found}


def test_a_reader_that_finds_the_answer_has_read_and_cited_its_place() -> None:
    found = outcomes([asked()], oracle())["ferry", "map_reduce"]
    assert (1.0, 1.0, 1.0) == (found.score, found.exact, found.contains)
    assert (1.0, 1.0, 1.0) == (found.gold_read, found.gold_cited, found.citation_precision)
    assert (False, None) == (found.refused, found.error)
    assert found.calls > 3
    assert found.input_tokens > found.longest_prompt > 0


def test_the_gold_page_control_reads_little_and_cites_in_the_whole_document() -> None:
    found = outcomes([asked()], oracle())["ferry", "gold-page"]
    assert 1 == found.calls
    assert (1.0, 1.0, 1.0) == (found.score, found.gold_read, found.gold_cited)
    assert (f"log {START}-{START + len(SENTENCE)}",) == found.cited


def test_the_lexical_control_answers_with_a_sentence_and_calls_no_model() -> None:
    found = outcomes([asked()], oracle())["ferry", "lexical"]
    assert SENTENCE == found.answer
    assert (1.0, 1.0, 0) == (found.contains, found.gold_cited, found.calls)
    assert found.gold_read is None
    assert 0.0 < found.score < 1.0


def test_a_citation_over_the_end_of_a_page_names_both_pages() -> None:
    paged = Document("One two.\nThree four.\n", "r", (Page(0, 9, 0, "i"), Page(9, 21, 1, "1")))
    asked_of = asked(documents=[{"name": "r"}], evidence=[{"doc": "r", "page": 2}])
    cited = (Place("r", 4, 14), Place("r", 0, 3), Place("r", 0, 0))
    found = scored(asked_of, "a reader", Reading("two", "complete", cited), [paged])
    assert ("r p. 1-2", "r p. 1", "r unverified") == found.cited
    assert 1 / 3 == found.citation_precision


def test_an_absent_answer_is_right_when_it_is_said_to_be_absent() -> None:
    found = outcomes([ABSENT], oracle())
    assert {("absent", "lexical"), ("absent", "map_reduce")} == set(found), "no gold page to show"
    assert (1.0, True) == (
        found["absent", "map_reduce"].score,
        found["absent", "map_reduce"].refused,
    )
    assert (0.0, False) == (found["absent", "lexical"].score, found["absent", "lexical"].refused)


def test_a_rerun_is_free_and_its_figures_are_the_same(tmp_path: Path) -> None:
    first = outcomes([asked()], oracle(), Stores(tmp_path))["ferry", "map_reduce"]
    silent = a_model(Scripted([]), window=2048)
    again = outcomes([asked()], silent, Stores(tmp_path))["ferry", "map_reduce"]
    assert (0, first.calls) == (first.from_journal, again.from_journal)
    assert (first.calls, first.input_tokens) == (again.calls, again.input_tokens)
    assert first.answer == again.answer


def test_a_question_that_cannot_be_read_is_recorded_and_the_next_one_follows() -> None:
    long = asked(id="long", question=FERRY + " Say it." * 3000)
    found = outcomes([long, asked()], oracle())
    assert found["long", "map_reduce"].error is not None
    assert (0.0, 0.0, "error") == (
        found["long", "map_reduce"].score,
        found["long", "map_reduce"].gold_read,
        found["long", "map_reduce"].status,
    )
    assert 1.0 == found["ferry", "map_reduce"].score


def test_an_endpoint_that_refuses_ends_the_run() -> None:
    with pytest.raises(Refused):
        outcomes([asked()], a_model(Scripted([Refused("No such key.")] * 20), window=2048))


def test_a_superseded_value_beside_the_right_one_is_not_clean() -> None:
    """Search shows both; the clean score says so."""
    wrong = asked(meta={"wrong_answers": ["Ebbing"]})
    found = outcomes([wrong], oracle())
    assert 0.0 == found["ferry", "lexical"].clean
    assert 1.0 == found["ferry", "map_reduce"].clean


def row(**fields: Any) -> Outcome:
    line = {"id": "q", "reader": "r", "task": "", "metric": "qa_f1", "absent": False}
    return Outcome(**{**line, **fields})


def test_both_claims_of_a_pair_must_be_right() -> None:
    pairs = {"a": (1.0, 0.0), "b": (1.0, 1.0)}
    rows = [
        row(id=f"{p}{i}", pair=p, score=s) for p, two in pairs.items() for i, s in enumerate(two)
    ]
    assert 0.5 == mean_score(rows)


def test_the_summary_is_one_table_with_the_facts_above_it() -> None:
    rows = [
        row(id="1", score=0.5, contains=1.0, gold_read=1.0, calls=4, seconds=2.0),
        row(id="2", score=0.0, contains=0.0, gold_read=0.0, calls=2, from_journal=2, seconds=0.1),
        row(id="3", absent=True, metric="abstain", refused=True, calls=3, seconds=4.0),
        row(id="1", reader="lexical", score=0.25, contains=1.0, gold_cited=1.0),
    ]
    told = markdown(rows, {"model": "m", "date": "2026-01-01"})
    assert told.startswith("- model: m\n- date: 2026-01-01\n\n| | r | lexical |\n|---|---|---|\n")
    for line in (
        "| questions | 3 | 1 |",
        "| contains the answer | 50.0 % | 100.0 % |",
        "| mean metric | 25.0 % | 25.0 % |",
        "| gold page read | 50.0 % | – |",
        "| gold page cited | – | 100.0 % |",
        "| absent, and said so | 1 of 1 | – |",
        "| false refusals | 0 of 2 | 0 of 1 |",
        "| calls | 3.0 | – |",
        "| seconds a question | 3.0 (of 2) | 0.0 |",
    ):
        assert line in told.splitlines()


def test_the_command_writes_a_record_and_prints_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [q.model_dump_json() for q in (asked(), ABSENT, asked(id="judge", metric="x"))]
    (tmp_path / "some.jsonl").write_text("\n".join(lines), "utf-8")
    out = tmp_path / "out.jsonl"
    arguments = ["some", "--data", str(tmp_path), "--readers", "lexical", "--out", str(out)]
    assert 0 == main([*arguments, "--date", "2026-01-01"])
    told = capsys.readouterr().out
    assert "- data: some.jsonl, 2 of 3 questions\n- date: 2026-01-01" in told
    assert "| contains the answer | 100.0 % |" in told
    record = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert ["ferry", "absent"] == [line["id"] for line in record]


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == main(["nowhere", "--data", str(tmp_path), "--readers", "lexical"])
    assert "no question file nowhere" in capsys.readouterr().err
    assert 2 == main(["examples", "-o", "chunk_size"])
    assert "KEY=VALUE" in capsys.readouterr().err
