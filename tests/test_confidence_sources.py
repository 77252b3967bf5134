"""Sources of confidence side by side: what they are on files, and against scikit-learn."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from evaluation_folders import build
from rlhalt.cli import main
from rlhalt.errors import InputError
from rlhalt.evaluation import certainty, compare, load
from rlhalt.evaluation.certainty import measure
from rlhalt.evaluation.confidence_sources import SOURCES
from rlhalt.evaluation.folder import BY
from rlhalt.evaluation.tables import NOT_MEASURED, markdown, sources
from rlhalt.records import HALT_PHRASE, Certainty, Confidence, read, write
from rlhalt.sampling import Completion
from rlhalt.uncertainty import verbalized
from rlhalt.uncertainty.ccp import alternatives, ccp
from rlhalt.uncertainty.nli import lexical
from rlhalt.uncertainty.verbalized import QUESTION, number


@pytest.fixture
def folders(tmp_path):
    return build(tmp_path, n_prompts=8, samples=2, seeds=(0,), thresholds=())


def by_name(comparison, model):
    return {one.source: one for one in comparison.sources if one.model == model}


def test_what_is_on_disk_is_measured_and_the_rest_is_said_not_to_be(folders):
    found = compare([load(folder) for folder in folders], resamples=20)
    for model in ("base", "SFT"):
        its = by_name(found, model)
        assert list(its) == list(SOURCES)
        assert {name for name, one in its.items() if not one.n} == {
            "token probability, least", "claim-conditioned", "semantic entropy", "P(true)", "P(true) among others",
            "stated", "stated at once", "trained reward model",
        }  # fmt: skip
        calibrated = [one for one in found.calibrations if one.model == model]
        for source, one in zip(("token probability, mean", "1 − P(halt) before it"), calibrated, strict=True):
            assert (its[source].n, its[source].ece, its[source].auroc) == (one.n, one.ece, one.auroc)
    by = dict(sources(found)["base"])
    assert by["token probability, least"] == []
    assert [len(by[name]) for name in ("token probability, mean", "agreement of samples")] == [4, 4]
    assert f"| stated | {NOT_MEASURED} | – | – | – |" in markdown(found)


def test_every_source_against_scikit_learn(folders):
    rng = np.random.default_rng(0)
    given = list(read(folders[0] / "confidence.jsonl", Confidence))
    least = [dataclasses.replace(one, token_minimum=[p * rng.random() for p in one.token_probability]) for one in given]
    write(folders[0] / "confidence.jsonl", least)
    for name in BY:
        write(
            folders[0] / f"{name}.jsonl",
            [
                Certainty(one.key, rng.choice([0.1, 0.6, 0.9, math.nan], len(one.token_probability)).tolist())
                for one in given
            ],
        )
    base = load(folders[0])
    found = by_name(compare([base], resamples=20), "base")
    assert all(one.n for one in found.values())
    for name, of in SOURCES.items():
        values = of(base)
        pairs = [
            (sure, f.label == "correct")
            for row in base.scored
            for f, sure in zip(row.fragments, values[row.key], strict=True)
            if f.label in ("correct", "incorrect") and math.isfinite(sure)
        ]
        sure, right = zip(*pairs, strict=True)
        assert found[name].n == len(pairs)
        assert found[name].auroc.value == pytest.approx(roc_auc_score(right, sure))
        assert found[name].brier.value == pytest.approx(brier_score_loss(right, sure))


def test_agreement_is_the_share_of_the_other_responses_that_say_so(folders, scored_row):
    base = load(folders[0])

    def row(key, sentences):
        made = scored_row(sentences, "+" * len(sentences))
        return dataclasses.replace(made, key=key, prompt_key=base.scored[0].prompt_key)

    rows = [
        row("a", ["The capital of Kenya is Nairobi.", "Kenya is in Africa."]),
        row("b", ["The capital of Kenya is Nairobi."]),
        row("c", ["The capital of Kenya is Mombasa.", "Kenya is in Africa."]),
    ]
    found = SOURCES["agreement of samples"](dataclasses.replace(base, scored=rows))
    assert found == {"a": [0.5, 0.5], "b": [0.5], "c": [0.0, 0.5]}


def test_one_response_a_prompt_has_nothing_to_agree_with(folders):
    base = load(folders[0])
    alone = dataclasses.replace(base, scored=base.rows("greedy"))
    assert by_name(compare([alone], resamples=5), "base")["agreement of samples"].n == 0


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("85", 0.85),
        (" 100.", 1.0),
        ("0", 0.0),
        ("I am 70% sure", 0.7),
        ("92.5 out of 100", 0.925),
        ("90-95", 0.9),
        ("150", math.nan),
        ("-5", math.nan),
        ("1,000", math.nan),
        ("Very sure.", math.nan),
        ("", math.nan),
    ],
)
def test_a_stated_number(reply, value):
    assert number(reply) == pytest.approx(value, nan_ok=True)


def test_each_fragment_is_asked_about_after_the_whole_response(monkeypatch, scored_row):
    asked = []

    class Policy:
        def complete(self, chats, *, temperature, max_tokens, seed):
            asked.extend(chats)
            return [Completion(text, 1, "stop") for text in ["80", "no idea", "30"][: len(chats)]]

    monkeypatch.setattr(verbalized, "load_engine", lambda *_: Policy())
    rows = [scored_row(["A is big.", "A is old.", HALT_PHRASE], "+-."), scored_row([], ""), scored_row(["A is."], "?")]
    shot = [{"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "So."}]
    assert verbalized.stated("m", rows, shot) == [
        pytest.approx([0.8, math.nan, math.nan], nan_ok=True), [], [0.3]
    ]  # fmt: skip
    assert [chat[-1]["content"] for chat in asked] == [
        QUESTION.format(one) for one in ("A is big.", "A is old.", "A is.")
    ]
    assert asked[1][:-1] == [*shot, *rows[0].prompt, {"role": "assistant", "content": rows[0].response}]


def test_a_number_in_the_reasoning_is_no_reply(monkeypatch, scored_row):
    class Policy:
        def complete(self, chats, *, temperature, max_tokens, seed):
            return [Completion(text, 8, "length") for text in ["<think>\nOf 50", "<think>50</think>\n80"]]

    loaded = []
    monkeypatch.setattr(verbalized, "load_engine", lambda *given: (loaded.append(given), Policy())[1])
    found = verbalized.stated(
        "m", [scored_row(["A is big.", "A is old."], "++")], template_args={"enable_thinking": True}
    )
    assert found == [pytest.approx([math.nan, 0.8], nan_ok=True)]
    assert loaded == [("m", "transformers", {"enable_thinking": True})]


def test_nothing_said_asks_no_model(monkeypatch, scored_row):
    monkeypatch.setattr(verbalized, "load_engine", lambda *_: pytest.fail("asked"))
    assert verbalized.stated("m", [scored_row([], ""), scored_row([HALT_PHRASE], ".")]) == [
        [],
        [pytest.approx(math.nan, nan_ok=True)],
    ]


def with_model(folder, model):
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**run, "model": str(model)}))


def test_the_verb_measures_what_costs_a_pass(folders, tiny_model, capsys, monkeypatch):
    folder = folders[0]
    with_model(folder, tiny_model)
    assert main(["certainty", str(folder), "--by", "ccp", "stated"]) == 0
    assert capsys.readouterr().out.split() == [str(folder / "ccp.jsonl"), str(folder / "stated.jsonl")]
    base = load(folder)
    theirs = list(ccp(alternatives(str(tiny_model), base.scored), lexical))
    assert [base.certainty["ccp"][row.key] for row in base.scored] == [pytest.approx(one) for one in theirs]
    found = by_name(compare([base], resamples=5), "base")
    # A model of random weights states no number.
    assert (found["claim-conditioned"].n, found["stated"].n) == (found["token probability, mean"].n, 0)
    monkeypatch.setattr(certainty, "ccp", lambda *_: pytest.fail("measured again"))
    measure(folder, "ccp")


def test_another_model_in_its_place_is_told(folders, tiny_model):
    with_model(folders[0], tiny_model)
    run = json.loads((folders[0] / "run.json").read_text())
    (folders[0] / "run.json").write_text(json.dumps({**run, "config": {"model": "dpo@1234"}}))
    with pytest.raises(InputError, match=r"expected the model that was evaluated, dpo@1234, found tiny0@"):
        measure(folders[0], "ccp")


@pytest.mark.parametrize("change", [lambda rows: rows[1:], lambda rows: [Certainty(rows[0].key, [0.5]), *rows[1:]]])
def test_certainties_of_other_responses_are_told(folders, change):
    rows = [Certainty(row.key, [0.5] * len(row.fragments)) for row in load(folders[0]).scored]
    write(folders[0] / "ccp.jsonl", change(rows))
    with pytest.raises(InputError, match=r"ccp\.jsonl: expected 5 numbers .* measure it again: rlhalt certainty"):
        load(folders[0])


def test_least_probabilities_that_do_not_fit_are_told(folders):
    given = list(read(folders[0] / "confidence.jsonl", Confidence))
    write(folders[0] / "confidence.jsonl", [dataclasses.replace(one, token_minimum=[0.5]) for one in given])
    with pytest.raises(InputError, match="found 1 least token probabilities"):
        load(folders[0])
    text = (folders[0] / "confidence.jsonl").read_text().replace("[0.5]}", '"low"}')
    (folders[0] / "confidence.jsonl").write_text(text)
    with pytest.raises(InputError, match="field 'token_minimum': expected a list"):
        load(folders[0])


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--by", "ccp", "--nli", "no/such/folder"], "expected a model folder"),
        (["--by", "stated", "--nli", "x"], "only used with --by ccp"),
        (["nowhere", "--by", "stated"], "found no such file"),
    ],
)
def test_all_that_certainty_reads_is_looked_for_before_a_model_is_asked(
    monkeypatch, tmp_path, tiny_model, capsys, argv, told
):
    folder = build(tmp_path, n_prompts=1, samples=0, seeds=())[0]
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**run, "model": str(tiny_model)}))
    asked = []
    monkeypatch.setattr(certainty, "measure", lambda *args: asked.append(args))
    assert main(["certainty", str(folder), *argv]) == 2
    assert told in capsys.readouterr().err
    assert asked == []
