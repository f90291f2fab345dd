"""What determines a reading: the keys of runs and indexes, and the answer's manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memreader.about import own_version
from memreader.document import Arriving, content_hash
from memreader.history import told
from memreader.llm.base import Model
from memreader.prompts import Fence, PromptFiles
from memreader.strategy import Strategy, name_of, options_of


@dataclass(frozen=True, slots=True)
class Identity:
    """Documents, question, model and strategy with its options."""

    arriving: Sequence[Arriving]
    question: str
    model: Model
    strategy: Strategy
    rescue: bool = False
    ahead: bool = False
    """Whether there is no question, but indexes are built ahead of all of them."""

    @property
    def documents(self) -> str:
        """Ids of the documents in order."""
        return "\n".join(a.id for a in self.arriving)

    @property
    def job(self) -> str:
        """Key of the runs that do the same work."""
        asked = "\0ahead" if self.ahead else self.question
        return content_hash(f"{self.documents}\n{asked}\n{self.index_key()}")

    def index_key(self, depends: Mapping[str, Any] | None = None) -> str:
        """What an index depends on beside documents and name: by default all options."""
        chosen = options_of(self.strategy) if depends is None else dict(depends)
        options = json.dumps(chosen, sort_keys=True, default=str)
        digest = PromptFiles.of(self.strategy).digest
        return content_hash(f"{name_of(self.strategy)}\n{options}\n{self.model.identity}\n{digest}")

    @property
    def made_by(self) -> str:
        """Hash of all that may decide what an index becomes: a plan takes one that is there for
        granted only where none of it has changed.
        """
        model = self.model
        sizes = f"{model.wire}\n{model.window}\n{model.passage}\n{model.counter.name}"
        return content_hash(f"{self.index_key()}\n{sizes}")

    @property
    def fence(self) -> Fence:
        """The fence around untrusted text."""
        here = [a.finish().text for a in self.arriving if a.complete]
        return Fence.derived(self.documents, self.question, here)

    @property
    def what(self) -> str:
        """One line for a person."""
        sources = ", ".join(a.source for a in self.arriving)
        what = "index" if self.ahead else self.question
        return f"{name_of(self.strategy)} · {self.model.name} · {sources} · {what}"

    @property
    def told(self) -> str:
        """What the history of the memory says of the reading."""
        names = {a.id: a.source for a in self.arriving}
        return told(name_of(self.strategy), self.question, names)

    @property
    def manifest(self) -> dict[str, Any]:
        """What determined the reading, for the answer."""
        return {
            "memreader": own_version(),
            "documents": {a.source: a.id for a in self.arriving},
            "question": self.question,
            "strategy": name_of(self.strategy),
            "options": options_of(self.strategy),
            "model": self.model.identity,
            "window": self.model.window,
            "wire": self.model.wire,
            "tokens_counted_by": self.model.counter.name,
            "rescue": self.rescue,
        }
