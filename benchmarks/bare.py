"""The lower bound: a bare asyncio loop over httpx2, without any of what a reader has to do.

`python -m benchmarks.bare URL FILE QUESTION SLOTS TOKENS [--close]`; `--close` opens a connection
for each call, as a client does that does not trust a server's kept connections.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx2

from benchmarks.latency import CHARACTERS

ASK = "You read one passage of a long document. Say what it tells about the question.\n\n{}\n\n{}"
JOIN = "Give the final answer to the question from these notes.\n\n{}\n\n{}"


def chunks(text: str, size: int) -> Iterator[str]:
    """Runs of whole paragraphs, at most `size` characters unless one paragraph is longer."""
    start = 0
    while start < len(text):
        cut = text.rfind("\n\n", start, start + size) if start + size < len(text) else len(text)
        cut = cut if cut > start else min(start + size, len(text))
        yield text[start:cut]
        start = cut


async def read(url: str, prompts: Iterator[str], slots: int, *, close: bool) -> list[str]:
    """The replies, in the order in which they came."""
    limits = httpx2.Limits(max_connections=slots, max_keepalive_connections=0 if close else slots)
    replies: list[str] = []
    async with httpx2.AsyncClient(
        limits=limits, timeout=600, verify=False, trust_env=False
    ) as client:

        async def work() -> None:
            for prompt in prompts:
                body = {"model": "sim", "messages": [{"role": "user", "content": prompt}]}
                answer = await client.post(f"{url}/v1/chat/completions", json=body)
                replies.append(answer.json()["choices"][0]["message"]["content"])

        await asyncio.gather(*(work() for _ in range(slots)))
    return replies


async def answered(arguments: Sequence[str]) -> str:
    """Read the file in one wave of calls, and join what was found in one more."""
    url, file, question, slots, tokens = arguments[:5]
    close = "--close" in arguments
    text = Path(file).read_text(encoding="utf-8")
    parts = (ASK.format(question, part) for part in chunks(text, int(tokens) * CHARACTERS))
    replies = await read(url, parts, int(slots), close=close)
    notes = "\n".join(reply for reply in replies if "NO INFORMATION" not in reply) or replies[-1]
    return (await read(url, iter([JOIN.format(question, notes)]), 1, close=close))[0]


if __name__ == "__main__":
    print(asyncio.run(answered(sys.argv[1:])))
