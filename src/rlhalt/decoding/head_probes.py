"""Which attention heads tell right from wrong, and the shift of their outputs towards right (Li et al., 2306.03341).

For every head a linear probe learns, at the last token of each labelled fragment, whether the fragment is right. Of the
heads, the K whose probes are most accurate on prompts that they were not fitted on are shifted. θ is the unit vector
from the mean of the wrong fragments to the mean of the right ones ("mass mean shift", the paper's best), σ the standard
deviation along it. K is the paper's share of the heads: 48 of 1,024.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rlhalt.reward_model.probe import fit

Floats = npt.NDArray[np.float64]
SHARE, PENALTY = 48 / 1024, 0.01


def shift(states_N_L_H_D: npt.NDArray[np.floating], correct_N: Floats, validation_N: npt.NDArray[np.bool_]) -> Floats:
    """σ θ of the K heads whose probes are most accurate on the validation fragments, 0 for all others.

    Args:
        states_N_L_H_D: the outputs of the heads at the last token of N fragments.
        correct_N: 1 for a correct fragment, 0 for an incorrect one.
        validation_N: which fragments the probes are not fitted on.

    Returns:
        Shape (L, H · D).
    """
    _, layers, heads, width = states_N_L_H_D.shape
    accuracy_L_H = np.zeros((layers, heads))
    for layer, head in np.ndindex(layers, heads):
        its = states_N_L_H_D[:, layer, head]
        probe = fit(its[~validation_N], correct_N[~validation_N], layer, PENALTY)
        accuracy_L_H[layer, head] = ((probe.scores(its[validation_N]) > 0) == correct_N[validation_N]).mean()
    found = np.zeros((layers, heads, width))
    best = np.argsort(-accuracy_L_H, axis=None, kind="stable")[: max(1, round(SHARE * layers * heads))]
    for layer, head in zip(*np.unravel_index(best, accuracy_L_H.shape), strict=True):
        its = states_N_L_H_D[:, layer, head].astype(np.float64)
        direction = its[correct_N == 1].mean(0) - its[correct_N == 0].mean(0)
        direction /= np.linalg.norm(direction)
        found[layer, head] = (its @ direction).std() * direction
    return found.reshape(layers, heads * width)
