"""A trained reward model as a verifier: verdicts without a reference.

    domain.yaml:   verifier: model
                   reward_model: ../../reward-model
                   threshold: 0.5

A list of folders is an ensemble: the least probability of its members counts (Coste et al., arXiv 2310.02743,
"worst-case optimization"): a policy gains only by what all of them overrate.

A fragment is *correct* where the reward model gives it a probability of τ or more, and *incorrect* otherwise; τ is the
domain's threshold. The model reads the prompt and the answer, never the reference. It is a learnt guess at what another
verifier would say: measure it with `rlhalt audit` before anything rests on it.
"""

from __future__ import annotations

import concurrent.futures
import math
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rlhalt.errors import InputError, VerifierFailure
from rlhalt.records import Fragment, Json, Message
from rlhalt.reward_model.folder import reward_identity
from rlhalt.reward_model.hidden_states import BATCH
from rlhalt.reward_model.labels import Reading
from rlhalt.reward_model.reader import RewardModel, load
from rlhalt.rewards import check_threshold
from rlhalt.verifiers import Verdict

WORKERS = 2 * BATCH
"""Threads that keep a reward model busy: a batch is read while the next one gathers."""


class ModelVerifier:
    """Judges fragments by trained reward models; what several threads ask at once is read in one forward pass.

    Args:
        folders: what `rlhalt train reward` wrote, one or several; they are loaded here.
        threshold: τ.

    Attributes:
        reward_models: the folders.
        models: the reward models, loaded.
        name: with the version and what the reward models are, because others give other verdicts.

    Raises:
        InputError: τ outside (0, 1), or see `rlhalt.reward_model.reader.load`.
    """

    knows_prompt = True

    def __init__(self, folders: Sequence[str | Path], threshold: float) -> None:
        self._threshold = check_threshold(threshold)
        self.reward_models = [str(one) for one in folders]
        self.models: list[RewardModel] = [load(one) for one in folders]
        self._asked: list[tuple[list[Reading], concurrent.futures.Future[list[float]]]] = []
        self._asking, self._reading = threading.Lock(), threading.Lock()
        self.name = f"model/1 {' '.join(map(reward_identity, folders))} τ={threshold}"

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
        return [self._verdict(one) for one in self._probabilities(prompt, response, fragments)]

    def _probabilities(self, prompt: Sequence[Message], response: str, fragments: Sequence[Fragment]) -> list[float]:
        """P(correct) of each fragment, read by this thread with all that was asked by then, or by one before it."""
        mine: concurrent.futures.Future[list[float]] = concurrent.futures.Future()
        with self._asking:
            # Under the lock, because a fast tokenizer may refuse to be used by two threads at once.
            readings = [one.reader.read(prompt, response, fragments) for one in self.models]
            self._asked.append((readings, mine))
        with self._reading:
            while not mine.done():
                with self._asking:
                    asked, self._asked = self._asked[:BATCH], self._asked[BATCH:]
                self._read(asked)
        return mine.result()

    def _read(self, asked: Sequence[tuple[list[Reading], concurrent.futures.Future[list[float]]]]) -> None:
        try:
            each_model = [
                model.probabilities([readings[number] for readings, _ in asked])
                for number, model in enumerate(self.models)
            ]
            # NaN where one of them has none: what a member cannot read has failed.
            found = [np.min(its, axis=0).tolist() for its in zip(*each_model, strict=True)]
        except BaseException as error:  # noqa: BLE001 - raised in the thread that asked
            if len(asked) == 1 or not isinstance(error, Exception):
                for _, one in asked:
                    one.set_exception(error)
                return
            # Memory that is too small for all of them, say: a response fails for what it is itself.
            for each in asked:
                self._read([each])
            return
        for (_, one), probabilities in zip(asked, found, strict=True):
            one.set_result(probabilities)

    def _verdict(self, probability: float) -> Verdict | VerifierFailure:
        if not math.isfinite(probability):
            return VerifierFailure(
                "the reward model gives no probability: the fragment has no token or lies beyond what the model can "
                "read, or the model computes no finite number"
            )
        correct = probability >= self._threshold
        evidence = f"P(correct) = {probability:.3f} by the reward model, τ = {self._threshold}"
        return Verdict("correct" if correct else "incorrect", evidence, probability if correct else 1 - probability)
