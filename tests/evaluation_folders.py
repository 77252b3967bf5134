"""Evaluation folders made up from known odds: what base, SFT and DPO would leave behind, without any model.

A fact of kind k is right with the odds of its kind, shifted by how well known the country is. Base states five facts.
SFT and DPO leave out what their own noisy guess of the odds puts below a bar: for DPO its threshold.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from rlhalt.records import Confidence, Continuation, Fragment, Scored, content_key, write

ODDS = {"continent": 0.84, "capital": 0.55, "currency": 0.3, "language": 0.78, "neighbour": 0.66}
COUNTRIES = [
    start + end
    for start in ("Al", "Bor", "Cas", "Dun", "El", "Fen", "Gar", "Hol")
    for end in ("mark", "ovia", "land", "istan", "eria", "onia", "ora", "ait")
]
SENTENCE = {
    "continent": ("{c} lies in {v}.", ("Africa", "Asia", "Europe", "South America")),
    "capital": ("The capital of {c} is {v}.", ("Aram", "Borvik", "Castel", "Dunmore", "Elbas")),
    "currency": ("People in {c} pay with the {v}.", ("dinar", "franc", "peso", "crown", "pound")),
    "language": ("{v} is spoken in {c}.", ("Arabic", "French", "Spanish", "English", "Danish")),
    "neighbour": ("{c} has a border with {v}.", ("Norland", "Sutland", "Ostland", "Westland")),
}
HALT = "Unsure from here."
ROLES = {"base": "base", "SFT": "supervised"}


def _response(facts: list[tuple[str, str, str | None]], **fields: Any) -> Scored:
    """A scored response of (text, evidence, label) facts; the label `failed` stands for a verifier that broke."""
    fragments, text = [], ""
    for words, evidence, label in facts:
        start = len(text) + bool(text)
        text = f"{text} {words}" if text else words
        failed = label == "failed"
        fragments.append(
            Fragment(
                start=start,
                end=len(text),
                kind="halt" if label == "halt" else "sentence",
                text=words,
                label=None if failed else label,  # type: ignore[arg-type]
                verifier="countries 1",
                evidence=None if failed else evidence,
                error="timed out" if failed else None,
            )
        )
    key = content_key(fields["prompt_key"], fields["index"], text, fields["sampler"])
    return Scored(key=key, response=text, fragments=fragments, n_tokens=len(text) // 4, finish_reason="stop", **fields)


def write_folder(
    folder: Path, rows: list[Scored], confidence: list[Confidence], continuation: list[Continuation], **run: Any
) -> Path:
    """An evaluation folder with these rows."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"stage": "evaluate", "name": "base", "threshold": None, "seed": 0, "few_shot": False, "seconds": 61.5}
    settings |= {"model": folder.name, "halting": "independent", "role": ROLES.get(str(run.get("name")), "trained")}
    settings |= run
    (folder / "run.json").write_text(json.dumps(settings), encoding="utf-8")
    write(folder / "scored.jsonl", rows)
    write(folder / "confidence.jsonl", confidence)
    if settings["name"] != "base":
        write(folder / "continuation.jsonl", continuation)
    return folder


def _folder(
    folder: Path, name: str, threshold: float | None, seed: int, n_prompts: int, samples: int, noise: float
) -> Path:
    rng = np.random.default_rng([seed, *name.encode(), int(100 * (threshold or 0))])
    bar = 0.0 if name == "base" else threshold if threshold is not None else 0.62
    rows, confidence, continuation = [], [], []
    for i in range(n_prompts):
        country = COUNTRIES[i % len(COUNTRIES)] + (f" {i // len(COUNTRIES) + 1}" if i >= len(COUNTRIES) else "")
        known = np.random.default_rng(i).normal(0, 0.9)
        for index in range(1 + samples):
            facts: list[tuple[str, str, str | None]] = []
            tokens, halts, left_out = [], [], None
            for kind, odds in ODDS.items():
                p = 1 / (1 + np.exp(-(np.log(odds / (1 - odds)) + known - 0.5 * (index > 0))))
                guess = 1 / (1 + np.exp(-(np.log(p / (1 - p)) + rng.normal(0, noise))))
                template, values = SENTENCE[kind]
                value, truth = rng.choice(values, size=2, replace=False)
                right = bool(rng.random() < p)
                truth = value if right else truth
                label = "correct" if right else "incorrect"
                draw = rng.random()
                label = "unverifiable" if draw < 0.04 else "failed" if draw > 0.995 else label
                fact = (template.format(c=country, v=value), f"{kind} of {country}: {truth}", label)
                if guess < bar:
                    left_out = left_out or fact
                    continue
                facts.append(fact)
                tokens.append(float(np.clip(0.35 + 0.6 * guess + rng.normal(0, 0.08), 0, 1)))
                halts.append(float(np.clip(1 - guess if name != "base" else 0.03 * (1 - guess), 0, 1)))
            if left_out and name != "base" and rng.random() < 0.8:
                facts.append((HALT, "", "halt"))
                tokens.append(0.9)
                halts.append(0.9)
            row = _response(
                facts,
                prompt_key=content_key(country),
                index=index,
                prompt=[{"role": "user", "content": f"State five facts about {country}."}],
                reference={"subject": country},
                domain="countries",
                split="heldout",
                sampler={"temperature": 0.0 if index == 0 else 1.0, "seed": seed, "model": name},
            )
            rows.append(row)
            confidence.append(Confidence(row.key, tokens, halts))
            if index == 0:
                text, label = (left_out[0], left_out[2]) if left_out else ("", None)
                continuation.append(Continuation(row.key, text, None if label == "failed" else label))  # type: ignore[arg-type]
    run: dict[str, Any] = {"name": name, "threshold": threshold, "seed": seed, "few_shot": name == "base"}
    if name == "DPO":
        run["started_from"] = [f"sft-{seed}"]
    return write_folder(folder, rows, confidence, continuation, **run)


def build(
    root: Path,
    n_prompts: int = 40,
    samples: int = 2,
    seeds: tuple[int, ...] = (0, 1),
    thresholds: tuple[float, ...] = (0.3, 0.5, 0.8),
) -> list[Path]:
    """Folders of base (one seed), SFT and one DPO a threshold (every seed)."""
    folders = [_folder(root / "base", "base", None, 0, n_prompts, samples, 0.5)]
    for seed in seeds:
        folders.append(_folder(root / f"sft-{seed}", "SFT", None, seed, n_prompts, samples, 1.2))
        for t in thresholds:
            folders.append(_folder(root / f"dpo-{t:g}-{seed}", "DPO", t, seed, n_prompts, samples, 0.6))
    return folders
