"""A GGUF file as a transformers folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlhalt.embedded.pieces import read_pieces, tokenizer_of


def convert(gguf: Path, folder: Path) -> None:
    """Write the model and its tokenizer as transformers saves them."""
    from transformers import AutoModelForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # The loaded config still says "quantized", and a model saved with it cannot be loaded again: build it anew.
    config = type(loaded.config)(
        **{key: value for key, value in loaded.config.to_dict().items() if key != "quantization_config"}
    )
    model = type(loaded)(config)
    model.load_state_dict(loaded.state_dict())
    model.save_pretrained(folder)
    _tokenizer(gguf, config).save_pretrained(folder)


def _tokenizer(gguf: Path, config: Any) -> Any:
    if config.model_type == "gemma3_text":
        return tokenizer_of(read_pieces(gguf))
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # The GGUF reader names <|im_start|> as the end of a turn; the model's own configuration knows better.
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(config.eos_token_id)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(config.pad_token_id)
    return tokenizer
