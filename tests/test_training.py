from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.errors import InputError
from rlhalt.files.locks import locked
from rlhalt.records import Pair, Target, content_key, write
from rlhalt.training import training_run
from rlhalt.training.dpo import draw
from tiny_training import TRAINING

weights = st.lists(st.floats(0.01, 1.0), min_size=1, max_size=30)


@given(weights, st.integers(1, 200), st.integers(0, 5))
def test_pairs_are_drawn_in_proportion_to_their_weight(weights, draws, seed):
    drawn = Counter(draw(weights, draws, seed))
    assert sum(drawn.values()) == draws
    expected = np.array(weights) * draws / sum(weights)
    for index, wanted in enumerate(expected):
        assert np.floor(wanted - 1e-6) <= drawn[index] <= np.ceil(wanted + 1e-6)


def test_draws_are_the_same_for_a_seed_and_in_random_order():
    weights = [0.3] * 50 + [0.7] * 50
    assert draw(weights, 80, seed=1) == draw(weights, 80, seed=1) != draw(weights, 80, seed=2)
    assert draw(weights, 80, seed=1) != sorted(draw(weights, 80, seed=1))


@pytest.mark.parametrize("weights", [[], [0.5, 0.0], [-1.0]])
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(InputError, match="weight"):
        draw(weights, 3, 0)


def pair(chosen: str, rejected: str) -> Pair:
    def said(text: str) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": text}]

    asked = [{"role": "user", "content": "State five facts about Norway."}]
    key = content_key(chosen, rejected)
    return Pair(key, asked, said(chosen), said(rejected), 0.5, "remove", 0.5, 0, "s")


KEYS = {**TRAINING, "per_device_train_batch_size": 2}


@pytest.fixture
def data(tmp_path) -> Path:
    write(tmp_path / "pairs.jsonl", [pair(f"Norway is in Europe {n}.", f"Norway is in Asia {n}.") for n in range(4)])
    return tmp_path / "pairs.jsonl"


def config(tmp_path: Path, **keys: object) -> str:
    (tmp_path / "dpo.yaml").write_text(yaml.safe_dump({**KEYS, **keys}))
    return str(tmp_path / "dpo.yaml")


def test_dpo_learns_the_preference_and_says_what_it_did(tiny_model, data, tmp_path, capsys):
    from rlhalt.training.dpo import main

    path = config(tmp_path, learning_rate=1.0e-2, num_train_epochs=1, draws=24, beta=0.1)
    main(
        [
            *("--config", path, "--train_file", str(data), "--output_dir", str(tmp_path / "out")),
            *("--model_name_or_path", str(tiny_model), "--use_peft", "true", "--lora_target_modules", "all-linear"),
        ]
    )
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    losses = [one["loss"] for one in record["log"] if "loss" in one]
    assert record["steps"] == 12
    assert losses[-1] < losses[0] == pytest.approx(np.log(2), abs=1e-3)
    assert record["parameters"]["draws"] == 24
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()
    said = capsys.readouterr().err
    assert "1 process(es) on cpu" in said
    assert "effective batch 2" in said


def test_dpo_draws_pairs_in_proportion_to_their_weights(tiny_model, tmp_path, monkeypatch):
    import rlhalt.training.setup
    from rlhalt.training.dpo import main

    weights = {"Norway is in Europe.": 0.1, "Norway is in Asia.": 0.2, "Norway is large.": 0.7}
    pairs = [dataclasses.replace(pair(text, "Unsure from here."), weight=weight) for text, weight in weights.items()]
    write(tmp_path / "pairs.jsonl", pairs)
    seen = Counter()
    monkeypatch.setattr(
        rlhalt.training.setup,
        "fit",
        lambda trainer, *_: seen.update(
            trainer.processing_class.decode(row["chosen_ids"], skip_special_tokens=True).strip()
            for row in trainer.train_dataset
        ),
    )
    argv = ["--config", config(tmp_path, draws=30), "--train_file", str(tmp_path / "pairs.jsonl")]
    main([*argv, "--output_dir", str(tmp_path / "out"), "--model_name_or_path", str(tiny_model)])
    assert seen == {text: round(30 * weight) for text, weight in weights.items()}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"learning_rat": 1.0}, "field 'learning_rat': unknown key; did you mean 'learning_rate'?"),
        ({"drawz": 3}, "did you mean 'draws'?"),
    ],
)
def test_a_misspelt_key_is_an_error_naming_it(data, tmp_path, wrong, says):
    from rlhalt.training.dpo import main

    with pytest.raises(InputError) as caught:
        main(["--config", config(tmp_path, draws=4, **wrong), "--train_file", str(data), "--output_dir", "out"])
    assert says in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_misspelt_key_on_the_command_line_is_an_error_naming_it(data, tmp_path):
    from rlhalt.training.dpo import main

    argv = ["--config", config(tmp_path, draws=4), "--train_file", str(data), "--output_dir", "out"]
    with pytest.raises(InputError, match="learning_rat"):
        main([*argv, "--learning_rat", "1"])


def test_an_anchor_is_refused_with_trl_s_own_trainer(data, tmp_path):
    from rlhalt.training.dpo import main

    file = config(tmp_path, draws=4, shared=False, anchor=0.2)
    with pytest.raises(InputError) as caught:
        main(["--config", file, "--train_file", str(data), "--output_dir", "out"])
    assert "field 'anchor': expected a weight of 0 or more, and 0 with shared: false, found 0.2" in str(caught.value)


def test_a_missing_argument_is_one_line(tmp_path):
    from rlhalt.training.dpo import main

    with pytest.raises(InputError, match="--train_file") as caught:
        main(["--config", config(tmp_path, draws=4), "--output_dir", "out"])
    assert "\n" not in str(caught.value)


def test_a_finished_training_is_known_by_data_keys_and_weights_not_by_place(data, tmp_path):
    path = config(tmp_path, draws=4)

    def made(folder: str, *extra: str) -> str:
        argv = ["--config", path, "--train_file", str(data), "--output_dir", folder, *extra]
        return training_run("dpo", argv, data, tmp_path / folder, "m")._record["fingerprint"]

    assert made("a") == made("b")
    assert made("a") != made("a", "--seed", "1")
    assert made("a", "--use_peft") == made("b", "--use_peft") != made("a")
    before = made("a")
    config(tmp_path, draws=5)
    assert made("a") != before


def test_a_file_without_targets_is_refused(tmp_path, tiny_model):
    from rlhalt.training.sft import main

    write(tmp_path / "none.jsonl", [])
    argv = ["--config", config(tmp_path), "--train_file", str(tmp_path / "none.jsonl")]
    with pytest.raises(InputError, match="expected targets to train on, found none"):
        main([*argv, "--output_dir", str(tmp_path / "out"), "--model_name_or_path", str(tiny_model)])


@pytest.mark.parametrize(("longest", "told"), [(256, None), (40, 1)])
def test_targets_that_are_cut_at_the_longest_length_are_told(tiny_model, tmp_path, capsys, longest, told):
    from rlhalt.training.sft import main

    asked = [{"role": "user", "content": "State facts."}]
    said = ["It is.", "Norway is in Europe. " * 4]
    write(
        tmp_path / "targets.jsonl",
        [Target(one, asked, [{"role": "assistant", "content": one}], "remove", "s") for one in said],
    )
    argv = ["--config", config(tmp_path, max_steps=1, max_length=longest)]
    argv += ["--train_file", str(tmp_path / "targets.jsonl"), "--output_dir", str(tmp_path / "out")]
    main([*argv, "--model_name_or_path", str(tiny_model)])
    assert ("1 of 2 targets reach max_length (40 tokens)" in capsys.readouterr().err) == bool(told)
    assert json.loads((tmp_path / "out" / "run.json").read_text()).get("cut") == told


SCRIPTS = Path(__file__).parents[1] / "scripts"


def test_the_script_runs_under_accelerate_launch(tiny_model, tmp_path):
    asked = [{"role": "user", "content": "State five facts about Norway."}]
    said = [{"role": "assistant", "content": "Norway is in Europe."}]
    write(tmp_path / "targets.jsonl", [Target(str(n), asked, said, "remove", "s") for n in range(4)])
    command = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", str(SCRIPTS / "train_sft.py")]
    command += ["--config", config(tmp_path, max_steps=2, model_name_or_path=str(tiny_model))]
    command += ["--train_file", str(tmp_path / "targets.jsonl"), "--output_dir", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "SFTTrainer: NO, 1 process(es) on cpu" in done.stderr
    assert json.loads((tmp_path / "out" / "run.json").read_text())["steps"] == 2
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_the_script_names_a_misspelt_key_and_exits_with_2(data, tmp_path):
    command = [sys.executable, str(SCRIPTS / "train_dpo.py"), "--config", config(tmp_path, draws=4, beeta=0.1)]
    command += ["--train_file", str(data), "--output_dir", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].endswith("field 'beeta': unknown key; did you mean 'beta'?")
    assert not (tmp_path / "out").exists()


class TestTrlHooks:
    """What rlhalt relies on inside TRL; these fail first when TRL moves."""

    def test_scoring_only_completions_changes_neither_loss_nor_gradient(self, tiny_model, monkeypatch):
        import torch
        from transformers import AutoModelForCausalLM
        from trl.trainer import utils
        from trl.trainer.utils import add_fused_lm_head

        from rlhalt.training.setup import scoring_only_completions

        model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
        add_fused_lm_head(model, outputs=("log_probs", "entropy", "mean_logits", "is_top1"))
        ids = torch.randint(3, 300, (3, 17), generator=torch.Generator().manual_seed(0))
        labels = ids.clone()
        labels[:, :9] = -100
        labels[1, 14:] = -100

        def run() -> tuple[torch.Tensor, torch.Tensor]:
            model.zero_grad()
            output = model(input_ids=ids, labels=labels, fused_lm_head=True)
            output.log_probs.sum().backward()
            return output.log_probs.detach(), model.model.layers[0].mlp.up_proj.weight.grad.clone()

        projected: list[int] = []
        project = utils._ChunkedLogProbFunction.apply

        def counting(hidden: torch.Tensor, *rest: object) -> object:
            projected.append(len(hidden))
            return project(hidden, *rest)

        monkeypatch.setattr(utils._ChunkedLogProbFunction, "apply", counting)
        everywhere = run()
        with scoring_only_completions():
            completions = run()
        assert projected == [labels[:, 1:].numel(), int((labels[:, 1:] != -100).sum())]
        for one, other in zip(everywhere, completions, strict=True):
            assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)

    def test_the_switch_is_put_back(self):
        from trl.trainer import utils

        from rlhalt.training.setup import scoring_only_completions

        before = utils._use_triton
        with pytest.raises(KeyError), scoring_only_completions():
            raise KeyError
        assert utils._use_triton is before

    def test_stock_trl_takes_the_pairs_as_they_are(self, tiny_model, data, tmp_path):
        from datasets import load_dataset
        from trl import DPOConfig, DPOTrainer

        dataset = load_dataset("json", data_files=str(data), split="train", cache_dir=str(tmp_path / "cache"))
        args = DPOConfig(output_dir=str(tmp_path / "out"), max_steps=1, **KEYS)
        trainer = DPOTrainer(model=str(tiny_model), args=args, train_dataset=dataset)
        assert trainer.train().training_loss == pytest.approx(np.log(2), abs=1e-3)


def test_no_secret_is_written_down():
    from trl import DPOConfig

    from rlhalt.training.setup import described

    args = DPOConfig(output_dir="out", hub_token="secret", use_cpu=True, bf16=False)
    assert "secret" not in str(described(args))
    assert described(args)["output_dir"] == "out"


@pytest.mark.parametrize(
    "words",
    [
        ["--hub_token", "hf_secret"],
        ["--hub-token", "hf_secret"],
        ["--hub_token=hf_secret"],
        ["--wandb_api_key", "hf_secret"],
        ["--api_keys", "hf_secret", "hf_secret2"],
    ],
)
def test_no_secret_of_the_command_line_is_written_down(tmp_path, words):
    (tmp_path / "data.jsonl").write_text("{}\n")
    argv = ["--beta", "0.1", *words, "--judge_key", "JUDGE_KEY", "--train_file=data.jsonl", "--seed=1"]
    with training_run("dpo", argv, tmp_path / "data.jsonl", tmp_path / "out", "m"):
        pass
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["config"]["keys"] == ["--beta", "0.1", "--judge_key", "JUDGE_KEY", "--seed=1"]
    assert "hf_secret" not in json.dumps(record)


def test_an_output_that_another_command_writes_is_refused(tiny_model, data, tmp_path):
    from rlhalt.training.dpo import main

    out = tmp_path / "dpo"
    argv = ["--config", config(tmp_path, model_name_or_path=str(tiny_model), draws=4), "--train_file", str(data)]
    argv += ["--output_dir", str(out)]
    with locked(out), pytest.raises(InputError, match="no other command writes"):
        main(argv)
    assert not list(out.glob("*.safetensors"))
    assert not (out / "run.json").exists()
    main(argv)
    assert list(out.glob("*.safetensors"))
