"""What FragmentGRPOTrainer relies on inside TRL, held to the formula by hand; these fail first when TRL moves."""

from __future__ import annotations

import inspect
import threading

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig, GRPOTrainer

from rlhalt.errors import InputError
from rlhalt.fragments.sentences import sentences
from rlhalt.scoring import Scorer
from rlhalt.training.fragment_grpo import callbacks
from rlhalt.training.fragment_grpo.advantages import Pay, advantages, earned
from rlhalt.training.fragment_grpo.methods import truth_rl
from rlhalt.training.fragment_grpo.reward import FragmentReward
from rlhalt.training.fragment_grpo.trainer import LOSSES, FragmentGRPOTrainer, check_arguments
from rlhalt.verifiers import Verdict

CPU = {"use_cpu": True, "bf16": False, "report_to": "none", "save_strategy": "no", "gradient_checkpointing": False}
MEANT = {"scale_rewards": "none", "disable_dropout": True, "loss_type": "dapo"}
THRESHOLD = 0.2

# TRL says so of `rollout_func`, which only tests use, to put words into the policy's mouth.
pytestmark = pytest.mark.filterwarnings("ignore:You are using 'rollout_func'")


class Words:
    """A fragment is correct where it says "right", incorrect where it says "wrong"."""

    name = "words/1"

    def verify(self, response, fragments, reference):
        def label(one):
            if one.kind == "halt":
                return "halt"
            return "correct" if "right" in one.text else "incorrect" if "wrong" in one.text else "unverifiable"

        if "broke" in response:
            raise RuntimeError("broke")
        return [Verdict(label(one), "", None) for one in fragments]


def reward(halting="independent"):
    return FragmentReward(Scorer(sentences, Words(), halting=halting), Pay(THRESHOLD, halting))


@pytest.fixture(scope="module")
def tokenizer(tiny_model):
    return AutoTokenizer.from_pretrained(tiny_model)


def arguments(tmp_path, **changes):
    defaults = {"per_device_train_batch_size": 4, "num_generations": 4, "max_completion_length": 64, "max_steps": 1}
    return GRPOConfig(output_dir=str(tmp_path), **{**CPU, **MEANT, **defaults, **changes})


def trainer(tiny_model, tmp_path, said=None, *, cls=FragmentGRPOTrainer, scored_by=None, others=None, **changes):
    """A trainer; its policy says what it is told to, where it is told."""
    scored_by = scored_by or reward()
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    rows = [{"prompt": [{"role": "user", "content": f"State {n}."}], "reference": "{}"} for n in ("a", "some more")]

    def roll_out(prompts, _):
        ids = [tokenizer.apply_chat_template(one, add_generation_prompt=True, return_dict=False) for one in prompts]
        said_ids = [tokenizer.encode(text) for text in said]
        return {"prompt_ids": ids, "completion_ids": said_ids, "logprobs": None}

    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    named = {"reward": scored_by} if cls is FragmentGRPOTrainer else {"reward_funcs": scored_by}
    return cls(
        model,
        args=arguments(tmp_path, **changes),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        rollout_func=roll_out if said else None,
        **named,
        **(others or {}),
    )


END = "<|im_end|>"
SAID = [
    f"This is right. 東京 is wrong. 🇳🇴 is right.{END}",
    f"This is wrong.{END}",
    f"1. São is ri<|im_start|>ght.\n2. That is right. Unsure from here.{END}",
    "This is right. This is right and goes on without",
]


def rows(one):
    return [{"prompt": [{"role": "user", "content": "State a."}], "reference": "{}"} for _ in one]


def by_hand(tokenizer, said, halting="independent"):
    """Advantages by text, put together apart from the code under test: (piece of text, advantage) rows."""
    group = []
    for text in said:
        plain = text.removesuffix(END).replace("<|im_start|>", "")
        judged = Scorer(sentences, Words(), halting=halting).judge(plain, {})
        group.append(earned(judged, Pay(THRESHOLD, halting), unfinished=not text.endswith(END)))
    return advantages(group)


def spoken(tokenizer, ids, values):
    """Text by advantage, rounded; padding left out."""
    found = {}
    for one, value in zip(ids.tolist(), values.tolist(), strict=True):
        found.setdefault(round(value, 5), []).append(one)
    return {
        value: tokenizer.decode([one for one in some if one != tokenizer.pad_token_id]) for value, some in found.items()
    }


def test_where_openings_are_credited_words_have_no_gradient(tiny_model, tokenizer, tmp_path):
    one = trainer(tiny_model, tmp_path, SAID, others={"credited": "opening"})
    one.model.train()
    batch = one._generate_and_score_completions(rows(SAID))
    first, second, *_ = (
        spoken(tokenizer, ids, values) for ids, values in zip(batch["completion_ids"], batch["advantages"], strict=True)
    )
    opened = {value: text for value, text in first.items() if value}
    assert list(opened) == [1.0, 0.66667, 0.8]
    assert opened[1.0] == "T"
    assert opened[0.66667] == " 東"
    assert "right." in first[0.0]
    # The same matter in another answer, and the end of the answer.
    assert second[-1.13333] == opened[1.0]
    assert second[-0.13333] == END


def test_the_reward_of_another_method_is_spread_over_whole_responses(tiny_model, tokenizer, tmp_path):
    one = trainer(tiny_model, tmp_path, SAID, others={"credit": "response", "method": truth_rl.rewards})
    one.model.train()
    batch = one._generate_and_score_completions(rows(SAID))
    # -1, -1 and 1; the last was cut off, which costs 1 whatever it says.
    for row, wanted in enumerate((-1 + 1 / 3, -1 + 1 / 3, 1 + 1, -1 + 1 / 3)):
        values = batch["advantages"][row]
        assert values[0].item() == pytest.approx(wanted)
        assert {round(value, 5) for value in values.tolist()} <= {round(wanted, 5), 0.0}


def test_each_token_has_the_advantage_of_its_decision(tiny_model, tokenizer, tmp_path):
    one = trainer(tiny_model, tmp_path, SAID)
    one.model.train()
    batch = one._generate_and_score_completions(rows(SAID))
    assert batch["advantages"].shape == batch["completion_ids"].shape
    # To go: [1.4, 0.6, 0.8, 0], [-0.2, 0], [1.6, 0.8, 0], [-0.2, -1]: the last was cut off, which costs 1.
    a, b, c, d = by_hand(tokenizer, SAID)
    assert a == [pytest.approx(v) for v in (1.4 - 1.2 / 3, 0.6 + 0.2 / 3, 0.8, 0)]
    assert b == [pytest.approx(v) for v in (-0.2 - 2.8 / 3, 0 - 0.4 / 3)]
    assert c == [pytest.approx(v) for v in (1.6 - 1.0 / 3, 0.8 + 0.4 / 3, 0 - 0.8 / 3)]
    assert d == [pytest.approx(v) for v in (-0.2 - 2.8 / 3, -1 - 1.4 / 3)]
    first, second, third, fourth = (
        spoken(tokenizer, ids, values) for ids, values in zip(batch["completion_ids"], batch["advantages"], strict=True)
    )
    assert first == {1.0: "This is right.", 0.66667: " 東京 is wrong. 🇳🇴", 0.8: " is right.", 0.0: END}
    assert second == {-1.13333: "This is wrong.", -0.13333: END, 0.0: ""}
    assert third == {
        1.26667: "1. São is right.",
        0.0: "<|im_start|>",
        0.93333: "\n2. That is right.",
        -0.26667: f" Unsure from here.{END}",
    }
    assert fourth == {-1.13333: "This is right.", -1.46667: " This is right and goes on without", 0.0: ""}


def test_blanks_up_to_the_limit_have_the_price_of_not_ending(tiny_model, tokenizer, tmp_path):
    said = [f"This is right.{END}"] * 3 + ["This is right.\n\n\n\n"]
    one = trainer(tiny_model, tmp_path, said)
    one.model.train()
    batch = one._generate_and_score_completions(rows(said))
    length = int(batch["completion_mask"][3].sum())
    assert batch["advantages"][3, :length].tolist() == [pytest.approx(-1 - 0.8)] * length
    assert one._metrics["train"]["rewards/FragmentReward/mean"] == [pytest.approx((3 * 0.8 - 1) / 4)]


def test_facts_beyond_the_number_that_is_asked_for_have_no_gain_for_the_trainer_either(tiny_model, tmp_path):
    said = [f"This is right. That is right.{END}", f"This is right.{END}"] * 2
    one = trainer(tiny_model, tmp_path, said)
    one.model.train()
    batch = one._generate_and_score_completions([{**row, "reference": '{"n_asked": 1}'} for row in rows(said)])
    assert batch["advantages"].abs().max() < 1e-6


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_loss_and_gradient_are_those_of_the_formula(tiny_model, tokenizer, tmp_path, loss, beta):
    one = trainer(tiny_model, tmp_path, SAID, loss_type=loss, beta=beta, epsilon_high=2.0 if loss == "cispo" else None)
    one.model.train()
    one.current_gradient_accumulation_steps = 1
    batch = one._generate_and_score_completions(rows(SAID))
    batch = {key: value for key, value in batch.items() if value is not None}
    if beta:
        with torch.no_grad():  # another policy than the reference, or there is no KL to see
            for weight in one.model.parameters():
                weight.mul_(1.05)
    one.compute_loss(one.model, batch).backward()
    found = {name: weight.grad for name, weight in one.model.named_parameters()}

    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    reference = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    if beta:
        with torch.no_grad():
            for weight in model.parameters():
                weight.mul_(1.05)
    prompt = tokenizer.apply_chat_template(rows([0])[0]["prompt"], add_generation_prompt=True, return_dict=False)
    total, count = torch.zeros(()), 0
    for text, values in zip(SAID, by_hand(tokenizer, SAID), strict=True):
        ids = tokenizer.encode(text)
        tokens = torch.tensor([prompt + ids])
        logps = model(tokens).logits[0, len(prompt) - 1 : -1].log_softmax(-1)[range(len(ids)), ids]
        given = torch.tensor(values_of(tokenizer, text, values))
        total = total - (given * logps).sum()
        if beta:
            with torch.no_grad():
                theirs = reference(tokens).logits[0, len(prompt) - 1 : -1].log_softmax(-1)[range(len(ids)), ids]
            # Times the ratio of probabilities, which is 1 and has a gradient: so it is that of the reverse KL.
            ratio = torch.exp(logps - logps.detach())
            total = total + beta * (ratio * (torch.exp(theirs - logps) - (theirs - logps) - 1)).sum()
        count += len(ids)
    total = total / (4 * 64 if loss == "dr_grpo" else count)
    total.backward()
    for name, weight in model.named_parameters():
        assert (found[name] - weight.grad).abs().max() < 5e-4 * weight.grad.abs().max(), name


def values_of(tokenizer, text, values):
    """An advantage a token, from the texts of the decisions, by cutting the text and not the tokens."""
    pieces = {
        SAID[0]: ["This is right.", " 東京 is wrong. 🇳🇴", " is right.", END],
        SAID[1]: ["This is wrong.", END],
        SAID[2]: ["1. São is ri", "<|im_start|>", "ght.", "\n2. That is right.", f" Unsure from here.{END}"],
        SAID[3]: ["This is right.", " This is right and goes on without"],
    }[text]
    if text == SAID[2]:
        values = [values[0], 0.0, values[0], *values[1:]]
    found = []
    for piece, value in zip(pieces, values, strict=True):
        found += [value] * len(tokenizer.encode(piece))
    assert len(found) == len(tokenizer.encode(text))
    return found


def test_a_stock_trainer_takes_the_reward_too(tiny_model, tmp_path):
    one = trainer(tiny_model, tmp_path, SAID, cls=GRPOTrainer)
    one.model.train()
    batch = one._generate_and_score_completions(rows(SAID))
    totals = torch.tensor([1.4, -0.2, 1.6, 1.6])  # a stock trainer does not say which responses were cut off
    assert batch["advantages"] == pytest.approx(totals - totals.mean(), abs=1e-5)
    assert one._metrics["train"]["rewards/FragmentReward/mean"] == [pytest.approx(1.1)]
    assert one._metrics["train"]["responses/halted"] == [0.25]


def test_what_failed_has_no_gradient_and_is_counted(tiny_model, tmp_path):
    said = [f"It broke.{END}", f"This is right.{END}", f"This is right.{END}", f"This is wrong.{END}"]
    one = trainer(tiny_model, tmp_path, said)
    one.model.train()
    batch = one._generate_and_score_completions(rows(said))
    assert not batch["advantages"][0].any()
    assert batch["advantages"][1:, 0].tolist() == [pytest.approx(v) for v in (0.8 - 0.3, 0.8 - 0.3, -0.2 - 0.8)]
    assert one._metrics["train"]["fragments/failure_share"] == [0.25]
    assert one._metrics["train"]["groups/empty"] == [0.0]


def test_groups_are_the_rows_of_one_prompt_and_empty_ones_are_counted(tiny_model, tmp_path):
    said = [f"This is right.{END}", f"This is right.{END}", f"This is wrong.{END}", f"This is right.{END}"]
    one = trainer(tiny_model, tmp_path, said, num_generations=2)
    one.model.train()
    batch = one._generate_and_score_completions(rows(said))
    assert batch["advantages"][:, 0].tolist() == [0, 0, pytest.approx(-1), pytest.approx(1)]
    assert one._metrics["train"]["groups/empty"] == [0.5]


def test_a_group_in_evaluation_may_be_one_response(tiny_model, tmp_path):
    one = trainer(tiny_model, tmp_path, [f"This is right.{END}"], num_generations_eval=1)
    one.model.eval()
    batch = one._generate_and_score_completions(rows([0]))
    # Compared with saying nothing.
    assert batch["advantages"][0, 0] == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"scale_rewards": "group"}, "field 'scale_rewards': expected none: dividing by a standard deviation"),
        ({"mask_truncated_completions": True}, "field 'mask_truncated_completions': expected false"),
        ({"entropy_coef": 0.01}, "field 'entropy_coef': expected 0.0"),
        ({"use_adaptive_entropy": True}, "field 'use_adaptive_entropy': expected false"),
        ({"top_entropy_quantile": 0.2}, "field 'top_entropy_quantile': expected 1.0"),
        ({"beta": 0.01, "use_bias_correction_kl": False}, "field 'use_bias_correction_kl': expected true"),
        ({"disable_dropout": False}, "field 'disable_dropout': expected true: tokens are drawn without dropout"),
        ({"loss_type": "grpo"}, "field 'loss_type': expected dapo, dr_grpo, bnpo, cispo"),
        ({"loss_type": "vespo"}, "field 'loss_type'"),
        ({"importance_sampling_level": "sequence"}, "field 'importance_sampling_level': expected token"),
        ({"off_policy_mask_threshold": 0.5}, "field 'off_policy_mask_threshold': expected none"),
    ],
)
def test_settings_under_which_it_would_not_mean_what_it_says_are_refused(tmp_path, change, says):
    with pytest.raises(InputError) as caught:
        check_arguments(arguments(tmp_path, **change))
    assert says in str(caught.value)
    check_arguments(arguments(tmp_path))
    check_arguments(arguments(tmp_path, beta=0.0, use_bias_correction_kl=False))


@pytest.mark.parametrize(
    ("change", "served"),
    [
        ({"gradient_accumulation_steps": 4}, 1),
        ({"gradient_accumulation_steps": 2, "steps_per_generation": 4}, 2),
        ({"num_iterations": 3}, 3),
        # Generations begin with a step at every second of them.
        ({"gradient_accumulation_steps": 2, "steps_per_generation": 3}, 3),
    ],
)
def test_a_checkpoint_amid_what_one_generation_serves_is_refused(tmp_path, change, served):
    for steps in range(1, 7):
        saving = arguments(tmp_path, save_strategy="steps", save_steps=steps, **change)
        if steps % served:
            with pytest.raises(InputError, match=f"field 'save_steps': expected a multiple of {served}, .* {steps}"):
                check_arguments(saving)
        else:
            check_arguments(saving)
    check_arguments(arguments(tmp_path, save_strategy="no", save_steps=5, **change))


def test_vllm_stops_at_every_end_of_a_turn():
    from types import SimpleNamespace

    from rlhalt.training.fragment_grpo.trainer import stop_vllm

    args = SimpleNamespace(use_vllm=True, generation_kwargs={"min_tokens": 1})
    stop_vllm(args, [1, 7])
    assert args.generation_kwargs == {"stop_token_ids": [1, 7], "min_tokens": 1}
    args = SimpleNamespace(use_vllm=False, generation_kwargs=None)
    stop_vllm(args, [1, 7])
    assert args.generation_kwargs is None


def test_an_alarm_stops_a_run(tiny_model, tmp_path):
    said = [f"Unsure from here.{END}"] * 4
    limits = callbacks.Limits(refused=0.9, drift=4, empty=1.1, failed=0.02, patience=2)
    one = trainer(tiny_model, tmp_path, said, max_steps=5, logging_steps=1, others={"limits": limits})
    with pytest.raises(callbacks.TrainingDiverged, match="made no claim in 2 logged steps"):
        one.train()
    assert one.state.global_step == 2


def test_the_hooks_that_are_used_are_there():
    assert list(inspect.signature(GRPOTrainer._generate_and_score_completions).parameters) == ["self", "inputs"]
    assert list(inspect.signature(GRPOTrainer._generate).parameters) == ["self", "prompts"]
    assert "return prompt_ids, completion_ids, tool_mask, completions," in inspect.getsource(GRPOTrainer._generate)
    # Which responses were cut off.
    ends = "eos_and_pad = [*self.eos_token_ids, self._tokenizer.pad_token_id]"
    assert ends in inspect.getsource(GRPOTrainer._generate)
    assert "ids[-1] not in eos_and_pad" in inspect.getsource(GRPOTrainer._generate)
    source = inspect.getsource(GRPOTrainer._compute_loss)
    assert "if advantages.dim() == 1:" in source
    assert "per_token_kl = per_token_kl * coef_1" in source
    # A checkpoint keeps neither: where a run goes on, a generation begins.
    source = inspect.getsource(GRPOTrainer.__init__)
    assert "self._step = 0" in source
    assert "self._buffered_inputs = None" in source
    assert "_step" not in inspect.getsource(GRPOTrainer._save_checkpoint).replace("global_step", "")


def test_responses_are_judged_while_log_probabilities_are_computed(tiny_model, tmp_path):
    """A judge that waits for them, and log-probabilities that wait for it: one after the other, neither would end."""
    asked, computed = threading.Event(), threading.Event()

    class Waiting(Words):
        def verify(self, response, fragments, reference):
            asked.set()
            assert computed.wait(60)
            return super().verify(response, fragments, reference)

    scored_by = FragmentReward(Scorer(sentences, Waiting()), Pay(THRESHOLD, "independent"))
    one = trainer(tiny_model, tmp_path, SAID, beta=0.1, scored_by=scored_by)
    compute = one._get_per_token_logps_and_entropies

    def and_wait(*args, **named):
        assert asked.wait(60)
        found = compute(*args, **named)
        computed.set()
        return found

    one._get_per_token_logps_and_entropies = and_wait
    one.model.train()
    batch = one._generate_and_score_completions(rows(SAID))
    assert one._metrics["train"]["fragments/failure_share"] == [0]
    assert batch["advantages"][0, 0] == pytest.approx(1.0)


def test_the_order_of_prompts_is_drawn_from_the_generator_of_the_sampler(tiny_model, tmp_path):
    one = trainer(tiny_model, tmp_path, num_generations=2, per_device_train_batch_size=2)
    one.train_dataset = Dataset.from_list([{"prompt": str(n)} for n in range(32)])
    sampler = one._get_train_sampler()
    first, second = list(sampler), list(sampler)
    assert first != second
    sampler.generator.manual_seed(one.args.seed)
    assert list(sampler) == first
