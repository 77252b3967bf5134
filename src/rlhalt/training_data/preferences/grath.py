"""GRATH (arXiv 2401.12292): the model's answer against one that it was asked to get wrong; no labels.

    asked as usual          A is in Asia.      ≻      asked for a wrong answer          A is in Africa.

The model writes both sides itself, DPO trains on them, and in the next iteration the trained model writes the truthful
sides again. No verdict is read. It acts per response: response i of each kind make a pair, for one fact and for many.
The paper has one prompt with examples write both answers; here each side has a prompt of its own:

    rlhalt prompts --domain countries --split train --ask-wrongly --output wrong_prompts.jsonl
    rlhalt sample --model MODEL --prompts wrong_prompts.jsonl --output wrong.jsonl, and rlhalt score
    rlhalt pairs --scored scored.jsonl --preferences grath --others wrong_scored.jsonl --output pairs.jsonl

Scoring splits the wrong answers into fragments; their verdicts are not used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

from rlhalt.records import HALT_PHRASE, Pair, Prompt, Scored
from rlhalt.training_data.preferences.two_responses import against
from rlhalt.training_data.targets.selection import by_prompt

WRONGLY = "Give a wrong answer that sounds right. Do not say that it is wrong.\n\n"


def asked_wrongly(prompt: Prompt) -> Prompt:
    """A prompt, by the same key, that asks for a wrong answer that sounds right."""
    *before, last = prompt.prompt
    return dataclasses.replace(prompt, prompt=[*before, {**last, "content": WRONGLY + last["content"]}])


def pairs(rows: Iterable[Scored], others: Iterable[Scored], phrase: str = HALT_PHRASE) -> Iterator[Pair]:
    """As many pairs a prompt as there are responses of both kinds; `others` are the answers asked to be wrong."""
    untruthful = {group[0].prompt_key: group for group in by_prompt(others)}
    for group in by_prompt(rows):
        for row, wrong in zip(group, untruthful.get(group[0].prompt_key, ()), strict=False):
            yield from against(row, wrong, "grath", phrase=phrase)
