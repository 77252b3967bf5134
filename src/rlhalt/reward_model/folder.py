"""The folder of a reward model: what lies in it, and the check that it is used for what it was trained on.

reward.json                  what it reads, what it was trained on, its calibration, how well it does
probe.safetensors            of a probe: standardisation, weights, bias
adapter_model.safetensors    of a classifier, with adapter_config.json
README.md                    the card
run.json                     how it was trained, and on which prompts
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal, get_args

from rlhalt.cut.probability import Probability
from rlhalt.errors import InputError
from rlhalt.files.jsonl import read_object
from rlhalt.files.text import write_atomic
from rlhalt.models.names import identity
from rlhalt.records import Json
from rlhalt.reward_model.figures import Figures
from rlhalt.rewards import Halting
from rlhalt.scoring import Scorer

FILE, PROBE, CARD = "reward.json", "probe.safetensors", "README.md"
Kind = Literal["probe", "classifier"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Unverifiable = Literal["unlabelled", "incorrect"]
_PARTS: dict[str, tuple[str, ...]] = {
    "probe": (PROBE,),
    "classifier": ("adapter_model.safetensors", "adapter_config.json"),
}


@dataclasses.dataclass(frozen=True)
class Description:
    """What `reward.json` says.

    Attributes:
        kind: `probe` or `classifier`.
        model: the model that reads, by the name or folder that it was trained with.
        model_identity: that model's identity, see `rlhalt.models.names.identity`.
        tokenizer: a key of its vocabulary and chat template.
        template_args: arguments of the chat template.
        domain, fragmenter, halting: of the responses that it was trained on.
        verifier: whose verdicts it learnt.
        layer: of a probe, the layer that it reads; null for a classifier.
        calibration: from its confidence σ(score) to P(correct).
        figures: what was measured on prompts that took no part in training or calibration.
        unverifiable: what fragments that the verifier could not check were, in training and in the figures.
    """

    kind: Kind
    model: str
    model_identity: str
    tokenizer: str
    template_args: Json
    domain: str
    fragmenter: str
    halting: Halting
    verifier: str
    layer: int | None
    calibration: Probability
    figures: Figures
    unverifiable: Unverifiable = "unlabelled"

    def refuse_others(self, scorer: Scorer, folder: str | Path) -> None:
        """See that the responses of a domain are those that the model was trained on.

        Raises:
            InputError: another domain, or another fragmenter.
        """
        expected = {"domain": scorer.domain, "fragmenter": scorer.fragmenter}
        differs = [
            f"{name} {getattr(self, name)!r}" for name, value in expected.items() if getattr(self, name) != value
        ]
        if differs:
            raise InputError(
                f"expected a reward model for the domain '{scorer.domain}' with the fragmenter '{scorer.fragmenter}', "
                f"found one for {', '.join(differs)}; train one: rlhalt train reward",
                path=folder,
            )


def read_description(folder: str | Path) -> Description:
    """What a folder says of the reward model in it.

    Raises:
        InputError: no reward model in it, all files that are missing; or a malformed `reward.json`.
    """
    place = Path(folder)
    missing = [name for name in (FILE, "run.json") if not (place / name).is_file()]
    if FILE in missing:
        if not any(all((place / name).is_file() for name in names) for names in _PARTS.values()):
            missing.append(" or ".join(" with ".join(names) for names in _PARTS.values()))
        raise _no_reward_model(missing, place)
    found = read_object(place / FILE, Description, "the reward.json of a reward model")
    missing += [name for name in _PARTS[found.kind] if not (place / name).is_file()]
    if missing:
        raise _no_reward_model(missing, place)
    return found


def _no_reward_model(missing: list[str], folder: Path) -> InputError:
    return InputError(
        f"expected the folder of a reward model, found no {', no '.join(missing)}; train one: rlhalt train reward",
        path=folder,
    )


def clear(folder: Path) -> None:
    """Remove a reward model that is to be replaced: no file of it may be taken for one of the new model."""
    for name in (FILE, "run.json", *(name for names in _PARTS.values() for name in names)):
        (folder / name).unlink(missing_ok=True)


def write_description(folder: Path, description: Description) -> None:
    """Write `reward.json`, the last file of the model: a folder with it is complete but for run.json."""
    text = json.dumps(dataclasses.asdict(description), ensure_ascii=False, indent=1, allow_nan=False)
    write_atomic(folder / FILE, [text, "\n"])


def reward_identity(folder: str | Path) -> str:
    """What a reward model is, wherever it lies: its name, the hash of its weights, and that of `reward.json`."""
    from rlhalt.records import file_hash

    return f"{identity(str(folder))}.{file_hash(Path(folder) / FILE)[:8]}"
