from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlhalt.domains.maths.gsm8k import prompts
from rlhalt.errors import InputError
from rlhalt.fragments.steps import steps
from rlhalt.scoring import Scorer
from rlhalt.verifiers.maths import MathsVerifier

DATA = Path(__file__).parents[2] / "shared" / "data" / "gsm8k"
ROW = {"question": "What is 2+3?", "answer": "It is 2+3 = <<2+3=5>>5.\n#### 5"}


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


def test_a_prompt_carries_what_the_maths_verifier_needs(tmp_path):
    (prompt,) = prompts(lines(tmp_path / "a.jsonl", ROW), "heldout")
    assert prompt.prompt == [{"role": "user", "content": "What is 2+3?"}]
    assert (prompt.domain, prompt.split) == ("maths", "heldout")
    (step, answer) = Scorer(steps, MathsVerifier()).judge("2+3 = 5\nA: 5", prompt.reference)
    assert (step.label, answer.label) == ("correct", "correct")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"question": "What is 2+3?"}, "answer"),
        (ROW | {"question": ""}, "question"),
        (ROW | {"answer": "5"}, "####"),
        (ROW, "once"),
    ],
)
def test_a_row_that_is_no_problem_is_told(tmp_path, row, told):
    with pytest.raises(InputError, match=told) as caught:
        prompts(lines(tmp_path / "a.jsonl", ROW, row), "train")
    assert caught.value.row == 2


@pytest.mark.parametrize(("name", "split", "count"), [("train-2000", "train", 2000), ("test-400", "heldout", 400)])
def test_the_real_files_load(name, split, count):
    path = DATA / f"{name}.jsonl"
    if not path.is_file():
        pytest.skip(f"real problems are missing: ../shared/data/gsm8k/{name}.jsonl")
    assert len(prompts(path, split)) == count
