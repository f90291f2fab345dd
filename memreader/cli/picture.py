"""`memreader graph FILE... --html OUT` and `memreader tree FILE... --html OUT`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memreader.cli import flags
from memreader.cli.common import opened_files, options_from
from memreader.cli.printable import say
from memreader.errors import ConfigurationError
from memreader.files import write_whole

if TYPE_CHECKING:
    from memreader.document import Arriving
    from memreader.memory.networkx_graph import NetworkxGraph
    from memreader.memory.tree import Tree
    from memreader.pictures.page import Picture
    from memreader.shelf import Shelved

Files = Annotated[list[str], typer.Argument(metavar="FILE...", help="Files or folders.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page for a browser.")]
AsJson = Annotated[Path | None, typer.Option("--json", help="Write it as JSON.")]
Most = Annotated[int | None, typer.Option("--nodes", min=1, help="Draw at most so many nodes.")]
By = Annotated[str, typer.Option("-s", "--strategy", help="What builds it, where it is missing.")]


def graph(  # noqa: PLR0913, PLR0917 - one argument for each flag
    files: Files,
    html: Html = None,
    graphml: Annotated[
        Path | None, typer.Option("--graphml", help="Write GraphML, for Gephi and yEd.")
    ] = None,
    as_json: AsJson = None,
    nodes: Most = None,
    strategy: By = "graph_reader",
    model: flags.ModelName = None,
    option: flags.Options = None,
    max_cost: flags.MaxCost = None,
    max_calls: flags.MaxCalls = None,
    max_tokens: flags.MaxTokens = None,
    max_seconds: flags.MaxSeconds = None,
    probe: flags.Probing = None,
    resume: flags.Resume = False,
    yes: flags.Yes = False,
) -> int:
    """Draw the graph of facts of documents; it is built first where it is missing."""
    caps = {"max_cost": max_cost, "max_calls": max_calls, "max_tokens": max_tokens,
            "max_seconds": max_seconds, "probe": probe}  # fmt: skip
    wanted = _Wanted("graph", html, as_json, graphml, nodes)
    return _drawn(wanted, files, strategy, model, option, caps, resume=resume, yes=yes)


def tree(  # noqa: PLR0913, PLR0917 - one argument for each flag
    files: Files,
    html: Html = None,
    as_json: AsJson = None,
    nodes: Most = None,
    strategy: By = "mem_walker",
    model: flags.ModelName = None,
    option: flags.Options = None,
    max_cost: flags.MaxCost = None,
    max_calls: flags.MaxCalls = None,
    max_tokens: flags.MaxTokens = None,
    max_seconds: flags.MaxSeconds = None,
    probe: flags.Probing = None,
    resume: flags.Resume = False,
    yes: flags.Yes = False,
) -> int:
    """Draw the tree of summaries of documents; it is built first where it is missing."""
    caps = {"max_cost": max_cost, "max_calls": max_calls, "max_tokens": max_tokens,
            "max_seconds": max_seconds, "probe": probe}  # fmt: skip
    wanted = _Wanted("tree", html, as_json, None, nodes)
    return _drawn(wanted, files, strategy, model, option, caps, resume=resume, yes=yes)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be drawn, and where to."""

    kind: str
    html: Path | None
    as_json: Path | None
    graphml: Path | None
    nodes: int | None

    @property
    def outputs(self) -> list[Path]:
        """Files to be written. Raises ConfigurationError where there are none, or no folder."""
        outputs = [path for path in (self.html, self.as_json, self.graphml) if path is not None]
        if not outputs:
            raise ConfigurationError(
                f"Say where the {self.kind} is to go: memreader {self.kind} FILE --html OUT.html"
            )
        for path in outputs:
            if not path.absolute().parent.is_dir() or path.is_dir():
                raise ConfigurationError(
                    f"{path} cannot be written: give a file in a folder that exists."
                )
        return outputs


def _drawn(
    wanted: _Wanted,
    files: list[str],
    strategy: str,
    model: str | None,
    option: list[str] | None,
    caps: dict[str, Any],
    *,
    resume: bool,
    yes: bool,
) -> int:
    from memreader.ahead import require_index
    from memreader.cli.building import Building, carried_out
    from memreader.settings import home, resolve
    from memreader.stores import Stores
    from memreader.strategy import make

    outputs = wanted.outputs
    settings = resolve({"strategy": strategy, "model": model, **caps})
    documents = opened_files(files).documents
    stores = Stores(home().data, settings.store)
    require_index(make(strategy))
    if _missing(wanted.kind, documents, stores):
        building = Building(files, settings, options_from(option), resume=resume, yes=yes,
                            form="none")  # fmt: skip
        if code := carried_out(building):
            say(f"The {wanted.kind} is not complete, so it is not drawn.")
            return code
    if _missing(wanted.kind, documents, stores):
        raise ConfigurationError(f"`{strategy}` builds no {wanted.kind}. Name another with -s.")
    _write(wanted, documents, stores)
    for path in outputs:
        typer.echo(str(path))
    return 0


def _missing(kind: str, documents: Sequence[Arriving], stores: Any) -> bool:
    return any(stores.shelf().entry(kind, document.id) is None for document in documents)


def _write(wanted: _Wanted, documents: Sequence[Arriving], stores: Any) -> None:
    entries = [stores.shelf().entry(wanted.kind, document.id) for document in documents]
    contents = [content for _, content in entries]
    if wanted.kind == "graph":
        from memreader.memory.networkx_graph import NetworkxGraph, facts_of

        joined = NetworkxGraph()
        for content in contents:
            joined.add(facts_of(content))
        if wanted.graphml is not None:
            joined.save_graphml(wanted.graphml)
        whole: Any = joined
        plain: Any = joined.to_json()
    else:
        from memreader.memory.tree import Tree

        whole = [Tree.from_json(content) for content in contents]
        plain = contents[0] if len(contents) == 1 else contents
    if wanted.as_json is not None:
        write_whole(wanted.as_json, json.dumps(plain, ensure_ascii=False, indent=1))
    if wanted.html is not None:
        from memreader.pictures.page import page_of

        made = _made([shelved for shelved, _ in entries])
        write_whole(wanted.html, page_of(_picture(wanted, whole, documents, made)))


def _picture(
    wanted: _Wanted, whole: NetworkxGraph | list[Tree], documents: Sequence[Arriving], made: str
) -> Picture:
    from memreader.pictures import graph, tree
    from memreader.pictures.places import Source

    sources = [Source(document.finish(), document.path) for document in documents]
    if isinstance(whole, list):
        most = wanted.nodes or tree.MOST_NODES
        return tree.tree_picture(whole, sources, made, most=most)
    return graph.graph_picture(whole, sources, made, most=wanted.nodes or graph.MOST_NODES)


def _made(shelved: Sequence[Shelved]) -> str:
    """By whom and when it was built."""
    told = {
        f"Built by {s.label.strategy} with {s.label.model} on "
        f"{time.strftime('%Y-%m-%d', time.localtime(s.made))}."
        for s in shelved
    }
    return " ".join(sorted(told))
