"""What an evaluation reads off a real (tiny) model, against the plain way of computing it."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence

import pytest

from judge_server import read_prompt
from rlhalt.chat.templates import Template
from rlhalt.chat.token_spans import fragment_tokens
from rlhalt.domains import load_domain
from rlhalt.errors import InputError
from rlhalt.evaluation import load
from rlhalt.evaluation import run as evaluation
from rlhalt.evaluation.run import Policy, continuations
from rlhalt.fragments.sentences import sentences
from rlhalt.records import HALT_PHRASE, Fragment, Message, Prompt, Scored, read
from rlhalt.sampling import Completion
from rlhalt.uncertainty import token_probability
from rlhalt.uncertainty.token_probability import confidences
from rlhalt.verifiers import Verdict

ASIA, CAPITAL = "A is in Asia.", "Its capital is B."


@pytest.fixture
def policy(tiny_model, monkeypatch):
    """The tiny model in float32, for exact comparisons."""
    from rlhalt.models.names import load_policy

    model, tokenizer = load_policy(str(tiny_model))
    monkeypatch.setattr(token_probability, "load_policy", lambda name: (model.float(), tokenizer))
    return model.float(), tokenizer


def test_confidences_are_the_models_own_probabilities(policy, scored_row):
    """Rows of unlike length in one padded batch, each against its own unpadded forward pass."""
    import torch

    model, tokenizer = policy
    shot: list[Message] = [
        {"role": "user", "content": "State five facts about France."},
        {"role": "assistant", "content": "France is in Europe."},
    ]
    rows = [scored_row([ASIA, CAPITAL, HALT_PHRASE], "+-."), scored_row([CAPITAL], "+"), scored_row([], "")]
    halting = {tokenizer.eos_token_id}
    halting |= {tokenizer(text)["input_ids"][0] for text in (HALT_PHRASE, f" {HALT_PHRASE}")}
    found = confidences("tiny", rows, shot)
    assert [one.key for one in found] == [row.key for row in rows]
    for row, one in zip(rows, found, strict=True):
        prompt = Template(tokenizer).asked([*shot, *row.prompt])
        ids, spans = fragment_tokens(tokenizer, prompt, row.response, row.fragments)
        with torch.no_grad():
            probabilities = model(torch.tensor([ids])).logits[0].softmax(-1)
        tokens = [[probabilities[at - 1, ids[at]].item() for at in range(low, high)] for low, high in spans]
        means = [math.prod(each) ** (1 / len(each)) for each in tokens]
        halts = [sum(probabilities[low - 1, token].item() for token in halting) for low, _ in spans]
        assert one.token_probability == pytest.approx(means, rel=1e-4)
        assert one.token_minimum == pytest.approx([min(each) for each in tokens], rel=1e-4)
        assert one.halt_probability == pytest.approx(halts, rel=1e-4)


def test_the_base_model_is_asked_where_the_policy_ended(monkeypatch, scored_row):
    asked: list[str] = []

    class Base:
        def complete(
            self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
        ) -> list[Completion]:
            asked.extend(chat[-1]["content"] for chat in chats)
            says = [" Kenya is in Africa. And more.", " The capital of Kenya is Oslo.", "", f" {HALT_PHRASE}"]
            return [Completion(text, 3, "stop") for text in says]

    monkeypatch.setattr(evaluation, "load_engine", lambda *_: Base())
    region, halted = "Kenya is in East Africa.", "The official language of Kenya is Swahili."
    rows = [
        scored_row([halted, HALT_PHRASE], "+."),
        scored_row([region], "+"),
        scored_row([halted], "+"),
        scored_row([], ""),
    ]
    rows = [dataclasses.replace(row, reference={"subject": "Kenya"}) for row in rows]
    found = continuations(Policy("base", "m"), rows, load_domain("countries").scorer(), "transformers")
    assert asked == [halted, region, halted, rows[3].prompt[0]["content"]]
    assert [(one.text, one.label) for one in found] == [
        ("Kenya is in Africa.", "correct"),
        ("The capital of Kenya is Oslo.", "incorrect"),
        ("", None),
        ("", None),
    ]
    assert len(sentences(found[0].text)) == 1


def test_a_judge_is_asked_for_what_comes_next_alone_and_for_several_responses_together(
    monkeypatch, scored_row, server, client
):
    class Base:
        def complete(self, chats, **_):
            return [Completion(" The next is wrong.", 5, "stop") for _ in chats]

    monkeypatch.setattr(evaluation, "load_engine", lambda *_: Base())
    scorer = load_domain("truthfulqa").scorer(client)
    rows = []
    for number in range(6):
        row = dataclasses.replace(
            scored_row([f"Thing {number} is right."], "+"),
            reference={"question": "Is it?", "true": ["a"], "false": ["b"]},
        )
        known = [dataclasses.replace(one, verifier=scorer.verifier.name) for one in row.fragments]
        rows.append(dataclasses.replace(row, key=str(number), fragments=known))
    server.latency = 0.2
    found = continuations(Policy("base", "m"), rows, scorer, "transformers")
    assert [(one.key, one.label) for one in found] == [(row.key, "incorrect") for row in rows]
    asked = [read_prompt(one["messages"][-1]["content"]) for one in server.requests]
    assert [one.asked for one in asked] == [[2]] * 6
    assert all(len(one.fragments) == 2 for one in asked)
    assert server.at_once > 1


def test_a_conditioned_policy_sees_its_threshold_in_the_prompt_and_the_base_model_does_not(monkeypatch, scored_row):
    asked: list[Sequence[Message]] = []

    class Base:
        def complete(
            self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
        ) -> list[Completion]:
            asked.extend(chats)
            return [Completion("", 0, "stop") for _ in chats]

    question: list[Message] = [{"role": "user", "content": "State five facts about Kenya."}]
    prompt = Prompt("k", question, {"subject": "Kenya"}, "countries", "heldout")
    policy = Policy("conditioned", "m", threshold=0.8, threshold_in_prompt=True)
    told = policy.asked(prompt)
    assert (told.key, told.prompt) == ("k", [{"role": "system", "content": "Reliability: 0.80"}, *question])
    assert dataclasses.replace(policy, threshold_in_prompt=False).asked(prompt) == prompt
    with pytest.raises(InputError, match="threshold"):
        dataclasses.replace(policy, threshold=None).asked(prompt)
    row = dataclasses.replace(scored_row([], ""), prompt=told.prompt, reference=prompt.reference)
    monkeypatch.setattr(evaluation, "load_engine", lambda *_: Base())
    continuations(Policy("base", "m"), [row], load_domain("countries").scorer(), "transformers")
    assert asked == [question]


def test_a_dial_is_told_to_the_policy_and_not_to_the_base_model(tiny_model, tmp_path, monkeypatch):
    heard = []

    class Base:
        def complete(self, chats, **_):
            heard.extend(chats)
            return [Completion("", 0, "stop") for _ in chats]

    messages: list[Message] = [{"role": "user", "content": "State five facts about Kenya."}]
    prompt = Prompt("kenya", messages, {"subject": "Kenya"}, "countries", "heldout")
    scorer = load_domain("countries").scorer()
    policy = Policy("decisions", str(tiny_model), 0.8, threshold_in_prompt=True)
    monkeypatch.setattr(evaluation, "load_engine", lambda *_: Base())
    folder = evaluation.evaluate(policy, [prompt], scorer, tmp_path, base=Policy("base", str(tiny_model)), samples=1)
    told = [row.prompt for row in read(folder / "scored.jsonl", Scored)]
    assert told == 2 * [[{"role": "system", "content": "Reliability: 0.80"}, *messages]]
    assert [chat[0] for chat in heard] == messages


def test_another_fragmenter_is_another_evaluation(tiny_model, tmp_path):
    messages: list[Message] = [{"role": "user", "content": "State five facts about Kenya."}]
    prompt = Prompt("kenya", messages, {"subject": "Kenya"}, "countries", "heldout")
    scorer = load_domain("countries").scorer()

    def whole(text):
        return [Fragment(0, len(text), "response", text)] if text else []

    policy = Policy("base", str(tiny_model))
    for fragment, name in ((sentences, "sentences"), (whole, "whole")):
        used = dataclasses.replace(scorer, fragment=fragment)
        folder = evaluation.evaluate(policy, [prompt], used, tmp_path, samples=1)
        assert json.loads((folder / "run.json").read_text())["config"]["fragmenter"] == name
        rows = list(read(folder / "scored.jsonl", Scored))
        assert [one.fragments for one in rows] == [used.judge(one.response, one.reference) for one in rows]
        assert load(folder).fragmenter == name


class Reading:
    """A verifier that reads its verdict from a file, say."""

    name = "reading/1"

    def __init__(self, label: str) -> None:
        self.label = self.fingerprint = label

    def verify(self, response, fragments, reference):
        return [Verdict(self.label, "") for _ in fragments]


def test_what_a_verifier_reads_is_part_of_the_evaluation(tiny_model, tmp_path, capsys):
    prompt = Prompt("kenya", [{"role": "user", "content": "State five facts about Kenya."}], {}, "own", "heldout")

    def whole(text):
        return [Fragment(0, len(text), "response", text)] if text else []

    def evaluated(label):
        scorer = dataclasses.replace(load_domain("countries").scorer(), fragment=whole, verifier=Reading(label))
        folder = evaluation.evaluate(Policy("base", str(tiny_model)), [prompt], scorer, tmp_path, samples=1)
        rows = list(read(folder / "scored.jsonl", Scored))
        return [row.response for row in rows], {
            one.label for row in rows for one in row.fragments if one.kind != "halt"
        }

    said, labels = evaluated("correct")
    assert labels == {"correct"}
    evaluated("correct")
    assert "already done" in capsys.readouterr().err
    # The responses stay; they are judged anew.
    drawn = (tmp_path / "greedy.jsonl").stat().st_mtime_ns
    assert evaluated("incorrect") == (said, {"incorrect"})
    assert (tmp_path / "greedy.jsonl").stat().st_mtime_ns == drawn
