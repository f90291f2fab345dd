"""Run the fast tests against the built wheel, with the sources out of reach.

What users install is what is tested: a prompt file or a module that the wheel lacks fails here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Build, unpack beside a copy of the tests, and run them there."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        build = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        (wheel,) = folder.glob("*.whl")
        shutil.unpack_archive(wheel, folder / "site", "zip")
        for name in (
            "tests",
            "examples",
            "evals",
            "benchmarks",
            "docs",
            "README.md",
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "Makefile",
            "mkdocs.yml",
            "pyproject.toml",
        ):
            _copy(ROOT / name, folder / "work" / name)
        where = "import memreader, memreader_strategies as s; print(memreader.__file__, s.__file__)"
        env = {**os.environ, "PYTHONPATH": str(folder / "site")}
        shown = subprocess.run(
            [sys.executable, "-c", where], env=env, cwd=folder / "work", capture_output=True,
            text=True, check=True,
        ).stdout  # fmt: skip
        if shown.count(str(folder / "site")) != 2:
            print(f"The sources are in the way: {shown}", file=sys.stderr)
            return 1
        tests = [sys.executable, "-m", "pytest", "-m", "not model and not slow and not sources"]
        return subprocess.run(tests, env=env, cwd=folder / "work", check=False).returncode


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    elif source.exists():
        shutil.copy(source, target)


if __name__ == "__main__":
    sys.exit(main())
