"""The house style that a machine can check. What is excused here may only become less."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted([*(ROOT / "memreader").rglob("*.py"), *(ROOT / "strategies").rglob("*.py")])
LINES = 300
FUNCTION = 40
PARAMETERS = 7
VAGUE = re.compile(r"Manager|Helper|Util|Base[A-Z]|Handler")

EXCUSED: set[str] = set()


def names(paths: list[Path]) -> list[str]:
    """Paths from the root, to tell tests apart by."""
    return [str(path.relative_to(ROOT)) for path in paths]


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a module, methods and inner ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body without its docstring; a signature is no logic."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_a_module_has_one_idea(path: Path) -> None:
    """Short modules, short functions, few parameters, names that say something."""
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= LINES
    where = str(path.relative_to(ROOT))
    long = {f"{where}:{f.name}" for f in functions(tree) if body_lines(f) > FUNCTION}
    assert not long - EXCUSED
    wide = {
        f"{where}:{f.name}"
        for f in functions(tree)
        if f.name == "__init__" and len(f.args.args) - 1 > PARAMETERS
    }
    assert not wide - EXCUSED
    vague = {
        f"{where}:{c.name}"
        for c in ast.walk(tree)
        if isinstance(c, ast.ClassDef) and VAGUE.search(c.name)
    }
    assert not vague - EXCUSED


@pytest.mark.parametrize("path", FILES, ids=names(FILES))
def test_broad_excepts_say_why(path: Path) -> None:
    """`except Exception` stands with a comment that begins with "because"."""
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if re.search(r"except Exception\b|except:", line):
            assert "# because" in line, f"line {number}"


def test_only_the_command_line_prints() -> None:
    """Library code emits events."""
    printing = {
        str(path.relative_to(ROOT))
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    }
    assert not {p for p in printing if not p.startswith("memreader/cli/")}


def test_what_is_excused_is_still_needed() -> None:
    """An excuse without a sinner is taken away."""
    sinners = {
        f"{path.relative_to(ROOT)}:{f.name}"
        for path in FILES
        for f in functions(ast.parse(path.read_text("utf-8")))
        if body_lines(f) > FUNCTION or len(f.args.args) - 1 > PARAMETERS
    }
    vague = {
        f"{path.relative_to(ROOT)}:{c.name}"
        for path in FILES
        for c in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(c, ast.ClassDef) and VAGUE.search(c.name)
    }
    assert EXCUSED <= sinners | vague
