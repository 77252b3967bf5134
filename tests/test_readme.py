"""The code in the README runs, and says what one would expect."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from rlhalt.credit import fragment_rewards
from rlhalt.fragments.sentences import sentences
from rlhalt.pairs import Style, pairs
from rlhalt.records import Response
from rlhalt.scoring import Scorer

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
LIBRARY, VERIFIER = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_library_example(capsys):
    exec(compile(LIBRARY, "README.md", "exec"), {})
    said = capsys.readouterr().out
    assert said.count("correct    +0.2") == 2
    assert said.count("incorrect  -0.8") == 1
    assert said.count("≻") == 3
    assert (
        "0.8  Kenya is in East Africa. The currency of Kenya is the shilling.  ≻  Kenya is in East Africa. The" in said
    )


def test_the_verifier_example():
    names: dict = {}
    exec(compile(VERIFIER, "README.md", "exec"), names)
    judged = Scorer(sentences, names["Arithmetic"]()).judge("It is 4. It is 5. Unsure from here.", {"answer": 4})
    assert [one.label for one in judged] == ["correct", "incorrect", "halt"]
    assert fragment_rewards(judged, 0.5, "independent") == [0.5, -0.5, 0]


@pytest.mark.parametrize("style", get_args(Style))
def test_the_verifier_example_makes_no_pair_of_the_halting_phrase_alone(style):
    names: dict = {}
    exec(compile(VERIFIER, "README.md", "exec"), names)
    question = [{"role": "user", "content": "What is 2 + 2?"}]
    response = Response("1", "sum", 0, question, "Unsure from here.", {"answer": 4}, "mine", "train", "stop", {}, 4)
    scored = Scorer(sentences, names["Arithmetic"]()).score(response)
    assert list(pairs([scored], 0.5, style)) == []
