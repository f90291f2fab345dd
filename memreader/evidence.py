"""Evidence checked by code: quotes searched in the source, answers measured against it.

`align` finds a quote a model wrote: exactly, then ignoring case, punctuation and white space,
then fuzzily; what is not found stays unverified. `support` says how well the best sentence of a
passage bears out an answer (STACK.md, section 3a); it works in any script. Support is evidence,
not a veto: only the engine's plain wire format, for models that cannot say "not found",
decides by it alone.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from memreader.document import Span
from memreader.words import IS_CJK, TOKEN, content_words, sentences, words

Verified = Literal["exact", "normalised", "fuzzy", "located", "unverified"]

NO_INFORMATION = "[NO INFORMATION]"
"""The one marker for "this text does not tell": used by prompts and by the parser."""

SUPPORTED = 0.4
"""Support from which an answer of a plain model counts as found."""

FUZZY = 92.0
"""Least similarity, 0 to 100, of a fuzzy match."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A quote and where it stands; `span` is None while it is unverified."""

    quote: str
    span: Span | None
    verified: Verified
    score: float = 1.0
    """How well it bears out what it is cited for, 0 to 1; orders citations."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a quote was found: offsets into the searched text."""

    start: int
    end: int
    verified: Verified


@dataclass(frozen=True, slots=True)
class Support:
    """How well a text bears out an answer, and the sentence that does it best."""

    score: float
    start: int = 0
    end: int = 0


# --- aligning a quote ----------------------------------------------------------------------

_ELLIPSIS = re.compile(r"\s*(?:\[?(?:\.{3}|…)\]?)\s*")
_QUOTES = "\"'“”‘’«»「」『』 \t\n-•*>"
_NUMBER = re.compile(r"\d+")
_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nor|without|cannot|\w+n[’']t|ne|pas|jamais|sans|nicht|kein\w*|nie|"
    r"sin|nunca|non)\b|[不没無无未非]",
    re.IGNORECASE,
)


def align(quote: str, text: str, *, fuzzy: bool = True) -> Match | None:
    """Find a quote in a text: exactly, then normalised, then fuzzily; None where it is not there.

    A fuzzy match must hold the same numbers and the same count of negations as the quote: one
    wrong digit or a dropped "not" changes little of the spelling and all of the meaning.
    """
    quote = quote.strip(_QUOTES)
    if "..." in quote or "…" in quote:
        quote = max(_ELLIPSIS.split(quote), key=len)
    if not quote:
        return None
    at = text.find(quote)
    if at >= 0:
        return Match(at, at + len(quote), "exact")
    return _normalised(quote, text) or (_fuzzy(quote, text) if fuzzy else None)


def _normalised(quote: str, text: str) -> Match | None:
    tokens = TOKEN.findall(quote)
    if not tokens:
        return None
    parts = [
        r"\s*".join(map(re.escape, token)) if IS_CJK.match(token) else re.escape(token)
        for token in tokens
    ]
    found = re.search(r"[\W_]{1,8}?".join(parts), text, re.IGNORECASE)
    return Match(found.start(), found.end(), "normalised") if found else None


def _fuzzy(quote: str, text: str) -> Match | None:
    from rapidfuzz import fuzz

    if len(quote) < 20 or len(quote) > len(text):
        return None
    found = fuzz.partial_ratio_alignment(
        quote.casefold(), text.casefold(), score_cutoff=FUZZY, processor=None
    )
    if found is None or len(text.casefold()) != len(text):
        return None
    start, end = _whole_words(text, found.dest_start, found.dest_end)
    same = text[start:end]
    if sorted(_NUMBER.findall(same)) != sorted(_NUMBER.findall(quote)):
        return None
    if len(_NEGATION.findall(same)) != len(_NEGATION.findall(quote)):
        return None
    return Match(start, end, "fuzzy")


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    while start > 0 and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end - 1].isalnum() and text[end].isalnum():
        end += 1
    return start, end


# --- support -------------------------------------------------------------------------------

_META = (
    r"(?:text|passage|document|excerpt|chunk|records?|context|material|report|article|book|page)s?"
)
_TOLD = r"(?:mentioned|stated|specified|found|given|provided|available|said|disclosed|indicated)"
# A refusal speaks of the text, not of the matter: "it was not given" may be the very answer.
_NOTHING = re.compile(
    rf"""^(?:
      (?:not\s)?(?:none|n/?a|unknown|nothing|unanswerable|no\sanswer|not\s{_TOLD})
    | (?:there\sis\s|there[’']s\s|contains?\s|i\s(?:find|found|have)\s)?no\s(?:relevant\s|such\s|
        specific\s|further\s)?information(?:\s(?:about|on|is|was|in|available|given|provided|found|
        regarding|that|to\sanswer)\b.*)?
    | (?:sorry,?\s)?i\s(?:cannot|can[’']t|could\snot|do\snot|don[’']t)\s
        (?:find|tell|know|answer|say)\b.*
    | (?:the|this|these|no)\s(?:given\s|provided\s)?{_META}\s
        (?:(?:does|do|did|could|can)(?:\snot|n[’']t)\s)
        (?:explicitly\s|directly\s|seem\sto\s)?(?:say|tell|mention|state|specify|provide|contain|give|
        include|indicate|address|answer|disclose|hold)\b.*
    | (?:it|this|that|the\sanswer|the\sinformation)\s(?:is|was)\snot\s(?:explicitly\s|directly\s)?
        (?:mentioned|stated|specified|in\sthe\s{_META})
    | .{{0,120}}\b(?:is|are|was|were|has\sbeen)\s?(?:not|n[’']t)\s
        (?:explicitly\s|directly\s|been\s)?
        {_TOLD}\s(?:anywhere\s)?(?:in|by)\s(?:the|this|these|any)\s(?:given\s|provided\s)?{_META}
    | .{{0,80}}\b(?:cannot|can[’']t|could\snot)\sbe\s(?:determined|answered|found|told)\b.*
    | (?:le|ce|cet?)\s(?:texte|document|passage|rapport)\b.{{0,60}}\bpas\b.*
    | (?:ce|il|elle|cela)\s?n[’'](?:est|était)\spas\s(?:mentionnée?|indiquée?|précisée?)\b.*
    | (?:pas|non)\s(?:mentionnée?|indiquée?|précisée?|trouvée?)\b.* | aucune\sinformation\b.*
    | (?:der|dieser|das|dieses)\s(?:text|abschnitt|dokument|bericht)\b.{{0,60}}
        \b(?:nicht|kein\w*)\b.*
    | (?:nicht)\s(?:erwähnt|angegeben|gefunden)\b.* | keine\sangaben?\b.*
    | (?:el|este)\s(?:texto|documento|pasaje|informe)\sno\b.*
    | no\sse\s(?:menciona|indica|encuentra)\b.*
    | .{{0,20}}(?:未|没有|並未|并未)(?:提到|提及|说明|找到|给出|提供).{{0,20}}
    | 没有(?:相关)?信息.{{0,20}}
    | 无法(?:确定|回答).{{0,20}}
    )[.。!]?$""",
    re.IGNORECASE | re.VERBOSE,
)
_TURN = re.compile(
    r"\b(?:but|however|although|though|mais|aber|jedoch|pero)\b|但|不过", re.IGNORECASE
)


def says_not_found(answer: str) -> bool:
    """Whether an answer says that the text does not tell, in the few words such answers have.

    "It was not given" may be the answer to a question, so a refusal has to speak of the text;
    and "The report does not mention a date, but …" goes on to answer.
    """
    stripped = " ".join(answer.split()).strip("*_\"'`“” ")
    if not stripped or NO_INFORMATION.strip("[]").casefold() == stripped.strip("[].").casefold():
        return True
    if NO_INFORMATION in stripped:
        return True
    short = len(stripped) < 240 and not _TURN.search(stripped)
    return short and _NOTHING.match(stripped) is not None


def repeats(question: str, answer: str) -> bool:
    """Whether an answer only says the question again: its words, most of them, and no other.

    "The bridge", to "Was it the bridge or the ferry?", is an answer, since it says few of them.
    """
    asked, told = set(content_words(question)), set(content_words(answer))
    return len(asked) > 1 and told <= asked and 3 * len(told) >= 2 * len(asked)


def support(question: str, answer: str, text: str) -> Support:
    """How well one or two neighbouring sentences of a text bear out an answer, 0 to 1.

    Share of the question's content words that stand there, weighed by the share of the answer's
    new content words that do (STACK.md, section 3a). Words that many sentences of the text hold
    weigh less. An answer without words of its own (yes, a repeated question) is measured by the
    question's words alone, at half weight.
    """
    if says_not_found(answer):
        return Support(0.0)
    asked = content_words(question)
    told = [w for w in content_words(answer) if w not in asked]
    return _best(asked, told, text, alone=0.5)


def relevance(question: str, text: str) -> Support:
    """The sentence of a text that shares most with the question: search, not reading."""
    return _best(content_words(question), [], text, alone=1.0)


def _best(asked: list[str], told: list[str], text: str, *, alone: float) -> Support:
    """The best sentence or pair of neighbours; `alone` is the weight of the question by itself."""
    spans = list(sentences(text))
    bags = [frozenset(words(text[s:e])) for s, e in spans]
    weights = {w: _rarity(w, bags) for w in asked}
    best = Support(0.0)
    for i, (start, end) in enumerate(spans):
        score = _score(weights, told, bags[i], alone)
        if score > best.score:
            best = Support(score, start, end)
        if i + 1 < len(spans):
            pair = 0.9 * _score(weights, told, bags[i] | bags[i + 1], alone)
            if pair > best.score:
                best = Support(pair, start, spans[i + 1][1])
    return best


def _rarity(word: str, bags: list[frozenset[str]]) -> float:
    return math.log(2 + len(bags) / (1 + sum(word in bag for bag in bags)))


def _score(weights: dict[str, float], told: list[str], bag: frozenset[str], alone: float) -> float:
    hits = sum(w in bag for w in told)
    if told and not hits:
        return 0.0
    total = sum(weights.values())
    share = sum(v for w, v in weights.items() if w in bag) / total if total else 1.0
    return share * (0.5 + 0.5 * hits / len(told)) if told else alone * share


def locate(question: str, answer: str, text: str, span: Span) -> Evidence | None:
    """The sentence of a chunk's text that best supports an answer, marked located.

    None where nothing reaches the threshold. `span` is where `text` stands in its document.
    """
    found = support(question, answer, text)
    if found.score < SUPPORTED:
        return None
    at = Span(span.document, span.start + found.start, span.start + found.end)
    return Evidence(text[found.start : found.end], at, "located", found.score)
