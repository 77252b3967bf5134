"""Which fragments are said at a threshold τ."""

from __future__ import annotations

from collections.abc import Sequence

from rlhalt.records import Fragment
from rlhalt.rewards import Halting


def kept(fragments: Sequence[Fragment], probability: Sequence[float], threshold: float, halting: Halting) -> list[int]:
    """The numbers of the fragments that are said at τ.

    In an independent domain each fragment is decided by itself. In a causal domain what follows the first doubtful
    fragment is left out too. What has no probability is left out; a halt that the model generated stays.

    Args:
        probability: that each fragment is right; NaN where it is not known.

    >>> parts = [Fragment(at, at + 1, "step", "abc"[at]) for at in range(3)]
    >>> kept(parts, [0.9, 0.4, 0.8], 0.5, "independent"), kept(parts, [0.9, 0.4, 0.8], 0.5, "causal")
    ([0, 2], [0])
    """
    found = []
    for number, (one, value) in enumerate(zip(fragments, probability, strict=True)):
        if one.label == "halt" or value >= threshold:
            found.append(number)
        elif halting == "causal":
            break
    return found
