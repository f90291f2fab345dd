"""Counting in words: replies of fakes carry a usage that a person can follow."""

from __future__ import annotations

from dataclasses import dataclass

from memreader.llm.base import Reply, Request, Usage


@dataclass(frozen=True, slots=True)
class WordCounter:
    """A tokenizer that a person can follow: one token for each word, or six characters of one."""

    exact: bool = True
    name: str = "words"

    def count(self, text: str) -> int:
        """Words, long ones counted for each six characters begun."""
        return sum(-(-len(word) // 6) for word in text.split())


def reply_to(request: Request, text: str) -> Reply:
    """A reply with the usage of its words."""
    counter = WordCounter()
    return Reply(text, Usage(counter.count(request.text), 0, counter.count(text)))
