"""BM25: how well passages match the words of a question, in any script.

The counting is that of the library bm25s (Lucene's form of BM25, k1 = 1.5, b = 0.75); the words
are our own (`memreader.words`), so that Chinese and Japanese, which have no spaces, are matched by
pairs of characters.
"""

from __future__ import annotations

from collections.abc import Sequence

from memreader.errors import MissingExtra
from memreader.words import content_words, words


def bm25(question: str, texts: Sequence[str]) -> list[float]:
    """A score for each text, 0 where it holds no content word of the question.

    Raises MissingExtra without the extra `bm25`.
    """
    bags = [words(text) for text in texts]
    known = {word for bag in bags for word in bag}
    asked = [word for word in content_words(question) if word in known]
    if not asked:
        return [0.0] * len(texts)
    try:
        import bm25s
    except ImportError as error:
        raise MissingExtra("Search by words (BM25)", "bm25") from error
    index = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    index.index(bags, show_progress=False)
    return [float(score) for score in index.get_scores(asked)]
