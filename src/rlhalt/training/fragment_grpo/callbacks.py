"""When a run of online training has diverged: the log shows it, and the run stops with a clear error.

Training finds every reward that needs no right answer. There are four signs: most responses make no claim, responses
become many times longer or shorter, all advantages of most groups are zero, the verifier breaks. One bad step is noise;
a sign that lasts for several logged steps in a row is not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from rlhalt.errors import InputError, TooManyFailures, TrainingDiverged


@dataclasses.dataclass(frozen=True)
class Limits:
    """When to stop; each share is of 1, and above 1 never stops.

    Attributes:
        refused: share of responses that make no claim.
        drift: how many times longer or shorter than at the start responses may get, in tokens.
        empty: share of groups in which no response moves anything.
        failed: share of fragments whose scoring failed; the domain's `max_failure_rate`.
        patience: logged steps in a row that a sign stands before the run is stopped.
    """

    refused: float
    drift: float
    empty: float
    failed: float
    patience: int

    def __post_init__(self) -> None:
        if self.patience < 1 or self.drift <= 1:
            raise InputError("expected a patience of at least 1 and a drift above 1", field="alarms")


def check(history: Sequence[Mapping[str, float]], limits: Limits) -> None:
    """Look at the log of a run so far.

    Args:
        history: one mapping a logged step, as in `trainer_state.json`; those without `responses/refused` are others'.

    Raises:
        TooManyFailures: the verifier breaks.
        TrainingDiverged: one of the other signs.
    """
    steps = [one for one in history if one.get("responses/refused") is not None]
    if len(steps) < limits.patience:
        return
    first, last = steps[0], steps[-limits.patience :]

    def stands(name: str, limit: float) -> bool:
        return all((one.get(name) or 0.0) > limit for one in last)

    since = f"in {limits.patience} logged steps in a row"
    if stands("fragments/failure_share", limits.failed):
        share = last[-1]["fragments/failure_share"]
        raise TooManyFailures(
            f"more than {limits.failed:.0%} of fragments failed {since}, {share:.0%} in the last; repair the verifier "
            "and resume from the last checkpoint"
        )
    if stands("responses/refused", limits.refused):
        raise TrainingDiverged(
            f"more than {limits.refused:.0%} of responses made no claim {since}: nothing is left to learn from; "
            "take a lower threshold, a larger beta or a smaller learning_rate, or raise max_refused"
        )
    if stands("groups/empty", limits.empty):
        raise TrainingDiverged(
            f"in more than {limits.empty:.0%} of groups all advantages were zero {since}; use prompts that the model "
            "sometimes gets wrong, or more num_generations, or raise max_empty"
        )
    start = first.get("completions/mean_length") or 0.0
    lengths = [one.get("completions/mean_length") or 0.0 for one in last]
    if all(one > start * limits.drift or one * limits.drift < start for one in lengths):
        raise TrainingDiverged(
            f"responses have {lengths[-1]:.0f} tokens, {start:.0f} at the start: {limits.drift:g} times more or fewer "
            f"{since}; take a larger beta, or raise max_drift"
        )
