"""Words and sentences of a text, in any script, for comparing texts by code."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# --- words ---------------------------------------------------------------------------------

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
TOKEN = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
IS_CJK = re.compile(rf"[{_CJK}]")

_STOP = frozenset(
    """a about according after all also an and any are as at be been before being between both but
    by can could did do does during each for from had has have he her his how i if in into is it
    its many may more most much must my no not of on one or our out over s she should so some such
    t than that the their them then there these they this those to under up was we were what when
    where which while who whom whose why will with would you your name named called say said says
    au aux avec ce ces cette comme comment dans de des du elle en est et il ils la le les leur lors
    mais ne ou où par pas pour quand que quel quelle quelles quels qui sa se ses son sont sur un une
    d j jusqu l lorsqu qu
    aus bei das dem den der des die ein eine einem einen einer für hat ist mit nach nicht sich sie
    sind und von vor war was welche welcher welches wer wie wird wo zu zum zur
    con como cual cuando cuál de del donde el ella en es esta este fue la las lo los para por que
    quién qué se su sus una y""".split()
)
# Pairs of characters across a particle say nothing of the matter.
_CJK_PARTICLE = re.compile(
    r"什么|哪[个些里]?|如何|怎[么样]|多少|[的了是在和与或吗呢谁请这那]|[はがをにでとのもへや]|か$"
)


def stem(word: str) -> str:
    """A crude stem, enough to match "signed" with "signs": Latin suffixes off long words."""
    for suffix in ("ing", "ies", "ed", "es", "s"):
        if len(word) > len(suffix) + 3 and word.endswith(suffix):
            return word[: -len(suffix)]
    return word


def words(text: str) -> list[str]:
    """Words to compare by: case-folded, stemmed; runs of CJK as overlapping pairs of characters."""
    found: list[str] = []
    for token in TOKEN.findall(unicodedata.normalize("NFKC", text).casefold()):
        if not IS_CJK.match(token):
            found.append(stem(token))
        elif len(token) == 1:
            found.append(token)
        else:
            found += [token[i : i + 2] for i in range(len(token) - 1)]
    return found


def content_words(text: str) -> list[str]:
    """`words` without function words, each once, in order."""
    folded = _CJK_PARTICLE.sub(" ", unicodedata.normalize("NFKC", text).casefold())
    plain = " ".join(t for t in TOKEN.findall(folded) if t not in _STOP)
    return list(dict.fromkeys(words(plain)))


# --- yes and no ----------------------------------------------------------------------------

_YES = frozenset("yes y yeah true oui ja si sí sim 是 是的 有".split())
_NO = frozenset("no n none nothing false non aucun nein kein keine nada não 否 不 没 无".split())


def yes_or_no(text: str) -> bool | None:
    """What a field for a yes or a no says by its first word; None where that is neither."""
    first = re.match(r"\W*(\w+)", text.casefold())
    word = first[1] if first is not None else ""
    if IS_CJK.match(word):
        return next((v for v, known in ((False, _NO), (True, _YES)) for k in known
                     if IS_CJK.match(k) and word.startswith(k)), None)  # fmt: skip
    return True if word in _YES else False if word in _NO else None


# --- sentences -----------------------------------------------------------------------------

_ABBREVIATION = re.compile(r"\b(?:[A-Z]|Mr|Mrs|Ms|Dr|St|No|vs|cf|e\.g|i\.e|Fig|Sec|p|pp|M|Mme)\.$")
_END = re.compile(
    r"""[.!?…]["'”’»)\]]*(?=\s)|[。！？；]["”’」』）]*|\n[^\S\n]*\n|\n(?=\s*(?:[-*•·]|\d+[.)])\s)"""
)
LONGEST_SENTENCE = 400
"""Characters; a longer run (a table, a list without full stops) is cut at line ends."""


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Offsets of the sentences of a text, without outer white space."""
    position = 0
    for match in _END.finditer(text):
        if text[match.start()] == "." and _ABBREVIATION.search(
            text, max(position, match.start() - 8), match.start() + 1
        ):
            continue
        yield from _trimmed_lines(text, position, match.end())
        position = match.end()
    yield from _trimmed_lines(text, position, len(text))


def _trimmed_lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    part = text[start:end]
    if len(part) > LONGEST_SENTENCE and "\n" in part.strip():
        at = start
        for line in part.splitlines(keepends=True):
            yield from _trimmed(text, at, at + len(line))
            at += len(line)
    else:
        yield from _trimmed(text, start, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    part = text[start:end]
    stripped = part.strip()
    if stripped:
        begin = start + len(part) - len(part.lstrip())
        yield begin, begin + len(stripped)
