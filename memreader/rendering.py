"""A strategy's prompts as one model will see them: used by the run and by the plan alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from memreader.llm.base import Model
from memreader.prompts import Fence, PromptFiles, Value, render
from memreader.structured import Shape, contract
from memreader.tokens import count_long


def chunk_budget(size: int, model: Model) -> int:
    """Tokens of a chunk: what the strategy wants, capped by what the model reads well."""
    return size if model.passage is None else min(size, model.passage)


@dataclass(frozen=True, slots=True)
class Rendering:
    """A strategy's prompts as one model will see them: used by the run and by the plan alike."""

    files: PromptFiles
    model: Model
    fence: Fence

    def prompt(
        self, name: str, values: Mapping[str, Value], shape: type[Shape] | None = None
    ) -> str:
        """Render a prompt; for a plain model its `.plain` form, if it has one, with fewer names."""
        if self.model.wire == "plain" and f"{name}.plain" in self.files:
            template = self.files[f"{name}.plain"]
            return render(
                template, {k: v for k, v in values.items() if f"${k}" in template}, self.fence
            )
        if shape is not None:
            values = {**values, "contract": contract(shape, self.model.wire)}
        return render(self.files[name], values, self.fence)

    def tokens(
        self, name: str, values: Mapping[str, Value], shape: type[Shape] | None = None
    ) -> int:
        """Tokens of a prompt with these values, chat template included."""
        text = self.prompt(name, values, shape)
        return count_long(self.model.counter, text) + self.model.overhead
