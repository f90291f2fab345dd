"""Draws `survival.svg` from `survival.json`, which `python -m evals.survival --json` writes.

Needs the dependency group `pictures`: `pip install --group pictures`.
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
INK = "#808080"
"""Readable on white and on black."""
COLOURS = ("#4c9be8", "#e8794c", "#c94ce8", "#4cb86b", "#9aa12b", "#2bb5b0", "#e84c6f")
MARKERS = "osv^DPX"
NEVER = 0.002
"""Where a rate of 0 stands on the logarithmic axis."""


def main() -> None:
    """Share of readings that still answer, against the rate of overlooking."""
    points = json.loads((HERE / "survival.json").read_text("utf-8"))
    mpl.rcParams.update({
        "svg.fonttype": "none", "svg.hashsalt": "memreader", "font.family": "sans-serif",
        "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK,
        "xtick.color": INK, "ytick.color": INK,
    })  # fmt: skip
    figure, axes = plt.subplots(figsize=(8, 4.5))
    names = list(dict.fromkeys(p["strategy"] for p in points))
    for name, colour, marker in zip(names, COLOURS, MARKERS, strict=True):
        mine = [p for p in points if p["strategy"] == name]
        rates = [max(p["miss"], NEVER) for p in mine]
        shares = [100 * p["found"] / p["readings"] for p in mine]
        axes.plot(rates, shares, color=colour, marker=marker, label=name, linewidth=1.8)
    axes.set_xscale("log")
    ticks = sorted({p["miss"] for p in points})
    axes.set_xticks([max(t, NEVER) for t in ticks], [f"{100 * t:g} %" for t in ticks])
    axes.minorticks_off()
    axes.set_xlabel("how often the model overlooks what its prompt shows")
    axes.set_ylabel("readings that still answer, %")
    axes.grid(visible=True, color=INK, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.savefig(
        HERE / "survival.svg", transparent=True, bbox_inches="tight", metadata={"Date": None}
    )


if __name__ == "__main__":
    main()
