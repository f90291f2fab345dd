"""HTML: what a reader sees, in lines, with headings."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memreader.errors import NoText
from memreader.loaders import html
from tests.loaders.conftest import Read


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<p>one<p>two", "one\n\ntwo\n"),
        ("a  b\n c<br>d", "a b c\nd\n"),
        ("a <b>b</b><i>c</i> d", "a bc d\n"),
        ("a&nbsp;<b>b</b> &amp; &eacute;", "a\xa0b & é\n"),
        ("x<script>alert()</script><style>p{}</style><template>t</template><!-- c -->y", "xy\n"),
        ("<p hidden>no<p style='display: none'>no<p>yes", "yes\n"),
        ("<ul><li>one<li><p>two</p><li></ul>", "- one\n- two\n\n-\n"),
        ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "a | b\n1 | 2\n"),
        ("<table><tr><td><p>x</p><p>y</p></td><td></td><td>z</td></table>", "x y |  | z\n"),
        ("<table><tr><td></td><td>z</td></table>", " | z\n"),
        ("<table><tr><td><h1>T</h1><p>one</p></td><td>side</td></table>", "T\n\none\n\nside\n"),
        ("<pre>a\n   b  c</pre>", "a\n   b  c\n"),
        ("<dl><dt>term<dd>meaning</dl>", "term\nmeaning\n"),
        ("<body>no end", "no end\n"),
    ],
)
def test_what_a_reader_sees(page: str, text: str) -> None:
    """Blocks on lines, cells between bars, items behind dashes, nothing unseen."""
    assert text == html.extracted(page)[0]


def test_headings_stand_at_their_titles() -> None:
    """Levels, folded titles and offsets of h1 to h6."""
    text, headings = html.extracted("<h1>One <b>big</b>\n thing</h1><p>x</p><h3>T</h3><h2> </h2>")
    assert [(1, "One big thing"), (3, "T")] == [(h.level, h.title) for h in headings]
    assert [True, True] == [text.startswith(h.title, h.start) for h in headings]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("h1 h2 h6 p li td pre div span".split()), st.text("ab \n", max_size=9)
        ),
        max_size=12,
    )
)
def test_headings_point_at_their_titles(parts: list[tuple[str, str]]) -> None:
    """However blocks follow each other, a heading's offset is where its title begins."""
    text, headings = html.extracted("".join(f"<{tag}>{inner}</{tag}>" for tag, inner in parts))
    for heading in headings:
        assert text.startswith(heading.title.split()[0], heading.start)


def test_the_title_stands_for_a_missing_heading() -> None:
    """A page's title is its first heading, unless it has headings."""
    text, headings = html.extracted("<title>Name</title><p>text")
    assert ("Name\n\ntext\n", ["Name"]) == (text, [h.title for h in headings])
    assert "text\n" == html.extracted("<p>text")[0]


@pytest.mark.parametrize(
    "data",
    [
        '<meta charset="windows-1251"><p>Привет'.encode("cp1251"),
        '<?xml version="1.0" encoding="koi8-r"?><html><body><p>Привет'.encode("koi8-r"),
        "<html><p>Привет".encode("utf-16"),
        '<meta charset="latin-1"><p>Привет'.encode("utf-8-sig"),
        '<meta charset="no-such-set"><p>Привет'.encode(),
        '<meta charset="punycode"><p>Привет'.encode(),
        '<meta charset="gb2312"><p>Привет'.encode("gb18030"),
    ],
)
def test_the_charset_is_found(read: Read, data: bytes) -> None:
    """By byte order mark, declaration, or detection; odd Python codecs are not taken."""
    assert "Привет\n" == read("a.html", data).text


def test_a_page_without_text_is_refused(read: Read) -> None:
    """Scripts alone are no document."""
    with pytest.raises(NoText, match=r"a\.html holds no text"):
        read("a.html", "<title>App</title><body><script>run()</script></body>")


def test_deep_and_long_pages_take_linear_time(read: Read) -> None:
    """Neither nesting deeper than Python's stack nor thousands of headings are a problem."""
    begun = time.process_time()
    assert "x\n" == read("deep.html", "<div>" * 5000 + "x").text
    many = read("many.html", "<h2>title</h2><p>words and words</p>" * 5000)
    assert 5000 == len(many.headings)
    assert time.process_time() - begun < 3


def test_self_closed_elements_of_xhtml_swallow_nothing(read: Read) -> None:
    """`<title/>` ends at once in XHTML, as HTML alone would not read it."""
    page = (
        '<?xml version="1.0"?><html><head><title/></head><body><a id="x"/><p>text</p></body></html>'
    )
    assert "text\n" == read("a.xhtml", page).text
