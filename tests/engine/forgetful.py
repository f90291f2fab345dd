"""A serial reader's model that loses an old fact whenever it notes a new one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from memreader.contract import paged, with_pages
from memreader.document import Document
from memreader.llm.base import Reply, Request, Usage
from memreader.testing import WordCounter

LEASE = "Marta Ilves signed the harbour lease on the ninth of May."
RENT = "The rent of the warehouse is 400 crowns a year."
HEIR = "Jon Adde inherited the chandlery from his uncle."
FACTS = (LEASE, RENT, HEIR)
END = paged(30).text.rstrip()[-60:]
"""The end of the book."""
PAGES = {LEASE: 4, RENT: 13, HEIR: 21}

_SHOWN = re.compile(r"^<<<(?P<fence>[b-v]{10}) (?P<label>\w+)[^\n]*>>>\n(.*?)\n<<<end", re.S | re.M)


def book() -> Document:
    """Thirty pages with the three facts, each on its page, from 1."""
    plain = paged(30)
    texts = [plain.text[page.start : page.end] for page in plain.pages]
    for fact, page in PAGES.items():
        texts[page - 1] = f"{fact}\n{texts[page - 1]}"
    return with_pages(texts)


@dataclass
class Forgetful:
    """Notes the facts of a passage, and drops its oldest note for them if `keeps` is False."""

    keeps: bool = False
    requests: list[Request] = field(default_factory=list)

    async def complete(self, request: Request) -> Reply:
        """The memory written anew, or the answer from it."""
        self.requests.append(request)
        shown = {m["label"]: m[3] for m in _SHOWN.finditer(request.text)}
        old = [f for f in FACTS if f in shown.get("notes", "") + shown.get("memory", "")]
        if "passage" in shown:
            here = [f for f in FACTS if f in shown["passage"] and f not in old]
            kept = old if self.keeps or not here else old[1:]
            label = "Memory" if "\nMemory: " in request.text.split("<<<")[0] else "Notes"
            said = f"{label}: " + ("\n".join([*kept, *here]) or "[NO INFORMATION]")
        else:
            said = f"Answer: {'Marta Ilves' if LEASE in old else '[NO INFORMATION]'}"
        count = WordCounter().count
        return Reply(said, Usage(count(request.text), 0, count(said)))

    @property
    def read_again(self) -> list[str]:
        """Passages of the calls after the last new chunk, without the answer's."""
        passages = [m[3] for r in self.requests for m in _SHOWN.finditer(r.text)
                    if m["label"] == "passage"]  # fmt: skip
        last = max(i for i, p in enumerate(passages) if END in p)
        return passages[last + 1 :]
