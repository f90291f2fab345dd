"""The task presets: what is asked for in each stage, and how conflicts are settled."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from memreader.structured import Shape
from memreader_strategies.map_reduce.records import (
    Bare,
    CodeRecord,
    Explained,
    LongText,
    QaRecord,
    RetrievalRecord,
    Summary,
)

Name = Literal["qa", "multiple_choice", "retrieval", "aggregate", "code", "summary"]
Policy = Literal["pick", "override", "aggregate", "union"]


@dataclass(frozen=True, slots=True)
class Preset:
    """One column of the paper's task table."""

    name: Name
    record: type[QaRecord] | type[Summary]
    final: type[Shape]
    calibration: str
    """Prompt file with the shared notion of confidence, used in every stage; "" for none."""
    policy: Policy


PRESETS: dict[str, Preset] = {
    p.name: p
    for p in (
        Preset("qa", QaRecord, Explained, "calibration.example", "pick"),
        Preset("multiple_choice", QaRecord, Explained, "calibration.example", "pick"),
        Preset("retrieval", RetrievalRecord, Bare, "calibration.rule", "override"),
        Preset("aggregate", QaRecord, Bare, "", "aggregate"),
        Preset("code", CodeRecord, Explained, "", "pick"),
        Preset("summary", Summary, LongText, "", "union"),
    )
}

_SUMMARY = re.compile(
    r"^\s*(?:please\s+|can you\s+|could you\s+)?(?:summari[sz]e|give (?:me )?(?:a|an) (?:\w+ )?"
    r"(?:summary|overview)|write (?:a|an) (?:\w+ )?(?:summary|abstract|overview)|"
    r"what is (?:this|the) (?:document|text|report|book|paper|file|story) about|tl;?dr|"
    r"résume[rz]?\b|fais un résumé|fasse? (?:dieses|das|den)|zusammenfassung|"
    r"resume (?:el|la|los|las|este|esta)\b|resumen\b)"
    r"|总结|概括|摘要",
    re.IGNORECASE,
)
_OPTIONS = re.compile(r"(?:^|\s)\(?A[.):]\s.*\s\(?B[.):]\s", re.DOTALL)
_AGGREGATE = re.compile(
    r"\bhow many (?:times|different|of the)\b|\bin total\b|\btotal number\b|\bhow often\b|"
    r"\b(?:sum|count|average|mean|maximum|minimum|largest|smallest|highest|lowest) "
    r"(?:of|number|all|every)\b|\bcount (?:all|every|the|how)\b|\blist (?:all|every|each)\b|"
    r"\bcombien de fois\b|\bau total\b|\binsgesamt\b|\ben total\b|一共|总共|多少次",
    re.IGNORECASE,
)
_RETRIEVAL = re.compile(
    r"\b(?:pass ?key|pass ?code|magic number|secret (?:number|word|key)|"
    r"value (?:of|for) (?:the )?key|"
    r"special (?:magic )?(?:number|word)s?)\b|密码|密钥",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"\b(?:function|method|class|bug|stack ?trace|exception|variable|source code|compile[sr]?|"
    r"return value)s?\b.*\b(?:code|file|line|module|program|called|defined|raise[sd]?|"
    r"return(?:s|ed)?|bug)\b",
    re.IGNORECASE | re.DOTALL,
)


def chosen(name: str, question: str) -> Preset:
    """The preset of this name; `auto` chooses by the question's form alone."""
    if name != "auto":
        return PRESETS[name]
    if not question.strip() or _SUMMARY.search(question):
        return PRESETS["summary"]
    rules = (
        (_OPTIONS, "multiple_choice"),
        (_RETRIEVAL, "retrieval"),
        (_AGGREGATE, "aggregate"),
        (_CODE, "code"),
    )
    return next((PRESETS[preset] for rule, preset in rules if rule.search(question)), PRESETS["qa"])
