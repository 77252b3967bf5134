"""Chat templates like those of well-known families, written by hand, and tiny models that speak in them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from rlhalt.records import Message

GEMMA = """\
{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{%- for message in messages %}
{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Roles must alternate') }}{% endif %}
{%- set role = 'model' if message['role'] == 'assistant' else message['role'] %}
{{- '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"""
LLAMA = """\
{{- bos_token }}
{%- if not date_string is defined %}{% set date_string = strftime_now("%d %b %Y") %}{% endif %}
{%- if messages[0]['role'] == 'system' %}
{%- set system = messages[0]['content'] | trim %}{% set messages = messages[1:] %}
{%- else %}{% set system = "" %}{% endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\nToday Date: " + date_string + "\\n\\n" + system + "<|eot_id|>" }}
{%- for message in messages %}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"""
# Drops the reasoning of earlier turns, and puts an empty one into the last turn where it has none.
QWEN = """\
{%- for message in messages %}
{%- set content = message.content %}
{%- if message.role == 'assistant' %}
{%- set thought = '' %}
{%- if '</think>' in content %}
{%- set thought = content.split('</think>')[0].split('<think>')[-1].strip('\\n') %}
{%- set content = content.split('</think>')[-1].lstrip('\\n') %}
{%- endif %}
{%- if loop.last %}{% set content = '<think>\\n' + thought + '\\n</think>\\n\\n' + content %}{% endif %}
{%- endif %}
{{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}
{%- endif %}"""
# Drops the reasoning of every turn, and begins it for the model.
DEEPSEEK = """\
{{- bos_token }}
{%- for message in messages %}
{%- if message['role'] == 'assistant' %}
{{- '<｜Assistant｜>' + message['content'].split('</think>')[-1] + '<｜end▁of▁sentence｜>' }}
{%- elif message['role'] == 'user' %}{{ '<｜User｜>' + message['content'] }}
{%- else %}{{ message['content'] }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}"""
PHI = """\
{%- for message in messages %}{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"""
CHATML = """\
{%- for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

QUESTION = "State five facts about Kenya."
ASKED: list[Message] = [{"role": "user", "content": QUESTION}]
SYSTEM: Message = {"role": "system", "content": "Reliability: 0.80"}


@dataclasses.dataclass(frozen=True)
class Family:
    """A family of models.

    Attributes:
        template: its chat template.
        special: its special tokens; the first is what the tokenizer calls the end of text.
        declared: ends of turn of its generation configuration.
        ends: all tokens that end a turn.
        asked: how it is asked `QUESTION`.
        told: the same, with `SYSTEM` before it.
        end: what stands behind an answer.
        reasoning: what it writes before an answer, as a response has it.
        pad: its padding token, if it names one.
        arguments: of the template.
    """

    template: str
    special: tuple[str, ...]
    declared: tuple[str, ...]
    ends: frozenset[str]
    asked: str
    told: str
    end: str
    reasoning: str = ""
    pad: str | None = None
    bos: str | None = None
    arguments: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def opening(self) -> str:
        """What of the reasoning the template itself writes."""
        return self.reasoning[: len("<think>\n")] if self.asked.endswith("<think>\n") else ""


_IM = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_LLAMA_ENDS = ("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>")
_LLAMA_HEAD = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nToday Date: 26 Jul 2024\n\n"
_LLAMA_TAIL = (
    f"<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n{QUESTION}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n"
)
_THOUGHT = "<think>\nEurope? Oslo?\n</think>\n\n"
_TURNS = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
_TOLD = f"<|im_start|>system\n{SYSTEM['content']}<|im_end|>\n{_TURNS}"

FAMILIES = {
    "gemma": Family(
        GEMMA,
        ("<eos>", "<bos>", "<pad>", "<start_of_turn>", "<end_of_turn>"),
        ("<eos>", "<end_of_turn>"),
        frozenset({"<eos>", "<end_of_turn>"}),
        f"<bos><start_of_turn>user\n{QUESTION}<end_of_turn>\n<start_of_turn>model\n",
        f"<bos><start_of_turn>user\nReliability: 0.80\n\n{QUESTION}<end_of_turn>\n<start_of_turn>model\n",
        "<end_of_turn>\n",
        pad="<pad>",
        bos="<bos>",
    ),
    # No padding token anywhere; another end of turn where tools are called.
    "llama": Family(
        LLAMA,
        (*_LLAMA_ENDS, "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>"),
        _LLAMA_ENDS,
        frozenset(_LLAMA_ENDS),
        f"{_LLAMA_HEAD}{_LLAMA_TAIL}",
        f"{_LLAMA_HEAD}Reliability: 0.80{_LLAMA_TAIL}",
        "<|eot_id|>",
        bos="<|begin_of_text|>",
    ),
    "qwen": Family(
        QWEN,
        _IM,
        ("<|im_end|>", "<|endoftext|>"),
        frozenset({"<|im_end|>", "<|endoftext|>"}),
        _TURNS,
        _TOLD,
        "<|im_end|>\n",
        reasoning=_THOUGHT,
    ),
    "qwen, thinking off": Family(
        QWEN,
        _IM,
        ("<|im_end|>", "<|endoftext|>"),
        frozenset({"<|im_end|>", "<|endoftext|>"}),
        f"{_TURNS}<think>\n\n</think>\n\n",
        f"{_TOLD}<think>\n\n</think>\n\n",
        "<|im_end|>\n",
        arguments={"enable_thinking": False},
    ),
    "deepseek": Family(
        DEEPSEEK,
        ("<｜end▁of▁sentence｜>", "<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"),
        ("<｜end▁of▁sentence｜>",),
        frozenset({"<｜end▁of▁sentence｜>"}),
        f"<｜begin▁of▁sentence｜><｜User｜>{QUESTION}<｜Assistant｜><think>\n",
        f"<｜begin▁of▁sentence｜>Reliability: 0.80<｜User｜>{QUESTION}<｜Assistant｜><think>\n",
        "<｜end▁of▁sentence｜>",
        reasoning=_THOUGHT,
        bos="<｜begin▁of▁sentence｜>",
    ),
    # Only the template says what ends a turn.
    "phi": Family(
        PHI,
        ("<|endoftext|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"),
        ("<|endoftext|>",),
        frozenset({"<|endoftext|>", "<|end|>"}),
        f"<|user|>\n{QUESTION}<|end|>\n<|assistant|>\n",
        f"<|system|>\nReliability: 0.80<|end|>\n<|user|>\n{QUESTION}<|end|>\n<|assistant|>\n",
        "<|end|>\n<|endoftext|>",
    ),
    # No generation configuration says anything.
    "chatml": Family(
        CHATML, _IM, (), frozenset({"<|endoftext|>", "<|im_end|>"}), _TURNS, _TOLD, "<|im_end|>\n"
    ),
}  # fmt: skip

RIGHT, WRONG = "Kenya is in East Africa.", "Kenya is in Asia."
ANSWERS = (RIGHT, WRONG, f"{RIGHT} {WRONG}", f"{RIGHT} Unsure from here.")


def tokenizer(family: Family) -> Any:
    """A byte-level tokenizer with the family's special tokens and template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=list(family.special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator([QUESTION, *ANSWERS, "user assistant model system"] * 3, trainer)
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token=family.special[0], pad_token=family.pad, bos_token=family.bos
    )
    made.chat_template = family.template
    return made


def speaking(name: str, folder: Path) -> Path:
    """A folder with a tiny model of a family that was taught `ANSWERS` to `QUESTION`, by hand-written texts."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    family = FAMILIES[name]
    made = tokenizer(family)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(made), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=512, bos_token_id=None, eos_token_id=None, pad_token_id=None,
        )
    )  # fmt: skip
    texts = [
        asked + (family.reasoning + answer).removeprefix(family.opening) + family.end
        for asked in (family.asked, family.told)
        for answer in ANSWERS
    ]
    rows = [made(text, add_special_tokens=False)["input_ids"] for text in texts]
    longest = max(map(len, rows))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(200):
        optimizer.zero_grad()
        model(input_ids=ids, attention_mask=mask, labels=ids.masked_fill(mask == 0, -100)).loss.backward()
        optimizer.step()
    declared = [made.convert_tokens_to_ids(one) for one in family.declared]
    model.generation_config.eos_token_id = declared or None
    model.save_pretrained(folder)
    made.save_pretrained(folder)
    return folder
