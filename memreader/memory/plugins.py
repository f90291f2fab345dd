"""Openers of stores and embedding models, ours and a stranger's, by entry points."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from memreader.errors import ConfigurationError


@functools.cache
def installed(group: str) -> Mapping[str, EntryPoint]:
    """Openers of a group by name, in order; none of them is imported. Looked up once."""
    return {e.name: e for e in sorted(entry_points(group=group), key=lambda e: e.name)}


def loaded(group: str, name: str) -> Any:
    """The opener of this name. Raises ConfigurationError where its package is broken."""
    entry = installed(group)[name]
    try:
        return entry.load()
    except Exception as error:  # because a stranger's plug-in may fail in any way on import
        raise ConfigurationError(
            f"What opens `{name}:` ({entry.value}) is broken: {error!r}. "
            f"Update or uninstall the package that brings it."
        ) from error
