"""One self-contained HTML page from a comparison and the responses behind it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from rlhalt.evaluation import tables
from rlhalt.evaluation.arms import BY_THRESHOLD
from rlhalt.evaluation.comparison import Comparison
from rlhalt.evaluation.folder import Evaluation
from rlhalt.evaluation.metrics import DEFINITIONS
from rlhalt.evaluation.switch_point import RESAMPLES
from rlhalt.records import write_atomic
from rlhalt.report import findings, frontier, halting, obedience, plots, summary, switch_point, winloss
from rlhalt.report.cost import costs
from rlhalt.report.examples import VERDICTS, examples
from rlhalt.report.palette import MOST, legend


def unbroken(sentence: str) -> str:
    """No line break within `τ = 0.5` and `p < 0.001`, and before `%`."""
    for sign in "=<":
        sentence = sentence.replace(f" {sign} ", f"\u00a0{sign}\u00a0")
    return sentence.replace(" %", "\u00a0%")


def render(comparison: Comparison, evaluations: Sequence[Evaluation]) -> str:
    """The page as text."""
    folder = files("rlhalt.report")
    style, script = (folder.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(folder.joinpath("page.html.j2").read_text(encoding="utf-8"))
    measured = {decoding: tables.rows(comparison, decoding) for decoding in comparison.decodings}
    sources = tables.sources(comparison)
    known = {name for table in sources.values() for name, numbers in table if numbers}
    return template.render(
        comparison=comparison,
        several_seeds=any(len(one.seeds) > 1 for one in comparison.metrics),
        style=Markup(style),
        script=Markup(script),
        # Only this very script may run on the page, whatever a response contains.
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        caption=tables.caption(comparison),
        sentences=[unbroken(sentence) for sentence in summary.sentences(comparison)],
        others=[unbroken(sentence) for sentence in summary.others(comparison)],
        rows={decoding: [row for row in rows if not row.same] for decoding, rows in measured.items()},
        same={
            decoding: [f"{row.title.strip()} {row.cells[0].value}" for row in rows if row.same]
            for decoding, rows in measured.items()
        },
        definitions=DEFINITIONS,
        by_threshold=BY_THRESHOLD,
        base_name=comparison.design.base.name,
        many=tables.MANY,
        cut_off=any(one["cut_off_share"].value for one in comparison.metrics),
        about_tests=tables.tested(comparison),
        about_cut=tables.cut_note(comparison),
        relations={one: tables.relations(comparison, one) for one in comparison.decodings if comparison.relations},
        sources={model: [one for one in table if one[0] in known] for model, table in sources.items()},
        not_measured=[name for name, _ in next(iter(sources.values()), []) if name not in known],
        cell=tables.cell,
        number=tables.number,
        percent=tables.percent,
        precise=tables.precise,
        p_value=findings.p_value,
        examples=examples(comparison, evaluations),
        featured=comparison.get(summary.featured(comparison), comparison.decodings[0]),
        verdicts=VERDICTS,
        **_figures(comparison, evaluations),
    )


def _figures(comparison: Comparison, evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    decodings, first, middle = comparison.decodings, comparison.decodings[0], comparison.design.middle
    halts = halting.haltings(comparison, evaluations, first)
    won = winloss.wins(comparison, first)
    trained = len(comparison.models) > 1
    return {
        "legend": legend(comparison, summary.featured(comparison)),
        "most_shown": MOST,
        "middle": middle,
        "trade_offs": {one: frontier.trade_off(comparison, one, middle) for one in decodings},
        "utility_lines": {one: plots.utility_lines(comparison, one) for one in decodings},
        "utilities": {one: plots.utilities(comparison, one) for one in decodings},
        "differences": plots.differences(comparison, first) if trained else "",
        "gains": {one: plots.gains(comparison, one) for one in decodings} if trained else {},
        "calibrations": [
            (
                summary.CONFIDENCES[name],
                [plots.reliability(comparison, one) for one in comparison.calibrations if one.confidence == name],
                plots.risk_coverage(comparison, name),
                [one for one in comparison.calibrations if one.confidence == name],
            )
            for name in dict.fromkeys(one.confidence for one in comparison.calibrations)
        ],
        "switches": {
            one: (switch_point.curves(comparison, one, "matter"), switch_point.curves(comparison, one, "words"))
            for one in decodings
        },
        "switch_resamples": RESAMPLES,
        "obedience": {
            one: {name: obedience.facts_over_thresholds(comparison, one, name) for name in its}
            for one in decodings
            if (its := obedience.families(comparison, one))
        },
        "rightness": {one: switch_point.correctness(comparison, one) for one in decodings},
        "halts": halts,
        "endings": halting.ENDINGS,
        "reaching": halting.reaching(comparison, halts),
        "right_at": halting.right(comparison, halts),
        "won": won,
        "won_bars": winloss.bars(won) if won else "",
        "costs": costs(comparison, evaluations, first),
    }


def write_report(comparison: Comparison, evaluations: Sequence[Evaluation], path: str | Path) -> None:
    """Write the page: summary, figures, tests, costs, the table, and every held-out prompt with the models' answers.

    Args:
        evaluations: those that the comparison was made from; the answers are theirs.
    """
    write_atomic(path, [render(comparison, evaluations)])
