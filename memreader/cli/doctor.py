"""`memreader doctor`: the installation, and what the endpoint can do, in plain words."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from memreader.cli.printable import printable, say

if TYPE_CHECKING:
    from memreader.llm.base import Model
    from memreader.settings import Settings

Finding = tuple[bool, str]


def doctor(
    model: Annotated[str | None, typer.Option("-m", "--model", help="provider:model.")] = None,
    window: Annotated[int | None, typer.Option(help="Tokens of the model's window.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds to wait for each reply.")] = None,
    embedder: Annotated[str | None, typer.Option(help="Embedding model: see `ask`.")] = None,
    store: Annotated[str | None, typer.Option(help="Vector store: see `ask`.")] = None,
) -> int:
    """Check the installation, probe the endpoint in full, and keep what was found."""
    import anyio

    from memreader.cli.codes import COMPLETE, ERROR
    from memreader.settings import resolve

    given = {"model": model, "window": window, "timeout": timeout}
    settings = resolve({**given, "embedder": embedder, "store": store})
    sound = all([_say(finding) for finding in _installation()])
    sound = all([_say(finding) for finding in anyio.run(_memory, settings)]) and sound
    findings, usable = anyio.run(_endpoint, settings)
    for finding in findings:
        _say(finding)
    return COMPLETE if sound and usable else ERROR


def _say(finding: Finding) -> bool:
    fine, text = finding
    typer.echo(f"{'ok ' if fine else '!! '} {printable(text)}")
    return fine


def _installation() -> Iterator[Finding]:
    """What is installed and writable. Missing extras are no fault."""
    from importlib.util import find_spec

    from memreader.about import own_version
    from memreader.journal import Journal
    from memreader.settings import home
    from memreader.strategy import available

    python = ".".join(map(str, sys.version_info[:3]))
    yield True, f"memreader {own_version()} on Python {python}."
    names = available()
    yield bool(names), f"Strategies: {', '.join(names) or 'none; install memreader-agents again'}."
    extras = {
        "local": "xllamacpp",
        "docs": "docx",
        "anthropic": "anthropic",
        "chroma": "chromadb",
        "st": "sentence_transformers",
        "bm25": "bm25s",
        "llama-index": "llama_index",
    }
    have = [extra for extra, module in extras.items() if find_spec(module)]
    lack = [extra for extra in extras if extra not in have]
    yield True, f"Extras installed: {', '.join(have) or 'none'}; not: {', '.join(lack) or 'none'}."
    data = home().data
    try:
        journal = Journal(data / "journal.sqlite")
        yield True, f"Journal in {data}: {journal.count():,} calls, {journal.size() / 1e6:,.1f} MB."
    except Exception as error:  # because whatever keeps the journal from working is the finding
        yield False, f"The journal in {data} cannot be used: {error}"


async def _memory(settings: Settings) -> list[Finding]:
    """Whether embedding model and vector store work."""
    from memreader.cli.standing import embedder_standing, store_standing

    return [await embedder_standing(settings, probe=True), await store_standing(settings)]


async def _endpoint(settings: Settings) -> tuple[list[Finding], bool]:
    """What the probe finds, and whether the endpoint can be read with at all."""
    from memreader.api import model_settings, spec
    from memreader.errors import MemreaderError
    from memreader.llm.probe import MOST_CALLS
    from memreader.llm.registry import open_model

    try:
        name = spec(settings)
        async with open_model(name, model_settings(settings)) as model:
            opened = (
                f"{model.name}: window {model.window:,} tokens, {model.concurrency} "
                f"{'call' if model.concurrency == 1 else 'calls'} at once, "
                f"tokens counted by {model.counter.name}, "
                f"price {'unknown' if model.price is None else model.price.source}."
            )
            for finding in [(True, opened), *((False, remark) for remark in model.remarks)]:
                _say(finding)
            if sys.stderr.isatty():
                say(f"asking it up to {MOST_CALLS + 1} things, which may take minutes ...")
            return await _probe(model)
    except MemreaderError as error:
        return [(False, str(error))], False


async def _probe(model: Model) -> tuple[list[Finding], bool]:
    from memreader.errors import ConfigurationError
    from memreader.llm.probe import probe
    from memreader.probing import metered, remember
    from memreader.settings import home

    found = await probe(model, full=True, complete=metered(model))
    findings = found.findings()
    if not found.failures:
        try:
            remember(model, found.to_json(), home().data / "probes.json")
        except ConfigurationError as error:
            findings.append((False, str(error)))
    return findings, not found.failures and found.truncated is None
