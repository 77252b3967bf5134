"""What can be checked of the Dockerfile without Docker: what it copies exists, and what it installs is declared."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
# One instruction a line: a backslash joins it with the next.
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
IGNORED = [
    line.strip()
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]


def instructions(name: str) -> list[list[str]]:
    return [line.split() for line in re.findall(rf"^{name} +(.*)$", DOCKERFILE, re.MULTILINE)]


def copied() -> list[str]:
    """Every source of a COPY; what is last is the place in the image."""
    return [one for words in instructions("COPY") for one in words[:-1]]


def is_ignored(path: str) -> bool:
    """Whether .dockerignore leaves out a path or a folder above it."""
    parts = path.split("/")
    above = ["/".join(parts[: place + 1]) for place in range(len(parts))]
    return any(
        fnmatch.fnmatch(one, rule) or (rule.startswith("**/") and fnmatch.fnmatch(one.rsplit("/", 1)[-1], rule[3:]))
        for one in above
        for rule in IGNORED
    )


def test_what_it_copies_exists_and_is_sent_to_docker():
    assert len(copied()) > 5
    for one in copied():
        assert (ROOT / one).exists(), one
        assert not is_ignored(one), one


def test_what_the_build_of_the_package_needs_is_copied_before_it_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    before = DOCKERFILE.partition("pip install")[0]
    hatch = project["tool"]["hatch"]
    needed = [
        "pyproject.toml",
        hatch["version"]["path"],
        *project["project"]["license-files"],
        *hatch["build"]["targets"]["wheel"]["force-include"],
        *(one["path"] for one in hatch["metadata"]["hooks"]["fancy-pypi-readme"]["fragments"]),
    ]
    for one in needed:
        assert re.search(rf"^COPY .*(?<!\S){re.escape(one)}(?!\S)", before, re.MULTILINE), one


def test_the_extras_that_it_installs_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (named,) = re.findall(r"pip install -e \"\.\[([\w,]+)\]\"", DOCKERFILE)
    assert set(named.split(",")) <= set(project["optional-dependencies"])


def test_it_runs_the_command_without_the_rights_of_root():
    assert instructions("ENTRYPOINT") == [['["rlhalt"]']]
    ((user,),) = instructions("USER")
    assert user.partition(":")[0] not in ("root", "0")


def test_the_base_is_a_public_image_with_a_version():
    (base,) = re.findall(r"^ARG CUDA=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"nvidia/cuda:\d+\.\d+\.\d+-devel-ubuntu24\.04", base)
    assert instructions("FROM") == [["${CUDA}"]]


def test_outputs_and_history_stay_out_of_the_image():
    for one in (".git", ".venv", ".venv-vllm", "runs", "src/rlhalt/__pycache__", ".mypy_cache"):
        assert is_ignored(one), one
