"""Merged models and cards: what is loaded, what is said, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import ClassVar

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from rlhalt.cli import main
from rlhalt.contamination import trained_on
from rlhalt.evaluation.roles import role_of
from rlhalt.models.trained_threshold import trained_thresholds
from rlhalt.publish.data_card import data_card
from rlhalt.publish.model_card import model_card
from rlhalt.records import Pair, write
from rlhalt.sampling import load_engine

ASKED = [{"role": "user", "content": "State facts about Kenya."}]


@pytest.fixture(scope="module")
def adapter(tiny_model, tmp_path_factory):
    """A LoRA adapter with a record of its training."""
    from peft import LoraConfig, get_peft_model

    folder = tmp_path_factory.mktemp("adapter")
    torch.manual_seed(0)
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny_model), LoraConfig(r=4, target_modules="all-linear", lora_alpha=64)
    )
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.2)
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    record = {
        "stage": "train dpo", "prompts": ["a", "b"], "thresholds": [0.8], "seconds": 120.0,
        "parameters": {"model_name_or_path": str(tiny_model)},
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def test_a_merged_model_computes_what_the_adapter_does_and_keeps_its_record(adapter, tmp_path, capsys):
    from peft import PeftModel

    assert main(["merge", "--model", str(adapter), "--output", str(tmp_path / "merged")]) == 0
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    base = AutoModelForCausalLM.from_pretrained(
        json.loads((adapter / "adapter_config.json").read_text())["base_model_name_or_path"], dtype=torch.float32
    )
    ids = torch.arange(5, 25)[None]
    plain = base(ids).logits
    expected = PeftModel.from_pretrained(base, adapter)(ids).logits
    assert not torch.allclose(plain, expected, atol=1e-2)
    assert torch.allclose(merged(ids).logits, expected, atol=1e-4)
    # Greedy texts of a random model differ by rounding; that it is sampled at all is what counts here.
    engine = load_engine(str(tmp_path / "merged"), "transformers", {})
    assert engine.complete([ASKED], temperature=0.0, max_tokens=4, seed=0)[0].n_tokens
    assert trained_on(tmp_path / "merged") == {"a", "b"}
    assert trained_thresholds(tmp_path / "merged") == [0.8]
    assert role_of(tmp_path / "merged", "m") == "trained"
    before = (tmp_path / "merged" / "config.json").stat().st_mtime_ns
    assert main(["merge", "--model", str(adapter), "--output", str(tmp_path / "merged")]) == 0
    assert (tmp_path / "merged" / "config.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("merged", [False, True])
def test_the_pipeline_of_transformers_loads_it(adapter, tmp_path, merged):
    """As docs/use.md says."""
    from transformers import pipeline

    folder = adapter
    if merged:
        folder = tmp_path / "merged"
        assert main(["merge", "--model", str(adapter), "--output", str(folder)]) == 0
    found = pipeline("text-generation", str(folder))(ASKED, max_new_tokens=4, do_sample=False)
    assert found[0]["generated_text"][-1]["role"] == "assistant"


def test_a_merge_that_was_killed_is_made_again(adapter, tmp_path):
    (tmp_path / "merged.part").mkdir()
    (tmp_path / "merged.part" / "half").write_text("")
    assert main(["merge", "--model", str(adapter), "--output", str(tmp_path / "merged")]) == 0
    assert not (tmp_path / "merged.part").exists()
    assert not (tmp_path / "merged" / "half").exists()


def test_the_card_of_a_model(adapter, tmp_path):
    (tmp_path / "table.md").write_text("| greedy | base |\n| --- | --- |\n")
    text = model_card(adapter, tmp_path, "me/model")
    _, head, body = text.split("---\n", 2)
    front = yaml.safe_load(head)
    assert front["library_name"] == "peft"
    assert "rlhalt" in front["tags"]
    assert "base_model" not in front  # a folder of this machine is nobody else's name
    assert "| 1 | preference training (DPO) on pairs | 2 | 0.8 | 2 min |" in body
    assert "| greedy | base |" in body
    assert 'pipeline("text-generation", "me/model")' in body
    assert str(tmp_path.parent) not in text
    assert "Reliability" not in body


def test_the_card_of_a_model_with_tau_in_its_prompt_and_a_base_of_a_hub(adapter, tmp_path):
    shutil.copytree(adapter, tmp_path / "model")
    record = json.loads((adapter / "run.json").read_text())
    record |= {"thresholds": [0.1, 0.5, 0.9], "parameters": {"model_name_or_path": "owner/name"}}
    (tmp_path / "model" / "run.json").write_text(json.dumps(record))
    text = model_card(tmp_path / "model")
    assert "base_model: owner/name" in text
    assert "Reliability: 0.80" in text
    assert "0.1 to 0.9, in the prompt" in text


def pairs(folder, *weights):
    sides = [[{"role": "assistant", "content": text}] for text in ("A.", "B.")]
    rows = [Pair(f"k{at}", ASKED, *sides, weight, "remove", 0.8, 0, f"r{at}") for at, weight in enumerate(weights)]
    write(folder / "pairs.jsonl", rows)
    return folder / "pairs.jsonl"


def test_the_card_of_pairs(tmp_path):
    text = data_card(pairs(tmp_path, 0.2, 0.8, 0.8), "me/pairs")
    assert yaml.safe_load(text.split("---\n", 2)[1])["configs"][0]["data_files"] == "pairs.jsonl"
    for said in ("3 pairs of 3 responses", "remove 3", "τ: 0.8", "0.2 to 0.8", 'load_dataset("me/pairs"', "--draws"):
        assert said in text
    assert "--draws" not in data_card(pairs(tmp_path, 1.0, 1.0))


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["merge", "--model", "TINY", "--output", "OUT"], "found a whole model"),
        (["merge", "--model", "ADAPTER", "--output", "TINY"], "expected a new folder"),
        (["card", "--model", "TINY"], "run.json of a training"),
        (["card", "--model", "ADAPTER", "--report", "ADAPTER"], "table.md"),
        (["card"], "one of the two"),
        (["card", "--model", "ADAPTER", "--pairs", "x"], "one of the two"),
        (["card", "--pairs", "x", "--report", "y"], "none with --pairs"),
        (["card", "--pairs", "EMPTY"], "expected pairs"),
    ],
)
def test_what_is_refused(adapter, tiny_model, tmp_path, capsys, argv, expected):
    (tmp_path / "empty.jsonl").write_text("")
    shutil.copytree(tiny_model, tmp_path / "tiny")
    places = {"TINY": tmp_path / "tiny", "ADAPTER": adapter, "OUT": tmp_path / "out", "EMPTY": tmp_path / "empty.jsonl"}
    assert main([str(places.get(one, one)) for one in argv]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert len(error.strip().splitlines()) == 1


class Hub:
    """Stands for the hub's client, and writes down what it is asked to do."""

    done: ClassVar[list[tuple[str, dict]]] = []

    def create_repo(self, name, **keys):
        self.done.append(("create", {"name": name, **keys}))
        return f"https://hub/{name}"

    def upload_folder(self, **keys):
        self.done.append(("folder", keys))

    def upload_file(self, **keys):
        self.done.append(("file", keys))


def test_what_is_uploaded(adapter, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    Hub.done.clear()
    shutil.copytree(adapter, tmp_path / "model")
    assert main(["push", "--model", str(tmp_path / "model"), "--repository", "me/model"]) == 0
    assert capsys.readouterr().out == "https://hub/me/model\n"
    (_, made), (_, sent) = Hub.done
    assert made["private"]
    assert "training_args.bin" in sent["ignore_patterns"]
    assert "# me/model" in (tmp_path / "model" / "README.md").read_text()
    Hub.done.clear()
    assert main(["push", "--pairs", str(pairs(tmp_path, 1.0)), "--repository", "me/pairs", "--public"]) == 0
    assert [keys["path_in_repo"] for kind, keys in Hub.done if kind == "file"] == ["pairs.jsonl", "README.md"]
    assert not Hub.done[0][1]["private"]


def test_without_a_token_the_message_says_how_to_log_in(adapter, tmp_path, monkeypatch, capsys):
    from huggingface_hub.errors import LocalTokenNotFoundError

    def refuse(self, name, **keys):
        raise LocalTokenNotFoundError("Token is required, but no token found.")

    monkeypatch.setattr("huggingface_hub.HfApi.create_repo", refuse)
    shutil.copytree(adapter, tmp_path / "model")
    assert main(["push", "--model", str(tmp_path / "model"), "--repository", "me/model"]) == 2
    assert "hf auth login" in capsys.readouterr().err


def test_fields_of_a_pair_that_the_card_names():
    assert {"prompt", "chosen", "rejected", "weight"} <= {one.name for one in dataclasses.fields(Pair)}
