"""Best of N by a trained reward model (Stiennon et al., arXiv 2009.01325): the sample with the greatest reward.

The reward is the expected τ-utility, see `rlhalt.decoding.reward`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rlhalt.decoding.candidates import Chosen
from rlhalt.decoding.reward import reward
from rlhalt.decoding.setup import Setup

if TYPE_CHECKING:
    from rlhalt.sampling.local import TransformersEngine


def engine(inner: TransformersEngine, setup: Setup) -> Chosen:
    """The engine that gives the sample with the greatest reward."""
    return Chosen(inner, setup, reward(setup))
