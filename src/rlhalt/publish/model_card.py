"""The card of a trained model: what it is, how it is asked, what was measured and what it does not promise."""

from __future__ import annotations

import json
from pathlib import Path

from rlhalt.chat.threshold_prompt import with_threshold
from rlhalt.cut.calibration import FILE, FOLDER
from rlhalt.cut.calibration import read as read_calibration
from rlhalt.cut.show import table
from rlhalt.errors import InputError
from rlhalt.models.names import resolve_model, whole_model
from rlhalt.models.trained_model import TrainedModel, lineage, read_trained_model

_KINDS = {
    "train sft": "supervised fine-tuning on targets",
    "train dpo": "preference training (DPO) on pairs",
    "train decisions": "training on decisions",
    "train grpo": "online training (GRPO), rewarded fragment by fragment",
}


def model_card(model: str | Path, report: str | Path | None = None, repository: str = "") -> str:
    """The text of README.md of a trained model.

    Args:
        model: its folder, with the run.json of its training.
        report: the folder that `rlhalt compare` wrote, for a table of results; without it the card has none.
        repository: its name on a hub, for the example; the folder's own name if empty.

    Raises:
        InputError: no run.json of a training in the folder, or no table in the report.
    """
    from huggingface_hub import ModelCardData

    folder = Path(resolve_model(str(model)))
    if read_trained_model(folder) is None:
        raise InputError("expected the run.json of a training, found none: the card is made of it", path=folder)
    trainings = list(lineage(folder))
    start = Path(trainings[-1].trained_from or "").name or "unknown"
    _, adapter = whole_model(str(folder))
    head = ModelCardData(
        base_model=trainings[-1].trained_from if _is_hub_name(trainings[-1].trained_from) else None,
        library_name="transformers" if adapter is None else "peft",
        pipeline_tag="text-generation",
        tags=["rlhalt", "abstention", "factuality", "trl"],
    )
    name = repository or folder.name
    parts = [
        f"---\n{head.to_yaml()}\n---\n",
        f"# {name}\n",
        f"{start}, trained with [rlhalt](https://github.com/rlhalt/rlhalt) to stop where it stops being right.\n",
        _asked(trainings, name),
        _training(trainings),
        _results(report),
        _calibration(folder),
        "## Limits\n\nThe model was trained on one kind of question, with verdicts of one verifier. On other questions "
        "it may leave out too much or too little. A response that it gives may still be wrong.\n",
    ]
    return "\n".join(one for one in parts if one)


def _is_hub_name(name: str | None) -> bool:
    return bool(name) and str(name).count("/") == 1 and not Path(str(name)).exists()


def _asked(trainings: list[TrainedModel], name: str) -> str:
    question = [{"role": "user", "content": "State five facts about Kenya."}]
    several = len(trainings[0].thresholds) > 1
    messages = with_threshold(question, 0.8) if several else question
    said = (
        "The prompt states the threshold τ: the model leaves out what is right with a lower probability.\n\n"
        if several
        else ""
    )
    return (
        f"## How to ask it\n\n{said}```python\nfrom transformers import pipeline\n\n"
        f'answer = pipeline("text-generation", "{name}")\n'
        f"messages = {json.dumps(messages, ensure_ascii=False)}\n"
        'print(answer(messages, max_new_tokens=96)[0]["generated_text"][-1]["content"])\n```\n'
    )


def _training(trainings: list[TrainedModel]) -> str:
    rows = ["## Training\n", "| step | what | prompts | τ | time |", "| --: | --- | --: | --- | --: |"]
    for number, one in enumerate(reversed(trainings), start=1):
        kind = _KINDS.get(one.stage, one.stage or "unknown")
        time = "–" if one.seconds is None else f"{one.seconds / 60:.0f} min"
        rows.append(f"| {number} | {kind} | {len(one.prompts)} | {_range(one.thresholds)} | {time} |")
    return "\n".join([*rows, "", "`run.json` has all settings, versions and the prompts' keys.\n"])


def _range(thresholds: list[float]) -> str:
    if not thresholds:
        return "–"
    if len(thresholds) == 1:
        return f"{thresholds[0]:g}"
    return f"{thresholds[0]:g} to {thresholds[-1]:g}, in the prompt"


def _results(report: str | Path | None) -> str:
    if report is None:
        return ""
    path = Path(report) / "table.md"
    if not path.is_file():
        raise InputError("expected the folder that `rlhalt compare` wrote, found no table.md in it", path=report)
    return f"## Results\n\n{path.read_text(encoding='utf-8').strip()}\n"


def _calibration(folder: Path) -> str:
    path = folder / FOLDER / FILE
    if not path.is_file():
        return ""
    return f"## Calibration\n\nFor `rlhalt answer` and `rlhalt serve`.\n\n```\n{table(read_calibration(path))}\n```\n"
