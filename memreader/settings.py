"""Settings: flag > environment > project file > user file > default.

The project file is `memreader.toml`, or `[tool.memreader]` in `pyproject.toml`, in the working
folder. `MEMREADER_HOME` moves configuration, journal, shelf, probes and models together.
Keys of providers are read where the provider's users expect them (`OPENAI_API_KEY`, ...), never
here, so that no settings file, log or report holds one.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from memreader.errors import ConfigurationError

PREFIX = "MEMREADER_"


class Settings(BaseModel):
    """All that can be set; the names are the keys of files and, in capitals, the environment's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = None
    """`provider:model`; None uses the embedded model where it is installed."""
    strategy: str = "map_reduce"
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Options of strategies, by strategy name."""
    reranker: str | None = None
    """Name or path of a CrossEncoder, or KIND:MODEL; for strategies that rerank."""
    max_cost: float | None = Field(None, ge=0)
    """US dollars of one run."""
    max_calls: int | None = Field(None, ge=0)
    max_tokens: int | None = Field(None, ge=0)
    max_seconds: float | None = Field(None, ge=0)
    window: int | None = Field(None, ge=256)
    """Tokens of the model's window, where the server does not tell."""
    concurrency: int | None = Field(None, ge=1)
    requests_per_minute: int | None = Field(None, ge=1)
    tokens_per_minute: int | None = Field(None, ge=1)
    timeout: float = Field(600.0, gt=0)
    """Seconds to wait for a reply."""
    embedder: str | None = None
    """Embedding model; None uses the bundled one where it is installed, `none` uses none."""
    store: str | None = None
    """Vector store; None is a folder below the home."""
    probe: bool = True
    prices: Path | None = None
    """A TOML file of prices in US dollars for a million tokens."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where configuration and data live."""

    config: Path
    data: Path

    @property
    def models(self) -> Path:
        """Folder of pulled weights."""
        return self.data / "models"


def home(environment: Mapping[str, str] | None = None) -> Home:
    """The folders: `MEMREADER_HOME`, else the platform's own."""
    env = os.environ if environment is None else environment
    if moved := env.get("MEMREADER_HOME"):
        return Home(Path(moved).expanduser(), Path(moved).expanduser())
    import platformdirs

    return Home(
        Path(platformdirs.user_config_dir("memreader", appauthor=False)),
        Path(platformdirs.user_data_dir("memreader", appauthor=False)),
    )


def resolve(
    flags: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Settings:
    """The settings in force. Raises ConfigurationError that names the key and where it stands."""
    env = os.environ if environment is None else environment
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    given = {k: v for k, v in (flags or {}).items() if v is not None}
    for source, values in (
        *_files(home(env).config, folder or Path()),
        ("the environment", _from_environment(env)),
        ("the arguments", given),
    ):
        merged.update(values)
        origin.update({key: source for key in values})
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0])
        where = origin.get(key, "the settings")
        if first["type"] == "extra_forbidden":
            close = difflib.get_close_matches(key, Settings.model_fields, n=1)
            hint = f" Did you mean `{close[0]}`?" if close else ""
            known = ", ".join(sorted(Settings.model_fields))
            raise ConfigurationError(
                f"`{key}` in {where} is no setting.{hint} Settings: {known}."
            ) from error
        raise ConfigurationError(
            f"Setting `{key}` in {where}: {first['msg'].rstrip('.')}."
        ) from error


def _files(config: Path, folder: Path) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path, table in (
        (config / "memreader.toml", ()),
        (folder / "pyproject.toml", ("tool", "memreader")),
        (folder / "memreader.toml", ()),
    ):
        values = _table(path, table)
        if values:
            found.append((str(path), values))
    return found


def _table(path: Path, table: tuple[str, ...]) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        if table:  # somebody else's pyproject.toml is not ours to judge
            return {}
        raise ConfigurationError(f"{path} cannot be read: {error}. Mend or remove it.") from error
    for name in table:
        values = values.get(name, {}) if isinstance(values, dict) else {}
    return values if isinstance(values, dict) else {}


# Of embedding models `none` is a choice, since one may be installed.
_NOTHING = {"EMBEDDER": ("",)}
_ELSEWHERE = {"HOME", "TIKTOKEN_DIR"}


def _from_environment(env: Mapping[str, str]) -> dict[str, Any]:
    """`MEMREADER_MODEL=...`; unknown names are left alone, since others may use the prefix."""
    return {
        key.lower(): None if value.casefold() in _NOTHING.get(key, ("", "none")) else value
        for name, value in env.items()
        if name.startswith(PREFIX)
        and (key := name.removeprefix(PREFIX)) not in _ELSEWHERE
        and key.lower() in Settings.model_fields
    }
