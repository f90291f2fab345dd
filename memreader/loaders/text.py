"""Plain text: its encoding found out, its line ends made one kind, nothing else changed."""

from __future__ import annotations

import codecs
import io
import re

from memreader.document import Arriving, Document, clean, content_hash
from memreader.errors import NoText, UnknownFormat

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_BLOCK = 1 << 20
# What people still save text in. The library knows many more (mac_latin2, hp_roman8), and finds
# them in short texts that are none of these.
_USUAL = (
    "cp1252 cp1250 cp1251 cp1253 cp1254 cp1255 cp1256 cp1257 cp1258 koi8_r koi8_u cp874 gb18030 "
    "big5 cp932 euc_jp cp949 iso2022_jp"
).split()
# The escapes by which ISO-2022-JP, all of it ASCII, changes to Japanese and back.
_SHIFTS = re.compile(rb"\x1b\$[@B]")
SAMPLE = 1 << 16
"""Bytes by which an encoding is guessed and a binary file recognised."""


def arriving(data: bytes, source: str) -> Arriving:
    """A text document. Raises UnknownFormat for a binary file, NoText for a blank one."""
    return Arriving.of(Document(readable(data, source), source, id=content_hash(data)))


def readable(data: bytes, source: str) -> str:
    """The decoded text. Raises NoText where it holds nothing but white space."""
    text = decoded(data, source)
    if not text or text.isspace():
        raise NoText(f"{source} is empty: there is nothing to read in it.")
    return text


def decoded(data: bytes, source: str) -> str:
    """The text of some bytes, with line feeds as its only line ends."""
    return tidied(_decode(data, source))


def tidied(text: str) -> str:
    """With line feeds as the only line ends, and `clean`."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return clean(text)


def _decode(data: bytes, source: str) -> str:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            text = data.decode(encoding, "replace")
            _refuse_binary(text[:SAMPLE].encode("utf-8", "replace"), source)
            return text
    if wide := _unmarked(data[:SAMPLE]):
        return _in_blocks(data, wide)
    _refuse_binary(data[:SAMPLE], source)
    if data.isascii():
        return _in_blocks(data, "iso2022_jp_2") if _SHIFTS.search(data) else data.decode("ascii")
    failed = _first_fault(data)
    if failed is None:
        return _in_blocks(data, "utf-8")
    # Judged where UTF-8 fails: what stands before may be megabytes of plain ASCII.
    start = max(data.rfind(b"\n", 0, failed) + 1, failed - SAMPLE)
    sample = data[start : failed + SAMPLE]
    if len(data) > failed + SAMPLE and (end := sample.rfind(b"\n")) > failed - start:
        sample = sample[:end]
    return _in_blocks(data, _slightly_damaged(sample) or _guessed(sample, source))


def _unmarked(sample: bytes) -> str | None:
    """UTF-16 without a byte order mark: of its blanks and Western letters, one byte is NUL."""
    sample = sample[: len(sample) // 2 * 2]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    for encoding, high, low in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if high > max(len(sample) / 20, 50 * low):
            # The sample may end within a pair of surrogates.
            text = codecs.getincrementaldecoder(encoding)("replace").decode(sample)
            strange = len(_CONTROL.findall(text.encode())) + text.count("\ufffd")
            if strange <= len(text) / 50:
                return encoding
    return None


def _first_fault(data: bytes) -> int | None:
    """Where the bytes cease to be UTF-8."""
    check = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), _BLOCK):
        held = len(check.getstate()[0])
        try:
            check.decode(data[start : start + _BLOCK], final=start + _BLOCK >= len(data))
        except UnicodeDecodeError as error:
            return max(0, start - held + error.start)
    return None


def _in_blocks(data: bytes, encoding: str) -> str:
    """Decode block by block: decoding at once takes up to four times the memory of the text."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    out = io.StringIO(newline="")
    for start in range(0, len(data), _BLOCK):
        out.write(decoder.decode(data[start : start + _BLOCK]))
    out.write(decoder.decode(b"", final=True))
    return out.getvalue()


def _slightly_damaged(sample: bytes) -> str | None:
    """UTF-8 where a few bytes do not fit: these do not make it a text in another encoding."""
    whole = sample.lstrip(bytes(range(0x80, 0xC0)))
    told = codecs.getincrementaldecoder("utf-8")("replace").decode(whole)
    damaged = told.count("\ufffd")
    return "utf-8" if sum(c > "\x7f" for c in told) > 20 * damaged else None


def _refuse_binary(sample: bytes, source: str) -> None:
    # A crash or a full disk leaves NULs in texts, at their end above all: a few make no binary.
    sample = sample.rstrip(b"\0")
    strange = len(_CONTROL.findall(sample))
    if strange > len(sample) / 50:
        raise UnknownFormat(
            f"{source} is a binary file, not text, whatever its name says. "
            f"memreader reads PDF, text, Markdown, HTML, EPUB and DOCX."
        )


def _guessed(sample: bytes, source: str) -> str:
    from charset_normalizer import from_bytes

    matches = from_bytes(sample, cp_isolation=_USUAL)
    best = matches.best() or from_bytes(sample).best()
    if best is None:
        raise UnknownFormat(f"{source} is in no encoding that can be recognised. Save it as UTF-8.")
    for match in matches:
        # Short Western texts fit several encodings equally well; most are in this one.
        if "cp1252" in match.could_be_from_charset and match.chaos <= best.chaos:
            return "cp1252"
    return best.encoding
