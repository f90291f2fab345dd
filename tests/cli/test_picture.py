"""`memreader graph` and `memreader tree`, with a stranger's strategy that builds both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memreader.testing import MisbehavingServer
from tests.cli.conftest import Run, said, with_strategy

pytestmark = pytest.mark.slow

STRATEGY = '''
"""Builds a graph and a tree of each document, with a call for each chunk."""
from dataclasses import dataclass
from memreader.answer import NOT_FOUND
from memreader.memory.graph import Fact
from memreader.memory.networkx_graph import NetworkxGraph
from memreader.memory.tree import Node, Tree


@dataclass(frozen=True)
class Both:
    size: int = 400
    prompts = {"gist": "Summarise.\\n\\n$chunk"}

    async def index(self, run):
        chunks = [chunk async for chunk in run.chunks(self.size)]

        async def gist(chunk):
            values = {"chunk": chunk}
            return (await run.ask("gist", max_tokens=60, values=values, sources=[chunk])).text

        for document in dict.fromkeys(c.span.document for c in chunks):
            own = [c for c in chunks if c.span.document == document]

            async def tree(own=own):
                told = await run.map(gist, own)
                leaves = [Node(i, 0, t, (c.span,)) for i, (t, c) in enumerate(zip(told, own))]
                below = tuple(range(len(leaves)))
                spans = tuple(c.span for c in own)
                return Tree((*leaves, Node(len(leaves), 1, "The whole.", spans, below))).to_json()

            async def graph(own=own):
                graph = NetworkxGraph()
                told = await run.map(gist, own)
                graph.add(Fact(t, ("ledger", f"chunk {i}"), c.span, i)
                          for i, (t, c) in enumerate(zip(told, own)))
                return graph.to_json()

            await run.index("tree", tree, documents=[document])
            await run.index("graph", graph, documents=[document])

    async def read(self, question, run):
        return NOT_FOUND
'''


@pytest.fixture
def both(tmp_path: Path) -> dict[str, str]:
    """An environment in which the strategy `both` is installed."""
    return with_strategy(tmp_path, "both", "Both", STRATEGY)


def model(server: MisbehavingServer) -> list[str]:
    """The options that point memreader at a test server and the strategy."""
    return ["--no-probe", "-m", f"openai-compatible:{server.url}#test", "-s", "both"]


def test_what_is_missing_is_built_once_and_drawn(
    memreader: Run, ledger: Path, tmp_path: Path, both: dict[str, str]
) -> None:
    """The first picture builds; the second finds what is there, and needs no model at all."""
    with MisbehavingServer(said) as server:
        done = memreader("tree", ledger, "--html", "tree.html", *model(server), env=both)
        assert (0, "tree.html\n") == (done.returncode, done.stdout), done.stderr
        calls = len(server.requests)
        assert f"{calls} of " in done.stderr
    for arguments in (
        ["tree", ledger, "--html", "again.html", "--json", "tree.json"],
        ["graph", ledger, "--html", "graph.html", "--graphml", "g.graphml", "--json", "g.json"],
    ):
        done = memreader(*arguments, env=both)
        assert (0, "") == (done.returncode, done.stderr)
    assert (tmp_path / "tree.html").read_text("utf-8") == (tmp_path / "again.html").read_text(
        "utf-8"
    )
    assert "Built by both with openai-compatible:" in (tmp_path / "graph.html").read_text("utf-8")
    assert "The whole." == json.loads((tmp_path / "tree.json").read_text("utf-8"))[-1]["text"]
    assert "ledger" in (tmp_path / "g.graphml").read_text("utf-8")
    facts = json.loads((tmp_path / "g.json").read_text("utf-8"))["facts"]
    assert "A ledger of days." == facts[0]["text"]


def test_several_documents_are_joined(
    memreader: Run, ledger: Path, tmp_path: Path, both: dict[str, str]
) -> None:
    """One picture for both, and one index each."""
    other = tmp_path / "other.txt"
    other.write_text("The miller kept bees. " * 40, "utf-8")
    with MisbehavingServer(said) as server:
        done = memreader("graph", ledger, other, "--html", "g.html", *model(server), env=both)
    assert 0 == done.returncode, done.stderr
    assert "<title>ledger.txt, other.txt" in (tmp_path / "g.html").read_text("utf-8")
    rows = json.loads(memreader("index", "--json", env=both).stdout)["indexes"]
    assert [1] * 4 == [len(row["documents"]) for row in rows]


def test_a_cap_draws_nothing_and_can_be_continued(
    memreader: Run, ledger: Path, tmp_path: Path, both: dict[str, str]
) -> None:
    """Exit 3, no file; with --resume the rest is built, and the picture made."""
    with MisbehavingServer(said) as server:
        where = ["tree", ledger, "--html", "t.html", *model(server)]
        capped = memreader(*where, "--max-calls", 3, env=both)
        assert (3, "", False) == (capped.returncode, capped.stdout, (tmp_path / "t.html").exists())
        assert "The tree is not complete, so it is not drawn." in capped.stderr
        done = memreader(*where, "--resume", env=both)
        texts = [json.dumps(r["messages"]) for r in server.requests]
    assert (0, "t.html\n") == (done.returncode, done.stdout)
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["graph", "ledger.txt"], "Say where the graph is to go"),
        (["tree", "ledger.txt", "--html", "no/such/t.html"], "a folder that exists"),
        (["tree", "ledger.txt", "--html", "t.html", "-s", "map_reduce"], "builds no index"),
        (["tree", "ledger.txt", "--html", "t.html", "-s", "bot"], "Did you mean `both`?"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_mistakes_get_one_clear_line(
    memreader: Run, ledger: Path, both: dict[str, str], arguments: list[str], told: str
) -> None:
    """Exit 2, one line, and no file."""
    assert ledger.exists()
    done = memreader(*arguments, env=both)
    assert (2, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert told in done.stderr


def test_a_strategy_that_builds_nothing_is_refused_where_all_is_there(
    memreader: Run, ledger: Path, both: dict[str, str]
) -> None:
    """It would otherwise be passed over in silence."""
    with MisbehavingServer(said) as server:
        where = ["tree", ledger, "--html", "t.html", *model(server)]
        assert 0 == memreader(*where, env=both).returncode
    done = memreader("tree", ledger, "--html", "u.html", "-s", "map_reduce", env=both)
    assert (2, "") == (done.returncode, done.stdout)
    assert "builds no index" in done.stderr
