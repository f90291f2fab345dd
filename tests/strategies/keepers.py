"""A document of keepers, each on a page and in a chunk of their own, and a script that walks it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from memreader.answer import Answer
from memreader.document import Document
from memreader.reader import Reader
from memreader.specimens import with_pages
from memreader.testing import a_model
from memreader_strategies.graph_reader import GraphReader
from tests.strategies.serial import ByCall, Say, fenced

QUESTION = "Which keeper lost the bell?"
SMALL = GraphReader(chunk_tokens=64, notebook_tokens=64)
SIGNS = {
    "extract": "You take the facts out of a passage",
    "plan": "A question is going to be answered",
    "start": "you choose where the search begins",
    "facts": "You are at one key element",
    "chunk": "You read one chunk of its text",
    "neighbour": "You are done with one key element",
    "answer": "A long document was searched",
}


def keepers(pages: int, *, first: int = 1, name: str = "keepers.pdf") -> Document:
    """Page i is about Keeper<i>, who kept a gate and knew the next keeper."""
    texts = [
        f"Keeper{i} kept gate {i} of the wall. Keeper{i} knew Keeper{i + 1} well. "
        + f"Bread{i} was baked at noon"
        + " and bread was eaten" * 10
        + ".\n\n"
        for i in range(first, first + pages)
    ]
    return replace(with_pages(texts), source=name)


def page_of(prompt: str) -> int:
    """The page that a prompt's passage is of."""
    found = re.search(r"Keeper(\d+) kept", fenced(prompt, "passage"))
    return int(found[1]) if found else 0


def node_of(prompt: str) -> str:
    """The node whose facts a prompt shows."""
    return fenced(prompt, "facts").split("\n")[0].removeprefix("Key element: ")


def chunks_of(prompt: str) -> list[int]:
    """The chunk numbers that a prompt lists."""
    return [int(n) for n in re.findall(r"^Chunk (\d+):$", fenced(prompt, "facts"), re.MULTILINE)]


def facts_of_page(prompt: str) -> str:
    """Two facts of a page, one of them of two keepers."""
    i = page_of(prompt)
    return (
        f"Facts:\n1. Keeper{i} kept gate {i} of the wall. | Keeper{i} | gate\n"
        f"2. Keeper{i} knew Keeper{i + 1} well. | Keeper{i} | Keeper{i + 1}"
    )


def step(action: str, notebook: str = "") -> str:
    """A reply of a function call."""
    return f"Notebook: {notebook}\nRationale: as planned\nAction: {action}"


def script(**said: Say) -> ByCall:
    """A model that starts at the first keeper, reads nothing and stops, unless told otherwise."""
    plain: dict[str, Say] = {
        "extract": facts_of_page,
        "plan": lambda _: "Find the bell.",
        "start": lambda _: "Scores:\nKeeper1 | 90",
        "facts": lambda _: step("stop_and_read_neighbor()"),
        "chunk": lambda _: step("search_more()"),
        "neighbour": lambda _: step("termination()"),
        "answer": lambda _: "Analysis: all agree\nAnswer: Keeper1",
    }
    return ByCall(SIGNS, **{**plain, **said})


def in_turn(*replies: str) -> Callable[[str], str]:
    """These replies, the last one for ever."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def read(
    llm: Any, documents: Any, strategy: GraphReader = SMALL, question: str = QUESTION, **how: Any
) -> Answer:
    """One reading in a window of 3,072 tokens."""
    on_event = how.pop("on_event", None)
    model = a_model(llm, window=how.pop("window", 3072), wire=how.pop("wire", "labelled"))
    reader = Reader(model, strategy, probe=False, **how)
    return reader.ask(documents, question, on_event=on_event)


def notes(answer: Answer, word: str) -> list[str]:
    """The notes that hold a word."""
    return [note for note in answer.notes if word in note]
