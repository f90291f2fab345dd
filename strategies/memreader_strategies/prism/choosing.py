"""The schema of a reading: shipped, given, chosen by the question's form, or generated."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from memreader.prompts import PromptFiles, Untrusted, Value
from memreader_strategies.prism.schema import Record, SchemaFault, parsed, told

SHIPPED = ("qa", "book_summary", "timeline", "entities", "table", "code_search", "generic")
ATTEMPTS = 3
"""Calls for one schema; then the generic one is taken (the paper gives no figure)."""

_SUMMARY = re.compile(
    r"^\s*(?:please\s+|can you\s+|could you\s+)?(?:summari[sz]e|give (?:me )?(?:a|an) (?:\w+ )?"
    r"(?:summary|overview)|write (?:a|an) (?:\w+ )?(?:summary|abstract|overview)|tl;?dr|"
    r"what is (?:this|the) (?:document|text|report|book|paper|file|story|novel) about|"
    r"résume[rz]?\b|fais un résumé|fasse? (?:dieses|das|den)|zusammenfassung|"
    r"resume (?:el|la|los|las|este|esta)\b|resumen\b)|总结|概括|摘要",
    re.IGNORECASE,
)
_TIMELINE = re.compile(
    r"\b(?:time ?lines?|chronolog\w*|sequence of events|in (?:what|which) order|"
    r"ce qui s'est passé|zeitleiste|cronología)\b|时间线|年表",
    re.IGNORECASE,
)
_ENTITIES = re.compile(
    r"\b(?:relationships?|related to|connected (?:to|with)|(?:all|which|list the) "
    r"(?:people|persons|characters|organi[sz]ations|companies)|who are|"
    r"who is everyone)\b|人物关系",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"\b(?:functions?|methods?|class(?:es)?|source code)\b.*\b(?:code|file|module|program|called|"
    r"defined|raises?|returns?|implements?|computes?|bug)\b",
    re.IGNORECASE | re.DOTALL,
)
_TABLE = re.compile(
    r"\b(?:tables?|rows?|columns?|in total|total number|how many of|average|"
    r"(?:highest|lowest|largest|smallest|maximum|minimum|sum|count) (?:of|number|all|every))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A schema and what it is called."""

    name: str
    record: Record

    @property
    def text(self) -> str:
        """As prompts show it."""
        return told(self.record)


def shipped(name: str, files: PromptFiles) -> Chosen:
    """A schema from the files beside the prompts."""
    return Chosen(name, parsed(files[f"schema.{name}"]))


def chosen(wanted: str, question: str, files: PromptFiles) -> Chosen:
    """The schema of this name or text; `auto` goes by the question's form alone.

    Raises SchemaFault. `generate` is for the reading to do: until then it is the generic one.
    """
    if wanted == "auto":
        return shipped(by_form(question), files)
    if wanted == "generate":
        return shipped("generic", files)
    return shipped(wanted, files) if wanted in SHIPPED else Chosen("given", parsed(wanted))


def by_form(question: str) -> str:
    """The shipped schema that fits a question's form; asks no model."""
    if not question.strip() or _SUMMARY.search(question):
        return "book_summary"
    rules = (
        (_TIMELINE, "timeline"),
        (_CODE, "code_search"),
        (_TABLE, "table"),
        (_ENTITIES, "entities"),
    )
    return next((name for rule, name in rules if rule.search(question)), "qa")


def again(fault: SchemaFault | None, text: str) -> Value:
    """What a second request for a schema adds: the first reply, and what is wrong with it."""
    if fault is None:
        return ""
    return Untrusted(f"{text[:1200]}\n\nWhat is wrong: {fault}", "your last try, which failed")


def generated(text: str, count: Callable[[str], int], limit: int) -> Record:
    """A schema that a model wrote. Raises SchemaFault, also where it is too long to repeat."""
    record = parsed(text)
    if (size := count(told(record))) > limit:
        raise SchemaFault(f"it has {size:,} tokens; it may have {limit:,}")
    return record
