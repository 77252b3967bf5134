"""Rounds of a recipe on a tiny model: the files they promise, prompts of their own, nothing done twice."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.errors import InputError
from rlhalt.recipes import rounds
from rlhalt.recipes.data import balanced
from rlhalt.recipes.recipe import load_recipe
from rlhalt.recipes.rounds import deal
from rlhalt.records import Pair, Prompt, Scored, read
from rlhalt.training_data import pairs

# `talking_model` is a fixture: pytest finds it by its name here.
from test_recipes import recipe, snapshot, talking_model  # noqa: F401


def prompts(n: int) -> list[Prompt]:
    return [Prompt(str(i), [{"role": "user", "content": str(i)}], {}, "d", "train") for i in range(n)]


@given(st.integers(1, 40), st.data())
def test_every_prompt_is_dealt_to_one_round(n, data):
    count = data.draw(st.integers(1, n))
    dealt = deal(prompts(n), count)
    assert len(dealt) == count
    assert sorted(int(one.key) for part in dealt for one in part) == list(range(n))
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1


@pytest.mark.parametrize("count", [0, -1, 4])
def test_rounds_that_cannot_be_are_refused(count):
    with pytest.raises(InputError, match="between 1 and 3 rounds"):
        deal(prompts(3), count)


def test_anchors_have_half_of_the_weight_and_every_kind_keeps_its_balance(scored_row):
    own = list(pairs([scored_row(["A.", "B."], "+-")], 0.8, "remove"))
    anchors = list(pairs([scored_row([f"C{n}.", "D."], "+-") for n in range(5)], 0.8, "remove"))
    made = list(balanced([own, anchors]))
    assert [dataclasses.replace(one, weight=0) for one in made] == [
        dataclasses.replace(one, weight=0) for one in [*own, *anchors]
    ]
    halves = [sum(one.weight for one in kind) for kind in (made[: len(own)], made[len(own) :])]
    assert halves[0] == pytest.approx(halves[1])
    for kind in (made[: len(own)], made[len(own) :]):
        halting = sum(one.weight for one in kind if one.style == "remove")
        assert halting / sum(one.weight for one in kind) == pytest.approx(0.8)
    assert all(0 < one.weight <= 1 for one in made)
    assert list(balanced([[], anchors])) == anchors
    assert list(balanced([own, []])) == own


@pytest.fixture(scope="module")
def finished(talking_model, tmp_path_factory):  # noqa: F811
    """Two rounds; the folder and the recipe."""
    folder = tmp_path_factory.mktemp("rounds")
    path = recipe(folder, talking_model, thresholds=[0.5])
    page = rounds.run(load_recipe(path), 2)
    assert page == folder / "out-rounds" / "report" / "report.html"
    return folder / "out-rounds", path


def test_rounds_make_every_file_they_promise(finished):
    out, _ = finished
    start = str(out / "seed0" / "sft")
    for number in (1, 2):
        folder = out / "seed0" / "tau-0.5" / f"round{number}"
        assert {one.threshold for one in read(folder / "pairs.jsonl", Pair)} == {0.5}
        # Each round starts from the model of the one before.
        record = json.loads((folder / "dpo" / "run.json").read_text())
        assert record["parameters"]["model_name_or_path"] == start
        start = str(folder / "dpo")
    own = list(read(folder / "scored.jsonl", Scored))
    assert {row.sampler["few_shot"] for row in own} == {""}
    assert {row.sampler["model"].partition("@")[0] for row in own} == {"dpo"}
    assert not list(out.rglob("*.part"))


def test_no_round_asks_what_an_earlier_one_was_trained_on(finished):
    out, _ = finished
    asked = {
        number: {row.prompt_key for row in read(out / "first" / f"round{number}" / "scored.jsonl", Scored)}
        for number in (1, 2)
    }
    assert len(asked[1]) == len(asked[2]) == 2
    assert not asked[1] & asked[2]
    own = {row.prompt_key for row in read(out / "seed0" / "tau-0.5" / "round2" / "scored.jsonl", Scored)}
    assert own == asked[2]
    trained = {one.source for one in read(out / "seed0" / "tau-0.5" / "round1" / "pairs.jsonl", Pair)}
    assert trained <= {row.key for row in read(out / "first" / "round1" / "scored.jsonl", Scored)}


def test_the_first_models_wrong_answers_stay(finished):
    out, _ = finished
    anchors = {row.key for row in read(out / "first" / "round2" / "scored.jsonl", Scored)}
    made = list(read(out / "seed0" / "tau-0.5" / "round2" / "pairs.jsonl", Pair))
    assert {one.style for one in made if one.source in anchors} == {"remove", "keep"}
    assert any(one.source not in anchors for one in made)


def test_utility_by_round(finished):
    out, _ = finished
    found = json.loads((out / "rounds.json").read_text())
    models = ["base", "SFT", "round 1", "round 2"]
    assert [(one["threshold"], one["decoding"], one["model"]) for one in found] == [
        (0.5, decoding, model) for decoding in ("greedy", "sampled") for model in models
    ]
    assert all(one["utility"].keys() == {"value", "low", "high"} for one in found)


def test_a_second_run_does_nothing_again(finished, monkeypatch, capsys):
    import rlhalt.training.dpo
    import rlhalt.training.sft
    import rlhalt.uncertainty.token_probability
    from rlhalt.sampling.local import TransformersEngine

    out, path = finished
    before = snapshot(out)
    monkeypatch.setattr(TransformersEngine, "__init__", lambda *_: pytest.fail("sampled again"))
    monkeypatch.setattr(rlhalt.uncertainty.token_probability, "load_policy", lambda *_: pytest.fail("evaluated again"))
    monkeypatch.setattr(rlhalt.training.dpo, "main", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(rlhalt.training.sft, "main", lambda *_: pytest.fail("trained again"))
    rounds.run(load_recipe(path), 2)
    assert snapshot(out) == before
    said = capsys.readouterr().err
    assert "not used of this recipe: decisions, threshold_in_prompt, grpo, supervised\n" in said
    alone = dataclasses.replace(
        load_recipe(path), decisions=None, threshold_in_prompt=None, grpo=None, online_thresholds=[], supervised=[]
    )
    rounds.run(alone, 2)
    assert "not used" not in capsys.readouterr().err


def test_a_round_that_was_lost_is_made_again_as_it_was(finished):
    import shutil

    out, path = finished
    before = snapshot(out)
    shutil.rmtree(out / "seed0" / "tau-0.5" / "round2")
    rounds.run(load_recipe(path), 2)
    assert snapshot(out) == before
