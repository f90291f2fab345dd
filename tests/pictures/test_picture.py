"""What stands in a picture's file, before any browser opens it."""

from __future__ import annotations

import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path

from memreader.document import Document, Span
from memreader.memory.graph import Fact
from memreader.memory.networkx_graph import NetworkxGraph
from memreader.pictures.graph import MOST_LINKS, graph_picture
from memreader.pictures.page import page_of
from memreader.pictures.places import Places, Source
from memreader.pictures.tree import tree_picture
from tests.pictures.conftest import data_of, the_document, the_graph, the_tree

EVIL = "</script><img src=x onerror=alert(1)><!-- \u2028 &lt; <script>"


def test_a_page_loads_nothing_from_anywhere() -> None:
    """No element and no style names another resource; the policy forbids all the same."""
    document = the_document()
    for picture in (
        graph_picture(the_graph(document), [Source(document)], "by hand"),
        tree_picture([the_tree(document)], [Source(document)], "by hand"),
    ):
        page = page_of(picture)
        markup = re.sub(r"<(script|style)\b[^>]*>.*?</\1>", "", page, flags=re.DOTALL)
        assert not re.search(r"\b(?:src|href|action|data|poster)\s*=", markup)
        assert not re.search(
            r"url\(|@import", page.partition("<style>")[2].partition("</style>")[0]
        )
        assert "default-src 'none'" in page


def test_text_of_documents_is_text(tmp_path: Path) -> None:
    """Tags, comments and entities in names, facts and passages end no script and begin none."""
    document = Document(f"The {EVIL} was signed. Nobody came.", f"a {EVIL}.pdf")
    graph = NetworkxGraph()
    graph.add([Fact(f"{EVIL} was signed.", (f"x{EVIL}", "y"), Span(document.id, 0, 20), 0)])
    page = page_of(graph_picture(graph, [Source(document)], EVIL))
    assert 3 == page.count("<script") == page.count("</script>")
    assert not re.search(r"<img", page)
    data = json.loads(data_of(page))
    assert {f"x{EVIL}", "y"} == {node["label"] for node in data["nodes"]}
    assert EVIL in data["notes"]


def test_the_vendored_library_is_the_one_that_is_named() -> None:
    """Its licences stand beside it, with version and checksum."""
    vendor = files("memreader.pictures") / "vendor"
    library, told = (vendor / "force-graph.min.js").read_bytes(), (vendor / "LICENSES.txt")
    assert library.startswith(b"// Version 1.52.0 force-graph")
    assert hashlib.sha256(library).hexdigest() in told.read_text("utf-8")
    assert "force-graph 1.52.0 (MIT)" in told.read_text("utf-8")


def test_links_escape_the_path(pdf: Path, tmp_path: Path) -> None:
    """Spaces, hashes, percent signs and letters beyond ASCII; no link where it is no PDF."""
    document = the_document()
    link = Source(document, str(pdf)).link
    assert link is not None
    assert link.startswith("file:///")
    assert link.endswith("/Z%C3%BCrich%20reports%20%231/l%C3%A9dger%20100%25.pdf#page=")
    (tmp_path / "a.txt").write_text("text", "utf-8")
    assert Source(document, str(tmp_path / "a.txt")).link is None
    assert Source(document, str(tmp_path / "gone.pdf")).link is None
    assert Source(document).link is None


def test_a_fact_is_shown_by_the_sentence_that_bears_it_out() -> None:
    """The place is the sentence, with its page; offsets are those of JavaScript."""
    document = the_document(text_between="\U0001f6a2 ")
    picture = graph_picture(the_graph(document), [Source(document)], "by hand")
    fact = next(f for f in picture.data["facts"] if "1891" in f["text"])
    place = picture.data["places"][fact["place"]]
    excerpt = picture.data["excerpts"][place["excerpt"]].encode("utf-16-le")
    quote = excerpt[2 * place["start"] : 2 * place["end"]].decode("utf-16-le")
    assert "The mill burnt down in the winter of 1891." == quote.strip()
    assert [3, "1"] == place["page"]


def test_a_fact_that_no_sentence_bears_out_is_shown_by_its_passage() -> None:
    """Nothing is highlighted as evidence that is none."""
    document = the_document()
    places = Places([Source(document)])
    page = document.pages[0]
    places.add(Span(document.id, page.start, page.end), "Quarterly dividends tripled abroad.")
    (place,) = places.to_json()["places"]
    assert page.end - page.start == place["end"] - place["start"]


def test_a_large_graph_is_cut_to_the_best_connected_and_says_so() -> None:
    """The cut is in the notes, and so is the option that undoes it."""
    document = the_document()
    graph = NetworkxGraph()
    graph.add(
        Fact(f"Hub met guest{n}x.", ("Hub", f"guest{n}x"), Span(document.id, 0, 30), 0)
        for n in range(40)
    )
    graph.add([Fact("Two others met.", ("One", "Other"), Span(document.id, 0, 30), 0)])
    picture = graph_picture(graph, [Source(document)], "by hand", most=10)
    assert (10, "Hub") == (len(picture.data["nodes"]), picture.data["nodes"][0]["label"])
    assert "43 elements in 41 facts. Drawn are the 10 that are connected best" in picture.notes[0]
    assert "--nodes 43 draws all" in picture.notes[0]
    assert 40 == picture.data["nodes"][0]["degree"]
    whole = graph_picture(graph, [Source(document)], "by hand")
    assert "43 elements in 41 facts." == whole.notes[0]
    assert len(whole.data["links"]) == 41 < MOST_LINKS


def test_what_is_mentioned_together_shares_a_colour() -> None:
    """Equal graphs have equal pictures."""
    document = the_document()
    pictures = [graph_picture(the_graph(document), [Source(document)], "") for _ in range(2)]
    assert page_of(pictures[0]) == page_of(pictures[1])
    group = {node["label"]: node["group"] for node in pictures[0].data["nodes"]}
    assert group["Marle Vance"] == group["ledger"] != group["1891"] == group["mill"]


def test_a_tree_is_cut_from_below() -> None:
    """The uppermost nodes are kept, and each says how many of its parts are not drawn."""
    document = the_document()
    tree, sources = the_tree(document), [Source(document)]
    whole = tree_picture([tree], sources, "by hand")
    assert "7 nodes in 3 levels." == whole.notes[0]
    assert [[1, 2], [3, 4], [5, 6]] == [n["children"] for n in whole.data["nodes"][:3]]
    assert [[1, "i"], [4, "2"]] == whole.data["nodes"][0]["pages"]
    cut = tree_picture([tree], sources, "by hand", most=4)
    assert "Drawn are the 4 uppermost; --nodes 7 draws all." in cut.notes[0]
    assert [(2, 0), (1, 1), (0, 2)] == [
        (len(n["children"]), n["hidden"]) for n in cut.data["nodes"][:3]
    ]
