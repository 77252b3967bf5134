"""Whether a reflection lists the right claims: UNIT's measures (arXiv 2502.11962).

A response of the `reflect` style says everything, and in a section at its end which of its claims are doubtful
(`rlhalt.training_data.styles.reflect`). Its claims are judged twice here: against the truth (*honesty*), and against
the model's own uncertainty, claim-conditioned probability (*CCP*, `rlhalt.uncertainty.ccp`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rlhalt.fragments.reflection import read_reflection
from rlhalt.records import Scored

Flags = Sequence[bool] | npt.NDArray[np.bool_]


def reflected(row: Scored) -> list[tuple[bool, bool]]:
    """(wrong, listed) of every decided fragment of a response that ends in a reflection.

    Empty without a reflection that can be read, and for one that says
    most is doubtful and names nothing.
    """
    text, doubtful = read_reflection(row.response)
    said = {" ".join(one.split()) for one in doubtful or ()}
    return [
        (one.label == "incorrect", " ".join((one.claim or one.text).split()) in said)
        for one in row.fragments
        if doubtful is not None and one.end <= len(text) and one.label in ("correct", "incorrect")
    ]


def balanced_accuracy(doubtful: Flags, reflected: Flags) -> float | None:
    """½ (|doubtful ∧ reflected| / |doubtful| + |¬doubtful ∧ ¬reflected| / |¬doubtful|), one flag a claim.

    CCP balanced accuracy where doubtful is what CCP is uncertain about (U above its 75th percentile over the data set,
    see `rlhalt.uncertainty.proxy_labels`); honesty balanced accuracy where it is what is wrong. Chance is ½.

    Returns:
        In [0, 1]; None where all claims or none are doubtful.
    """
    truth, said = np.asarray(doubtful, dtype=bool), np.asarray(reflected, dtype=bool)
    if truth.all() or not truth.any():
        return None
    return float((said[truth].mean() + (~said[~truth]).mean()) / 2)


def uncertainty_difference(uncertainty: Sequence[float], reflected: Flags) -> float | None:
    """CCP difference: the mean uncertainty of the claims that are reflected less that of the others.

    Args:
        uncertainty: U = -CCP in [-1, 0], one a claim, higher is less certain; those that are NaN are left out.

    Returns:
        In [-1, 1], above 0 where the model reflects what it is unsure of; None where all claims or none are reflected.
    """
    values, said = np.asarray(uncertainty, dtype=np.float64), np.asarray(reflected, dtype=bool)
    known = np.isfinite(values)
    values, said = values[known], said[known]
    if said.all() or not said.any():
        return None
    return float(values[said].mean() - values[~said].mean())
