"""Makes `ask.svg`: what `make ask` prints, as a picture. Run with `python docs/images/ask.py`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rich.console import Console

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ["ask", "examples/report.pdf", "Which ferry carries the mail to Ebbing Island?"]


def main() -> None:
    """Run the command, and draw its standard output and then its standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "memreader", *COMMAND, "--model", "local"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    console = Console(record=True, width=104, file=sys.stderr)
    shown = " ".join(f'"{part}"' if " " in part else part for part in COMMAND)
    console.print(f"$ memreader {shown} --model local", highlight=False)
    console.print(done.stdout + "\n" + done.stderr.rstrip(), markup=False, highlight=False)
    console.save_svg(str(Path(__file__).with_suffix(".svg")), title="memreader ask")


if __name__ == "__main__":
    main()
