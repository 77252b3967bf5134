"""The world with known probabilities: its oracles beside brute force, and what is read off a model beside sampling."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from collections.abc import Callable, Iterator

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
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhalt.rewards import fragment_rewards

THRESHOLDS = (0.2, 0.5, 0.8, 0.95)
probabilities = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5)
SMALL = World(entities=2, exposure=8)
Earned = Callable[[tuple[int, ...], bool], float]


@given(probabilities, st.sampled_from(THRESHOLDS))
def test_the_independent_oracle_is_the_best_of_all_choices(p, threshold):
    p_E_R = np.array([p])
    best = max(
        oracle.independent_utility(np.array([choice]), p_E_R, threshold)
        for choice in itertools.product([0.0, 1.0], repeat=len(p))
    )
    found = oracle.independent_utility(oracle.independent_oracle(p_E_R, threshold), p_E_R, threshold)
    assert found == pytest.approx(best, abs=1e-12)


def policies(order: tuple[int, ...]) -> Iterator[dict[tuple[int, ...], int | None]]:
    """Every deterministic policy: what it says next, or None to end, with these facts said and all of them right.

    Only what the policy itself comes to is decided, so that each policy comes once. After a wrong fact nothing counts,
    so what is said there does not matter.
    """

    def after(said: tuple[int, ...]) -> Iterator[dict[tuple[int, ...], int | None]]:
        yield {said: None}
        for fact in order:
            if fact not in said:
                for rest in after((*said, fact)):
                    yield {said: fact, **rest}

    return after(())


def worth_of(policy: dict[tuple[int, ...], int | None], p: list[float], earned: Earned) -> float:
    """The mean of what a policy earns, over all ways in which its facts can come out."""
    total, chance, said = 0.0, 1.0, ()
    while (fact := policy[said]) is not None:
        total += chance * (1 - p[fact]) * earned((*said, fact), False)
        chance, said = chance * p[fact], (*said, fact)
    return total + chance * earned(said, True)


@functools.cache
def judged(said: tuple[int, ...], right: bool, threshold: float) -> float:
    """What the world's own verifier and the reward pay for these facts, of which the last may be wrong."""
    values = [int(SMALL.truth_E_R[0, fact]) for fact in said]
    if not right:
        values[-1] = (values[-1] + 1) % SMALL.values
    text = " ".join(map(SMALL.statement, said, values))
    fragments = SMALL.scorer().judge(text, {"subject": SMALL.names[0]})
    return sum(fragment_rewards(fragments, threshold, "causal"))


@settings(deadline=None)
@given(st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4), st.sampled_from(THRESHOLDS))
def test_the_causal_oracle_is_the_best_of_all_policies_of_the_game_as_it_is_judged(p, threshold):
    """Four facts, in any order, each said or left out: 65 policies, paid by the verifier and not by a formula."""
    every = list(policies((0, 1, 2, 3)))
    assert len(every) == 65
    best = max(worth_of(one, p, functools.partial(judged, threshold=threshold)) for one in every)
    p_E_R = np.array([p])
    found = oracle.causal_utility(oracle.causal_oracle(p_E_R, threshold), p_E_R, threshold)
    assert found == pytest.approx(best, abs=1e-9)


@given(probabilities, st.sampled_from(THRESHOLDS))
def test_the_best_stop_is_the_best_of_all_stops_and_never_above_the_oracle(p, threshold):
    p_E_R = np.array([p])

    def utility(speak):
        return oracle.causal_utility(np.array([speak], dtype=float), p_E_R, threshold)

    best = max(utility(np.arange(len(p)) < stop) for stop in range(len(p) + 1))
    found = utility(oracle.stopping(p_E_R, threshold)[0])
    assert found == pytest.approx(best, abs=1e-9)
    assert found <= utility(oracle.causal_oracle(p_E_R, threshold)[0]) + 1e-12


def test_a_doubtful_fact_is_left_out_and_the_sure_ones_after_it_are_said():
    """What a policy that only stops gives up: at 0.5 it says all four and earns 1.0, or none."""
    p_E_R = np.array([[0.9, 0.55, 0.95, 0.95]])
    assert oracle.causal_oracle(p_E_R, 0.5).tolist() == [[True, False, True, True]]
    # 0.55 is above τ, and a wrong fact would cost the two that follow.
    assert oracle.worth(p_E_R, 0.5)[0, 1] < 0.5


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
    seen = utility(oracle.visible(p_E_R, kind_E, threshold, utility), p_E_R, threshold)
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


def test_calibration_and_curve_of_known_probabilities():
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
    assert told / len(documents) == pytest.approx(world.thresholds, abs=0.03)
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


@pytest.mark.parametrize("causal", [True, False])
def test_who_ends_the_answer_leaves_out_every_fact_to_come_and_has_decided_once_whether_to_go_on(causal):
    shape = (1, len(POINTS))
    silent = Behaviour(np.zeros(shape), np.full(shape, 0.9), np.ones(shape), causal)
    assert silent.reach_E_R.tolist() == [[1, 1, 1, 1, 1]]
    assert silent.reach_next_E_R.tolist() == [[1, 0, 0, 0, 0]]
    assert silent.speak_E_R[0, 0] == silent.going_on_E_R[0, 0] == 0


@pytest.mark.parametrize("causal", [True, False])
def test_a_fact_that_is_left_out_is_not_said_and_the_answer_goes_on(causal):
    shape = (1, len(POINTS))
    passing = np.zeros(shape)
    passing[0, POINTS.index((0, 1))] = 1.0
    read = Behaviour(passing, np.full(shape, 0.9), np.zeros(shape), causal)
    assert read.speak_E_R[0, :2].tolist() == [0, 1]
    assert read.going_on_E_R[0, 0] == 1


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


def test_no_policy_is_worth_more_than_the_oracle_of_its_own_probabilities(tiny_base):
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
        conditioned_steps=2,
        shifted_steps=2,
        online_steps=2,
        offline_steps=2,
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
    # A base model that has hardly learnt anything may say nothing online that is paid for.
    online = ("grpo", "words", "stock", "moved", "online", "offline", "better-half")
    offline = [method for method in METHODS if method not in ("sharp", *online)]
    assert len({weights[method] for method in offline}) == len(offline)
    assert weights["sharp"] == weights["base"]
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("model.safetensors")}
    assert {policies.made(method, "causal", 0.8) for method in METHODS} <= {path.parent for path in made}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("model.safetensors")} == made
    draw(rows, tmp_path / "known_probabilities.png")
    assert (tmp_path / "known_probabilities.png").stat().st_size > 10_000


def test_the_better_half_of_rollouts_is_taken_group_by_group(tmp_path):
    from benchmarks.known_probabilities.online import ROLLOUTS, better_half

    def rollout(question, said, earned):
        prompt = [{"role": "user", "content": question}]
        return {"prompt": prompt, "completion": said, "earned": earned, "group": 4}

    # In the second group one failed and one said nothing.
    first = [rollout("A?", said, earned) for said, earned in (("a", 0.5), ("b", -0.5), ("c", 1.0), ("d", 0.0))]
    second = [rollout("B?", said, earned) for said, earned in (("e", -0.5), ("", 0.0), ("f", None), ("g", -1.0))]
    (tmp_path / ROLLOUTS).write_text("".join(json.dumps(one) + "\n" for one in [*first, *second]))
    found = [(one.prompt[0]["content"], one.completion[0]["content"]) for one in better_half(tmp_path)]
    assert found == [("A?", "c"), ("A?", "a"), ("B?", "Unsure from here."), ("B?", "e")]


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


def test_only_models_of_every_threshold_have_it_in_the_prompt():
    from benchmarks.known_probabilities.policies import METHODS, told

    assert {method: told(method, 0.8) for method in METHODS if told(method, 0.8)} == dict.fromkeys(
        ("conditioned", "shifted"), "Reliability: 0.80"
    )


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
