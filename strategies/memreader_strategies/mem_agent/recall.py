"""Recall of earlier memories by TF-IDF (ReMemR1, Shi et al., 2025, arXiv 2509.23040)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from memreader.words import content_words, words


def best_match(query: str, memories: Sequence[str]) -> int | None:
    """Index of the memory nearest to the query by TF-IDF cosine, the latest of equals.

    None where no memory shares a word with the query.
    """
    wanted = Counter(content_words(query))
    bags = [Counter(words(text)) for text in memories]
    spread = Counter(word for bag in bags for word in bag)
    weight = {w: math.log((1 + len(bags)) / (1 + n)) + 1 for w, n in spread.items()}
    best, where = 0.0, None
    for index, bag in enumerate(bags):
        dot = sum(n * bag[w] * weight[w] ** 2 for w, n in wanted.items() if w in bag)
        length = math.sqrt(sum((n * weight[w]) ** 2 for w, n in bag.items()))
        score = dot / length if length else 0.0
        if score > 0 and score >= best:
            best, where = score, index
    return where
