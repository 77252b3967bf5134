"""What may be compared, and what is said of what may not."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import pytest

from evaluation_folders import build
from rlhalt.chat.threshold_prompt import with_threshold
from rlhalt.cli import main
from rlhalt.contamination import prompts_seen
from rlhalt.errors import InputError
from rlhalt.evaluation import compare, load
from rlhalt.evaluation.protocol import comparable
from rlhalt.records import Target
from rlhalt.verifiers import Verdict


@pytest.fixture(scope="module")
def evaluations(tmp_path_factory):
    folders = build(tmp_path_factory.mktemp("runs"), n_prompts=4, samples=2, seeds=(0, 1), thresholds=(0.5,))
    return [load(folder) for folder in folders]


def with_rows(evaluation, change):
    return dataclasses.replace(evaluation, scored=[change(row) for row in evaluation.scored])


def sampled_with(**settings):
    def change(row):
        greedy = row.sampler["temperature"] == 0
        return row if greedy else dataclasses.replace(row, sampler={**row.sampler, **settings})

    return change


def judged_by(name):
    def change(row):
        return dataclasses.replace(row, fragments=[dataclasses.replace(f, verifier=name) for f in row.fragments])

    return change


def made_of(code):
    return lambda row: dataclasses.replace(row, made_of=f"{row.key}.{code}")


def test_verdicts_of_an_edited_table_are_not_compared_with_those_before(evaluations):
    base, sft, *_ = evaluations
    # Files of earlier versions do not tell.
    assert comparable([with_rows(base, made_of("a1")), sft])
    assert comparable([with_rows(base, made_of("a1")), with_rows(sft, made_of("a1"))])
    told = r"the fingerprint of code and facts that judged countries is a1 in .* but b2 in .*; evaluate again"
    with pytest.raises(InputError, match=told):
        compare([with_rows(base, made_of("a1")), with_rows(sft, made_of("b2"))])


def test_prompts_come_in_the_order_of_the_first(evaluations):
    found = comparable(evaluations)
    assert found.keys() == {"greedy", "sampled"}
    assert found["greedy"] == list(dict.fromkeys(row.prompt_key for row in evaluations[0].scored))


@pytest.mark.parametrize("setting", ["model", "few_shot", "seed", "batch_size"])
def test_what_may_differ(evaluations, setting):
    base, sft, *_ = evaluations
    assert comparable([base, with_rows(sft, sampled_with(**{setting: "another"}))])


def test_a_threshold_in_the_prompt_asks_the_same_question(evaluations):
    base, sft, *_ = evaluations
    told = with_rows(sft, lambda row: dataclasses.replace(row, prompt=with_threshold(row.prompt, 0.8)))
    assert comparable([base, told])


def asked(text):
    return lambda row: dataclasses.replace(row, prompt=[{"role": "user", "content": text}])


def referring_to(reference):
    return lambda row: dataclasses.replace(row, reference=reference)


@pytest.mark.parametrize(
    ("change", "name", "was", "now"),
    [
        (sampled_with(temperature=0.7), "temperature of sampled responses", "1.0", "0.7"),
        (sampled_with(top_p=0.9), "top_p of sampled responses", "not told", "0.9"),
        (judged_by("knowledge/9"), "the verifier of countries", "countries 1", "knowledge/9"),
        (asked("What?"), "prompt KEY", "PROMPT", "What?"),
        (referring_to({"subject": "X"}), "the reference of prompt KEY", "REFERENCE", '{"subject": "X"}'),
    ],
)
def test_what_differs_in_the_rows_is_told(evaluations, change, name, was, now):
    base, sft, *_ = evaluations
    row = base.scored[0]
    was = was.replace("PROMPT", row.prompt[0]["content"]).replace("REFERENCE", json.dumps(row.reference))
    told = f"{name.replace('KEY', row.prompt_key)} is {was} in {base.folder} but {now} in {sft.folder}"
    with pytest.raises(InputError, match=re.escape(told)):
        compare([base, with_rows(sft, change)])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fragmenter": "lines/2"}, "the fragmenter is not told in BASE but lines/2 in SFT"),
        (
            {"budget": {"calls": 500, "tokens": None, "money": 0.5}},
            "the verifier's budget is none in BASE but calls 500, tokens without limit, money 0.5 in SFT",
        ),
        ({"halting": "causal"}, "the halting style is independent in BASE but causal in SFT"),
    ],
)
def test_what_differs_in_the_runs_is_told(evaluations, change, told):
    base, sft, *_ = evaluations
    told = told.replace("BASE", str(base.folder)).replace("SFT", str(sft.folder))
    with pytest.raises(InputError, match=re.escape(told)):
        compare([base, dataclasses.replace(sft, **change)])


def test_a_lost_response_is_told(evaluations):
    base, sft, *_ = evaluations
    with pytest.raises(InputError, match=r"number of sampled responses a prompt is 2 in .* but 1 or 2 in"):
        compare([base, dataclasses.replace(sft, scored=sft.scored[:-1])])


def test_many_differences_are_counted_and_many_folders_too(evaluations):
    base, sft0, dpo0, sft1, dpo1 = evaluations
    odd = dataclasses.replace(with_rows(dpo1, judged_by("k/2")), halting="causal", fragmenter="lines/2")
    with pytest.raises(InputError) as told:
        compare([base, sft0, dpo0, sft1, with_rows(odd, sampled_with(temperature=0.1))])
    assert "1.0 in" in str(told.value)
    assert "and 2 more but 0.1 in" in str(told.value)
    assert "; and 1 more differences" in str(told.value)


def test_trained_models_are_asked_alike(evaluations):
    base, sft, dpo, *_ = evaluations
    with pytest.raises(InputError, match=r"trained models are asked is without examples in .* but with examples in"):
        compare([base, sft, dataclasses.replace(dpo, few_shot=True)])


def test_a_model_without_any_fragment_may_be_compared(evaluations):
    base, sft, *_ = evaluations
    silent = with_rows(sft, lambda row: dataclasses.replace(row, response="", fragments=[]))
    confidence = {
        key: dataclasses.replace(one, token_probability=[], halt_probability=[]) for key, one in sft.confidence.items()
    }
    assert comparable([base, dataclasses.replace(silent, confidence=confidence)])


def test_a_model_that_saw_a_prompt_in_training_is_refused(evaluations, tmp_path):
    base, sft, *_ = evaluations
    row = sft.scored[0]
    seen = prompts_seen([Target("k", row.prompt, [{"role": "assistant", "content": "A."}], "unsure", "s")])
    (tmp_path / "run.json").write_text(json.dumps({"prompts": seen}), encoding="utf-8")
    with pytest.raises(InputError, match=rf"was not trained on, found 1 that it was.*{row.prompt_key}"):
        compare([base, dataclasses.replace(sft, model=str(tmp_path))])


class Stern:
    """A second verifier: nothing about the currency is right."""

    name = "stern/1"

    def verify(self, response, fragments, reference):
        return [Verdict("incorrect" if "pay with" in one.text else "correct", "looked for money") for one in fragments]


def test_the_same_answers_are_judged_by_another_verifier_and_not_mixed(tmp_path):
    folders = build(tmp_path / "runs", n_prompts=4, samples=1, seeds=(0,), thresholds=())
    reward = tmp_path / "stern"
    reward.mkdir()
    text = (Path(__file__).parents[1] / "reward/countries/domain.yaml").read_text(encoding="utf-8")
    (reward / "domain.yaml").write_text(f"{text}verifier: {__name__}:Stern\n", encoding="utf-8")
    again = []
    for folder in folders:
        again.append(tmp_path / "again" / folder.name)
        again[-1].mkdir(parents=True)
        for name in ("run.json", "confidence.jsonl"):
            shutil.copy(folder / name, again[-1])
        argv = ["score", "--responses", str(folder / "scored.jsonl"), "--domain", str(reward)]
        assert main([*argv, "--output", str(again[-1] / "scored.jsonl")]) == 0
    found = compare([load(folder) for folder in again], resamples=5)
    assert found.get("base", "greedy")["wrong"].value == 1
    assert found.get("SFT", "greedy")["over_abstention"].value is None
    with pytest.raises(InputError, match=r"the verifier of countries is countries 1 in .* but stern/1 in"):
        compare([load(folders[0]), load(again[1])], resamples=5)
