"""LangChain, LCEL: prompt | model | parser over all chunks with `.batch`, then one call more.

`python langchain_batch.py URL FILE QUESTION SLOTS TOKENS`
"""

from __future__ import annotations

import sys
from pathlib import Path

from langchain_core.output_parsers import StrOutputParser  # type: ignore[import-not-found]
from langchain_core.prompts import ChatPromptTemplate  # type: ignore[import-not-found]
from langchain_openai import ChatOpenAI  # type: ignore[import-not-found]
from langchain_text_splitters import (  # type: ignore[import-not-found]
    RecursiveCharacterTextSplitter,
)

CHARACTERS = 4
ASK = "You read one passage of a long document. Say what it tells about the question."
JOIN = "Give the final answer to the question from these notes."


def main(url: str, file: str, question: str, slots: str, tokens: str) -> str:
    """The answer."""
    model = ChatOpenAI(model="sim", base_url=f"{url}/v1", api_key="none", temperature=0)
    splitter = RecursiveCharacterTextSplitter(chunk_size=int(tokens) * CHARACTERS, chunk_overlap=0)
    parts = splitter.split_text(Path(file).read_text(encoding="utf-8"))
    shape = [("system", "{task}"), ("human", "{question}\n\n{text}")]
    chain = ChatPromptTemplate.from_messages(shape) | model | StrOutputParser()
    replies = chain.batch(
        [{"task": ASK, "question": question, "text": part} for part in parts],
        config={"max_concurrency": int(slots)},
    )
    notes = "\n".join(r for r in replies if "NO INFORMATION" not in r) or replies[-1]
    return str(chain.invoke({"task": JOIN, "question": question, "text": notes}))


if __name__ == "__main__":
    print(main(*sys.argv[1:6]))
