"""Grouped attention is eager attention, and stands only where the model's own is that."""

from __future__ import annotations

import pytest
import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from rlhalt.sampling.grouped_attention import NAME, use_grouped_attention

SIZES = {
    "vocab_size": 97,
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "max_position_embeddings": 64,
}


@pytest.mark.parametrize(("kind", "config"), [(LlamaForCausalLM, LlamaConfig), (Qwen2ForCausalLM, Qwen2Config)])
@pytest.mark.parametrize("shared", [1, 2, 6])
def test_it_generates_what_eager_attention_generates(kind, config, shared):
    torch.manual_seed(0)
    model = kind(config(**SIZES, num_key_value_heads=shared)).eval()
    ids = torch.randint(1, 97, (3, 9))
    mask = torch.ones_like(ids)
    mask[1, :4] = 0
    mask[2, 3:5] = 0
    found = {}
    for name in ("eager", "grouped"):
        if name == "eager":
            model.set_attn_implementation("eager")
        else:
            use_grouped_attention(model)
            assert model.config._attn_implementation == NAME
        with torch.no_grad():
            out = model.generate(
                ids, attention_mask=mask, max_new_tokens=8, do_sample=False, output_logits=True,
                return_dict_in_generate=True, pad_token_id=0,
            )  # fmt: skip
        found[name] = torch.stack(out.logits)
    torch.testing.assert_close(found["grouped"], found["eager"], rtol=1e-4, atol=1e-5)


def test_a_model_with_attention_of_its_own_keeps_it():
    model = Gemma3ForCausalLM(Gemma3TextConfig(**SIZES, num_key_value_heads=1, head_dim=8))
    use_grouped_attention(model)
    assert model.config._attn_implementation == "eager"
