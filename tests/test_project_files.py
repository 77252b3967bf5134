"""Workflows, hooks, templates, citation and metadata are readable and agree with each other."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import rlhalt

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(one for one in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if one.stem != "config")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [one.rsplit(" ", 1)[1] for one in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", one)]


def parsed(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def pin(package: str) -> str:
    """The version of a package in constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(one.partition("==")[2] for one in lines if one.startswith(f"{package}=="))


def steps(workflow: Any) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def pythons(workflow: Any) -> list[str]:
    """The versions of Python that a workflow names, those of a matrix too."""
    found = []
    for job in workflow["jobs"].values():
        found += job.get("strategy", {}).get("matrix", {}).get("python-version", [])
        found += [one["with"]["python-version"] for one in job["steps"] if "setup-python" in one.get("uses", "")]
    return [one for one in found if "${{" not in one]


def test_there_are_the_workflows_that_are_documented():
    assert {one.stem for one in WORKFLOWS} >= {"ci", "weekly", "release"}
    text = "".join(one.read_text(encoding="utf-8") for one in sorted((ROOT / "docs").glob("*.md")))
    for named in set(re.findall(r"\.github/workflows/([\w.-]+\.yml)", text)):
        assert (ROOT / ".github" / "workflows" / named).is_file(), named


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow(path):
    workflow = parsed(path)
    # YAML 1.1, which PyYAML reads, takes the key `on` for true.
    assert workflow["name"]
    assert workflow[True]
    # The least rights, so that a script of a pull request can change nothing.
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 360
    for step in steps(workflow):
        assert ("run" in step) != ("uses" in step), step
        if "uses" in step:
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@(v\d+(\.\d+)*|[0-9a-f]{40})", step["uses"]), step
        for script in re.findall(r"(?<![\w/.-])(?:\./)?((?:scripts|tests|benchmarks)/[\w./-]+)", step.get("run", "")):
            assert (ROOT / script).is_file(), f"{path.name} runs {script}, which does not exist"
            if f"./{script}" in step["run"]:
                assert os.access(ROOT / script, os.X_OK), f"{path.name} runs {script}, which is not executable"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_text_that_strangers_write_is_in_no_command(path):
    """The title of a pull request in a command could run programs with the workflow's rights."""
    for step in steps(parsed(path)):
        assert not re.search(r"\$\{\{[^}]*(event|head_ref)", step.get("run", ""))


def test_every_supported_python_is_tested_and_no_other():
    ci = parsed(ROOT / ".github" / "workflows" / "ci.yml")
    for job in ("test", "wheel"):
        assert ci["jobs"][job]["strategy"]["matrix"]["python-version"] == PYTHONS
    for path in WORKFLOWS:
        # 3.10 without quotes would be the number 3.1.
        assert all(isinstance(one, str) for one in pythons(parsed(path)))
        assert set(pythons(parsed(path))) <= set(PYTHONS)
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"


@pytest.mark.parametrize("script", ["test", "test_vllm", "test_wheel", "docs"])
def test_ci_runs_each_script_that_tests(script):
    ci = parsed(ROOT / ".github" / "workflows" / "ci.yml")
    assert any(step.get("run") == f"./scripts/{script}" for step in steps(ci))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form(path):
    """What GitHub asks of a form: it shows none that breaks one of these rules."""
    form = parsed(path)
    assert form["name"]
    assert form["description"]
    identifiers = [one["id"] for one in form["body"] if one["type"] != "markdown"]
    assert len(identifiers) == len(set(identifiers)) > 0
    for one in form["body"]:
        assert one["type"] in ("markdown", "textarea", "input", "dropdown", "checkboxes")
        assert one["attributes"]["value" if one["type"] == "markdown" else "label"]


def test_hooks_use_the_versions_that_are_tested():
    hooks = parsed(ROOT / ".pre-commit-config.yaml")
    revisions = {one["repo"]: one.get("rev") for one in hooks["repos"]}
    assert revisions["https://github.com/astral-sh/ruff-pre-commit"] == f"v{pin('ruff')}"
    names = {hook["id"] for one in hooks["repos"] for hook in one["hooks"]}
    assert names >= {"ruff-check", "ruff-format", "mypy"}


def test_the_citation_agrees_with_the_project():
    citation = parsed(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["message"]
    assert citation["title"]
    assert str(citation["version"]) == rlhalt.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Source"]
    assert [one["name"] for one in citation["authors"]] == [one["name"] for one in PROJECT["authors"]]


def test_the_metadata_is_complete_and_its_links_are_absolute():
    for field in ("description", "license", "requires-python", "authors", "keywords", "classifiers", "urls"):
        assert PROJECT[field], field
    assert all(one.startswith("https://") for one in PROJECT["urls"].values())
    # A classifier of the licence beside the expression is refused by package indexes.
    assert not any(one.startswith("License ::") for one in PROJECT["classifiers"])


def test_the_description_on_a_package_index_has_absolute_links():
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for one in hatch["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(one["pattern"], one["replacement"], text)
    assert re.findall(r"\]\((?!https?:|#)[^)]*\)|(?:src|srcset)=\"(?!https?:)[^\"]*", text) == []
    for kind, path in re.findall(r"https://[\w.]+/rlhalt/rlhalt/(?:(blob|tree)/)?main/([^)\s#\"]+)", text):
        assert (ROOT / path).exists(), f"{kind} {path}"


def test_the_package_tells_type_checkers_that_it_has_types():
    assert (ROOT / "src" / "rlhalt" / "py.typed").read_text(encoding="utf-8") == ""
    assert "Typing :: Typed" in PROJECT["classifiers"]


@pytest.mark.parametrize("name", ["SECURITY.md", "CODE_OF_CONDUCT.md", "docs/releasing.md", "docs/compatibility.md"])
def test_files_and_links_that_a_page_names_exist(name):
    page = ROOT / name
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / link).exists(), link
    for path in re.findall(r"`(?:\./)?((?:src|tests|scripts|docs|\.github)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
