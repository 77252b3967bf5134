"""Shared prefixes: trees hold what sides share once, and losses and gradients are those of stock TRL."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhalt.errors import InputError
from rlhalt.training.prefix_sharing.layout import UNSCORED, lay_out, pack
from tiny_training import TRAINING

token = st.integers(3, 9)
sequences = st.lists(st.lists(token, min_size=2, max_size=12), min_size=1, max_size=8)


@given(sequences, st.data())
def test_every_sequence_can_be_read_off_its_tree(sequences, data):
    starts = [data.draw(st.integers(1, len(ids))) for ids in sequences]
    tree = lay_out(sequences, starts)
    for ids, start, path in zip(sequences, starts, tree.paths, strict=True):
        assert [tree.ids[index] for index in path] == ids[:-1]
        assert [tree.positions[index] for index in path] == list(range(len(ids) - 1))
        assert [tree.labels[index] for index in path[start - 1 :]] == ids[start:]
        for index, depth in zip(path, itertools.count(1), strict=False):
            assert path[:depth] == [other for other in range(index + 1) if index < tree.ends[other]]


@given(sequences)
def test_each_token_stands_once_for_what_follows_it(sequences):
    tree = lay_out(sequences, [1] * len(sequences))
    assert len(tree.ids) == len({tuple(ids[: n + 2]) for ids in sequences for n in range(len(ids) - 1)})
    assert UNSCORED not in tree.labels


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(0, 120))
def test_rows_hold_all_examples_and_are_about_as_full(sizes, width):
    lines = pack(sizes, width)
    assert sorted(itertools.chain(*lines)) == list(range(len(sizes)))
    held = [sum(sizes[number] for number in line) for line in lines]
    assert min(held) > 0
    assert max(held) - min(held) <= max(sizes)
    assert len(lines) == math.ceil(sum(sizes) / max(width, *sizes))


def test_examples_in_a_row_share_what_they_begin_with():
    from rlhalt.training.prefix_sharing.collator import SharedCollator

    examples = [{"prompt_ids": [3, 4, 5, number], "chosen_ids": [7, 8], "rejected_ids": [9]} for number in (10, 11)]
    apart = SharedCollator(pad_token_id=0, width=0)(examples)["tree_ids"]
    assert apart.tolist() == [[3, 4, 5, 10, 7, 10], [3, 4, 5, 11, 7, 11]]
    together = SharedCollator(pad_token_id=0, width=20)(examples)["tree_ids"]
    assert together.tolist() == [[3, 4, 5, 10, 7, 10, 5, 11, 7, 11]]


# Losses and gradients, against stock TRL.


def said(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


FACTS = ["Norway is in Europe.", "Its capital is Oslo.", "Its currency is the krone.", "It borders Spain."]


def rows(count: int) -> list[dict[str, Any]]:
    """Pairs that part after none, one or more of the facts."""
    made = []
    for number in range(count):
        kept = " ".join(FACTS[: number % 4])
        made.append(
            {
                "prompt": said("user", f"State {number % 5} facts about Norway."),
                "chosen": said("assistant", f"{kept} Unsure from here.".strip()),
                "rejected": said("assistant", " ".join(FACTS)),
            }
        )
    return made


@pytest.fixture(scope="module")
def make(tiny_model, tmp_path_factory) -> Callable[..., Any]:
    """A trainer of either kind on the tiny model; the same keys give the same weights."""
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    from rlhalt.training.prefix_sharing.trainer import SharedDPOTrainer

    def one(shared: bool, data: list[dict[str, Any]], lora: bool = False, attention: str = "sdpa", **keys: Any) -> Any:
        from peft import LoraConfig

        model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32, attn_implementation=attention)
        with torch.no_grad():
            # A fresh model says much the same everywhere: one that has opinions shows more.
            for parameter in model.parameters():
                parameter.mul_(3.0 if parameter.dim() > 1 else 1.0)
        if "ref_model" in keys:
            keys["ref_model"] = keys["ref_model"](model)
        rest = {name: keys.pop(name) for name in ("ref_model", "callbacks", "whole", "anchor") if name in keys}
        args = DPOConfig(output_dir=str(tmp_path_factory.mktemp("out")), **{**TRAINING, "disable_tqdm": True, **keys})
        return (SharedDPOTrainer if shared else DPOTrainer)(
            model=model,
            args=args,
            train_dataset=Dataset.from_list(data),
            processing_class=AutoTokenizer.from_pretrained(tiny_model),
            peft_config=LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False) if lora else None,
            **rest,
        )

    return one


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> None:
    monkeypatch.setenv("RLHALT_CACHE", str(tmp_path_factory.mktemp("cache")))


def step(trainer: Any, batch: dict[str, Any]) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of one batch."""
    trainer.model.zero_grad()
    trainer.model.train()
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    found = {name: one.grad for name, one in trainer.model.named_parameters() if one.grad is not None}
    return float(loss.detach()), found


def assert_same(one: tuple[float, dict[str, torch.Tensor]], other: tuple[float, dict[str, torch.Tensor]]) -> None:
    """To 1e-4 relative, loss and gradients.

    Where two sides are all but equal stock TRL adds gradients of size 1 that cancel, and rounds: 1e-5 is let go.
    """
    assert one[0] == pytest.approx(other[0], rel=1e-4)
    assert one[1].keys() == other[1].keys()
    for name, gradient in other[1].items():
        assert float((one[1][name] - gradient).norm()) <= 1e-4 * float(gradient.norm()) + 1e-5, name


def left_padded(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A stock batch with its padding on the left."""
    moved = dict(batch)
    shifts = (batch["attention_mask"] == 0).sum(dim=1).tolist()
    for name in ("input_ids", "attention_mask", "completion_mask"):
        moved[name] = torch.stack([row.roll(n) for row, n in zip(batch[name], shifts, strict=True)])
    return moved


KINDS: dict[str, dict[str, Any]] = {
    "sigmoid": {},
    "sigmoid + sft": {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.2]},
    "ld_alpha": {"ld_alpha": 0.3},
    "ld_alpha + sft": {"ld_alpha": 0.3, "loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.2]},
    "ipo": {"loss_type": ["ipo"]},
    "sigmoid_norm": {"loss_type": ["sigmoid_norm"]},
    "robust": {"loss_type": ["robust"], "label_smoothing": 0.1},
    "forward_kl": {"f_divergence_type": "forward_kl"},
    "wpo": {"use_weighting": True},
    "apo_zero": {"loss_type": ["apo_zero"]},
    "cut at the end": {"max_length": 9},
    "cut at the start": {"max_length": 9, "truncation_mode": "keep_end"},
}


@pytest.fixture(scope="module")
def both(make) -> Callable[..., tuple[Any, Any]]:
    """A stock trainer and ours with the same weights, LoRA's too."""

    @functools.cache
    def two(kind: str, lora: bool) -> tuple[Any, Any]:
        stock, ours = (make(shared, rows(2), lora=lora, beta=0.5, **KINDS[kind]) for shared in (False, True))
        ours.model.load_state_dict(stock.model.state_dict())
        if not lora:
            # TRL loads it from the folder, without what `make` did to the weights.
            for one in (stock, ours):
                one.ref_model.load_state_dict(stock.model.state_dict())
        return stock, ours

    return two


ids = st.lists(st.integers(3, 300), min_size=1, max_size=8)


@st.composite
def pairs(draw: Any) -> dict[str, list[int]]:
    """Tokenised pairs that share nothing, something, or one side whole."""
    shared = draw(st.lists(st.integers(3, 300), max_size=8))
    chosen, rejected = draw(ids), draw(ids)
    if draw(st.booleans()):
        rejected = [*chosen, *rejected]
    return {"prompt_ids": draw(ids), "chosen_ids": [*shared, *chosen], "rejected_ids": [*shared, *rejected]}


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_gradients_are_those_of_stock_trl(both, kind, lora):
    stock, ours = both(kind, lora)
    n = 12 if kind in ("sigmoid", "sigmoid + sft", "ld_alpha") else 5

    @settings(max_examples=n, deadline=None)
    @given(st.lists(pairs(), min_size=1, max_size=8), st.booleans(), st.randoms(use_true_random=False))
    def same(examples: list[dict[str, Any]], left: bool, random: Any) -> None:
        batch = stock.data_collator(examples)
        D = len(examples)
        noise = torch.tensor([random.uniform(-1, 1) for _ in range(2 * D)])
        reference = torch.cat(stock.compute_ref_log_probs(stock.model, batch)) + noise
        # The same shift of each side's reference, whatever tokens it is over.
        its = torch.cat(ours.compute_ref_log_probs(ours.model, ours.data_collator(examples))) + noise
        names = ("ref_chosen_logps", "ref_rejected_logps")
        stock.precompute_ref_logps = True
        theirs = step(
            stock, {**(left_padded(batch) if left else batch), **dict(zip(names, reference.chunk(2), strict=True))}
        )
        assert_same(step(ours, {**ours.data_collator(examples), **dict(zip(names, its.chunk(2), strict=True))}), theirs)

    same()


def losses(trainer: Any) -> list[float]:
    return [one["loss"] for one in trainer.state.log_history if "loss" in one]


# Adam divides by the size of a gradient. A gradient that is all rounding differs from CPU to CPU, and would make a step
# as large as any other: this epsilon is above the rounding and below the gradients.
TRAINED = {
    "learning_rate": 1e-2,
    "max_steps": 4,
    "per_device_train_batch_size": 2,
    "beta": 0.5,
    "adam_epsilon": 1e-5,
}


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
@pytest.mark.parametrize("precompute", [False, True], ids=["at every step", "precomputed"])
def test_a_training_is_that_of_stock_trl(make, lora, precompute):
    from transformers import AutoModelForCausalLM

    keys = {**TRAINED, "precompute_ref_log_probs": precompute, "gradient_accumulation_steps": 2}
    if not lora and not precompute:
        keys["ref_model"] = lambda model: _copy(AutoModelForCausalLM, model)
    stock, ours = (make(shared, rows(16), lora=lora, **keys) for shared in (False, True))
    for one in (stock, ours):
        one.train()
    assert losses(ours) == pytest.approx(losses(stock), rel=1e-4)
    assert losses(ours)[-1] < losses(ours)[0]
    logged = {"rewards/margins", "rewards/accuracies", "grad_norm"}
    for its, theirs in zip(ours.state.log_history, stock.state.log_history, strict=True):
        assert its.keys() == theirs.keys()
        assert all(its[name] == pytest.approx(theirs[name], rel=1e-3, abs=1e-5) for name in logged & its.keys())
    theirs = dict(stock.model.named_parameters())
    for name, parameter in ours.model.named_parameters():
        assert torch.allclose(parameter, theirs[name], rtol=1e-3, atol=1e-4), name


def _copy(kind: Any, model: Any) -> Any:
    made = kind.from_config(model.config).to(torch.float32)
    made.load_state_dict(model.state_dict())
    return made


def test_all_that_is_logged_is_that_of_stock_trl_where_all_tokens_are_scored(make):
    keys = {**TRAINED, "max_steps": 1, "loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.2]}
    first = []
    for shared in (False, True):
        trainer = make(shared, rows(4), lora=True, **keys)
        trainer.train()
        first.append(trainer.state.log_history[0])
    stock, ours = first
    assert stock.keys() == ours.keys()
    assert ours["num_tokens"] < stock["num_tokens"]
    for name in stock.keys() - {"num_tokens"}:
        assert ours[name] == pytest.approx(stock[name], rel=1e-3, abs=1e-5), name


def test_it_goes_on_from_a_checkpoint(make):
    keys = {**TRAINED, "save_strategy": "steps", "save_steps": 2, "save_only_model": False}
    straight = make(True, rows(8), lora=True, **keys)
    straight.train()
    again = make(True, rows(8), lora=True, **keys)
    again.train(resume_from_checkpoint=f"{straight.args.output_dir}/checkpoint-2")
    assert losses(again) == losses(straight)


def test_evaluation_and_bfloat16(make):
    trainer = make(True, rows(8), lora=True, **{**TRAINED, "bf16": True, "precompute_ref_log_probs": True})
    trainer.train()
    from datasets import Dataset

    assert losses(trainer)[-1] < losses(trainer)[0]
    assert trainer.evaluate(Dataset.from_list(rows(4)))["eval_loss"] < losses(trainer)[0]


class TestReferences:
    """Reference values are kept by content: nothing is computed twice."""

    @pytest.fixture
    def computed(self, monkeypatch) -> list[int]:
        from rlhalt.training.prefix_sharing.trainer import SharedDPOTrainer

        found: list[int] = []
        compute = SharedDPOTrainer.compute_ref_log_probs

        def counting(self: Any, model: Any, inputs: dict[str, Any]) -> Any:
            found.append(len(inputs["places"]) // 2)
            return compute(self, model, inputs)

        monkeypatch.setattr(SharedDPOTrainer, "compute_ref_log_probs", counting)
        return found

    def test_a_pair_is_asked_for_once(self, make, computed):
        keys = {"precompute_ref_log_probs": True, "lora": True, "per_device_train_batch_size": 4}
        data = rows(6)
        drawn = make(True, [*data, *data[:3]], **keys).train_dataset
        assert sum(computed) == 6
        again = make(True, data, **keys).train_dataset
        assert sum(computed) == 6
        assert drawn["ref_chosen_logps"][:6] == again["ref_chosen_logps"][:6] == [*again["ref_chosen_logps"]]
        assert drawn["ref_chosen_logps"][6:] == drawn["ref_chosen_logps"][:3]
        make(True, rows(7), **keys)
        assert sum(computed) == 7

    @pytest.mark.parametrize("keys", [{"ld_alpha": 0.5}, {"loss_type": ["ipo"]}, {"bf16": True}, {"max_length": 60}])
    def test_other_values_are_asked_for_again(self, make, computed, keys):
        make(True, rows(4), precompute_ref_log_probs=True, lora=True)
        make(True, rows(4), precompute_ref_log_probs=True, lora=True, **keys)
        assert sum(computed) == 8

    def test_what_the_first_process_wrote_is_not_to_be_seen_by_another(self, make, monkeypatch):
        from trl import DPOTrainer

        def elsewhere(*_: Any) -> None:
            raise FileNotFoundError

        monkeypatch.setattr(DPOTrainer, "_precompute_ref_logps", elsewhere)
        with pytest.raises(InputError, match="give RLHALT_CACHE a folder that all nodes share"):
            make(True, rows(4), precompute_ref_log_probs=True, lora=True)

    def test_a_file_that_is_something_else(self, tmp_path):
        from rlhalt.training.prefix_sharing.reference import References

        (tmp_path / "x.sqlite").write_text("not a database, but long enough to be looked at" * 40)
        with pytest.raises(InputError, match="reference values"):
            References(tmp_path / "x.sqlite")


# Models that cannot take a tree.


def test_eager_attention_takes_the_mask_too(make):
    stock = make(False, rows(8), lora=True, **TRAINED)
    ours = make(True, rows(8), lora=True, attention="eager", **TRAINED)
    for one in (stock, ours):
        one.train()
    assert losses(ours) == pytest.approx(losses(stock), rel=1e-4)


@pytest.mark.parametrize("ignored", ["attention_mask", "position_ids"])
def test_a_model_that_does_not_compute_trees_is_found_out_on_the_first_batch(make, ignored):
    trainer = make(True, rows(8), lora=True, **TRAINED)
    backbone = trainer.model.get_base_model().model
    forward = backbone.forward
    backbone.forward = lambda **kwargs: forward(**{name: one for name, one in kwargs.items() if name != ignored})
    with pytest.raises(InputError, match=r"train with TRL's own DPOTrainer \(shared: false\)"):
        trainer.train()
    assert trainer.state.global_step == 0


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"_attn_implementation": "flash_attention_2"}, "found flash_attention_2"),
        ({"sliding_window": 4096}, "full attention in all layers"),
        ({"layer_types": ["full_attention", "linear_attention"]}, "full_attention, linear_attention"),
    ],
)
def test_attention_that_is_known_not_to_take_it(make, config, says):
    trainer = make(True, rows(8), lora=True, **TRAINED)
    for name, value in config.items():
        setattr(trainer.model.config, name, value)
    with pytest.raises(InputError, match=says) as caught:
        trainer.train()
    assert "shared: false" in str(caught.value)


class TestTrlHooks:
    """What shared prefixes rely on inside TRL; these fail first when TRL moves."""

    def test_the_private_hooks_are_there(self):
        import inspect

        from trl import DPOTrainer
        from trl.trainer.utils import add_fused_lm_head

        def takes(name: str) -> list[str]:
            return list(inspect.signature(getattr(DPOTrainer, name)).parameters)

        assert takes("_compute_loss") == ["self", "model", "inputs", "return_outputs"]
        assert takes("compute_ref_log_probs") == ["self", "model", "inputs"]
        assert takes("_precompute_ref_logps") == ["self", "dataset", "name", "batch_size"]
        # The columns that reach the collator: "margin" and the masks are added to them.
        columns = inspect.getsource(DPOTrainer._set_signature_columns_if_needed)
        assert "if self._signature_columns is None:" in columns
        assert '"ref_rejected_logps",' in columns
        # What a second reference gets as TRL gives it to its own (`rlhalt.training.mrpo`).
        assert inspect.signature(add_fused_lm_head).parameters["outputs"].default == ("log_probs",)

    def test_the_loss_asks_the_model_it_is_given_once_and_reads_the_reference_from_the_batch(self, make):
        trainer = make(False, rows(2), lora=True, precompute_ref_log_probs=True)
        asked = []

        def model(**kwargs: Any) -> Any:
            asked.append(sorted(kwargs))
            return trainer.model(**{name: one for name, one in kwargs.items() if name != "anything"})

        batch = {**trainer.data_collator(list(trainer.train_dataset)), "anything": torch.zeros(1)}
        trainer._compute_loss(model, batch, False)
        assert trainer._metrics["train"]["num_tokens"] == [trainer._total_train_tokens]
        trainer.compute_ref_log_probs(model, batch)
        known = ["anything", "attention_mask", "fused_lm_head", "input_ids", "labels", "use_cache"]
        assert asked == [known, known]

    def test_the_fused_head_scores_labels_as_they_stand(self, make):
        model = make(False, rows(2)).model
        ids = torch.tensor([[5, 6, 7, 8]])
        shifted = model(input_ids=ids, labels=ids, fused_lm_head=True).log_probs
        given = model(input_ids=ids, shift_labels=torch.tensor([[6, 7, 8, UNSCORED]]), fused_lm_head=True).log_probs
        assert torch.equal(shifted, given[:, :-1])
        assert given[0, -1] == 0


@pytest.mark.parametrize("precompute", [False, True])
def test_a_margin_makes_the_chosen_side_count_less(make, precompute):
    """-log σ(β (m - margin)): loss and gradients of pairs with a margin, of a policy that is its reference."""
    from transformers import AutoModelForCausalLM

    margin, data = 2.5, rows(4)
    keys = {"beta": 0.5, "precompute_ref_log_probs": precompute}
    if not precompute:
        keys["ref_model"] = lambda model: _copy(AutoModelForCausalLM, model)
    mine = make(True, [{**one, "margin": margin} for one in data], **keys)
    given = next(iter(mine.get_train_dataloader()))
    assert given["margin"].tolist() == [margin] * len(given["margin"])
    loss, gradients = step(mine, given)
    # A fresh policy is its reference: m = 0 for every pair.
    assert loss == pytest.approx(math.log1p(math.exp(0.5 * margin)), abs=1e-4)
    without, weaker = step(make(True, data, **keys), {name: one for name, one in given.items() if name != "margin"})
    assert without == pytest.approx(math.log(2), abs=1e-4)
    # σ(β margin) in place of ½ weighs the same gradient.
    scale = 2 / (1 + math.exp(-0.5 * margin))
    for name, one in weaker.items():
        assert torch.allclose(gradients[name], scale * one, rtol=1e-3, atol=1e-4), name


def test_an_anchor_keeps_the_words_of_both_sides_that_differ(make):
    """Loss and gradients are those without it, less λ times the mean of log π over these words, of each pair."""
    weight, keys = 0.3, {"precompute_ref_log_probs": True, "per_device_train_batch_size": 4}
    anchored, plain = make(True, rows(4), anchor=weight, **keys), make(True, rows(4), **keys)
    batch = next(iter(anchored.get_train_dataloader()))
    loss, gradients = step(anchored, batch)
    expected, before = step(plain, batch)
    plain.model.zero_grad()
    means = []
    for row in plain.train_dataset:
        chosen, rejected = row["chosen_ids"], row["rejected_ids"]
        shared = [one == other for one, other in zip(chosen, rejected, strict=False)].index(False)
        words = []
        for side in (chosen, rejected):
            ids = torch.tensor([*row["prompt_ids"], *side])
            likely = plain.model(ids[None, :-1]).logits[0].log_softmax(-1).gather(1, ids[1:, None])[:, 0]
            words.append(likely[len(row["prompt_ids"]) - 1 + shared :])
        means.append(torch.cat(words).mean())
    by_hand = -weight * torch.stack(means).mean()
    by_hand.backward()
    assert loss == pytest.approx(expected + float(by_hand), rel=1e-4)
    for name, parameter in plain.model.named_parameters():
        assert torch.allclose(gradients[name], before[name] + parameter.grad, rtol=1e-3, atol=1e-4), name


@pytest.mark.parametrize("keys", [{"loss_type": ["ipo"]}, {"whole": True}])
def test_an_anchor_is_refused_where_whole_sides_are_scored(make, keys):
    with pytest.raises(InputError, match="whole sides are scored"):
        make(True, rows(4), anchor=0.2, **keys)


@pytest.mark.parametrize("precompute", [False, True])
def test_masks_leave_what_stock_trl_would_count_with_such_a_completion_mask(make, precompute):
    """Also where both sides begin alike and one side alone counts the beginning."""
    from transformers import AutoModelForCausalLM

    keys = {"beta": 0.5, "per_device_train_batch_size": 3}
    reference = {"ref_model": lambda model: _copy(AutoModelForCausalLM, model)}
    stock = make(False, rows(3), **keys, **reference)
    sides = [list(stock.train_dataset[name]) for name in ("prompt_ids", "chosen_ids", "rejected_ids")]
    examples = [{"prompt_ids": p, "chosen_ids": c, "rejected_ids": r} for p, c, r in zip(*sides, strict=True)]
    for number, one in enumerate(examples):
        one["chosen_mask"] = [int(place % 3 < 2) for place, _ in enumerate(one["chosen_ids"])]
        one["rejected_mask"] = [int(place > number + 3) for place, _ in enumerate(one["rejected_ids"])]
    batch = stock.data_collator(examples)
    for row, example in enumerate(examples * 2):
        name = "chosen" if row < 3 else "rejected"
        first, mask = len(example["prompt_ids"]), torch.tensor(example[f"{name}_mask"])
        batch["completion_mask"][row, first : first + len(mask)] *= mask
    wanted = step(stock, dict(batch))

    masks = [{name: one[name] for name in ("chosen_mask", "rejected_mask")} for one in examples]
    data = [{**one, **mask} for one, mask in zip(rows(3), masks, strict=True)]
    more = {"precompute_ref_log_probs": True} if precompute else reference
    mine = make(True, data, **keys, **more)
    given = mine.data_collator(list(mine.train_dataset))
    assert_same(step(mine, given), wanted)


def test_two_references_are_put_together_and_training_reads_the_result(make, tiny_model):
    from transformers import AutoModelForCausalLM

    from rlhalt.training.mrpo import combined, with_second_reference

    one = make(True, rows(4), precompute_ref_log_probs=True, beta=0.5, whole=True)
    second = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    sides = ("ref_chosen_logps", "ref_rejected_logps")
    own = [torch.tensor(one.train_dataset[name]).double() for name in sides]
    one.train_dataset = with_second_reference(one, second)
    found = [torch.tensor(one.train_dataset[name]).double() for name in sides]
    stock = make(False, rows(4), beta=0.5, per_device_train_batch_size=4)
    batch = stock.data_collator(list(stock.train_dataset))
    theirs = [side.double() for side in stock.compute_ref_log_probs(second, batch)]
    for its, other, both in zip(own, theirs, found, strict=True):
        assert torch.allclose(both, combined(its, other), atol=1e-3)
        # Of two equal references it is either; of two unequal ones it is near the smaller one.
        assert torch.allclose(combined(its, its), its)
        assert bool(((both - torch.minimum(its, other)).abs() <= math.log(2) + 1e-3).all())
        # A reference that is far off does not become the only one.
        assert bool((combined(its, 3 * its) >= 1.1 * its).all())
        assert torch.equal(combined(its, 3 * its), combined(its, 1.1 * its))
    loss, _ = step(one, one.data_collator(list(one.train_dataset)))
    m = (own[0] - own[1]) - (found[0] - found[1])
    assert loss == pytest.approx(float(-torch.nn.functional.logsigmoid(0.5 * m).mean()), rel=1e-3)
