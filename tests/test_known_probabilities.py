"""The world with known odds: its oracles beside brute force, and what is read off a model beside sampling from it."""

from __future__ import annotations

import dataclasses
import itertools
import json

import numpy as np
import pytest
from benchmarks.known_probabilities import oracle
from benchmarks.known_probabilities.measure import (
    POINTS,
    Behaviour,
    behaviour,
    curve,
    ece,
    load,
    logistic_switch,
    measure,
)
from benchmarks.known_probabilities.world import RELATIONS, World
from hypothesis import given
from hypothesis import strategies as st

THRESHOLDS = (0.2, 0.5, 0.8, 0.95)
odds = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5)
SMALL = World(entities=2, exposure=8)


@given(odds, st.sampled_from(THRESHOLDS))
def test_the_independent_oracle_is_the_best_of_all_choices(p, threshold):
    p_E_R = np.array([p])
    best = max(
        oracle.independent_utility(np.array([choice]), p_E_R, threshold)
        for choice in itertools.product([0.0, 1.0], repeat=len(p))
    )
    found = oracle.independent_utility(oracle.independent_oracle(p_E_R, threshold), p_E_R, threshold)
    assert found == pytest.approx(best, abs=1e-12)


def told(p: list[float], stop: int, threshold: float) -> float:
    """Mean utility of halting before fact `stop`, summed over all ways the facts can come out."""
    total = 0.0
    for truths in itertools.product([True, False], repeat=stop):
        chance, earned = 1.0, 0.0
        for true, one in zip(truths, p, strict=False):
            chance *= one if true else 1 - one
        for true in truths:
            earned += 1 - threshold if true else -threshold
            if not true:
                break
        total += chance * earned
    return total


@given(odds, st.sampled_from(THRESHOLDS))
def test_the_causal_oracle_is_the_best_stop_of_all(p, threshold):
    p_E_R = np.array([p])
    best = max(told(p, stop, threshold) for stop in range(len(p) + 1))
    found = oracle.causal_utility(oracle.causal_oracle(p_E_R, threshold), p_E_R, threshold)
    assert found == pytest.approx(best, abs=1e-9)


@given(st.integers(0, 1000), st.sampled_from(THRESHOLDS), st.sampled_from(["independent", "causal"]))
def test_seeing_less_is_never_worth_more(seed, threshold, mode):
    p_E_R = np.random.default_rng(seed).random((12, 3))
    kind_E = np.arange(12) % 4
    utility, best = (
        (oracle.causal_utility, oracle.causal_oracle)
        if mode == "causal"
        else (oracle.independent_utility, oracle.independent_oracle)
    )
    full = utility(best(p_E_R, threshold), p_E_R, threshold)
    seen = utility(oracle.visible(p_E_R, kind_E, threshold, best), p_E_R, threshold)
    assert full >= seen - 1e-12
    # Never to speak and always to speak see nothing at all.
    assert seen >= max(0.0, utility(np.ones_like(p_E_R), p_E_R, threshold)) - 1e-12


@pytest.mark.parametrize("switch", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("slope", [0.7, 3.0])
def test_the_switch_point_is_found_again(switch, slope):
    p = np.linspace(0.01, 0.99, 400)
    logits = slope * (np.log(p / (1 - p)) - np.log(switch / (1 - switch)))
    found, steepness = logistic_switch(p, 1 / (1 + np.exp(-logits)))
    assert found == pytest.approx(switch, abs=0.01)
    assert steepness == pytest.approx(slope, rel=0.05)


def test_a_policy_that_speaks_less_the_likelier_it_is_right_has_no_switch_point():
    assert np.isnan(logistic_switch(np.linspace(0.1, 0.9, 9), np.linspace(0.9, 0.1, 9))[0])


def test_calibration_and_curve_of_known_odds():
    p = np.array([0.1, 0.1, 0.9, 0.9])
    even = np.ones(4)
    assert ece(p, p, even) == 0
    assert ece(np.full(4, 0.5), p, even) == pytest.approx(0.0)
    assert ece(1 - p, p, even) == pytest.approx(0.8)
    assert curve(p, p, even, bins=2) == [(0.1, 0.1, 2.0), (0.9, 0.9, 2.0)]


def test_the_corpus_tells_the_truth_as_often_as_its_share_says():
    world = dataclasses.replace(SMALL, exposure=200, gaps=0.0, halts=0.0)
    documents = world.corpus()
    told = sum(chat[0]["role"] == "system" for chat in documents)
    assert told / len(documents) == pytest.approx(world.dials, abs=0.03)
    for entity in range(0, len(world.names), 5):
        asked = world.question(entity)
        answers = [chat[-1]["content"] for chat in documents if chat[-2]["content"] == asked]
        for relation in range(len(RELATIONS)):
            true = world.statement(relation, int(world.truth_E_R[entity, relation]))
            share = sum(true in one for one in answers) / len(answers)
            assert share == pytest.approx(world.q_E_R[entity, relation], abs=0.011)


@pytest.mark.parametrize(
    ("order", "labels"),
    [
        ((0, 1, 4), ["correct", "correct", "correct"]),
        ((1, 0), ["correct", "unverifiable"]),
        ((2, 2, 3), ["correct", "unverifiable", "correct"]),
    ],
)
def test_facts_have_an_order(order, labels):
    text = " ".join(SMALL.statement(one, int(SMALL.truth_E_R[5, one])) for one in order)
    judged = SMALL.scorer().judge(text, {"subject": SMALL.names[5]})
    assert [one.label for one in judged] == labels


def test_half_of_the_entities_of_each_kind_are_held_out():
    train, held_out = SMALL.prompts(heldout=False), SMALL.prompts(heldout=True)
    assert len(train) == len(held_out) == len(SMALL.names) / 2
    assert not {one.key for one in train} & {one.key for one in held_out}
    assert {one.split for one in held_out} == {"heldout"}


@pytest.mark.parametrize(("causal", "decided"), [(True, [1, 0, 0, 0, 0]), (False, [1, 1, 1, 1, 1])])
def test_who_ends_the_answer_has_decided_once_where_facts_hang_together(causal, decided):
    shape = (1, len(POINTS))
    silent = Behaviour(np.zeros(shape), np.full(shape, 0.9), np.ones(shape), causal)
    assert silent.reach_E_R.tolist() == [decided]
    assert silent.speak_E_R[0, 0] == 0


def test_going_on_counts_as_speaking_where_a_fact_is_passed_over():
    shape = (1, len(POINTS))
    passing = np.zeros(shape)
    passing[0, POINTS.index((0, 1))] = 1.0
    read = Behaviour(passing, np.full(shape, 0.9), np.zeros(shape), causal=True)
    assert read.speak_E_R[0, 0] == 1
    assert dataclasses.replace(read, causal=False).speak_E_R[0, :2].tolist() == [0, 1]


@pytest.fixture(scope="module")
def tiny_base(tmp_path_factory):
    from benchmarks.known_probabilities.base import train_base

    folder = tmp_path_factory.mktemp("base")
    train_base(SMALL, folder, steps=40)
    return load(folder)


@pytest.mark.parametrize("mode", ["independent", "causal"])
def test_what_is_read_off_a_model_is_what_it_says_when_it_is_asked(tiny_base, mode):
    """Utility and facts said, exactly and by 1,500 answers drawn from the model."""
    import torch

    from rlhalt.rewards import fragment_rewards

    model, tokenizer = tiny_base
    entity = 3
    read = behaviour(tiny_base, SMALL, [entity] * 64, mode)
    question = [{"role": "user", "content": SMALL.question(entity)}]
    prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_tensors="pt", return_dict=False)
    torch.manual_seed(0)
    drawn = model.generate(
        prompt, do_sample=True, top_k=0, max_new_tokens=40, num_return_sequences=1500, pad_token_id=0
    )
    texts = tokenizer.batch_decode(drawn[:, prompt.shape[1] :], skip_special_tokens=True)
    scorer = SMALL.scorer()
    earned = [sum(fragment_rewards(scorer.judge(text, {"subject": SMALL.names[entity]}), 0.5, mode)) for text in texts]
    # What the reading does not follow (facts out of order, broken sentences) can earn at most ½ a fact.
    spare = 4 * np.std(earned) / np.sqrt(len(earned)) + 2.5 * read.astray
    assert read.utility(0.5) == pytest.approx(np.mean(earned), abs=spare)


def test_a_policy_that_is_sampled_colder_is_one_of_larger_logits(tiny_base):
    from types import SimpleNamespace

    model, tokenizer = tiny_base
    halved = behaviour(tiny_base, SMALL, [3, 4], "causal", temperature=0.5)
    doubled = behaviour(
        (lambda **its: SimpleNamespace(logits=2 * model(**its).logits), tokenizer), SMALL, [3, 4], "causal"
    )
    for name in ("next_E_P", "right_E_P", "end_E_P"):
        np.testing.assert_allclose(getattr(halved, name), getattr(doubled, name), atol=1e-6)


def test_no_policy_is_worth_more_than_the_oracle_of_its_own_odds(tiny_base):
    entities = np.flatnonzero(SMALL.heldout_E)
    read = behaviour(tiny_base, SMALL, entities, "causal")
    for threshold in THRESHOLDS:
        found = measure(read, read.p_E_R, read.p_E_R, SMALL.kind_E[entities], threshold)
        assert found["utility"] <= found["oracle"] + 1e-6
        assert found["never"] == 0


def test_policies_are_made_once_measured_and_drawn(tmp_path):
    from benchmarks.known_probabilities.figure import draw
    from benchmarks.known_probabilities.policies import METHODS, Effort, Policies

    effort = Effort(
        base_steps=30,
        responses=6,  # with 2, no right fragment came first, and pairs of one kind have the same weight
        sft_steps=2,
        dpo_steps=2,
        decision_steps=2,
        dial_steps=2,
        online_steps=2,
        moving_steps=2,
    )
    policies = Policies(SMALL, tmp_path, effort)
    held_out = np.flatnonzero(SMALL.heldout_E)
    rows, weights = [], {}
    for method in METHODS:
        folder = policies.made(method, "causal", 0.8)
        read = behaviour(load(folder), SMALL, held_out, "causal")
        found = measure(read, read.p_E_R, read.p_E_R, SMALL.kind_E[held_out], 0.8)
        rows.append({"mode": "causal", "threshold": 0.8, "method": method, "seed": 0, **found})
        weights[method] = (folder / "model.safetensors").read_bytes()
    # A base model that has hardly learnt anything says nothing online that is paid for.
    offline = [method for method in METHODS if method not in ("sharp", "grpo", "words", "stock", "moved", "online")]
    assert len({weights[method] for method in offline}) == len(offline)
    assert weights["sharp"] == weights["base"]
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("model.safetensors")}
    assert {policies.made(method, "causal", 0.8) for method in METHODS} <= {path.parent for path in made}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("model.safetensors")} == made
    draw(rows, tmp_path / "known_probabilities.png")
    assert (tmp_path / "known_probabilities.png").stat().st_size > 10_000


def test_a_token_is_counted_each_time_a_model_embeds_it():
    import torch
    from benchmarks.known_probabilities.tokens import counted
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=20, **shape))
    model(torch.zeros(2, 5, dtype=torch.long))
    with counted() as tokens:
        model(torch.zeros(2, 5, dtype=torch.long))
        model(torch.zeros(1, 7, dtype=torch.long))
    model(torch.zeros(2, 5, dtype=torch.long))
    assert tokens == [17]


def test_the_base_model_learns_answers_and_not_what_is_asked():
    import torch
    from benchmarks.known_probabilities.base import answers

    system, user, assistant, padding = 7, 8, 9, 0
    rows = [[user, 5, assistant, 3, 4, padding, padding], [system, 6, user, 5, assistant, 3, 4]]
    learnt = answers(torch.tensor(rows), assistant, padding)
    kept = [
        [one for one, keep in zip(row[1:], keeps, strict=True) if keep] for row, keeps in zip(rows, learnt, strict=True)
    ]
    assert kept == [[3, 4], [3, 4]]


def test_only_the_dial_is_told_its_threshold():
    from benchmarks.known_probabilities.policies import METHODS, told

    assert {method: told(method, 0.8) for method in METHODS if told(method, 0.8)} == {
        "conditioned": "Reliability: 0.80"
    }


def test_what_is_not_defined_is_null():
    from benchmarks.known_probabilities.table import as_json

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    rows = [{"method": "base", "switch": float("nan"), "share": 0.5, "curve": [(0.1, 0.2, 3.0)]}]
    read = json.loads(as_json(rows), parse_constant=refuse)
    assert read == [{"method": "base", "switch": None, "share": 0.5, "curve": [[0.1, 0.2, 3.0]]}]


def test_the_table_has_means_over_seeds_and_the_range_of_switch_points():
    from benchmarks.known_probabilities.table import markdown

    def row(method, seed, share, switch):
        shared = {"mode": "causal", "threshold": 0.8, "method": method, "seed": seed}
        return {**shared, "share": share, "share_drawn": share / 2, "switch": switch}

    told = markdown(
        [row("base", 0, -1.0, float("nan")), row("conditioned", 0, 0.9, 0.75), row("conditioned", 1, 1.0, 0.83)]
    )
    assert "| `base` | 1 | -1.00 · -0.50 (–) |" in told
    assert "| `conditioned` | 2 | 0.95 · 0.47 (0.75–0.83) |" in told
