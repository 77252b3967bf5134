"""A reward model in use: as a verifier without references, and as the confidence of a cut and of a comparison."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import itertools
import json
import math
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file, save_file

from reward_rows import RIGHT, SCORER, WRONG, prompts, rows, trained
from rlhalt.cli import main
from rlhalt.cut.calibration import read as read_calibration
from rlhalt.domains import load_domain
from rlhalt.errors import InputError
from rlhalt.evaluation import load as load_evaluation
from rlhalt.evaluation.confidence_sources import SOURCES
from rlhalt.records import Certainty, Fragment, Response, Scored, content_key, read, write
from rlhalt.reward_model.folder import read_description
from rlhalt.reward_model.reader import load, probabilities
from rlhalt.sampling import Completion
from rlhalt.training.fragment_grpo.reward import FragmentReward

MIXED = f"{RIGHT} {WRONG} Unsure from here."


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    """The hidden states of the tiny model differ by less than bfloat16 can tell."""
    import torch

    monkeypatch.setattr("rlhalt.models.names.inference_dtype", lambda: torch.float32)


@pytest.fixture(scope="module")
def probe(tiny_model, tmp_path_factory):
    import torch

    folder = tmp_path_factory.mktemp("reward")
    write(folder / "scored.jsonl", rows())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlhalt.models.names.inference_dtype", lambda: torch.float32)
        return trained(tiny_model, folder / "scored.jsonl", folder / "probe")


def domain(folder: Path, model: Path, **keys: object) -> Path:
    """A domain that a reward model judges."""
    folder.mkdir(exist_ok=True)
    told = {
        "domain": "ink", "halting": "independent", "threshold": 0.5, "fragmenter": "sentences", "verifier": "model",
        "reward_model": str(model),
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
    careful = load_domain(domain(tmp_path / "ink", probe, threshold=1 - 1e-9)).scorer()
    strict = careful.score(response(MIXED))
    assert [one.label for one in strict.fragments] == ["incorrect", "incorrect", "halt"]
    assert strict.fragments[0].probability == pytest.approx(1 - right.probability)
    # Another threshold gives other verdicts, so what one said is not taken for what the other says.
    assert careful.verifier.name != right.verifier


def test_of_several_reward_models_the_least_probability_counts(probe, tiny_model, tmp_path):
    """And where one of them has none, the fragment has failed."""
    write(tmp_path / "scored.jsonl", rows(seed=1))
    other = trained(tiny_model, tmp_path / "scored.jsonl", tmp_path / "other", seed=1)
    both = load_domain(domain(tmp_path / "ink", probe, reward_model=[str(probe), str(other)])).scorer()
    found = both.score(response(MIXED))
    alone = [probabilities(one, [found])[0] for one in (probe, other)]
    told = [one.probability if one.label == "correct" else 1 - one.probability for one in found.fragments[:2]]
    assert told == pytest.approx([min(its) for its in zip(*alone, strict=True)][:2], abs=1e-5)
    assert both.verifier.name.count("probe") == both.verifier.name.count("other") == 1

    broken = shutil.copytree(other, tmp_path / "broken")
    tensors = load_file(broken / "probe.safetensors")
    save_file({**tensors, "bias": tensors["bias"] * math.nan}, broken / "probe.safetensors")
    half = load_domain(domain(tmp_path / "ink", probe, reward_model=[str(probe), str(broken)])).scorer()
    assert [one.label for one in half.score(response(MIXED)).fragments] == [None, None, "halt"]
    with pytest.raises(InputError, match="expected at least one folder, found none"):
        load_domain(domain(tmp_path / "ink", probe, reward_model=[]))


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
    object.__setattr__(working.verifier.models[0], "scores", breaks)
    found = working.score(response(MIXED))
    assert [one.failed for one in found.fragments] == [True, True, False]
    assert "out of memory" in found.fragments[0].error


def test_responses_that_are_judged_at_once_are_read_together(probe, tmp_path):
    """The verdicts are those of each alone; one that breaks the pass takes no other with it."""
    verifier = load_domain(domain(tmp_path / "ink", probe)).scorer().verifier
    asked = prompts(12, "heldout")
    texts = [" ".join([RIGHT, WRONG, RIGHT][: 1 + number % 3]) for number in range(12)]
    pieces = [SCORER.split(text) for text in texts]

    def judge(number):
        return verifier.verify(texts[number], pieces[number], {}, asked[number].prompt)

    alone = [judge(number) for number in range(12)]
    read, sizes = verifier.models[0].scores, []

    def scores(readings):
        sizes.append(len(readings))
        if len(sizes) == 1:
            time.sleep(1)  # the others ask meanwhile
        if len(readings) > 1 and broken:
            raise RuntimeError("out of memory")
        if any(len(one.spans) == 3 for one in readings) and broken:
            raise RuntimeError("this one cannot be read")
        return read(readings)

    object.__setattr__(verifier.models[0], "scores", scores)
    for broken in (False, True):
        sizes.clear()
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            together = [pool.submit(judge, number) for number in range(12)]
        assert max(sizes) > 1
        for number, one in enumerate(together):
            if broken and number % 3 == 2:
                with pytest.raises(RuntimeError, match="this one cannot be read"):
                    one.result()
                continue
            assert [verdict.label for verdict in one.result()] == [verdict.label for verdict in alone[number]]
            likely = [verdict.probability for verdict in alone[number]]
            assert [verdict.probability for verdict in one.result()] == pytest.approx(likely, abs=1e-5)


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
        "fragmenter": ({"fragmenter": "steps"}, "with the fragmenter 'steps', found one for fragmenter 'sentences/2'"),
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


VERIFIER = """
from rlhalt.verifiers import Verdict

class Ink:
    name = "ink/1"

    def verify(self, response, fragments, reference):
        return [Verdict("correct" if "official" in one.text else "incorrect", "read") for one in fragments]
"""


@pytest.fixture
def judged(tiny_model, tmp_path, monkeypatch):
    """A domain with a verifier of its own, and a model that says things right and wrong by turns."""
    said = itertools.cycle([f"{RIGHT} {WRONG} {RIGHT}", f"{WRONG} {WRONG}", f"{WRONG} {RIGHT}"])
    monkeypatch.setattr(
        "rlhalt.sampling.local.TransformersEngine.complete",
        lambda self, chats, **_: [Completion(next(said), 9, "stop") for _ in chats],
    )
    folder = tmp_path / "ink"
    folder.mkdir()
    (folder / "domain.py").write_text(VERIFIER, encoding="utf-8")
    told = {"domain": "ink", "halting": "independent", "threshold": 0.5, "fragmenter": "sentences"}
    (folder / "domain.yaml").write_text(yaml.safe_dump({**told, "verifier": "domain.py:Ink"}), encoding="utf-8")
    write(tmp_path / "heldout.jsonl", prompts(20, "heldout"))
    write(tmp_path / "seen.jsonl", [dataclasses.replace(one, split="heldout") for one in prompts(60)])
    return ["--model", str(tiny_model), "--domain", str(folder), "--engine", "transformers"]


def test_calibrate_and_answer_by_a_reward_model(judged, probe, tmp_path, capsys):
    output, heldout = tmp_path / "calibration", str(tmp_path / "heldout.jsonl")
    asked = ["calibrate", *judged, "--by", "reward", "--output", str(output), "--prompts"]
    assert main([*asked, heldout]) == 2
    assert "expected the folder of a reward model, found none" in capsys.readouterr().err
    assert main([*asked, str(tmp_path / "seen.jsonl"), "--reward-model", str(probe)]) == 2
    assert "was not trained on, found 51 that it was" in capsys.readouterr().err
    assert main([*asked, heldout, "--reward-model", str(probe)]) == 0
    fitted = read_calibration(output / "calibration.json")
    assert (fitted.by, fitted.reward_model) == ("reward", str(probe))
    assert fitted.fits[0].auroc["value"] > 0.9
    assert main([*asked, heldout, "--reward-model", str(probe)]) == 0
    assert "already done" in capsys.readouterr().err
    model, place = judged[1], judged[3]
    question = ["answer", "Describe heldout thing 30.", "--model", model, "--domain", place]
    question += ["--calibration", str(output), "--threshold", "0.5"]
    assert main(question) == 0
    assert RIGHT in capsys.readouterr().out
    # Another reward model in that place has other probabilities.
    moved = shutil.copytree(probe, tmp_path / "moved")
    text = (output / "calibration.json").read_text(encoding="utf-8").replace(str(probe), str(moved))
    (output / "calibration.json").write_text(text, encoding="utf-8")
    told = (moved / "reward.json").read_text(encoding="utf-8")
    (moved / "reward.json").write_text(told.replace("hand/1", "hand/2"), encoding="utf-8")
    assert main(question) == 2
    assert "run rlhalt calibrate again" in capsys.readouterr().err


def test_evaluation_and_certainty_by_a_reward_model(judged, probe, tmp_path, capsys):
    output = tmp_path / "evaluation"
    evaluate = ["evaluate", *judged, "--name", "base", "--role", "base", "--samples", "0", "--output", str(output)]
    assert main([*evaluate, "--prompts", str(tmp_path / "heldout.jsonl")]) == 0
    assert main(["certainty", str(output), "--by", "reward"]) == 2
    assert "with --by reward, found none" in capsys.readouterr().err
    assert main(["certainty", str(output), "--by", "ccp", "--reward-model", str(probe)]) == 2
    assert main(["certainty", str(output), "--by", "reward", "--reward-model", str(probe)]) == 0
    told = {one.key: one.certainty for one in read(output / "reward.jsonl", Certainty)}
    found = load_evaluation(output)
    assert SOURCES["trained reward model"](found) == told
    right = [
        (value > 0.5) == (one.label == "correct")
        for row in found.scored
        for one, value in zip(row.fragments, told[row.key], strict=True)
    ]
    assert np.mean(right) > 0.8
    capsys.readouterr()
    assert main(["compare", str(output), "--cut-by", "reward", "--output", str(tmp_path / "report")]) == 0
    assert "without what the trained reward model, calibrated" in " ".join(capsys.readouterr().out.split())
    comparison = json.loads((tmp_path / "report" / "comparison.json").read_text(encoding="utf-8"))
    assert comparison["design"]["cut_by"] == "reward"
    (output / "reward.jsonl").rename(tmp_path / "reward.jsonl")
    assert main(["compare", str(output), "--cut-by", "reward", "--output", str(tmp_path / "none")]) == 0
    assert "None of base: no reward.jsonl" in " ".join(capsys.readouterr().out.split())
    (tmp_path / "reward.jsonl").rename(output / "reward.jsonl")
    other = shutil.copytree(probe, tmp_path / "other")
    told = json.loads((probe / "reward.json").read_text(encoding="utf-8")) | {"domain": "paper"}
    (other / "reward.json").write_text(json.dumps(told), encoding="utf-8")
    capsys.readouterr()
    assert main(["certainty", str(output), "--by", "reward", "--reward-model", str(other)]) == 2
    assert "expected a reward model for the domain 'ink'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["best-of-n", "qalign"])
def test_decoding_by_a_reward_model(judged, probe, tmp_path, capsys, name):
    output = tmp_path / "evaluation"
    evaluate = ["evaluate", *judged, "--name", "base", "--role", "base", "--samples", "0", "--output", str(output)]
    evaluate += ["--decode", name, "--decode-samples", "3", "--reward-model", str(probe), "--prompts"]
    assert main([*evaluate, str(tmp_path / "seen.jsonl")]) == 2
    assert "was not trained on, found 51 that it was" in capsys.readouterr().err
    assert main([*evaluate, str(tmp_path / "heldout.jsonl")]) == 0
    rows = list(read(output / "scored.jsonl", Scored))
    told = json.loads(rows[0].sampler["decoding"])
    assert (told["decode"], told["samples"], told["threshold"]) == (name, 3, 0.5)
    assert told["reward_model"].startswith("probe@")
    # What the model says by turns costs three draws; the worst of them is never the best.
    assert all(row.n_tokens == 27 for row in rows)
    if name == "best-of-n":
        assert f"{WRONG} {WRONG}" not in {row.response for row in rows}


def test_no_evaluation_on_prompts_that_the_reward_model_has_seen(judged, probe, tmp_path, capsys):
    """As the source of a comparison, and as the verifier."""
    seen, output = str(tmp_path / "seen.jsonl"), str(tmp_path / "evaluation")
    evaluate = ["evaluate", *judged, "--name", "base", "--role", "base", "--samples", "0", "--prompts", seen]
    assert main([*evaluate, "--output", output]) == 0
    assert main(["certainty", output, "--by", "reward", "--reward-model", str(probe)]) == 2
    assert "was not trained on, found 51 that it was" in capsys.readouterr().err
    domain(tmp_path / "ink", probe)
    assert main([*evaluate, "--output", str(tmp_path / "other")]) == 2
    assert "was not trained on, found 51 that it was" in capsys.readouterr().err


def test_a_stated_threshold_and_reasoning_are_not_read(probe):
    from rlhalt.chat.threshold_prompt import with_threshold

    model, asked = load(probe), prompts(1)[0].prompt
    fragments = [Fragment(0, len(RIGHT), "sentence", RIGHT)]
    plain = model.reader.read(asked, RIGHT, fragments)
    assert model.reader.read(with_threshold(asked, 0.8), RIGHT, fragments) == plain
    thought = "<think>\nMaybe.\n</think>\n\n"
    row = rows(1)[0]
    moved = [Fragment(len(thought), len(thought) + len(RIGHT), "sentence", RIGHT)]
    told = dataclasses.replace(row, prompt=asked, response=thought + RIGHT, fragments=moved)
    assert model.reader.rows([told]) == [plain]
    assert read_description(probe).template_args == {}
