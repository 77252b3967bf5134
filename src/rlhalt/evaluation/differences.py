"""Two models on the same prompts: how much better one is, and whether that could be chance."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from rlhalt.evaluation.bootstrap import Estimate, Floats, estimate
from rlhalt.evaluation.significance import Significance, detectable, holm, wilcoxon


@dataclasses.dataclass(frozen=True)
class Side:
    """One of the two models.

    Attributes:
        draws: of every measure, under the same weights for both models, so that differences are paired.
        by_prompt: of the measures that are tested, one number a prompt, NaN where it is not defined.
    """

    model: str
    draws: Mapping[str, Floats]
    by_prompt: Mapping[str, Floats]


@dataclasses.dataclass(frozen=True)
class Difference:
    """`model` minus `versus` on the same prompts, paired.

    Attributes:
        tests: by the name of the difference: `correctness`, `completeness`, `utility@τ`.
    """

    model: str
    versus: str
    decoding: str
    correctness: Estimate
    completeness: Estimate
    utility: dict[float, Estimate]
    tests: dict[str, Significance]


def contrasts(trained_at: Mapping[str, float | None]) -> list[tuple[str, str]]:
    """Every trained model against base, and against SFT, where there is one; and those of one τ against each other.

    Args:
        trained_at: the τ of each model; of two with the same one the later is compared with the earlier.
    """
    trained = [model for model in trained_at if model != "base"]
    against_sft = [(model, "SFT") for model in trained if model != "SFT"] if "SFT" in trained else []
    alike = [
        (later, earlier)
        for earlier, later in itertools.combinations(trained, 2)
        if trained_at[later] is not None and trained_at[later] == trained_at[earlier]
    ]
    return [(model, "base") for model in trained] + against_sft + alike


def difference(model: Side, versus: Side, decoding: str, thresholds: Sequence[float]) -> Difference:
    """The paired difference, its p-values not corrected yet."""

    def minus(name: str) -> Estimate:
        return estimate(model.draws[name] - versus.draws[name])

    return Difference(
        model=model.model,
        versus=versus.model,
        decoding=decoding,
        correctness=minus("correctness"),
        completeness=minus("completeness"),
        utility={t: minus(f"utility@{t:g}") for t in thresholds},
        tests={name: _test(model, versus, name) for name in model.by_prompt},
    )


def _test(model: Side, versus: Side, name: str) -> Significance:
    more = model.by_prompt[name] - versus.by_prompt[name]
    return Significance(
        n_prompts=int(np.isfinite(more).sum()),
        p=wilcoxon(more),
        p_holm=None,
        detectable=detectable(model.draws[name] - versus.draws[name]),
    )


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """The differences with their p-values corrected for all of them."""
    ps = iter(holm([test.p for one in differences for test in one.tests.values()]))
    return [
        dataclasses.replace(
            one,
            tests={name: dataclasses.replace(test, p_holm=next(ps)) for name, test in one.tests.items()},
        )
        for one in differences
    ]
