"""The budgets of the three stages, the same for a plan and for a run (steps 1 and 4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from memreader.errors import ConfigurationError
from memreader.llm.base import Model
from memreader.plan import NOTHING, Plan, Range
from memreader.prompts import Untrusted, Value
from memreader.rendering import Rendering, chunk_budget
from memreader.structured import Shape
from memreader_strategies.map_reduce.presets import Policy, Preset, chosen

if TYPE_CHECKING:
    from memreader_strategies.map_reduce.strategy import MapReduce


FENCED = 24
"""Tokens of the fence and the header around a record, from above."""
SEAMS = 8
"""Tokens that parts counted alone may have more of when they stand together, from above."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The budgets of the three stages, the same for a plan and for a run."""

    preset: Preset
    values: dict[str, Value]
    """What stands in the prompts of all stages."""
    reply: int
    text_budget: int
    """Tokens of document text in a map call: step 1."""
    group_budget: int
    """Tokens of records in a collapse or reduce call: L' of step 4."""
    tries: int
    """Calls that one reply may take: those that have a form may need a second one."""
    overheads: tuple[int, int, int]
    """Prompt tokens beside the material, its fence included, in map, collapse and reduce."""

    @classmethod
    def of(cls, options: MapReduce, question: str, rendering: Rendering) -> Stages:
        preset = chosen(options.preset, question)
        files, model = rendering.files, rendering.model
        policy: Policy = preset.policy if options.policy == "preset" else options.policy
        calibration = (
            files[preset.calibration] if preset.calibration and options.calibration else ""
        )
        values: dict[str, Value] = {
            "question": files.asked(question),
            "task": files[f"task.{preset.name}"],
            "policy": files[f"policy.{policy}"],
            "calibration": calibration,
        }
        reply = min(options.reply_tokens, model.window // 4, _most(preset, model))
        total = min(options.chunk_size, model.window)
        overheads = tuple(
            SEAMS
            + rendering.tokens(
                stage, {**values_for(stage, values), "material": Untrusted("")}, shape
            )
            for stage, shape in shapes(preset)
        )
        text = total - overheads[0] - reply
        beside = max(overheads[1:]) + reply
        # Calls over records may be larger than those over text, so that two whole records fit.
        group = max(total - beside, min(model.window - beside, 2 * (reply + FENCED)))
        if min(text, group) < 64:
            raise ConfigurationError(
                f"Prompt and question take {max(overheads):,} and the reply {reply:,} of the "
                f"{total:,} tokens of a call: too little is left to read with. Ask a shorter "
                f"question, or raise chunk_size or the window."
            )
        return cls(
            preset,
            values,
            reply,
            chunk_budget(text, model),
            chunk_budget(group, model),
            1 if model.wire == "plain" else 2,
            (overheads[0], overheads[1], overheads[2]),
        )

    def plan(self, sizes: list[int]) -> Plan:
        """What n chunks of these sizes take, for short and for long records."""
        n, (per_map, per_collapse, per_reduce) = len(sizes), self.overheads
        text = sum(sizes) + n * per_map
        if not n:
            return NOTHING
        groups, rounds, material = self.collapse_tree(n, min(self.reply // 2, 150))
        most = self.collapse_tree(n, self.reply + 40)
        calls = n + most[0] + 1
        longest = text + most[0] * per_collapse + most[2] + per_reduce
        return Plan(
            calls=Range(n, n + groups + 1, self.tries * calls),
            input_tokens=Range(
                text,
                text + groups * per_collapse + material + per_reduce,
                self.tries * longest + (self.tries - 1) * calls * (2 * self.reply + 400),
            ),
            output_tokens=Range(
                n,
                (n + groups + 1) * (self.reply // 3),
                (2 * self.tries - 1) * calls * self.reply,
            ),
            critical_path=Range(1, 2 + rounds, self.tries * (2 + most[1])),
        )

    def collapse_tree(self, n: int, size: int) -> tuple[int, int, int]:
        """Groups, rounds and tokens of material when n records of one size are collapsed."""
        groups = rounds = 0
        material = n * size
        fit = max(2, self.group_budget // size)
        while n > fit:
            full, rest = divmod(n, fit)
            groups += full + (rest > 1)
            n = full + (rest > 0)
            rounds += 1
            material += n * size
        return groups, rounds, material


def _most(preset: Preset, model: Model) -> int:
    """Tokens of the longest reply: plain models are asked for less than others."""
    forms = [shape.plain.max_tokens for _, shape in shapes(preset) if shape.plain]
    return max(forms) if model.wire == "plain" else model.window


def values_for(stage: str, values: dict[str, Value]) -> dict[str, Value]:
    """The values a stage's prompt uses: the conflict policy has no place in map."""
    return {k: v for k, v in values.items() if stage != "map" or k != "policy"}


def shapes(preset: Preset) -> tuple[tuple[str, type[Shape]], ...]:
    return ("map", preset.record), ("collapse", preset.record), ("reduce", preset.final)
