"""The code in the README and in docs/domains.md runs, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from rlhalt.fragments.sentences import sentences
from rlhalt.records import Response
from rlhalt.rewards import fragment_rewards
from rlhalt.scoring import Scorer
from rlhalt.training_data import Style, pairs

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
(LIBRARY,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
VERIFIER = next(
    one
    for one in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "domains.md").read_text(encoding="utf-8"), re.DOTALL)
    if "class Arithmetic" in one
)


def test_the_library_example_prints_what_is_shown_below_it(capsys):
    exec(compile(LIBRARY, "README.md", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    shown = README.partition(LIBRARY)[2].partition("```")[2].strip("\n").splitlines()
    assert said == [line.removeprefix("    ") for line in shown[: len(said)]]


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 120


def test_every_link_of_the_documents_leads_somewhere():
    """Files, and the headings that are named behind #."""
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
            if target.startswith(("http", "mailto")):
                continue
            name, _, heading = target.partition("#")
            path = document.parent / name if name else document
            assert path.exists(), (document.name, target)
            if heading:
                found = [_anchor(one) for one in re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)]
                assert heading in found, (document.name, target)


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_verifier_example():
    names: dict = {}
    exec(compile(VERIFIER, "domains.md", "exec"), names)
    judged = Scorer(sentences, names["Arithmetic"]()).judge("It is 4. It is 5. Unsure from here.", {"answer": 4})
    assert [one.label for one in judged] == ["correct", "incorrect", "halt"]
    assert fragment_rewards(judged, 0.5, "independent") == [0.5, -0.5, 0]


@pytest.mark.parametrize("style", get_args(Style))
def test_the_verifier_example_makes_no_pair_of_the_halting_phrase_alone(style):
    names: dict = {}
    exec(compile(VERIFIER, "domains.md", "exec"), names)
    question = [{"role": "user", "content": "What is 2 + 2?"}]
    response = Response("1", "sum", 0, question, "Unsure from here.", {"answer": 4}, "mine", "train", "stop", {}, 4)
    scored = Scorer(sentences, names["Arithmetic"]()).score(response)
    assert list(pairs([scored], 0.5, style)) == []
