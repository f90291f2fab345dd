"""What the loaders' tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from memreader.document import Document
from memreader.loaders import open_document

Read = Callable[..., Document]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a file of this name and content, and read it as a document."""

    def reading(name: str, content: bytes | str) -> Document:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return open_document(path).finish()

    return reading
