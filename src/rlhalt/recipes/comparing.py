"""Each model of a recipe evaluated on held-out prompts, the pretrained one in several decodings, and all compared."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rlhalt.decoding.setup import Decoding
from rlhalt.evaluation.design import CutBy
from rlhalt.evaluation.folder import label
from rlhalt.evaluation.run import Policy, evaluate
from rlhalt.files.locks import locked
from rlhalt.files.provenance import Run
from rlhalt.recipes import untrained
from rlhalt.recipes.data import Part
from rlhalt.recipes.decoding import reads
from rlhalt.recipes.recipe import Recipe
from rlhalt.running.stages import Stage


@dataclasses.dataclass(frozen=True)
class Asked:
    """A model that is evaluated.

    Attributes:
        decoding: how its responses are chosen; None for its probabilities alone.
    """

    policy: Policy
    decoding: Decoding | None = None

    @property
    def label(self) -> str:
        """What it is called in tables."""
        name = self.policy.name if self.decoding is None else f"{self.policy.name} {self.decoding.name}"
        return label(name, self.policy.threshold)

    @property
    def reads(self) -> str:
        """The model of the recipe without which it cannot be asked."""
        return (self.decoding and reads(self.decoding)) or self.policy.model

    @property
    def needs(self) -> tuple[Path, ...]:
        """All files of the recipe that it reads."""
        found = (self.policy.model, self.reads, (self.decoding and self.decoding.scored) or "")
        return tuple(Path(one) for one in found if one)

    @property
    def left_out(self) -> str | None:
        """Why it has no row of numbers; None where it has one."""
        why = untrained.why(self.reads)
        if why is None:
            return None
        return f"not trained: {why}" if self.reads == self.policy.model else f"what it reads was not trained: {why}"


def comparing(
    recipe: Recipe, part: Part, policies: Mapping[str, Policy], decodings: Sequence[Decoding] = ()
) -> list[Stage]:
    """Evaluates the pretrained model and policies on one domain, by the name of their folder, and compares them.

    Args:
        decodings: of the pretrained model, each with a row of its own.
    """
    base = dataclasses.replace(part.base, template_args=recipe.chat_template_kwargs)
    asked = {"base": Asked(base)}
    asked |= {f"base-{one.name}": Asked(base, one) for one in decodings}
    for name, policy in policies.items():
        asked[name] = Asked(dataclasses.replace(policy, template_args=recipe.chat_template_kwargs))
    folders = {name: part.folder / "evaluation" / name for name in asked}
    evaluating = functools.partial(
        evaluate,
        samples=recipe.evaluation_responses,
        temperature=recipe.temperature,
        engine=recipe.engine,
        max_tokens=recipe.max_tokens,
    )
    said = f"{part.domain.domain} " if len(recipe.domains) > 1 else ""
    stages = []
    for name, one in asked.items():
        other = None if name == "base" else base
        work = functools.partial(
            evaluating, one.policy, part.held_out, part.judging, folders[name], base=other, decoding=one.decoding
        )
        stage = Stage("evaluate", f"{said}{name}", folders[name], work, one.needs)
        stages.append(untrained.after(stage, one.reads))
    to = part.folder / "report"
    work = functools.partial(_compared, asked, folders, to)
    return [*stages, Stage("compare", said.strip(), to, work, tuple(folders.values()))]


def _compared(asked: Mapping[str, Asked], folders: Mapping[str, Path], to: Path) -> Path:
    reasons = {name: why for name, one in asked.items() if (why := one.left_out) is not None}
    return report(
        [folder for name, folder in folders.items() if name not in reasons],
        to,
        untrained={asked[name].label: why for name, why in reasons.items()},
    )


def several(reports: Mapping[str, Path], out: Path) -> list[Stage]:
    """Puts the reports of several domains, by the name of the domain, into one table and one page."""
    work = functools.partial(_several, reports, out)
    return [Stage("compare", "all domains", out, work, tuple(reports.values()))]


def _several(reports: Mapping[str, Path], out: Path) -> None:
    from rich.console import Console

    from rlhalt.evaluation.several_domains import write_overview
    from rlhalt.report.domains_page import write_domains

    rows = write_overview(list(reports.values()), out)
    write_domains(rows, reports, out / "report.html")
    Console().print(f"all domains: {out / 'report.html'}", soft_wrap=True, highlight=False)


def report(
    folders: Sequence[Path],
    out: Path,
    cut_by: CutBy = "token_probability",
    untrained: Mapping[str, str] | None = None,
) -> Path:
    """Compare evaluations: files into `out`, the table and the report's path onto the terminal.

    Args:
        cut_by: the confidence that every model + cut is cut by.
        untrained: models that could not be evaluated, by their labels, and why.

    Raises:
        InputError: see `rlhalt.evaluation.comparison`.
    """
    from rich.console import Console

    from rlhalt.evaluation.comparison import compare
    from rlhalt.evaluation.folder import load
    from rlhalt.evaluation.output import write as write_comparison
    from rlhalt.evaluation.tables import table
    from rlhalt.report.page import write_report

    evaluations = [load(folder) for folder in folders]
    comparison = compare(evaluations, cut_by=cut_by, untrained=untrained or {})
    inputs = [folder / "scored.jsonl" for folder in folders]
    config = {"folders": [str(folder) for folder in folders], "cut_by": cut_by}
    with locked(out), Run("compare", out, inputs=inputs, config=config):
        write_comparison(comparison, out)
        write_report(comparison, evaluations, out / "report.html")
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(table(comparison))
    console.print(f"report: {out / 'report.html'}", soft_wrap=True, highlight=False)
    return out / "report.html"
