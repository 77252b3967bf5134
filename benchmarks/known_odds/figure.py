"""P(speak) over p, for each τ and method: what the threshold does, to be looked at."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

COLOURS = ("#777777", "#e69f00", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#56b4e9")


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """One panel a mode and τ: the curves of all seeds, τ as a line; in the legend the mean share and switch point.

    Args:
        rows: what `benchmarks.known_odds.measure.measure` found, with `mode`, `method`, `threshold` and `seed`.
    """
    from matplotlib.figure import Figure

    modes, thresholds, methods = (
        list(dict.fromkeys(row[key] for row in rows)) for key in ("mode", "threshold", "method")
    )
    figure = Figure(figsize=(4.8 * len(thresholds), 4.8 * len(modes)), layout="constrained")
    panels = figure.subplots(len(modes), len(thresholds), squeeze=False, sharey=True)
    for (mode, threshold), panel in zip(itertools.product(modes, thresholds), panels.flat, strict=True):
        panel.axvline(threshold, color="black", linewidth=0.8, linestyle=":")
        panel.axhline(0.5, color="black", linewidth=0.4, linestyle=":")
        for colour, method in zip(COLOURS, methods, strict=False):
            its = [row for row in rows if (row["mode"], row["threshold"], row["method"]) == (mode, threshold, method)]
            for number, row in enumerate(its):
                p, speak, weight = np.array(row["curve"]).T
                seen = weight > 0.5
                panel.plot(p[seen], speak[seen], color=colour, linewidth=1.4, alpha=0.9 if number == 0 else 0.45)
            if its:
                share, switch = (np.mean([row[key] for row in its]) for key in ("share", "switch"))
                crosses = "never rises" if np.isnan(switch) else f"½ at {switch:.2f}"
                panel.plot([], [], color=colour, label=f"{method}: {share:.0%} of the best, {crosses}")
        panel.set_title(f"{mode}, τ = {threshold:g}", fontsize=10)
        panel.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False)
        panel.set_xlim(0, 1)
        panel.set_ylim(-0.02, 1.02)
        panel.set_xlabel("p, being right" if mode == "independent" else "what going on is worth")
    for row_of_panels in panels:
        row_of_panels[0].set_ylabel("P(speak)")
    figure.savefig(path, dpi=130)
