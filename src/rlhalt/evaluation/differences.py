"""Two models on the same prompts: how much better one is, and whether that could be chance."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from rlhalt.evaluation.arms import Arm
from rlhalt.evaluation.bootstrap import Estimate, Floats, estimate
from rlhalt.evaluation.design import CUT, Design
from rlhalt.evaluation.significance import Significance, detectable, holm, wilcoxon

NOT_DEFINED = Estimate(None)


@dataclasses.dataclass(frozen=True)
class Difference:
    """`model` minus `versus` on the same prompts, paired.

    Attributes:
        model, versus: labels; `DPO τ=0.5 + cut` for a model + cut.
        planned: whether it is tested, see `rlhalt.evaluation.design`.
        estimates: by the name of the difference, `correctness`, `completeness`, `utility@τ`; between models + cut,
            which are other models at each τ, `utility@τ` alone.
        tests: the same names; p-values where it is planned, under the first decoding.
    """

    model: str
    versus: str
    decoding: str
    planned: bool
    estimates: dict[str, Estimate]
    tests: dict[str, Significance]

    @property
    def correctness(self) -> Estimate:
        """The difference in correctness."""
        return self.estimates.get("correctness", NOT_DEFINED)

    @property
    def completeness(self) -> Estimate:
        """The difference in completeness."""
        return self.estimates.get("completeness", NOT_DEFINED)

    @property
    def utility(self) -> dict[float, Estimate]:
        """The differences in utility, by τ."""
        return {
            float(name.removeprefix("utility@")): one
            for name, one in self.estimates.items()
            if name.startswith("utility@")
        }


def differences(design: Design, arms: Mapping[tuple[str, str], Arm]) -> list[Difference]:
    """Every difference of the design, models + cut behind the models as they are; p-values corrected for all tests."""
    found = []
    for decoding in design.decodings:
        for contrast in design.contrasts:
            model, versus = arms[contrast.model, decoding], arms[contrast.versus, decoding]
            found.append(
                _difference(
                    (contrast.model, versus.model.label),
                    decoding,
                    {name: model.draws[name] - versus.draws[name] for name in model.by_prompt},
                    {name: its - versus.by_prompt[name] for name, its in model.by_prompt.items()},
                    _tested(design, model, decoding, contrast.tested),
                    planned=bool(contrast.tested),
                )
            )
    for decoding in design.decodings:
        base = arms[design.base.label, decoding]
        for other in design.others:
            model = arms[other.label, decoding]
            if not (model.cut and base.cut):
                continue
            names = {f"utility@{t:g}": t for t in design.thresholds}
            found.append(
                _difference(
                    (f"{other.label}{CUT}", f"{design.base.label}{CUT}"),
                    decoding,
                    {name: model.cut_draws[t][name] - base.cut_draws[t][name] for name, t in names.items()},
                    {name: model.cut_by_prompt[t] - base.cut_by_prompt[t] for name, t in names.items()},
                    _tested(design, model, decoding, ("utility",)),
                    planned=True,
                )
            )
    return corrected(found)


def _tested(design: Design, model: Arm, decoding: str, planned: Sequence[str]) -> list[str]:
    """The names of the differences that are tested: those planned, under the first decoding, at the model's own τ."""
    if decoding != design.decodings[0]:
        return []
    at = f"{design.own_threshold(model.model):g}"
    return [f"{name}@{at}" if name == "utility" else name for name in planned]


def _difference(
    labels: tuple[str, str],
    decoding: str,
    draws: Mapping[str, Floats],
    by_prompt: Mapping[str, Floats],
    tested: Sequence[str],
    planned: bool,
) -> Difference:
    """The paired difference, its p-values not corrected yet."""
    return Difference(
        *labels,
        decoding,
        planned,
        {name: estimate(its) for name, its in draws.items()},
        {
            name: Significance(
                n_prompts=int(np.isfinite(more).sum()),
                planned=name in tested,
                p=wilcoxon(more) if name in tested else None,
                p_holm=None,
                detectable=detectable(draws[name]),
            )
            for name, more in by_prompt.items()
        },
    )


def corrected(differences: Sequence[Difference]) -> list[Difference]:
    """The differences with their p-values corrected for all that are tested."""
    ps = iter(holm([test.p for one in differences for test in one.tests.values()]))
    return [
        dataclasses.replace(
            one,
            tests={name: dataclasses.replace(test, p_holm=next(ps)) for name, test in one.tests.items()},
        )
        for one in differences
    ]
