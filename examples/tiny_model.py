"""A model of 0.1 million parameters, made on the spot, that answers six questions: sometimes right, sometimes wrong.

The examples need a policy that ends its turns and is right with a probability between 0 and 1. Random weights do
neither, so the model is taught three answers to each question, two of which contain an error. Use a real model instead.
"""

from __future__ import annotations

from pathlib import Path

import torch
from own_verifier import DAYS
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

# A model this small gains nothing from more threads; on a busy machine they would wait for each other.
torch.set_num_threads(1)

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MONTHS = list(DAYS)
PROMPTS = [
    {
        "prompt": f"How long are {first} and {second}?",
        # n_asked: more than two facts earn nothing. n_desired: two correct ones are a full answer.
        "reference": {"months": [first, second], "n_asked": 2, "n_desired": 2},
        "split": "train",
    }
    for first, second in zip(MONTHS[::2], MONTHS[1::2], strict=True)
]


def tiny_model(folder: Path) -> Path:
    """Make the model, unless the folder holds it: a changed model would not fit the responses that lie beside it."""
    if not (folder / "config.json").exists():
        tokenizer = _tokenizer()
        model = _taught(tokenizer)
        tokenizer.save_pretrained(folder)
        model.save_pretrained(folder)
    return folder


def load(folder: Path) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """The model, in float32 because two steps of bfloat16 would round its small updates away, and its tokenizer."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), AutoTokenizer.from_pretrained(folder)


def _answers(months: list[str]) -> list[str]:
    right = [DAYS[one] for one in months]
    return [
        " ".join(f"{month} has {number} days." for month, number in zip(months, numbers, strict=True))
        for numbers in (right, (right[0], 29), (29, right[1]))
    ]


def _tokenizer() -> PreTrainedTokenizerFast:
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    texts = [text for row in PROMPTS for text in (row["prompt"], *_answers(row["reference"]["months"]))]
    raw.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=400,
            special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _taught(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    chats = [
        [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": answer}]
        for row in PROMPTS
        for answer in _answers(row["reference"]["months"])
    ]
    rows = [tokenizer.apply_chat_template(chat, return_dict=False, add_generation_prompt=False) for chat in chats]
    longest = max(map(len, rows))
    ids_B_T = torch.tensor([row + [tokenizer.pad_token_id] * (longest - len(row)) for row in rows])
    labels_B_T = ids_B_T.masked_fill(ids_B_T == tokenizer.pad_token_id, -100)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        model(input_ids=ids_B_T, attention_mask=(labels_B_T != -100).long(), labels=labels_B_T).loss.backward()
        optimizer.step()
    return model
