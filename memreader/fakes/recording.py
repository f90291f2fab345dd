"""Models that write replies down, and that replay them: see `memreader.testing`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from memreader.errors import MemreaderError
from memreader.llm.base import LLM, Reply, Request, Usage


@dataclass
class Recorded:
    """Replays replies by request, from a JSON file that `Recorder` wrote."""

    path: Path

    def __post_init__(self) -> None:
        self._replies: dict[str, dict[str, object]] = json.loads(self.path.read_text("utf-8"))

    async def complete(self, request: Request) -> Reply:
        """The recorded reply to this very request."""
        key = request.key("recorded")
        if key not in self._replies:
            raise MemreaderError(
                f"{self.path} has no reply to {request.text[:80]!r}... Record it anew."
            )
        kept = dict(self._replies[key])
        return Reply(str(kept["text"]), Usage(**kept["usage"]))  # type: ignore[arg-type]


@dataclass
class Recorder:
    """Wraps a real model and writes what it answers, for `Recorded`."""

    llm: LLM
    path: Path
    _replies: dict[str, dict[str, object]] = field(default_factory=dict)

    async def complete(self, request: Request) -> Reply:
        """Ask the wrapped model and write its reply down."""
        reply = await self.llm.complete(request)
        self._replies[request.key("recorded")] = {"text": reply.text, "usage": asdict(reply.usage)}
        self.path.write_text(json.dumps(self._replies, ensure_ascii=False, indent=1), "utf-8")
        return reply
