"""The comparison as files: `metrics.json`, `metrics.csv`, `comparison.json`, `table.md`."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rlhalt.evaluation.arms import BY_THRESHOLD
from rlhalt.evaluation.bootstrap import LEVEL
from rlhalt.evaluation.comparison import Comparison, Metrics
from rlhalt.evaluation.design import Design
from rlhalt.evaluation.differences import Difference
from rlhalt.evaluation.tables import markdown
from rlhalt.records import write_atomic


def write(comparison: Comparison, out: str | Path) -> None:
    """Write the four files into the folder `out`.

    `metrics.json` is a list, one entry a model and decoding; an estimate is `{value, low, high}`, null "not defined".
    `metrics.csv` has the same in long form, a row a measure, and one more for each seed, without an interval.
    `comparison.json` holds the design (roles, what each model started from, the planned comparisons, the halves of the
    prompts that calibrations are fitted on), the paired differences (with which of their intervals include 0, the
    p-values of those that are tested, and what so many prompts could have shown), every model + cut with the maps that
    it is cut by, the calibration of both confidences with its curves and of the probabilities that are cut by, every
    source of confidence, right and wrong facts by relation, which of base's statements the others make too, and what
    the models do outside of their domain.
    """
    rest = {
        "design": _design(comparison.design),
        "level": LEVEL,
        "differences": [_difference(one) for one in comparison.differences],
        "cuts": comparison.cuts,
        "calibrators": comparison.calibrators,
        "calibration": comparison.calibrations,
        "recalibration": comparison.recalibrations,
        "sources": comparison.sources,
        "relations": comparison.relations,
        "speaking": comparison.speaking,
        "elsewhere": comparison.elsewhere,
    }
    out = Path(out)
    _write_json(out / "metrics.json", [_metrics(one) for one in comparison.metrics])
    write_atomic(out / "metrics.csv", [_csv(comparison)])
    _write_json(out / "comparison.json", rest)
    write_atomic(out / "table.md", [markdown(comparison)])


def _design(design: Design) -> dict[str, Any]:
    in_first = design.first_half()
    return {
        "models": [
            {
                "label": one.label,
                "role": one.role,
                "seeds": one.seeds,
                "started_from": one.ancestors,
                "assumed": one.assumed,
                "tested_at": design.own_threshold(one),
            }
            for one in design.models
        ],
        "contrasts": [one._asdict() for one in design.contrasts],
        "thresholds": design.thresholds,
        "halves": {
            "first": [key for key, first in in_first.items() if first],
            "second": [key for key, first in in_first.items() if not first],
        },
        "resamples": design.resamples,
        "seed": design.seed,
        "notes": design.notes,
        "cut_by": design.cut_by,
    }


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
    pooled = one.estimates | {
        f"{name}@{t:g}": found for name in BY_THRESHOLD for t, found in getattr(one, name).items()
    }
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
    last = {
        name: fields.pop(name) for name in (*BY_THRESHOLD, "cut_curve", "no_cut", "n_over_abstention", "k", "by_seed")
    }
    return {**fields, **one.estimates, **last}


def _difference(one: Difference) -> dict[str, Any]:
    fields = _fields(one)
    estimates = fields.pop("estimates")
    return fields | {
        "correctness": one.correctness,
        "completeness": one.completeness,
        "utility": one.utility,
        "includes_zero": {name: gain.includes_zero for name, gain in estimates.items()},
        "shown": {name: one.tests[name].shows(gain) for name, gain in estimates.items()},
    }


def _plain(value: object) -> Any:
    """Records, mappings and tuples as JSON has them; six decimals."""
    if dataclasses.is_dataclass(value):
        return _plain(_fields(value))
    if isinstance(value, Mapping):
        return {f"{key:g}" if isinstance(key, float) else str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return round(value, 6) if isinstance(value, float) else value
