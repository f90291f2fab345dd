"""What an oracle does where a prompt lets it navigate: takes facts out, scores, chooses.

It goes by the words of the contract: a field that lists functions wants one of them, a field that
speaks of a score wants lines with figures, and other fields with a bar want facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from memreader.words import TOKEN, content_words, sentences

MOST_FACTS = 6
"""Facts of a passage beside those that answer a known question: a script, no real extraction."""
_FUNCTION = re.compile(r"\b([a-z]+(?:_[a-z]+)+|termination)\(")
_NUMBERED = re.compile(r"^Chunk (\d+):$")


@dataclass(frozen=True, slots=True)
class Navigation:
    """What the oracle knows, and what a prompt shows it."""

    question: str
    """The question that the prompt asks; empty where it asks none that the oracle knows."""
    answering: Sequence[str]
    """All sentences that answer a known question."""
    sentence: str
    """The one that answers this question, where the prompt shows it; else empty."""
    shown: Sequence[str]
    """The fenced material of the prompt."""

    def told(self, wanted: str) -> str | None:
        """The value of a field that is described so; None where it is no matter of navigation."""
        if "| its score" in wanted:
            return "\n".join(self._scored()) or "none"
        if "| key element" in wanted or "(fact | elements)" in wanted:
            return "\n".join(self._facts()) or "none"
        functions = _FUNCTION.findall(wanted)
        return self._move(functions) if functions else None

    def _facts(self) -> Iterator[str]:
        """Sentences of the passage with their longest words; those that answer come first."""
        text = self.shown[-1]
        lines = [" ".join(text[start:end].split()) for start, end in sentences(text)]
        answers = [s for s in self._answering() if s in " ".join(text.split())]
        known = [next((line for line in lines if s in line), s) for s in answers]
        others = [line for line in lines if not any(s in line for s in answers)]
        for line in [*known, *others[:MOST_FACTS]]:
            tokens = [t for t in TOKEN.findall(line) if content_words(t)]
            elements = sorted(dict.fromkeys(tokens), key=lambda t: (-len(t), t))
            yield " | ".join([line.replace("|", "/"), *[e[:24] for e in elements[:6]]])

    def _answering(self) -> list[str]:
        """The sentences as they stand on one line, which facts do."""
        return [" ".join(sentence.split()) for sentence in self.answering]

    def _scored(self) -> Iterator[str]:
        """Names of the list: high where they share a word with the question, and ten at least."""
        asked = set(content_words(self.question))
        near = [n for n in self.shown[-1].splitlines() if asked & set(content_words(n))]
        yield from (f"{name} | 90" for name in near[:12])
        others = [name for name in self.shown[-1].splitlines() if name not in near]
        yield from (f"{name} | 10" for name in others[: max(0, 10 - len(near))])

    def _move(self, functions: Sequence[str]) -> str:
        if self.sentence and "read_chunk" in functions and (number := self._chunk()):
            return f"read_chunk({number})"
        if "read_neighbor_node" in functions and not self.sentence:
            asked = set(content_words(self.question))
            names = self.shown[-1].splitlines()
            near = next((n for n in names if asked & set(content_words(n))), None)
            return f"read_neighbor_node({near})" if near else "termination()"
        wanted = ["termination"] if self.sentence else []
        wanted += ["stop_and_read_neighbor", "search_more", "termination"]
        return next((f"{name}()" for name in wanted if name in functions), f"{functions[0]}()")

    def _chunk(self) -> str:
        """The number above the line that holds the sentence."""
        number = ""
        for line in self.shown[-1].splitlines():
            heading = _NUMBERED.match(line)
            number = heading[1] if heading else number
            if " ".join(self.sentence.split()) in " ".join(line.split()):
                return number
        return ""
