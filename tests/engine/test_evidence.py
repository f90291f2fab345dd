"""Quotes are found or marked; answers are measured in any script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memreader.document import Span
from memreader.evidence import SUPPORTED, align, locate, repeats, says_not_found, support
from memreader.words import sentences, yes_or_no

PASSAGE = (
    "The council met in June. It did not approve the bridge over the Tarn in 1998, although the "
    "cost had fallen to 4.2 million crowns. Ada Brill, who chaired the meeting,\nsigned the "
    "minutes."
)


@pytest.mark.parametrize(
    ("quote", "verified"),
    [
        ("The council met in June.", "exact"),
        ("“the council met in june”", "normalised"),
        ("Ada Brill, who chaired the meeting, signed the minutes", "normalised"),
        ("- the cost had fallen to 4.2 million crowns", "exact"),
        ("It did not aprove the bridge over the Tarn in 1998", "fuzzy"),
        ("The council met in June. It did not … signed the minutes", "exact"),
    ],
)
def test_quotes_are_found(quote: str, verified: str) -> None:
    """Exact, else without regard to case and white space, else with a slip of the pen."""
    match = align(quote, PASSAGE)
    assert match is not None
    assert verified == match.verified


@pytest.mark.parametrize(
    "quote",
    [
        "It did not approve the bridge over the Tarn in 1999",
        "It did approve the bridge over the Tarn in 1998, although",
        "Ada Brill resigned in protest against the bridge",
        "crown of Tarn June",
        "",
        "...",
    ],
)
def test_inventions_are_not_found(quote: str) -> None:
    """One wrong digit or a dropped "not" is no slip; what was never there is not there."""
    assert align(quote, PASSAGE) is None


def test_quotes_are_found_across_line_breaks_in_chinese() -> None:
    """Scripts without spaces break lines anywhere."""
    text = "他说：港口的租约由\n玛尔塔签署。雨下了一天。"
    match = align("港口的租约由玛尔塔签署", text)
    assert match is not None
    assert "港口的租约由\n玛尔塔签署" == text[match.start : match.end]


@given(st.text(min_size=1, max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_what_is_there_is_found_where_it_is(quote: str, before: str, after: str) -> None:
    """Any stretch of a text is found, and the match lies inside the text."""
    text = before + quote + after
    match = align(quote, text)
    if match is not None:
        assert 0 <= match.start < match.end <= len(text)
    elif "..." not in quote and "…" not in quote:
        assert not quote.strip("\"'“”‘’«»「」『』 \t\n-•*>")


@given(st.text(max_size=300))
def test_sentences_are_in_order_and_trimmed(text: str) -> None:
    """Offsets rise, and only white space is left out."""
    position = 0
    for start, end in sentences(text):
        assert position <= start < end
        assert not text[position:start].strip()
        assert text[start:end] == text[start:end].strip()
        position = end
    assert not text[position:].strip()


@pytest.mark.parametrize(
    ("question", "answer", "text"),
    [
        ("Who signed the minutes?", "Ada Brill", PASSAGE),
        ("谁签署了港口的租约？", "玛尔塔", "雨下了一天。港口的租约由玛尔塔签署。船来了。"),
        ("Qui a signé le bail ?", "Marthe Ilves", "Il pleut. Marthe Ilves a signé le bail hier."),
        ("Кто подписал договор?", "Марта", "Шёл дождь. Договор подписал клерк Марта. Всё."),
    ],
)
def test_support_works_in_any_script(question: str, answer: str, text: str) -> None:
    """The sentence that bears the answer out is found, and another answer is not supported."""
    assert support(question, answer, text).score >= SUPPORTED
    assert support(question, "Zanthor Quill", text).score == 0


def test_a_located_sentence_is_marked_as_located() -> None:
    """What code found in support is never called a quote."""
    found = locate(
        "Who signed the minutes?", "Ada Brill", PASSAGE, Span("d", 100, 100 + len(PASSAGE))
    )
    assert found is not None
    assert found.verified == "located"
    assert found.span is not None
    assert found.quote == PASSAGE[found.span.start - 100 : found.span.end - 100]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("[NO INFORMATION]", True),
        ("The passage does not mention it.", True),
        ("None", True),
        ("", True),
        ("未提到。", True),
        ("Le texte : ce n'est pas mentionné.", True),
        ("No", False),
        ("Nothing was built, because the vote failed", False),
        ("42", False),
        ("The knot of Norden", False),
    ],
)
def test_not_found_is_recognised(answer: str, expected: bool) -> None:
    """The phrases of not knowing, and not a plain no."""
    assert expected == says_not_found(answer)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yes", True), ("**Yes**, it does", True), ("Oui.", True), ("是的", True), ("no", False),
        ("No, nothing", False), ("None", False), ("没有新内容", False), ("不相关", False),
        ("Noteworthy: two facts", None), ("Not sure", None), ("Now yes", None), ("January", None),
        ("", None),
    ],
)  # fmt: skip
def test_yes_and_no_are_told_by_a_whole_word(text: str, said: bool | None) -> None:
    """A word that only begins like one is neither."""
    assert yes_or_no(text) is said


@pytest.mark.parametrize(
    ("question", "answer", "again"),
    [
        ("Who signed the harbour lease?", "The harbour lease was signed.", True),
        ("Quel port remplace le port SMTP ?", "Le port remplace le port SMTP.", True),
        ("Who signed the harbour lease?", "Marta Ilves signed the harbour lease.", False),
        ("Was it the bridge or the ferry that cost more?", "The bridge.", False),
        ("Who signed?", "Signed.", False),
    ],
)
def test_an_answer_that_repeats_its_question_is_told(
    question: str, answer: str, *, again: bool
) -> None:
    """Small models say the question again; one of two options in it is an answer."""
    assert again == repeats(question, answer)
