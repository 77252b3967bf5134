"""Configurations by name, and copied."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rlhalt.cli import main
from rlhalt.cli.chain import with_kind
from rlhalt.configs import config_file, config_names
from rlhalt.recipes.recipe import load_recipe


def test_every_configuration_has_a_name(capsys):
    assert main(["configs"]) == 0
    assert capsys.readouterr().out.split() == config_names()
    assert {"dpo/8b_lora", "recipes/quickstart", "accelerate/ddp"} <= set(config_names())
    for name in config_names():
        assert yaml.safe_load(config_file(name).read_text(encoding="utf-8"))


def test_they_are_copied_and_nothing_is_overwritten(tmp_path, capsys):
    assert main(["configs", "--copy", str(tmp_path / "mine")]) == 0
    assert (tmp_path / "mine" / "dpo" / "8b_lora.yaml").read_bytes() == config_file("dpo/8b_lora").read_bytes()
    (tmp_path / "mine" / "sft" / "8b_lora.yaml").write_text("changed: true\n")
    assert main(["configs", "--copy", str(tmp_path / "mine")]) == 2
    assert "choose another folder" in capsys.readouterr().err
    assert (tmp_path / "mine" / "sft" / "8b_lora.yaml").read_text() == "changed: true\n"


def test_a_copied_recipe_trains_as_the_configurations_copied_with_it_say(tmp_path, monkeypatch):
    assert main(["configs", "--copy", str(tmp_path / "mine")]) == 0
    for kind in ("sft", "dpo"):
        (tmp_path / "mine" / kind / "135m.yaml").write_text("max_steps: 2\n")
    for folder, name in ((tmp_path, "mine/recipes/elements.yaml"), (tmp_path / "mine" / "recipes", "elements.yaml")):
        monkeypatch.chdir(folder)
        recipe = load_recipe(name)
        assert [Path(one).read_text() for one in (recipe.sft, str(recipe.dpo))] == ["max_steps: 2\n"] * 2


def test_a_file_comes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dpo").mkdir()
    (tmp_path / "dpo" / "8b_lora").write_text("a: 1\n")
    assert config_file("dpo/8b_lora").read_text() == "a: 1\n"


@pytest.mark.parametrize("kind", ["sft", "dpo"])
def test_a_training_takes_the_name(kind, tmp_path, capsys):
    argv = ["train", kind, "--config", f"{kind}/135m", "--train_file", str(tmp_path / "none.jsonl")]
    assert main([*argv, "--output_dir", str(tmp_path / "out"), "--model_name_or_path", str(tmp_path / "m")]) == 2
    error = capsys.readouterr().err
    assert "none.jsonl" in error or str(tmp_path / "m") in error
    assert "135m" not in error


def test_a_name_that_is_none_is_said(tmp_path, capsys):
    for argv in (["doctor", "dpo"], ["doctor"], ["train", "dpo"]):
        assert main([*argv, "--config", "dpo/8b_lor"]) == 2
        (error,) = capsys.readouterr().err.splitlines()
        assert "dpo/8b_lor: expected a YAML file or a name that `rlhalt configs` shows" in error
        assert error.endswith("did you mean 'dpo/8b_lora'?")


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        (["--config", "dpo/8b_lora", "--beta", "0.2"], "dpo"),
        (["--beta", "0.2", "--config", "mine/grpo/small.yaml"], "grpo"),
        (["sft", "--config", "dpo/8b_lora"], "sft"),
    ],
)
def test_doctor_takes_the_kind_from_the_folder_of_the_configuration(given, kind):
    assert with_kind(given) == ([kind, *given] if kind not in given else given)


@pytest.mark.parametrize("given", [["--config", "small.yaml"], ["--config"], [], ["--help"]])
def test_where_no_folder_says_the_kind_it_is_asked_for(given):
    assert with_kind(given) == given


@pytest.mark.parametrize("config", [["--config", "dpo/8b_lora"], ["--config=dpo/8b_lora"]])
def test_doctor_runs_without_the_kind(monkeypatch, capsys, config):
    """The kind is found; the training's own keys are not taken for it."""
    plans = []
    monkeypatch.setattr("rlhalt.doctor.read_plan", lambda *given: plans.append(given))
    monkeypatch.setattr("rlhalt.doctor.examine", lambda plan: [])
    monkeypatch.setattr("rlhalt.doctor.shown", lambda findings: None)
    assert main(["doctor", *config, "--beta", "0.2"]) == 0
    assert plans == [("dpo", config_file("dpo/8b_lora"), ["--beta", "0.2"], None)]


def test_they_are_copied_into_configs_where_no_folder_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["configs", "--copy"]) == 0
    assert capsys.readouterr().out.endswith("files copied to configs\n")
    assert (tmp_path / "configs" / "recipes" / "quickstart.yaml").is_file()
