"""`calibration.json`: what was fitted on which responses of which model, and the check that it is used for no other."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import msgspec

from rlhalt.cut.probability import Probability
from rlhalt.errors import InputError
from rlhalt.files.jsonl import explained
from rlhalt.models.names import identity
from rlhalt.records import Json, Message, content_key, write_atomic
from rlhalt.scoring import Scorer

FOLDER, FILE = "calibration", "calibration.json"
By = Literal[
    "token_probability",
    "token_minimum",
    "ccp",
    "agreement",
    "semantic-entropy",
    "self-evaluation",
    "self-evaluation-choices",
    "stated",
    "just-ask",
    "reward",
]
BY: tuple[By, ...] = get_args(By)


@dataclasses.dataclass(frozen=True)
class Fit:
    """The map of one temperature.

    Attributes:
        temperature: at which the responses were sampled; 0 is greedy decoding.
        n_fragments, n_correct: decided fragments that it was fitted on, and the correct ones among them.
        accuracy_at: for some τ, of the fragments with a probability of τ or more the share that is correct, on prompts
            that the map was not fitted on; null where there are none.
        ece_before, ece_after: expected calibration error of the confidence itself, and of the probability on prompts
            that it was not fitted on, `{value, low, high}`.
        auroc: how well the confidence tells correct fragments from incorrect ones, `{value, low, high}`.
        promises: for some shares of responses, the lowest τ at which so many, or more, have no incorrect fragment left,
            see `rlhalt.cut.promise`; null where the prompts are too few for it.
    """

    temperature: float
    probability: Probability
    n_fragments: int
    n_correct: int
    accuracy_at: dict[str, float | None]
    ece_before: dict[str, float | None]
    ece_after: dict[str, float | None]
    auroc: dict[str, float | None]
    promises: dict[str, float | None] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What `rlhalt calibrate` found out about one model in one domain.

    Attributes:
        model: its identity, see `rlhalt.models.names.identity`.
        fragmenter, verifier: what split and judged.
        by: the confidence: `token_probability` (geometric mean over the fragment's tokens), `token_minimum` (the least
            likely token), `ccp` (claim-conditioned probability), `reward` (a trained reward model), or another one of
            `rlhalt.cut.confidence`.
        prompts: the keys of the prompts that it was fitted on.
        few_shot: the content key of the examples that stood before each prompt; "" where there were none.
        template_args: arguments of the chat template.
        max_tokens: the longest response, in tokens.
        fits: one for each temperature.
        reward_model: by `reward`, the folder of the reward model; "" otherwise.
        reward_identity: what that reward model is, see `rlhalt.reward_model.folder.reward_identity`.
    """

    model: str
    domain: str
    fragmenter: str
    verifier: str
    by: By
    prompts: list[str]
    few_shot: str
    template_args: Json
    max_tokens: int
    fits: list[Fit]
    reward_model: str = ""
    reward_identity: str = ""

    def at(self, temperature: float) -> Probability:
        """The map of a temperature.

        Raises:
            InputError: it was not calibrated at this temperature.
        """
        found = next((one for one in self.fits if one.temperature == temperature), None)
        if found is None:
            known = ", ".join(f"{one.temperature:g}" for one in self.fits)
            raise InputError(
                f"expected a temperature that was calibrated ({known}), found {temperature:g}; calibrate again with it",
                field="temperature",
            )
        return found.probability

    def check(
        self, model: str, scorer: Scorer, *, few_shot: Sequence[Message], template_args: Json, path: Path
    ) -> None:
        """See that it was fitted for what it is used for.

        Raises:
            InputError: another model, domain, fragmenter or way to ask, all that differs; or the reward model that it
                is by is missing, or another one by now.
        """
        expected = {
            "model": identity(model),
            "domain": scorer.domain,
            "fragmenter": scorer.fragmenter,
            "few_shot": shown(few_shot),
            "template_args": template_args,
        }
        differs = [
            f"{name} {getattr(self, name)!r} instead of {value!r}"
            for name, value in expected.items()
            if getattr(self, name) != value
        ]
        if differs:
            raise InputError(
                f"expected the calibration of this model, as it is asked here; found one of {', '.join(differs)}; run "
                "rlhalt calibrate for it",
                path=path,
            )
        if self.by == "reward":
            self._check_reward_model(path)

    def _check_reward_model(self, path: Path) -> None:
        from rlhalt.reward_model.folder import read_description, reward_identity

        read_description(self.reward_model)
        found = reward_identity(self.reward_model)
        # The folder may have another name here; what is in it is hashed.
        if found.rpartition("@")[2] != self.reward_identity.rpartition("@")[2]:
            raise InputError(
                f"expected the reward model {self.reward_identity}, which it was fitted with, found {found} at "
                f"{self.reward_model}; run rlhalt calibrate again",
                path=path,
                field="reward_model",
            )


def shown(few_shot: Sequence[Message]) -> str:
    """What tells one set of few-shot examples from another."""
    return content_key(few_shot) if few_shot else ""


def calibration_file(model: str, given: str | Path | None = None) -> Path:
    """Where a model's calibration lies: in the folder `calibration` of the model's folder, or where the user says.

    Raises:
        InputError: none there.
    """
    path = Path(given) if given is not None else Path(model) / FOLDER
    path = path / FILE if path.suffix != ".json" else path
    if not path.is_file():
        raise InputError(
            "expected the calibration of the model, found none; fit one on labelled prompts that it was not trained "
            f"on: rlhalt calibrate --model {model} --prompts FILE",
            path=path,
        )
    return path


def read(path: Path) -> Calibration:
    """Read a calibration.

    Raises:
        InputError: no JSON, or not the fields of a calibration.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Calibration)
    except msgspec.ValidationError as error:
        place, message = explained(error, None)
        raise InputError(message, path=path, field=place or None) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputError(f"expected JSON, found {error}", path=path) from None


def write(path: Path, calibration: Calibration) -> None:
    """Write a calibration."""
    told = dataclasses.asdict(calibration)
    write_atomic(path, [json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False), "\n"])
