"""Whether verdicts follow from the place of a fragment in its response alone.

A weak model calls everything correct, or says its labels in the order of its instructions. Its verdicts look like those
of any other, an audit of single fragments does not see the second, and a training that shortens responses then seems to
make them correct.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from rlhalt.records import Scored

_MANY = 20  # verdicts; of fewer, all may well be alike


def places() -> defaultdict[int, Counter[str]]:
    """Verdicts by place, to be filled by `count`."""
    return defaultdict(Counter)


def count(found: defaultdict[int, Counter[str]], row: Scored) -> None:
    """Add the verdicts of a response; its halting phrases have no place."""
    for place, one in enumerate((one for one in row.fragments if one.kind != "halt"), start=1):
        if one.label:
            found[place][one.label] += 1


def told(found: Mapping[int, Counter[str]]) -> str:
    """What is said at each place, where it is the same everywhere; empty where it is not, or where there is little.

    >>> told({1: Counter(correct=12), 2: Counter(incorrect=8)})
    'place 1: 12 correct, place 2: 8 incorrect'
    >>> told({1: Counter(correct=12, incorrect=1), 2: Counter(incorrect=8)}), told({1: Counter(correct=19)})
    ('', '')
    """
    if any(len(labels) > 1 for labels in found.values()) or sum(one.total() for one in found.values()) < _MANY:
        return ""
    return ", ".join(
        f"place {place}: {number} {label}" for place in sorted(found) for label, number in found[place].items()
    )
