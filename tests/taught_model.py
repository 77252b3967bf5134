"""Tiny models that answer the prompts of a domain by rote."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from rlhalt.domains import load_domain
from rlhalt.records import Json


def taught(
    model_folder: Path,
    domain: str,
    answer: Callable[[Json], str],
    folder: Path,
    count: int = 4,
    *,
    examples: bool = True,
    enough: float = 0.03,
) -> Path:
    """A copy of a model that was trained on answers to the first prompts of each split.

    Args:
        examples: the prompts with the domain's examples too, which takes several times as long.
        enough: the loss of a token of an answer where training ends.
    """
    return taught_several(model_folder, {domain: answer}, folder, count, examples=examples, enough=enough)


def taught_several(
    model_folder: Path,
    answers: Mapping[str, Callable[[Json], str]],
    folder: Path,
    count: int = 4,
    *,
    examples: bool = True,
    enough: float = 0.03,
) -> Path:
    """The same of several domains."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(model_folder), AutoTokenizer.from_pretrained(model_folder)
    alone, after_examples = [], []
    for domain, answer in answers.items():
        found = load_domain(domain)
        for one in [one for split in ("train", "heldout") for one in found.prompts(split=split)[:count]]:
            chat = [*one.prompt, {"role": "assistant", "content": answer(one.reference)}]
            alone.append(chat)
            after_examples.append([*found.few_shot(), *chat])
    tokenizer.padding_side = "left"
    # Short and long prompts apart: one batch would pad the short ones to several times their length.
    batches = [_batch(tokenizer, chats) for chats in ([alone, after_examples] if examples else [alone])]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(600):
        loss = sum(model(**one).loss for one in batches) / len(batches)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss.item() < enough:
            break
    assert loss.item() < enough
    tokenizer.padding_side = "right"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _batch(tokenizer, chats):
    """Chats as tokens, with labels for the last answers alone."""
    import torch

    texts = [tokenizer.apply_chat_template(one, tokenize=False) for one in chats]
    prompts = [tokenizer.apply_chat_template(one[:-1], tokenize=False, add_generation_prompt=True) for one in chats]
    lengths = [len(tokenizer(text[len(before) :]).input_ids) for text, before in zip(texts, prompts, strict=True)]
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    from_the_end_T = torch.arange(batch["input_ids"].shape[1], 0, -1)
    labels_BT = batch["input_ids"].masked_fill(from_the_end_T > torch.tensor(lengths)[:, None], -100)
    return {**batch, "labels": labels_BT}
