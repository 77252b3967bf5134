"""A training configuration and the file that accelerate starts it with → what is asked of a machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from rlhalt.errors import InputError
from rlhalt.records import Json
from rlhalt.strict_yaml import read_yaml

Sharding = Literal["none", "optimiser", "all"]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is asked of a machine.

    Attributes:
        kind: of training: sft, dpo, decisions or grpo.
        config: the file it was read from.
        keys: its keys, and those given beside it.
        processes: in all.
        machines: that these run on, evenly.
        sharding: what each process holds a part of: nothing, gradients and the optimiser's state (ZeRO-2), or the
            weights too (ZeRO-3, FSDP).
        deepspeed: whether DeepSpeed does it.
        accelerate: the file it is started with; None for a single process.
    """

    kind: str
    config: Path
    keys: Json
    processes: int = 1
    machines: int = 1
    sharding: Sharding = "none"
    deepspeed: bool = False
    accelerate: Path | None = None

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, as in the configuration."""
        return self.keys.get(key, default)

    @property
    def here(self) -> int:
        """How many processes run on one machine, at least one."""
        return max(1, self.processes // self.machines)


def read_plan(kind: str, config: str | Path, argv: Sequence[str], accelerate: str | Path | None = None) -> Plan:
    """Read what is asked.

    Args:
        argv: keys beside the file, --key value, which win.
        accelerate: as `accelerate launch --config_file` takes it.

    Raises:
        InputError: a file that is not there, or is no mapping; a key without a value.
    """
    keys = {**read_yaml(config), **_keys(argv)}
    if accelerate is None:
        return Plan(kind, Path(config), keys)
    asked = read_yaml(accelerate)
    how = str(asked.get("distributed_type", "NO"))
    zero = int((asked.get("deepspeed_config") or {}).get("zero_stage", 0))
    sharding: Sharding = "none"
    if how == "FSDP" or zero == 3:
        sharding = "all"
    elif zero:
        sharding = "optimiser"
    processes, machines = int(asked.get("num_processes") or 1), int(asked.get("num_machines") or 1)
    return Plan(kind, Path(config), keys, processes, machines, sharding, how == "DEEPSPEED", Path(accelerate))


def _keys(argv: Sequence[str]) -> Json:
    words = [part for word in argv for part in (word.split("=", 1) if word.startswith("--") else [word])]
    names, values = words[::2], words[1::2]
    if len(names) != len(values) or not all(one.startswith("--") for one in names):
        raise InputError(f"expected keys as --key value, found {' '.join(argv)}")
    return {name[2:]: yaml.safe_load(value) for name, value in zip(names, values, strict=True)}
