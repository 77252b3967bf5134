"""A trained reward model that reads responses: P(correct) of each fragment, from prompt and response alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlhalt.chat.templates import Template
from rlhalt.chat.threshold_prompt import without_threshold
from rlhalt.errors import InputError
from rlhalt.fragments import thinking
from rlhalt.models.names import identity, load_policy
from rlhalt.records import Fragment, Json, Message, Scored, content_key
from rlhalt.reward_model import labels
from rlhalt.reward_model.folder import Description, read_description
from rlhalt.reward_model.labels import Reading
from rlhalt.reward_model.probe import Floats

Scores = Callable[[Sequence[Reading]], list[Floats]]
"""The log-odds of each fragment of each response; NaN for a fragment without tokens."""


@dataclasses.dataclass(frozen=True, eq=False)
class Reader:
    """The tokenizer of a model, and how it is asked.

    Attributes:
        tokenizer: a fast tokenizer.
        template: its chat template.
        longest: how many tokens the model can read; None where it has no limit.
    """

    tokenizer: Any
    template: Template
    longest: int | None

    @classmethod
    def of(cls, policy: Any, tokenizer: Any, template_args: Json) -> Reader:
        """The reader of a loaded model.

        Raises:
            InputError: a slow tokenizer, or see `Template`.
        """
        if not getattr(tokenizer, "is_fast", False):
            raise InputError(
                "expected a fast tokenizer, which knows the character offsets of its tokens, found a slow one",
                field="tokenizer",
            )
        longest = getattr(policy.config.get_text_config(), "max_position_embeddings", None)
        return cls(tokenizer, Template(tokenizer, template_args), longest)

    def read(self, prompt: Sequence[Message], response: str, fragments: Sequence[Fragment]) -> Reading:
        """An answer as the model reads it, see `rlhalt.reward_model.labels.reading`; a τ in the prompt is left out."""
        asked = without_threshold(prompt)
        return labels.reading(self.tokenizer, self.template, asked, response, fragments, self.longest)

    def rows(self, rows: Sequence[Scored]) -> list[Reading]:
        """Responses as the model reads them: their answers alone, as every verifier reads them."""
        found = []
        for row in rows:
            _, begin = thinking.split(row.response)
            found.append(self.read(row.prompt, row.response[begin:], thinking.moved(row.fragments, -begin)))
        return found


def tokenizer_key(tokenizer: Any) -> str:
    """What tells one tokenizer from another: what it makes of texts, its tokens and its chat template."""
    return content_key(tokenizer.backend_tokenizer.to_str(), tokenizer.chat_template)


@dataclasses.dataclass(frozen=True, eq=False)
class RewardModel:
    """A reward model, loaded.

    Attributes:
        folder: where it lies.
        description: what `reward.json` says.
        reader: how it reads.
        scores: what it says before the calibration.
    """

    folder: Path
    description: Description
    reader: Reader
    scores: Scores

    def probabilities(self, readings: Sequence[Reading]) -> list[list[float]]:
        """P(correct) of each fragment, calibrated; NaN for a fragment without tokens."""
        return [self.description.calibration(confidence(one)).tolist() for one in self.scores(readings)]


def confidence(scores_F: Floats) -> Floats:
    """σ of log-odds, in [0, 1]; NaN for NaN."""
    with np.errstate(invalid="ignore"):
        found: Floats = np.exp(-np.logaddexp(0, -scores_F))
    return found


def load(folder: str | Path) -> RewardModel:
    """Load a reward model and the model that it reads with.

    Raises:
        InputError: no reward model in the folder, or the model that it reads with is missing, has other weights or
            another tokenizer than when the reward model was trained.
    """
    place = Path(folder)
    told = read_description(place)
    found = identity(told.model)
    if found != told.model_identity:
        raise InputError(
            f"expected the model {told.model_identity}, which it was trained with, found {found} there; train the "
            "reward model again: rlhalt train reward",
            path=place,
            field="model",
        )
    if told.kind == "probe":
        from rlhalt.reward_model.hidden_states import cut_after
        from rlhalt.reward_model.probe_file import probe_scores, read_probe

        policy, tokenizer = load_policy(told.model)
        _check_tokenizer(tokenizer, told, place)
        probe = read_probe(place, told.layer)
        scores: Scores = probe_scores(cut_after(policy, probe.layer), probe)
    else:
        from rlhalt.reward_model.classifier import classifier_scores, load_classifier

        policy, tokenizer = load_classifier(place, told.model)
        _check_tokenizer(tokenizer, told, place)
        scores = classifier_scores(policy)
    return RewardModel(place, told, Reader.of(policy, tokenizer, told.template_args), scores)


def _check_tokenizer(tokenizer: Any, told: Description, folder: Path) -> None:
    if tokenizer_key(tokenizer) != told.tokenizer:
        raise InputError(
            f"expected the tokenizer that it was trained with, found another one at {told.model}; train the reward "
            "model again: rlhalt train reward",
            path=folder,
            field="tokenizer",
        )


def probabilities(folder: str | Path, rows: Sequence[Scored]) -> list[list[float]]:
    """P(correct) of each fragment of responses, by a reward model.

    Args:
        folder: what `rlhalt train reward` wrote.
        rows: responses with fragments, judged or not.

    Returns:
        For each response one number a fragment, in [0, 1]; NaN for a fragment without tokens.

    Raises:
        InputError: see `load`.
    """
    model = load(folder)
    return model.probabilities(model.reader.rows(rows))
