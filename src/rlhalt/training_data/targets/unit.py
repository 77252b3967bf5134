"""UNIT (arXiv 2502.11962): everything is said, with a reflection on what of it is wrong."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from rlhalt.records import HALT_PHRASE, Scored, Target
from rlhalt.training_data import styles
from rlhalt.training_data.targets.selection import by_prompt


def targets(rows: Iterable[Scored], phrase: str = HALT_PHRASE) -> Iterator[Target]:
    """The first response to each prompt, whole, with a reflection on what is wrong in it.

    Every prompt here asks for information; UNIT leaves out the reflection for those that do not.
    """
    for one in styles.targets((group[0] for group in by_prompt(rows)), "reflect", phrase):
        yield dataclasses.replace(one, style="unit")
