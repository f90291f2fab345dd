"""Plain text and Markdown: encodings, line ends, binary files, headings."""

from __future__ import annotations

import codecs
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memreader.document import clean, content_hash
from memreader.errors import DocumentError, NoText, UnknownFormat
from memreader.loaders import from_text, markdown, text
from tests.loaders.conftest import Read
from tests.loaders.makers import outcome

FRENCH = "Le café était fermé à Noël, où l’été naît."
RUSSIAN = "Съешь же ещё этих мягких французских булок, да выпей чаю.\n"
JAPANESE = "いろはにほへと ちりぬるを 我が世誰ぞ 常ならむ。\n"


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_utf8_is_kept_but_for_line_ends(content: str) -> None:
    """The canonical text is the file's text with line feeds, and nothing else changed."""
    data = codecs.BOM_UTF8 + content.encode()
    try:
        found = text.arriving(data, "a.txt").finish()
    except (NoText, UnknownFormat):
        return
    assert content.replace("\r\n", "\n").replace("\r", "\n") == found.text
    assert content_hash(data) == found.id


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_told_by_its_mark(read: Read, encoding: str) -> None:
    """A byte order mark decides, and is not part of the text."""
    assert FRENCH == read("a.txt", FRENCH.encode(encoding)).text


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (FRENCH, "cp1252"),
        ("Größe und Übermut, ein schöner Tag für Mädchen.", "latin-1"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy.", "cp1250"),
        (RUSSIAN * 20, "cp1251"),
        (RUSSIAN * 20, "koi8-r"),
        (JAPANESE * 20, "shift_jis"),
        (JAPANESE * 9000, "shift_jis"),
        ("我能吞下玻璃而不伤身体，真的。\n" * 20, "gb18030"),
    ],
)
def test_older_encodings_are_found(read: Read, content: str, encoding: str) -> None:
    """Text in the encodings of the nineties is read right, long or short."""
    assert content == read("a.txt", content.encode(encoding)).text


def test_an_encoding_is_judged_where_it_shows(read: Read) -> None:
    """Megabytes of ASCII before the first accent do not hide the encoding."""
    content = "plain words\n" * 200_000 + FRENCH
    assert content == read("a.txt", content.encode("cp1252")).text


def test_a_damaged_byte_does_not_change_the_encoding(read: Read) -> None:
    """One bad byte in a Chinese UTF-8 text is shown as such; the rest stays Chinese."""
    before, behind = "中文文件。\n" * 500, "结束。\n" * 300
    document = read("a.txt", before.encode() + b"\xff" + behind.encode())
    assert f"{before}\ufffd{behind}" == document.text


@pytest.mark.parametrize(
    "content",
    [
        b"\x7fELF\x02\x01" + bytes(range(256)) * 20,
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\x01\x02abc" * 9,
    ],
)
def test_a_binary_file_named_txt_is_refused(read: Read, content: bytes) -> None:
    """The message says that it is binary, and what is read."""
    with pytest.raises(UnknownFormat, match=r"a\.txt is a binary file.*EPUB"):
        read("a.txt", content)


@pytest.mark.parametrize("name", ["a.txt", "a.md"])
@pytest.mark.parametrize("content", ["", " \n\t\n", "\u3000\u2028", "\ufeff", "\0\0"])
def test_a_blank_file_holds_no_text(read: Read, name: str, content: str) -> None:
    """Nothing but white space of any kind is no text."""
    with pytest.raises(NoText, match=rf"{name} is empty"):
        read(name, content)


def test_nothing_survives_that_no_model_takes() -> None:
    """NULs go, lone surrogates become U+FFFD, pairs of surrogates the character they mean."""
    assert "ab\ufffd😀" == clean("a\0b\ud800\ud83d\ude00")


def test_a_form_feed_is_left_alone(read: Read) -> None:
    """Plain text has no pages."""
    document = read("a.txt", "one\ftwo")
    assert ("one\ftwo", ()) == (document.text, document.pages)


def test_a_text_at_hand_is_kept_as_it_is() -> None:
    """Offsets into the caller's text hold, its line ends included."""
    document = from_text("one\r\ntwo", "note").finish()
    assert ("one\r\ntwo", "note") == (document.text, document.source)
    with pytest.raises(NoText, match="note is empty"):
        from_text(" \n", "note")


@pytest.mark.parametrize(
    ("line", "copies"),
    [("The quick brown fox jumps.\n", 2.1), ("春眠不觉晓，处处闻啼鸟。\n", 2.7)],
)
def test_a_large_text_takes_about_two_copies(line: str, copies: float) -> None:
    """Decoding needs the file, the text and little more, in units of the file's size."""
    data = (line * (8_000_000 // len(line.encode()))).encode()
    tracemalloc.start()
    try:
        text.arriving(data, "a.txt")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # `data` was made before tracing began.
    assert peak < (copies - 1) * len(data)


@settings(max_examples=300)
@given(
    st.binary(max_size=300),
    st.sampled_from(["a.txt", "a.md", "a.html", "a.pdf", "a.epub", "a.docx", "<stdin>"]),
    st.sampled_from([b"", b"%PDF-1.7\n", b"PK\x03\x04", b"<html>", b"\xff\xfe", b"\xef\xbb\xbf"]),
)
def test_any_bytes_give_a_document_or_an_error(data: bytes, name: str, start: bytes) -> None:
    """Whatever a file holds, nothing but a Document or a DocumentError comes of it."""
    from memreader.loaders.opening import _from_bytes

    result = outcome(lambda: _from_bytes(start + data, name).finish())
    if isinstance(result, DocumentError):
        assert name in str(result)
    else:
        assert result.text.strip()
        assert "\0" not in result.text
        assert result.text == result.text.encode("utf-8").decode("utf-8")


MARKDOWN = """---
title: not a heading
---
# First #

Setext one
==========

text
---

```sh
# a comment, no heading
```
~~~
Code
----
~~~

- item
---

| a |
| - |

###### Deep
####### seven is none
#none either
"""


def test_markdown_keeps_its_source(read: Read) -> None:
    """The canonical text is the file, front matter included."""
    assert MARKDOWN == read("a.md", MARKDOWN).text


def test_markdown_headings_of_both_styles(read: Read) -> None:
    """Headings are found outside code, front matter, lists and tables."""
    found = [(h.level, h.title) for h in read("a.md", MARKDOWN).headings]
    assert [(1, "First"), (1, "Setext one"), (2, "text"), (6, "Deep")] == found


@given(st.text(alphabet="#=-~` \nab|>\x0b\x0c\x85\u2028", max_size=80))
def test_markdown_headings_point_at_their_titles(content: str) -> None:
    """Every heading stands at the beginning of the line that holds its title."""
    if not content.strip():
        return
    document = markdown.arriving(content.encode(), "a.md").finish()
    for heading in document.headings:
        assert heading.start == 0 or "\n" == document.text[heading.start - 1]
        assert heading.title in document.text[heading.start :].split("\n")[0]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("content", [FRENCH * 9, RUSSIAN * 9])
def test_utf16_is_told_without_its_mark(read: Read, content: str, encoding: str) -> None:
    """Every other byte of its blanks and Western letters is NUL: that is no binary file."""
    assert content == read("a.txt", content.encode(encoding)).text


def test_japanese_mail_is_ascii_only_to_look_at(read: Read) -> None:
    """ISO-2022-JP has no byte over 127; its escapes say what it is."""
    assert JAPANESE == read("a.txt", JAPANESE.encode("iso2022_jp")).text


@pytest.mark.parametrize(
    "content", [b"one two \0three " * 4 + b"four " * 99, b"one " + b"\0" * 512]
)
def test_a_few_nuls_make_no_binary(read: Read, content: bytes) -> None:
    """A crash leaves them in logs, at the end above all; they are dropped, the text is read."""
    assert content.replace(b"\0", b"").decode() == read("a.txt", content).text
