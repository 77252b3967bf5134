"""The comparison as files: `metrics.json`, `metrics.csv`, `comparison.json`, `table.md`."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rlhalt.evaluation.bootstrap import LEVEL, Estimate
from rlhalt.evaluation.comparison import Comparison, Metrics
from rlhalt.evaluation.differences import Difference
from rlhalt.evaluation.tables import markdown
from rlhalt.records import write_atomic


def write(comparison: Comparison, out: str | Path) -> None:
    """Write the four files into the folder `out`.

    `metrics.json` is a list, one entry a model and decoding; an estimate is `{value, low, high}`, null "not defined".
    `metrics.csv` has the same in long form, a row a measure, and one more for each seed, without an interval.
    `comparison.json` holds the paired differences (with which of their intervals include 0, their p-values, and what so
    many prompts could have shown), the calibration of both confidences with its curves, every source of confidence,
    base recalibrated, base cut where it is then less sure than τ, which of its statements the others make too, and what
    the models do outside of their domain.
    """
    rest = {
        "thresholds": comparison.thresholds,
        "level": LEVEL,
        "resamples": comparison.resamples,
        "seed": comparison.seed,
        "differences": [_difference(one) for one in comparison.differences],
        "calibration": comparison.calibrations,
        "sources": comparison.sources,
        "recalibration": comparison.recalibrations,
        "baselines": comparison.baselines,
        "speaking": comparison.speaking,
        "elsewhere": comparison.elsewhere,
    }
    out = Path(out)
    _write_json(out / "metrics.json", [_metrics(one) for one in comparison.metrics])
    write_atomic(out / "metrics.csv", [_csv(comparison)])
    _write_json(out / "comparison.json", rest)
    write_atomic(out / "table.md", [markdown(comparison)])


def _write_json(path: Path, value: object) -> None:
    write_atomic(path, [json.dumps(_plain(value), ensure_ascii=False, indent=1, allow_nan=False), "\n"])


def _csv(comparison: Comparison) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["model", "name", "threshold", "decoding", "seed", "measure", "value", "low", "high"])
    for one in comparison.metrics:
        told = (one.model, one.name, "" if one.threshold is None else f"{one.threshold:g}", one.decoding)
        table.writerows((*told, seed, *row) for seed, row in _long(one))
    return text.getvalue()


def _long(one: Metrics) -> Iterator[tuple[int | str, tuple[object, ...]]]:
    """Every measure of one model, over its seeds ("all") and of each; not defined is empty."""
    pooled = one.estimates | {f"utility@{t:g}": gain for t, gain in one.utility.items()}
    for name, found in pooled.items():
        yield "all", (name, *map(_plain, (found.value, found.low, found.high)))
    for seed, measures in one.by_seed.items():
        for name, value in measures.items():
            yield seed, (name, _plain(value), None, None)


def _fields(record: object) -> dict[str, Any]:
    assert dataclasses.is_dataclass(record)
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def _metrics(one: Metrics) -> dict[str, Any]:
    fields = _fields(one)
    del fields["estimates"]
    last = {name: fields.pop(name) for name in ("utility", "n_over_abstention", "k", "by_seed")}
    return {**fields, **one.estimates, **last}


def _difference(one: Difference) -> dict[str, Any]:
    estimates: dict[str, Estimate] = {"correctness": one.correctness, "completeness": one.completeness}
    estimates |= {f"utility@{t:g}": gain for t, gain in one.utility.items()}
    return _fields(one) | {"includes_zero": {name: gain.includes_zero for name, gain in estimates.items()}}


def _plain(value: object) -> Any:
    """Records, mappings and tuples as JSON has them; six decimals."""
    if dataclasses.is_dataclass(value):
        return _plain(_fields(value))
    if isinstance(value, Mapping):
        return {f"{key:g}" if isinstance(key, float) else str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value
