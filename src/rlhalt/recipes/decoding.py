"""The decodings of a recipe: the pretrained model's own answers to held-out prompts, chosen in other ways.

base/scored.jsonl ─┬─ its heads, probed ──────────────────────────────────────────► evaluate base iti
                   ├─ its wrong answers ─ train sft, a model tuned to be wrong ───► evaluate base icd
                   └─ train reward ───────────────────────────────────────────────► evaluate base best-of-n, qalign

decoding/wrong.jsonl decoding/wrong/     what `icd` is contrasted with
decoding/reward-model/                   what `best-of-n` and `qalign` choose by
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

from rlhalt.decoding.methods import READS
from rlhalt.decoding.setup import Decoding
from rlhalt.errors import InputError
from rlhalt.files.provenance import once
from rlhalt.recipes import untrained
from rlhalt.recipes.data import Part
from rlhalt.recipes.recipe import Recipe
from rlhalt.recipes.training import training_stage
from rlhalt.records import Json, Pair, Target, content_key, read
from rlhalt.reward_model.parts import parts
from rlhalt.reward_model.train import Settings, train
from rlhalt.rewards import Halting
from rlhalt.running.stages import Stage
from rlhalt.training_data.files import training_rows


def decoding(recipe: Recipe, part: Part, out: Path) -> tuple[list[Decoding], list[Stage]]:
    """The decodings of a recipe, and the stages that make what they read; none for a recipe without decodings."""
    folder, seed = out / "decoding", recipe.seeds[0]
    scored = part.folder / "base" / "scored.jsonl"
    files = {"against": folder / "wrong", "reward_model": folder / "reward-model", "scored": scored}
    found, stages = [], []
    for name in recipe.decodings:
        given = {key: str(path) for key, path in files.items() if key in READS[name]}
        found.append(Decoding(name, **given))  # type: ignore[arg-type]  # all are texts
    needed = {key for one in found for key in READS[one.name]}
    if "against" in needed:
        pairs = part.folder / "base" / f"pairs-{recipe.thresholds[0]:g}.jsonl"
        targets = folder / "wrong.jsonl"
        stages.append(Stage("targets", "wrong", targets, functools.partial(_write_wrong, pairs, targets), (pairs,)))
        made = training_stage(recipe, "sft", recipe.sft, targets, files["against"], seed, recipe.model, name="wrong")
        stages.append(untrained.training(made, functools.partial(untrained.empty, targets, "wrong answers")))
    if "reward_model" in needed:
        settings = Settings("probe", recipe.model, seed, recipe.chat_template_kwargs)
        work = functools.partial(train, [scored], part.domain.splitter(), files["reward_model"], settings)
        made = Stage("train reward", "", files["reward_model"], work, (scored,))
        stages.append(untrained.training(made, functools.partial(_too_few, scored, seed, part.domain.halting)))
    return found, stages


def reads(how: Decoding) -> str:
    """The model of the recipe that a decoding reads beside the decoded one; empty for one that reads none."""
    return how.against or how.reward_model


def _too_few(scored: Path, seed: int, halting: Halting) -> str | None:
    """Why no reward model can be trained; None where one can."""
    try:
        parts(list(training_rows(scored)), seed).check(halting)
    except InputError as error:
        return error.message
    return None


def _write_wrong(pairs: Path, file: Path) -> None:
    """Targets that hold what the model said wrongly; pairs of the style `keep` reject what leaves something out."""

    def make() -> Iterable[Target]:
        wrong = (
            Target(content_key(one.prompt, one.rejected), one.prompt, one.rejected, "wrong", one.source)
            for one in read(pairs, Pair)
            if one.style != "keep"
        )
        # Several pairs may reject the same response.
        return {one.key: one for one in wrong}.values()

    config: Json = {"rejected": True}
    once("targets", file, [pairs], config, make)
