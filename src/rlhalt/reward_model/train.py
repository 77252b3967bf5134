"""`rlhalt train reward`: scored responses in, the folder of a reward model out.

scored rows ─ parts ─► train ─ probe or classifier ─► scores
                       validation ─ Platt ─► P(correct)
                       test ─► AUROC, AUPRC, ECE, first error
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import rlhalt
from rlhalt.contamination import prompts_seen, refuse_leakage
from rlhalt.cut.probability import FEWEST, Probability, fitted
from rlhalt.errors import InputError
from rlhalt.files.locks import locked
from rlhalt.files.provenance import Run, already_done
from rlhalt.files.text import check_folder, write_atomic
from rlhalt.models.names import identity, load_policy, turns
from rlhalt.records import Json, Scored
from rlhalt.reward_model.card import card
from rlhalt.reward_model.classifier import Schedule, base, classifier_scores, train_classifier
from rlhalt.reward_model.figures import Figures, balance, measured
from rlhalt.reward_model.folder import CARD, Description, Kind, Unverifiable, clear, write_description
from rlhalt.reward_model.hidden_states import candidate_layers, hidden_states
from rlhalt.reward_model.labels import fragment_labels, unverifiable_as_incorrect, up_to_last_label
from rlhalt.reward_model.parts import Parts, folds, parts
from rlhalt.reward_model.probe import Floats, chosen
from rlhalt.reward_model.probe_file import probe_scores, write_probe
from rlhalt.reward_model.reader import Reader, Scores, confidence, tokenizer_key
from rlhalt.rewards import Halting
from rlhalt.scoring import Scorer
from rlhalt.training_data.files import training_rows


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a reward model is trained.

    Attributes:
        kind: `probe` or `classifier`.
        model: the model that reads, a name or folder; for a probe that of the policy.
        seed: of the parts of the prompts, and of the training of a classifier.
        template_args: arguments of the chat template.
        schedule: of a classifier.
        unverifiable: what a fragment that the verifier could not check is: `unlabelled`, or `incorrect`.
    """

    kind: Kind
    model: str
    seed: int = 0
    template_args: Json = dataclasses.field(default_factory=dict)
    schedule: Schedule = dataclasses.field(default_factory=Schedule)
    unverifiable: Unverifiable = "unlabelled"


@dataclasses.dataclass(frozen=True, eq=False)
class Learnt:
    """What was learnt of rows, not written down yet.

    Attributes:
        scores: what the model says before its calibration.
        reader: how it reads.
        calibration: from σ(score) to P(correct).
        layer: of a probe.
        save: writes the weights into a folder.
        log: of the Trainer; empty for a probe.
    """

    scores: Scores
    reader: Reader
    calibration: Probability
    layer: int | None
    save: Callable[[Path], object]
    log: list[dict[str, Any]]

    def probabilities(self, rows: Sequence[Scored]) -> list[list[float]]:
        """P(correct) of each fragment of responses."""
        return [self.calibration(confidence(one)).tolist() for one in self.scores(self.reader.rows(rows))]


def train(scored: Sequence[str | Path], scorer: Scorer, output: str | Path, settings: Settings) -> Path:
    """Train, calibrate and measure a reward model; its folder is described in `rlhalt.reward_model.folder`.

    Args:
        scored: files of scored responses; those to training prompts count.
        scorer: of their domain, see `rlhalt.domains.Domain.splitter`.

    Returns:
        The folder.

    Raises:
        InputError: too few fragments with a label, or one class alone; a model that was trained on these prompts; see
            also `rlhalt.training_data.files.training_rows` and `rlhalt.models.names.turns`.
    """
    folder = Path(output)
    check_folder(folder)
    config = {
        **dataclasses.asdict(settings),
        "model": identity(settings.model),
        "domain": scorer.domain,
        "fragmenter": scorer.fragmenter,
    }
    run = Run("train reward", folder, inputs=scored, config=config, code=rlhalt.__version__)
    if run.finished:
        already_done(folder)
        return folder
    rows = _once([row for path in scored for row in training_rows(path)])
    turns(settings.model, settings.template_args)
    refuse_leakage(settings.model, rows)
    if settings.unverifiable == "incorrect":
        rows = [unverifiable_as_incorrect(one) for one in rows]
    split = parts([up_to_last_label(one, scorer.halting) for one in rows], settings.seed)
    split.check(scorer.halting)
    with locked(folder), run:
        learnt = learn(split, scorer.halting, settings)
        told = Description(
            settings.kind, settings.model, identity(settings.model), tokenizer_key(learnt.reader.tokenizer),
            settings.template_args, scorer.domain, scorer.fragmenter, scorer.halting, _verifier(rows), learnt.layer,
            learnt.calibration, figures(split, learnt, scorer.halting), settings.unverifiable,
        )  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        clear(folder)
        learnt.save(folder)
        write_atomic(folder / CARD, [card(told)])
        write_description(folder, told)
        # Those of the test part took no part: they may still be evaluated on.
        run.result(
            prompts=prompts_seen([*split.train, *split.validation]),
            parameters={"model_name_or_path": settings.model},
            log=learnt.log,
        )
    return folder


def _once(rows: Sequence[Scored]) -> list[Scored]:
    """Each response once, whatever files it is in."""
    return list({row.key: row for row in rows}.values())


def _verifier(rows: Sequence[Scored]) -> str:
    names = {one.verifier for row in rows for one in row.fragments if one.label in ("correct", "incorrect")}
    return ", ".join(sorted(one for one in names if one)) or "unknown"


def learn(split: Parts, halting: Halting, settings: Settings) -> Learnt:
    """A reward model of rows; the test part is not looked at.

    A probe is fitted in a moment: its layer, its penalty and its calibration come from cross-fitting over all prompts
    that are not in the test part, which leaves it more to learn from. A classifier is fitted on the train part and
    calibrated on the validation part.
    """
    return (_probe if settings.kind == "probe" else _classifier)(split, halting, settings)


def _probe(split: Parts, halting: Halting, settings: Settings) -> Learnt:
    policy, tokenizer = load_policy(settings.model)
    reader = Reader.of(policy, tokenizer, settings.template_args)
    layers = candidate_layers(policy)
    rows = [*split.train, *split.validation]
    states = hidden_states(policy, reader.rows(rows), layers)
    states_N_L_H, correct_N, row_N = _labelled(states, rows, halting)
    choice = chosen(states_N_L_H, correct_N, folds(rows, settings.seed)[row_N], layers)
    return Learnt(
        probe_scores(policy, choice.probe),
        reader,
        fitted("platt", confidence(choice.crossed), correct_N),
        choice.probe.layer,
        functools.partial(write_probe, choice.probe),
        [],
    )


def _classifier(split: Parts, halting: Halting, settings: Settings) -> Learnt:
    from transformers import set_seed

    # Before the two logits and the adapter are drawn.
    set_seed(settings.seed)
    model, tokenizer = base(settings.model)
    reader = Reader.of(model, tokenizer, settings.template_args)
    labels = [fragment_labels(row.fragments, halting) for row in split.train]
    model, log = train_classifier(model, tokenizer, reader.rows(split.train), labels, settings.schedule, settings.seed)
    scores = classifier_scores(model)
    score_N, correct_N, _ = _labelled(scores(reader.rows(split.validation)), split.validation, halting)
    return Learnt(scores, reader, fitted("platt", confidence(score_N), correct_N), None, model.save_pretrained, log)


def _labelled(
    values: Sequence[npt.NDArray[np.floating]], rows: Sequence[Scored], halting: Halting
) -> tuple[Floats, Floats, npt.NDArray[np.intp]]:
    """Of the N fragments with a label and with tokens: what is said of each, its label, and the place of its row.

    Raises:
        InputError: fewer than 30 of them have finite numbers.
    """
    kept = [
        (one, label, place)
        for place, (its, row) in enumerate(zip(values, rows, strict=True))
        for one, label in zip(its, fragment_labels(row.fragments, halting), strict=True)
        if label is not None and np.isfinite(one).all()
    ]
    if len(kept) < FEWEST:
        raise InputError(
            f"expected at least {FEWEST} fragments that the model can read, found {len(kept)}: others lie beyond its "
            "longest input, or it computes no finite number for them; take another model",
            field="--model",
        )
    correct_N = np.array([label for _, label, _ in kept], dtype=np.float64)
    return np.array([one for one, _, _ in kept]), correct_N, np.array([place for *_, place in kept], dtype=np.intp)


def figures(split: Parts, learnt: Learnt, halting: Halting) -> Figures:
    """What a reward model is measured to do on the test part."""
    before = [confidence(one).tolist() for one in learnt.scores(learnt.reader.rows(split.test))]
    after = [learnt.calibration(np.array(one)).tolist() for one in before]
    auroc, auprc, ece_after, first = measured(split.test, after, halting)
    train, validation, test = (balance(one, halting) for one in (split.train, split.validation, split.test))
    ece_before = measured(split.test, before, halting)[2]
    return Figures(train, validation, test, auroc, auprc, ece_before, ece_after, first)
