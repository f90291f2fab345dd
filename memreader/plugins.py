"""What is installed under an entry-point group, ours and a stranger's alike."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from memreader.errors import ConfigurationError


@functools.cache
def installed(group: str) -> Mapping[str, EntryPoint]:
    """What a group has, by name and in order; none of it is imported. Looked up once."""
    return {e.name: e for e in sorted(entry_points(group=group), key=lambda e: e.name)}


def loaded(group: str, name: str, what: str) -> Any:
    """What an installed name of a group stands for; `what` it is, as messages say it.

    Raises ConfigurationError where its package is broken.
    """
    entry = installed(group)[name]
    try:
        return entry.load()
    except Exception as error:  # because a stranger's plug-in may fail in any way on import
        raise ConfigurationError(
            f"The {what} `{name}` ({entry.value}) is broken: {error!r}. "
            f"Update or uninstall the package that brings it."
        ) from error


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question that names the nearest of the known names, after a space; empty where none is."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean `{near[0]}`?" if near else ""


def opening(group: str, name: str, what: str, *arguments: Any) -> Any:
    """What an opener of this name gives, still closed.

    Raises ConfigurationError where its package is broken, or gives no asynchronous context manager.
    """
    context = loaded(group, name, what)(*arguments)
    if not isinstance(context, AbstractAsyncContextManager):
        value, given = installed(group)[name].value, type(context).__name__
        raise ConfigurationError(
            f"The {what} `{name}` ({value}) gives {given}, which is no asynchronous context "
            f"manager. Put @asynccontextmanager on its function, and yield."
        )
    return context
