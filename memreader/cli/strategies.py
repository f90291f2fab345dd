"""`memreader strategies`."""

from __future__ import annotations

import dataclasses
import inspect
import itertools

import typer


def strategies() -> None:
    """List the strategies with their options and defaults."""
    from memreader.errors import ConfigurationError
    from memreader.strategy import available, load

    for name in available():
        try:
            cls = load(name)
        except ConfigurationError as error:
            typer.echo(f"{name}: BROKEN. {error}\n")
            continue
        module = inspect.getmodule(cls)
        title = (inspect.getdoc(module) or "").partition("\n")[0]
        typer.echo(f"{name}: {title}")
        told = _field_docs(cls)
        for field in dataclasses.fields(cls):  # type: ignore[arg-type]
            typer.echo(f"  {field.name} = {field.default!r}  {told.get(field.name, '')}".rstrip())
        typer.echo("")


def _field_docs(cls: type) -> dict[str, str]:
    """The strings under the fields of a dataclass, by field."""
    import ast
    import textwrap

    tree = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    told: dict[str, str] = {}
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    for field, text in itertools.pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            told[field.target.id] = " ".join(str(text.value.value).split())
    return told
