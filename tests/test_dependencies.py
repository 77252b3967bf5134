"""Every package that the source imports is declared, and pinned where it was tested."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Imported where their own extra is asked for, which CI does not install: their makers pin what they need.
NOT_PINNED = {"vllm"}


def imported(source: Path) -> set[str]:
    """The third-party packages that a module imports, by the name of the import; relative and own ones left out."""
    found = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module))
    tops = {one.partition(".")[0] for one in found}
    return {one for one in tops if one not in sys.stdlib_module_names and one != "rlhalt"}


def name(requirement: str) -> str:
    """The distribution of a requirement or a pin, as registries compare names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0]).lower()


def distributions(module: str) -> set[str]:
    return {name(one) for one in importlib.metadata.packages_distributions().get(module, [module])}


def test_what_is_imported_is_declared_and_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [one for kind, asked in project["optional-dependencies"].items() if kind != "dev" for one in asked]
    declared = {name(one) for one in [*project["dependencies"], *extras]}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {name(one) for one in lines if one and not one.startswith("#")} | NOT_PINNED
    modules = set().union(*map(imported, (ROOT / "src").rglob("*.py")))
    assert len(modules) > 20
    assert {one for one in modules if not distributions(one) & declared} == set()
    assert {one for one in modules if not distributions(one) & pinned} == set()
