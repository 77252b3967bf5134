"""APPS: problems that ask for a function load, and their solutions pass."""

from __future__ import annotations

import json

import pytest

from rlhalt.domains import load_domain
from rlhalt.errors import InputError
from rlhalt.sandbox import Sandbox, works
from rlhalt.verifiers.code import CodeVerifier

SOLUTION = "def add_one(x):\n    return x + 1\n"
ROW = {
    "problem_id": 7,
    "question": "Write a function add_one that adds one to x.",
    "starter_code": "def add_one(x):\n\t",
    "solutions": json.dumps([SOLUTION]),
    "input_output": json.dumps({"fn_name": "add_one", "inputs": [[1], [-1], [5]], "outputs": [2, 0, [6]]}),
    "difficulty": "introductory",
    "url": "",
}
READS_INPUT = ROW | {
    "question": "Read x and print x + 1.",
    "starter_code": "",
    "input_output": json.dumps({"inputs": ["1\n"], "outputs": ["2\n"]}),
}
A_METHOD = ROW | {"question": "Add one.", "starter_code": "class Solution:\n    def add_one(self, x):"}


def written(tmp_path, *rows):
    path = tmp_path / "apps.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_a_problem_that_asks_for_a_function(tmp_path, capsys):
    (found,) = load_domain("code").prompts(written(tmp_path, ROW, READS_INPUT, A_METHOD))
    assert "2 of 3 problems ask for no function" in capsys.readouterr().err
    assert found.domain == "code"
    assert "adds one to x" in found.prompt[0]["content"]
    assert "def add_one(x):" in found.prompt[0]["content"]
    assert found.reference["task_id"] == "APPS/7"
    if not works(Sandbox("bubblewrap")):
        pytest.skip("bubblewrap is missing or does not work here")
    verifier = CodeVerifier()
    assert verifier.passes(found.reference["canonical_solution"], found.reference)
    assert not verifier.passes(SOLUTION.replace("+ 1", "+ 2"), found.reference)
    labels = {one.label for one in load_domain("code").scorer().judge(f"```python\n{SOLUTION}```", found.reference)}
    assert labels == {"correct"}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([READS_INPUT], "expected problems that ask for a function .* found 1 without"),
        ([ROW | {"input_output": "{"}], "expected JSON in a text"),
        ([ROW | {"input_output": '{"fn_name": "f", "inputs": [[1]], "outputs": []}'}], "as many inputs as outputs"),
        ([ROW | {"input_output": '{"fn_name": "f", "inputs": [1], "outputs": [1]}'}], "a list of arguments"),
        ([ROW, ROW], "every prompt once"),
        ([ROW | {"question": 3}], "expected text"),
        ([ROW | {"solutions": "1"}], "expected a list of texts"),
        ([{name: value for name, value in ROW.items() if name != "solutions"}], "expected"),
    ],
)
def test_rows_that_are_none_of_apps(tmp_path, rows, expected):
    with pytest.raises(InputError, match=expected):
        load_domain("code").prompts(written(tmp_path, *rows))


def test_input_output_that_was_read_already(tmp_path):
    row = ROW | {"input_output": json.loads(ROW["input_output"]), "solutions": [SOLUTION]}
    assert len(load_domain("code").prompts(written(tmp_path, row))) == 1
