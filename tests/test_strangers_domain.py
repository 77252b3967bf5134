"""A stranger's domain: own rows, own verifier, a model like Llama 3.1, through every verb, and stock TRL at the end."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path

import pytest
import yaml

from chat_templates import FAMILIES, tokenizer
from rlhalt.cli import main
from rlhalt.records import Pair, Prompt, Response, Scored, Target, content_key, read, write
from tiny_training import TRAINING

pytestmark = pytest.mark.filterwarnings("ignore")

LEGS = {
    "spider": 8, "ant": 6, "dog": 4, "hen": 2, "crab": 10, "snake": 0, "bee": 6, "horse": 4, "scorpion": 8, "owl": 2,
    "lobster": 10, "cat": 4, "worm": 0, "beetle": 6, "duck": 2, "tick": 8, "cow": 4, "fly": 6, "mite": 8, "eagle": 2,
}  # fmt: skip
VERIFIER = """\
import re
from rlhalt.verifiers import Verdict

class Legs:
    name = "legs/1"
    def verify(self, response, fragments, reference):
        return [self.verdict(re.findall(r"has ([0-9]+) legs", one.text), reference["legs"]) for one in fragments]
    def verdict(self, said, legs):
        label = "unverifiable" if len(said) != 1 else "correct" if int(said[0]) == legs else "incorrect"
        return Verdict(label, f"it has {legs} legs")
"""
DOMAIN = """\
domain: legs
fragmenter: sentences
verifier: checks.py:Legs
halting: independent
threshold: 0.8
"""
# 300 tokens of thought that holds a claim which nobody judges.
THOUGHT = "<think>\n" + "Let me count: it has 3 legs? No, count again. " * 16 + "\n</think>\n\n"


def answer(row: Response) -> str:
    """Thought, a right sentence, a wrong one, and a halt; the second response to a prompt does not halt."""
    animal = row.prompt[-1]["content"].split()[-1].rstrip("?")
    said = f"{THOUGHT}The {animal} has {LEGS[animal]} legs. The {animal} has 7 legs."
    return said if row.index else f"{said} Unsure from here."


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A tiny model that was taught nothing, with the template of Llama 3.1 and no padding token."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    folder, family = tmp_path_factory.mktemp("model"), FAMILIES["llama"]
    made = tokenizer(family)
    assert made.pad_token is None
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(made), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=2048, bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    whole = LlamaForCausalLM(config)
    whole.generation_config.eos_token_id = [made.convert_tokens_to_ids(one) for one in family.declared]
    whole.save_pretrained(folder)
    made.save_pretrained(folder)
    return folder


def write_rows(path: Path, **changed: int) -> None:
    rows = [
        {"prompt": f"How many legs has the {animal}?", "reference": {"legs": changed.get(animal, legs)}}
        for animal, legs in LEGS.items()
    ]
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))


def labels(rows: list[Scored], key: str) -> list[list[str | None]]:
    return [[one.label for one in row.fragments] for row in rows if row.prompt_key == key]


def test_from_twenty_rows_to_stock_trl(model, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("legs").mkdir()
    (tmp_path / "legs" / "domain.yaml").write_text(DOMAIN)
    (tmp_path / "legs" / "checks.py").write_text(VERIFIER)
    write_rows(tmp_path / "rows.jsonl")

    def rlhalt(line: str, *more: str) -> str:
        capsys.readouterr()
        assert main([*line.split(), *more]) == 0, capsys.readouterr().err
        told = capsys.readouterr()
        return told.out + told.err

    prompts = "prompts --domain legs --file rows.jsonl --output prompts.jsonl"
    told = rlhalt(prompts)
    splits = Counter(one.split for one in read("prompts.jsonl", Prompt))
    assert splits.total() == 20
    assert f"{splits['train']} train, {splits['heldout']} held out" in told
    assert splits["heldout"] >= 2

    sample = f"sample --model {model} --prompts prompts.jsonl --responses 2 --max-tokens 300 --engine transformers"
    sample += " --temperature 1 --output responses.jsonl"
    rlhalt(sample)
    drawn = list(read("responses.jsonl", Response))
    assert len(drawn) == 40
    assert 100 < max(one.n_tokens for one in drawn) <= 300
    assert all(len(tokenizer(FAMILIES["llama"])(answer(one))["input_ids"]) > 300 for one in drawn[:2])
    # The model was taught nothing: what a trained one would say is written by hand.
    write("responses.jsonl", [dataclasses.replace(one, response=answer(one), finish_reason="stop") for one in drawn])

    score = "score --domain legs --responses responses.jsonl --output scored.jsonl"
    rlhalt(score)
    scored = list(read("scored.jsonl", Scored))
    whole = ["correct", "incorrect", "halt"]
    assert {tuple(one.label for one in row.fragments) for row in scored} == {tuple(whole), tuple(whole[:2])}
    assert all(one.start >= len(THOUGHT) for row in scored for one in row.fragments)

    # One reference is corrected: responses stay as they were drawn, and those to its prompt are judged anew.
    dog = next(one for one in read("prompts.jsonl", Prompt) if one.split == "train" and one.reference["legs"] == 4)
    animal = dog.prompt[-1]["content"].split()[-1].rstrip("?")
    write_rows(tmp_path / "rows.jsonl", **{animal: 7})
    for line in (prompts, sample, score):
        rlhalt(line)
    mended = list(read("scored.jsonl", Scored))
    assert [one.response for one in mended] == [one.response for one in scored]
    assert labels(mended, dog.key) == [["incorrect", "correct", "halt"], ["incorrect", "correct"]]
    assert {one.reference["legs"] for one in mended if one.prompt_key == dog.key} == {7}
    others = [one for one in mended if one.prompt_key != dog.key]
    assert others == [one for one in scored if one.prompt_key != dog.key]
    assert "already done" in rlhalt(score)

    pairs = "pairs --domain legs --scored scored.jsonl --threshold 0.8 --output"
    assert "left out" in rlhalt(f"{pairs} pairs.jsonl --targets targets.jsonl")
    rlhalt(f"{pairs} drawn.jsonl --draws 64 --seed 0")
    rows, draws = list(read("pairs.jsonl", Pair)), list(read("drawn.jsonl", Pair))
    held_out = {one.prompt[-1]["content"] for one in read("prompts.jsonl", Prompt) if one.split == "heldout"}
    for one in (*rows, *draws):
        assert one.prompt[-1]["content"] not in held_out
        assert all(side[0]["content"].startswith(THOUGHT) for side in (one.chosen, one.rejected))
    assert {content_key(one.chosen, one.rejected) for one in draws} <= {
        content_key(one.chosen, one.rejected) for one in rows
    }
    assert {one.weight for one in draws} == {1.0}
    dogs = [one for one in rows if one.prompt == dog.prompt]
    assert any("7 legs" in one.chosen[0]["content"] and "7 legs" not in one.rejected[0]["content"] for one in dogs)
    assert list(read("targets.jsonl", Target))

    keys = {**TRAINING, "max_steps": 2, "per_device_train_batch_size": 2, "max_length": 1024, "learning_rate": 1e-3}
    Path("sft.yaml").write_text(yaml.safe_dump(keys))
    Path("dpo.yaml").write_text(yaml.safe_dump({**keys, "draws": 4}))
    rlhalt(f"train sft --config sft.yaml --model_name_or_path {model} --train_file targets.jsonl --output_dir sft")
    rlhalt("train dpo --config dpo.yaml --model_name_or_path sft --train_file pairs.jsonl --output_dir dpo")
    assert json.loads(Path("dpo/run.json").read_text())["not_aligned"] == []

    evaluate = "evaluate --domain legs --prompts prompts.jsonl --samples 1 --engine transformers --max-tokens 300"
    rlhalt(f"{evaluate} --model {model} --name base --output base")
    rlhalt(f"{evaluate} --model sft --name SFT --base {model} --output eval-sft")
    rlhalt(f"{evaluate} --model dpo --name DPO --threshold 0.8 --base {model} --output eval-dpo")
    rlhalt("compare base eval-sft eval-dpo --output report")
    metrics = json.loads(Path("report/metrics.json").read_text())
    assert {one["model"] for one in metrics} == {"base", "SFT", "DPO τ=0.8"}
    assert Path("report/report.html").is_file()

    assert stock_trl("sft", "drawn.jsonl") == {"prompt_ids", "chosen_ids", "rejected_ids"}


def stock_trl(model: str, file: str) -> set[str]:
    """Two steps of TRL's own DPOTrainer on drawn pairs; the columns that it made of them."""
    from datasets import load_dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    rows = load_dataset("json", data_files=file, split="train", cache_dir="cache")
    keys = {**TRAINING, "max_steps": 2, "per_device_train_batch_size": 2, "max_length": 1024}
    trainer = DPOTrainer(
        AutoModelForCausalLM.from_pretrained(model),
        args=DPOConfig("stock", **keys),
        train_dataset=rows,
        processing_class=AutoTokenizer.from_pretrained(model),
    )
    trainer.train()
    assert trainer.state.global_step == 2
    return {one for one in trainer.train_dataset.column_names if one.endswith("_ids")}
