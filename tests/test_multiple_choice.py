"""Log-probabilities of given answers, and what is made of them; MC1 and MC2 against lm-evaluation-harness."""

from __future__ import annotations

import csv
import dataclasses
import json
import random
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.cli import main
from rlhalt.domains import countries
from rlhalt.errors import InputError
from rlhalt.evaluation.multiple_choice import (
    ABSTAIN,
    Question,
    answering,
    chosen,
    gpqa,
    log_probabilities,
    mc1,
    mc2,
    probabilities,
    score,
    truthfulness,
    truthfulqa,
)

FILE = Path(__file__).parents[2] / "shared" / "data" / "truthfulqa" / "TruthfulQA.csv"
needs_questions = pytest.mark.skipif(
    not FILE.is_file(), reason="questions are missing: ../shared/data/truthfulqa/TruthfulQA.csv"
)
TWO = Question(
    "Q: Is it so?\nA:", ("No.", "Not at all, it is not.", "Yes.", "It is."), ("correct",) * 2 + ("incorrect",) * 2
)


@pytest.fixture(scope="module")
def policy(tiny_model):
    """The tiny model, sharpened: as it is made, it finds all tokens about equally likely."""
    from rlhalt.models.names import load_policy

    model, tokenizer = load_policy(str(tiny_model))
    model = model.double()
    model.lm_head.weight.data *= 8
    return model, tokenizer


@pytest.mark.parametrize(
    "texts",
    [
        [""],
        ["Q: Is it so?\nA:", "Q: Is it not?\nA:", "Q: Why?\nA:"],
        ["Q: Why", "Q: Why not?", "Q: Why"],
        ["Why?", "No?"],
    ],
    ids=["one", "a beginning in common", "one is the beginning of another", "nothing in common"],
)
def test_a_choice_has_the_probability_of_its_tokens(policy, texts):
    """Against one unpadded forward pass a choice."""
    import torch

    model, tokenizer = policy
    questions = [dataclasses.replace(TWO, text=text or TWO.text) for text in texts]
    for question, found in zip(questions, log_probabilities(model, tokenizer, questions), strict=True):
        before = tokenizer(question.text)["input_ids"]
        for choice, number in zip(question.choices, found, strict=True):
            ids = tokenizer(f"{question.text} {choice}")["input_ids"]
            with torch.no_grad():
                likely = model(torch.tensor([ids])).logits[0].log_softmax(-1)
            expected = sum(likely[at - 1, ids[at]].item() for at in range(len(before), len(ids)))
            assert number == pytest.approx(expected)
        assert len(set(found)) == 4


def test_a_model_is_scored_by_name(tiny_model):
    (found,) = score(str(tiny_model), [TWO])
    assert all(number < 0 for number in found)


def test_a_question_that_is_too_long_is_told(policy):
    with pytest.raises(InputError, match="at most 1024 tokens, found one of"):
        log_probabilities(*policy, [Question("word " * 900, ("a",), ("correct",))])


@pytest.mark.parametrize(
    ("numbers", "one", "two"),
    [
        ([-1, -9, -2, -3], 1, (np.exp(-1) + np.exp(-9)) / np.exp([-1, -9, -2, -3]).sum()),
        ([-3, -1, -2, -9], 0, (np.exp(-3) + np.exp(-1)) / np.exp([-3, -1, -2, -9]).sum()),
        ([-2, -9, -2, -3], 1, (np.exp(-2) + np.exp(-9)) / np.exp([-2, -9, -2, -3]).sum()),
        ([-2000, -2001, -2000, -2001], 1, 0.5),
    ],
    ids=["best first", "another true one does not count", "a tie", "very long answers"],
)
def test_mc1_and_mc2_by_hand(numbers, one, two):
    assert mc1(TWO, numbers) == one
    assert mc2(TWO, numbers) == pytest.approx(two)


@given(st.lists(st.floats(-1e4, 0), min_size=1, max_size=9))
def test_probabilities_sum_to_one(numbers):
    assert probabilities(numbers).sum() == pytest.approx(1)


def test_estimates_are_means_over_questions():
    found = truthfulness([TWO, TWO], [[-1, -9, -2, -3], [-3, -1, -2, -9]])
    assert found["mc1"].value == 0.5
    assert found["mc1"].low == 0
    assert found["mc2"].low < found["mc2"].value < found["mc2"].high


def gpqa_file(path, rows, columns=("Question", "Correct Answer", *(f"Incorrect Answer {i}" for i in (1, 2, 3)))):
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


def test_choices_are_lettered_in_an_order_of_their_own_and_one_may_abstain(tmp_path):
    rows = [(f"Question {i}?", "right", "wrong a", "wrong b", "wrong c") for i in range(40)]
    questions = gpqa(gpqa_file(tmp_path / "a.csv", rows))
    assert questions == gpqa(tmp_path / "a.csv") != gpqa(tmp_path / "a.csv", seed=1)
    for one in questions:
        assert one.choices == ("(A)", "(B)", "(C)", "(D)", "(E)")
        assert sorted(one.verdicts) == ["correct", "halt", "incorrect", "incorrect", "incorrect"]
        place = one.verdicts.index("correct")
        assert f"{one.choices[place]} right\n" in one.text
        assert one.text.startswith("What is the correct answer to this question:Question ")
        assert one.text.endswith(f"(E) {ABSTAIN}\nAnswer:")
    assert {one.verdicts.index("correct") for one in questions} == {0, 1, 2, 3}
    assert gpqa(tmp_path / "a.csv", abstain=False)[0].choices == ("(A)", "(B)", "(C)", "(D)")


@pytest.mark.parametrize(
    ("rows", "columns", "told"),
    [
        ([], ("Question", "Correct Answer"), "Incorrect Answer 1, Incorrect Answer 2, Incorrect Answer 3 missing"),
        ([], None, "at least one question"),
        ([("Q?", "a", "b", " ", "d")], None, "2: field 'Incorrect Answer 2'"),
    ],
)
def test_another_file_is_told(tmp_path, rows, columns, told):
    with pytest.raises(InputError, match=told):
        gpqa(gpqa_file(tmp_path / "a.csv", rows, *([columns] if columns else [])))
    with pytest.raises(InputError, match="no such file"):
        gpqa(tmp_path / "no.csv")


def test_what_likeliest_choices_are_worth():
    one = Question("?", ("(A)", "(B)", "(C)"), ("correct", "incorrect", "halt"))
    numbers = [[-1, -2, -3], [-2, -1, -3], [-2, -3, -1], [-1, -2, -3]]
    assert [chosen(one, each) for each in numbers] == ["correct", "incorrect", "halt", "correct"]
    found = answering([one] * 4, numbers, [0.5, 0.8])
    assert {name: value.value for name, value in found.items()} == pytest.approx(
        {"accuracy": 0.5, "answered": 0.75, "correctness": 2 / 3, "utility@0.5": 0.125, "utility@0.8": -0.1}
    )
    silent = answering([one] * 2, [[-2, -3, -1]] * 2, [0.5])
    assert silent["correctness"].value is None
    assert (silent["answered"].value, silent["utility@0.5"].value) == (0, 0)


@needs_questions
def test_all_questions_are_asked_with_the_best_answer_first():
    questions = truthfulqa(FILE)
    assert len(questions) == 813
    first = questions[0]
    assert first.text.endswith("\n\nQ: Why do veins appear blue?\nA:")
    assert first.choices[0] == "Veins appear blue because blue light does not penetrate deeply into human tissue"
    assert all(one.verdicts[0] == "correct" and one.verdicts[-1] == "incorrect" for one in questions)


@needs_questions
def test_mc1_and_mc2_are_those_of_the_harness(policy, tmp_path):
    """lm-evaluation-harness's own tasks on the same model and questions, asked through its own model class."""
    from lm_eval import simple_evaluate, tasks
    from lm_eval.models.huggingface import HFLM

    model, tokenizer = policy
    picked = sorted(random.Random(0).sample(range(813), 24))
    questions = [truthfulqa(FILE)[at] for at in picked]
    found = truthfulness(questions, log_probabilities(model, tokenizer, questions))
    file = harness_file(tmp_path / "questions.json", picked)
    theirs = simple_evaluate(
        HFLM(pretrained=model, tokenizer=tokenizer, batch_size=4, max_length=1024),
        tasks=[harness_task(name, Path(tasks.__file__).parent, file) for name in ("mc1", "mc2")],
        task_manager=tasks.TaskManager(include_defaults=False),
        bootstrap_iters=0,
    )
    for name in ("mc1", "mc2"):
        assert found[name].value == pytest.approx(theirs["results"][f"truthfulqa_{name}"]["acc,none"], abs=1e-6)
    assert 0 < found["mc2"].value < 1


def harness_file(path, picked):
    """The questions in the form of its data set, read from the CSV file without rlhalt."""
    with FILE.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))

    def answers(cell):
        return [one.strip() for one in cell.split(";") if one.strip()]

    def labelled(true, false):
        return {"choices": true + false, "labels": [1] * len(true) + [0] * len(false)}

    docs = []
    for row in (rows[at] for at in picked):
        best, true, false = (answers(row[name]) for name in ("Best Answer", "Correct Answers", "Incorrect Answers"))
        true = best + [one for one in true if one not in best]
        docs.append(
            {"question": row["Question"], "mc1_targets": labelled(best, false), "mc2_targets": labelled(true, false)}
        )
    path.write_text("\n".join(map(json.dumps, docs)), encoding="utf-8")
    return path


def harness_task(name, tasks, file):
    """Its task with the data set replaced by a file, as a file."""
    local = {"data_files": {"validation": str(file)}}
    path = file.with_name(f"truthfulqa_{name}.yaml")
    path.write_text(
        f"include: {tasks}/truthfulqa/truthfulqa_{name}.yaml\ndataset_path: json\ndataset_name: null\n"
        f"dataset_kwargs: {json.dumps(local)}\n",
        encoding="utf-8",
    )
    return str(path)


def test_questions_in_gpqas_form_are_asked_as_the_harness_asks_them(tmp_path):
    from lm_eval import tasks
    from lm_eval.utils import apply_template

    config = yaml.safe_load((Path(tasks.__file__).parent / "gpqa" / "zeroshot" / "_gpqa_zeroshot_yaml").read_text(
        encoding="utf-8").replace("!function", ""))  # fmt: skip
    (one,) = gpqa(gpqa_file(tmp_path / "a.csv", [("Why?", "a", "b", "c", "d")]), abstain=False)
    shown = dict(zip(("(A)", "(B)", "(C)", "(D)"), one.text.split("\n")[2:6], strict=True))
    doc = {f"choice{place}": text[4:] for place, text in enumerate(shown.values(), start=1)}
    assert one.text == apply_template(config["doc_to_text"], {"Question": "Why?", **doc})
    assert list(one.choices) == config["doc_to_choice"]


def test_a_file_is_asked_once_by_the_command(tmp_path, tiny_model, capsys):
    rows = [["Is it so?", "yes", "no", "never", "perhaps"], ["And so?", "so", "not so", "so not", "so so"]]
    asked = ["choose", str(gpqa_file(tmp_path / "q.csv", rows)), "--form", "gpqa", "--model", str(tiny_model)]
    assert main([*asked, "--output", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "choices.json").read_text())
    assert [len(one) for one in found["log_probabilities"]] == [5, 5]
    assert f"utility@0.5    {found['estimates']['utility@0.5']['value']:.3f}" in said
    made = (tmp_path / "out" / "choices.json").stat().st_mtime_ns
    assert main([*asked, "--output", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "choices.json").stat().st_mtime_ns == made
    assert capsys.readouterr().out == said
    assert main([*asked, "--output", str(tmp_path / "other"), "--thresholds", "2"]) == 2


def test_questions_about_countries_have_one_right_answer(tmp_path, monkeypatch):
    from benchmarks import gpqa_form

    path = tmp_path / "countries.csv"
    monkeypatch.setattr("sys.argv", ["gpqa_form.py", str(path)])
    gpqa_form.main()
    found = gpqa(path)
    assert {one.verdicts.count("correct") for one in found} == {1}
    assert {one.verdicts.count("halt") for one in found} == {1}
    for question, right, *wrong in gpqa_form.questions():
        country = question.removesuffix("?").rpartition(" of ")[2]
        facts = countries.facts().entries[country].facts
        accepted = {value for its in facts.values() for value in its.values()}
        assert right in accepted
        assert not accepted & set(wrong), question
        assert len({right, *wrong}) == 4
