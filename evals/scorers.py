"""Metrics, as the evaluation data defines them; each a plain function of strings or places."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from evals.places import Place

# --- normalising -----------------------------------------------------------------------------

# ASCII punctuation, Unicode quotes, and CJK punctuation as LongBench's Chinese metric has it.
_DELETED = str.maketrans(
    "",
    "",
    string.punctuation
    + "‘’‛“”„‟«»‹›"
    + "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃"
    + "《》〈〉「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—…‧﹏．",
)
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_CJK_TOKEN = re.compile(rf"[{_CJK}]|[^\s{_CJK}]+")


def normalise(text: str) -> str:
    """Lower case, without punctuation, articles and surplus blanks."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_DELETED)).split())


# --- answers ---------------------------------------------------------------------------------


def exactly(prediction: str, answers: Iterable[str]) -> float:
    """EM: 1 if a normalised answer is the normalised prediction."""
    return float(any(normalise(a) == normalise(prediction) for a in answers))


def contains(prediction: str, answers: Iterable[str]) -> float:
    """1 if a normalised answer stands in the normalised prediction."""
    told = normalise(prediction)
    return float(any(n in told if (n := normalise(a)) else n == told for a in answers))


def qa_f1(prediction: str, answers: Iterable[str]) -> float:
    """Best F1 of words over the answers."""
    told = normalise(prediction).split()
    return max((_f1(told, normalise(a).split()) for a in answers), default=0.0)


def qa_f1_zh(prediction: str, answers: Iterable[str]) -> float:
    """`qa_f1` where each CJK character is a token."""
    told = _CJK_TOKEN.findall(normalise(prediction))
    return max((_f1(told, _CJK_TOKEN.findall(normalise(a))) for a in answers), default=0.0)


def _f1(told: list[str], gold: list[str]) -> float:
    common = (Counter(told) & Counter(gold)).total()
    return harmonic(common / len(told), common / len(gold)) if common else 0.0


def harmonic(precision: float, recall: float) -> float:
    """F1 of a precision and a recall."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def exact_match(prediction: str, answers: Iterable[str]) -> float:
    """1 if an answer is the prediction, blanks and case aside."""
    told = "".join(prediction.split()).casefold()
    return float(any("".join(a.split()).casefold() == told for a in answers))


def string_match_all(prediction: str, answers: Iterable[str]) -> float:
    """Share of the answers that stand in the prediction, case ignored."""
    hits = [a.lower() in prediction.lower() for a in answers]
    return sum(hits) / len(hits) if hits else 0.0


def string_match_part(prediction: str, answers: Iterable[str]) -> float:
    """1 if any answer stands in the prediction, case ignored."""
    return float(any(a.lower() in prediction.lower() for a in answers))


def clean(prediction: str, wrong_answers: Iterable[str]) -> bool:
    """Whether no wrong answer stands in the prediction as a word."""
    return not any(
        re.search(rf"(?<!\w){re.escape(wrong)}(?!\w)", prediction, re.IGNORECASE)
        for wrong in wrong_answers
    )


_INTEGER = re.compile(r"-?\d+")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def oolong(prediction: str, answers: Iterable[str]) -> float:
    """0.75 to the power of the error of the prediction's last integer."""
    found = _INTEGER.findall(_THOUSANDS.sub("", prediction))
    return max((0.75 ** abs(int(a) - int(found[-1])) for a in answers), default=0.0) if found else 0


def rouge_l(prediction: str, answers: Iterable[str]) -> float:
    """Best F of the longest common subsequence of words."""
    told = _rouge_words(prediction)
    return max((_rouge(told, _rouge_words(a)) for a in answers), default=0.0)


def _rouge_words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def _rouge(told: list[str], gold: list[str]) -> float:
    length = longest_common(told, gold)
    return harmonic(length / len(told), length / len(gold)) if length else 0.0


def longest_common(left: Sequence[str], right: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(right) + 1)
    for one in left:
        diagonal = 0
        for i, other in enumerate(right, start=1):
            above = row[i]
            row[i] = diagonal + 1 if one == other else max(above, row[i - 1])
            diagonal = above
    return row[-1]


# --- choices and refusals --------------------------------------------------------------------

_LETTER = re.compile(r"^\W*([A-Z])(?:\W*$|[).:])|\b(?i:answer|option|choice)(?: is)?\W*([A-Z])\b")


def option(prediction: str, choices: Sequence[str]) -> int | None:
    """The option that a prediction chooses: by its text, else its letter, else its only mention."""
    told, options = normalise(prediction), [normalise(c) for c in choices]
    if told in options:
        return options.index(told)
    if letter := _LETTER.search(prediction.strip()):
        at = ord(letter[1] or letter[2]) - ord("A")
        return at if at < len(options) else None
    said = [i for i, text in enumerate(options) if f" {text} " in f" {told} "]
    return said[0] if len(said) == 1 else None


def accuracy(prediction: str, choices: Sequence[str], answers: Sequence[str]) -> float:
    """1 if the chosen option is the gold option."""
    picked = option(prediction, choices)
    return float(picked is not None and picked in {option(a, choices) for a in answers})


# The scorer's own list, not the product's: a reader is not to mark its own refusals.
_REFUSAL = re.compile(
    r"""\[?no\ information\]? | \bno\ answer\b | \bno\ mention\b
    | (?:\bnot|n[’']t)\ (?:\w+ly\ |been\ )?(?:in\ the\ (?:text|document|report)|mention|stated?\b
      |specif|given|found|provided?\b|available|disclos|indicated?\b|tell|say|contain|answer)
    | \bcannot\ be\ (?:determined|answered|found) | \b(?:cannot|can[’']t|could\ not)\ find\b
    | ^(?:unknown|none|n/a)\W*$ | \bpas\ (?:mentionn|indiqu|précis|trouv) | aucune\ information
    | 没有(?:提到|提及|说明|相关)|未(?:提到|提及|说明)|无法(?:确定|回答)""",
    re.IGNORECASE | re.VERBOSE,
)


def abstain(prediction: str) -> float:
    """1 if a prediction says that the text does not tell; an empty one says nothing."""
    return float(_REFUSAL.search(" ".join(prediction.split())) is not None)


# --- citations -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cited:
    """How well citations meet the gold places."""

    precision: float | None
    """Right citations / citations; None where nothing was cited."""
    recall: float
    """Gold places touched / gold places."""

    @property
    def f1(self) -> float:
        """F1 of both; 0 where nothing was cited."""
        return harmonic(self.precision or 0.0, self.recall)


def citations(cited: Sequence[Place], gold: Sequence[Place]) -> Cited | None:
    """A citation is right if it overlaps a gold page or span; None where no gold is located."""
    if not gold:
        return None
    right = sum(any(c.overlaps(g) for g in gold) for c in cited)
    touched = sum(any(c.overlaps(g) for c in cited) for g in gold)
    return Cited(right / len(cited) if cited else None, touched / len(gold))


# --- by name ---------------------------------------------------------------------------------

_OF_ANSWERS: dict[str, Callable[[str, Sequence[str]], float]] = {
    "qa_f1": qa_f1,
    "qa_f1_zh": qa_f1_zh,
    "exact_match": exact_match,
    "string_match_all": string_match_all,
    "string_match_part": string_match_part,
    "oolong": oolong,
    "rouge_l": rouge_l,
}
_OF_CHOICES = ("accuracy", "pair_accuracy")
METRICS = (*_OF_ANSWERS, *_OF_CHOICES, "abstain")


def score(
    metric: str, prediction: str, answers: Sequence[str], choices: Sequence[str] = ()
) -> float:
    """The score of one prediction; `pair_accuracy` for its claim alone (the report pairs them)."""
    if metric == "abstain":
        return abstain(prediction)
    if metric in _OF_CHOICES:
        return accuracy(prediction, choices, answers)
    return _OF_ANSWERS[metric](prediction, answers)


def found(metric: str, prediction: str, answers: Sequence[str]) -> float | None:
    """Whether the prediction contains the answer; None where the metric has no such notion."""
    if metric == "string_match_all":
        return float(string_match_all(prediction, answers) == 1.0)
    if metric in ("qa_f1", "qa_f1_zh", "string_match_part"):
        return contains(prediction, answers)
    return None
