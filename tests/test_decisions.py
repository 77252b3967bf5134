"""Decisions: what they are worth and where they stand, their tokens, and a loss whose optimum is the threshold."""

import dataclasses
import json
import math
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhalt.chat.threshold_prompt import with_threshold, without_threshold
from rlhalt.cli import main
from rlhalt.errors import InputError
from rlhalt.records import HALT_PHRASE, Decision, Scored, content_key, read, write
from rlhalt.training_data import write_decisions
from rlhalt.training_data.decisions import conditioned_decisions, decisions, utility_ahead

A, B, C, D = "A is in Asia.", "Its capital is B.", "Its currency is C.", "It is large."


def told(one: Decision) -> tuple[str, str, list[str], float]:
    return one.before, one.speak, one.otherwise, round(one.worth, 9)


def answers(scored_row: Any, *marked: tuple[list[str], str]) -> list[Scored]:
    """Responses to one prompt."""
    return [
        dataclasses.replace(scored_row(sentences, marks), key=content_key(number, sentences, marks), index=number)
        for number, (sentences, marks) in enumerate(marked)
    ]


# Where they stand and what they are worth.


@pytest.mark.parametrize("style", ["remove", "unsure", "truncate"])
@pytest.mark.parametrize("marks", ["+", "-"])
def test_no_decision_is_between_a_way_and_itself(scored_row, style, marks):
    """A file that an older scorer wrote may hold a verdict on the halting phrase."""
    assert list(decisions([scored_row([HALT_PHRASE], marks)], 0.5, style)) == []
    for one in decisions([scored_row([A, HALT_PHRASE], "+" + marks)], 0.5, style):
        assert one.otherwise
        assert one.speak.strip() not in [way.strip() for way in one.otherwise]


@pytest.mark.parametrize("otherwise", [[], [A]])
def test_a_file_with_a_decision_between_nothing_is_refused_by_row(scored_row, tmp_path, otherwise):
    good = next(decisions([scored_row([A, B], "+-")], 0.5, "remove"))
    write(tmp_path / "decisions.jsonl", [good, dataclasses.replace(good, otherwise=otherwise)])
    with pytest.raises(InputError, match=r"decisions.jsonl:2: field 'otherwise': expected other ways"):
        list(read(tmp_path / "decisions.jsonl", Decision))


def test_a_lone_response_that_leaves_out(scored_row):
    found = [told(one) for one in decisions([scored_row([A, B, C], "+-+")], 0.3, "remove")]
    assert found == [
        ("", A, [B, C, HALT_PHRASE], 0.7),
        (A, f" {B}", [f" {C}", ""], -0.3),
        (A, f" {C}", [""], 0.7),
    ]


def test_what_is_unlikely_at_the_threshold_does_not_stand_before(scored_row):
    rows = answers(scored_row, ([A, C], "++"), ([A, D], "-+"), ([B, C], "-+"), ([B, C], "-+"))
    # A was said twice and was right once; C three times and always right.
    at = {
        one.threshold: one for tau in (0.2, 0.7) for one in decisions(rows, tau, "remove") if one.source == rows[0].key
    }
    assert {tau: one.before for tau, one in at.items()} == {0.2: A, 0.7: ""}
    assert at[0.7].otherwise == [HALT_PHRASE]


def test_what_is_said_twice_is_one_way(scored_row):
    first, second, _ = decisions([scored_row([A, C, C], "-++")], 0.3, "remove")
    assert told(first) == ("", A, [C, HALT_PHRASE], -0.3)
    assert told(second) == ("", C, [HALT_PHRASE], 0.7)


def test_a_response_that_is_cut(scored_row):
    row = scored_row([A, D, B, C], "+?-+")
    assert [told(one) for one in decisions([row], 0.3, "unsure")] == [
        ("", A, [HALT_PHRASE], 0.7),
        (f"{A} {D}", f" {B}", [f" {HALT_PHRASE}"], -0.3),
    ]
    assert [one.otherwise for one in decisions([row], 0.3, "truncate")] == [[HALT_PHRASE], [""]]


def test_nothing_is_decided_behind_a_halt_nor_in_a_failed_response(scored_row):
    assert len(list(decisions([scored_row([A, HALT_PHRASE], "+.")], 0.5, "unsure"))) == 1
    assert not list(decisions([scored_row([A, B], "+!")], 0.5, "unsure"))


def test_utility_ahead_is_optimal_stopping(scored_row):
    rows = answers(scored_row, ([A, B, C], "+++"), ([A, B, C], "++-"), ([A, B, C], "+-+"), ([A, HALT_PHRASE], "+."))
    # Of four that come to the second boundary three go on, two of them right; of these one is right again.
    third = 1.0 * max(0.0, 0.5 - 0.4)
    second = 3 / 4 * max(0.0, 2 / 3 - 0.4 + 2 / 3 * third)
    first = 1 - 0.4 + second
    assert utility_ahead(rows, 0.4) == pytest.approx([first, second, third, 0])
    assert utility_ahead(rows, 0.9)[2] == 0
    assert utility_ahead([], 0.4) == [0]


def test_a_doubtful_step_that_opens_the_way_is_worth_more(scored_row):
    rows = answers(scored_row, *[([A, B, C], "+++")] * 4, *[([A], "-")] * 4)
    first = {one.source: one.worth for one in decisions(rows, 0.4, "unsure") if not one.before}
    assert [round(first[row.key], 6) for row in rows] == [1.8] * 4 + [-0.4] * 4


@pytest.mark.parametrize(("threshold", "style", "says"), [(1.0, "remove", "0 and 1"), (0.5, "flip", "remove, unsure")])
def test_what_cannot_be_decided(scored_row, threshold, style, says):
    with pytest.raises(InputError, match=says):
        list(decisions([scored_row([A], "+")], threshold, style))


# The threshold in the prompt.


def test_each_response_says_its_threshold(scored_row):
    rows = answers(scored_row, *[([A, B], "+-")] * 40)
    found = list(conditioned_decisions(rows, [0.2, 0.75], "remove", seed=0))
    assert {one.prompt[0]["content"] for one in found} == {"Reliability: 0.20", "Reliability: 0.75"}
    assert all(one.prompt[0]["content"] == f"Reliability: {one.threshold:.2f}" for one in found)
    assert len({one.source for one in found}) == len({(one.source, one.threshold) for one in found}) == 40
    assert found == list(conditioned_decisions(rows, [0.2, 0.75], "remove", seed=0))
    with pytest.raises(InputError, match="thresholds"):
        list(conditioned_decisions(rows, [], "remove", seed=0))


@pytest.mark.parametrize("system", [None, "Be brief.", "Reliability: 0.20 is what it says."])
@pytest.mark.parametrize(("threshold", "says"), [(0.5, "0.50"), (0.804, "0.80"), (0.996, "1.00"), (0.001, "0.00")])
def test_a_dial_can_be_taken_off(system, threshold, says):
    prompt = [*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": "State it."}]
    assert with_threshold(prompt, threshold)[0]["content"].endswith(f"Reliability: {says}")
    assert without_threshold(with_threshold(prompt, threshold)) == prompt == without_threshold(prompt)


def test_a_dialled_prompt_is_no_other_prompt(scored_row):
    from rlhalt.contamination import prompts_seen

    plain = list(decisions([scored_row([A], "+")], 0.5, "remove"))
    told = list(conditioned_decisions([scored_row([A], "+")], [0.5], "remove", seed=0))
    assert prompts_seen(plain) == prompts_seen(told)


# Tokens.


@pytest.fixture(scope="module")
def tokenizer(tiny_model) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model)


def test_ways_end_where_they_have_parted(scored_row, tokenizer):
    from rlhalt.training.decision_trees.trees import trees
    from rlhalt.training.token_alignment import Prompts

    row = scored_row([A, B, C], "+-+")
    [made], refused = trees(Prompts(tokenizer), decisions([row], 0.3, "remove"))
    assert refused == []
    prompt = tokenizer.apply_chat_template(row.prompt, add_generation_prompt=True)["input_ids"]
    said = [tokenizer.decode(ids[len(prompt) :]) for ids in made["sequences"]]
    for one, fragment in zip(made["decisions"], [A, f"{A} {B}", f"{A} {C}"], strict=True):
        speak, *others = one["ways"]
        # Speaking's words are all there, and nothing of what the template puts behind.
        assert said[speak] == fragment
        for way, parted in zip(one["ways"], one["parted"], strict=True):
            ids = made["sequences"][way]
            rest = [made["sequences"][its] for its in one["ways"] if its != way]
            assert all(ids[:parted] != its[:parted] for its in rest)
            assert any(ids[: parted - 1] == its[: parted - 1] for its in rest)
            assert way == speak or len(ids) == parted
        assert all(made["sequences"][its][: one["opens"]] == made["sequences"][speak][: one["opens"]] for its in others)
    assert [one["worth"] for one in made["decisions"]] == pytest.approx([0.7, -0.3, 0.7])


def test_decisions_that_would_be_cut_off_are_named(scored_row, tokenizer):
    from rlhalt.training.decision_trees.trees import trees
    from rlhalt.training.token_alignment import Prompts

    row = scored_row([A, B, C], "+++")
    whole = tokenizer.apply_chat_template([*row.prompt, {"role": "assistant", "content": f"{A} {B}"}])["input_ids"]
    [made], refused = trees(Prompts(tokenizer), decisions([row], 0.3, "unsure"), max_length=len(whole))
    assert len(made["decisions"]) == 2
    assert [one.reason for one in refused] == [f"longer than {len(whole)} tokens"]


def test_what_begins_with_the_other_is_not_trained_on(scored_row, tokenizer):
    from rlhalt.training.decision_trees.trees import trees
    from rlhalt.training.token_alignment import Prompts

    [one] = decisions([scored_row([A], "+")], 0.5, "remove")
    same = dataclasses.replace(one, otherwise=[one.speak])
    made, [refused] = trees(Prompts(tokenizer), [same])
    assert (made, refused.reason) == ([], "one way begins with another")


# The loss.


@pytest.fixture(scope="module")
def model(tiny_model) -> Any:
    import torch
    from transformers import AutoModelForCausalLM
    from trl.trainer.utils import add_fused_lm_head

    one = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.mul_(3.0 if parameter.dim() > 1 else 1.0)
    add_fused_lm_head(one)
    return one


ids = st.lists(st.integers(3, 300), min_size=1, max_size=4)


@st.composite
def response(draw: Any) -> dict[str, Any]:
    """A tree of decisions: at some places of a trunk, ways that part at once and go on for a while."""
    trunk = draw(st.lists(st.integers(3, 300), min_size=4, max_size=12))
    sequences, made = [], []
    for opens in draw(st.lists(st.integers(1, len(trunk) - 1), min_size=1, max_size=3, unique=True)):
        heads = draw(st.lists(st.integers(3, 300), min_size=2, max_size=4, unique=True))
        tail = draw(ids)
        numbers = range(len(sequences), len(sequences) + len(heads))
        sequences += [[*trunk[:opens], head, *(tail if place == 0 else [])] for place, head in enumerate(heads)]
        worth = draw(st.floats(0.1, 1.0)) * draw(st.sampled_from([-1, 1]))
        made.append({"ways": list(numbers), "opens": opens, "parted": [opens + 1] * len(heads), "worth": worth})
    return {"sequences": sequences, "decisions": made}


def by_hand(model: Any, rows: list[dict[str, Any]], beta: float) -> tuple[Any, Any, Any]:
    """The sums of `rlhalt.training.decision_trees.loss`, one sequence at a time."""
    import torch

    decided, held, anchored = torch.zeros(()), torch.zeros(()), torch.zeros(())
    for row in rows:
        for one in row["decisions"]:
            each = []
            for place, (way, parted) in enumerate(zip(one["ways"], one["parted"], strict=True)):
                its = torch.tensor([row["sequences"][way]])
                found = model(input_ids=its).logits[0, :-1].log_softmax(-1).gather(-1, its[0, 1:, None])[:, 0]
                each.append(found[one["opens"] - 1 : parted - 1].sum())
                if place == 0:
                    anchored = anchored - found[parted - 1 :].sum()
            odds = each[0] - torch.stack(each[1:]).logsumexp(0)
            sign = 1 if one["worth"] > 0 else -1
            decided = decided - abs(one["worth"]) * torch.nn.functional.logsigmoid(sign * beta * odds) / beta
            held = held - torch.stack(each).logsumexp(0)
    return decided, held, anchored


def test_a_batch_of_trees_costs_what_its_sequences_cost(model):
    import torch

    from rlhalt.training.decision_trees.collator import DecisionCollator
    from rlhalt.training.decision_trees.loss import sums
    from rlhalt.training.prefix_sharing.attention import over_trees

    def gradients(loss: Any) -> torch.Tensor:
        model.zero_grad()
        loss.backward()
        return torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None])

    @settings(max_examples=25, deadline=None)
    @given(st.lists(response(), min_size=1, max_size=4), st.integers(0, 60), st.floats(0.1, 1.0))
    def same(rows: list[dict[str, Any]], width: int, beta: float) -> None:
        batch = DecisionCollator(width)(rows)
        trees = {name: one for name, one in batch.items() if name.startswith("tree_")}
        found = over_trees(model, model.config, **trees, fused_lm_head=True, use_cache=False).log_probs.flatten()
        total = sums(found, batch["ways"], batch["worth"], batch["said"], beta)
        expected = by_hand(model, rows, beta)
        ours = (total.decided, total.held, total.anchored)
        assert [float(one.detach()) for one in ours] == pytest.approx(
            [float(one.detach()) for one in expected], rel=1e-4, abs=1e-5
        )
        weighed = [one[0] + 0.3 * one[1] + 0.7 * one[2] for one in (ours, expected)]
        one, other = (gradients(loss) for loss in weighed)
        assert float((one - other).norm()) <= 1e-4 * float(other.norm()) + 1e-5
        assert int(batch["responses"]) == len(rows)

    same()


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("p", [0.1, 0.4, 0.6, 0.9])
def test_the_optimum_speaks_iff_p_is_at_least_the_threshold(p, threshold):
    """Ten decisions with the same logits: the loss alone, brought to its minimum."""
    import torch

    from rlhalt.training.decision_trees.loss import sums

    right = round(10 * p)
    worth = torch.tensor([1 - threshold] * right + [-threshold] * (10 - right))
    logits = torch.zeros(3, requires_grad=True)
    ways = torch.arange(3)[None, :, None].expand(10, 3, 1)
    optimiser = torch.optim.LBFGS([logits], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = sums(logits.log_softmax(0), ways, worth, torch.tensor([], dtype=torch.long), beta=0.5).decided
        value.backward()
        return value

    optimiser.step(loss)
    logp = logits.detach().log_softmax(0)
    odds = float(logp[0] - logp[1:].logsumexp(0))
    expected = math.log(p / (1 - p)) - math.log(threshold / (1 - threshold))
    assert odds == pytest.approx(expected / 0.5, abs=0.05)


# Training.


@pytest.fixture
def train(tiny_model, tokenizer, tmp_path, scored_row) -> Any:
    from datasets import Dataset
    from transformers import AutoModelForCausalLM

    from rlhalt.training.decision_trees.trainer import DecisionConfig, DecisionTrainer
    from rlhalt.training.decision_trees.trees import trees
    from rlhalt.training.token_alignment import Prompts
    from tiny_training import TRAINING

    def one(lora: bool = False, resume: str | None = None, change: Any = None, **keys: Any) -> Any:
        import torch
        from peft import LoraConfig

        rows = answers(scored_row, *[([A, B, C], "+-+"), ([B, A], "-+")] * 4)
        made, _ = trees(Prompts(tokenizer), decisions(rows, 0.3, "remove"))
        peft = LoraConfig(r=4, target_modules="all-linear") if lora else None
        args = DecisionConfig(
            output_dir=str(tmp_path / "out"),
            **{**TRAINING, "learning_rate": 1e-2, "max_steps": 6, "per_device_train_batch_size": 4, **keys},
        )
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
        trainer = DecisionTrainer(model, args, Dataset.from_list(made), tokenizer, peft)
        if change:
            change(trainer.model)
        trainer.train(resume_from_checkpoint=resume)
        return trainer

    return one


def logged(trainer: Any, name: str) -> list[float]:
    return [one[name] for one in trainer.state.log_history if name in one]


@pytest.mark.parametrize(("lora", "left"), [(False, 0.3), (True, 0.8)], ids=["full", "lora"])
def test_decisions_are_learnt(train, lora, left):
    trainer = train(lora=lora, max_steps=30)
    assert logged(trainer, "decided")[-1] < left * logged(trainer, "decided")[0]
    assert logged(trainer, "agreed")[-1] == 1
    for name in ("held", "anchored"):
        assert logged(trainer, name)[-1] < logged(trainer, name)[0]


def test_an_adapter_begins_with_the_seed(train):
    def first(seed: int) -> list[float]:
        begun: list[float] = []
        train(
            lora=True,
            seed=seed,
            max_steps=1,
            change=lambda model: begun.extend(
                its.sum().item() for name, its in model.named_parameters() if "lora_A" in name
            ),
        )
        return begun

    assert first(1) == first(1) != first(2)


def test_accumulated_batches_count_as_one(train):
    one = train(per_device_train_batch_size=8)
    two = train(per_device_train_batch_size=2, gradient_accumulation_steps=4)
    assert logged(two, "loss") == pytest.approx(logged(one, "loss"), rel=1e-4)


def test_it_goes_on_from_a_checkpoint(train, tmp_path):
    keys = {"save_strategy": "steps", "save_steps": 3, "save_only_model": False}
    whole = logged(train(**keys), "loss")
    again = train(resume=str(tmp_path / "out" / "checkpoint-3"), **keys)
    assert logged(again, "loss")[-3:] == pytest.approx(whole[-3:], rel=1e-5)


def test_a_model_that_does_not_compute_trees_is_found_out(train):
    def deaf(model: Any) -> None:
        forward = model.model.forward
        model.model.forward = lambda **kwargs: forward(
            **{name: one for name, one in kwargs.items() if name != "attention_mask"}
        )

    with pytest.raises(InputError, match=r"its attention does not take the mask; train on pairs"):
        train(change=deaf)


def test_a_softness_of_nothing(train):
    with pytest.raises(InputError, match="softness"):
        train(beta=0.0)


@pytest.fixture
def scored(scored_row, tmp_path) -> Any:
    """A file of scored responses."""
    write(tmp_path / "scored.jsonl", answers(scored_row, ([A, B, C], "+-+"), ([A, C], "++"), ([B, C], "-+")))
    return tmp_path / "scored.jsonl"


def test_from_scored_responses_to_a_model_by_the_command_line(scored, tiny_model, tmp_path, capsys):
    from tiny_training import TRAINING

    made, out = tmp_path / "decisions.jsonl", tmp_path / "decided"
    assert main(["decisions", "--scored", str(scored), "--threshold", "0.8", "--output", str(made)]) == 0
    assert capsys.readouterr().out == "7 decisions of 3 responses at τ = 0.8 (remove), 5 of them to speak\n"
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({**TRAINING, "model_name_or_path": str(tiny_model), "max_steps": 2}))
    train = ["train", "decisions", "--config", str(config), "--train_file", str(made), "--output_dir", str(out)]
    assert main(train) == 0
    record = json.loads((out / "run.json").read_text())
    assert record["steps"] == 2
    assert record["not_aligned"] == []
    assert len(record["prompts"]) == 1
    assert (out / "model.safetensors").is_file()


def test_a_dial_by_the_command_line(scored, tmp_path, capsys):
    made = tmp_path / "decisions.jsonl"
    command = [
        "decisions",
        "--scored",
        str(scored),
        "--style",
        "unsure",
        "--output",
        str(made),
        "--threshold-in-prompt",
        "0.2",
        "0.7",
    ]
    assert main(command) == 0
    assert "of 3 responses at 2 thresholds (unsure)" in capsys.readouterr().out
    told = {one.prompt[0]["content"] for one in read(made, Decision)}
    assert told <= {"Reliability: 0.20", "Reliability: 0.70"}


def test_decisions_of_held_out_prompts_are_refused(scored_row, tmp_path):
    held = dataclasses.replace(scored_row([A], "+"), split="heldout")
    write(tmp_path / "held.jsonl", [held])
    with pytest.raises(InputError, match="split train"):
        write_decisions(tmp_path / "held.jsonl", tmp_path / "out.jsonl", 0.5, "remove")
