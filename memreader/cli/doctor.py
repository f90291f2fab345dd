"""`memreader doctor`: the installation, and what the endpoint can do, in plain words."""

from __future__ import annotations

import sys
from typing import Annotated

import typer


def doctor(
    model: Annotated[str | None, typer.Option("-m", "--model", help="provider:model.")] = None,
    window: Annotated[int | None, typer.Option(help="Tokens of the model's window.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for each reply.")] = 60.0,
) -> int:
    """Check the installation and probe the endpoint."""
    import anyio

    from memreader.cli.codes import COMPLETE, ERROR
    from memreader.settings import resolve

    settings = resolve({"model": model, "window": window, "timeout": timeout})
    fine = [_line(ok, text) for ok, text in _installation()]
    fine += anyio.run(_endpoint, settings)
    return COMPLETE if all(fine) else ERROR


def _line(ok: bool, text: str) -> bool:
    typer.echo(f"{'ok  ' if ok else 'BAD '} {text}")
    return ok
