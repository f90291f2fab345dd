"""Building indexes from the command line: price, progress, Ctrl-C, and what came of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from memreader.cli.codes import COMPLETE, INTERRUPTED, PARTIAL
from memreader.cli.common import opened_files
from memreader.cli.printable import on_one_line, say

if TYPE_CHECKING:
    from memreader.built import Built, Part
    from memreader.llm.base import Model
    from memreader.settings import Settings


@dataclass(frozen=True, slots=True)
class Building:
    """One building from settings to printed result."""

    files: list[str]
    settings: Settings
    options: Mapping[str, str] = field(default_factory=dict)
    resume: bool = False
    fresh: bool = False
    yes: bool = False
    form: str = "text"
    """`text`, `json`, or `none` where another command prints."""
    loud: str = "normal"

    async def run(self) -> Built:
        """Open everything, build under signal handling, print."""
        from memreader.ahead import require_index
        from memreader.api import model_settings, spec
        from memreader.cli.money import confirm
        from memreader.cli.progress import listening
        from memreader.cli.reading import reader_of, signals
        from memreader.llm.registry import open_model
        from memreader.session import Control, Resumption
        from memreader.strategy import make

        require_index(make(self.settings.strategy))  # before anything is opened
        documents, name = opened_files(self.files), spec(self.settings)
        if self.settings.model is None and self.loud != "quiet":
            say(f"No model is set; using the embedded one ({name}).")
        control = Control()
        async with open_model(name, model_settings(self.settings)) as model:
            for remark in model.remarks if self.loud != "quiet" else ():
                say(remark)
            again = Resumption(fresh=self.fresh, new_budget=self.resume)
            reader = reader_of(model, self.settings, self.options, again)
            if model.price is None or model.price.input or model.price.output:
                confirm(reader, model, documents, [], max_cost=self.settings.max_cost, yes=self.yes)
            with (
                listening(self.form, self.loud, model) as listener,
                signals(control, quiet=self.loud == "quiet"),
            ):
                built = await reader.abuild(
                    documents, on_event=partial(listener, ""), control=control
                )
            show(built, self.form, self.loud, model)
        return built


def carried_out(building: Building) -> int:
    """Build, and give the exit code."""
    import asyncio

    import anyio

    try:
        return code_of(anyio.run(building.run))
    except asyncio.CancelledError:
        say("stopped at once; what is finished is kept, and the same command continues.")
        return INTERRUPTED


def code_of(built: Built) -> int:
    """The exit code of a building."""
    if built.stopped == "interrupted":
        return INTERRUPTED
    return COMPLETE if built.status == "complete" else PARTIAL


def show(built: Built, form: str, loud: str, model: Model) -> None:
    """Print what is there now; calls and spend go to standard error."""
    from memreader.cli.output import remarks, spend_line

    if form == "json":
        print(json.dumps(built.to_json(), ensure_ascii=False, indent=2))
    elif form == "text":
        for line in told(built):
            print(line)
    sys.stdout.flush()
    if loud == "quiet":
        return
    for line in remarks(built, loud):
        say(line)
    if built.made or built.found or built.failed or not built.vectors:
        say(calls_line(built))
    say(spend_line(built, model))


def told(built: Built) -> list[str]:
    """A line for each index, and for each kind of vectors."""
    lines = [_part(built, part) for part in built.indexes]
    for vectors in built.vectors:
        name = on_one_line(built.documents[vectors.document])
        many = "vector" if vectors.entries == 1 else "vectors"
        lines.append(f"{name}: {vectors.entries:,} {many} ({vectors.name}) in the store.")
    if built.replaced:
        count = len(built.replaced)
        older = "An older version" if count == 1 else f"{count:,} older versions"
        lines.append(f"{older} of the same files {'was' if count == 1 else 'were'} removed.")
    if built.status == "partial":
        again = " with --resume" if built.stopped == "budget" else ""
        lines.append(f"Not complete: the same command{again} makes the calls that are missing.")
    return lines


def _part(built: Built, part: Part) -> str:
    names = ", ".join(on_one_line(built.documents[d]) for d in part.documents)
    if part.reused:
        return f"{names}: {part.name} of {built.strategy}, there already."
    # A partial building names no index as built: the shelf takes none that has a hole.
    how = "built" if built.status == "complete" else "begun"
    return f"{names}: {part.name} of {built.strategy}, {how} with {built.model}."


def calls_line(built: Built) -> str:
    """How many calls were made now, and how many had been paid before."""
    whole = built.made + built.found
    line = f"{built.made:,} of {whole:,} calls made, {built.found:,} found in the journal"
    return line + (f", {built.failed:,} FAILED." if built.failed else ".")
