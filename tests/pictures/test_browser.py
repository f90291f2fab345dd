"""The pictures in a headless browser: drawn, clicked, searched, and asking nobody for anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memreader.document import Document, Span
from memreader.memory.graph import Fact
from memreader.memory.networkx_graph import NetworkxGraph
from memreader.memory.tree import Node, Tree
from memreader.pictures.graph import graph_picture
from memreader.pictures.page import Picture, page_of
from memreader.pictures.places import Source
from memreader.pictures.tree import tree_picture
from tests.pictures.conftest import the_document, the_graph, the_tree

pytestmark = pytest.mark.slow

PIXEL = """id => {
  const { x, y } = drawing.graph2ScreenCoords(nodes[id].x, nodes[id].y), r = devicePixelRatio;
  const canvas = document.querySelector("#drawing canvas");
  return [...canvas.getContext("2d").getImageData(x * r, y * r, 1, 1).data];
}"""
COLOUR = """id => {
  const probe = document.createElement("canvas").getContext("2d");
  probe.fillStyle = colours["g" + nodes[id].group];
  probe.fillRect(0, 0, 1, 1);
  return [...probe.getImageData(0, 0, 1, 1).data];
}"""
PLACE = """id => {
  const { x, y } = drawing.graph2ScreenCoords(nodes[id].x, nodes[id].y);
  const stage = document.getElementById("stage").getBoundingClientRect();
  return [x + stage.left, y + stage.top];
}"""
POINTS = """() => document.querySelector("#drawing canvas").classList.contains("clickable")"""


def opened(page: Any, picture: Picture, folder: Path) -> None:
    """Write the picture and open it from its file."""
    path = folder / "picture.html"
    path.write_text(page_of(picture), "utf-8")
    page.goto(path.as_uri())
    page.wait_for_selector("body[data-drawn]")
    assert [path.as_uri()] == page.asked
    assert [] == page.complaints


def click(page: Any, number: int) -> None:
    """Click a node where it is drawn, once the browser knows that it is there."""
    x, y = page.evaluate(PLACE, number)
    page.mouse.move(x, y)
    page.wait_for_function(POINTS)
    page.mouse.click(x, y)


def labels(page: Any) -> list[str]:
    """Labels of all nodes, by number."""
    found: list[str] = page.evaluate("() => nodes.map(node => node.label)")
    return found


def test_a_graph_is_drawn_and_a_click_leads_to_the_page(
    browser_page: Any, pdf: Path, tmp_path: Path
) -> None:
    """Circles of their colours; a click shows facts, quotes, pages and the right links."""
    page, document = browser_page, the_document()
    opened(
        page, graph_picture(the_graph(document), [Source(document, str(pdf))], "by hand"), tmp_path
    )
    names = labels(page)
    for number in range(len(names)):
        assert page.evaluate(COLOUR, number) == page.evaluate(PIXEL, number), names[number]
    click(page, names.index("Ingrid Solheim"))
    page.wait_for_selector("#panel .fact")
    assert "Ingrid Solheim" == page.inner_text("#panel h2")
    assert ["Ingrid Solheim signed the lease.", "Ingrid Solheim owned the mill."] == [
        p.inner_text() for p in page.query_selector_all("#panel .fact > p:first-child")
    ]
    marks = [m.inner_text().strip() for m in page.query_selector_all("#panel mark")]
    assert "The lease of the harbour was signed by Ingrid Solheim." == marks[0]
    assert "Nothing else is of note here." in page.inner_text("#panel blockquote")
    links = page.query_selector_all("#panel .where a")
    assert ["page 1 (printed i)", "page 2 (printed ii)"] == [a.inner_text() for a in links]
    assert f"{pdf.as_uri()}#page=2" == links[1].get_attribute("href")
    page.click("#panel .chips button:has-text('mill')")
    assert "mill" == page.inner_text("#panel h2")
    assert 1 == len(page.asked)


def test_the_search_finds_nodes_by_name(browser_page: Any, tmp_path: Path) -> None:
    """By any part of a name, with the keyboard alone; what is not there is said."""
    page, document = browser_page, the_document()
    opened(page, graph_picture(the_graph(document), [Source(document)], "by hand"), tmp_path)
    page.fill("#search", "vanc")
    assert ["Marle Vance"] == [b.inner_text() for b in page.query_selector_all("#found button")]
    page.press("#search", "Enter")
    assert "Marle Vance" == page.inner_text("#panel h2")
    page.fill("#search", "zebra")
    assert "Nothing found" == page.inner_text("#found")


def test_a_format_without_pages_shows_its_passage(browser_page: Any, tmp_path: Path) -> None:
    """No link, but the quote highlighted in its context."""
    document = Document(the_document().text, "ledger.md")
    graph = NetworkxGraph()
    span = Span(document.id, 0, 100)
    graph.add([Fact("Ingrid Solheim signed the lease.", ("Ingrid Solheim", "lease"), span, 0)])
    opened(browser_page, graph_picture(graph, [Source(document)], "by hand"), tmp_path)
    browser_page.fill("#search", "lease")
    browser_page.press("#search", "Enter")
    assert "ledger.md" == browser_page.inner_text("#panel .where")
    assert "signed by Ingrid Solheim" in browser_page.inner_text("#panel mark")
    assert "The day was fair." in browser_page.inner_text("#panel blockquote")
    assert browser_page.query_selector("#panel a") is None


def test_a_tree_opens_and_folds_and_leads_to_the_page(
    browser_page: Any, pdf: Path, tmp_path: Path
) -> None:
    """From the root to a passage: summaries, pages, text."""
    page, document = browser_page, the_document()
    source = Source(document, str(pdf))
    opened(page, tree_picture([the_tree(document)], [source], "by hand"), tmp_path)
    names, shown = labels(page), "() => drawing.graphData().nodes.length"
    assert 7 == page.evaluate(shown)
    click(page, names.index("The lease and the mill."))
    page.wait_for_function("() => drawing.graphData().nodes.length === 5")
    assert "The lease and the mill." == page.inner_text("#panel h2")
    assert ["page 1 (printed i)", "page 2 (printed ii)"] == [
        a.inner_text() for a in page.query_selector_all("#panel .where a")
    ]
    page.click("#panel button:has-text('About page 2.')")
    assert 7 == page.evaluate(shown), "what is chosen can be seen"
    assert "owned the mill at Brindle Wall." in page.inner_text("#panel mark")
    assert f"{pdf.as_uri()}#page=2" == page.get_attribute("#panel .where a", "href")
    page.fill("#search", "fire")
    page.press("#search", "Enter")
    assert "The fire and the ledger." == page.inner_text("#panel h2")


@pytest.mark.parametrize("kind", ["graph", "tree"])
def test_nothing_in_a_document_runs(browser_page: Any, tmp_path: Path, kind: str) -> None:
    """Tags in texts, names and titles are shown as they stand."""
    evil = "</script><img src=x onerror=alert(1)><b onclick=alert(2)>bold</b>"
    document = Document(f"The {evil} was signed. Nobody came.", f"{evil}.txt")
    span = Span(document.id, 0, len(document.text))
    if kind == "graph":
        graph = NetworkxGraph()
        graph.add([Fact(f"The {evil} was signed.", (evil, "other"), span, 0)])
        picture = graph_picture(graph, [Source(document)], evil)
    else:
        picture = tree_picture([Tree((Node(0, 0, evil, (span,)),))], [Source(document)], evil)
    opened(browser_page, picture, tmp_path)
    browser_page.fill("#search", "onerror")
    assert evil[:20] in browser_page.inner_text("#found")
    browser_page.press("#search", "Enter")
    assert evil == browser_page.inner_text("#panel h2")
    assert evil in browser_page.inner_text("#panel blockquote")
    assert evil in browser_page.inner_text("#notes")
    assert [] == browser_page.query_selector_all("#panel img, #panel b, #found img, body > img")
    assert ([], 1) == (browser_page.complaints, len(browser_page.asked))


def test_one_node_is_a_picture_too(browser_page: Any, tmp_path: Path) -> None:
    """It is drawn in the middle, and not blown up."""
    document = the_document()
    graph = NetworkxGraph()
    graph.add([Fact("A lease.", ("lease",), Span(document.id, 0, 50), 0)])
    opened(browser_page, graph_picture(graph, [Source(document)], "by hand"), tmp_path)
    click(browser_page, 0)
    browser_page.wait_for_selector("#panel .fact")
    assert browser_page.evaluate("() => drawing.zoom()") <= 2


@pytest.mark.timeout(300)
def test_five_thousand_nodes_can_be_used(browser_page: Any, tmp_path: Path) -> None:
    """All are drawn when that is wanted, and one is found and read."""
    document = the_document()
    span = Span(document.id, 0, 50)
    graph = NetworkxGraph()
    graph.add(
        Fact(f"Thing{n}x met thing{n // 2}x.", (f"thing{n}x", f"thing{n // 2}x"), span, 0)
        for n in range(1, 5000)
    )
    picture = graph_picture(graph, [Source(document)], "by hand", most=5000)
    assert 5000 == len(picture.data["nodes"])
    browser_page.set_default_timeout(200_000)
    opened(browser_page, picture, tmp_path)
    browser_page.fill("#search", "thing4321x")
    browser_page.press("#search", "Enter")
    assert "thing4321x" == browser_page.inner_text("#panel h2")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read_on_their_grounds(browser_page: Any, tmp_path: Path, scheme: str) -> None:
    """Contrast of 4.5 and more for text, of 3 for circles on their ground (WCAG 2.2, AA)."""
    browser_page.emulate_media(color_scheme=scheme)
    document = the_document()
    opened(browser_page, graph_picture(the_graph(document), [Source(document)], ""), tmp_path)
    style = browser_page.evaluate(
        """() => Object.fromEntries(["ground", "raised", "ink", "soft", "accent", "mark",
        ...[...Array(9).keys()].map(i => `g${i}`)].map(name =>
        [name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()]))"""
    )
    for over in ("ground", "raised"):
        assert all(_contrast(style[name], style[over]) >= 4.5 for name in ("ink", "soft", "accent"))
    assert _contrast(style["ink"], style["mark"]) >= 4.5
    faint = [g for g in style if g[0] == "g" and g != "ground"]
    assert all(_contrast(style[g], style["ground"]) >= 3 for g in faint)


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
