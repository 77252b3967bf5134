"""ITI, inference-time intervention (Li et al., arXiv 2306.03341): the heads that tell right from wrong are shifted.

    x_{l+1} = x_l + Σ_h Q_l^h (Att_l^h(P_l^h x_l) + α σ_l^h θ_l^h)       eq. 2, at the last token of each step

For every attention head a linear probe learns, at the last token of each labelled fragment, whether the fragment is
right. Of the heads, the K whose probes are most accurate on prompts that they were not fitted on are shifted. θ is the
unit vector from the mean of the wrong fragments to the mean of the right ones ("mass mean shift", the paper's best), σ
the standard deviation along it, α = 15 as in the paper. K is the paper's share of the heads: 48 of 1,024.

Fitted on scored responses to training prompts; `rlhalt.decoding.methods.check` refuses held-out ones. The paper labels
whole answers of TruthfulQA.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rlhalt.cut.probability import FEWEST
from rlhalt.decoding.heads import activations, shifted
from rlhalt.decoding.setup import Setup
from rlhalt.errors import InputError
from rlhalt.records import Message, Scored, read
from rlhalt.reward_model.labels import fragment_labels
from rlhalt.reward_model.parts import folds
from rlhalt.reward_model.probe import fit
from rlhalt.reward_model.reader import Reader
from rlhalt.sampling import Completion

if TYPE_CHECKING:
    from rlhalt.sampling.local import TransformersEngine

Floats = npt.NDArray[np.float64]
STRENGTH, SHARE, PENALTY = 15.0, 48 / 1024, 0.01


class Shifted:
    """An `Engine` whose heads are shifted while it generates; shape of the shift: layers × (heads · width)."""

    def __init__(self, inner: TransformersEngine, shift_L_HD: Floats) -> None:
        import torch

        self._inner, self._shift = inner, torch.tensor(shift_L_HD)

    def complete(
        self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
    ) -> list[Completion]:
        """See `rlhalt.sampling.Engine`."""
        import contextlib

        with contextlib.ExitStack() as stack:

            def begin(_: Any) -> Any:
                # Only now: few-shot examples that all prompts share have been read before, and are not shifted.
                stack.enter_context(shifted(self._inner.model, self._shift))
                return lambda _, logits_B_V: logits_B_V

            return self._inner.complete(chats, temperature=temperature, max_tokens=max_tokens, seed=seed, begin=begin)


def engine(inner: TransformersEngine, setup: Setup) -> Shifted:
    """The engine of ITI, fitted on the scored responses of its setup.

    Raises:
        InputError: too few labelled fragments, or a model whose layers are not built as Llama's.
    """
    rows = list(read(setup.how.scored, Scored))
    reader = Reader.of(inner.model, inner.tokenizer, setup.template_args)
    states = activations(inner.model, reader.rows(rows))
    labels = [fragment_labels(row.fragments, setup.scorer.halting) for row in rows]
    fold = folds(rows, seed=0)
    known = [
        (its[place], label, fold[number])
        for number, (its, marks) in enumerate(zip(states, labels, strict=True))
        for place, label in enumerate(marks)
        if label is not None and np.isfinite(its[place]).all()
    ]
    if len(known) < FEWEST or len({label for _, label, _ in known}) < 2:
        raise InputError(
            f"expected at least {FEWEST} fragments that are correct or incorrect, and both kinds, found {len(known)}",
            path=setup.how.scored,
        )
    states_N, correct_N, fold_N = (np.array(one) for one in zip(*known, strict=True))
    return Shifted(inner, shift(states_N, correct_N, fold_N == 0))


def shift(states_N_L_H_D: npt.NDArray[np.floating], correct_N: Floats, validation_N: npt.NDArray[np.bool_]) -> Floats:
    """α σ θ of the K heads whose probes are most accurate on the validation fragments, 0 for all others.

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
        found[layer, head] = STRENGTH * (its @ direction).std() * direction
    return found.reshape(layers, heads * width)
