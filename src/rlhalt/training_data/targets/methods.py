"""Supervised targets by name: the methods that rlhalt is compared with, all made of the same scored responses."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Iterator
from typing import Literal, assert_never, get_args

from rlhalt.errors import InputError
from rlhalt.records import HALT_PHRASE, Scored, Target
from rlhalt.training_data.pieces import target
from rlhalt.training_data.styles import Style, targets
from rlhalt.training_data.targets import alignment_for_honesty, halt_method
from rlhalt.training_data.targets.selection import Reading, by_prompt

MethodName = Literal[
    "halt",
    "halt-per-tau",
    "unit",
    "idk",
    "random-trim",
    "absolute",
    "confidence-num",
    "confidence-verb",
    "multisample",
    "reference",
]


@dataclasses.dataclass(frozen=True)
class Method:
    """How targets are made.

    Attributes:
        name: `halt` (HALT), `halt-per-tau` (HALT per τ), `unit` (UNIT), `idk` (whole-answer abstention), `random-trim`,
            `absolute`, `confidence-num`, `confidence-verb`, `multisample` (Alignment for Honesty) or `reference`
            (standard fine-tuning). See `halt_method`, `alignment_for_honesty` and `supervised`.
        style: how `halt`, `halt-per-tau` and `random-trim` get rid of a fragment.
        percentile, reading: which of N responses `halt`, `idk` and `random-trim` take, see `at_percentile`.
        threshold: τ of `halt-per-tau`.
        seed: of `random-trim`.
    """

    name: MethodName
    style: Style = "remove"
    percentile: float = 0.6
    reading: Reading = "ascending"
    threshold: float = 0.5
    seed: int = 0

    @property
    def at(self) -> float | None:
        """τ, of a method that knows one."""
        return self.threshold if self.name == "halt-per-tau" else None

    def __post_init__(self) -> None:
        known = get_args(MethodName)
        if self.name not in known:
            near = difflib.get_close_matches(str(self.name), known, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            raise InputError(f"expected one of {', '.join(known)}, found '{self.name}'{hint}", field="method")


def supervised(rows: Iterable[Scored], method: Method, phrase: str = HALT_PHRASE) -> Iterator[Target]:
    """The targets of a method, from N scored responses a prompt.

    Args:
        phrase: what the domain halts with.

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
    match method.name:
        case "halt":
            return halt_method.halt(rows, method.style, method.percentile, method.reading, phrase)
        case "halt-per-tau":
            return halt_method.halt_per_tau(rows, method.style, method.threshold, phrase)
        case "idk":
            return halt_method.idk(rows, method.percentile, method.reading, phrase)
        case "random-trim":
            return halt_method.random_trim(rows, method.style, method.percentile, method.reading, method.seed, phrase)
        case "absolute":
            return alignment_for_honesty.absolute(rows, phrase)
        case "confidence-num":
            return alignment_for_honesty.confidence_num(rows, phrase)
        case "confidence-verb":
            return alignment_for_honesty.confidence_verb(rows, phrase)
        case "multisample":
            return alignment_for_honesty.multisample(rows, phrase)
        case "unit":
            return unit(rows, phrase)
        case "reference":
            return reference(rows)
        case _:
            assert_never(method.name)


def unit(rows: Iterable[Scored], phrase: str = HALT_PHRASE) -> Iterator[Target]:
    """UNIT (arXiv 2502.11962): the first response to each prompt, whole, with a reflection on what is wrong in it.

    Every prompt here asks for information; UNIT leaves out the reflection for those that do not.
    """
    for one in targets((group[0] for group in by_prompt(rows)), "reflect", phrase):
        yield dataclasses.replace(one, style="unit")


def reference(rows: Iterable[Scored]) -> Iterator[Target]:
    """Standard fine-tuning: the text `answer` of each prompt's reference, whatever the model knows of it.

    Raises:
        InputError: a reference without one.
    """
    for group in by_prompt(rows):
        row = group[0]
        answer = row.reference.get("answer")
        if not isinstance(answer, str) or not answer.strip():
            raise InputError(
                f"expected a text 'answer' in the reference, found {answer!r} (key {row.key}); this domain has no "
                "reference answers to fine-tune on",
                field="reference",
            )
        yield target(row, answer.strip(), "reference")
