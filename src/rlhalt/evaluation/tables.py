"""The comparison as rows of text: for the terminal, for Markdown, and for the report."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from rlhalt.evaluation.bootstrap import Estimate
from rlhalt.evaluation.comparison import Comparison, Difference, Metrics

if TYPE_CHECKING:
    from rich.table import Table

NOT_DEFINED = "–"
NOT_MEASURED = "not measured"
# With fewer, what one training came to by chance cannot be told from what it teaches.
FEW_SEEDS = 3


@dataclasses.dataclass(frozen=True)
class Cell:
    """A value as text, and its interval as text, empty where there is none."""

    value: str
    interval: str = ""

    def __str__(self) -> str:
        return f"{self.value} ({self.interval})" if self.interval else self.value


@dataclasses.dataclass(frozen=True)
class Row:
    """One measure of all models, in the order of `Comparison.models`.

    Attributes:
        measure: its name in `metrics.DEFINITIONS` or `arms.BY_THRESHOLD`, or `elsewhere`.
        threshold: the τ of a measure of `BY_THRESHOLD`.
    """

    title: str
    measure: str
    cells: list[Cell]
    threshold: float | None = None

    @property
    def same(self) -> bool:
        """Whether all models, two at least, have one and the same value."""
        return len(self.cells) > 1 and len(set(self.cells)) == 1


def _signed(text: str) -> str:
    """A real minus sign, and none before zero."""
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def percent(share: float) -> str:
    """A share as a whole per cent, without the sign; below 10 % with one decimal."""
    return _signed(f"{100 * share:.1f}" if 0 < abs(share) < 0.0995 else f"{100 * share:.0f}")


def number(value: float) -> str:
    """Three digits or so."""
    return _signed(f"{value:.{0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2}f}")


def precise(value: float) -> str:
    """Three decimals, for what differs little."""
    return _signed(f"{value:.3f}")


def cell(estimate: Estimate, form: Callable[[float], str]) -> Cell:
    """An estimate as text; `–` where it is not defined."""
    if estimate.value is None:
        return Cell(NOT_DEFINED)
    if estimate.low is None or estimate.high is None:
        return Cell(form(estimate.value))
    low, high = form(estimate.low), form(estimate.high)
    if low == high == form(estimate.value):
        return Cell(low)
    return Cell(form(estimate.value), f"{low} to {high}" if estimate.low < 0 else f"{low}–{high}")


MEASURES: list[tuple[str, str, Callable[[float], str]]] = [
    ("right facts", "right", number),
    ("wrong facts", "wrong", number),
    ("correctness, %", "correctness", percent),
    ("completeness, %", "completeness", percent),
    ("of a full answer, %", "completeness_full", percent),
    ("F1, %", "f1", percent),
    ("correctness (macro), %", "correctness_macro", percent),
    ("completeness (macro), %", "completeness_macro", percent),
    ("F1 (macro), %", "f1_macro", percent),
    ("F1, full answer, %", "f1_full", percent),
    ("FActScore, %", "factscore", percent),
    ("FActScore, penalised, %", "factscore_penalised", percent),
    ("F1@K, %", "f1_at_k", percent),
    ("utility", "utility", number),
    ("right answers, %", "accuracy", percent),
    ("held back, %", "abstention_rate", percent),
    ("truthfulness", "truthfulness", number),
    ("prudence, %", "prudence", percent),
    ("over-conservativeness, %", "over_conservativeness", percent),
    ("honesty, %", "honesty", percent),
    ("abstention precision, %", "abstention_precision", percent),
    ("abstention recall, %", "abstention_recall", percent),
    ("reflection accuracy, %", "reflection_accuracy", percent),
    ("halts, %", "halt_rate", percent),
    ("empty, %", "empty_share", percent),
    ("over-abstention, %", "over_abstention", percent),
    ("claims", "claims", number),
    ("unverifiable", "unverifiable", number),
    ("cut off, %", "cut_off_share", percent),
    ("vague, %", "vague_share", percent),
    ("duplicates, %", "duplicate_share", percent),
    ("failed, %", "failed_share", percent),
    ("tokens", "tokens", number),
]

# Below each utility; the shares, whose intervals are wide, at the end of the table.
BELOW_UTILITY: list[tuple[str, str]] = [("  + cut", "utility_cut"), ("  unverifiable as wrong", "utility_strict")]
SHARES: list[tuple[str, str]] = [
    ("share of base + cut's utility at τ = {}, %", "share"),
    ("share of its own + cut's utility at τ = {}, %", "share_own"),
]

ALWAYS = {
    "right",
    "wrong",
    "correctness",
    "completeness",
    "f1",
    "utility",
    "utility_cut",
    "halt_rate",
    "empty_share",
    "claims",
    "tokens",
}

# With more models than this a row is a model, and its columns are these; on a screen those with short names.
MANY = 8
BRIEF = {"right", "wrong", "correctness", "completeness", "f1", "utility", "utility_cut", "halt_rate"}
SHORT = {
    "right": "right",
    "wrong": "wrong",
    "correctness": "corr.\n%",
    "completeness": "compl.\n%",
    "halt_rate": "halts\n%",
}

# What a screen has room for; the files and the report have all.
ON_SCREEN = ALWAYS | {
    "completeness_full",
    "honesty",
    "over_abstention",
    "unverifiable",
    "duplicate_share",
    "failed_share",
    "elsewhere",
}


def rows(comparison: Comparison, decoding: str) -> list[Row]:
    """The table of one decoding.

    Measures that are 0 or not defined for every model are left out, unless they are always asked for.
    """
    models = [comparison.get(model, decoding) for model in comparison.models]
    table = []
    for title, measure, form in MEASURES:
        if measure == "utility":
            for t in comparison.thresholds:
                table.append(Row(f"utility at τ = {t:g}", measure, [cell(m.utility[t], form) for m in models], t))
                table += [_at(models, title, name, t, form) for title, name in BELOW_UTILITY]
        elif measure in ALWAYS or any(m[measure].value for m in models):
            table.append(Row(title, measure, [cell(m[measure], form) for m in models]))
    for title, name in SHARES:
        table += [_at(models, title.format(f"{t:g}"), name, t, percent) for t in comparison.thresholds]
    # Under no decoding of the held-out prompts: once is enough.
    return table + _elsewhere(comparison) if decoding == comparison.decodings[0] else table


def _at(models: list[Metrics], title: str, measure: str, t: float, form: Callable[[float], str]) -> Row:
    return Row(title, measure, [cell(getattr(m, measure)[t], form) for m in models], t)


def _elsewhere(comparison: Comparison) -> list[Row]:
    measured = {one.model: one for one in comparison.elsewhere}
    forms: list[tuple[str, str, Callable[[float], str]]] = [
        ("bits a byte of text", "bits", precise),
        ("perplexity of text", "perplexity", number),
        ("instructions followed, %", "right", percent),
    ]
    table = []
    for title, name, form in forms:
        if any(getattr(one, name).value is not None for one in comparison.elsewhere):
            each = (getattr(measured.get(model), name, Estimate(None)) for model in comparison.models)
            table.append(Row(title, "elsewhere", [cell(one, form) for one in each]))
    return table


def caption(comparison: Comparison) -> str:
    """What the numbers are over, in one line."""
    some: list[Metrics] = [comparison.get(comparison.base, decoding) for decoding in comparison.decodings]
    prompts = " and ".join(f"{one.n_prompts} ({one.decoding})" for one in some)
    if len({one.n_prompts for one in some}) == 1:
        prompts = str(some[0].n_prompts)
    seeds = {one.name: len(one.seeds) for one in comparison.metrics}
    few = any(len(one.seeds) < FEW_SEEDS for one in comparison.metrics if one.role != "base")
    trained = f"; seeds: {', '.join(f'{name} {n}' for name, n in seeds.items())}" if len(seeds) > 1 else ""
    trained += f" (fewer than {FEW_SEEDS})" if few else ""
    plural = "" if prompts == "1" else "s"
    over = "prompts and seeds" if any(n > 1 for n in seeds.values()) else "prompts, not over training seeds"
    return f"{some[0].domain}: {prompts} held-out prompt{plural}, per response; 95 % intervals over {over}{trained}"


def cut_note(comparison: Comparison) -> str:
    """What + cut is, and which models have none, in a sentence or two."""
    missing = dict.fromkeys((one.model, one.no_cut) for one in comparison.metrics if one.no_cut)
    own = comparison.design.cut_by == "token_probability"
    by = "the model's own token probability" if own else "the trained reward model"
    without = "".join(f" None of {model}: {why}." for model, why in missing)
    return (
        f"+ cut: the same responses without what {by}, calibrated on the other half of the prompts, puts below "
        f"τ.{without}"
    )


def table(comparison: Comparison) -> Table:
    """A table for the terminal, at most 100 columns wide: models beside each other, greedy above sampled.

    More than `MANY` models stand below each other, with fewer measures.
    """
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    if len(comparison.models) > MANY:
        return _tall(comparison)
    # Five models fit with intervals in brackets; more models only without.
    roomy = len(comparison.models) <= 5
    told = " ".join([f"{caption(comparison)}.", cut_note(comparison), *comparison.design.notes])
    shown = Table(caption=told, caption_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    shown.add_column("", no_wrap=True)
    for model in comparison.models:
        shown.add_column(escape(model), justify="right")
    for decoding in comparison.decodings:
        shown.add_row(f"[bold]{decoding}[/bold]")
        for row in (one for one in rows(comparison, decoding) if one.measure in ON_SCREEN):
            intervals = roomy and row.measure == "correctness"
            shown.add_row(row.title, *(str(c) if intervals else c.value for c in row.cells))
        shown.add_section()
    return shown


def _tall(comparison: Comparison) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    told = " ".join([f"{caption(comparison)}; u@τ: utility at τ.", cut_note(comparison), *comparison.design.notes])
    shown = Table(caption=told, caption_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    shown.add_column("", no_wrap=True)
    for title in _paired(comparison, comparison.decodings[0]):
        shown.add_column(title, justify="right")
    for decoding in comparison.decodings:
        shown.add_row(f"[bold]{decoding}[/bold]")
        columns = _paired(comparison, decoding).values()
        for n, model in enumerate(comparison.models):
            shown.add_row(escape(model), *(values[n] for values in columns))
        for model in comparison.untrained:
            shown.add_row(escape(model), *[NOT_DEFINED] * len(columns))
        shown.add_section()
    return shown


def _paired(comparison: Comparison, decoding: str) -> dict[str, list[str]]:
    """The brief table by its short titles, a utility as it is and + cut in one column: there is no room for two."""
    columns: dict[str, list[str]] = {}
    before: list[Cell] = []
    for row in _brief(comparison, decoding):
        if row.measure == "utility":
            before = row.cells
        elif row.measure == "utility_cut":
            both = zip(before, row.cells, strict=True)
            columns[f"u@{row.threshold:g}\n+ cut"] = [f"{one.value} {cut.value}" for one, cut in both]
        elif row.measure in SHORT:
            columns[SHORT[row.measure]] = [one.value for one in row.cells]
    return columns


def _brief(comparison: Comparison, decoding: str) -> list[Row]:
    return [row for row in rows(comparison, decoding) if row.measure in BRIEF]


def by_model(comparison: Comparison, decoding: str) -> list[list[str]]:
    """The measures of `BRIEF`, a row a model; a header first."""
    brief = _brief(comparison, decoding)
    models = [[model, *(str(row.cells[n]) for row in brief)] for n, model in enumerate(comparison.models)]
    titles = [row.title if row.measure != "utility_cut" else f"+ cut at τ = {row.threshold:g}" for row in brief]
    unknown = [NOT_DEFINED] * (len(brief) - 1)
    missing = [[model, why, *unknown] for model, why in comparison.untrained.items()]
    return [[decoding, *titles], *models, *missing]


def differences(comparison: Comparison, decoding: str) -> list[list[str]]:
    """Every difference with its interval, its corrected p where it is tested, and what could have been seen; a header
    first.
    """
    names = {f"utility@{t:g}": f"utility at τ = {t:g}" for t in comparison.thresholds}
    names = {"correctness": "correctness, points", "completeness": "completeness, points", **names}
    found = [["model", "less", *names.values()]]
    for one in comparison.differences:
        if one.decoding == decoding:
            cells = [
                _tested(one, name, percent if name in ("correctness", "completeness") else number) for name in names
            ]
            found.append([one.model, one.versus, *cells])
    return found


def _tested(one: Difference, name: str, form: Callable[[float], str]) -> str:
    if name not in one.estimates:
        return NOT_DEFINED
    test = one.tests[name]
    text = str(cell(one.estimates[name], form))
    if test.p_holm is not None:
        text += " p < 0.001" if test.p_holm < 0.001 else f" p {test.p_holm:.2g}"
        text += " *" if test.shows(one.estimates[name]) else ""
    return text if test.detectable is None else f"{text}, ≥ {form(test.detectable)}"


def tested(comparison: Comparison) -> str:
    """What the p-values and bounds of `differences` are, in two sentences."""
    number_of = sum(test.p is not None for one in comparison.differences for test in one.tests.values())
    return (
        "p: only what was planned is tested (each model less base, in correctness and in utility at its own τ; less "
        "what its training started from, and + cut less base + cut, in that utility), by the signed-rank test over "
        f"prompts, corrected for these {number_of} (Holm); *: shown, p below 0.05 and the interval leaves out 0. "
        "≥: the smallest difference that so many prompts and seeds would have shown with 80 % probability, before "
        "correction"
    )


def relations(comparison: Comparison, decoding: str) -> list[list[str]]:
    """Right / wrong facts a response by relation, a column a model; a header first, alone where no verdict tells."""
    its = [one for one in comparison.relations if one.decoding == decoding]
    found = [["right / wrong facts by relation", *comparison.models]]
    for name in dict.fromkeys(one.relation for one in its):
        by_model = {one.model: one for one in its if one.relation == name}
        cells = [
            f"{number(by_model[m].right.value or 0)} / {number(by_model[m].wrong.value or 0)}"
            if m in by_model
            else "0 / 0"
            for m in comparison.models
        ]
        found.append([name, *cells])
    return found


def sources(comparison: Comparison) -> dict[str, list[tuple[str, list[Cell]]]]:
    """By model, every source of confidence with facts, ECE, Brier score and AUROC; without cells where not measured."""
    found: dict[str, list[tuple[str, list[Cell]]]] = {}
    for one in comparison.sources:
        numbers = [Cell(str(one.n)), *(cell(each, number) for each in (one.ece, one.brier, one.auroc))]
        found.setdefault(one.model, []).append((one.source, numbers if one.n else []))
    return found


def markdown(comparison: Comparison) -> str:
    """The same as Markdown, every interval given, with the differences and the facts by relation.

    Of many models the brief table comes first, a row a model: the one for a paper.
    """
    lines = [caption(comparison), "", cut_note(comparison), ""]
    for note in comparison.design.notes:
        lines += [note, ""]
    if len(comparison.models) > MANY:
        for decoding in comparison.decodings:
            lines += _markdown(by_model(comparison, decoding), left=1)
    for decoding in comparison.decodings:
        body = [[row.title, *map(str, row.cells)] for row in rows(comparison, decoding)]
        lines += _markdown([[decoding, *comparison.models], *body], left=1)
    if comparison.differences:
        lines += [tested(comparison), ""]
        for decoding in comparison.decodings:
            lines += [f"{decoding}:", "", *_markdown(differences(comparison, decoding), left=2)]
    for decoding in comparison.decodings if comparison.relations else ():
        lines += [f"{decoding}:", "", *_markdown(relations(comparison, decoding), left=1)]
    lines += ["How sure it is, and how far that can be trusted, by where the confidence comes from:", ""]
    for model, its in sources(comparison).items():
        unknown = [NOT_MEASURED, *[NOT_DEFINED] * 3]
        body = [[source, *(map(str, cells) if cells else unknown)] for source, cells in its]
        lines += _markdown([[model, "facts", "ECE", "Brier", "AUROC"], *body], left=1)
    return "\n".join(lines)


def _markdown(cells: list[list[str]], left: int) -> list[str]:
    header, *body = (f"| {' | '.join(line)} |" for line in cells)
    return [header, "|" + "---|" * left + "--:|" * (len(cells[0]) - left), *body, ""]
