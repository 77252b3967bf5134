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
    enough: float = 0.1,
) -> Path:
    """A copy of a model that was trained on answers to the first prompts of each split.

    Args:
        examples: the prompts with the domain's examples too, which takes several times as long.
        enough: the loss where training ends. At 0.1 a sampled response has an error in almost every line.
    """
    return taught_several(model_folder, {domain: answer}, folder, count, examples=examples, enough=enough)


def taught_several(
    model_folder: Path,
    answers: Mapping[str, Callable[[Json], str]],
    folder: Path,
    count: int = 4,
    *,
    examples: bool = True,
    enough: float = 0.1,
) -> Path:
    """The same of several domains."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(model_folder), AutoTokenizer.from_pretrained(model_folder)
    texts = []
    for domain, answer in answers.items():
        found = load_domain(domain)
        for one in [one for split in ("train", "heldout") for one in found.prompts(split=split)[:count]]:
            chat = [*one.prompt, {"role": "assistant", "content": answer(one.reference)}]
            shown = [chat, [*found.few_shot(), *chat]] if examples else [chat]
            texts += [tokenizer.apply_chat_template(each, tokenize=False) for each in shown]
    tokenizer.padding_side = "left"
    batch = tokenizer(texts, return_tensors="pt", padding=True)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for step in range(600):
        loss = model(**batch, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step >= 150 and loss.item() < enough:
            break
    assert loss.item() < enough
    tokenizer.padding_side = "right"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
