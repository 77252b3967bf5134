"""A trained reward model as a verifier: verdicts without a reference.

    domain.yaml:   verifier: model
                   reward_model: ../../reward-model
                   threshold: 0.5

A fragment is *correct* where the reward model gives it a probability of τ or more, and *incorrect* otherwise; τ is the
domain's threshold. The model reads the prompt and the answer, never the reference. It is a learnt guess at what another
verifier would say: measure it with `rlhalt audit` before anything rests on it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rlhalt.errors import InputError, VerifierFailure
from rlhalt.records import Fragment, Json, Message
from rlhalt.reward_model.folder import reward_identity
from rlhalt.reward_model.reader import RewardModel, load
from rlhalt.rewards import check_threshold
from rlhalt.verifiers import Verdict


class ModelVerifier:
    """Judges fragments by a trained reward model.

    Args:
        folder: what `rlhalt train reward` wrote; it is loaded here.
        threshold: τ.

    Attributes:
        reward_model: its folder.
        model: the reward model, loaded.
        name: with the version and what the reward model is, because another one gives other verdicts.

    Raises:
        InputError: τ outside (0, 1), or see `rlhalt.reward_model.reader.load`.
    """

    knows_prompt = True

    def __init__(self, folder: str | Path, threshold: float) -> None:
        self._threshold = check_threshold(threshold)
        self.reward_model = str(folder)
        self.model: RewardModel = load(folder)
        self.name = f"model/1 {reward_identity(folder)} τ={threshold}"

    def verify(
        self, response: str, fragments: Sequence[Fragment], reference: Json, prompt: Sequence[Message] = ()
    ) -> list[Verdict | VerifierFailure]:
        """One verdict a fragment; a failure for one without a finite probability.

        Args:
            response: the answer.
            reference: not read.
            prompt: what was asked.

        Raises:
            InputError: no prompt.
        """
        if not prompt:
            raise InputError(
                "a reward model reads the prompt of a response, found none beside it; give rows with a prompt",
                field="prompt",
            )
        (probabilities,) = self.model.probabilities([self.model.reader.read(prompt, response, fragments)])
        return [self._verdict(one) for one in probabilities]

    def _verdict(self, probability: float) -> Verdict | VerifierFailure:
        if not math.isfinite(probability):
            return VerifierFailure(
                "the reward model gives no probability: the fragment has no token or lies beyond what the model can "
                "read, or the model computes no finite number"
            )
        correct = probability >= self._threshold
        evidence = f"P(correct) = {probability:.3f} by the reward model, τ = {self._threshold}"
        return Verdict("correct" if correct else "incorrect", evidence, probability if correct else 1 - probability)
