"""The distilled cut: responses cut at the τ that their prompt tells, and a model that is trained on them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhalt.chat.threshold_prompt import RANGE, stated
from rlhalt.cli import main
from rlhalt.cut.distil import cross_fitted, distilled
from rlhalt.cut.respond import Judged
from rlhalt.errors import InputError
from rlhalt.recipes.recipe import check_training, load_recipe
from rlhalt.records import HALT_PHRASE, Fragment, Prompt, Scored, Target, read
from test_recipes import recipe, talking_model

__all__ = ["talking_model"]  # a fixture

WORDS = ["A is in Asia.", "Its capital is B.", "Its currency is C."]


def scored(texts, *, key="k", prompt="p", labels=None, finish="stop", lead=" "):
    response, fragments = "", []
    for number, text in enumerate(texts):
        response += (lead if number else "") + text
        label = labels[number] if labels else None
        error = "no reply" if labels and label is None else None
        place = (len(response) - len(text), len(response), "sentence", text)
        fragments.append(Fragment(*place, label=label, error=error))
    asked = [{"role": "user", "content": f"State facts about {prompt}."}]
    return Scored(
        key, prompt, 0, asked, response, {}, "countries", "train", finish, {"temperature": 0.7}, 9, fragments=fragments
    )


def said(row):
    return row.completion[0]["content"]


def test_each_response_is_cut_at_every_threshold_that_is_told():
    rows = list(distilled([Judged(scored(WORDS), [0.9, 0.2, 0.6])], "independent", 12, HALT_PHRASE))
    assert len(rows) == len({row.key for row in rows}) == 12
    for row in rows:
        at = stated(row.prompt)
        kept = [text for text, q in zip(WORDS, (0.9, 0.2, 0.6), strict=True) if q >= at]
        assert said(row) == (" ".join(kept) or HALT_PHRASE)
    assert {len(said(row).split(".")) - 1 for row in rows if said(row) != HALT_PHRASE} == {1, 2, 3}


def test_a_causal_response_halts_where_it_is_cut():
    rows = distilled([Judged(scored(WORDS, lead="\n"), [0.9, 0.2, 0.99])], "causal", 8, HALT_PHRASE)
    for row in rows:
        at = stated(row.prompt)
        if at <= 0.2:
            assert said(row) == "\n".join(WORDS)
        elif at <= 0.9:
            assert said(row) == f"{WORDS[0]}\n{HALT_PHRASE}"
        else:
            assert said(row) == HALT_PHRASE


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=3),
    st.sampled_from(["independent", "causal"]),
    st.integers(1, 9),
    st.integers(0, 5),
)
def test_a_higher_threshold_never_says_more(probability, halting, draws, seed):
    rows = list(distilled([Judged(scored(WORDS[: len(probability)]), probability)], halting, draws, "?", seed))
    rows.sort(key=lambda row: stated(row.prompt))
    at = [stated(row.prompt) for row in rows]
    assert all(RANGE[0] - 0.005 <= one <= RANGE[1] + 0.005 for one in at)
    # One from each equal part: low and high ones are shown alike.
    edges = np.linspace(*RANGE, draws + 1)
    assert all(low - 0.006 <= one <= high + 0.006 for one, low, high in zip(at, edges, edges[1:], strict=False))
    lengths = [len(said(row).replace("?", "").strip()) for row in rows]
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (scored(WORDS, labels=["correct", None, "correct"]), set()),
        (scored([]), set()),
        (scored(WORDS[:1], finish="length"), set()),
        (scored(WORDS, finish="length"), {" ".join(WORDS[:2])}),
    ],
    ids=["a verdict failed", "empty", "cut off in its first fragment", "cut off"],
)
def test_what_cannot_be_learnt_from(row, expected):
    found = distilled([Judged(row, [1.0] * len(row.fragments))], "independent", 3, HALT_PHRASE)
    assert {said(one) for one in found} == expected


def test_fewer_than_one_threshold():
    with pytest.raises(InputError, match="at least 1 threshold"):
        next(distilled([], "independent", 0, HALT_PHRASE))


def test_the_map_of_one_half_is_used_on_the_other():
    """The first half is right where it is sure, the second one where it is not."""
    rng = np.random.default_rng(0)
    parts, confidence = [], []
    for part, upward in enumerate((True, False)):
        rows, sure = [], []
        for number in range(40):
            values = rng.uniform(0.05, 0.95, 3).tolist()
            labels = ["correct" if (rng.random() < value) == upward else "incorrect" for value in values]
            rows.append(scored(WORDS, key=f"{part}-{number}", prompt=f"{part}-{number}", labels=labels))
            sure.append(values)
        parts.append(rows)
        confidence.append(sure)
    first, second = cross_fitted(parts, confidence)
    assert [one.row for one in first] == parts[0]
    for found, sure, sign in ((first, confidence[0], -1), (second, confidence[1], 1)):
        q = np.array([one.probability for one in found]).ravel()
        assert np.sign(np.corrcoef(q, np.array(sure).ravel())[0, 1]) == sign


@pytest.fixture(scope="module")
def run(talking_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("distilled")
    off = dict.fromkeys(("dpo", "decisions", "threshold_in_prompt", "grpo"))
    path = recipe(
        folder, talking_model, **off, online_thresholds=[], supervised=[], thresholds=[0.3, 0.8], responses=8,
        distilled="sft.yaml", draws=3, distilled_online="online.yaml",
    )  # fmt: skip
    keys = {**yaml.safe_load((folder / "grpo.yaml").read_text()), "draws": 2}
    (folder / "online.yaml").write_text(yaml.safe_dump(keys))
    assert main(["run", str(path)]) == 0
    return folder / "out"


def test_a_recipe_distils_the_cut(run):
    halves = [
        {row.prompt_key for row in read(run / "distilled" / f"half-{one}" / "scored.jsonl", Scored)} for one in (0, 1)
    ]
    assert not halves[0] & halves[1]
    trained = [json.loads((run / "distilled" / f"generator-{one}" / "run.json").read_text()) for one in (0, 1)]
    assert not set(trained[0]["prompts"]) & set(trained[1]["prompts"])
    rows = list(read(run / "distilled" / "targets.jsonl", Target))
    assert {row.style for row in rows} == {"distilled"}
    assert all(stated(row.prompt) for row in rows)
    record = json.loads((run / "seed0" / "distilled" / "run.json").read_text())
    assert record["thresholds"] == sorted({stated(row.prompt) for row in rows})
    for at in ("0.3", "0.8"):
        asked = read(run / "evaluation" / f"distilled-{at}-seed0" / "scored.jsonl", Scored)
        assert {stated(row.prompt) for row in asked} == {float(at)}
    models = {one["model"] for one in json.loads((run / "report" / "metrics.json").read_text())}
    told = {f"{name} τ={at}" for name in ("distilled", "distilled-online") for at in ("0.3", "0.8")}
    assert models == {"base", "SFT", *told}
    assert not (run / "base" / "pairs-0.3.jsonl").exists()


def test_online_training_goes_on_from_the_distilled_model_at_several_thresholds_a_prompt(run):
    record = json.loads((run / "seed0" / "distilled-online" / "run.json").read_text())
    assert record["parameters"]["model_name_or_path"] == str(run / "seed0" / "distilled")
    assert len(record["thresholds"]) == 2 * len(list(read(run / "distilled" / "train.jsonl", Prompt)))


def test_online_training_at_one_threshold_of_a_model_that_is_asked_at_every_one_is_refused(talking_model, tmp_path):
    off = dict.fromkeys(("dpo", "decisions", "threshold_in_prompt", "grpo"))
    path = recipe(
        tmp_path, talking_model, **off, online_thresholds=[], distilled="sft.yaml", distilled_online="grpo.yaml"
    )
    with pytest.raises(InputError, match="draws"):
        check_training(load_recipe(path), tmp_path / "out")


def test_a_model_that_was_never_told_a_threshold_is_evaluated_with_a_warning(run, tmp_path, capsys):
    prompts = tmp_path / "prompts.jsonl"
    assert main(["prompts", "--domain", "countries", "--split", "heldout", "--output", str(prompts)]) == 0
    prompts.write_text("".join(prompts.read_text().splitlines(keepends=True)[:1]))
    argv = ["evaluate", "--prompts", str(prompts), "--samples", "0", "--threshold", "0.6", "--threshold-in-prompt"]
    for model, warned in (("distilled", False), ("sft", True)):
        folder = ["--model", str(run / "seed0" / model), "--name", model, "--output", str(tmp_path / model)]
        assert main([*argv, *folder]) == 0
        assert ("may ignore" in capsys.readouterr().err) == warned
    assert main(["evaluate", "--model", str(run / "seed0" / "distilled"), "--name", "d", "--prompts", str(prompts),
                 "--output", str(tmp_path / "d")]) == 2  # fmt: skip
    assert "--threshold-in-prompt" in capsys.readouterr().err
