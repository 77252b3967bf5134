"""Domains as one object: those that come with rlhalt, and those that people write."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import rlhalt
from rlhalt.cli import main
from rlhalt.domains import Task, load_domain
from rlhalt.domains.domain import domain_names
from rlhalt.domains.new import write_domain
from rlhalt.errors import InputError
from rlhalt.overview import overview
from rlhalt.recipes.recipe import load_recipe
from rlhalt.reference import n_desired
from rlhalt.sandbox import Sandbox, works

GENERATED = ("arithmetic", "countries", "programs")


@pytest.mark.parametrize("name", domain_names())
def test_every_domain_loads(name):
    assert load_domain(name).domain == name
    assert isinstance(load_domain(name).code, Task)


@pytest.mark.parametrize("name", GENERATED)
def test_prompts_that_come_with_a_domain(name):
    domain = load_domain(name)
    prompts = domain.prompts()
    assert {one.domain for one in prompts} == {name}
    assert len({one.key for one in prompts}) == len(prompts)
    train, held_out = domain.prompts(split="train"), domain.prompts(split="heldout")
    assert len(train) + len(held_out) == len(prompts)
    assert len(held_out) >= 30
    asked = {one.prompt[-1]["content"] for one in prompts}
    assert not asked & {message["content"] for message in domain.few_shot()}
    assert all(n_desired(one.reference) for one in prompts)
    assert prompts == load_domain(name).prompts()


def test_the_solutions_of_arithmetic_are_right():
    domain = load_domain("arithmetic")
    scorer = domain.scorer()
    for one in domain.prompts()[:60]:
        found = scorer.judge(one.reference["answer"], one.reference)
        assert [fragment.label for fragment in found] == ["correct"] * one.reference["n_desired"], one.reference


def test_a_wrong_step_of_arithmetic_is_found():
    domain = load_domain("arithmetic")
    reference = domain.prompts()[0].reference
    first, *rest = reference["answer"].splitlines()
    left, right = first.split(" = ")
    wrong = "\n".join([f"{left} = {int(right) + 1}", *rest])
    assert domain.scorer().judge(wrong, reference)[0].label == "incorrect"


@pytest.mark.skipif(not works(Sandbox("bubblewrap")), reason="bubblewrap is missing or does not work here")
def test_the_references_of_programs_pass():
    domain = load_domain("programs")
    scorer = domain.scorer()
    for one in domain.prompts()[::20]:
        program = one.reference["prompt"] + one.reference["canonical_solution"]
        found = scorer.judge(f"```python\n{program}```", one.reference)
        assert {fragment.label for fragment in found} <= {"correct", "unverifiable"}
        assert "correct" in {fragment.label for fragment in found}
        broken = program.replace("return ", "return 'nothing', ")
        assert "incorrect" in {one.label for one in scorer.judge(f"```python\n{broken}```", one.reference)}


def test_a_new_domain_runs(tmp_path, capsys):
    folder = tmp_path / "legs"
    assert main(["new", "domain", str(folder)]) == 0
    assert "recipe.yaml" in capsys.readouterr().out
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stdout
    domain = load_domain(folder)
    assert (domain.domain, len(domain.prompts()), len(domain.few_shot())) == ("legs", 20, 4)
    assert load_recipe(folder / "recipe.yaml").domain == str(folder)
    # Its own prompts go through the command line, too.
    assert main(["prompts", "--domain", str(folder), "--output", str(tmp_path / "prompts.jsonl")]) == 0
    assert len((tmp_path / "prompts.jsonl").read_text().splitlines()) == 20


@pytest.mark.parametrize("name", ["Legs", "my legs", "1"])
def test_a_name_that_is_none(tmp_path, name):
    with pytest.raises(InputError, match="lower-case"):
        write_domain(tmp_path / name)


def test_a_folder_with_files_is_left_alone(tmp_path):
    (tmp_path / "legs").mkdir()
    (tmp_path / "legs" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="empty folder"):
        write_domain(tmp_path / "legs")


def write_yaml(folder, text, code=""):
    (folder / "domain.yaml").write_text(f"domain: mine\nhalting: independent\nthreshold: 0.5\n{text}")
    (folder / "domain.py").write_text(code)
    return folder


def test_all_that_is_missing_is_named_at_once(tmp_path):
    with pytest.raises(InputError, match=r"fragmenter.*verifier"):
        load_domain(write_yaml(tmp_path, ""))
    with pytest.raises(InputError, match=r"prompt \(of judge\), fields \(of judge\)"):
        load_domain(write_yaml(tmp_path, "fragmenter: sentences\nverifier: judge\n"))


@pytest.mark.parametrize(
    ("task", "code", "told"),
    [
        ("domain.py:Mine", "", "no attribute 'Mine'|has no attribute"),
        ("domain.py:Mine", "Mine = 3", "class made from"),
        ("missing.py:Mine", "", "no Python file"),
        ("no.such.package:Mine", "", "importable"),
    ],
)
def test_code_that_cannot_be_loaded(tmp_path, task, code, told):
    with pytest.raises(InputError, match=told):
        _ = load_domain(write_yaml(tmp_path, f"fragmenter: sentences\ntask: {task}\n", code)).code


def test_the_earlier_name_of_the_file(tmp_path):
    (tmp_path / "reward.yaml").write_text("domain: mine")
    with pytest.raises(InputError, match="rename it"):
        load_domain(tmp_path)


def test_a_domain_without_prompts_or_examples_says_what_to_give(tmp_path):
    domain = load_domain(write_yaml(tmp_path, "fragmenter: sentences\nverifier: maths\n"))
    with pytest.raises(InputError, match="give a file"):
        domain.prompts()
    with pytest.raises(InputError, match=r"examples.jsonl.*leave out --few-shot|leave out --few-shot"):
        domain.few_shot()
    (tmp_path / "examples.jsonl").write_text('{"prompt": "A?", "response": "B."}\n')
    assert [one["content"] for one in domain.few_shot()] == ["A?", "B."]


def test_forms_of_files_are_told_apart(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "1+1?", "answer": "1+1 = 2\\n#### 2"}\n')
    (one,) = load_domain("maths").prompts(path, "train")
    assert one.reference == {"question": "1+1?", "answer": "1+1 = 2\n#### 2", "n_desired": 2}
    path.write_text('{"problem": "1+1?", "solution": "It is \\\\boxed{2}."}\n')
    (one,) = load_domain("maths").prompts(path, "heldout")
    assert one.split == "heldout"
    with pytest.raises(InputError, match="found all"):
        load_domain("maths").prompts(path)
    path.write_text('{"prompt": "1+1?", "reference": {"answer": "#### 2"}, "split": "train"}\n')
    assert len(load_domain("maths").prompts(path)) == 1


@pytest.mark.parametrize(
    ("solution", "result", "right", "wrong"),
    [
        ("4 + 3 = 7\n7 * 2 = 14\nIt is $\\boxed{14}$.", "14", "14", "15"),
        ("It is $\\boxed{\\frac{1}{2}}$.", "\\frac{1}{2}", "0.5", "2"),
        ("First $\\boxed{3}$, then $\\boxed{5}$.", "5", "5", "3"),
        ("It is $\\boxed 7$.", "7", "7", "8"),
        ("It is $\\fbox{2}$.", "2", "2", "3"),
    ],
)
def test_a_problem_of_math_is_judged_by_its_last_box(tmp_path, solution, result, right, wrong):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"problem": "How much is it?", "solution": solution}) + "\n")
    domain = load_domain("maths")
    (one,) = domain.prompts(path, "train")
    assert one.reference["answer"].splitlines()[-1] == f"#### {result}"
    assert one.reference["n_desired"] == len(solution.splitlines())
    for said, label in ((right, "correct"), (wrong, "incorrect")):
        found = domain.scorer().judge(f"The answer is \\boxed{{{said}}}", one.reference)
        assert [fragment.label for fragment in found] == [label]


@pytest.mark.parametrize("solution", ["It is 5.", "It is \\boxed{5", "It is \\boxed{}."])
def test_a_solution_of_math_without_a_result_is_refused(tmp_path, solution):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"problem": "How much is it?", "solution": solution}) + "\n")
    with pytest.raises(InputError, match="boxed"):
        load_domain("maths").prompts(path, "train")


def test_what_there_is(capsys):
    found = overview()
    assert {"countries", "arithmetic", "programs"} <= set(found["domains"])
    assert "quickstart" in found["recipes"]
    assert main(["list", "domains"]) == 0
    assert capsys.readouterr().out.split() == found["domains"]


def test_a_recipe_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="quickstart"):
        load_recipe("quickstat")
    path = tmp_path / "mine.yaml"
    text = "model: m\ndomain: countries\noutput: o\nthresholds: [0.5]\nseeds: [0]\nresponses: 1\nbest: 1.0\n"
    path.write_text(f"{text}temperature: 1.0\nevaluation_responses: 1\nsft: no.yaml\ndpo: neither.yaml\n")
    with pytest.raises(InputError, match=r"no\.yaml, .*neither\.yaml"):
        load_recipe(path)


def test_the_names_on_top_are_loaded_when_they_are_used():
    code = (
        "import sys, rlhalt; assert 'torch' not in sys.modules and 'rlhalt.scoring' not in sys.modules; rlhalt.Scorer"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert rlhalt.load_domain is load_domain
    with pytest.raises(AttributeError, match="nothing"):
        _ = rlhalt.nothing
