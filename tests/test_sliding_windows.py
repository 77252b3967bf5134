"""A model like Gemma 3, with sliding windows in most layers and tied embeddings: in training and in sampling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from rlhalt.models.names import load_policy
from tiny_training import TRAINING

WINDOW = 24
FACTS = ["Norway is in Europe.", "Its capital is Oslo.", "Its currency is the krone.", "It borders Spain."]


def rows(count: int) -> list[dict[str, Any]]:
    """Pairs that part after none, one or more of the facts; all are longer than the window."""
    return [
        {
            "prompt": [{"role": "user", "content": f"State {number % 5} facts about Norway."}],
            "chosen": [{"role": "assistant", "content": " ".join([*FACTS[: number % 4], "Unsure from here."])}],
            "rejected": [{"role": "assistant", "content": " ".join(FACTS)}],
        }
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def gemma(tiny_model, tmp_path_factory) -> Path:
    """A Gemma 3 of four layers, three of them with a window of 24 tokens; the tokenizer is the tiny model's."""
    from transformers import AutoTokenizer, Gemma3ForCausalLM, Gemma3TextConfig

    folder = tmp_path_factory.mktemp("gemma")
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    torch.manual_seed(0)
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        query_pre_attn_scalar=16,
        sliding_window=WINDOW,
        layer_types=["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Gemma3ForCausalLM(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(5.0 if parameter.dim() > 1 else 1.0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def trained(gemma, tmp_path_factory) -> Callable[..., Any]:
    """A trainer that has made four steps."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    from rlhalt.training.prefix_sharing.trainer import SharedDPOTrainer

    def one(shared: bool, attention: str = "sdpa", **keys: Any) -> Any:
        keys = {**TRAINING, "max_steps": 4, "learning_rate": 1e-2, "per_device_train_batch_size": 4, **keys}
        trainer = (SharedDPOTrainer if shared else DPOTrainer)(
            model=AutoModelForCausalLM.from_pretrained(gemma, dtype=torch.float32, attn_implementation=attention),
            args=DPOConfig(output_dir=str(tmp_path_factory.mktemp("out")), disable_tqdm=True, **keys),
            train_dataset=Dataset.from_list(rows(8)),
            processing_class=AutoTokenizer.from_pretrained(gemma),
            peft_config=LoraConfig(r=4, target_modules="all-linear"),
        )
        trainer.train()
        return trainer

    return one


def losses(trainer: Any) -> list[float]:
    return [one["loss"] for one in trainer.state.log_history if "loss" in one]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("loss", [{}, {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.2]}])
def test_losses_are_those_of_stock_trl(trained, attention, loss):
    stock, ours = trained(False, attention, **loss), trained(True, attention, **loss)
    assert losses(ours) == pytest.approx(losses(stock), rel=1e-4)
    assert losses(ours)[-1] < losses(ours)[0]


def test_sequences_longer_than_the_window_are_computed_as_each_by_itself(gemma):
    from transformers import AutoConfig, AutoModelForCausalLM

    from rlhalt.training.prefix_sharing.attention import _mask, sees
    from rlhalt.training.prefix_sharing.layout import lay_out

    config = AutoConfig.from_pretrained(gemma)
    model = AutoModelForCausalLM.from_pretrained(gemma, dtype=torch.float32).eval()
    sequences = [[3 + place for place in range(70)], [3 + place for place in range(40)] + [90 + n for n in range(30)]]
    tree = lay_out(sequences, [1, 1])
    ids, positions = torch.tensor([tree.ids]), torch.tensor([tree.positions])
    mask = _mask(model.config, sees(torch.tensor([tree.ends])), positions)
    assert config.sliding_window == WINDOW
    with torch.no_grad():
        whole = model(input_ids=ids, position_ids=positions, attention_mask=mask).logits[0]
        for sequence, path in zip(sequences, tree.paths, strict=True):
            alone = model(input_ids=torch.tensor([sequence])).logits[0, :-1]
            assert torch.allclose(whole[path], alone, atol=1e-4)


def test_an_adapter_on_it_is_merged_saved_and_loaded_again(trained, tmp_path):
    from transformers import AutoModelForCausalLM

    trainer = trained(True)
    trainer.save_model(str(tmp_path / "adapter"))
    ids = torch.tensor([[5, 6, 7, 8, 9, 10, 11, 12]])
    with torch.no_grad():
        expected = trainer.model.eval()(input_ids=ids).logits
    merged = trainer.model.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32).eval()
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight
    with torch.no_grad():
        assert torch.allclose(loaded(input_ids=ids).logits, expected, atol=1e-3)
        # And as the sampling does it, in bfloat16.
        policy, _ = load_policy(str(tmp_path / "adapter"))
        rounded = policy(input_ids=ids).logits.float()
    assert float((rounded - expected).abs().mean()) < 0.05 * float(expected.abs().mean())


def test_a_batch_with_padding_gives_the_answers_of_each_prompt_by_itself(gemma):
    from rlhalt.sampling.local import TransformersEngine

    engine = TransformersEngine(str(gemma))
    # In bfloat16 a batch rounds otherwise than one row.
    engine.model.float()
    shared = " ".join(FACTS * 2)
    chats = [[{"role": "user", "content": f"{shared} {end}"}] for end in ("Oslo.", "It borders Spain. " * 4, "Is it?")]
    together = engine.complete(chats, temperature=0.0, max_tokens=12, seed=0)
    assert together == [engine.complete([chat], temperature=0.0, max_tokens=12, seed=0)[0] for chat in chats]
    assert len({one.text for one in together}) == 3
