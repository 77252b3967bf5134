"""What training has written of a model into the run.json of its folder."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

from rlhalt.errors import InputError
from rlhalt.files.jsonl import from_json
from rlhalt.files.strict_json import Json
from rlhalt.files.text import read_text


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """What is read again of a model's run.json.

    Attributes:
        stage: which training it was, `train sft` for example; "" where that is not known.
        prompts: keys of the prompts it was trained on, see `rlhalt.contamination`.
        thresholds: the τ that its training rows were made at.
        seconds: how long its training took; None where that is not known.
        parameters: keys of its training that differ from their defaults.
    """

    stage: str = ""
    prompts: list[str] = dataclasses.field(default_factory=list)
    thresholds: list[float] = dataclasses.field(default_factory=list)
    seconds: float | None = None
    parameters: Json = dataclasses.field(default_factory=dict)

    @property
    def trained_from(self) -> str | None:
        """The model that its training began with."""
        name = self.parameters.get("model_name_or_path")
        return name if isinstance(name, str) else None


def read_trained_model(folder: str | Path) -> TrainedModel | None:
    """What a model's run.json says; None for a model that rlhalt did not train.

    Raises:
        InputError: no JSON object in run.json.
    """
    path = Path(folder) / "run.json"
    if not path.is_file():
        return None
    try:
        # Losses may be NaN, which strict readers refuse.
        data = json.loads(read_text(path, "a run.json"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"expected JSON, found {error}; train the model again", path=path) from None
    if not isinstance(data, dict):
        raise InputError("expected a JSON object; train the model again", path=path)
    return from_json(TrainedModel, data, path)


def lineage(model: str | Path) -> Iterator[TrainedModel]:
    """A model and those it was trained from, the last first; none for a model that rlhalt did not train.

    Args:
        model: a name or folder, see `rlhalt.models.names.resolve_model`.

    Raises:
        InputError: see `read_trained_model`.
    """
    folders: list[Path] = []
    name: str | None = str(model)
    while name and (folder := Path(name)) not in folders and (found := read_trained_model(folder)) is not None:
        folders.append(folder)
        yield found
        name = found.trained_from
