"""One model on several domains: its measures on each, and their mean over the domains (macro).

    countries/report/metrics.json ─┐
    elements/report/metrics.json  ─┼─► domains.json domains.md
    …                             ─┘

A mean over domains weighs each domain the same, whatever the number of its prompts. The prompts of two domains are
drawn independently of each other, so that the half-widths of the intervals add in quadrature: half-width of the mean of
d domains = √(Σ half-width²) / d, on each side by itself.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlhalt.errors import InputError
from rlhalt.evaluation.bootstrap import Estimate
from rlhalt.files.locks import locked
from rlhalt.files.provenance import Run
from rlhalt.records import Json, write_atomic

MEASURES = ("correctness", "completeness", "completeness_full", "f1_full", "halt_rate", "over_abstention")
MACRO = "all (macro)"
Reports = Mapping[str, list[Json]]


def write_overview(reports: Sequence[Path], out: Path) -> list[Json]:
    """Write `domains.json` and `domains.md`, and print the table of the greedy responses. Returns the rows.

    Args:
        reports: folders that `rlhalt compare` wrote, one a domain.

    Raises:
        InputError: a folder without metrics, or two of one domain.
    """
    from rich.console import Console

    files = [one / "metrics.json" for one in reports]
    with locked(out), Run("domains", out, inputs=files, config={"domains": [one.parent.name for one in reports]}):
        rows = overview(_read(files))
        write_atomic(out / "domains.json", [json.dumps(rows, ensure_ascii=False, indent=1, allow_nan=False), "\n"])
        write_atomic(out / "domains.md", [markdown(rows)])
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(_table([row for row in rows if row["decoding"] == "greedy"]))
    return rows


def overview(reports: Reports) -> list[Json]:
    """A row for each model, decoding and domain, and one for their mean.

    Args:
        reports: by domain, the rows of `metrics.json`.

    Returns:
        `{model, decoding, domain, n_prompts, seeds}`, the `MEASURES`, `utility@τ`, and `cut@τ` (the utility with a
        calibrated cut), each as `{value, low, high}`. The mean of a measure is over the domains where it is defined:
        `over` of `of`. A model that is not in every domain has no row `all (macro)`.
    """
    rows = []
    kinds = dict.fromkeys((one["model"], one["decoding"]) for report in reports.values() for one in report)
    for model, decoding in kinds:
        found = {
            domain: _measures(one)
            for domain, report in reports.items()
            for one in report
            if (one["model"], one["decoding"]) == (model, decoding)
        }
        told = {"model": model, "decoding": decoding}
        rows += [told | {"domain": domain} | measures for domain, measures in found.items()]
        if len(found) == len(reports):
            rows.append(told | {"domain": MACRO} | _mean(list(found.values())))
    return rows


def _read(files: Sequence[Path]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for file in files:
        if not file.is_file():
            raise InputError("expected the metrics of a comparison, found no such file", path=file)
        rows = json.loads(file.read_text(encoding="utf-8"))
        domain = rows[0]["domain"]
        if domain in found:
            raise InputError(f"expected each domain once, found {domain} twice", path=file)
        found[domain] = rows
    return found


def _measures(row: Json) -> Json:
    utilities = {f"utility@{at}": one for at, one in row["utility"].items()}
    cuts = {f"cut@{at}": one for at, one in row.get("utility_cut", {}).items()}
    return {
        "n_prompts": row["n_prompts"],
        "seeds": row["seeds"],
        **{name: row[name] for name in MEASURES},
        **utilities,
        **cuts,
    }


def _mean(rows: Sequence[Json]) -> Json:
    names = [name for name in rows[0] if name not in ("n_prompts", "seeds") and all(name in row for row in rows)]
    return {
        "n_prompts": sum(row["n_prompts"] for row in rows),
        "seeds": rows[0]["seeds"],
        **{name: mean([Estimate(**row[name]) for row in rows]) for name in names},
    }


def mean(estimates: Sequence[Estimate]) -> Json:
    """The mean of independent estimates, those left out that are not defined.

    >>> mean([Estimate(0.5, 0.2, 0.8), Estimate(0.7, 0.3, 0.9), Estimate(None)])
    {'value': 0.6, 'low': 0.35, 'high': 0.780278, 'over': 2, 'of': 3}
    """
    values = [one for one in estimates if one.value is not None]
    if not values:
        return {"value": None, "low": None, "high": None, "over": 0, "of": len(estimates)}
    middle = sum(_given(one.value) for one in values) / len(values)
    bounds: dict[str, float | None] = {"low": None, "high": None}
    if all(one.low is not None and one.high is not None for one in values):
        below = math.hypot(*(_given(one.value) - _given(one.low) for one in values)) / len(values)
        above = math.hypot(*(_given(one.high) - _given(one.value) for one in values)) / len(values)
        bounds = {"low": round(middle - below, 6), "high": round(middle + above, 6)}
    return {"value": round(middle, 6), **bounds, "over": len(values), "of": len(estimates)}


def _given(value: float | None) -> float:
    assert value is not None
    return value


def columns(rows: Sequence[Json]) -> list[tuple[str, str]]:
    """The measures of a table: their names in the rows, and their titles."""
    titles = {
        "correctness": "correct",
        "completeness": "of base",
        "completeness_full": "of a full answer",
        "f1_full": "F1",
        "halt_rate": "halts",
    }
    found = list(titles.items())
    for at in (name.removeprefix("utility@") for name in rows[0] if name.startswith("utility@")):
        found.append((f"utility@{at}", f"utility {at}"))
        if f"cut@{at}" in rows[0]:
            found.append((f"cut@{at}", f"{at} + cut"))
    return found


def cell(name: str, one: Json) -> tuple[str, str]:
    """A measure as text: its value, and its interval with the number of domains where it is not defined in all.

    >>> cell("correctness", {"value": 0.6, "low": 0.5, "high": 0.7})
    ('60 %', '(50 to 70)')
    """
    if one["value"] is None:
        return "–", ""
    utility = name.startswith(("utility", "cut"))
    value, *bounds = (
        (f"{x:.2f}" if utility else f"{100 * x:.0f}").replace("-", "−")
        for x in (one["value"], one["low"], one["high"])
        if x is not None
    )
    between = f"({' to '.join(bounds)})" if bounds else ""
    lacking = f"{one['over']} of {one['of']} domains" if one.get("over", 0) < one.get("of", 0) else ""
    return f"{value}{'' if utility else ' %'}", ", ".join(filter(None, (between, lacking)))


def markdown(rows: Sequence[Json]) -> str:
    """A table for each decoding, with 95 % intervals."""
    text = "# All domains\n\nEach model on each domain, and the mean over the domains, with 95 % intervals.\n"
    named = columns(rows)
    for decoding in dict.fromkeys(row["decoding"] for row in rows):
        text += f"\n## {decoding}\n\n| model | domain | prompts | {' | '.join(title for _, title in named)} |\n"
        text += "| --- | --- |" + " --: |" * (len(named) + 1) + "\n"
        for row in (one for one in rows if one["decoding"] == decoding):
            cells = " | ".join(" ".join(cell(name, row[name])).strip() for name, _ in named)
            text += f"| {row['model']} | {row['domain']} | {row['n_prompts']} | {cells} |\n"
    return text


def _table(rows: Sequence[Json]) -> Any:
    from rich.table import Table

    # A terminal has no room for the cut.
    named = [one for one in columns(rows) if not one[0].startswith("cut")]
    table = Table(title="greedy responses", title_justify="left")
    table.add_column("model")
    table.add_column("domain")
    for _, title in named:
        table.add_column(title, justify="right")
    for row in rows:
        last = row["domain"] == MACRO
        cells = [_without_interval(*cell(name, row[name])) for name, _ in named]
        table.add_row(row["model"], row["domain"], *cells, end_section=last, style="bold" if last else None)
    return table


def _without_interval(value: str, interval: str) -> str:
    """What fits a terminal: the value, and of how many domains it is."""
    lacking = interval.rpartition(", ")[2]
    return f"{value}, {lacking}" if lacking.endswith("domains") else value
