"""Responses that say what is right with probability τ or more, and no more than that."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from rlhalt.cut.calibration import Calibration
from rlhalt.cut.confidence import confidences
from rlhalt.cut.decision import Cut, kept
from rlhalt.cut.splitting import split
from rlhalt.fragments import thinking
from rlhalt.records import Json, Message, Response, Scored
from rlhalt.rewards import Halting
from rlhalt.scoring import Scorer


@dataclasses.dataclass(frozen=True)
class Judged:
    """A response split into fragments, none of them verified, with the probability that each is right.

    Attributes:
        row: the response; its fragments have no labels, halts excepted.
        probability: one number a fragment; NaN for a halt, and for a fragment without tokens.
    """

    row: Scored
    probability: list[float]

    def kept(self, threshold: float, halting: Halting) -> list[int]:
        """The numbers of the fragments that are said at τ, see `rlhalt.cut.decision`."""
        return kept(self.row.fragments, self.probability, threshold, halting)

    def text(self, threshold: float, halting: Halting, phrase: str) -> str:
        """What is said at τ; the halting phrase where nothing is left, or where a causal response halts."""
        response, cut = self.row.response, Cut(threshold, halting, phrase)
        pieces = [cut.reasoning(thinking.split(response)[1])]
        pieces += [cut.take(response, *one) for one in zip(self.row.fragments, self.probability, strict=True)]
        return "".join(one.text(response) for one in [*pieces, cut.end(response)])


def probabilities(
    rows: Sequence[Response],
    model: str,
    scorer: Scorer,
    calibration: Calibration,
    temperature: float,
    few_shot: Sequence[Message] = (),
    template_args: Json | None = None,
) -> list[Judged]:
    """The probability of each fragment of a model's own responses.

    Args:
        rows: responses of the model, sampled at `temperature`.
        scorer: splits; it verifies nothing.

    Raises:
        InputError: the calibration has no map for this temperature.
    """
    probability = calibration.at(temperature)
    unverified = [split(row, scorer) for row in rows]
    sure = confidences(
        calibration.by,
        model,
        unverified,
        scorer,
        few_shot,
        template_args,
        calibration.max_tokens,
        calibration.reward_model,
    )
    found = []
    for row, its in zip(unverified, sure, strict=True):
        values = probability(np.array(its, dtype=np.float64)).tolist()
        known = [np.nan if one.label == "halt" else value for one, value in zip(row.fragments, values, strict=True)]
        found.append(Judged(row, known))
    return found


def cut(
    rows: Sequence[Response],
    model: str,
    scorer: Scorer,
    calibration: Calibration,
    temperature: float,
    threshold: float,
    few_shot: Sequence[Message] = (),
    template_args: Json | None = None,
) -> list[Response]:
    """Responses of a model, each cut at τ; see `probabilities` for the arguments.

    `n_tokens` stays what was generated: that is what they cost.
    """
    judged = probabilities(rows, model, scorer, calibration, temperature, few_shot, template_args)
    return [
        dataclasses.replace(
            row,
            response=one.text(threshold, scorer.halting, scorer.phrase),
            # What halts before the token limit did end.
            finish_reason=row.finish_reason if one.kept(threshold, scorer.halting) == _all(one) else "stop",
        )
        for row, one in zip(rows, judged, strict=True)
    ]


def _all(one: Judged) -> list[int]:
    return list(range(len(one.row.fragments)))
