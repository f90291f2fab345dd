"""Token counters: the model's own where it is to be had, else an estimate from above.

Nothing here goes to the network; `memreader.endpoint_counter` asks the endpoint it counts for.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import math
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from memreader.errors import ConfigurationError
from memreader.llm.base import TokenCounter

if TYPE_CHECKING:
    from tiktoken import Encoding

# --- the estimate ------------------------------------------------------------------------------

_DIGITS = b"0123456789"
_MARKS = bytes(b for b in range(33, 127) if not chr(b).isalnum())
_OTHERS = bytes(set(range(256)) - {*_DIGITS, *_MARKS})
_LETTER = 0.30
_DENSE_LETTER = 0.75
_DIGIT = 1.0
_MARK = 0.8
_BEYOND_ASCII = 0.8
_WORD = 24


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate from above, by kinds of characters; about 40 µs for 16,000 of them.

    Weights are tokens: a digit is one (SentencePiece models split numbers), a letter or a space
    0.3, a mark 0.8, each UTF-8 byte beyond a character's first 0.8; a letter of text without
    spaces (base64, hashes) 0.75. Measured against o200k_base: never too low for prose, code,
    tables, CJK, Cyrillic and base64, on average 1.4 times the truth for English prose; up to
    1 % low for lists of Finnish and Polish names.
    """

    exact: bool = False
    name: str = "estimate (kinds of characters)"

    def count(self, text: str) -> int:
        """Tokens, rather too many than too few; at least 1 for a text that is not empty."""
        if not text:
            return 0
        data = text.encode("utf-8", "surrogatepass")
        size = len(data)
        figures = data.translate(None, _OTHERS)  # few: a text is gone through once, not twice
        marks = len(figures.translate(None, _DIGITS))
        digits = len(figures) - marks
        beyond = size - len(text)
        letters = len(text) - digits - marks
        dense = beyond * 8 < size and letters > _WORD * (data.count(b" ") + 1)
        weight = _DENSE_LETTER if dense else _LETTER
        return math.ceil(
            letters * weight + digits * _DIGIT + marks * _MARK + beyond * _BEYOND_ASCII
        )


@dataclass(frozen=True, slots=True)
class Calibrated:
    """An estimate scaled by what was measured on one endpoint."""

    factor: float
    """Tokens of the endpoint for one token of the estimate, with a margin."""
    exact: bool = False
    name: str = "estimate (calibrated)"

    def count(self, text: str) -> int:
        """Tokens by the scaled estimate."""
        return math.ceil(ESTIMATE.count(text) * self.factor)


ESTIMATE = Estimate()

# --- tiktoken, offline ---------------------------------------------------------------------------

_FILES = {
    "cl100k_base": (
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
    "o200k_base": (
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
}
_LOADING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Tiktoken:
    """Counts with one of tiktoken's encodings."""

    encoding: Encoding
    exact: bool = True

    @property
    def name(self) -> str:
        """The encoding's name."""
        return self.encoding.name

    def count(self, text: str) -> int:
        """Tokens; what looks like a special token in a document is ordinary text."""
        try:
            return len(self.encoding.encode_ordinary(text))
        except UnicodeEncodeError:  # lone surrogates
            return len(self.encoding.encode_ordinary(text.encode("utf-8", "replace").decode()))


def _folders() -> Iterator[Path]:
    """Where a tokenizer file may lie: a named folder, or packages, found but not imported."""
    for variable in ("MEMREADER_TIKTOKEN_DIR", "TIKTOKEN_CACHE_DIR"):
        if value := os.environ.get(variable):
            yield Path(value)
    for package, inside in (
        ("llama_index", "core/_static/tiktoken_cache"),
        ("litellm", "litellm_core_utils/tokenizers"),
    ):
        spec = importlib.util.find_spec(package)
        for location in (spec.submodule_search_locations or []) if spec else []:
            yield Path(location) / inside


@functools.lru_cache(maxsize=8)
def _sound(path: str, size: int, changed: int, sha256: str) -> bool:
    del size, changed  # part of the key only: a changed file is hashed anew
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() == sha256


def tiktoken_counter(encoding: str = "o200k_base") -> Tiktoken:
    """An exact counter from a local file. Raises ConfigurationError where there is none.

    The file's hash is checked first, since tiktoken deletes a file whose hash is wrong and goes
    to the network for another.
    """
    if encoding not in _FILES:
        known = ", ".join(sorted(_FILES))
        raise ConfigurationError(f"No encoding named {encoding!r}. Known: {known}.")
    key, sha256 = _FILES[encoding]
    tried = []
    for folder in _folders():
        file = folder / key
        tried.append(str(file))
        if not file.is_file():
            continue
        stat = file.stat()
        if _sound(str(file), stat.st_size, stat.st_mtime_ns, sha256):
            return Tiktoken(_loaded(encoding, folder))
        tried[-1] += " (wrong sha256)"
    raise ConfigurationError(
        f"No file of the encoding {encoding} on this machine; looked in: "
        f"{'; '.join(tried) or 'nothing'}. Install llama-index-core, or set MEMREADER_TIKTOKEN_DIR."
    )


def _loaded(encoding: str, folder: Path) -> Encoding:
    import tiktoken

    with _LOADING:
        before = os.environ.get("TIKTOKEN_CACHE_DIR")
        os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)
        try:
            return tiktoken.get_encoding(encoding)
        finally:
            if before is None:
                del os.environ["TIKTOKEN_CACHE_DIR"]
            else:
                os.environ["TIKTOKEN_CACHE_DIR"] = before


_ENCODINGS = (
    (re.compile(r"^(?:chatgpt-)?(?:gpt-4o|gpt-4\.1|gpt-4\.5|gpt-5|o[1-9])"), "o200k_base"),
    (re.compile(r"^(?:gpt-4|gpt-3\.5|gpt-35)(?![\w.])"), "cl100k_base"),
)


def encoding_for(model: str) -> str | None:
    """The encoding of a model's name with or without its provider; None where it is not known."""
    bare = model.rpartition("#")[2].rpartition("/")[2]
    bare = bare.removeprefix("openai:").removeprefix("ft:")
    return next((name for pattern, name in _ENCODINGS if pattern.match(bare)), None)


def counter_for(model: str) -> TokenCounter:
    """The exact counter where the model and its file are known, else the estimate."""
    encoding = encoding_for(model)
    if encoding is None:
        return ESTIMATE
    try:
        return tiktoken_counter(encoding)
    except ConfigurationError:
        return ESTIMATE


BLOCK = 200_000
"""Characters that are counted at once of a text that may be a whole document."""


def count_long(counter: TokenCounter, text: str) -> int:
    """Tokens of a text of any length, counted in blocks: a server takes no 100 MB at once."""
    return sum(counter.count(text[at : at + BLOCK]) for at in range(0, len(text), BLOCK))
