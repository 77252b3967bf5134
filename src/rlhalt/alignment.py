"""Whether the two sides of a pair have the same tokens up to their cut, as TRL will make them.

With `sigmoid` and its like, what both sides begin with cancels out of DPO's loss: the gradient falls on the decision
alone. Text does not cancel, tokens do. A tokenizer may cut the same text in two ways, according to what follows it;
then the loss spends itself on one spelling against the other, where nothing is decided.

TRL 1.16 renders prompt + answer by the chat template and tokenises the whole. A pair is *aligned* where the first token
in which its sides differ reaches the cut on both sides: all that comes before is the same ids, and the tokens that
differ are those with which the decision is spoken. Such a token may hold a piece of the shared text too: the space
before the next word, or the last full stop. More than one token of shared text may not differ:

    … Asia.| and "end of turn"   Asia .            behind the cut (|) the sides part: aligned
    … Asia.|⏎Its capital         Asia .⏎ Its       "." and ".⏎" both reach the cut: aligned
    … Asia.| Its capital         As ia. ␣Its       "As" ends before the cut, "ia." is no decision: not aligned

The answer must also begin where the prompt ends: a token across that border is one that the model, asked with the
prompt alone, never begins. (Templates that render the prompt alone otherwise than before an answer are TRL's to warn
of.)
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rlhalt.errors import InputError
from rlhalt.records import Message, Pair, content_key

# Stands for an answer when a chat is rendered to see where it goes; private use, so that no template speaks of it.
_ANSWER = "\ue000"


@dataclasses.dataclass(frozen=True)
class Misaligned:
    """A pair that is not to be trained on.

    Attributes:
        key: the pair's.
        reason: why, the same words for the same reason.
    """

    key: str
    reason: str


def align(tokenizer: Any, pairs: Iterable[Pair], max_length: int | None = None) -> tuple[list[Pair], list[Misaligned]]:
    """The pairs that are aligned, and those that are not.

    Args:
        tokenizer: a fast tokenizer with a chat template.
        max_length: tokens of prompt and answer above which TRL cuts a side off; such a pair would teach an answer
            without its end.

    Raises:
        InputError: a tokenizer that does not know the offsets of its tokens.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise InputError(
            "expected a fast tokenizer, which knows the character offsets of its tokens, found a slow one",
            field="tokenizer",
        )
    prompts: dict[str, _Prompt] = {}
    aligned, refused = [], []
    for pair in pairs:
        key = content_key(pair.prompt)
        if key not in prompts:
            prompts[key] = _Prompt(tokenizer, pair.prompt)
        reason = prompts[key].objection(pair, max_length)
        if reason is None:
            aligned.append(pair)
        else:
            refused.append(Misaligned(pair.key, reason))
    return aligned, refused


def reasons(refused: Sequence[Misaligned]) -> dict[str, int]:
    """How many pairs were refused for each reason, for run.json; the most frequent first."""
    return dict(Counter(one.reason for one in refused).most_common())


class _Prompt:
    """A prompt as the chat template renders it: alone, and before an answer."""

    def __init__(self, tokenizer: Any, prompt: Sequence[Message]) -> None:
        self._tokenizer = tokenizer
        self._prompt = list(prompt)
        self._ids = tokenizer.apply_chat_template(self._prompt, add_generation_prompt=True)["input_ids"]
        alone = tokenizer.apply_chat_template(self._prompt, add_generation_prompt=True, tokenize=False)
        self._head = self._rendered([{"role": "assistant", "content": _ANSWER}]).partition(_ANSWER)[0]
        self._is_prefix = self._head.startswith(alone)

    def _rendered(self, answer: Sequence[Message]) -> str:
        text: str = self._tokenizer.apply_chat_template([*self._prompt, *answer], tokenize=False)
        return text

    def objection(self, pair: Pair, max_length: int | None) -> str | None:
        """Why a pair is not aligned; None where it is."""
        sides = []
        for answer in (pair.chosen, pair.rejected):
            if not self._rendered(answer).startswith(self._head + answer[0]["content"]):
                return "the chat template changes the answer"
            found = self._tokenizer.apply_chat_template(
                [*self._prompt, *answer], tokenizer_kwargs={"return_offsets_mapping": True}
            )
            sides.append((found["input_ids"], [end for _, end in found["offset_mapping"]]))
        if self._is_prefix and any(ids[: len(self._ids)] != self._ids for ids, _ in sides):
            return "a token stands across the end of the prompt"
        if max_length is not None and any(len(ids) > max_length for ids, _ in sides):
            return f"longer than {max_length} tokens"
        (chosen, _), (rejected, _) = sides
        first = next((n for n, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b), None)
        cut = len(self._head) + pair.cut
        if first is not None and any(ends[first] < cut for _, ends in sides):
            return "the text before the cut has other tokens on the two sides"
        return None
