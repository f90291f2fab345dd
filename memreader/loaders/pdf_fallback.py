"""PDF through pypdf: slower, and it loses some blanks, but it opens files that PDFium refuses."""

from __future__ import annotations

import io
import logging
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from memreader.document import Piece, clean
from memreader.errors import EncryptedDocument
from memreader.loaders.pdf import broken, encrypted, tidied_page


def pieces(data: bytes, source: str, reason: str) -> Generator[Piece]:
    """The pages of a PDF that PDFium refused for `reason`.

    Raises EncryptedDocument and BrokenDocument.
    """
    import pypdf
    from pypdf.errors import DependencyError

    with _quiet():
        try:
            reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
            if reader.is_encrypted and not reader.decrypt(""):
                raise encrypted(source)
            labels = list(reader.page_labels)
            count = len(reader.pages)
        except EncryptedDocument:
            raise
        except DependencyError:
            raise encrypted(source) from None
        except Exception as error:  # because pypdf raises whatever a damaged file makes it meet
            raise broken(source, reason) from error
    if not count:
        raise broken(source, reason)
    logging.getLogger("memreader").info(
        "%s is read with pypdf, as PDFium refuses it (%s); blanks between words may be missing.",
        source,
        reason,
    )
    return _pages(reader, labels)


def _pages(reader: Any, labels: list[str]) -> Generator[Piece]:
    for index in range(len(labels)):
        try:
            with _quiet():
                text = tidied_page(reader.pages[index].extract_text())
        except Exception:  # because a damaged page must not take the others with it
            text = "\n"
        printed = " ".join(clean(labels[index]).split()) or str(index + 1)
        yield Piece(text, printed, share=(index + 1) / len(labels))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without pypdf's remarks on every oddity of a file, which would go to stderr."""
    log = logging.getLogger("pypdf")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
