"""A training configuration and the file that accelerate starts it with → what is asked of a machine."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import yaml

from rlhalt.errors import InputError
from rlhalt.records import Json

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


def read_plan(kind: str, config: str | Path, given: Json, accelerate: str | Path | None = None) -> Plan:
    """Read what is asked.

    Args:
        given: keys beside the file, which win.
        accelerate: as `accelerate launch --config_file` takes it.

    Raises:
        InputError: a file that is not there, or is no mapping.
    """
    keys = {**_mapping(config), **given}
    if accelerate is None:
        return Plan(kind, Path(config), keys)
    asked = _mapping(accelerate)
    how = str(asked.get("distributed_type", "NO"))
    zero = int((asked.get("deepspeed_config") or {}).get("zero_stage", 0))
    sharding: Sharding = "none"
    if how == "FSDP" or zero == 3:
        sharding = "all"
    elif zero:
        sharding = "optimiser"
    processes, machines = int(asked.get("num_processes") or 1), int(asked.get("num_machines") or 1)
    return Plan(kind, Path(config), keys, processes, machines, sharding, how == "DEEPSPEED", Path(accelerate))


def _mapping(path: str | Path) -> Json:
    if not Path(path).is_file():
        raise InputError("expected a YAML file, found no such file", path=path)
    try:
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"expected YAML, found {str(error).splitlines()[0]}", path=path) from None
    if not isinstance(found, dict):
        raise InputError("expected keys and values", path=path)
    return found
