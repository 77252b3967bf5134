"""A training configuration and the file that accelerate starts it with → what is asked of a machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from rlhalt.errors import InputError
from rlhalt.files.strict_json import shown
from rlhalt.files.strict_yaml import read_value, read_yaml
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


def read_plan(kind: str, config: str | Path, argv: Sequence[str], accelerate: str | Path | None = None) -> Plan:
    """Read what is asked.

    Args:
        argv: keys beside the file, --key value, which win.
        accelerate: as `accelerate launch --config_file` takes it.

    Raises:
        InputError: a file that is not there, or is no mapping; a number of processes that is no number; a key without a
            value.
    """
    keys = {**read_yaml(config), **_keys(argv)}
    if accelerate is None:
        return Plan(kind, Path(config), keys)
    asked = read_yaml(accelerate)
    how = str(asked.get("distributed_type", "NO"))
    inside = asked.get("deepspeed_config") or {}
    if not isinstance(inside, dict):
        raise InputError(f"expected keys and values, found {inside!r}", path=accelerate, field="deepspeed_config")
    zero = _whole(inside, "zero_stage", 0, accelerate, range(4))
    sharding: Sharding = "none"
    if how == "FSDP" or zero == 3:
        sharding = "all"
    elif zero:
        sharding = "optimiser"
    processes, machines = (_whole(asked, name, 1, accelerate) for name in ("num_processes", "num_machines"))
    return Plan(kind, Path(config), keys, processes, machines, sharding, how == "DEEPSPEED", Path(accelerate))


def _whole(data: Json, name: str, missing: int, path: str | Path, known: range = range(1, 1 << 20)) -> int:
    value = data.get(name)
    if value is None:
        return missing
    if isinstance(value, bool) or not isinstance(value, int) or value not in known:
        expected = f"from {known[0]} to {known[-1]}" if len(known) < 10 else "of at least 1"
        raise InputError(f"expected a whole number {expected}, found {shown(value)}", path=path, field=name)
    return value


def _keys(argv: Sequence[str]) -> Json:
    words = [part for word in argv for part in (word.split("=", 1) if word.startswith("--") else [word])]
    names, values = words[::2], words[1::2]
    if len(names) != len(values) or not all(one.startswith("--") for one in names):
        raise InputError(f"expected keys as --key value, found {' '.join(argv)}")
    return {name[2:]: read_value(name, value) for name, value in zip(names, values, strict=True)}
