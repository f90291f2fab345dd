"""LangChain's map-reduce chain (`load_summarize_chain`), asynchronous, its calls limited.

`python langchain_map_reduce.py URL FILE QUESTION SLOTS TOKENS`

Tokens are counted as the server counts them: the class's own counter fetches a file.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from langchain_classic.chains.summarize import (  # type: ignore[import-not-found]
    load_summarize_chain,
)
from langchain_core.documents import Document  # type: ignore[import-not-found]
from langchain_core.prompts import PromptTemplate  # type: ignore[import-not-found]
from langchain_openai import ChatOpenAI  # type: ignore[import-not-found]
from langchain_text_splitters import (  # type: ignore[import-not-found]
    RecursiveCharacterTextSplitter,
)

CHARACTERS = 4


class Counted(ChatOpenAI):  # type: ignore[misc]
    """ChatOpenAI that counts without a network."""

    def get_num_tokens(self, text: str) -> int:
        """Tokens as the simulated server counts them."""
        return len(text) // CHARACTERS + 1


async def main(url: str, file: str, question: str, slots: str, tokens: str) -> str:
    """The answer."""
    model = Counted(model="sim", base_url=f"{url}/v1", api_key="none", temperature=0)
    splitter = RecursiveCharacterTextSplitter(chunk_size=int(tokens) * CHARACTERS, chunk_overlap=0)
    parts = splitter.split_text(Path(file).read_text(encoding="utf-8"))
    ask = "You read one passage of a long document. Say what it tells about the question.\n\n"
    prompt = PromptTemplate.from_template(f"{ask}{question}\n\n{{text}}")
    chain = load_summarize_chain(
        model,
        chain_type="map_reduce",
        map_prompt=prompt,
        combine_prompt=prompt,
        token_max=int(tokens),
    )
    documents = [Document(page_content=part) for part in parts]
    answer = await chain.ainvoke(
        {"input_documents": documents}, config={"max_concurrency": int(slots)}
    )
    return str(answer["output_text"])


if __name__ == "__main__":
    print(asyncio.run(main(*sys.argv[1:6])))
