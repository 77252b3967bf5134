"""A linear probe: P(correct) from the hidden states of a frozen model (Obeso et al., arXiv 2509.03531).

    P(correct) = σ(w · (h - mean) / scale + b)

w and b have the highest likelihood under a normal prior on w (logistic regression with an L2 penalty). The problem is
convex and is solved in double precision from zero, so the result depends on the data alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PENALTIES = (0.01, 0.1, 1.0)
"""What the L2 penalty is chosen from, for each fragment's loss."""
_ITERATIONS = 200


@dataclasses.dataclass(frozen=True, eq=False)
class Probe:
    """A linear probe.

    Attributes:
        layer: whose output it reads; 0 is the embedding.
        mean, scale: of the training fragments' hidden states, shape (H,).
        weight: of the standardised states, shape (H,); bias: one number.
    """

    layer: int
    mean: Floats
    scale: Floats
    weight: Floats
    bias: float

    def scores(self, states_N_H: npt.NDArray[np.floating]) -> Floats:
        """The log-odds that each of N fragments is correct; NaN for NaN."""
        standard_N_H = (np.asarray(states_N_H, dtype=np.float64) - self.mean) / self.scale
        found: Floats = standard_N_H @ self.weight + self.bias
        return found


def fit(states_N_H: npt.NDArray[np.floating], correct_N: npt.NDArray[np.floating], layer: int, penalty: float) -> Probe:
    """The probe of the highest penalised likelihood: the mean log-loss plus penalty / 2 · |w|² is smallest.

    Args:
        states_N_H: hidden states of N fragments.
        correct_N: 1 for a correct fragment, 0 for an incorrect one.
        layer: where the states come from.
        penalty: above 0.

    >>> states = np.array([[0.0, 1.0], [1.0, 1.0], [2.0, 1.0], [3.0, 1.0]])
    >>> probe = fit(states, np.array([0.0, 0.0, 1.0, 1.0]), layer=1, penalty=0.01)
    >>> (probe.scores(states) > 0).tolist()
    [False, False, True, True]
    """
    import torch

    states = np.asarray(states_N_H, dtype=np.float64)
    mean, spread = states.mean(0), states.std(0)
    # A state that is the same everywhere says nothing; it is left at 0.
    scale = np.where(spread > 1e-9, spread, 1.0)
    inputs = torch.tensor((states - mean) / scale)
    target = torch.tensor(np.asarray(correct_N, dtype=np.float64))
    weight = torch.zeros(states.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros((), dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=_ITERATIONS, tolerance_grad=1e-6, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        solver.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(inputs @ weight + bias, target)
        value = value + penalty / 2 * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    solver.step(loss)  # type: ignore[no-untyped-call]
    return Probe(layer, mean, scale, weight.detach().numpy(), float(bias.detach()))


def log_loss(scores_N: Floats, correct_N: npt.NDArray[np.floating]) -> float:
    """The mean negative log-likelihood, nats a fragment."""
    return float((np.logaddexp(0, scores_N) - correct_N * scores_N).mean())


@dataclasses.dataclass(frozen=True, eq=False)
class Choice:
    """A probe, and what it would have said of its own training fragments had their prompts not been there.

    Attributes:
        probe: fitted on all fragments.
        penalty: of its weights.
        crossed: shape (N,), the log-odds of each fragment by a probe that was fitted on the other folds of the prompts.
    """

    probe: Probe
    penalty: float
    crossed: Floats


def chosen(
    states_N_L_H: npt.NDArray[np.floating],
    correct_N: npt.NDArray[np.floating],
    fold_N: npt.NDArray[np.integer],
    layers: Sequence[int],
) -> Choice:
    """The probe of the layer and the penalty with the lowest log-loss on prompts that it was not fitted on.

    Args:
        states_N_L_H: hidden states of N fragments at L layers.
        correct_N: 1 for a correct fragment, 0 for an incorrect one.
        fold_N: the fold of its prompt.
        layers: the L layers.
    """
    best: tuple[float, int, float, Floats] | None = None
    for place in range(len(layers)):
        for penalty in PENALTIES:
            crossed = np.empty(len(correct_N))
            for fold in np.unique(fold_N):
                other = fold_N != fold
                probe = fit(states_N_L_H[other, place], correct_N[other], layers[place], penalty)
                crossed[~other] = probe.scores(states_N_L_H[~other, place])
            loss = log_loss(crossed, correct_N)
            if best is None or loss < best[0]:
                best = loss, place, penalty, crossed
    assert best is not None
    _, place, penalty, crossed = best
    return Choice(fit(states_N_L_H[:, place], correct_N, layers[place], penalty), penalty, crossed)
