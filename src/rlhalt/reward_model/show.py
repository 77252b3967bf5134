"""A reward model as a table for the terminal and for its card."""

from __future__ import annotations

from rlhalt.evaluation.bootstrap import Estimate
from rlhalt.reward_model.folder import Description


def table(told: Description) -> str:
    """The class balance of each part of the prompts, and what was measured on the test part."""
    its = told.figures
    where = f", layer {told.layer}" if told.layer is not None else ""
    unverifiable = "; unverifiable fragments count as incorrect" if told.unverifiable == "incorrect" else ""
    lines = [
        f"{told.kind} on {told.model}{where}, in {told.domain}, after the verdicts of {told.verifier}{unverifiable}",
        f"{'':<12}{'prompts':>9}{'correct':>9}{'incorrect':>11}{'share correct':>15}",
    ]
    for name, one in (("train", its.train), ("validation", its.validation), ("test", its.test)):
        lines.append(
            f"{name:<12}{one.prompts:>9}{one.correct:>9}{one.incorrect:>11}{one.correct / max(one.decided, 1):>15.3f}"
        )
    lines.append("on the test part, with 95 % intervals over prompts:")
    lines += [
        f"  {name:<34}{shown(value)}"
        for name, value in (
            ("AUROC", its.auroc),
            ("AUPRC of the incorrect fragments", its.auprc),
            ("ECE before calibration", its.ece_before),
            ("ECE after calibration", its.ece_after),
            ("first error found (F1)", its.first_error),
        )
    ]
    return "\n".join(lines)


def shown(one: Estimate) -> str:
    """A number with its interval."""
    if one.value is None:
        return "not defined"
    if one.low is None or one.high is None:
        return f"{one.value:.3f}"
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
