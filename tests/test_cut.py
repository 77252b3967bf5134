"""The calibrated cut: what is said at τ, what it was fitted on, and for which model it counts."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from calibrated_model import calibrated
from rlhalt.chat.threshold_prompt import stated
from rlhalt.cli import main
from rlhalt.cut import calibration
from rlhalt.cut.calibrate import decided, fit
from rlhalt.cut.calibration import calibration_file, read
from rlhalt.cut.probability import Probability, fitted
from rlhalt.cut.promise import promises
from rlhalt.cut.respond import Judged
from rlhalt.domains import load_domain
from rlhalt.errors import InputError
from rlhalt.evaluation.confidence_arrays import Judged as Fragments
from rlhalt.records import HALT_PHRASE, Confidence, Fragment, Prompt, Response, Scored, Target
from rlhalt.records import read as rows_of
from rlhalt.records import write as write_rows
from rlhalt.uncertainty.recalibration import platt

PHRASE = HALT_PHRASE
same_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)
probability = st.floats(0, 1) | st.just(float("nan"))


def drawn(n: int, seed: int = 0):
    """Fragments of a model that is too sure of itself."""
    rng = np.random.default_rng(seed)
    confidence = rng.uniform(0.3, 1.0, n)
    correct = (rng.uniform(size=n) < confidence**3).astype(float)
    return confidence, correct


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_the_map_is_that_of_others_and_survives_the_file(method):
    """As isotonic regression of scikit-learn, and as Platt's map of the comparison (which has a test of its own)."""
    confidence, correct = drawn(400)
    found = fitted(method, confidence, correct)
    at = np.linspace(0, 1, 50)
    if method == "platt":
        theirs = platt(confidence, correct)(at)
    else:
        theirs = IsotonicRegression(out_of_bounds="clip").fit(confidence, correct).predict(at)
    assert found(at) == pytest.approx(theirs, abs=1e-6)
    again = Probability(**json.loads(json.dumps(dataclasses.asdict(found))))
    assert again(at) == pytest.approx(found(at))
    assert (np.diff(found(at)) >= 0).all()


def responses_of(n, seed, wrong=0.25):
    """Scored responses of three fragments, less sure where wrong; and their confidences."""
    rng = np.random.default_rng(seed)
    rows, sure = [], []
    for number in range(n):
        right = rng.random(3) >= wrong
        sure.append(np.clip(rng.normal(np.where(right, 0.7, 0.5), 0.15), 0.01, 0.99).tolist())
        fragments = [
            Fragment(4 * at, 4 * at + 3, "sentence", "Yes", label="correct" if its else "incorrect")
            for at, its in enumerate(right)
        ]
        row = (f"{seed}-{number}", f"{seed}-{number}", 0, [], "Yes Yes Yes", {}, "d", "train", "stop", {}, 3)
        rows.append(Scored(*row, fragments=fragments))
    return rows, sure


def all_right(row, sure, probability, threshold):
    q = probability(np.array(sure))
    return all(one.label == "correct" for one, value in zip(row.fragments, q, strict=True) if value >= threshold)


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_a_promise_about_whole_responses_is_kept(method):
    kept = {"0.8": [], "0.9": []}
    for seed in range(40):
        rows, sure = responses_of(60, seed)
        confidence = np.array(sure).ravel()
        correct = np.array([one.label == "correct" for row in rows for one in row.fragments], dtype=float)
        probability = fitted(method, confidence, correct)
        found = promises(rows, sure, probability)
        fresh, its = responses_of(60, 1000 + seed)
        for share, shares in kept.items():
            # Nothing said is nothing wrong.
            at = 1.0 if found[share] is None else found[share]
            shares.append(np.mean([all_right(row, one, probability, at) for row, one in zip(fresh, its, strict=True)]))
    for share, shares in kept.items():
        assert np.mean(shares) >= float(share) - 3 * np.std(shares) / np.sqrt(len(shares))
    if method == "platt":  # the steps of the other map make it more careful than it has to be
        assert np.mean(kept["0.8"]) < 0.9


def test_too_few_prompts_promise_nothing():
    rows, sure = responses_of(8, 0)
    found = promises(rows, sure, Probability("platt", 1.0, 0.0))
    assert found["0.9"] is None is found["0.95"]
    assert found["0.8"] is not None
    assert promises([], [], Probability("platt", 1.0, 0.0))["0.8"] is None


def test_the_first_response_to_a_prompt_counts():
    rows, sure = responses_of(20, 0)
    again = [dataclasses.replace(one, key=f"{one.key} again", index=1) for one in rows]
    map_ = Probability("platt", 1.0, 0.0)
    assert promises([*rows, *again], [*sure, *[[0.999] * 3] * 20], map_) == promises(rows, sure, map_)


def test_too_few_fragments_fit_nothing():
    with pytest.raises(InputError, match=r"at least 30 .* found 29"):
        fitted("platt", *drawn(29))


def test_errors_are_those_on_other_prompts():
    """A map that learns its own fragments by heart is perfect on them, and not on others."""
    rng = np.random.default_rng(0)
    confidence, correct = rng.uniform(size=200), rng.integers(0, 2, 200).astype(float)
    found = fit(0.0, Fragments(confidence, correct, np.arange(200) // 4), 50, "isotonic")
    assert found.ece_after["value"] > 0.03
    confidence, correct = drawn(4000)
    found = fit(0.0, Fragments(confidence, correct, np.arange(4000) // 40), 100, "platt")
    assert found.ece_before["value"] > 0.15
    assert found.ece_after["value"] < 0.05
    shares = [one for one in found.accuracy_at.values() if one is not None]
    assert shares == sorted(shares)
    for at, share in found.accuracy_at.items():
        assert share is None or share >= float(at) - 0.03


def one_response(scored_row, values: list[float]) -> Judged:
    texts = [f"Fact {number}." for number in range(len(values))]
    row = scored_row(texts, "?" * len(values))
    fragments = [dataclasses.replace(one, label=None) for one in row.fragments]
    return Judged(dataclasses.replace(row, fragments=fragments), values)


@same_fixture
@given(values=st.lists(probability, max_size=6), threshold=st.floats(0.01, 0.99))
def test_independent_fragments_are_said_iff_right_with_probability_at_least_the_threshold(
    scored_row, values, threshold
):
    one = one_response(scored_row, values)
    text = one.text(threshold, "independent", PHRASE)
    said = [f"Fact {number}." for number, value in enumerate(values) if value >= threshold]
    assert text == (" ".join(said) or (PHRASE if values else ""))


@same_fixture
@given(values=st.lists(probability, max_size=6), threshold=st.floats(0.01, 0.99))
def test_a_causal_response_halts_before_the_first_doubtful_fragment(scored_row, values, threshold):
    one = one_response(scored_row, values)
    text = one.text(threshold, "causal", PHRASE)
    doubtful = next((number for number, value in enumerate(values) if not value >= threshold), None)
    if doubtful is None:
        assert text == one.row.response
    else:
        assert text == " ".join([*(f"Fact {number}." for number in range(doubtful)), PHRASE])


@same_fixture
@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=6), low=st.floats(0.01, 0.9), step=st.floats(0, 0.09))
@pytest.mark.parametrize("halting", ["independent", "causal"])
def test_a_higher_threshold_says_no_more(scored_row, halting, values, low, step):
    one = one_response(scored_row, values)
    assert set(one.kept(low + step, halting)) <= set(one.kept(low, halting))


def test_a_halt_that_the_model_generated_stays(scored_row):
    row = scored_row(["Fact 0.", PHRASE], "?.")
    one = Judged(row, [0.2, float("nan")])
    assert one.text(0.5, "independent", PHRASE) == PHRASE
    assert one.text(0.1, "independent", PHRASE) == row.response


def test_only_decided_fragments_are_fitted_on(scored_row):
    row = scored_row(["A.", "B.", "C.", PHRASE], "+-?.")
    found = decided([row], [[0.9, 0.4, 0.3, float("nan")]], {row.prompt_key: 0})
    assert found.confidence.tolist() == [0.9, 0.4]
    assert found.correct.tolist() == [1, 0]


@pytest.fixture(scope="module")
def world(tiny_model, tmp_path_factory):
    """A tiny model that says three things of every country, its calibration on some and an evaluation on others."""

    folder = tmp_path_factory.mktemp("cut")
    model, argv, asked = calibrated(tiny_model, folder)
    return folder, model, argv, asked


def evaluating(world, output: Path, threshold: str, *more: str) -> list[str]:
    folder, _, argv, _ = world
    prompts = ["--prompts", str(folder / "heldout.jsonl")]
    return ["evaluate", *argv, *prompts, "--name", "SFT", "--samples", "1", "--threshold", threshold, "--cut",
            "--output", str(output), *more]  # fmt: skip


def test_a_calibration_says_what_it_was_fitted_on(world, capsys):
    folder, model, _, asked = world
    found = read(calibration_file(str(model)))
    assert found.domain == "countries"
    assert found.prompts == [one.key for one in rows_of(folder / "calibration.jsonl", Prompt)]
    assert [one.temperature for one in found.fits] == [0.0, 0.7]
    assert all(one.n_fragments >= 30 for one in found.fits)
    assert main(asked) == 0
    assert "already done" in capsys.readouterr().err


def test_an_evaluation_is_cut(world, tmp_path):
    kept = {}
    for threshold in ("0.05", "0.5", "0.99"):
        output = tmp_path / threshold
        assert main(evaluating(world, output, threshold)) == 0
        assert json.loads((output / "run.json").read_text())["name"] == "SFT cut"
        rows = list(rows_of(output / "scored.jsonl", Scored))
        kept[threshold] = sum(one.label != "halt" for row in rows for one in row.fragments)
        sure = list(rows_of(output / "confidence.jsonl", Confidence))
        assert [len(one.token_probability) for one in sure] == [len(row.fragments) for row in rows]
    assert kept["0.05"] >= kept["0.5"] >= kept["0.99"]
    assert kept["0.05"] > kept["0.99"]


def test_answers_at_several_thresholds(world, tmp_path, capsys):
    _, model, _, _ = world
    question = load_domain("countries").prompts(split="heldout")[0].prompt[-1]["content"]
    asked = ["answer", question, "--model", str(model), "--threshold", "0.05", "0.99"]
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert question in shown
    assert "τ = 0.05" in shown
    assert main([*asked, "--output", str(tmp_path / "answers.jsonl")]) == 0
    (one,) = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert one["answers"]["0.99"] in (PHRASE, *(part["text"] for part in one["fragments"])) or one["answers"]["0.99"]
    for at, text in one["answers"].items():
        said = [part["text"] for part in one["fragments"] if part["probability"] and part["probability"] >= float(at)]
        assert all(part in text for part in said)


def refused(argv: list[str], capsys) -> str:
    capsys.readouterr()
    assert main(argv) == 2
    error = capsys.readouterr().err.strip()
    assert "Traceback" not in error
    return error.splitlines()[-1]


def test_a_cut_without_calibration_is_refused(world, tmp_path, capsys):
    _, model, _, _ = world
    other = tmp_path / "other"
    shutil.copytree(model, other, ignore=shutil.ignore_patterns("calibration"))
    argv = evaluating(world, tmp_path / "out", "0.5")
    argv[argv.index(str(model))] = str(other)
    assert "rlhalt calibrate" in refused(argv, capsys)


def test_a_calibration_of_another_model_is_refused(world, tiny_model, tmp_path, capsys):
    _, model, _, _ = world
    argv = evaluating(world, tmp_path / "out", "0.5", "--calibration", str(model / "calibration"))
    argv[argv.index(str(model))] = str(tiny_model)
    assert "model" in refused(argv, capsys)
    assert "another" not in refused(argv, capsys)


def test_other_examples_before_the_prompts_are_refused(world):
    """A calibration counts for one way of asking: examples that were edited ask in another way."""
    _, model, _, _ = world
    path = calibration_file(str(model))
    asked = {"template_args": {}, "path": path}
    scorer = load_domain("countries").splitter()
    read(path).check(str(model), scorer, few_shot=(), **asked)
    with pytest.raises(InputError, match="few_shot"):
        read(path).check(str(model), scorer, few_shot=[{"role": "user", "content": "Why?"}], **asked)


def test_another_temperature_is_refused(world, tmp_path, capsys):
    assert "temperature" in refused(evaluating(world, tmp_path / "out", "0.5", "--temperature", "1.0"), capsys)


def test_a_cut_without_a_threshold_is_refused(world, tmp_path, capsys):
    argv = evaluating(world, tmp_path / "out", "0.5")
    place = argv.index("--threshold")
    assert "threshold" in refused(argv[:place] + argv[place + 2 :], capsys)
    argv[place + 1] = "1"
    assert "below 1" in refused(argv, capsys)


def test_a_cut_and_a_threshold_in_the_prompt_do_not_go_together(world, tmp_path, capsys):
    """The calibration was fitted on prompts without τ in them."""
    assert "one of the two" in refused(evaluating(world, tmp_path / "out", "0.5", "--threshold-in-prompt"), capsys)


def test_greedy_responses_alone_need_the_greedy_map_alone(world, tmp_path):
    argv = evaluating(world, tmp_path / "out", "0.5", "--temperature", "1.0")
    argv[argv.index("--samples") + 1] = "0"
    assert main(argv) == 0
    assert {row.sampler["temperature"] for row in rows_of(tmp_path / "out" / "scored.jsonl", Scored)} == {0}


@pytest.fixture
def own(world, tmp_path):
    """Responses of the calibrated model to training prompts, and the command that cuts them."""
    folder, model, _, _ = world
    prompts = [dataclasses.replace(one, split="train") for one in rows_of(folder / "heldout.jsonl", Prompt)][:3]
    write_rows(tmp_path / "train.jsonl", prompts)
    argv = ["sample", "--model", str(model), "--prompts", str(tmp_path / "train.jsonl"), "--responses", "1"]
    assert main([*argv, "--temperature", "0", "--output", str(tmp_path / "responses.jsonl")]) == 0
    argv = ["distil", "--responses", str(tmp_path / "responses.jsonl"), "--model", str(model), "--draws", "4"]
    return tmp_path / "responses.jsonl", [*argv, "--output", str(tmp_path / "targets.jsonl")]


def test_a_calibrated_model_teaches_its_cut_without_verdicts(own, tmp_path, capsys):
    responses, argv = own
    assert main(argv) == 0
    assert "12 targets of 3 responses" in capsys.readouterr().out
    generated = {row.key: row.response for row in rows_of(responses, Response)}
    rows = list(rows_of(tmp_path / "targets.jsonl", Target))
    assert all(0 < stated(row.prompt) < 1 for row in rows)
    for row in rows:
        (said,) = (one["content"] for one in row.completion)
        assert said == PHRASE or all(part in generated[row.source] for part in said.split(". "))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"split": "heldout"}, "split train"),
        ({"sampler": {"model": "another", "temperature": 0.0}}, "of one model"),
        ({"sampler": {}}, "of one model"),
    ],
)
def test_responses_that_the_calibration_is_not_of(own, capsys, change, expected):
    responses, argv = own
    rows = list(rows_of(responses, Response))
    write_rows(responses, [*rows[:-1], dataclasses.replace(rows[-1], **change)])
    assert expected in refused(argv, capsys)


def test_a_temperature_that_was_not_calibrated_teaches_nothing(own, capsys):
    responses, argv = own
    rows = list(rows_of(responses, Response))
    write_rows(responses, [dataclasses.replace(one, sampler=one.sampler | {"temperature": 1.5}) for one in rows])
    assert "temperature" in refused(argv, capsys)


def test_prompts_of_the_calibration_are_not_evaluated(world, tmp_path, capsys):
    folder, _, _, _ = world
    rows = [dataclasses.replace(one, split="heldout") for one in rows_of(folder / "calibration.jsonl", Prompt)]
    write_rows(tmp_path / "same.jsonl", rows[:3])
    argv = evaluating(world, tmp_path / "out", "0.5")
    argv[argv.index(str(folder / "heldout.jsonl"))] = str(tmp_path / "same.jsonl")
    assert "was not fitted on" in refused(argv, capsys)


def test_prompts_that_the_model_was_trained_on_calibrate_nothing(world, tmp_path, capsys):
    from rlhalt.contamination import prompts_seen

    folder, model, argv, _ = world
    trained = tmp_path / "trained"
    shutil.copytree(model, trained)
    rows = list(rows_of(folder / "calibration.jsonl", Prompt))
    (trained / "run.json").write_text(json.dumps({"prompts": prompts_seen(rows)}))
    argv = ["calibrate", *argv, "--prompts", str(folder / "calibration.jsonl")]
    argv[argv.index(str(model))] = str(trained)
    assert "was not trained on" in refused(argv, capsys)


def test_too_few_prompts_calibrate_nothing(world, tmp_path, capsys):
    folder, _, argv, _ = world
    write_rows(tmp_path / "few.jsonl", list(rows_of(folder / "calibration.jsonl", Prompt))[:2])
    argv = ["calibrate", *argv, "--prompts", str(tmp_path / "few.jsonl"), "--output", str(tmp_path / "out")]
    assert "at least 30" in refused(argv, capsys)
    assert not (tmp_path / "out" / "calibration.json").exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"model": 3}', '{"model": "m"}', "\xff", '{"fits": [{"temperature": "x"}]}']
)
def test_a_file_that_is_no_calibration(tmp_path, text):
    path = tmp_path / "calibration.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError) as error:
        calibration.read(path)
    assert str(path) in str(error.value)
