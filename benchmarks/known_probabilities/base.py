"""The model whose probabilities are known: a small Llama, trained on the corpus of a world, and its tokenizer."""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.known_probabilities.world import KINDS, RELATIONS, World

from rlhalt.files.provenance import Run
from rlhalt.models.precision import cpu_computes_bfloat16
from rlhalt.records import HALT_PHRASE

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"]
# Facts live in the embeddings of names, which want a larger rate than the layers that all facts share.
HIDDEN = 192
STEPS, BATCH, EMBEDDING_RATE, RATE = 800, 64, 1e-2, 3e-3


def tokenizer(world: World) -> Any:
    """A word-level tokenizer of a world: a word takes the space before it along, a digit is a word."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["Describe", "the", "Its", "is", *HALT_PHRASE.rstrip(".").split(), "Reliability", *KINDS, *RELATIONS]
    words += [*world.names, *(value for values in world.vocabulary_R_V for value in values)]
    pieces = [*SPECIAL, "<|unknown|>", ".", ":", " ", *"0123456789", *words, *(" " + word for word in words)]
    raw = Tokenizer(models.WordLevel({piece: index for index, piece in enumerate(pieces)}, unk_token="<|unknown|>"))
    raw.pre_tokenizer = pre_tokenizers.Split(Regex(r" ?[A-Za-z]+|[^A-Za-z]"), behavior="isolated")
    raw.decoder = decoders.Fuse()
    raw.add_special_tokens(SPECIAL)
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<|pad|>", eos_token="<|end|>", unk_token="<|unknown|>"
    )
    made.chat_template = CHAT_TEMPLATE
    return made


def _model(vocabulary: int, made: Any, hidden: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=hidden,
            intermediate_size=3 * hidden,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=made.eos_token_id,
            pad_token_id=made.pad_token_id,
            initializer_range=0.05,
        )
    )


def train_base(world: World, folder: str | Path, steps: int = STEPS, hidden: int = HIDDEN) -> None:
    """Train the base model into a folder, unless it is there: AdamW, one cycle, loss on the answers.

    In bfloat16 where the CPU computes it (`rlhalt.models.precision`), else in float32.
    """
    import torch

    rates = [BATCH, EMBEDDING_RATE, RATE]
    config = {"world": dataclasses.asdict(world), "steps": steps, "hidden": hidden, "optimiser": rates}
    run = Run("known-probabilities base", folder, config=config)
    if run.finished:
        return
    with run:
        torch.manual_seed(world.seed)
        made = tokenizer(world)
        model = _model(len(made), made, hidden).train()
        texts = [made.apply_chat_template(chat, tokenize=False) for chat in world.corpus()]
        encoded = made(texts, add_special_tokens=False)["input_ids"]
        longest = max(map(len, encoded))
        ids = np.full((len(encoded), longest), made.pad_token_id)
        for row, one in enumerate(encoded):
            ids[row, : len(one)] = one
        asks = made.convert_tokens_to_ids("<|assistant|>")
        shared = [one for name, one in model.named_parameters() if "embed" not in name]
        groups = [
            {"params": model.get_input_embeddings().parameters(), "lr": EMBEDDING_RATE},
            {"params": shared, "lr": RATE},
        ]
        optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * step / steps))
        )
        rng = np.random.default_rng([world.seed, 5])
        order = np.concatenate([rng.permutation(len(ids)) for _ in range(-(-steps * BATCH // len(ids)))])
        started = time.time()
        log = []
        for step in range(steps):
            batch = torch.tensor(ids[order[step * BATCH : (step + 1) * BATCH]])
            following, learnt = batch[:, 1:], answers(batch, asks, made.pad_token_id)
            with torch.autocast("cpu", torch.bfloat16, enabled=cpu_computes_bfloat16()):
                hidden = model.model(input_ids=batch[:, :-1]).last_hidden_state
                logits = model.lm_head(hidden[learnt])
            loss = torch.nn.functional.cross_entropy(logits.float(), following[learnt])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            if step % 100 == 0 or step == steps - 1:
                log.append(
                    {"step": step, "loss": round(float(loss.detach()), 4), "seconds": round(time.time() - started, 1)}
                )
        model.save_pretrained(folder)
        made.save_pretrained(folder)
        run.result(log=log, parameters=sum(one.numel() for one in model.parameters()))


def answers(ids_N_T: Any, asks: int, padding: int) -> Any:
    """Which of the tokens that follow one, (N, T - 1), are learnt: those of the answer, whatever stands before it."""
    return (ids_N_T[:, :-1].eq(asks).cumsum(dim=1) > 0) & (ids_N_T[:, 1:] != padding)
