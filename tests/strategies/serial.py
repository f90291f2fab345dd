"""A model for tests of serial readers: it answers each kind of call by a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from memreader.llm.base import Reply, Request, Usage
from memreader.testing import WordCounter

Say = Callable[[str], str]


class ByCall:
    """Tells the kind of a call by words in its prompt; keeps the prompts by kind."""

    def __init__(self, signs: Mapping[str, str], **said: Say) -> None:
        self.signs, self.said = signs, said
        self.prompts: dict[str, list[str]] = {kind: [] for kind in signs}
        self.order: list[str] = []
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Reply:
        """Answer by the function of this kind of call."""
        kind = next(k for k, sign in self.signs.items() if sign in request.text)
        self.prompts[kind].append(request.text)
        self.order.append(kind)
        self.requests.append(request)
        text = self.said[kind](request.text)
        count = WordCounter().count
        return Reply(text, Usage(count(request.text), 0, count(text)))


def fenced(prompt: str, label: str) -> str:
    """What stands between the marker lines of this label; empty where there are none."""
    _, _, rest = prompt.partition(f" {label}>>>\n")
    return rest.partition("\n<<<end ")[0]
