"""The documentation runs: README and guides block by block, option tables against the fields.

Conventions, as HTML comments before a block (other comments are ignored):

- nothing: a `python` block is run. All blocks of a page share one namespace and one empty folder,
  which holds `report.txt`. A top-level `await` is allowed, as in a notebook.
- `<!-- run: no -->`: the block is only compiled, since it cannot run offline.
- `<!-- file: NAME -->`: the block is written to NAME, which later blocks import; with ` +` after
  the name it is appended. A file `test_*.py` is run by pytest.
- `<!-- output -->` before a `text` block: what the `python` block before it printed.

`memreader.ask` and its kin get an `Oracle` for whatever model they name, so that examples stand
in the documentation as users write them.
"""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import memreader_strategies
from memreader.llm.base import Model
from memreader.testing import Oracle, a_model

ROOT = Path(__file__).parents[2]
STRATEGIES = Path(memreader_strategies.__path__[0])
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
PROSE = [
    *PAGES,
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/strategies").glob("*.md")),
]

FACTS = {
    "Who signed the lease?": (
        "The lease was signed by Ingrid Solheim on 4 March 1987.",
        "Ingrid Solheim",
    ),
    "What did the roof cost?": (
        "The repair of the roof cost 18,400 pounds and was paid for by a grant.",
        "18,400 pounds",
    ),
    "Who has the keys?": ("The keys are with Mr Abel.", "Mr Abel"),
}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    line: int
    language: str
    text: str
    told: str
    """The comment right before it, without its marks."""


_BLOCK = re.compile(
    r"(?:^<!-- (?P<told>(?:run|file|output)[^\n]*?) -->\n+)?"
    r"^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page that name a language."""
    text = page.read_text("utf-8")
    return [
        Block(text.count("\n", 0, m.start("text")), m["language"], m["text"], m["told"] or "")
        for m in _BLOCK.finditer(text)
    ]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the report, a home of its own, and an oracle behind every model's name."""
    shutil.copy(Path(__file__).with_name("report.txt"), tmp_path)
    for name in [n for n in os.environ if n.startswith("MEMREADER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MEMREADER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MEMREADER_MODEL", "local")
    monkeypatch.setenv("MEMREADER_PROBE", "false")
    monkeypatch.setattr("memreader.api.open_model", _oracle)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]


@asynccontextmanager
async def _oracle(*_: Any) -> AsyncIterator[Model]:
    yield a_model(Oracle(FACTS))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs_and_prints_what_it_says(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every block in order, in one namespace."""
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)  # dataclasses look their module up
    printed = ""
    for block in blocks(page):
        where = f"{page.name}:{block.line}"
        if block.language == "text" and block.told == "output":
            assert block.text == printed, f"the output of {where}"
        elif block.language != "python":
            continue
        elif block.told == "run: no":
            compile(block.text, where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        elif block.told.startswith("file: "):
            _write(folder, block, where)
        else:
            printed = _run(block, where, module.__dict__)


def _run(block: Block, where: str, namespace: dict[str, Any]) -> str:
    code = compile(
        "\n" * block.line + block.text, where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    )
    with redirect_stdout(StringIO()) as out:
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, namespace))
        else:
            exec(code, namespace)
    return out.getvalue()


def _write(folder: Path, block: Block, where: str) -> None:
    name, _, more = block.told.removeprefix("file: ").partition(" ")
    path = folder / name
    if more == "+":
        path.write_text(f"{path.read_text('utf-8')}\n{block.text}", "utf-8")
    else:
        path.write_text(block.text, "utf-8")
    compile(path.read_text("utf-8"), where, "exec")
    if name.startswith("test_"):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", name],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_few_blocks_are_not_run() -> None:
    """A page that is only compiled can rot; one block may."""
    left = [b for page in PAGES for b in blocks(page) if b.told == "run: no"]
    assert len(left) <= 1


def test_the_strategy_of_the_guide_has_forty_lines_of_code() -> None:
    """What the page promises: forty lines beside the prompt, counted without blank lines."""
    page = ROOT / "docs" / "guides" / "write-a-strategy.md"
    source = next(b.text for b in blocks(page) if b.told == "file: skim.py")
    without_prompt = re.sub(r'STEP = """.*?"""', "STEP", source, flags=re.DOTALL)
    assert len([line for line in without_prompt.splitlines() if line.strip()]) <= 40


_ROW = re.compile(r"^\| `(\w+)` \| `([^`]+)` \|", re.MULTILINE)


def _strategies() -> list[str]:
    return sorted(p.parent.name for p in STRATEGIES.glob("*/strategy.py"))


@pytest.mark.parametrize("name", _strategies())
def test_the_option_table_of_a_readme_is_the_fields(name: str) -> None:
    """Same options, same order, same defaults."""
    from importlib import import_module

    package = import_module(f"memreader_strategies.{name}")
    (cls,) = [getattr(package, public) for public in package.__all__]
    text = (STRATEGIES / name / "README.md").read_text("utf-8")
    table = text.partition("\n## Options\n")[2].partition("\n## ")[0]
    told = [(option, ast.literal_eval(default)) for option, default in _ROW.findall(table)]
    assert [(f.name, f.default) for f in dataclasses.fields(cls)] == told


@pytest.mark.parametrize("name", _strategies())
def test_the_steps_of_a_readme_are_methods(name: str) -> None:
    """At most ten steps; each starts with the name of a function or method of the strategy."""
    text = (STRATEGIES / name / "README.md").read_text("utf-8")
    steps = text.partition("\n## Steps\n")[2].partition("\n## ")[0]
    named = re.findall(r"^\d+\. `([\w.]+)`", steps, re.MULTILINE)
    assert 1 <= len(named) == len(re.findall(r"^\d+\. ", steps, re.MULTILINE)) <= 10
    source = "".join(p.read_text("utf-8") for p in (STRATEGIES / name).glob("*.py"))
    for step in named:
        for part in step.split("."):
            assert re.search(rf"\b(?:def|class) {part}\b", source), step


def _lines_of_shell() -> list[tuple[str, str]]:
    return [
        (page.name, line)
        for page in PROSE
        for block in blocks(page)
        if block.language == "console"
        for line in block.text.splitlines()
    ]


def test_every_command_in_the_documentation_exists() -> None:
    """Each `memreader ...` names a command and options that the command line has."""
    from typer.main import get_command

    from memreader.cli.app import app

    root: Any = get_command(app)
    for page, line in _lines_of_shell():
        for part in re.split(r"\s\|\s", line):
            words = shlex.split(part, comments=True)
            if words[:1] == ["memreader"]:
                assert not _unknown(root, words[1:]), f"{page}: {line}"


def _unknown(command: Any, words: list[str]) -> list[str]:
    """Words of a command line that no command or option answers to."""
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        if words[0] not in command.commands:
            return words
        command, words = command.commands[words[0]], words[1:]
    options = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    return [
        w for w in words if re.match(r"--?[a-z]", w) and w.split("=")[0] not in options | {"--help"}
    ]


@pytest.mark.skipif(not (ROOT / "Makefile").exists(), reason="the wheel's tests have no Makefile")
def test_every_target_named_is_in_the_makefile() -> None:
    """`make ask` and the like."""
    made = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in [*PROSE, ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"(?:^|`)make (\w+)", page.read_text("utf-8"), re.MULTILINE):
            assert target in made, f"{page.name}: make {target}"
