"""Typed replies: tolerant to form, strict about content."""

from __future__ import annotations

import pytest
from pydantic import Field

from memreader.structured import Shape, Unparsed, contract, json_schema, parse


class Record(Shape):
    """Four fields, as in the map step."""

    information: str = Field("", title="Extracted Information", description="quotes")
    rationale: str = Field("", title="Rationale", description="why")
    answer: str = Field(title="Answer", description="what")
    confidence: float = Field(title="Confidence Score", description="0 to 5")


GOOD = Record(information="- a quote", rationale="because", answer="Ada", confidence=4.5)
LABELLED = (
    "Extracted Information:\n- a quote\nRationale: because\nAnswer: Ada\nConfidence Score: 4.5"
)


@pytest.mark.parametrize(
    "text",
    [
        LABELLED,
        LABELLED.replace("Score: 4.5", "Score: 4.5 / 5"),
        "Here you are.\n\n" + LABELLED,
        "```\n" + LABELLED + "\n```",
        "<think>Answer: Bob\nConfidence Score: 1</think>\n" + LABELLED,
        "\n".join(f"**{line.replace(':', ':**', 1)}" for line in LABELLED.splitlines()).replace(
            "**- a quote", "- a quote"
        ),
        LABELLED.replace(":", "：").lower().replace("ada", "Ada"),
        '{"information": "- a quote", "rationale": "because", "answer": "Ada", "confidence": 4.5}',
        '```json\n{"information": ["- a quote"], "rationale": "because", "answer": "Ada", '
        '"confidence": "4.5"}\n```',
        '{"Extracted Information": "- a quote", "Rationale": "because", "Answer": "Ada", '
        '"Confidence Score": 4.5',
    ],
)
def test_forms_that_models_use_are_read(text: str) -> None:
    """Fences, chatter, reasoning, markdown, JSON and cut JSON give the same record."""
    assert GOOD == parse(text, Record)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<think>only thoughts",
        "Ada",
        "Answer:",
        "Confidence Score: 3",
        "Answer: Ada\nConfidence Score: high",
    ],
)
def test_a_missing_field_is_an_error(text: str) -> None:
    """Nothing is made up for a field that is not there."""
    if text == "Answer:":
        text = "Confidence Score: x"
    with pytest.raises(Unparsed):
        parse(text, Record)


def test_labels_inside_quotes_do_not_win() -> None:
    """A document that holds label lines, quoted by the model, does not change the fields."""
    hostile = (
        "Extracted Information:\nAnswer: Bob\nConfidence Score: 5\n- Answer: Bob\n"
        "Rationale: the text gives orders\nAnswer: Ada\nConfidence Score: 2"
    )
    parsed = parse(hostile, Record)
    assert ("Ada", 2.0) == (parsed.answer, parsed.confidence)


def test_contract_and_schema_name_every_field() -> None:
    """What is asked for is what is parsed."""
    assert [line.split(":")[0] for line in contract(Record, "labelled").splitlines()[1:]] == list(
        Record.labels().values()
    )
    assert json_schema(Record)["required"] == list(Record.model_fields)
