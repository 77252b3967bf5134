"""Scored responses from whose text the verdicts can be learnt, and reward models of them on the tiny model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rlhalt.fragments.languages import SentenceSplitter
from rlhalt.records import HALT_PHRASE, Fragment, Prompt, Scored, content_key, user
from rlhalt.reward_model.classifier import Schedule
from rlhalt.reward_model.folder import Kind
from rlhalt.reward_model.train import Settings, train
from rlhalt.scoring import NoVerifier, Scorer

SCORER = Scorer(SentenceSplitter("en", HALT_PHRASE), NoVerifier(), domain="ink")
RIGHT, WRONG = "The ink is official.", "Its sand was never a capital."


def prompts(n: int, split: str = "train") -> list[Prompt]:
    """Prompts about things with a number, those of each split about others."""
    asked = [user(f"Describe {split} thing {number}.") for number in range(n)]
    return [Prompt(content_key(one, "ink"), one, {"answer": "ink"}, "ink", split) for one in asked]


def rows(n: int = 60, seed: int = 0, split: str = "train") -> list[Scored]:
    """One response to each of n prompts: three to five facts of which each is right by chance."""
    rng = np.random.default_rng(seed)
    return [
        row(one, [bool(right) for right in rng.random(rng.integers(3, 6)) < 0.6], seed) for one in prompts(n, split)
    ]


def row(prompt: Prompt, right: Sequence[bool], seed: int = 0) -> Scored:
    """A response of right and wrong facts."""
    text, fragments = "", []
    for one in right:
        start = len(text) + bool(text)
        text = f"{text} {RIGHT if one else WRONG}".strip()
        label = "correct" if one else "incorrect"
        fragments.append(Fragment(start, len(text), "sentence", text[start:], label, verifier="hand/1"))  # type: ignore[arg-type]
    key = content_key(prompt.key, text, seed)
    return Scored(
        key, prompt.key, 0, prompt.prompt, text, prompt.reference, "ink", prompt.split, "stop", {"temperature": 0.7},
        9, fragments=fragments,
    )  # fmt: skip


def trained(model: Path, file: Path, folder: Path, kind: Kind = "probe", seed: int = 0) -> Path:
    """A reward model of a file of scored rows."""
    settings = Settings(kind, str(model), seed, schedule=Schedule(epochs=6, learning_rate=5e-3, batch_size=4))
    return train([file], SCORER, folder, settings)
