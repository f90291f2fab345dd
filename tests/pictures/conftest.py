"""A headless browser, and indexes made by hand."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memreader.document import Document, Page, Span
from memreader.memory.graph import Fact
from memreader.memory.networkx_graph import NetworkxGraph
from memreader.memory.tree import Node, Tree

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's browser, driven by playwright. CI sets CHROMIUM_REQUIRED and must have it.

    Not for the whole session: playwright keeps an event loop running in this thread meanwhile, in
    which no test of other modules could start one.
    """
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("CHROMIUM_REQUIRED"):
            pytest.fail("CHROMIUM_REQUIRED is set, and there is no chromium.")
        pytest.skip("there is no chromium: sudo apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def browser_page(chromium: Any) -> Iterator[Any]:
    """A page; what it asks for, what its scripts complain of and its dialogs are kept."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("console", lambda said: page.complaints.append(said.text))
    page.on("dialog", lambda dialog: (page.complaints.append("dialog"), dialog.dismiss()))
    yield page
    context.close()


SENTENCES = (
    "The lease of the harbour was signed by Ingrid Solheim.",
    "Ingrid Solheim owned the mill at Brindle Wall.",
    "The mill burnt down in the winter of 1891.",
    "Marle Vance kept the ledger of the harbour.",
)
FACTS = (
    ("Ingrid Solheim signed the lease.", ("Ingrid Solheim", "lease", "harbour")),
    ("Ingrid Solheim owned the mill.", ("Ingrid Solheim", "mill", "Brindle Wall")),
    ("The mill burnt down in 1891.", ("mill", "1891")),
    ("Marle Vance kept the ledger.", ("Marle Vance", "ledger", "harbour")),
)


def the_document(text_between: str = "") -> Document:
    """Four pages with a sentence each among others; the first two have Roman numbers."""
    pages, text = [], ""
    for number, sentence in enumerate(SENTENCES):
        whole = f"Nothing else is of note here. {sentence} {text_between}The day was fair.\n"
        label = ("i", "ii", "1", "2")[number]
        pages.append(Page(len(text), len(text) + len(whole), number, label))
        text += whole
    return Document(text, "ledger.pdf", tuple(pages))


def the_graph(document: Document) -> NetworkxGraph:
    """What a graph reader makes of it: each fact's span is its page."""
    graph = NetworkxGraph()
    graph.add(
        Fact(told, nodes, Span(document.id, page.start, page.end), number)
        for number, ((told, nodes), page) in enumerate(zip(FACTS, document.pages, strict=True))
    )
    return graph


def the_tree(document: Document) -> Tree:
    """A summary for each page, two of two pages each, and one of all."""
    spans = [Span(document.id, page.start, page.end) for page in document.pages]
    leaves = [Node(i, 0, f"About page {i + 1}.", (span,)) for i, span in enumerate(spans)]
    middle = [
        Node(4, 1, "The lease and the mill.", tuple(spans[:2]), (0, 1)),
        Node(5, 1, "The fire and the ledger.", tuple(spans[2:]), (2, 3)),
    ]
    return Tree((*leaves, *middle, Node(6, 2, "A harbour and its people.", tuple(spans), (4, 5))))


def data_of(page: str) -> str:
    """The JSON that a page carries."""
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    """A file that is a PDF by its first bytes, in a folder with a name that needs escaping."""
    folder = tmp_path / "Zürich reports #1"
    folder.mkdir()
    path = folder / "lédger 100%.pdf"
    path.write_bytes(b"%PDF-1.7\n")
    return path
