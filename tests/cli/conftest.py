"""A ledger on disk, and a server that answers for the oracle."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memreader.contract import FACTS, paged
from memreader.testing import Oracle

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def oracle(body: dict[str, Any]) -> str:
    """What the oracle says to a chat-completions body."""
    prompt = "\n".join(m["content"] for m in body["messages"])
    return Oracle(FACTS).said(prompt, schema="response_format" in body)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A text of 90 pages with the needle on page 60."""
    path = tmp_path / "ledger.txt"
    path.write_text(paged(90, needle_on=60).text, "utf-8")
    return path


@pytest.fixture
def memreader(tmp_path: Path) -> Run:
    """Runs the command line in a process of its own, with a home of its own."""

    def run(*arguments: object, **how: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "memreader", *map(str, arguments)]
        how.setdefault("env", environment(tmp_path))
        return subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, check=False, **how
        )

    return run


def environment(home: Path) -> dict[str, str]:
    """The environment of tests with a home of its own; the sources stay importable."""
    return {**os.environ, "MEMREADER_HOME": str(home / "home"), "PYTHONWARNINGS": "error"}


def said(body: dict[str, Any]) -> str:
    """The same for every chunk: for servers whose words do not matter."""
    return "A ledger of days."


def with_strategy(home: Path, name: str, cls: str, source: str) -> dict[str, str]:
    """An environment in which a stranger's strategy is installed, found by its entry point."""
    site = home / "site"
    about = site / f"{name}_reader-1.0.dist-info"
    about.mkdir(parents=True)
    (site / f"{name}_reader.py").write_text(source, "utf-8")
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-reader\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        f"[memreader.strategies]\n{name} = {name}_reader:{cls}\n"
    )
    path = [str(site), *(p for p in [os.environ.get("PYTHONPATH")] if p)]
    return {**environment(home), "PYTHONPATH": os.pathsep.join(path)}
