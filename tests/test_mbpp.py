"""MBPP: its rows load, and its reference solutions pass."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from rlhalt.domains import load_domain
from rlhalt.domains.code import mbpp
from rlhalt.errors import InputError
from rlhalt.sandbox import Sandbox, works
from rlhalt.verifiers.code import CodeVerifier

FILE = Path(__file__).parents[2] / "shared" / "data" / "mbpp" / "mbpp-500.jsonl"
ROW = {
    "text": "Write a function to add one.",
    "code": "def helper(x):\r\n    return x + ONE\r\ndef add_one(x):\r\n    return helper(x)\r\nONE = 1",
    "task_id": 5,
    "test_setup_code": "import math\r\nhalf = lambda x: x / 2",
    "test_list": ["assert add_one(1) == 2", "assert math.floor(half(add_one(2))) == 1\r\nassert helper(1) == 2"],
    "challenge_test_list": ["assert add_one(-1) == 0"],
}
# Takes longer than the limit; builds objects of a class that the solution defines.
NOT_PASSING = {"MBPP/123", "MBPP/367"}


def written(tmp_path, *rows):
    path = tmp_path / "mbpp.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def test_a_row(tmp_path):
    (found,) = load_domain("code").prompts(written(tmp_path, ROW))
    assert found.domain == "code"
    assert "add one" in found.prompt[0]["content"]
    assert "add_one(1) == 2" in found.prompt[0]["content"]
    assert "add_one(2)" not in found.prompt[0]["content"]
    assert found.reference["entry_point"] == "add_one"
    assert found.reference["task_id"] == "MBPP/5"
    if not works(Sandbox("bubblewrap")):
        pytest.skip("bubblewrap is missing or does not work here")
    assert CodeVerifier().passes(ROW["code"], found.reference)
    assert not CodeVerifier().passes(ROW["code"].replace("ONE = 1", "ONE = 2"), found.reference)


def test_a_sanitized_row_and_a_text_of_several_lines(tmp_path):
    row = {
        "prompt": "Write a function to repeat a text.",
        "code": "def twice(x):\n    return x + x",
        "test_imports": ["import math"],
        "test_list": ["assert twice('''a\nb''') == '''a\nba\nb'''", "assert math.pi"],
    }
    (found,) = mbpp.prompts(written(tmp_path, row))
    compile(found.reference["test"], "test", "exec")
    if works(Sandbox("bubblewrap")):
        assert CodeVerifier().passes(row["code"], found.reference)


def test_two_tasks_of_one_text_show_different_tests(tmp_path):
    other = ROW | {"task_id": 6}
    assert len({one.key for one in mbpp.prompts(written(tmp_path, ROW, other))}) == 2
    with pytest.raises(InputError, match="every prompt once"):
        mbpp.prompts(written(tmp_path, ROW, other, other))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"test_list": []}, "at least one assert"),
        ({"test_list": "assert 1"}, "list of texts"),
        ({"test_list": ["assert 1 =="]}, "expected Python"),
        ({"test_list": ["assert other(1)"], "challenge_test_list": []}, "call a function"),
        ({"code": ""}, "code"),
        ({"code": "def f("}, "expected Python"),
        ({"text": 5}, "text"),
        ({"test_setup_code": 5}, "test_setup_code"),
    ],
)
def test_a_file_that_is_no_mbpp(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        mbpp.prompts(written(tmp_path, ROW | change))


def problems():
    if not FILE.is_file():
        pytest.skip("MBPP is missing: ../shared/data/mbpp")
    if not works(Sandbox("bubblewrap")):
        pytest.skip("bubblewrap is missing or does not work here")
    return [one.reference for one in mbpp.prompts(FILE)]


def failing(some):
    verifier = CodeVerifier()
    return {one["task_id"] for one in some if one["task_id"] not in NOT_PASSING and not passes(verifier, one)}


def passes(verifier, reference):
    return verifier.passes(reference["canonical_solution"], reference)


def test_some_reference_solutions_pass():
    assert failing(problems()[::25]) == set()


@pytest.mark.slow
def test_all_reference_solutions_pass():
    some = problems()
    assert len(some) == 500
    assert Counter(one["entry_point"] != "" for one in some) == {True: 500}
    assert failing(some) == set()
