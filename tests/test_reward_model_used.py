"""A reward model in use: as a verifier without references, and as the confidence of a cut and of a comparison."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
from pathlib import Path

import pytest
import yaml
from safetensors.numpy import load_file, save_file

from calibrated_model import answer, calibrated
from reward_rows import RIGHT, WRONG, prompts, rows, trained
from rlhalt.cli import main
from rlhalt.cut.calibration import read as read_calibration
from rlhalt.domains import load_domain
from rlhalt.errors import InputError
from rlhalt.evaluation import load as load_evaluation
from rlhalt.evaluation.confidence_sources import SOURCES
from rlhalt.jsonl import read_text
from rlhalt.records import Certainty, Response, Scored, content_key, read, write
from rlhalt.reward_model.folder import read_description
from rlhalt.reward_model.reader import load
from rlhalt.reward_model.train import Settings, train
from rlhalt.training.fragment_grpo.reward import FragmentReward

MIXED = f"{RIGHT} {WRONG} Unsure from here."


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    """The hidden states of the tiny model differ by less than bfloat16 can tell."""
    import torch

    monkeypatch.setattr("rlhalt.models.inference_dtype", lambda: torch.float32)


@pytest.fixture(scope="module")
def probe(tiny_model, tmp_path_factory):
    import torch

    folder = tmp_path_factory.mktemp("reward")
    write(folder / "scored.jsonl", rows())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlhalt.models.inference_dtype", lambda: torch.float32)
        return trained(tiny_model, folder / "scored.jsonl", folder / "probe")


def domain(folder: Path, reward_model: Path, **keys: object) -> Path:
    """A domain that a reward model judges, with its own prompts' file."""
    folder.mkdir(exist_ok=True)
    told = {
        "domain": "ink", "halting": "independent", "threshold": 0.5, "fragmenter": "sentences", "verifier": "model",
        "reward_model": str(reward_model),
    }  # fmt: skip
    (folder / "domain.yaml").write_text(yaml.safe_dump({**told, **keys}), encoding="utf-8")
    return folder


def response(text: str) -> Response:
    asked = prompts(1, "heldout")[0]
    return Response(content_key(text), asked.key, 0, asked.prompt, text, {}, "ink", "train", "stop", {}, 3)


def test_verdicts_follow_the_threshold_and_read_no_reference(probe, tmp_path):
    found = load_domain(domain(tmp_path / "ink", probe)).scorer().score(response(MIXED))
    assert [one.label for one in found.fragments] == ["correct", "incorrect", "halt"]
    right = found.fragments[0]
    assert right.probability > 0.5
    assert right.evidence == f"P(correct) = {right.probability:.3f} by the reward model, τ = 0.5"
    careful = load_domain(domain(tmp_path / "ink", probe, threshold=0.999)).scorer()
    strict = careful.score(response(MIXED))
    assert [one.label for one in strict.fragments] == ["incorrect", "incorrect", "halt"]
    assert strict.fragments[0].probability == pytest.approx(1 - right.probability)
    # Another threshold gives other verdicts, so what one said is not taken for what the other says.
    assert careful.verifier.name != right.verifier


def test_a_broken_model_fails_and_gives_no_verdict(probe, tmp_path):
    broken = shutil.copytree(probe, tmp_path / "broken")
    tensors = load_file(broken / "probe.safetensors")
    save_file({**tensors, "bias": tensors["bias"] * math.nan}, broken / "probe.safetensors")
    scorer = load_domain(domain(tmp_path / "ink", broken)).scorer()
    found = scorer.score(response(MIXED))
    assert [one.label for one in found.fragments] == [None, None, "halt"]
    assert [one.failed for one in found.fragments] == [True, True, False]
    assert "computes no finite number" in found.fragments[0].error

    def breaks(readings):
        raise RuntimeError("out of memory")

    working = load_domain(domain(tmp_path / "ink", probe)).scorer()
    object.__setattr__(working.verifier.model, "scores", breaks)
    found = working.score(response(MIXED))
    assert [one.failed for one in found.fragments] == [True, True, False]
    assert "out of memory" in found.fragments[0].error


def test_what_is_too_long_for_the_model_fails(probe, tmp_path):
    found = load_domain(domain(tmp_path / "ink", probe)).scorer().score(response(" ".join([RIGHT] * 200)))
    labels = [one.label for one in found.fragments]
    assert set(labels[:3]) == {"correct"}
    assert found.fragments[-1].failed
    assert "beyond what the model can read" in found.fragments[-1].error


def test_a_domain_says_what_is_wrong_with_it(probe, tmp_path):
    for keys, says in {
        "threshold": ({"threshold": 1.0}, "between 0 and 1, both excluded, found 1.0"),
        "missing": ({"reward_model": None}, r"found none: reward_model \(of model\)"),
        "folder": ({"reward_model": str(tmp_path)}, r"found no reward\.json, no run\.json"),
        "domain": ({"domain": "paper"}, "for the domain 'paper'"),
        "fragmenter": ({"fragmenter": "steps"}, "with the fragmenter 'steps', found one for fragmenter 'sentences'"),
    }.values():
        told = {name: value for name, value in keys.items() if value is not None}
        folder = domain(tmp_path / "ink", probe, **told)
        if None in keys.values():
            lines = (folder / "domain.yaml").read_text(encoding="utf-8").splitlines()
            kept = [one for one in lines if not one.startswith("reward_model")]
            (folder / "domain.yaml").write_text("\n".join(kept), encoding="utf-8")
        with pytest.raises(InputError, match=says):
            load_domain(folder).scorer()
    # Seen from the folder of the domain, as the judge's instructions are.
    shutil.copytree(probe, tmp_path / "ink" / "learnt")
    assert load_domain(domain(tmp_path / "ink", Path("learnt"))).scorer().score(response(RIGHT)).fragments[0].label


def test_score_audit_and_online_rewards(probe, tmp_path, capsys):
    folder = domain(tmp_path / "ink", probe)
    write(tmp_path / "responses.jsonl", [response(MIXED)])
    argv = ["--responses", str(tmp_path / "responses.jsonl"), "--domain", str(folder)]
    assert main(["score", *argv, "--output", str(tmp_path / "scored.jsonl")]) == 0
    (scored,) = read(tmp_path / "scored.jsonl", Scored)
    assert [one.label for one in scored.fragments] == ["correct", "incorrect", "halt"]
    asked = prompts(1)[0].prompt
    labels = [
        {"split": "heldout", "reference": {}, "prompt": asked, "response": MIXED, "text": text, "label": label,
         "start": MIXED.index(text), "end": MIXED.index(text) + len(text)}
        for text, label in ((RIGHT, "correct"), (WRONG, "correct"))
    ]  # fmt: skip
    (folder / "audit.jsonl").write_text("\n".join(map(json.dumps, labels)), encoding="utf-8")
    (folder / "README.md").write_text("<!-- audit: written by `rlhalt audit`, do not edit -->\n<!-- end of audit -->")
    capsys.readouterr()
    assert main(["audit", str(folder)]) == 0
    assert "2 fragments, 100.0% decided, 50.0% agreement" in capsys.readouterr().out
    del labels[0]["prompt"]
    (folder / "audit.jsonl").write_text(json.dumps(labels[0]), encoding="utf-8")
    assert main(["audit", str(folder)]) == 2
    assert "reads the prompt of a response, found none beside it" in capsys.readouterr().err
    reward = FragmentReward.of_domain(folder, 0.75)
    paid = asyncio.run(reward([MIXED, RIGHT], [{}, {}], prompts=[asked, asked[0]["content"]]))
    assert paid == [pytest.approx(0.25 - 0.75), pytest.approx(0.25)]


@pytest.fixture(scope="module")
def countries(tiny_model, tmp_path_factory):
    """A tiny model that says three things of every country, and a reward model of what others were told to say."""
    import torch

    folder = tmp_path_factory.mktemp("countries")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlhalt.models.inference_dtype", lambda: torch.float32)
        model, argv, _ = calibrated(tiny_model, folder)
        found = load_domain("countries")
        scorer = found.scorer()
        said = [
            Response(one.key, one.key, 0, one.prompt, answer(one.reference), one.reference, "countries", "train",
                     "stop", {}, 9)
            for one in found.prompts(split="train")[14:]
        ]  # fmt: skip
        write(folder / "scored.jsonl", [scorer.score(one) for one in said])
        reward = train([folder / "scored.jsonl"], scorer, folder / "reward", Settings("probe", str(model)))
    return folder, argv, reward


def test_calibrate_and_answer_by_a_reward_model(countries, tmp_path, capsys):
    folder, argv, reward = countries
    asked = ["calibrate", *argv, "--prompts", str(folder / "calibration.jsonl"), "--by", "reward"]
    assert main([*asked, "--output", str(tmp_path / "a")]) == 2
    assert "expected the folder of a reward model, found none" in capsys.readouterr().err
    output = tmp_path / "calibration"
    assert main([*asked, "--reward-model", str(reward), "--output", str(output)]) == 0
    fitted = read_calibration(output / "calibration.json")
    assert (fitted.by, fitted.reward_model) == ("reward", str(reward))
    assert fitted.fits[0].auroc["value"] > 0.8
    again = [*asked, "--reward-model", str(reward), "--output", str(output)]
    assert main(again) == 0
    assert "already done" in capsys.readouterr().err
    model = argv[1]
    question = ["answer", "State five facts about Kenya.", "--model", model, "--calibration", str(output)]
    assert main([*question, "--threshold", "0.5"]) == 0
    assert "is in Africa" in capsys.readouterr().out
    # Another reward model under the same name has other probabilities.
    moved = shutil.copytree(reward, tmp_path / "moved")
    text = (output / "calibration.json").read_text(encoding="utf-8").replace(str(reward), str(moved))
    (output / "calibration.json").write_text(text, encoding="utf-8")
    (moved / "reward.json").write_text(read_text(moved / "reward.json", "it").replace("knowledge", "x"))
    assert main([*question, "--threshold", "0.5"]) == 2
    assert "run rlhalt calibrate again" in capsys.readouterr().err


def test_prompts_that_the_reward_model_has_seen_are_refused(countries, tmp_path, capsys):
    folder, argv, reward = countries
    write(tmp_path / "seen.jsonl", load_domain("countries").prompts(split="train")[14:60])
    asked = ["calibrate", *argv, "--prompts", str(tmp_path / "seen.jsonl"), "--by", "reward"]
    assert main([*asked, "--reward-model", str(reward), "--output", str(tmp_path / "a")]) == 2
    assert "was not trained on, found" in capsys.readouterr().err
    judging = domain(tmp_path / "countries", reward, domain="countries", task="rlhalt.domains.countries:Countries")
    evaluate = ["evaluate", *argv, "--name", "SFT", "--domain", str(judging), "--samples", "0"]
    write(tmp_path / "asked.jsonl", [_heldout(one) for one in load_domain("countries").prompts(split="train")[14:60]])
    asked = ["--prompts", str(tmp_path / "asked.jsonl"), "--output", str(tmp_path / "evaluation")]
    assert main([*evaluate, *asked]) == 2
    assert "was not trained on, found" in capsys.readouterr().err


def _heldout(prompt):
    import dataclasses

    return dataclasses.replace(prompt, split="heldout")


def test_certainty_by_a_reward_model_is_a_source_of_a_comparison(countries, tmp_path, capsys):
    folder, argv, reward = countries
    output = tmp_path / "evaluation"
    asked = ["--prompts", str(folder / "heldout.jsonl"), "--samples", "0", "--output", str(output)]
    assert main(["evaluate", *argv, "--name", "base", "--role", "base", *asked]) == 0
    assert main(["certainty", str(output), "--by", "reward"]) == 2
    assert main(["certainty", str(output), "--by", "ccp", "--reward-model", str(reward)]) == 2
    capsys.readouterr()
    assert main(["certainty", str(output), "--by", "reward", "--reward-model", str(reward)]) == 0
    told = {one.key: one.certainty for one in read(output / "reward.jsonl", Certainty)}
    found = load_evaluation(output)
    assert SOURCES["trained reward model"](found) == told
    labelled = [
        (value, one.label)
        for row in found.scored
        for one, value in zip(row.fragments, told[row.key], strict=True)
        if one.label in ("correct", "incorrect")
    ]
    assert min(v for v, label in labelled if label == "correct") > max(v for v, label in labelled if label != "correct")
    other = json.loads((reward / "reward.json").read_text(encoding="utf-8")) | {"domain": "elements"}
    wrong = shutil.copytree(reward, tmp_path / "wrong")
    (wrong / "reward.json").write_text(json.dumps(other), encoding="utf-8")
    assert main(["certainty", str(output), "--by", "reward", "--reward-model", str(wrong)]) == 2
    assert "expected a reward model for the domain 'countries'" in capsys.readouterr().err


def test_a_stated_threshold_and_reasoning_are_not_read(probe):
    from rlhalt.records import Fragment
    from rlhalt.threshold_prompt import with_threshold

    model, asked = load(probe), prompts(1)[0].prompt
    fragments = [Fragment(0, len(RIGHT), "sentence", RIGHT)]
    plain = model.reader.read(asked, RIGHT, fragments)
    assert model.reader.read(with_threshold(asked, 0.8), RIGHT, fragments) == plain
    thought = "<think>\nMaybe.\n</think>\n\n"
    row = rows(1)[0]
    moved = [Fragment(len(thought), len(thought) + len(RIGHT), "sentence", RIGHT)]
    import dataclasses

    told = dataclasses.replace(row, prompt=asked, response=thought + RIGHT, fragments=moved)
    assert model.reader.rows([told]) == [plain]
    assert read_description(probe).template_args == {}
