"""A probe in its file, and what it says of responses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlhalt.errors import InputError
from rlhalt.reward_model.folder import PROBE
from rlhalt.reward_model.hidden_states import hidden_states
from rlhalt.reward_model.labels import Reading
from rlhalt.reward_model.probe import Floats, Probe

_NAMES = ("mean", "scale", "weight", "bias")


def write_probe(probe: Probe, folder: Path) -> None:
    """Write `probe.safetensors`, whole or not at all."""
    from safetensors.numpy import save_file

    part = folder / f".{PROBE}.part"
    numbers = (probe.mean, probe.scale, probe.weight, np.array([probe.bias]))
    save_file({name: np.ascontiguousarray(one) for name, one in zip(_NAMES, numbers, strict=True)}, part)
    part.replace(folder / PROBE)


def read_probe(folder: Path, layer: int | None) -> Probe:
    """Read `probe.safetensors`.

    Args:
        layer: that `reward.json` names.

    Raises:
        InputError: no safetensors file, tensors that are missing, or no layer.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = folder / PROBE
    try:
        found = load_file(path)
    except SafetensorError as error:
        raise InputError(f"expected a safetensors file, found {error}", path=path) from None
    missing = [name for name in _NAMES if name not in found]
    if layer is None:
        missing.append("layer")
    if missing or layer is None:
        names = ", no ".join(missing)
        raise InputError(f"expected a probe, found no {names}", path=path)
    return Probe(layer, found["mean"], found["scale"], found["weight"], float(found["bias"][0]))


def probe_scores(policy: Any, probe: Probe) -> Any:
    """What a probe says of responses, as `rlhalt.reward_model.reader.Scores`."""
    size = int(policy.config.get_text_config().hidden_size)
    if len(probe.weight) != size:
        raise InputError(f"expected a probe of {size} numbers, found one of {len(probe.weight)}", field="model")

    def scores(readings: Sequence[Reading]) -> list[Floats]:
        return [probe.scores(one[:, 0]) for one in hidden_states(policy, readings, [probe.layer])]

    return scores
