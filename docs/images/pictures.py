"""Makes `graph.png`: the page of `memreader graph`, photographed. Run it from the root.

The graph is not a model's: its facts are the sentences of `examples/report.pdf` and its elements
the names in them, cut out by code, so that the picture can be made anew anywhere. Needs chromium
and playwright (the group `dev`).
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from memreader.document import Document, Span
from memreader.loaders.opening import open_document
from memreader.memory.graph import Fact
from memreader.memory.networkx_graph import NetworkxGraph
from memreader.pictures.graph import graph_picture
from memreader.pictures.page import page_of
from memreader.pictures.places import Source

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
_SENTENCE = re.compile(r"(?<=[.\n] )?[A-Z][^.]{30,300}\.(?=\s)")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{3,}(?: (?:of )?[A-Z][a-z]+)*")  # inside a sentence


def facts_of(document: Document) -> list[Fact]:
    """Each sentence that mentions two names and more."""
    facts = []
    for number, found in enumerate(_SENTENCE.finditer(document.text)):
        text = " ".join(found[0].split())
        names = tuple(dict.fromkeys(_NAME.findall(text)))
        if len(names) > 1 and text.count(" ") > 8:
            facts.append(Fact(text, names, Span(document.id, *found.span()), number))
    return facts


def main() -> None:
    """Write the page, open it, choose the best connected element, take the picture."""
    arriving = open_document(ROOT / "examples" / "report.pdf")
    document, graph = arriving.finish(), NetworkxGraph()
    graph.add(facts_of(document))
    source = Source(document, arriving.path)
    picture = graph_picture(graph, [source], "Names and sentences cut out by code.", most=120)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        html = Path(folder) / "graph.html"
        html.write_text(page_of(picture), "utf-8")
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 680})
        page.goto(html.as_uri())
        page.wait_for_selector("body[data-drawn]")
        page.evaluate("select(0, { moved: false })")
        page.wait_for_timeout(500)
        page.screenshot(path=Path(__file__).with_name("graph.png"))
        browser.close()


if __name__ == "__main__":
    main()
