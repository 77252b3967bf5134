"""How many pairs of each kind a style makes, and what they weigh together."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from rlhalt.records import HALT_PHRASE, Pair, Scored, content_key
from rlhalt.training_data.styles import Style, pairs


@dataclasses.dataclass(frozen=True)
class Shares:
    """The pairs that scored responses make.

    Attributes:
        responses: how many responses there are.
        failed: those with a failed fragment.
        silent: the others that make no pair, because nothing in them is decided.
        halting: pairs that prefer to halt (leave out, cut, list, hedge), and their weight.
        speaking: pairs that prefer to speak (`keep`), and their weight.
    """

    responses: int
    failed: int
    silent: int
    halting: tuple[int, float]
    speaking: tuple[int, float]

    @property
    def pairs(self) -> int:
        """All pairs."""
        return self.halting[0] + self.speaking[0]

    @property
    def halting_share(self) -> float:
        """The share of pairs that prefer to halt; NaN without pairs."""
        return self.halting[0] / self.pairs if self.pairs else float("nan")

    @property
    def halting_weight(self) -> float:
        """The share of weight on pairs that prefer to halt: how often one is drawn; NaN without pairs."""
        weight = self.halting[1] + self.speaking[1]
        return self.halting[1] / weight if weight else float("nan")


def shares(rows: Sequence[Scored], threshold: float, style: Style, phrase: str = HALT_PHRASE) -> Shares:
    """What pairs a style makes of scored responses at τ.

    Args:
        phrase: what the domain halts with.

    Raises:
        InputError: see `pairs`.
    """
    made = list(pairs(rows, threshold, style, phrase))
    sources = {one.source for one in made}
    failed = sum(row.failed for row in rows)
    return Shares(
        responses=len(rows),
        failed=failed,
        silent=sum(row.key not in sources for row in rows) - failed,
        halting=_counted(one for one in made if one.style != "keep"),
        speaking=_counted(one for one in made if one.style == "keep"),
    )


def summary(made: Iterable[Pair], decisions: bool = True) -> str:
    """One line on pairs for the terminal: how many, of how many responses, and how many of them prefer to halt.

    Args:
        decisions: whether they decide to halt or to speak; most pairs of other methods compare two responses.
    """
    made = list(made)
    if made and not decisions:
        return f"{len(made)} pairs for {len({content_key(one.prompt) for one in made})} prompts"
    halting, speaking = (_counted(one for one in made if (one.style == "keep") is kept) for kept in (False, True))
    if not made:
        return "no pairs: nothing in the responses is right or wrong"
    sources = len({one.source for one in made})
    count, weight = halting[0] / len(made), halting[1] / (halting[1] + speaking[1])
    return f"{len(made)} pairs of {sources} responses, {count:.0%} prefer to halt, with {weight:.0%} of the weight"


def _counted(made: Iterable[Pair]) -> tuple[int, float]:
    weights = [one.weight for one in made]
    return len(weights), sum(weights)
