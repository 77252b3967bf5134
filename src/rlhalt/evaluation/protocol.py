"""What must be alike before two models may be compared: the questions, how answers were drawn, and who judged them.

Left free are the model, how it is decoded (`rlhalt.decoding`), the examples that base is shown and trained models are
not, the sampling seed, and the batch size, which decides the rounding alone. A judge's budget must be alike too: a
scoring that ran out has not finished (`rlhalt.errors.BudgetExceeded`), but a verifier may ask less where it has less.
Evaluated again with another budget, finished rows are not asked about again, and that one is written down.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from rlhalt.chat.threshold_prompt import without_threshold
from rlhalt.contamination import refuse_leakage
from rlhalt.errors import InputError
from rlhalt.evaluation.folder import Evaluation
from rlhalt.records import Prompt, Scored

DECODINGS = ("greedy", "sampled")
FREE = {"model", "few_shot", "seed", "batch_size", "decoding"}


def comparable(evaluations: Sequence[Evaluation]) -> dict[str, list[str]]:
    """See that evaluations may be compared.

    Returns:
        The keys of the prompts of each decoding, in the order of the first evaluation.

    Raises:
        InputError: they answer other prompts, or were made otherwise, naming what differs between which of them; or a
            model was trained on a prompt.
    """
    keys = _prompt_keys(evaluations)
    _alike(evaluations)
    prompts = {row.prompt_key: row for row in evaluations[0].scored}
    for one in evaluations:
        refuse_leakage(one.model, [_prompt(row) for row in prompts.values()])
    return keys


def _prompt(row: Scored) -> Prompt:
    return Prompt(row.prompt_key, row.prompt, row.reference, row.domain, row.split)


def _prompt_keys(evaluations: Sequence[Evaluation]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {}
    for decoding in DECODINGS:
        covered = [(one, dict.fromkeys(row.prompt_key for row in one.rows(decoding))) for one in evaluations]
        first, expected = covered[0]
        for other, found in covered[1:]:
            missing, extra = expected.keys() - found.keys(), found.keys() - expected.keys()
            if missing or extra:
                raise InputError(
                    f"its {decoding} responses do not answer the same prompts as {first.folder}: "
                    f"{len(missing)} missing ({', '.join(sorted(missing)[:3]) or 'none'}), {len(extra)} more "
                    f"({', '.join(sorted(extra)[:3]) or 'none'}); evaluate both on the same held-out prompts",
                    path=other.folder / "scored.jsonl",
                )
        if expected:
            keys[decoding] = list(expected)
    return keys


def _alike(evaluations: Sequence[Evaluation]) -> None:
    bases = {one.identity for one in evaluations if one.role == "base"}
    drawn_by = sorted({name for one in evaluations for row in one.scored for name in row.sampler} - FREE)
    told: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for one in evaluations:
        for name, value in (*_shown(one, bases), *_drawn(one, drawn_by), *_judged(one), *_elsewhere(one)):
            told[name][value].append(one.folder)
    differing = [f"{name} is {_spoken(values)}" for name, values in told.items() if len(values) > 1]
    if differing:
        more = f"; and {len(differing) - 3} more differences" if len(differing) > 3 else ""
        raise InputError(
            f"expected evaluations made alike, found that {'; '.join(differing[:3])}{more}; "
            "evaluate again with the same settings"
        )


def _spoken(values: Mapping[str, list[Path]]) -> str:
    said = []
    for value, folders in values.items():
        text = value if len(value) <= 60 else f"{value[:57]}..."
        more = f" and {len(folders) - 2} more" if len(folders) > 2 else ""
        said.append(f"{text} in {', '.join(map(str, folders[:2]))}{more}")
    return " but ".join(said)


def _shown(one: Evaluation, bases: Collection[str]) -> Iterator[tuple[str, str]]:
    """What the model was asked, and what its answers are compared with.

    The base model is shown its examples also where it is cut or decoded otherwise.
    """
    if one.identity not in bases:
        yield "what trained models are asked", "with examples" if one.few_shot else "without examples"
    for row in {row.prompt_key: row for row in one.scored}.values():
        yield f"prompt {row.prompt_key}", " / ".join(message["content"] for message in without_threshold(row.prompt))
        yield f"the reference of prompt {row.prompt_key}", json.dumps(row.reference, ensure_ascii=False, sort_keys=True)


def _drawn(one: Evaluation, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """How the responses of each decoding were drawn; several values of one setting stand side by side."""
    for decoding in DECODINGS:
        rows = one.rows(decoding)
        for name in names if rows else ():
            values = sorted({str(row.sampler.get(name, "not told")) for row in rows})
            yield f"{name} of {decoding} responses", " or ".join(values)
        numbers = sorted(set(Counter(row.prompt_key for row in rows).values()))
        yield f"the number of {decoding} responses a prompt", " or ".join(map(str, numbers))


def _judged(one: Evaluation) -> Iterator[tuple[str, str]]:
    """How the responses were split and judged; nothing is said of a domain without any fragment."""
    yield "the halting style", one.halting
    yield "the fragmenter", one.fragmenter or "not told"
    limits = (f"{name} {'without limit' if most is None else f'{most:g}'}" for name, most in (one.budget or {}).items())
    yield "the verifier's budget", ", ".join(limits) or "none"
    verifiers: dict[str, set[str]] = defaultdict(set)
    fingerprints: dict[str, set[str]] = defaultdict(set)
    for row in one.scored:
        verifiers[row.domain].update(fragment.verifier for fragment in row.fragments if fragment.verifier)
        fingerprints[row.domain].update({row.made_of.partition(".")[2]} - {""})
    for domain, names in verifiers.items():
        if names:
            yield f"the verifier of {domain}", " or ".join(sorted(names))
    for domain, codes in fingerprints.items():
        if codes:
            yield f"the fingerprint of code and facts that judged {domain}", " or ".join(sorted(codes))


def _elsewhere(one: Evaluation) -> Iterator[tuple[str, str]]:
    """What a model that was measured outside of its domain was given there; nothing of one that was not."""
    if one.general is not None:
        yield "the text of general.json", one.general.text or "none"
        yield "the instructions of general.json", one.general.instructions
