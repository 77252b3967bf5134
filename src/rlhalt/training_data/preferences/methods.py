"""Preference pairs by name: the methods that rlhalt is compared with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from rlhalt.records import HALT_PHRASE, Pair, Scored
from rlhalt.rewards import check_threshold
from rlhalt.training_data.preferences import (
    f_dpo,
    grath,
    mask_dpo,
    mrpo,
    other_chosen,
    own_pairs,
    rlkf,
    shades_of_wrong,
    temporal,
)
from rlhalt.training_data.styles import Style
from rlhalt.training_data.table import Entry, check_name


@dataclasses.dataclass(frozen=True)
class Preference:
    """How pairs are made.

    Attributes:
        name: one of `PREFERENCES`; docs/methods.md says what each does, and where it comes from.
        style: how `rlkf` and `mrpo` leave a fragment unsaid; and whether a response is a list of facts or a chain.
        threshold: τ of the methods that know one.
    """

    name: str
    style: Style = "remove"
    threshold: float = 0.5

    @property
    def at(self) -> float | None:
        """τ, of a method that knows one."""
        return self.threshold if PREFERENCES[self.name].per_tau else None

    def __post_init__(self) -> None:
        check_name(self.name, PREFERENCES, "preferences")
        check_threshold(self.threshold)


# A line a method: what it reads of the scored responses, those of a second model, the settings and the phrase.
PREFERENCES: dict[str, Entry[Preference, Pair]] = {
    "rlkf": Entry(lambda rows, _, how, phrase: rlkf.pairs(rows, how.style, how.threshold, phrase), per_tau=True),
    "grath": Entry(lambda rows, others, how, phrase: grath.pairs(rows, others, phrase), others="required"),
    "shades-of-wrong": Entry(lambda rows, _, how, phrase: shades_of_wrong.pairs(rows, phrase)),
    "f-dpo": Entry(lambda rows, _, how, phrase: f_dpo.pairs(rows, phrase)),
    "mask-dpo": Entry(lambda rows, _, how, phrase: mask_dpo.pairs(rows, phrase)),
    "mrpo": Entry(
        lambda rows, _, how, phrase: mrpo.pairs(rows, how.style, how.threshold, phrase), per_tau=True, keys=mrpo.KEYS
    ),
    "own-pairs": Entry(
        lambda rows, _, how, phrase: own_pairs.pairs(rows, how.style, how.threshold, phrase), per_tau=True
    ),
    "other-chosen": Entry(
        lambda rows, others, how, phrase: other_chosen.pairs(rows, others, how.style, how.threshold, phrase),
        per_tau=True,
        others="required",
    ),
    "temporal": Entry(
        lambda rows, others, how, phrase: temporal.pairs(rows, others, how.style, how.threshold, phrase),
        per_tau=True,
        others="required",
    ),
}


def knows_threshold(style: str) -> bool:
    """Whether pairs of this style, or of the method of this name, depend on τ."""
    return style not in PREFERENCES or PREFERENCES[style].per_tau


def preferred(
    rows: Iterable[Scored], method: Preference, phrase: str = HALT_PHRASE, others: Iterable[Scored] = ()
) -> Iterator[Pair]:
    """The pairs of a method, from N scored responses a prompt.

    Args:
        phrase: what the domain halts with.
        others: scored responses of a second model to the same prompts, for methods that read them.

    Raises:
        InputError: see the functions that make them.

    >>> from rlhalt.records import Fragment, Scored
    >>> question = [{"role": "user", "content": "Where is it?"}]
    >>> def answer(text, label):
    ...     said = [Fragment(0, len(text), "sentence", text, label)]
    ...     return Scored(text, "q", 0, question, text, {}, "mine", "train", "stop", {}, 9, said)
    >>> rows = [answer("It is in Africa.", "incorrect"), answer("It is in Asia.", "correct")]
    >>> for one in preferred(rows, Preference("own-pairs")):
    ...     print(one.chosen[0]["content"], "≻", one.rejected[0]["content"])
    It is in Asia. ≻ It is in Africa.
    """
    return PREFERENCES[method.name].make(rows, others, method, phrase)
