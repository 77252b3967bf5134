"""What a model says of its own fragments when it is asked, and semantic entropy of its samples."""

from __future__ import annotations

import dataclasses
import math

import pytest

from rlhalt.chat.templates import Template
from rlhalt.cli import main
from rlhalt.cut import agreement
from rlhalt.cut.calibration import read as read_calibration
from rlhalt.cut.confidence import confidences
from rlhalt.domains import load_domain
from rlhalt.models.names import load_policy
from rlhalt.records import HALT_PHRASE, Message, write
from rlhalt.sampling import Completion
from rlhalt.uncertainty import among_others as others_module
from rlhalt.uncertainty import self_evaluation, verbalized
from rlhalt.uncertainty.among_others import among_others, contradictions
from rlhalt.uncertainty.next_token import first_tokens
from rlhalt.uncertainty.nli import lexical
from rlhalt.uncertainty.self_evaluation import p_true
from rlhalt.uncertainty.semantic_entropy import among, semantic_certainty
from rlhalt.uncertainty.verbalized import JUST_ASK, just_ask

OSLO, BERGEN, LOM = (f"The capital of Norway is {one}." for one in ("Oslo", "Bergen", "Lom"))
EUROPE = "Norway is in Europe."


@pytest.fixture
def samples(scored_row):
    return [scored_row([one], "?") for one in (OSLO, BERGEN, LOM, BERGEN, EUROPE)]


@pytest.fixture
def float32(monkeypatch):
    import torch

    monkeypatch.setattr("rlhalt.models.names.inference_dtype", lambda: torch.float32)


def test_letters_have_the_models_own_probabilities(float32, tiny_model):
    """Chats of unlike length in one padded batch, each against its own pass."""
    import torch

    model, tokenizer = load_policy(str(tiny_model))
    chats: list[list[Message]] = [[{"role": "user", "content": "Is this true? " * n}] for n in (1, 9, 4)]
    found = first_tokens(str(tiny_model), chats, [["A", "B"], ["A", "B", "C"], ["B"]])
    for chat, letters, values in zip(chats, (["A", "B"], ["A", "B", "C"], ["B"]), found, strict=True):
        with torch.no_grad():
            p = model(torch.tensor([Template(tokenizer).encode(chat)])).logits[0, -1].softmax(-1)
        ids = [{tokenizer(one)["input_ids"][-1], tokenizer(f" {one}")["input_ids"][-1]} for one in letters]
        assert values == pytest.approx([sum(p[one].item() for one in its) for its in ids], rel=1e-4)
    assert first_tokens("no model is loaded", [], []) == []


@pytest.fixture
def asked(monkeypatch):
    """In a model's place: the first letter has the probability 0.3, each other one 0.1."""
    seen = []

    def answer(model, chats, letters, template_args):
        seen.extend(chats)
        return [[0.3, *[0.1] * (len(one) - 1)] for one in letters]

    monkeypatch.setattr(self_evaluation, "first_tokens", answer)
    return seen


def test_p_true_is_the_share_of_the_letter_of_true(asked, scored_row):
    row = scored_row([OSLO, HALT_PHRASE], "+.")
    shot: list[Message] = [{"role": "user", "content": "Hm?"}, {"role": "assistant", "content": "So."}]
    assert p_true("m", [row, scored_row([], "")], shot) == [pytest.approx([0.75, math.nan], nan_ok=True), []]
    (chat,) = asked
    assert chat[:-1] == [*shot, *row.prompt, {"role": "assistant", "content": row.response}]
    assert chat[-1]["content"] == f'Is this true: "{OSLO}"\n(A) True\n(B) False\nAnswer with the letter alone.'


def test_contradictions_are_offered_once_each_the_most_frequent_first(samples, scored_row):
    fragment = scored_row([OSLO], "+").fragments[0]
    assert contradictions(fragment, samples, lexical) == [BERGEN, LOM]


def test_a_fragment_stands_among_what_contradicts_it(asked, samples, scored_row):
    rows = [scored_row([OSLO, EUROPE], "++")]
    (found,) = among_others("m", rows, [samples])
    lines = [chat[-1]["content"].splitlines() for chat in asked]
    assert [len(one) for one in lines] == [6, 4]
    assert lines[0][0] == "Which of these is true?"
    assert {one[4:] for one in lines[0][1:4]} == {OSLO, BERGEN, LOM}
    assert lines[0][4] == "(D) None of the above"
    assert lines[1][1:3] == [f"(A) {EUROPE}", "(B) None of the above"]
    place = next(number for number, one in enumerate(lines[0][1:4]) if one.endswith(OSLO))
    assert found == pytest.approx([(0.1, 0.3)[place == 0] / 0.6, 0.75])


def test_places_are_spread(samples, scored_row):
    places = [
        others_module._which(scored_row([f"The capital of Norway is {n}."], "+").fragments[0], samples, lexical)[1][0]
        for n in range(60)
    ]
    assert set(places) == {0, 1, 2, 3}


class TestSemanticEntropy:
    def test_the_example(self, samples, scored_row):
        row = scored_row([OSLO, HALT_PHRASE], "+.")
        # Oslo twice with the fragment itself, Bergen twice, Lom once, and one sample that is silent.
        entropy = -2 * (2 / 6) * math.log(2 / 6) - 2 * (1 / 6) * math.log(1 / 6)
        found = semantic_certainty(row, samples, lexical)
        assert found == pytest.approx([math.exp(-entropy), math.nan], nan_ok=True)

    def test_all_agree_or_none(self, scored_row):
        row = scored_row([OSLO], "+")
        assert semantic_certainty(row, [scored_row([OSLO], "+")] * 3, lexical) == pytest.approx([1.0])
        others = [scored_row([f"The capital of Norway is {n}."], "+") for n in range(3)]
        assert semantic_certainty(row, others, lexical) == pytest.approx([1 / 4])
        assert semantic_certainty(row, [scored_row([], "")] * 3, lexical) == pytest.approx([1 / 4])
        assert math.isnan(semantic_certainty(row, [], lexical)[0])

    def test_samples_are_the_other_responses_to_the_same_prompt(self, samples, scored_row):
        other = dataclasses.replace(scored_row([OSLO], "+"), prompt_key="q")
        assert list(among([samples[0], other, samples[1]])) == [[samples[1]], [], [samples[0]]]


def test_the_probability_is_asked_for_with_the_guess(monkeypatch, scored_row):
    seen = []

    class Policy:
        def complete(self, chats, *, temperature, max_tokens, seed):
            seen.extend(chats)
            return [Completion(text, 3, "stop") for text in (" 0.8", " 95%", " very")]

    monkeypatch.setattr(verbalized, "load_engine", lambda *_: Policy())
    row = scored_row([OSLO, EUROPE, BERGEN, HALT_PHRASE], "++-.")
    assert just_ask("m", [row]) == [pytest.approx([0.8, 0.95, math.nan, math.nan], nan_ok=True)]
    assert seen[0] == [
        {"role": "user", "content": JUST_ASK.format("State five facts about A.")},
        {"role": "assistant", "content": f"Guess: {OSLO}\nProbability:"},
    ]


@pytest.mark.parametrize("by", ["semantic-entropy", "self-evaluation", "self-evaluation-choices", "stated", "just-ask"])
def test_each_is_a_confidence_of_the_cut(by, tiny_model, monkeypatch, scored_row):
    says = f"{OSLO} {EUROPE}"

    class Policy:
        def complete(self, chats, **_):
            return [Completion(says, 9, "stop") for _ in chats]

    monkeypatch.setattr(agreement, "load_engine", lambda *_: Policy())
    row = scored_row([OSLO, HALT_PHRASE], "+.")
    (found,) = confidences(by, str(tiny_model), [row], load_domain("countries").splitter(), max_tokens=8)
    assert len(found) == 2
    assert math.isnan(found[1])
    assert math.isnan(found[0]) or 0 <= found[0] <= 1
    if by == "semantic-entropy":
        assert found[0] == 1.0


def test_calibrate_and_certainty_by_self_evaluation(tiny_model, tmp_path):
    from calibrated_model import answer
    from taught_model import taught

    model = taught(tiny_model, "countries", answer, tmp_path / "model", count=14, examples=False)
    domain = load_domain("countries")
    write(tmp_path / "some.jsonl", domain.prompts(split="train")[:14])
    write(tmp_path / "heldout.jsonl", domain.prompts(split="heldout")[:6])
    asked = ["--model", str(model), "--engine", "transformers"]
    by = ["--by", "self-evaluation", "--output", str(tmp_path / "cut")]
    assert main(["calibrate", *asked, "--prompts", str(tmp_path / "some.jsonl"), *by]) == 0
    fitted = read_calibration(tmp_path / "cut" / "calibration.json")
    assert (fitted.by, fitted.fits[0].probability.method) == ("self-evaluation", "platt")
    folder = tmp_path / "evaluation"
    evaluate = ["evaluate", *asked, "--name", "base", "--role", "base", "--samples", "1", "--output", str(folder)]
    assert main([*evaluate, "--prompts", str(tmp_path / "heldout.jsonl")]) == 0
    every = ["semantic-entropy", "self-evaluation", "self-evaluation-choices", "just-ask"]
    assert main(["certainty", str(folder), "--by", *every]) == 0
    from rlhalt.evaluation import load

    assert set(load(folder).certainty) == set(every)
    cut = ["--cut", "--calibration", str(tmp_path / "cut"), "--threshold", "0.5"]
    evaluate[-1] = str(tmp_path / "with-cut")
    assert main([*evaluate, *cut, "--samples", "0", "--prompts", str(tmp_path / "heldout.jsonl")]) == 0
