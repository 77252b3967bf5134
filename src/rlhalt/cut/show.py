"""A calibration as a table for the terminal."""

from __future__ import annotations

from rlhalt.cut.calibration import Calibration


def table(calibration: Calibration) -> str:
    """What was fitted: a line for each temperature, and how often is right what is said at each τ."""
    lines = [
        f"{calibration.by} of {calibration.model} in {calibration.domain}, {len(calibration.prompts)} prompts; "
        "the errors are those on prompts that the map was not fitted on"
    ]
    for fit in calibration.fits:
        before, after = fit.ece_before["value"], fit.ece_after["value"]
        lines.append(
            f"temperature {fit.temperature:g}: {fit.n_fragments} fragments, {fit.n_correct} correct; "
            f"ECE {_number(before)} before, {_number(after)} after; AUROC {_number(fit.auroc['value'])}"
        )
        lines += [
            f"  τ = {at}: {'nothing is said' if share is None else f'{100 * share:.0f} % of what is said is correct'}"
            for at, share in fit.accuracy_at.items()
        ]
        lines += [
            f"  {100 * float(share):g} % of responses without an incorrect fragment: "
            + ("too few prompts" if at is None else f"τ = {at:g}")
            for share, at in fit.promises.items()
        ]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
