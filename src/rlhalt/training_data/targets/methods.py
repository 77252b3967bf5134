"""Supervised targets by name: the methods that rlhalt is compared with, all made of the same scored responses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from rlhalt.records import HALT_PHRASE, Scored, Target
from rlhalt.training_data.styles import Style
from rlhalt.training_data.table import Entry, check_name
from rlhalt.training_data.targets import (
    alignment_for_honesty,
    back_off,
    craft,
    expert_iteration,
    halt_method,
    instruction_modelling,
    r_tuning,
    reference,
    s3ft,
    semantic_entropy,
    unit,
)
from rlhalt.training_data.targets.selection import Reading


@dataclasses.dataclass(frozen=True)
class Method:
    """How targets are made.

    Attributes:
        name: one of `METHODS`; docs/methods.md says what each does, and where it comes from.
        style: how `halt`, `halt-per-tau`, `random-trim` and `instruction-modelling` get rid of a fragment; and whether
            a method for one short answer acts per response or per fragment (`one_answer`).
        percentile, reading: which of N responses `halt`, `idk` and `random-trim` take, see `at_percentile`.
        threshold: τ of the methods that know one.
        seed: of `random-trim`.
    """

    name: str
    style: Style = "remove"
    percentile: float = 0.6
    reading: Reading = "ascending"
    threshold: float = 0.5
    seed: int = 0

    @property
    def at(self) -> float | None:
        """τ, of a method that knows one."""
        return self.threshold if METHODS[self.name].per_tau else None

    def __post_init__(self) -> None:
        check_name(self.name, METHODS, "method")


# A line a method: what it reads of the scored responses, those of a second model, the settings and the phrase.
METHODS: dict[str, Entry[Method, Target]] = {
    "halt": Entry(lambda rows, _, how, phrase: halt_method.halt(rows, how.style, how.percentile, how.reading, phrase)),
    "halt-per-tau": Entry(
        lambda rows, _, how, phrase: halt_method.halt_per_tau(rows, how.style, how.threshold, phrase), per_tau=True
    ),
    "unit": Entry(lambda rows, _, how, phrase: unit.targets(rows, phrase)),
    "idk": Entry(lambda rows, _, how, phrase: halt_method.idk(rows, how.percentile, how.reading, phrase)),
    "random-trim": Entry(
        lambda rows, _, how, phrase: halt_method.random_trim(
            rows, how.style, how.percentile, how.reading, how.seed, phrase
        )
    ),
    "absolute": Entry(lambda rows, _, how, phrase: alignment_for_honesty.absolute(rows, phrase)),
    "confidence-num": Entry(lambda rows, _, how, phrase: alignment_for_honesty.confidence_num(rows, phrase)),
    "confidence-verb": Entry(lambda rows, _, how, phrase: alignment_for_honesty.confidence_verb(rows, phrase)),
    "multisample": Entry(lambda rows, _, how, phrase: alignment_for_honesty.multisample(rows, phrase)),
    "reference": Entry(lambda rows, _, how, phrase: reference.targets(rows)),
    "r-tuning": Entry(lambda rows, _, how, phrase: r_tuning.targets(rows, how.style)),
    "semantic-entropy": Entry(
        lambda rows, _, how, phrase: semantic_entropy.targets(rows, how.style, how.threshold, phrase), per_tau=True
    ),
    "back-off": Entry(
        lambda rows, _, how, phrase: back_off.targets(rows, how.style, how.threshold, phrase), per_tau=True
    ),
    "craft": Entry(lambda rows, others, how, phrase: craft.targets(rows, others, phrase), others="optional"),
    "s3ft": Entry(lambda rows, _, how, phrase: s3ft.targets(rows)),
    "expert-iteration": Entry(
        lambda rows, _, how, phrase: expert_iteration.targets(rows, how.style, how.threshold), per_tau=True
    ),
    "instruction-modelling": Entry(
        lambda rows, _, how, phrase: instruction_modelling.targets(rows, how.style, phrase),
        keys=instruction_modelling.KEYS,
    ),
}


def supervised(
    rows: Iterable[Scored], method: Method, phrase: str = HALT_PHRASE, others: Iterable[Scored] = ()
) -> Iterator[Target]:
    """The targets of a method, from N scored responses a prompt.

    Args:
        phrase: what the domain halts with.
        others: scored responses of a second model to the same prompts, for methods that read them.

    Raises:
        InputError: see the functions that make them.

    >>> from rlhalt.records import Fragment, Scored
    >>> text = "It is in Asia. Its capital is Rome."
    >>> right = Fragment(0, 14, "sentence", text[:14], "correct")
    >>> wrong = Fragment(15, 35, "sentence", text[15:], "incorrect")
    >>> question = [{"role": "user", "content": "Where is it?"}]
    >>> row = Scored("1", "q", 0, question, text, {}, "mine", "train", "stop", {}, 9, [right, wrong])
    >>> [one.completion[0]["content"] for one in supervised([row], Method("halt"))]
    ['It is in Asia.']
    """
    return METHODS[method.name].make(rows, others, method, phrase)
