"""No prompt both in training and in evaluation: a model cannot be measured on what it was taught.

Pairs and targets are made of training prompts alone (`rlhalt.training_data.files`). Another file may hold the same
question under another split, so a training also notes which prompts it has seen, in its run.json under `prompts`, and
an evaluation asks about them before it asks the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from rlhalt.chat.threshold_prompt import without_threshold
from rlhalt.errors import InputError
from rlhalt.models.trained_model import lineage
from rlhalt.records import Decision, Message, Pair, Prompt, Response, Target, content_key


def prompts_seen(rows: Iterable[Decision | Pair | Prompt | Response | Target]) -> list[str]:
    """The prompts of training rows, as sorted keys of their text, for run.json."""
    return sorted({text_key(row.prompt) for row in rows})


def text_key(prompt: Sequence[Message]) -> str:
    """A key of what a prompt says, whatever its domain, white space and stated threshold."""
    # A prompt row's own key has its domain in it; the same question in another domain is the same question.
    return content_key([[one["role"], " ".join(one["content"].split())] for one in without_threshold(prompt)])


def trained_on(model: str | Path) -> set[str]:
    """The prompts that a model, and those it was trained on from, has seen; none for a model that rlhalt did not train.

    Args:
        model: a name or folder, see `rlhalt.models.names.resolve_model`.
    """
    return {key for one in lineage(model) for key in one.prompts}


def refuse_leakage(model: str | Path, prompts: Iterable[Prompt | Response]) -> None:
    """See that a model has seen none of these prompts in training.

    Raises:
        InputError: it has, naming how many and the first.
    """
    seen = trained_on(model)
    # Several responses to one prompt are one prompt.
    asked: dict[str, Prompt | Response] = {}
    for one in prompts:
        asked.setdefault(text_key(one.prompt), one)
    leaked = [one for key, one in asked.items() if key in seen]
    if leaked:
        question = leaked[0].prompt[-1]["content"]
        raise InputError(
            f"expected prompts that {model} was not trained on, found {len(leaked)} that it was, first "
            f"{question[:60]!r} (key {leaked[0].key}); evaluate on prompts of another split",
            field="prompts",
        )
