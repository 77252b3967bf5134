"""What a model is in a comparison, and what its training started from, read off the run.json of its training."""

from __future__ import annotations

import json

import pytest

from rlhalt.domains import load_domain
from rlhalt.evaluation import load
from rlhalt.evaluation.roles import role_of, started_from
from rlhalt.evaluation.run import Policy, evaluate
from rlhalt.models.trained_model import lineage
from rlhalt.records import Prompt


@pytest.fixture
def trainings(tmp_path):
    """A chain of trainings: grpo from dpo from sft from a model of the hub."""
    before = "a-name-on-the-hub"
    for name in ("sft", "dpo", "grpo"):
        folder = tmp_path / name
        folder.mkdir()
        record = {"stage": f"train {name}", "seconds": 1, "parameters": {"model_name_or_path": before}}
        (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
        before = str(folder)
    return tmp_path


def test_a_training_tells_what_the_model_is_and_what_it_started_from(trainings):
    assert role_of(trainings / "sft", "anything") == "supervised"
    assert role_of(trainings / "dpo", "base") == role_of(trainings / "grpo", "SFT") == "trained"
    assert started_from(trainings / "grpo") == [str(trainings / "dpo"), str(trainings / "sft")]
    assert started_from(trainings / "sft") == started_from("a-name-on-the-hub") == []


def test_of_a_model_that_was_not_trained_here_the_name_is_all_there_is():
    assert [role_of("a-name-on-the-hub", name) for name in ("base", "SFT", "mine")] == ["base", "supervised", "trained"]


def test_a_circle_of_trainings_ends(trainings):
    record = {"stage": "train sft", "parameters": {"model_name_or_path": str(trainings / "grpo")}}
    (trainings / "sft" / "run.json").write_text(json.dumps(record), encoding="utf-8")
    assert len(list(lineage(trainings / "grpo"))) == 3


@pytest.mark.parametrize("role", [None, "trained"])
def test_an_evaluation_writes_the_role_down(tiny_model, tmp_path, role):
    prompt = Prompt(
        "k", [{"role": "user", "content": "Facts about Kenya?"}], {"subject": "Kenya"}, "countries", "heldout"
    )
    policy = Policy("base", str(tiny_model), role=role)
    folder = evaluate(policy, [prompt], load_domain("countries").scorer(), tmp_path, samples=1)
    found = load(folder)
    assert (found.role, found.role_told, found.started_from) == (role or "base", True, ())
    assert found.identity.startswith(tiny_model.name)
