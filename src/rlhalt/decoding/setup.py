"""What a decoding is made of: its settings, and how the model is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from rlhalt.records import Json, Message
    from rlhalt.scoring import Scorer

Name = Literal["dola", "icd", "integrative", "iti", "consistent", "best-of-n", "qalign"]
NAMES: tuple[Name, ...] = get_args(Name)


@dataclasses.dataclass(frozen=True)
class Decoding:
    """A decoding by name.

    Attributes:
        name: one of `NAMES`; docs/methods.md says what each does, and where it comes from.
        samples: responses that are drawn for each one that is given, of the decodings that draw some.
        against: of `icd`, the model that was tuned to be wrong: a name or folder, see
            `rlhalt.models.names.resolve_model`.
        reward_model: of `best-of-n` and `qalign`, the folder of a trained reward model.
        scored: of `iti`, a file of scored responses to training prompts.
    """

    name: Name
    samples: int = 8
    against: str = ""
    reward_model: str = ""
    scored: str = ""


@dataclasses.dataclass(frozen=True)
class Setup:
    """What an engine is made with.

    Attributes:
        how: the decoding.
        scorer: of the domain; it judges responses to training prompts alone.
        threshold: τ of the rewards; ½ for a model that was trained at none.
        few_shot: the examples that stand before every prompt.
        template_args: arguments of the model's chat template.
    """

    how: Decoding
    scorer: Scorer
    threshold: float = 0.5
    few_shot: Sequence[Message] = ()
    template_args: Json = dataclasses.field(default_factory=dict)
