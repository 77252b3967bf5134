"""A tiny model that says three things of every country, one of them wrong, and its calibration."""

from __future__ import annotations

from pathlib import Path

from rlhalt.cli import main
from rlhalt.domains import load_domain
from rlhalt.records import Json
from rlhalt.records import write as write_rows
from taught_model import taught


def answer(reference: Json) -> str:
    name = reference["subject"]
    return f"{name} is in Africa. The official language of {name} is English. {name} is in Asia."


def calibrated(tiny_model: Path, folder: Path) -> tuple[Path, list[str], list[str]]:
    """Teach and calibrate it.

    Returns:
        The model, with its calibration in its folder; the arguments that it is asked with; the command that calibrated
        it. `calibration.jsonl` and `heldout.jsonl` lie in the folder.
    """
    model = taught(tiny_model, "countries", answer, folder / "model", count=14, examples=False)
    domain = load_domain("countries")
    write_rows(folder / "calibration.jsonl", domain.prompts(split="train")[:14])
    write_rows(folder / "heldout.jsonl", domain.prompts(split="heldout")[:6])
    argv = ["--model", str(model), "--max-tokens", "64", "--engine", "transformers"]
    asked = ["calibrate", *argv, "--prompts", str(folder / "calibration.jsonl"), "--temperatures", "0", "0.7"]
    assert main(asked) == 0
    return model, argv, asked
