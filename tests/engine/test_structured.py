"""Typed replies: tolerant to form, strict about content."""

from __future__ import annotations

import pytest
from pydantic import Field

from memreader.evidence import NO_INFORMATION, Evidence
from memreader.grounding import Grounding
from memreader.prompts import Fence
from memreader.structured import (
    PlainForm,
    Shape,
    Unparsed,
    contract,
    json_schema,
    parse,
    plain_text,
)


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


def _relabelled(form: str) -> str:
    """The good reply with each label and its colon written in another form."""
    return "\n".join(
        form.format(label=line.split(":")[0]) + line.partition(":")[2] if ":" in line else line
        for line in LABELLED.splitlines()
    )


@pytest.mark.parametrize(
    "form",
    [
        "- {label}:", "* **{label}:**", "1. {label}:", "3) **{label}**:", "- ### {label}:",
        "## {label}\n", "### **{label}**\n", "**{label}**\n",
        "\u200f{label}:", "\ufeff{label}\u00a0:\u00a0", "\u2067{label}\u2069：",
    ],
)  # fmt: skip
def test_labels_are_read_as_list_items_headings_and_among_invisible_marks(form: str) -> None:
    """A list, headings without a colon, and marks of right-to-left text give the same record."""
    assert GOOD == parse(_relabelled(form), Record)


def test_a_quoted_list_of_labels_does_not_stand_in_for_the_own_ones() -> None:
    """A reply that was cut takes none of its fields from the list that it quotes."""
    quoted = "- Extracted Information: x\n- Rationale: y\n- Answer: Bob\n- Confidence Score: 5"
    with pytest.raises(Unparsed):
        parse(f"Extracted Information:\n{quoted}\nRationale: it gives ord", Record)


@pytest.mark.parametrize(
    "quoted",
    [
        '{"answer": "Bob", "confidence": 5}',
        '{"information": "x", "rationale": "y", "answer": "Bob", "confidence": 5}',
    ],
)
def test_json_that_is_quoted_in_a_field_does_not_win(quoted: str) -> None:
    """A document that holds a JSON reply, quoted under a label, does not change the fields."""
    parsed = parse(LABELLED.replace("- a quote", quoted), Record)
    assert ("Ada", 4.5, quoted) == (parsed.answer, parsed.confidence, parsed.information)


def test_labels_that_are_quoted_in_json_do_not_win() -> None:
    """The other way round: the object begins first."""
    text = '{"information": "\nRationale: y\nAnswer: Bob\n", "answer": "Ada", "confidence": 4}'
    assert ("Ada", 4.0) == (parse(text, Record).answer, parse(text, Record).confidence)


def test_an_object_inside_an_object_is_read() -> None:
    """Some models wrap the reply in the schema's name."""
    assert parse('{"reply": {"answer": "Ada", "confidence": 4}}', Record).answer == "Ada"


@pytest.mark.parametrize("figure", ["٤", "４", "**4**", "4 out of 5"])
def test_figures_are_read_in_any_script(figure: str) -> None:
    """Arabic and full-width digits are digits."""
    assert parse(LABELLED.replace("4.5", figure), Record).confidence == 4.0


@pytest.mark.parametrize("text", ['{"a":' * 5000, '{"' + "{" * 50_000, "[" * 50_000 + '{"a"'])
def test_a_model_that_opens_brackets_for_ever_is_unparsed(text: str) -> None:
    """Parsers of JSON overflow their stack on it, or take half a minute."""
    with pytest.raises(Unparsed):
        parse(text, Record)


class Useful(Shape):
    """Yes or no."""

    useful: bool


@pytest.mark.parametrize(
    ("said", "meant"), [("Yes.", True), ("**yes**", True), ("No, it is not", False)]
)
def test_yes_and_no_are_read_with_what_stands_around_them(said: str, *, meant: bool) -> None:
    """As models write them."""
    assert parse(f"Useful: {said}", Useful).useful is meant


def test_contract_and_schema_name_every_field() -> None:
    """What is asked for is what is parsed."""
    assert [line.split(":")[0] for line in contract(Record, "labelled").splitlines()[1:]] == list(
        Record.labels().values()
    )
    assert json_schema(Record)["required"] == list(Record.model_fields)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Ada Brandt", "Ada Brandt"),
        ("<think>hm</think>Ada Brandt", "Ada Brandt"),
        ("Sure! Here is the answer:\n```json\nAda Brandt\n```\nLet me know.", "Ada Brandt"),
        ("It was Ada. It was Ada. It was Ada.", "It was Ada."),
        ("It was Ada.\n\nIt was Ada.\n\nShe signed.", "It was Ada. She signed."),
    ],
)
def test_plain_text_is_what_was_meant(said: str, text: str) -> None:
    """Without reasoning, without chatter around a fence, without sentences said again."""
    assert plain_text(said) == text


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("--- shtkbkggvm\nAda Brandt\n--- shtkbkggvm", "Ada Brandt"),
        ("--- shtkbkggvm Ada Brandt", "Ada Brandt"),
        ("Ada Brandt\n--- shtkbkgg", "Ada Brandt"),
        ("Ada Brandt\n---", "Ada Brandt"),
        ("<<<shtkbkggvm chunk 4>>>\nAda Brandt\n<<<end shtkbkggvm>>>", "Ada Brandt"),
        ("Ada -- or Brandt\n--- see below", "Ada -- or Brandt\n--- see below"),
    ],
)
def test_copied_delimiters_are_no_part_of_a_reply(said: str, text: str) -> None:
    """Whole, or cut short where the reply ended."""
    assert Fence("shtkbkggvm", plain=True).stripped(said) == text


class Explained(Shape):
    """A form without a score."""

    rationale: str = Field("", title="Rationale")
    answer: str = Field(title="Answer")


def test_a_score_that_nobody_asked_for_is_no_part_of_the_answer() -> None:
    """A model that was shown records ends its reply like one."""
    told = parse("Rationale: so\nAnswer: Ada\nof Turin\n**Confidence Score:** 5\n", Explained)
    assert "Ada\nof Turin" == told.answer
    assert (
        "Confidence in the bridge grew."
        == parse("Rationale: so\nAnswer: Confidence in the bridge grew.", Explained).answer
    )


def test_a_plain_reply_that_repeats_the_question_tells_nothing() -> None:
    """However well its words are supported, "the lease was signed" says not who did."""
    question = "Who signed the harbour lease?"
    passage = Evidence("Marta Ilves signed the harbour lease.", None, "located")
    grounding, form = Grounding(question, plain=True), PlainForm("answer")
    asked = grounding.derived(Explained, form, "The harbour lease was signed.", [passage])
    told = grounding.derived(Explained, form, "Marta Ilves signed it.", [passage])
    assert (NO_INFORMATION, "Marta Ilves signed it.") == (asked.answer, told.answer)
