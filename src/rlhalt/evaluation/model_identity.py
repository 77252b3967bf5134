"""The model that an evaluation folder is of, for what is measured of it afterwards."""

from __future__ import annotations

from pathlib import Path

from rlhalt.errors import InputError
from rlhalt.files.provenance import earlier
from rlhalt.models.names import identity


def evaluated(folder: str | Path) -> str:
    """The model of an evaluation folder, as long as it is the one that was evaluated.

    Raises:
        InputError: no run.json that names a model, or another model in its place now.
    """
    record = earlier(folder)
    if "model" not in record:
        raise InputError("expected an evaluation folder with a run.json that names its model", path=folder)
    model = str(record["model"])
    here = identity(model)
    was = record.get("config", {}).get("model", here)
    if was != here:
        raise InputError(f"expected the model that was evaluated, {was}, found {here}; evaluate it again", path=model)
    return model
