"""Whether the two sides of a pair have the same tokens up to their cut, as TRL will make them.

With `sigmoid` and its like, what both sides begin with cancels out of DPO's loss: the gradient falls on the decision
alone. Text does not cancel, tokens do. A tokenizer may cut the same text in two ways, according to what follows it;
then the loss spends itself on one spelling against the other, where nothing is decided.

TRL 1.16 renders prompt + answer by the chat template (that of `rlhalt.chat.templates` here) and tokenises the whole. A
pair is *aligned* where the first token in which its sides differ reaches the cut on both sides: all that comes before
is the same ids, and the tokens that differ are those with which the decision is spoken. Such a token may hold a piece
of the shared text too: the space before the next word, or the last full stop. More than one token of shared text may
not differ:

    … Asia.| and "end of turn"   Asia .            behind the cut (|) the sides part: aligned
    … Asia.|⏎Its capital         Asia .⏎ Its       "." and ".⏎" both reach the cut: aligned
    … Asia.| Its capital         As ia. ␣Its       "As" ends before the cut, "ia." is no decision: not aligned

The answer must also begin where the prompt ends: a token across that border is one that the model, asked with the
prompt alone, never begins.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rlhalt.chat.templates import Template
from rlhalt.errors import InputError
from rlhalt.records import Json, Message, Pair, content_key

# Prompts whose answers are remembered: what is made of one prompt mostly stands together.
_KEPT = 64


@dataclasses.dataclass(frozen=True)
class Misaligned:
    """A pair that is not to be trained on.

    Attributes:
        key: the pair's.
        reason: why, the same words for the same reason.
    """

    key: str
    reason: str


def align(
    tokenizer: Any, pairs: Iterable[Pair], max_length: int | None = None, template_args: Json | None = None
) -> tuple[list[Pair], list[Misaligned]]:
    """The pairs that are aligned, and those that are not.

    Args:
        tokenizer: a fast tokenizer with a chat template.
        max_length: tokens of prompt and answer above which TRL cuts a side off; such a pair would teach an answer
            without its end.
        template_args: arguments of the chat template.

    Raises:
        InputError: a tokenizer that does not know the offsets of its tokens.
    """
    aligned, refused = [], []
    for pair, reason in objections(tokenizer, pairs, max_length, template_args):
        if reason is None:
            aligned.append(pair)
        else:
            refused.append(Misaligned(pair.key, reason))
    return aligned, refused


def objections(
    tokenizer: Any, pairs: Iterable[Pair], max_length: int | None = None, template_args: Json | None = None
) -> Iterator[tuple[Pair, str | None]]:
    """Pairs one by one, each with why it is not aligned, None where it is; see `align`."""
    prompts = Prompts(tokenizer, template_args)
    for pair in pairs:
        answers = [one[0]["content"] for one in (pair.chosen, pair.rejected)]
        yield pair, prompts.sides(pair.prompt, answers, pair.cut, max_length).objection


def reasons(refused: Sequence[Misaligned]) -> dict[str, int]:
    """How many pairs were refused for each reason, for run.json; the most frequent first."""
    return dict(Counter(one.reason for one in refused).most_common())


@dataclasses.dataclass(frozen=True)
class Sides:
    """Answers to one prompt that share their beginning, tokenised.

    Attributes:
        ids: of prompt and answer, for each answer.
        ends: for each token where it ends, in characters behind the beginning of the answer.
        first: how many tokens the prompt has.
        objection: why they are not aligned; None where they are.
    """

    ids: list[list[int]]
    ends: list[list[int]]
    first: int
    objection: str | None


class Prompts:
    """Answers tokenised as TRL tokenises them, and whether they are aligned.

    Args:
        tokenizer: a fast tokenizer with a chat template.
        template_args: arguments of that template.

    Raises:
        InputError: a tokenizer that does not know the offsets of its tokens.
    """

    def __init__(self, tokenizer: Any, template_args: Json | None = None) -> None:
        if not getattr(tokenizer, "is_fast", False):
            raise InputError(
                "expected a fast tokenizer, which knows the character offsets of its tokens, found a slow one",
                field="tokenizer",
            )
        self._tokenizer, self._template = tokenizer, Template(tokenizer, template_args)
        self._known: dict[str, _Prompt] = {}

    def sides(
        self, prompt: Sequence[Message], answers: Sequence[str], cut: int, max_length: int | None = None
    ) -> Sides:
        """Answers to a prompt, of which the first `cut` characters are the same."""
        key = content_key(prompt)
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = _Prompt(self._tokenizer, self._template, prompt)
        return self._known[key].sides(answers, cut, max_length)


class _Prompt:
    """A prompt as the model is asked it, and answers to it."""

    def __init__(self, tokenizer: Any, template: Template, prompt: Sequence[Message]) -> None:
        self._tokenizer, self._template = tokenizer, template
        self._prompt = list(prompt)
        self._ids = template.encode(self._prompt)
        self._made: dict[str, tuple[list[int], list[int]]] = {}

    def _tokens(self, answer: str) -> tuple[list[int], list[int]]:
        """Ids, and where they end."""
        if answer not in self._made:
            text = self._template.said(self._prompt, answer)
            begin = len(text.removesuffix(answer + self._template.end))
            found = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
            self._made[answer] = (found["input_ids"], [end - begin for _, end in found["offset_mapping"]])
        return self._made[answer]

    def sides(self, answers: Sequence[str], cut: int, max_length: int | None) -> Sides:
        made = [self._tokens(answer) for answer in answers]
        ids, ends = [one for one, _ in made], [one for _, one in made]
        return Sides(ids, ends, len(self._ids), self._objection(ids, ends, cut, max_length))

    def _objection(
        self, ids: Sequence[list[int]], ends: Sequence[list[int]], cut: int, max_length: int | None
    ) -> str | None:
        if any(one[: len(self._ids)] != self._ids for one in ids):
            return "a token stands across the end of the prompt"
        if max_length is not None and any(len(one) > max_length for one in ids):
            return f"longer than {max_length} tokens"
        columns = enumerate(zip(*ids, strict=False))
        first = next((place for place, column in columns if len(set(column)) > 1), None)
        if first is not None and any(one[first] < cut for one in ends):
            return "the text before the cut has other tokens on the two sides"
        return None
