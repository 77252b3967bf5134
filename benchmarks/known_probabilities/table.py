"""What was measured, as JSON and as Markdown: a table a mode, a row a method, a column a threshold."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Rows = Sequence[Mapping[str, Any]]


def as_json(rows: Rows) -> str:
    """What is not defined is null: JSON has no NaN."""
    plain = [
        {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in row.items()}
        for row in rows
    ]
    return json.dumps(plain, indent=1) + "\n"


def markdown(rows: Rows) -> str:
    """At each τ the share of the oracle's utility, that of the sharper one's (`share_drawn`), and the switch point.

    Shares are means over seeds; of switch points the range is given.
    """
    modes = list(dict.fromkeys(row["mode"] for row in rows))
    return "\n".join(line for mode in modes for line in _table(mode, [row for row in rows if row["mode"] == mode]))


def _table(mode: str, rows: Rows) -> list[str]:
    thresholds = sorted({row["threshold"] for row in rows})
    lines = [f"{mode.capitalize()}:", "", f"| | seeds | {' | '.join(f'τ = {one:g}' for one in thresholds)} |"]
    lines.append(f"| --- | --: | {' | '.join('--:' for _ in thresholds)} |")
    for method in dict.fromkeys(row["method"] for row in rows):
        its = [row for row in rows if row["method"] == method]
        cells = [_cell([row for row in its if row["threshold"] == one]) for one in thresholds]
        lines.append(f"| `{method}` | {len({row['seed'] for row in its})} | {' | '.join(cells)} |")
    return [*lines, ""]


def _cell(rows: Rows) -> str:
    if not rows:
        return "–"
    shares = " · ".join(f"{np.mean([row[name] for row in rows]):.2f}" for name in ("share", "share_drawn"))
    switches = np.array([row["switch"] for row in rows])
    if np.isnan(switches).any():
        return f"{shares} (–)"
    least, most = switches.min(), switches.max()
    return f"{shares} ({least:.2f})" if len(rows) == 1 else f"{shares} ({least:.2f}–{most:.2f})"
