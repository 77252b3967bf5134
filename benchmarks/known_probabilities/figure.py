"""P(speak) over p, for each τ and method: what the threshold does, to be looked at."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Okabe and Ito's, and some of Tol's behind them: one for each method that is known.
COLOURS = (
    *("#777777", "#e69f00", "#009e73", "#cc79a7", "#0072b2", "#d55e00", "#56b4e9", "#000000"),
    *("#117733", "#882255", "#999933", "#44aa99", "#332288", "#ddcc77", "#aa4499", "#661100"),
    *("#88ccee", "#bbcc33", "#ee8866", "#4a2377", "#6699cc", "#5e3c0a", "#00757a"),
)
BINS = 20


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """One panel a mode and τ: a curve a method over all seeds, each seed faintly behind it, τ as a line.

    In the legend stand the mean share and switch point.

    Args:
        rows: what `known_probabilities.measure.measure` found, with `mode`, `method`, `threshold` and `seed`.
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
        for colour, method in zip(COLOURS[: len(methods)], methods, strict=True):
            its = [row for row in rows if (row["mode"], row["threshold"], row["method"]) == (mode, threshold, method)]
            for row in its:
                panel.plot(*_seen(np.array(row["curve"])), color=colour, linewidth=0.8, alpha=0.2)
            if its:
                panel.plot(*_seen(_pooled([np.array(row["curve"]) for row in its])), color=colour, linewidth=1.6)
                share, switch = (np.mean([row[key] for row in its]) for key in ("share", "switch"))
                crosses = "never rises" if np.isnan(switch) else f"½ at {switch:.2f}"
                panel.plot([], [], color=colour, label=f"{method}: {share:.0%} of the best, {crosses}")
        panel.set_title(f"{mode}, τ = {threshold:g}", fontsize=10)
        panel.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, frameon=False)
        panel.set_xlim(0, 1)
        panel.set_ylim(-0.02, 1.02)
        panel.set_xlabel("p, being right" if mode == "independent" else "what saying it is worth")
    for row_of_panels in panels:
        row_of_panels[0].set_ylabel("P(speak)")
    figure.savefig(path, dpi=100, pil_kwargs={"optimize": True})


def _pooled(curves: Sequence[Floats]) -> Floats:
    """One curve of those of all seeds: rows of p, P(speak) and weight."""
    p, speak, weight = np.concatenate(curves).T
    which = np.minimum((p * BINS).astype(int), BINS - 1)
    total = np.bincount(which, weight)
    there = total > 0
    p, speak = (np.bincount(which, one * weight)[there] / total[there] for one in (p, speak))
    return np.stack([p, speak, total[there]], axis=1)


def _seen(curve: Floats) -> tuple[Floats, Floats]:
    """Where it rests on more than half a fact."""
    p, speak, weight = curve.T
    return p[weight > 0.5], speak[weight > 0.5]
