"""The model that an evaluation folder is of, for what is measured of it afterwards."""

from __future__ import annotations

import json
from pathlib import Path

from rlhalt.errors import InputError
from rlhalt.models import identity
from rlhalt.records import Json


def evaluated(folder: str | Path) -> str:
    """The model of an evaluation folder, as long as it is the one that was evaluated.

    Raises:
        InputError: no run.json that names a model, or another model in its place now.
    """
    path = Path(folder) / "run.json"
    try:
        record: Json = json.loads(path.read_text(encoding="utf-8"))
        model = str(record["model"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        raise InputError("expected an evaluation folder with a run.json that names its model", path=path) from None
    here = identity(model)
    was = record.get("config", {}).get("model", here)
    if was != here:
        raise InputError(f"expected the model that was evaluated, {was}, found {here}; evaluate it again", path=model)
    return model
