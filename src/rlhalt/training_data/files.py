"""From file to file: pairs, decisions and targets of the responses to training prompts."""

from __future__ import annotations

import dataclasses
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rlhalt.errors import InputError
from rlhalt.files.provenance import once
from rlhalt.fragments.halting_phrase import named
from rlhalt.records import HALT_PHRASE, Json, Pair, Scored, Target, content_key, read
from rlhalt.training_data.decisions import conditioned_decisions, decisions
from rlhalt.training_data.preferences.methods import PREFERENCES, Preference, preferred
from rlhalt.training_data.styles import Style, pairs, targets
from rlhalt.training_data.table import check_others
from rlhalt.training_data.targets.methods import METHODS, Method, supervised
from rlhalt.training_data.targets.selection import best


def training_rows(path: str | Path) -> Iterator[Scored]:
    """The scored responses of a file that are to training prompts; how many others are left out goes to stderr.

    What is trained on held-out prompts cannot be measured on them.

    Raises:
        InputError: there are responses, and all are to held-out prompts.
    """
    total = left = 0
    for row in read(path, Scored):
        total += 1
        if row.split == "train":
            yield row
        else:
            left += 1
    if left == total > 0:
        raise InputError(
            f"expected responses to prompts of the split train, found all {total} to held-out prompts; sample training "
            "prompts too",
            path=path,
            field="split",
        )
    if left:
        print(f"{path}: left out {left} of {total} responses, which are to held-out prompts", file=sys.stderr)


def write_pairs(
    scored: str | Path,
    output: str | Path,
    threshold: float,
    style: Style,
    draws: int | None = None,
    seed: int = 0,
    phrase: str = HALT_PHRASE,
) -> None:
    """The pairs of a file of scored responses, into a file; see `rlhalt.training_data.pairs`.

    Args:
        draws: write so many pairs, drawn by weight; see `drawn`.
        seed: of the draws.
        phrase: what the domain halts with; also of the other functions here.

    Raises:
        InputError: see `training_rows` and `pairs`.
    """
    config: Json = {"style": style, "threshold": threshold, **named(phrase)}
    if draws is None:
        once("pairs", output, [scored], config, lambda: pairs(training_rows(scored), threshold, style, phrase))
        return
    config |= {"draws": draws, "seed": seed}
    once(
        "pairs",
        output,
        [scored],
        config,
        lambda: drawn(list(pairs(training_rows(scored), threshold, style, phrase)), draws, seed),
    )


def write_preferences(
    scored: str | Path,
    output: str | Path,
    method: Preference,
    draws: int | None = None,
    seed: int = 0,
    phrase: str = HALT_PHRASE,
    others: str | Path | None = None,
) -> None:
    """The pairs of a method, of a file of scored responses, into a file; see `preferred`.

    Args:
        draws, seed: see `write_pairs`.
        others: scored responses of a second model to the same prompts, for methods that read them.

    Raises:
        InputError: see `training_rows`, `preferred` and `rlhalt.training_data.table.check_others`.
    """
    check_others(method.name, PREFERENCES[method.name], others)

    def make() -> Iterator[Pair]:
        made = preferred(training_rows(scored), method, phrase, training_rows(others) if others else ())
        return made if draws is None else drawn(list(made), draws, seed)

    config: Json = {"preferences": dataclasses.asdict(method), **named(phrase)}
    if draws is not None:
        config |= {"draws": draws, "seed": seed}
    once("pairs", output, [scored, *([others] if others else [])], config, make)


def drawn(rows: Sequence[Pair], count: int, seed: int) -> Iterator[Pair]:
    """Pairs drawn by weight with replacement, each of weight 1: for trainers that do not know weights.

    Trained on them without weights, the expected loss is that of the weighted pairs. TRL's DPOTrainer drops the column
    `weight`; on the pairs as they are it would train at τ = ½.

    Args:
        rows: pairs with weights.
        count: how many to draw.
        seed: of the draws.

    Raises:
        InputError: there are no pairs, or they have a margin or spans, which such a trainer drops too.
    """
    if not rows:
        raise InputError("expected at least one pair to draw from, found none", field="draws")
    if not all(one.plain for one in rows):
        raise InputError(
            "expected pairs without margin and spans, which trainers that do not know weights drop; train these with "
            "rlhalt train dpo",
            field="draws",
        )
    chosen = random.Random(seed).choices(rows, weights=[one.weight for one in rows], k=count)
    for number, one in enumerate(chosen):
        yield dataclasses.replace(one, key=content_key(one.key, number), weight=1.0)


def write_decisions(
    scored: str | Path, output: str | Path, threshold: float, style: Style, phrase: str = HALT_PHRASE
) -> None:
    """The decisions of a file of scored responses, into a file; see `rlhalt.training_data.decisions`.

    Raises:
        InputError: see `training_rows` and `decisions`.
    """
    config = {"style": style, "threshold": threshold, "decisions": True, **named(phrase)}
    once("decisions", output, [scored], config, lambda: decisions(training_rows(scored), threshold, style, phrase))


def write_conditioned_decisions(
    scored: str | Path,
    output: str | Path,
    thresholds: list[float],
    style: Style,
    seed: int,
    phrase: str = HALT_PHRASE,
) -> None:
    """The decisions of a file of scored responses at many thresholds, into a file; see `rlhalt.chat.threshold_prompt`.

    Raises:
        InputError: see `training_rows` and `conditioned_decisions`.
    """
    config = {"style": style, "thresholds": thresholds, "seed": seed, **named(phrase)}
    once(
        "decisions",
        output,
        [scored],
        config,
        lambda: conditioned_decisions(training_rows(scored), thresholds, style, seed, phrase),
    )


def write_targets(
    scored: str | Path, output: str | Path, style: Style, share: float, phrase: str = HALT_PHRASE
) -> None:
    """The targets of the best responses of a file of scored responses, into a file; see `best` and `targets`.

    Raises:
        InputError: see `training_rows`, `best` and `targets`.
    """
    config = {"style": style, "best": share, **named(phrase)}
    once("targets", output, [scored], config, lambda: targets(best(training_rows(scored), share), style, phrase))


def write_supervised(
    scored: str | Path,
    output: str | Path,
    method: Method,
    phrase: str = HALT_PHRASE,
    others: str | Path | None = None,
) -> None:
    """The targets of a method, of a file of scored responses, into a file; see `supervised`.

    Args:
        others: scored responses of a second model to the same prompts, for methods that read them.

    Raises:
        InputError: see `training_rows`, `supervised` and `rlhalt.training_data.table.check_others`.
    """
    check_others(method.name, METHODS[method.name], others)

    def make() -> Iterator[Target]:
        return supervised(training_rows(scored), method, phrase, training_rows(others) if others else ())

    config = dataclasses.asdict(method) | named(phrase)
    once("targets", output, [scored, *([others] if others else [])], config, make)
