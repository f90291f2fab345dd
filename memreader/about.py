"""What this installation is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """Version of the installed distribution."""
    try:
        return version("memreader-agents")
    except PackageNotFoundError:
        return "source"
