"""Whether the verdicts of a judge can be verdicts at all, seen from the verdicts alone: no label is needed.

A weak model answers in the form that it was asked for, so nothing fails. Two signs tell it from one that judges: what
it says follows from the place of a fragment alone (`by_place`), or it says both of the same statement
(`self_agreement`).
"""

from __future__ import annotations

from rlhalt.judge_doubts import by_place, self_agreement
from rlhalt.records import Scored
from rlhalt.rewards import Halting


class JudgeDoubts:
    """What the verdicts of a judge show, response by response.

    Args:
        halting: of the domain; the same words are the same statement in independent domains alone.
    """

    def __init__(self, halting: Halting) -> None:
        self._places = by_place.places()
        self._statements = self_agreement.statements()
        self._independent = halting == "independent"

    def count(self, row: Scored) -> None:
        """Add the verdicts of a response."""
        by_place.count(self._places, row)
        if self._independent:
            self_agreement.count(self._statements, row)

    def told(self) -> list[str]:
        """Why the verdicts are in doubt, in clauses whose subject is the judge; empty where they are not."""
        found = []
        if places := by_place.told(self._places):
            found.append(
                f"says the same of all fragments that stand at the same place of their responses ({places}): either it "
                "is so, or it cannot tell right from wrong"
            )
        if agreement := self_agreement.told(self._statements):
            found.append(f"disagrees with itself ({agreement}): it cannot tell right from wrong")
        return found
