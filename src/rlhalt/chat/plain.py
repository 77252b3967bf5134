"""Base models: what has no chat template is shown a chat as plain text, and completes it.

    Question:
    State five facts about France.
    Answer:
    France is in Europe. …

    Question:
    State five facts about Kenya.
    Answer:

`COMPLETION` writes it. A base model has not learnt to end a turn: it begins the next question, and its answer ends
there. `PLAIN` is the same with the end-of-text token after each answer; a model that was trained with it ends its
answers itself.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlhalt.errors import InputError
from rlhalt.files.text import read_text

NAME = "plain"
# Where the next example begins.
STOP = "\nQuestion:"

COMPLETION = (
    "{{- bos_token -}}"
    "{%- for message in messages -%}"
    "{%- if message['role'] == 'user' -%}{{- 'Question:\n' + message['content'] + '\n' -}}"
    "{%- elif message['role'] == 'assistant' -%}{{- 'Answer:\n' + message['content'] + '\n\n' -}}"
    "{%- else -%}{{- message['content'] + '\n\n' -}}{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- 'Answer:\n' -}}{%- endif -%}"
)
PLAIN = COMPLETION.replace(
    "message['content'] + '\n\n' -}}{%- else", "message['content'] + eos_token + '\n\n' -}}{%- else"
)


def give_template(tokenizer: Any) -> Any:
    """The tokenizer; with `COMPLETION` where it had no chat template."""
    if tokenizer.chat_template is None:
        tokenizer.chat_template = COMPLETION
    return tokenizer


def completes(tokenizer: Any) -> bool:
    """Whether answers end at `STOP`, since the model has no template of its own."""
    return bool(tokenizer.chat_template == COMPLETION)


def answer(tokenizer: Any, ids: Sequence[int]) -> tuple[str, int] | None:
    """The text of a completion up to where the next example begins, and how many tokens it takes; None where none does.

    Args:
        ids: T tokens that the model has written behind "Answer:".
    """

    def text(count: int) -> str:
        found: str = tokenizer.decode(ids[:count], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return found

    # The prompt ends with the line break that would come before a question which follows at once.
    before, found, _ = f"\n{text(len(ids))}".partition(STOP)
    if not found:
        return None
    said = before[1:].rstrip()
    return said, bisect.bisect_left(range(len(ids)), len(said), key=lambda count: len(text(count)))


def named_template(name: str) -> str:
    """The chat template behind a name: `plain`, or a .jinja file.

    Raises:
        InputError: another name, or no such file.
    """
    if name == NAME:
        return PLAIN
    path = Path(name)
    if path.suffix not in (".jinja", ".j2") or not path.is_file():
        raise InputError(f"expected '{NAME}' or a .jinja file, found '{name}'", field="base_template")
    return read_text(path, "a .jinja file")


def training_template(name: str | None, model: str) -> str:
    """The chat template to train a model with that has none.

    Args:
        name: `base_template` of the configuration.
        model: for the message.

    Raises:
        InputError: none is named, or see `named_template`.
    """
    if name is None:
        raise InputError(
            f"expected a model with a chat template, found none in {model}; name one to train it with, as "
            "base_template: plain, or a .jinja file",
            field="base_template",
        )
    return named_template(name)
