"""The reasoning that a model writes before its answer. Reasoning is no answer: it is neither split nor judged.

    <think>⏎Let me see. Oslo? Yes.⏎</think>⏎⏎The capital of Norway is Oslo.
    └───────────── reasoning ─────────────┘  └────────── answer ──────────┘

What is read as reasoning:

- What stands between an opening and a closing mark at the beginning of a response; several such blocks, nested blocks
  and empty blocks too.
- An opening mark without a closing mark: the response was cut off, and all of it is reasoning.
- A closing mark alone at the end or at the beginning of a line: the template had opened the reasoning, so that the
  response begins inside it. (Responses that rlhalt samples always have their opening mark, see `opened`.)

Marks later in an answer, or in quotation marks or backticks, are a part of the answer: a reader sees them there.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence

from rlhalt.records import Fragment


@dataclasses.dataclass(frozen=True)
class Marks:
    """How a family of models marks its reasoning.

    Attributes:
        opening, closing: the marks.
        tokens: those that a tokenizer may hold as special tokens, which are dropped from decoded text.
    """

    opening: str
    closing: str
    tokens: tuple[str, ...]


def _plain(opening: str, closing: str) -> Marks:
    return Marks(opening, closing, (opening, closing))


MARKS = (
    _plain("<think>", "</think>"),  # DeepSeek-R1, Qwen3, GLM, Nemotron, LFM2, SmolLM3, ...
    _plain("<thinking>", "</thinking>"),  # models that were asked to reason in their prompt
    _plain("<seed:think>", "</seed:think>"),  # Seed-OSS
    _plain("[THINK]", "[/THINK]"),  # Magistral
    _plain("◁think▷", "◁/think▷"),  # Kimi
    Marks("<|channel>thought", "<channel|>", ("<|channel>", "<channel|>")),  # Gemma 4
    # gpt-oss: "<|end|><|start|>assistant" stands before the closing mark.
    Marks(
        "<|channel|>analysis<|message|>",
        "<|channel|>final<|message|>",
        ("<|channel|>", "<|message|>", "<|start|>", "<|end|>"),
    ),
)
"""The marks of well-known models."""

_OPENING = re.compile(r"\s*(" + "|".join(re.escape(one.opening) for one in MARKS) + ")")
_OPENED = re.compile(r"(?:" + "|".join(re.escape(one.opening) for one in MARKS) + r")\s*\Z")
_QUOTED = r"(?<![`\"'“‘])"
_EITHER = {
    one.opening: re.compile(f"{_QUOTED}(?:({re.escape(one.opening)})|({re.escape(one.closing)}))") for one in MARKS
}
_ALONE = re.compile(
    "|".join(
        rf"(?P<opening{number}>{_QUOTED}{re.escape(one.opening)})"
        rf"|^[ \t]*{re.escape(one.closing)}|{_QUOTED}{re.escape(one.closing)}[ \t]*$"
        for number, one in enumerate(MARKS)
    ),
    re.MULTILINE,
)


def split(response: str) -> tuple[str, int]:
    r"""The reasoning of a response, its marks included, and where its answer begins.

    The answer is `response[start:]`; it is empty where the response was cut off in its reasoning.

    >>> split("<think>\nOslo?\n</think>\n\nIt is Oslo.")
    ('<think>\nOslo?\n</think>\n\n', 24)
    >>> split("It is Oslo.")
    ('', 0)
    """
    start, _ = _read(response)
    return response[:start], start


def answer(response: str) -> str:
    """A response without its reasoning."""
    return response[split(response)[1] :]


def unclosed(response: str) -> bool:
    """Whether a response ends inside its reasoning, so that no answer can follow."""
    return not _read(response)[1]


def opened(prompt: str) -> str:
    r"""The opening mark, and the white space behind it, with which a rendered prompt ends; empty where it has none.

    Such a prompt begins the reasoning for the model. A sampler puts this before what the model writes.

    >>> opened("<|im_start|>assistant\n<think>\n")
    '<think>\n'
    """
    found = _OPENED.search(prompt)
    return found[0] if found else ""


def closing(opening: str) -> str:
    """The closing mark of an opening mark; empty for none."""
    return next((one.closing for one in MARKS if one.opening == opening.strip()), "")


def moved(fragments: Iterable[Fragment], by: int) -> list[Fragment]:
    """Fragments whose offsets are `by` characters further on."""
    return [dataclasses.replace(one, start=one.start + by, end=one.end + by) if by else one for one in fragments]


def fragmented(fragment: Callable[[str], list[Fragment]], response: str) -> list[Fragment]:
    """The fragments of a response's answer, with offsets into the whole response."""
    _, begin = split(response)
    return moved(fragment(response[begin:]), begin)


def special_marks(tokens: Sequence[str]) -> list[str]:
    """Those of a tokenizer's special tokens that mark reasoning, which decoded text must keep."""
    found = set(tokens)
    families = [one.tokens for one in MARKS if set(one.tokens) <= found]
    return [token for family in families for token in family]


def _read(response: str) -> tuple[int, bool]:
    """Where the answer begins, and whether the reasoning has ended there."""
    begin = 0
    while found := _block(response[begin:]):
        end, closed = found
        if not closed:
            return len(response), False
        begin += end
    return begin, True


def _block(text: str) -> tuple[int, bool] | None:
    """Where the first block of reasoning ends, with the white space behind it, and whether it is closed."""
    if mark := _OPENING.match(text):
        end = _closed(text, mark)
        if end is None:
            return len(text), False
    elif _may_close(text) and (alone := _ALONE.search(text)) and not alone.lastgroup:
        end = alone.end()
    else:
        return None
    return len(text) - len(text[end:].lstrip()), True


def _may_close(text: str) -> bool:
    # Most answers hold no mark at all; looking for the places of all of them takes as long as splitting.
    return any(one.closing in text for one in MARKS)


def _closed(response: str, opening: re.Match[str]) -> int | None:
    """Where the block ends that an opening mark begins; at the last closing mark where nested ones do not add up."""
    depth, last = 1, None
    for mark in _EITHER[opening[1]].finditer(response, opening.end()):
        depth += 1 if mark[1] else -1
        if mark[2]:
            last = mark.end()
        if depth == 0:
            break
    return last
