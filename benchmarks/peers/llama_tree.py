"""LlamaIndex: `tree_summarize`, asynchronous, over chunks of the same size.

`python llama_tree.py URL FILE QUESTION SLOTS TOKENS`

It packs chunks as full as its window allows, so the window is set to one chunk and a prompt. It
has no limit on calls in flight: SLOTS is not used.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.response_synthesizers import TreeSummarize
from llama_index.llms.openai_like import OpenAILike

REPLY = 600


async def main(url: str, file: str, question: str, slots: str, tokens: str) -> str:
    """The answer."""
    del slots
    size = int(tokens)
    model = OpenAILike(
        model="sim",
        api_base=f"{url}/v1",
        api_key="none",
        is_chat_model=True,
        context_window=size + REPLY + 300,
        max_tokens=REPLY,
        timeout=600,
    )
    text = Path(file).read_text(encoding="utf-8")
    parts = SentenceSplitter(chunk_size=size, chunk_overlap=0).split_text(text)
    tree = TreeSummarize(llm=model, use_async=True)
    return str(await tree.aget_response(question, parts))


if __name__ == "__main__":
    print(asyncio.run(main(*sys.argv[1:6])))
