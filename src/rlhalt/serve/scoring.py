"""The probability that a fragment is right, from what the upstream says beside it, or by a reward model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from rlhalt.cut.calibration import By, Calibration
from rlhalt.cut.probability import Probability
from rlhalt.errors import InputError
from rlhalt.fragments import thinking
from rlhalt.records import Fragment, Message
from rlhalt.rewards import Halting
from rlhalt.scoring import Scorer
from rlhalt.uncertainty.token_probability import geometric_mean, least

Confidence = Callable[[Sequence[Message], str, Sequence[Fragment], Sequence[Sequence[float]]], Sequence[float]]
"""The confidence in each of the given fragments, in [0, 1]; NaN where it cannot be known.

It is called with the messages of the request, the response so far, some fragments of it, and for each of them the
log-probabilities of its tokens. A reward model reads the first three, a token probability the last.
"""

_WHY: dict[By, str] = {
    "ccp": "compares the alternatives of each token",
    "agreement": "draws other responses",
    "semantic-entropy": "draws other responses",
    "self-evaluation": "asks the model about each fragment",
    "self-evaluation-choices": "draws other responses",
    "stated": "asks the model about each fragment",
    "just-ask": "asks the model about each fragment",
}
_MEASURES: dict[By, Callable[[Sequence[float]], float]] = {"token_probability": geometric_mean, "token_minimum": least}


@dataclasses.dataclass(frozen=True)
class Judge:
    """How the fragments of responses are found, and what each is worth.

    Attributes:
        splitter: splits; it verifies nothing.
        confidence: see `Confidence`.
        maps: from confidence to probability, one for each temperature that was calibrated.
        reads_text: whether the confidence is a reward model's. It needs no log-probabilities, a call of it takes long,
            and a fragment without a confidence is one that it failed on.
    """

    splitter: Scorer
    confidence: Confidence
    maps: dict[float, Probability]
    reads_text: bool = False

    @property
    def halting(self) -> Halting:
        """What the fragments mean for each other."""
        return self.splitter.halting

    def probabilities(
        self,
        prompt: Sequence[Message],
        text: str,
        fragments: Sequence[Fragment],
        likely: Sequence[Sequence[float]],
        temperature: float,
    ) -> list[float]:
        """That each fragment is right; NaN for a halt, and where there is no confidence."""
        found = np.full(len(fragments), np.nan)
        asked = [number for number, one in enumerate(fragments) if one.label != "halt"]
        if asked:
            sure = self.confidence(prompt, text, [fragments[n] for n in asked], [likely[n] for n in asked])
            found[asked] = self.maps[temperature](np.array(sure, dtype=np.float64))
        values: list[float] = found.tolist()
        return values


def by_tokens(by: By) -> Confidence:
    """The confidence that a calibration names, from the log-probabilities of a fragment's tokens.

    Raises:
        InputError: one that needs more than these.
    """
    if by not in _MEASURES:
        why = _WHY[by]
        raise InputError(
            f"expected a calibration by {', '.join(_MEASURES)} or reward, found one by {by}, which {why}: "
            "run rlhalt calibrate again with --by token_probability",
            field="by",
        )
    measure = _MEASURES[by]
    return lambda prompt, text, fragments, likely: [measure(one) for one in likely]


def by_reward_model(folder: str) -> Confidence:
    """P(correct) by a reward model, which is loaded here; one forward pass a call.

    Raises:
        InputError: see `rlhalt.reward_model.reader.load`.
    """
    # Loads torch, which a server by log-probabilities does without.
    from rlhalt.reward_model.reader import load

    model = load(folder)

    def confidence(
        prompt: Sequence[Message], text: str, fragments: Sequence[Fragment], likely: Sequence[Sequence[float]]
    ) -> list[float]:
        # As `Reader.rows`: the answer alone, without reasoning before it.
        _, begin = thinking.split(text)
        reading = model.reader.read(prompt, text[begin:], thinking.moved(fragments, -begin))
        return model.probabilities([reading])[0]

    return confidence


def judge(splitter: Scorer, calibration: Calibration) -> Judge:
    """What a calibration says about the fragments of a domain.

    Raises:
        InputError: see `by_tokens` and `by_reward_model`.
    """
    maps = {one.temperature: one.probability for one in calibration.fits}
    if calibration.by == "reward":
        return Judge(splitter, by_reward_model(calibration.reward_model), maps, reads_text=True)
    return Judge(splitter, by_tokens(calibration.by), maps)
