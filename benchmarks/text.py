"""A long text of our own words, the same for the same seed: headings, paragraphs, a few needles."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from benchmarks.latency import CHARACTERS

NEEDLE = "The lamp at Grey Point was trimmed by"
QUESTION = "Who trimmed the lamp at Grey Point?"
EVERY = 16 * 4000 * CHARACTERS
"""Characters between two needles: about one chunk in sixteen has one."""

_WHO = (
    "pilot clerk warden miller surveyor ferryman glazier cooper rower porter mason weaver".split()
)
_DOES = "counted mended carried weighed repainted moved borrowed recorded sold stored".split()
_WHAT = "ropes barrels ledgers lanterns sails planks bricks letters nets ovens maps kegs".split()
_WHERE = (
    "at the north quay,by the tide mill,under the long bridge,in the salt yard,near the old lock,"
    "behind the rope walk,on the upper terrace,beside the customs shed"
).split(",")
_WHEN = (
    "before the spring tide,after the second bell,during the dry weeks,in the year of the frost,"
    "while the market was closed,as soon as the wind turned,on the day of the count"
).split(",")
_AND = (
    "which nobody had asked for,and wrote the number down twice,though the weather was against it,"
    "as the council had agreed,and was paid in full,without a word to the harbour master"
).split(",")


def paragraphs(tokens: int, seed: int = 7) -> Iterator[str]:
    """Paragraphs, headings among them, of about this many tokens in all."""
    words = random.Random(seed)
    sentences = [_sentence(words) for _ in range(5000)]
    made, needle, number = 0, EVERY // 3, 0
    while made < tokens * CHARACTERS:
        number += 1
        if number % 24 == 1:
            block = f"Section {number // 24 + 1}. The {words.choice(_WHO)} and the {number}th day"
        else:
            block = " ".join(words.choices(sentences, k=words.randint(3, 8)))
            block = f"Entry {number}. {block}"
            if made >= needle:
                needle += EVERY
                block += f" {NEEDLE} Ines Harrow, as entry {number} has it."
        made += len(block) + 2
        yield block


def write(path: Path, tokens: int, seed: int = 7) -> int:
    """Write a text of about this many tokens; returns its characters."""
    size = 0
    with path.open("w", encoding="ascii") as file:
        for block in paragraphs(tokens, seed):
            size += file.write(block + "\n\n")
    return size


def _sentence(words: random.Random) -> str:
    who, what = words.choice(_WHO), words.choice(_WHAT)
    parts = [f"The {who} {words.choice(_DOES)} {words.randint(3, 980)} {what}"]
    parts += [words.choice(_WHERE), words.choice(_WHEN)]
    text = " ".join(parts)
    return f"{text}, {words.choice(_AND)}." if words.random() < 0.5 else f"{text}."
