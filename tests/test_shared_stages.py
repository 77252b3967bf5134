"""Several processes run one recipe: which stage may begin when, and that each says all that it reads."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from rlhalt.cli import main
from rlhalt.files.locks import turn
from rlhalt.running.stages import Stage, run_stages
from test_methods_recipe import FEW, Answers
from test_recipes import recipe

READ: list[Path] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str | os.PathLike) and "w" not in str(arguments[1] or "r"):
        READ.append(Path(arguments[0]).absolute())


sys.addaudithook(_note)


def test_a_stage_that_another_process_is_at_is_left_to_it_and_what_needs_it_waits(tmp_path, capsys):
    base, trained, other = (tmp_path / one for one in ("base", "trained", "other"))
    begun, held, finish = [], threading.Event(), threading.Event()

    def sampling() -> None:
        with turn(base) as mine:
            assert mine
            held.set()
            assert finish.wait(60)

    def at(name: str) -> None:
        begun.append(name)
        if name == "other":
            finish.set()

    process = threading.Thread(target=sampling)
    process.start()
    assert held.wait(60)
    stages = [
        Stage("sample", "base", base, lambda: at("base")),
        Stage("SFT", "seed 0", trained, lambda: at("trained"), (base,)),
        Stage("targets", "", other, lambda: at("other")),
    ]
    run_stages(stages, look_again_s=0.01)
    process.join()
    # The other process has ended by the time that `base` begins, which is told that it is done already.
    assert begun == ["other", "base", "trained"]
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "[3/3] targets …"
    assert [one for one in told if one.startswith("[")][1:] == ["[1/3] sample base …", "[2/3] SFT seed 0 …"]
    assert sum(one == "waiting for another process, which is at: sample base …" for one in told) <= 1
    assert not list(tmp_path.glob(".*"))


def test_a_stage_that_fails_is_free_for_another_process(tmp_path):
    def fail() -> None:
        raise ValueError("no memory")

    with pytest.raises(ValueError, match="no memory"):
        run_stages([Stage("sample", "", tmp_path / "base", fail)])
    with turn(tmp_path / "base") as mine:
        assert mine


@pytest.fixture
def answering(monkeypatch) -> None:
    from rlhalt.sampling import local

    monkeypatch.setattr(local.TransformersEngine, "complete", Answers().complete)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"preferences": FEW["preferences"]},
        {"decodings": ["icd", "iti", "best-of-n"], "prompts": 30, "responses": 12},
        {"distilled": "sft.yaml", "distilled_online": "online.yaml", "responses": 16},
        {"calibrated": "sft", "calibration": 30, "responses": 5},
    ],
    ids=["everything", "preferences", "decodings", "distilled", "calibrated"],
)
def test_each_stage_names_all_that_it_reads_of_other_stages(answering, tiny_model, tmp_path, monkeypatch, keys):
    if keys:
        off = dict.fromkeys(("decisions", "threshold_in_prompt", "grpo", "supervised"))
        keys = {**off, "online_thresholds": [], "max_tokens": 8, "evaluation_responses": 0, **keys}
    read: dict[Path, set[Path]] = {}
    stages: list[Stage] = []

    def watched(stage: Stage) -> Stage:
        def work() -> None:
            READ.clear()
            stage.work()
            read[stage.output] = set(READ)

        return stage._replace(work=work)

    def watching(given: list[Stage]) -> None:
        stages.extend(given)
        run_stages([watched(one) for one in given])

    monkeypatch.setattr("rlhalt.recipes.run.run_stages", watching)
    path = recipe(tmp_path, tiny_model, **keys)
    grpo = yaml.safe_load((tmp_path / "grpo.yaml").read_text())
    (tmp_path / "online.yaml").write_text(yaml.safe_dump({**grpo, "draws": 2}))
    assert main(["run", str(path)]) == 0
    needs = {one.output: one.needs for one in stages}
    assert len(needs) == len(stages)

    def behind(output: Path) -> Iterator[Path]:
        for one in needs.get(output, ()):
            yield one
            yield from behind(one)

    for output, found in read.items():
        allowed = {output, *behind(output)}
        strange = {
            maker
            for path in found
            for maker in needs
            if (path == maker or maker in path.parents) and maker not in allowed and not _nested(maker, allowed, path)
        }
        assert not strange, f"{output} reads {sorted(map(str, strange))}"


def _nested(maker: Path, allowed: set[Path], path: Path) -> bool:
    """Whether a file lies in a folder of its own stage within that of another."""
    return any(maker in one.parents and (path == one or one in path.parents) for one in allowed)
