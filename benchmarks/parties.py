"""Who is measured: the command of each, run in a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.text import QUESTION

ROOT = Path(__file__).resolve().parent.parent
TEXT = 4000
"""Tokens of document text in a call, by the server's tokenizer, as near as each party can."""


@dataclass(frozen=True, slots=True)
class Job:
    """One reading: what to read, of whom."""

    url: str
    """Root of the server, without `/v1`."""
    file: Path
    slots: int
    home: Path
    """Where a party may keep what it wants to find again."""
    bytecode: Path
    """Where Python keeps compiled sources: warm, as those of an installed package are."""
    peers: Path | None = None
    """The peers' virtual environment."""


@dataclass(frozen=True, slots=True)
class Party:
    """One program under measurement."""

    name: str
    command: Callable[[Job], list[str]]
    props: bool = False
    """Whether its server tells slots and counts tokens, as llama.cpp's does."""
    peer: bool = False
    """Whether it needs the peers' environment."""


def environment(job: Job) -> dict[str, str]:
    """The environment of here, without anybody's settings, with a home for the job."""
    drop = ("MEMREADER_", "OPENAI_", "LANGCHAIN_", "LANGSMITH_", "PYTHONDONTWRITEBYTECODE")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(drop)}
    here = os.environ.get("PYTHONPATH")
    path = os.pathsep.join((str(ROOT), str(ROOT / "strategies"), *((here,) if here else ())))
    own = {"MEMREADER_HOME": str(job.home), "PYTHONPYCACHEPREFIX": str(job.bytecode)}
    return {**kept, **own, "PYTHONPATH": path}


def _memreader(chunk_size: int, *flags: str) -> Callable[[Job], list[str]]:
    def command(job: Job) -> list[str]:
        told = [flag.format(slots=job.slots) for flag in flags]
        return [
            *(sys.executable, "-m", "memreader", "ask", str(job.file), QUESTION),
            *("-m", f"openai-compatible:{job.url}/v1#sim", "-s", "map_reduce"),
            *("-o", f"chunk_size={chunk_size}", "--no-probe", "--json", "-q", *told),
        ]

    return command


def _bare(*flags: str) -> Callable[[Job], list[str]]:
    def command(job: Job) -> list[str]:
        return [sys.executable, "-m", "benchmarks.bare", *_arguments(job), *flags]

    return command


def _peer(script: str) -> Callable[[Job], list[str]]:
    def command(job: Job) -> list[str]:
        python = str((job.peers or Path()) / "bin" / "python")
        return [python, str(ROOT / "benchmarks" / "peers" / script), *_arguments(job)]

    return command


def _arguments(job: Job) -> list[str]:
    return [job.url, str(job.file), QUESTION, str(job.slots), str(TEXT)]


# memreader's chunk size is that of a whole call: text, some 500 tokens of prompt, 600 of reply.
# Its estimate of this text is 1.25 times the server's count.
PARTIES = {
    party.name: party
    for party in (
        Party("memreader", _memreader(5300), props=True),
        Party("memreader-estimate", _memreader(6400, "--concurrency", "{slots}")),
        Party("bare", _bare()),
        Party("bare-close", _bare("--close")),
        Party("langchain-batch", _peer("langchain_batch.py"), peer=True),
        Party("langchain-map-reduce", _peer("langchain_map_reduce.py"), peer=True),
        Party("llama-tree", _peer("llama_tree.py"), peer=True),
    )
}
