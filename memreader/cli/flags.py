"""Flags that several commands have, with one help text each."""

from __future__ import annotations

from typing import Annotated

import typer

ModelName = Annotated[str | None, typer.Option("-m", "--model", help="provider:model, or local.")]
Options = Annotated[
    list[str] | None,
    typer.Option("-o", "--option", metavar="KEY=VALUE", help="An option of the strategy."),
]
MaxCost = Annotated[float | None, typer.Option(help="Cap in US dollars.")]
MaxCalls = Annotated[int | None, typer.Option(help="Cap on model calls.")]
MaxTokens = Annotated[int | None, typer.Option(help="Cap on tokens, in and out.")]
MaxSeconds = Annotated[float | None, typer.Option(help="Cap on seconds.")]
Window = Annotated[int | None, typer.Option(help="Tokens of the model's window.")]
Concurrency = Annotated[int | None, typer.Option(help="Calls in flight at most.")]
Timeout = Annotated[float | None, typer.Option(help="Seconds to wait for a reply.")]
EmbedderName = Annotated[
    str | None, typer.Option(help="Embedding model: local, openai:NAME, ollama:NAME, none.")
]
StoreName = Annotated[
    str | None, typer.Option(help="Vectors: chroma:PATH, chroma:memory, http://host:port.")
]
Probing = Annotated[
    bool | None, typer.Option("--probe/--no-probe", help="Probe a new endpoint first.")
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue the stopped run with a fresh budget.")
]
Yes = Annotated[
    bool, typer.Option("-y", "--yes", help="Do not ask before spending over one dollar.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Nothing on standard error but errors.")]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Each call and decision on standard error.")
]
