"""Loaders turn files into documents: PDF, text, Markdown, HTML, EPUB, and DOCX as an extra."""

from memreader.loaders.opening import (
    Opened,
    Skipped,
    from_text,
    load,
    open_document,
    open_documents,
)

__all__ = ["Opened", "Skipped", "from_text", "load", "open_document", "open_documents"]
