"""Every example runs as its first lines say, and its output is what its comments promise."""

from __future__ import annotations

import importlib.util
import json
import pickle
import re
import runpy
import sys
from pathlib import Path

import pytest
import torch

from rlhalt import FragmentReward, load_domain
from rlhalt.records import Pair, read
from rlhalt.training.fragment_grpo.advantages import Pay

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


def loaded(name):
    """As verl and OpenRLHF load a file."""
    spec = importlib.util.spec_from_file_location("reward", EXAMPLES / name)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


KENYA = json.dumps({"subject": "Kenya"})
FACTS = "Kenya is in Africa. The capital of Kenya is Mombasa."


def test_the_reward_of_verl(example):
    assert "'score': -0.6" in example("verl_reward.py")
    compute_score = loaded("verl_reward.py").compute_score
    # As its naive reward manager calls it, with the configuration's reward_kwargs.
    found = compute_score(
        data_source="countries",
        solution_str=FACTS,
        ground_truth=KENYA,
        extra_info={},
        domain="countries",
        threshold=0.3,
    )
    assert found == {"score": pytest.approx(0.7 - 0.3), "correct": 1, "incorrect": 1, "failed": 0}
    assert compute_score("countries", "", KENYA)["score"] == 0
    assert json.dumps(found)


def test_the_reward_of_openrlhf(example, monkeypatch):
    assert "'rewards': [0.5]" in example("openrlhf_reward.py")
    monkeypatch.setenv("RLHALT_THRESHOLD", "0.8")
    reward_func = loaded("openrlhf_reward.py").reward_func
    asked = "State facts about Kenya.\n"
    found = reward_func([f"{asked}{FACTS}<|im_end|>", asked], [asked, asked], [KENYA, KENYA])
    assert found["rewards"] == [pytest.approx(0.2 - 0.8), 0]
    assert found["extra_logs"] == {"failed": 0}


@pytest.mark.parametrize("domain", ["countries", "elements", "arithmetic", "programs"])
def test_a_reward_goes_to_another_process(domain):
    """TRL's AsyncGRPO and Ray send it there."""
    reward = FragmentReward.of_domain(domain, 0.8)
    again = pickle.loads(pickle.dumps(reward))
    assert again.pay == reward.pay
    one = load_domain(domain).prompts()[0]
    text = "Nothing that can be checked."
    labels = [[each.label for each in found.judge(text, one.reference).result()] for found in (reward, again)]
    assert labels[0] == labels[1]


def test_a_reward_of_a_scorer_says_how_it_can_be_sent():
    scorer = load_domain("elements").scorer()
    with pytest.raises(TypeError, match="of_domain"):
        pickle.dumps(FragmentReward(scorer, Pay(0.5, scorer.halting)))
