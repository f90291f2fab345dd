"""How many tokens a prompt has, from above: by the counts of the chunks that it shows.

A chunk was counted when it was cut. To count it again with the words around it would take a
server another request for each call, or a tokenizer another pass over all of the text; the words
around it are mostly the same in every call of a step, and their count is remembered.
"""

from __future__ import annotations

from collections.abc import Iterable

from memreader.chunking import Chunk
from memreader.llm.base import TokenCounter
from memreader.tokens import count_long

JOINT = 8
"""Tokens by which a text may pass the sum over its parts, for each place where two of them meet.

Only what crosses such a place is cut into other tokens, and prompts show a chunk between line
ends. Measured with cl100k_base, o200k_base and SmolLM2's tokenizer: at most 2.
"""


def from_above(counter: TokenCounter, text: str, chunks: Iterable[Chunk] = ()) -> int:
    """Tokens of a text that shows these chunks, rather too many than too few.

    Counted whole where the counter is an estimate: that takes no time, and an estimate of the
    whole may pass the sum over its parts by any number.
    """
    if not counter.exact:
        return count_long(counter, text)
    total = at = 0
    for chunk in chunks:
        start = text.find(chunk.text, at) if chunk.tokens else -1
        if start >= 0:
            total += count_long(counter, text[at:start]) + chunk.tokens + 2 * JOINT
            at = start + len(chunk.text)
    return total + count_long(counter, text[at:])
