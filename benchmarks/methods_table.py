"""The table of methods over several sittings: what is counted of each model of a seed, and the table of all seeds.

    rlhalt run methods                                        # or a recipe with some of its methods, in the same folder
    python benchmarks/methods_table.py keep runs/methods --output methods-0.jsonl
    python benchmarks/methods_table.py table methods-0.jsonl methods-1.jsonl

`keep` writes one line per model and seed: what is counted in its greedy responses to each prompt, as they are and +
cut. `table` needs these lines alone. Its intervals are over prompts and seeds together
(`rlhalt.evaluation.bootstrap`), and a difference is paired over both. A model with fewer seeds is compared on the seeds
that it has, a decoding of base on all. What is planned: each model less SFT, and each model + cut less standard
fine-tuning + cut, at τ = ½. A star marks a difference that is shown: p below 0.05 in the signed-rank test over prompts,
seeds averaged, after Holm's correction for all planned ones, and an interval that leaves out 0.

UNIT and R-Tuning state everything and say what of it is doubtful; the column *without what it doubts* has their utility
at ½ without that.

`rlhalt general runs/methods/evaluation/* --text FILE` before `keep` adds what a model does elsewhere, and

    rlhalt choose TruthfulQA.csv --form truthfulqa --model MODEL --output runs/methods/choices/NAME

its MC1 and MC2, NAME being that of its folder in runs/methods/evaluation.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from rlhalt.errors import InputError
from rlhalt.evaluation.bootstrap import Estimate, Floats, crossed, estimate, ratio, seed_weights, weights
from rlhalt.evaluation.comparison import Comparison, compare
from rlhalt.evaluation.counts import unfinished
from rlhalt.evaluation.folder import Evaluation, load
from rlhalt.evaluation.general import General
from rlhalt.evaluation.significance import ALPHA, holm, wilcoxon
from rlhalt.files.provenance import earlier
from rlhalt.fragments.reflection import read_reflection
from rlhalt.fragments.stated_confidence import UNSURE
from rlhalt.records import Json, Scored, content_key, write_atomic

THRESHOLDS = (0.3, 0.5, 0.8, 0.95)
COUNTED = ("correct", "incorrect", "unfinished", "unverifiable", "tokens")
# What each model is compared with at ½, as it is and + cut; of cuts, the best that was known before is the reference's.
AGAINST = {False: "SFT", True: "reference"}
OF_CUT = ("correct", "incorrect", "unfinished")


def main() -> None:
    """Keep what a run counted, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("keep", help="write what is counted")
    one.add_argument("run", type=Path, help="the folder of the recipe")
    one.add_argument("--output", type=Path, required=True)
    one = commands.add_parser("table", help="print the table")
    one.add_argument("files", type=Path, nargs="+")
    options = parser.parse_args()
    if options.command == "keep":
        found = compare([load(one) for one in evaluated(options.run)], THRESHOLDS)
        write_atomic(options.output, (json.dumps(row, ensure_ascii=False) + "\n" for row in kept(found)))
    else:
        rows = [json.loads(line) for file in options.files for line in file.read_text(encoding="utf-8").splitlines()]
        print(markdown(rows), "", *findings(grouped(rows)), sep="\n")


def evaluated(run: Path) -> list[Path]:
    """The finished evaluations of a run."""
    return sorted(one for one in (run / "evaluation").iterdir() if "seconds" in earlier(one))


def kept(comparison: Comparison) -> list[Json]:
    """One row a model and seed, of the greedy responses."""
    rows = []
    prompts = content_key(*comparison.design.prompts["greedy"])
    for model in comparison.design.models:
        arm = comparison.arms[model.label, "greedy"]
        sure = next(one for one in comparison.calibrations if one.model == model.label)
        for one in model.evaluations:
            rows.append(
                {
                    "model": model.label,
                    "role": model.role,
                    "seed": one.seed,
                    "seconds": earlier(one.model).get("seconds"),
                    "ece": sure.ece.value,
                    **outside(one.general),
                    **chosen(one.folder.parents[1] / "choices" / one.folder.name),
                    "prompts": prompts,
                    **{name: short(arm.seeds[one.seed][name]) for name in COUNTED},
                    **undoubted(one, comparison.design.prompts["greedy"]),
                    "cut": {
                        f"{t:g}": {name: short(its[one.seed][name]) for name in OF_CUT} for t, its in arm.cut.items()
                    },
                }
            )
    return rows


def undoubted(evaluation: Evaluation, prompts: Sequence[str]) -> Json:
    """What is counted of the greedy responses without the facts that they call doubtful; empty where they call none."""
    rows = {row.prompt_key: row for row in evaluation.rows("greedy")}
    left = {key: doubted(row) for key, row in rows.items()}
    if not any(left.values()):
        return {}
    found: Json = {name: [] for name in OF_CUT}
    for key in prompts:
        row, labels = rows[key], evaluation.labels[rows[key].key]
        said = [label for number, label in enumerate(labels) if number not in left[key]]
        found["correct"].append(said.count("correct"))
        found["incorrect"].append(said.count("incorrect"))
        found["unfinished"].append(int(unfinished(row, labels, evaluation.halting)))
    return {"undoubted": found}


def doubted(row: Scored) -> set[int]:
    """The fragments that a response calls doubtful: its reflection lists them, or "I am unsure." follows."""
    listed = {" ".join(one.split()) for one in read_reflection(row.response)[1] or ()}
    texts = [" ".join((one.claim or one.text).split()) for one in row.fragments]
    return {number for number, text in enumerate(texts) if text in listed or texts[number + 1 : number + 2] == [UNSURE]}


def short(values: Floats) -> list[float]:
    """Numbers as JSON, whole ones without a point."""
    return [int(one) if float(one).is_integer() else float(one) for one in values]


def outside(general: General | None) -> Json:
    """Bits a byte of text, and the share of short instructions that are followed; empty where neither was measured."""
    if general is None:
        return {}
    size = sum(one.bytes for one in general.windows)
    bits = sum(one.bits for one in general.windows) / size if size else None
    return {"bits": bits, "followed": sum(general.right) / len(general.right)}


def chosen(folder: Path) -> Json:
    """TruthfulQA's MC1 and MC2 from a folder of `rlhalt choose`; empty where they were not measured."""
    if "seconds" not in earlier(folder):
        return {}
    estimates = json.loads((folder / "choices.json").read_text(encoding="utf-8"))["estimates"]
    return {name: estimates[name]["value"] for name in ("mc1", "mc2")}


@dataclasses.dataclass(frozen=True)
class Less:
    """What a model earns at ½ beyond another one.

    Attributes:
        p: of the signed-rank test, corrected; None where nothing is compared.
    """

    gain: Estimate
    p: float | None

    @property
    def is_shown(self) -> bool:
        """See `rlhalt.evaluation.significance.Significance.shows`."""
        return self.p is not None and self.p < ALPHA and self.gain.includes_zero is False


def differences(found: Mapping[str, Sequence[Json]]) -> dict[tuple[str, bool], Less]:
    """The planned comparisons, by the model's name and whether it is cut: less `AGAINST`, paired."""
    asked = [
        (name, cut)
        for name in found
        for cut, other in AGAINST.items()
        if other in found and name not in ("base", other)
    ]
    gains, ps = [], []
    for name, cut in asked:
        both = paired(found[name], found[AGAINST[cut]])
        if not both:
            gains.append(Estimate(None))
            ps.append(None)
            continue
        one, other = ([pair[place] for pair in both] for place in (0, 1))
        gains.append(estimate(utility(one, 0.5, cut=cut) - utility(other, 0.5, cut=cut)))
        ps.append(wilcoxon(np.mean([earned(a, cut) - earned(b, cut) for a, b in both], axis=0)))
    return {one: Less(gain, p) for one, gain, p in zip(asked, gains, holm(ps), strict=True)}


def paired(its: Sequence[Json], others: Sequence[Json]) -> list[tuple[Json, Json]]:
    """The rows of two models with the same seed; what was not trained, a decoding of base, with every seed."""
    if its[0]["seconds"] is None:
        return [(its[0] | {"seed": other["seed"]}, other) for other in others]
    beside = {row["seed"]: row for row in others}
    return [(row, beside[row["seed"]]) for row in its if row["seed"] in beside]


def earned(row: Json, cut: bool) -> Floats:
    """The utility at ½ of each prompt of one seed; NaN where there is nothing to cut by."""
    of = row["cut"].get("0.5") if cut else row
    if of is None:
        return np.full(len(row["correct"]), np.nan)
    right, wrong, unfinished = (np.array(of[name], dtype=np.float64) for name in OF_CUT)
    return (right - wrong - unfinished) / 2


def findings(found: Mapping[str, Sequence[Json]]) -> list[str]:
    """One sentence a model, of what its differences say."""
    less = differences(found)
    said = []
    for name in ranked(found):
        parts = []
        for cut, other in AGAINST.items():
            one = less.get((name, cut))
            if one is None or one.gain.value is None:
                continue
            how, than = ("+ cut ", f"{other} + cut") if cut else ("", other)
            what = f"it earns {'more' if one.gain.value > 0 else 'less'} than" if one.is_shown else "no difference from"
            parts.append(f"{how}{what} {than}{'' if one.is_shown else ' is shown'}: {shown(one.gain)}")
        if parts:
            said.append(f"{name}: {'; '.join(parts)}.")
    return said


def ranked(found: Mapping[str, Sequence[Json]]) -> list[str]:
    """The models other than base, by what each + cut earns at ½; those without a cut come last."""
    at_half = {name: utility(its, 0.5, cut=True)[0] for name, its in found.items() if name != "base"}
    return sorted(at_half, key=lambda name: (np.isnan(at_half[name]), -at_half[name]))


def grouped(rows: Sequence[Json]) -> dict[str, list[Json]]:
    """Rows by model, in the order of their seeds; base is the same in every file, and its first row counts.

    Raises:
        InputError: rows of other prompts, or a model and seed twice.
    """
    if len(asked := sorted({row["prompts"] for row in rows})) > 1:
        raise InputError(
            f"expected rows of the same held-out prompts, found those of {len(asked)} sets; keep them anew"
        )
    base = [row for row in rows if row["role"] == "base"][:1]
    rows = [*base, *(row for row in rows if row["role"] != "base")]
    twice = [one for one, n in collections.Counter((row["model"], row["seed"]) for row in rows).items() if n > 1]
    if twice:
        raise InputError(f"expected one row a model and seed, found several of {twice[0][0]}, seed {twice[0][1]}")
    found: dict[str, list[Json]] = collections.defaultdict(list)
    for row in sorted(rows, key=lambda row: row["seed"]):
        found[row["model"]].append(row)
    return dict(found)


def markdown(rows: Sequence[Json]) -> str:
    """The table of rows that `kept` made: base first, then by the utility at ½ that each model + cut earns."""
    found = grouped(rows)
    less = differences(found)
    base = found.pop("base")
    utilities = [f"utility at {t:g}, + cut" for t in THRESHOLDS]
    utilities.append("at 0.5 without what it doubts")
    differing = ["less SFT at 0.5", "+ cut less reference + cut"]
    elsewhere = ["bits", "followed", "MC1", "MC2"]
    lines = [["model", "seeds", "correct", "kept", *utilities, *differing, "ECE", *elsewhere, "minutes"]]
    for name, its in {"base": base, **{name: found[name] for name in ranked(found)}}.items():
        of_others = [less.get((name, cut)) for cut in (False, True)]
        lines.append([name, str(len(its)), *measured(its, base)])
        lines[-1] += ["" if one is None else shown(one.gain) + (" *" if one.is_shown else "") for one in of_others]
        lines[-1] += [number(mean(its, one)) for one in ("ece", "bits")]
        lines[-1] += [share(mean(its, one)) for one in ("followed", "mc1", "mc2")]
        lines[-1].append(f"{mean(its, 'seconds') / 60:.1f}" if its[0]["seconds"] else "–")
    # What was measured for no model has no column.
    told = [any(line[n] != "–" for line in lines[1:]) for n in range(len(lines[0]))]
    lines = [[cell for cell, has in zip(line, told, strict=True) if has] for line in lines]
    lines.insert(1, ["---", *["--:"] * (len(lines[0]) - 1)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def mean(rows: Sequence[Json], name: str) -> float:
    """The mean over seeds of what was measured; NaN where nothing was."""
    known = [row[name] for row in rows if row.get(name) is not None]
    return float(np.mean(known)) if known else float("nan")


def share(value: float) -> str:
    """A share in per cent; a dash where it was not measured."""
    return "–" if np.isnan(value) else f"{100 * value:.0f} %"


def measured(rows: Sequence[Json], base: Sequence[Json]) -> list[str]:
    """Correctness, the share of base's right facts, and utilities, of all seeds of one model."""
    right, wrong = cells(rows, "correct"), cells(rows, "incorrect")
    known = np.tile(cells(base[:1], "correct"), len(rows))
    drawn = drawn_of(rows)
    utilities = [", ".join(number(utility(rows, t, cut=cut)[0]) for cut in (False, True)) for t in THRESHOLDS]
    return [
        shown(estimate(ratio(drawn, right, right + wrong)), percent=True),
        shown(estimate(ratio(drawn, right, known)), percent=True),
        *utilities,
        number(earns([row.get("undoubted") for row in rows], rows, 0.5)[0]),
    ]


def utility(rows: Sequence[Json], threshold: float, *, cut: bool) -> Floats:
    """Draws of the mean τ-utility of a model; NaN where there is nothing to cut by."""
    return earns([row["cut"].get(f"{threshold:g}") if cut else row for row in rows], rows, threshold)


def earns(of: Sequence[Json | None], rows: Sequence[Json], threshold: float) -> Floats:
    """Draws of the mean τ-utility of what is counted in each seed of a model; NaN where something is missing."""
    drawn = drawn_of(rows)
    if None in of:
        return np.full(len(drawn), np.nan)
    right, wrong, unfinished = (cells(of, name) for name in OF_CUT)
    gain = (1 - threshold) * right - threshold * (wrong + unfinished)
    return ratio(drawn, gain, np.ones_like(gain))


def drawn_of(rows: Sequence[Json]) -> Floats:
    """Bootstrap weights over the seeds and prompts of a model."""
    return crossed(seed_weights([row["seed"] for row in rows], seed=0), weights(len(rows[0]["correct"]), seed=0))


def cells(rows: Sequence[Mapping[str, Sequence[float]] | None], name: str) -> Floats:
    """One number for each prompt of each seed, all prompts of a seed together."""
    return np.concatenate([np.array(row[name]) for row in rows if row is not None])


def number(value: float) -> str:
    """Two digits; a dash where it is not defined."""
    return "–" if np.isnan(value) else f"{round(value, 2) + 0.0:.2f}".replace("-", "−")


def shown(one: Estimate, *, percent: bool = False) -> str:
    """A value with its interval."""
    if one.value is None:
        return "–"
    numbers = [number for number in (one.value, one.low, one.high) if number is not None]
    value, *interval = [f"{100 * number:.0f}" if percent else f"{number:.2f}" for number in numbers]
    unit = " %" if percent else ""
    return (f"{value}{unit}" + (f" ({' to '.join(interval)})" if interval else "")).replace("-", "−")


if __name__ == "__main__":
    main()
