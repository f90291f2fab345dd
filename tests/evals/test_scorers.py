"""Each metric against values worked out by hand."""

from __future__ import annotations

import pytest

from evals import scorers
from evals.places import Place


def test_normalising_drops_case_punctuation_articles_and_blanks() -> None:
    assert "ferrys name is grey wether" == scorers.normalise(
        "The  Ferry's name is:\n“Grey Wether”!"
    )
    assert "theory of apes" == scorers.normalise("A theory of (the) apes.")
    assert "退休 年龄" == scorers.normalise("「退休」 年龄。")


def test_qa_f1_is_the_best_over_the_answers() -> None:
    # prediction: ferry is grey wether (4), answer: grey wether (2), common 2: P 1/2, R 1.
    assert 2 / 3 == pytest.approx(scorers.qa_f1("The ferry is the Grey Wether.", ["Grey Wether"]))
    assert 1.0 == scorers.qa_f1("eleven days", ["11 days", "eleven days"])
    # A word counts as often as it stands in both: common 1 of 3 and 1 of 1.
    assert 0.5 == scorers.qa_f1("no no no", ["no"])
    assert 0.0 == scorers.qa_f1("rats", ["mussels"])
    assert 0.0 == scorers.qa_f1("", ["mussels"])
    assert 0.0 == scorers.qa_f1("anything", [])


def test_qa_f1_zh_takes_each_character_for_a_token() -> None:
    # 退休年龄是64岁 -> 退 休 年 龄 是 64 岁 (7), 64岁 -> 64 岁 (2): P 2/7, R 1, F 4/9.
    assert 4 / 9 == pytest.approx(scorers.qa_f1_zh("退休年龄是64岁。", ["64岁"]))
    assert 1.0 == scorers.qa_f1_zh("「海豚」", ["海豚"])


def test_em_and_contains_compare_normalised_strings() -> None:
    assert 1.0 == scorers.exactly("The Grey Wether.", ["grey wether"])
    assert 0.0 == scorers.exactly("It is the Grey Wether.", ["grey wether"])
    assert 1.0 == scorers.contains("It is the Grey Wether.", ["nothing", "grey wether"])
    assert 0.0 == scorers.contains("It is grey.", ["grey wether"])
    assert 0.0 == scorers.contains("Anything at all", ["$&"]), "nothing is left of the answer"


def test_exact_match_ignores_blanks_and_case() -> None:
    assert 1.0 == scorers.exact_match("b, a,C\n", ["B,A,C"])
    assert 0.0 == scorers.exact_match("B,C,A", ["B,A,C"])


@pytest.mark.parametrize(
    ("prediction", "picked"),
    [
        ("B", 1),
        ("(C)", 2),
        ("C. He was a friend", 2),
        ("The answer is B", 1),
        ("Answer: (A)", 0),
        ("green as grass", 1),
        ("It is green as grass, I think.", 1),
        ("A red or a blue one", None),
        ("Neither", None),
        ("E", None),
        ("", None),
    ],
)
def test_the_chosen_option_is_found_by_text_or_letter(prediction: str, picked: int | None) -> None:
    assert picked == scorers.option(prediction, ["Red", "Green as grass", "Blue"])


def test_accuracy_takes_gold_as_text_or_letter() -> None:
    assert 1.0 == scorers.accuracy("B", ["True", "False"], ["False"])
    assert 1.0 == scorers.accuracy("The claim is false.", ["True", "False"], ["False"])
    assert 1.0 == scorers.accuracy("False", ["True", "False"], ["B"])
    assert 0.0 == scorers.accuracy("True", ["True", "False"], ["False"])
    assert 0.0 == scorers.accuracy("", ["True", "False"], ["False"])


def test_string_matches_are_substrings() -> None:
    assert 2 / 3 == pytest.approx(
        scorers.string_match_all("count and sum", ["COUNT", "SUM", "MAX"])
    )
    assert 1.0 == scorers.string_match_part("count and sum", ["MAX", "SUM"])
    assert 0.0 == scorers.string_match_part("count and sum", ["MAX"])
    assert 0.0 == scorers.string_match_all("count", [])


def test_clean_looks_for_wrong_answers_as_words() -> None:
    assert not scorers.clean("First 23, then 24.", ["23"])
    assert scorers.clean("In 2023 it was 24.", ["23"])
    assert not scorers.clean("6.8 Million, later 7.4", ["6.8 million"])


@pytest.mark.parametrize(
    "prediction",
    [
        "[NO INFORMATION]",
        "That is not in the text.",
        "The name is not mentioned.",
        "No information available",
        "The report does not say who signed it.",
        "The document doesn't state a date.",
        "This cannot be determined from the report.",
        "Unknown",
        "Ce n'est pas mentionné dans le texte.",
        "文中没有提到。",
    ],
)
def test_refusals_are_recognised(prediction: str) -> None:
    assert 1.0 == scorers.abstain(prediction)


@pytest.mark.parametrize(
    "prediction",
    ["", "The Grey Wether", "It did not sail on Sunday.", "Unknown Pleasures", "None of the gates"],
)
def test_answers_are_no_refusals(prediction: str) -> None:
    assert 0.0 == scorers.abstain(prediction)


def test_oolong_takes_the_last_integer() -> None:
    assert 1.0 == scorers.oolong("Of 277 rows, 12", ["12"])
    assert 0.5625 == scorers.oolong("14", ["12"])
    assert 0.75 == scorers.oolong("about 1,607 hours", ["1608"])
    assert 0.0 == scorers.oolong("many", ["12"])


def test_rouge_l_follows_the_longest_common_subsequence() -> None:
    # "the cat sat on the mat" and "the cat lay on a mat": the cat on mat, 4 of 6 and 4 of 6.
    both = ("The cat sat on the mat.", ["The cat lay on a mat"])
    assert 2 / 3 == pytest.approx(scorers.rouge_l(*both))
    # 2 of 2 and 2 of 4: F = 2/3; order counts.
    assert 2 / 3 == pytest.approx(scorers.rouge_l("gates rise", ["the gates will rise"]))
    assert 1 / 3 == pytest.approx(scorers.rouge_l("rise gates", ["the gates will rise"]))
    assert 0.0 == scorers.rouge_l("", ["the gates"])


PAGE_6, PAGE_9 = Place("r.pdf", 500, 600), Place("r.pdf", 800, 900)


def test_citations_are_right_where_they_overlap_a_gold_page() -> None:
    """Two of three are right; both touch the same one of two gold pages."""
    cited = [Place("r.pdf", 510, 520), Place("r.pdf", 590, 610), Place("r.pdf", 700, 750)]
    found = scorers.citations(cited, [PAGE_6, PAGE_9])
    assert found is not None
    assert 2 / 3 == pytest.approx(found.precision)
    assert 0.5 == found.recall
    assert 4 / 7 == pytest.approx(found.f1)


def test_citations_of_spans_need_the_same_document_and_a_common_character() -> None:
    gold = [Place("a.txt", 10, 20)]
    assert scorers.Cited(0.0, 0.0) == scorers.citations([Place("a.txt", 20, 30)], gold)
    assert scorers.Cited(0.0, 0.0) == scorers.citations([Place("b.txt", 10, 20)], gold)
    assert scorers.Cited(1.0, 1.0) == scorers.citations([Place("a.txt", 19, 30)], gold)


def test_unverified_citations_are_wrong_and_none_at_all_have_no_precision() -> None:
    unverified = Place("r.pdf", 0, 0)
    first_page = Place("r.pdf", 0, 100)
    assert scorers.Cited(0.0, 0.0) == scorers.citations([unverified], [first_page])
    assert scorers.Cited(None, 0.0) == scorers.citations([], [first_page])
    assert scorers.citations([unverified], []) is None


def test_each_metric_has_a_scorer() -> None:
    for metric in scorers.METRICS:
        assert scorers.score(metric, "", ["1"], ["1", "2"]) == 0.0


def test_what_contains_the_answer_goes_by_the_metric() -> None:
    assert 0.0 == scorers.found("string_match_all", "count", ["COUNT", "SUM"])
    assert 1.0 == scorers.found("qa_f1", "count", ["COUNT", "SUM"])
    assert scorers.found("rouge_l", "count", ["COUNT"]) is None
