"""ITI, inference-time intervention (Li et al., arXiv 2306.03341): the heads that tell right from wrong are shifted.

    x_{l+1} = x_l + Σ_h Q_l^h (Att_l^h(P_l^h x_l) + α σ_l^h θ_l^h)       eq. 2, at the last token of each step

The shift σ θ of a head is that of `rlhalt.decoding.head_probes`, 0 for all heads but the K that tell best; α is that of
`rlhalt.decoding.strength`, chosen on training prompts that the probes have not seen. The paper labels whole answers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rlhalt.cut.probability import FEWEST
from rlhalt.decoding.head_probes import Floats, shift
from rlhalt.decoding.heads import activations, shifted
from rlhalt.decoding.setup import Setup
from rlhalt.decoding.strength import strongest
from rlhalt.errors import InputError
from rlhalt.records import Message, Scored, read
from rlhalt.reward_model.labels import fragment_labels
from rlhalt.reward_model.parts import folds
from rlhalt.reward_model.reader import Reader
from rlhalt.sampling import Completion, Engine

if TYPE_CHECKING:
    from rlhalt.sampling.local import TransformersEngine


class Shifted:
    """An `Engine` whose heads are shifted while it generates; shape of the shift: layers × (heads · width)."""

    def __init__(self, inner: TransformersEngine, shift_L_HD: Floats) -> None:
        import torch

        self._inner, self._shift = inner, torch.tensor(shift_L_HD)

    def complete(
        self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
    ) -> list[Completion]:
        """See `rlhalt.sampling.Engine`."""
        with contextlib.ExitStack() as stack:

            def begin(_: Any) -> Any:
                # Only now: few-shot examples that all prompts share have been read before, and are not shifted.
                stack.enter_context(shifted(self._inner.model, self._shift))
                return lambda _, logits_B_V: logits_B_V

            return self._inner.complete(chats, temperature=temperature, max_tokens=max_tokens, seed=seed, begin=begin)


def engine(inner: TransformersEngine, setup: Setup) -> Engine:
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
    shift_L_HD = shift(states_N, correct_N, fold_N == 0)
    unseen = [row for row, its in zip(rows, fold, strict=True) if its == 0]
    return strongest(lambda strength: Shifted(inner, strength * shift_L_HD), unseen, setup)
