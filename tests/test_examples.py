"""Every example runs as its first lines say, and its output is what its comments promise."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest
import torch

from rlhalt.records import Pair, read

EXAMPLES = Path(__file__).parents[1] / "examples"

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the examples write; the second finds the tiny model that the first has made."""
    return tmp_path_factory.mktemp("examples")


@pytest.fixture
def example(monkeypatch, capfd, folder):
    """Run an example in this process, where torch is loaded already; what it printed."""

    def run(name: str) -> str:
        monkeypatch.syspath_prepend(str(EXAMPLES))
        monkeypatch.setattr(sys, "argv", [name, str(folder)])
        capfd.readouterr()
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capfd.readouterr().out

    threads = torch.get_num_threads()
    yield run
    torch.set_num_threads(threads)


def test_own_verifier(example):
    printed = example("own_verifier.py")
    assert re.findall(r"^  (\w+) +([+-]\d\.\d)  ", printed, re.MULTILINE) == [
        ("unverifiable", "+0.0"),
        ("correct", "+0.2"),
        ("incorrect", "-0.8"),
        ("correct", "+0.2"),
        ("halt", "+0.0"),
    ]
    assert "Reward of the response: -0.4" in printed
    assert sorted(re.findall(r"weight (\d\.\d)", printed)) == ["0.2", "0.2", "0.8"]


def test_the_verifier_takes_thirty_lines():
    lines = (EXAMPLES / "own_verifier.py").read_text(encoding="utf-8").split("\nclass Days:")[1].split("\ndef main")[0]
    assert len(lines.strip().splitlines()) <= 30


def test_pairs_for_trl(example, folder):
    printed = example("pairs_for_trl.py")
    assert len(steps(printed, r"loss (\S+), gradient (\S+)")) == 2
    drawn = list(read(folder / "pairs.jsonl", Pair))
    assert len(drawn) == 16
    assert {one.weight for one in drawn} == {1.0}
    # Pairs of both kinds: with one kind alone a model learns to be silent, or to guess.
    longer = {len(one.chosen[0]["content"]) > len(one.rejected[0]["content"]) for one in drawn}
    assert longer == {True, False}


def test_fragment_grpo(example):
    printed = example("fragment_grpo.py")
    found = steps(printed, r"reward (\S+), correct (\S+), incorrect (\S+) per response, gradient (\S+)")
    assert len(found) == 2
    assert all(0 < correct < 2 and 0 < incorrect < 2 for _, correct, incorrect, _ in found)


def test_each_is_listed_and_tested():
    examples = {path.name for path in EXAMPLES.glob("*.py")} - {"tiny_model.py"}
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    tested = Path(__file__).read_text(encoding="utf-8")
    for name in examples:
        assert f"`python examples/{name}`" in listed
        assert f'example("{name}")' in tested


def steps(printed: str, form: str) -> list[tuple[float, ...]]:
    """The numbers of each step's line; every gradient, the last of them, is one that moves the model."""
    found = [tuple(map(float, one)) for one in re.findall(rf"step \d: {form}", printed)]
    assert all(one[-1] > 0 for one in found)
    return found
