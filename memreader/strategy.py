"""What a strategy is, and how strategies are found.

A strategy is a frozen dataclass: its fields are its options, with the published defaults; it
has one method, `read`. Shipped strategies and a stranger's are found in the same way, by the
entry-point group `memreader.strategies`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, get_type_hints, runtime_checkable

from memreader.errors import ConfigurationError
from memreader.plugins import did_you_mean, installed, loaded

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from memreader.answer import Draft
    from memreader.document import Corpus
    from memreader.llm.base import Model
    from memreader.plan import Plan
    from memreader.run import Run

GROUP = "memreader.strategies"


class Strategy(Protocol):
    """A way of reading. Acts through `run` alone."""

    async def read(self, question: str, run: Run) -> Draft:
        """Read what is needed and draft an answer."""
        ...


@runtime_checkable
class Planned(Protocol):
    """A strategy that can say, before any call, what a reading will take."""

    def plan(self, corpus: Corpus, question: str, model: Model) -> Plan:
        """Calls, tokens and critical path of a reading."""
        ...


@runtime_checkable
class Indexed(Protocol):
    """A strategy that can build what is free of the question ahead of time."""

    async def index(self, run: Run) -> None:
        """Build the indexes that `read` will want, through `run.index` and `run.search`."""
        ...


def available() -> Mapping[str, EntryPoint]:
    """Installed strategies by name, in order; none of them is imported. Looked up once."""
    return installed(GROUP)


def load(name: str) -> type[Strategy]:
    """The class of a strategy. Raises ConfigurationError, with near names, where there is none."""
    if name not in available():
        raise ConfigurationError(
            f"No strategy named `{name}`.{did_you_mean(name, available())} "
            f"Installed: {', '.join(available()) or 'none'}."
        )
    found: type[Strategy] = loaded(GROUP, name, "strategy")
    return found


def indexable() -> list[str]:
    """Names of the installed strategies that build an index ahead of a question, in order."""
    found = []
    for name in available():
        try:
            cls = load(name)
        except ConfigurationError:  # a broken one is named where it is asked for
            continue
        if callable(getattr(cls, "index", None)):
            found.append(name)
    return found


def make(name: str, options: Mapping[str, Any] | None = None) -> Strategy:
    """A strategy with options; text values ("3", "false") are read by the option's type."""
    return configured(load(name), options or {}, name)


def configured(cls: type[Strategy], options: Mapping[str, Any], name: str) -> Strategy:
    """An instance of a strategy class with checked options."""
    from pydantic import TypeAdapter, ValidationError

    hints = get_type_hints(cls)
    known = {f.name: hints[f.name] for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values = {}
    for key, value in options.items():
        if key not in known:
            raise ConfigurationError(
                f"Strategy `{name}` has no option `{key}`.{did_you_mean(key, known)} "
                f"Its options: {', '.join(known) or 'none'}."
            )
        try:
            values[key] = TypeAdapter(known[key]).validate_python(_literal(value))
        except ValidationError as error:
            raise ConfigurationError(
                f"Option `{key}` of `{name}` cannot be {value!r}: {error.errors()[0]['msg']}."
            ) from error
    try:
        return cls(**values)
    except ValueError as error:
        raise ConfigurationError(f"Strategy `{name}`: {error}") from error


def _literal(value: Any) -> Any:
    """Text "none" is no value; all else is left to the option's type."""
    return None if isinstance(value, str) and value.casefold() in ("none", "null") else value


def name_of(strategy: Strategy) -> str:
    """The entry-point name of an instance's class; the class's name where it is not installed."""
    cls = type(strategy)
    for name, entry in available().items():
        module, _, attribute = entry.value.partition(":")
        if attribute == cls.__qualname__ and f"{cls.__module__}.".startswith(f"{module}."):
            return name
    return cls.__name__


def options_of(strategy: Strategy) -> dict[str, Any]:
    """The options of an instance as plain values."""
    return dataclasses.asdict(strategy)  # type: ignore[call-overload, no-any-return]
