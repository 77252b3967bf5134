"""General instructions mixed into supervised training, so that a model keeps what it is not trained for.

    mix_file: FILE    rows of prompt and response, of prompt and completion, or of chat messages
    mix_file: own     the model's own answers to the instructions in `instructions.txt`, generated once per model

A model that learns from its own answers is shown what it does already: they hold it where it is (Learning without
Forgetting, Li and Hoiem, arXiv 1606.09282, with answers in place of probabilities). None of them is an instruction of
`rlhalt general`, which measures what is kept.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import filelock

from rlhalt.embedded import cache_folder
from rlhalt.errors import InputError
from rlhalt.evaluation.general import instructions as evaluated_instructions
from rlhalt.files.jsonl import from_json, iter_json, write
from rlhalt.models.names import identity
from rlhalt.records import Json, Message, Target, content_key, user
from rlhalt.training import OWN, general_instructions

SHARE = 0.25
# Longer answers are left out: an answer that was cut off would teach to be cut off.
ANSWER_TOKENS = 128
_BATCH = 33


@dataclasses.dataclass(kw_only=True)
class Mixing:
    """What supervised training mixes in.

    Attributes:
        mix_file: general instructions with answers; `own` for the model's own answers.
        mix_share: their share of all rows; `SHARE` if not given.
    """

    mix_file: str | None = dataclasses.field(
        default=None,
        metadata={"help": "General instructions with answers to mix in, JSON lines; own: the model's own answers."},
    )
    mix_share: float | None = dataclasses.field(
        default=None, metadata={"help": f"Their share of all rows, above 0 and below 1; {SHARE} if not given."}
    )

    def check_mixing(self) -> None:
        """See that file and share go together.

        Raises:
            InputError: naming the key.
        """
        if self.mix_file is None and self.mix_share is not None:
            raise InputError("expected mix_file with it: what is mixed in", field="mix_share")
        if self.mix_share is not None and not 0 < self.mix_share < 1:
            raise InputError(f"expected a share above 0 and below 1, found {self.mix_share:g}", field="mix_share")
        if self.mix_file not in (None, OWN) and not Path(str(self.mix_file)).is_file():
            raise InputError("expected a file, or own for the model's own answers; found neither", path=self.mix_file)


def mixed_in(mixing: Mixing, model: str, template_args: Any, targets: int, seed: int) -> tuple[list[Target], Json]:
    """The rows that are mixed into a training, and what run.json says about them.

    Args:
        model: the model to train, which gives its own answers.
        template_args: arguments of its chat template.
        targets: how many rows they are mixed into.

    Raises:
        InputError: see `read_instructions` and `refuse_evaluated`.
    """
    if mixing.mix_file is None:
        return [], {}
    path = own_answers(model, template_args) if mixing.mix_file == OWN else Path(mixing.mix_file)
    found = read_instructions(path)
    refuse_evaluated(found, path)
    share = SHARE if mixing.mix_share is None else mixing.mix_share
    rows = drawn(found, targets, share, seed)
    return rows, {"file": mixing.mix_file, "share": share, "rows": len(rows), "of": len(found)}


def read_instructions(path: Path) -> list[Target]:
    """Instructions with answers: `prompt` with `response` or `completion` (text or messages), or `messages`.

    Rows that `rlhalt sample` wrote are of this form, and those of most instruction data sets.

    Raises:
        InputError: no such file, no rows, or one without an instruction and an answer.
    """
    rows = [from_json(Target, _as_target(data), path, row) for row, data in iter_json(path)]
    if not rows:
        raise InputError("expected at least one instruction, found none", path=path)
    return rows


def _as_target(data: Json) -> Json:
    messages = data.get("messages")
    if isinstance(messages, list) and len(messages) > 1:
        data = {"prompt": messages[:-1], "completion": messages[-1:]}
    elif "response" in data and "completion" not in data:
        data = {"prompt": data.get("prompt"), "completion": data["response"]} if "prompt" in data else {}
    return {name: data[name] for name in ("prompt", "completion") if name in data} | {"style": "general"}


def refuse_evaluated(rows: Sequence[Target], path: Path) -> None:
    """See that no instruction is one that `rlhalt general` asks, whatever stands around it.

    Raises:
        InputError: naming how many are, and the first.
    """
    asked = [_words(one.instruction) for one in evaluated_instructions()]
    for number, row in enumerate(rows, start=1):
        said = [_words(message["content"]) for message in row.prompt]
        if any(f" {one} " in f" {text} " for one in asked for text in said):
            question = row.prompt[-1]["content"]
            raise InputError(
                f"expected instructions that `rlhalt general` does not ask, found {question[:60]!r}; take it out",
                path=path,
                row=number,
            )


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def drawn(rows: Sequence[Target], targets: int, share: float, seed: int) -> list[Target]:
    """As many rows as make `share` of all beside `targets`: each as often as the others, give or take one.

    >>> one = Target("k", [], [], "general", "")
    >>> len(drawn([one], 30, 0.25, seed=0))
    10
    """
    wanted = max(1, round(targets * share / (1 - share)))
    rng = random.Random(seed)
    rest = rng.sample(range(len(rows)), wanted % len(rows))
    return [*list(rows) * (wanted // len(rows)), *(rows[place] for place in sorted(rest))]


def own_answers(model: str, template_args: Any = None) -> Path:
    """The file of a model's own greedy answers to the general instructions, made once and kept in the cache.

    Several processes may ask at once: one generates, the others wait.

    Raises:
        InputError: see `rlhalt.models.names.resolve_model`; or it finishes no answer.
    """
    asked = general_instructions()
    key = content_key(identity(model), asked, ANSWER_TOKENS, template_args or {})
    path = cache_folder() / "general" / f"{key}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            write(path, _generated(model, asked, template_args))
    return path


def _generated(model: str, asked: Sequence[str], template_args: Any) -> list[Target]:
    from rlhalt.running.progress import track
    from rlhalt.sampling import load_engine

    engine = load_engine(model, "transformers", dict(template_args or {}))
    rows = []
    for start in track(range(0, len(asked), _BATCH), "own answers to general instructions"):
        chats: list[list[Message]] = [user(one) for one in asked[start : start + _BATCH]]
        replies = engine.complete(chats, temperature=0.0, max_tokens=ANSWER_TOKENS, seed=0)
        for chat, reply in zip(chats, replies, strict=True):
            if reply.finish_reason == "stop" and reply.text.strip():
                answer: list[Message] = [{"role": "assistant", "content": reply.text}]
                rows.append(Target(content_key(chat, answer), chat, answer, "general", ""))
    if not rows:
        raise InputError(
            f"expected answers that end within {ANSWER_TOKENS} tokens, found none: the model does not follow "
            "instructions; name a file of them",
            field="mix_file",
        )
    return rows


def dataset_of(rows: Sequence[Target]) -> Any:
    """Rows as a `datasets.Dataset` with the columns of targets."""
    from datasets import Dataset

    return Dataset.from_list([{"prompt": one.prompt, "completion": one.completion} for one in rows])
