"""`run.json`: beside each output, what made it — and the way a stage knows that it has been done already."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import rlhalt
from rlhalt.errors import InputError
from rlhalt.files.jsonl import write
from rlhalt.files.locks import locked
from rlhalt.files.strict_json import Json
from rlhalt.files.text import check_name, write_atomic
from rlhalt.records import content_key, file_hash


def _is_file(output: Path) -> bool:
    return output.suffix in (".jsonl", ".json")


def run_file(output: str | Path) -> Path:
    """Where the run.json of an output lies: inside a folder, beside a file (`pairs.jsonl` → `pairs.run.json`)."""
    output = Path(output)
    return output.with_suffix(".run.json") if _is_file(output) else output / "run.json"


@functools.cache
def _declared() -> tuple[str, ...]:
    """The packages that rlhalt says it needs, those of its extras too; not the tools of those who develop it."""
    from packaging.requirements import Requirement

    try:
        about = importlib.metadata.metadata("rlhalt")
    except importlib.metadata.PackageNotFoundError:  # run from a folder, never installed
        return ()
    asked = [Requirement(one) for one in about.get_all("Requires-Dist", [])]
    kinds = [{"extra": one} for one in ("", *about.get_all("Provides-Extra", [])) if one != "dev"]
    return tuple(sorted({one.name for one in asked if not one.marker or any(map(one.marker.evaluate, kinds))}))


def _versions() -> dict[str, str]:
    found = {"rlhalt": rlhalt.__version__, "python": platform.python_version()}
    for name in _declared():
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


def _hashes(paths: Sequence[str | Path]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in paths:
        # By name, so that a folder can be moved; two inputs of one name are told apart by their folders.
        name = Path(path).name
        found[str(path) if name in found else name] = file_hash(path)
    return found


class Run:
    """One run of a stage. Used as a context, it times the work and writes run.json where the work ended well.

    Args:
        stage: its name.
        output: the file or folder it makes.
        inputs: files it reads; their hashes are part of the fingerprint.
        config: everything else that decides the output, JSON-serialisable.
        code: the version of what makes the output, where another one makes it anew.
    """

    def __init__(
        self, stage: str, output: str | Path, *, inputs: Sequence[str | Path] = (), config: Json, code: str = ""
    ) -> None:
        self.output, self.path = Path(output), run_file(output)
        self._record: dict[str, Any] = {
            "stage": stage,
            "config": config,
            "inputs": _hashes(inputs),
        }
        if code:
            self._record["code"] = code
        self._record["fingerprint"] = content_key(self._record)

    @property
    def finished(self) -> dict[str, Any] | None:
        """The record of an earlier run with the same stage, configuration and inputs, if it ended well.

        Raises:
            InputError: the output is not the one that this run wrote, nor missing or empty.
        """
        record = earlier(self.output)
        if record.get("fingerprint") != self._record["fingerprint"]:
            return None
        if not _is_file(self.output):
            return record
        if not self.output.is_file() or self.output.stat().st_size == 0:
            # A run may well have had nothing to write.
            return record if record.get("rows") == 0 and self.output.is_file() else None
        if record.get("output", file_hash(self.output)) != file_hash(self.output):
            raise InputError(
                "expected the file as it was written, found it changed since; remove it to make it again, or choose "
                "another --output",
                path=self.output,
            )
        return record

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
            if _is_file(self.output) and self.output.is_file():
                self._record["output"] = file_hash(self.output)
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
        if not str(one):
            raise InputError("expected the name of an output, found an empty one")
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
    """The record of the run that made an output; empty where there is none."""
    try:
        record = json.loads(run_file(output).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def earlier_config(output: str | Path) -> Json:
    """The configuration of the run that made an output; empty where there is none."""
    config = earlier(output).get("config")
    return config if isinstance(config, dict) else {}


def already_done(output: str | Path) -> None:
    """Say that a command has nothing to do."""
    print(f"already done: {output}", file=sys.stderr)


def once(
    stage: str, output: str | Path, inputs: Sequence[str | Path], config: Json, make: Callable[[], Iterable[object]]
) -> None:
    """Write the records that `make` returns, unless this version has made them of the same configuration and inputs.

    Raises:
        InputError: the output is an input, another command writes it, or see `Run.finished`.
    """
    refuse_overwriting(inputs, [output])
    check_name(output)
    with locked(output):
        run = Run(stage, output, inputs=inputs, config=config, code=rlhalt.__version__)
        if run.finished:
            already_done(output)
            return
        with run:
            rows = list(make())
            write(output, rows)
            run.result(rows=len(rows))
