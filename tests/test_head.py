"""A model's head is given whole blocks: for slices of the hidden states PyTorch would copy frozen weights per row."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import ModelConfig

from rlhalt.models.names import load_policy
from rlhalt.training.setup import load_trainable, reference_model


@pytest.fixture(scope="module")
def adapter(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapter")
    model = AutoModelForCausalLM.from_pretrained(tiny_model)
    get_peft_model(model, LoraConfig(target_modules="all-linear")).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder)
    return str(folder)


def trainable(name):
    return load_trainable(ModelConfig(model_name_or_path=name), "plain")[0]


@pytest.mark.parametrize("load", [lambda name: load_policy(name)[0], reference_model, trainable])
def test_the_last_positions_reach_the_head_as_one_block(adapter, load):
    model, given = load(adapter), []
    model.get_output_embeddings().register_forward_pre_hook(lambda _, args: given.append(args[0]))
    ids = torch.arange(12).reshape(3, 4)
    with torch.no_grad():
        last, every = model(ids, logits_to_keep=1).logits, model(ids).logits
    assert given[0].shape[1] == 1
    assert given[0].is_contiguous()
    torch.testing.assert_close(last, every[:, -1:])
