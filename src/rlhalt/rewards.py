"""What a verdict earns at the correctness threshold τ: the one place where truth becomes a number.

    verdicts ─ counted ─► verdicts that count ─ fragment_reward ─► 1 - τ, -τ, 0 ─ response_reward ─► one number

A fragment earns 1 - τ when it is correct, -τ when it is incorrect, 0 when it halts or cannot be checked. A model that
is right with probability p gains p (1 - τ) - (1 - p) τ = p - τ by speaking, and should speak iff p ≥ τ.

That invites cheating, so not every verdict counts. The rules take from correct fragments only, never from incorrect
ones, so that no way of saying a thing is worth more than saying it once, plainly, in its place:

- *After halting* nothing good counts. Who says "Unsure from here." and goes on has not halted; wrong claims there still
  cost τ, or the phrase would be a licence to guess.
- *Said twice* counts once: the same words, see `rlhalt.statement`. Only in independent domains, where each statement
  stands by itself; a line of a program may well stand there twice. That two different sentences state one fact is for
  the verifier to see (`rlhalt.verifiers.knowledge`, `rlhalt.verifiers.maths`). A wrong claim costs τ each time.
- *More than was asked for* counts nothing. Where the prompt asks for a number of facts, and the reference says so
  (`n_asked`), only that many claims can earn, in independent domains: the first ones of the response that are right or
  wrong. What cannot be checked takes no place among them, and neither does a repetition, a halt or a failed fragment,
  so an introduction costs an honest answer nothing. A wrong claim does take a place: otherwise a model could try again
  until all places are filled. A wrong claim beyond the number still costs τ. So each of the first claims gains p - τ as
  before, whatever stands in the others, and each further one gains -(1 - p) τ: never more than silence, in any order.
  A place has a price where a model has more to say than was asked for: a doubtful claim pays iff it gains more than the
  claim that it displaces, which asks for more than p ≥ τ. Where there are places left, p ≥ τ is all.
- *After the first error* nothing counts in causal domains, good or bad: it rests on the error.

An honest response, which says each thing once and ends where it halts, loses nothing by them: each claim it makes gains
p - τ on average, whatever stands around it.

In a causal domain one question is left: what the right steps before the first error are worth. `fragment_rewards` gives
them what they earned, and the tokens of the error what it costs: each decision gains p - τ, and the rule is that of
optimal stopping, to go on while what is still to come is worth more than nothing. `response_reward` is one number for
all tokens, the wrong ones among them. If it grew with the steps before the error, long wrong chains would be reinforced
with their errors (CLIFF: wrong chains grew from 1,279 to 1,959 tokens). So there a wrong chain earns -τ, however long
the right part before the error.

Not both can be had from one number. Let halting after k right steps earn h(k), and going wrong there w. Speaking gains
p - τ over halting, for every p, only if h(k) - w = τ and h(k + 1) - w = 1: for every k, so w must grow with k.
With w = -τ, speaking after k right steps pays from p = (k (1 - τ) + τ) / (k (1 - τ) + 1) on, which is τ for k = 0 and
0.76 for τ = 0.2, k = 3. The response reward is therefore more careful than τ in long chains. Train on fragments where
τ is to mean what it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rlhalt.errors import InputError
from rlhalt.records import Fragment, Label
from rlhalt.statement import statement

Halting = Literal["independent", "causal"]


def check_threshold(value: float, field: str = "threshold") -> float:
    """The correctness threshold τ, checked.

    Raises:
        InputError: τ outside the open interval (0, 1).

    >>> check_threshold(0.8)
    0.8
    """
    if not isinstance(value, int | float) or not 0 < value < 1:
        raise InputError(
            f"expected a correctness threshold τ between 0 and 1, both excluded, found {value}", field=field
        )
    return value


def fragment_reward(label: Label | None, threshold: float) -> float | None:
    """What a fragment earns: 1 - τ correct, -τ incorrect, 0 halting or unverifiable, None where scoring failed.

    A model that is right with probability p gains p (1 - τ) - (1 - p) τ = p - τ by speaking: it should iff p ≥ τ.

    >>> [fragment_reward(label, 0.75) for label in ("correct", "incorrect", "unverifiable", "halt", None)]
    [0.25, -0.75, 0.0, 0.0, None]
    """
    if label is None:
        return None
    return {"correct": 1 - threshold, "incorrect": -threshold, "unverifiable": 0.0, "halt": 0.0}[label]


def counted(fragments: Sequence[Fragment], halting: Halting, asked: int | None = None) -> list[Label | None]:
    """The verdicts of a response as they count, one a fragment: *unverifiable* where a verdict does not count.

    None where scoring failed and, in a causal domain, from there on: what follows counts only if no error came before.
    A halt is a halt wherever it stands.

    Args:
        asked: how many facts the prompt asks for, see `n_asked`; no limit where None. Not used in causal domains.

    >>> labels = ("correct", "incorrect", "correct")
    >>> response = [Fragment(at, at + 1, "step", "abc"[at], label) for at, label in enumerate(labels)]
    >>> counted(response, "independent"), counted(response, "causal")
    (['correct', 'incorrect', 'correct'], ['correct', 'incorrect', 'unverifiable'])
    """
    labels: list[Label | None] = []
    said: set[str] = set()
    claims = 0  # right or wrong, as they count
    halted = broken = wrong = False
    independent = halting == "independent"
    for one in fragments:
        words = statement(one) if independent else None
        beyond = independent and asked is not None and claims >= asked
        if one.label == "halt":
            labels.append("halt")
        elif wrong:
            labels.append("unverifiable")
        elif one.label is None or broken:
            labels.append(None)
        elif one.label == "correct" and (halted or beyond or words in said):
            labels.append("unverifiable")
        else:
            labels.append(one.label)
        claims += labels[-1] in ("correct", "incorrect")
        if words is not None and one.label == "correct":
            said.add(words)
        halted |= one.label == "halt"
        if not independent:
            broken |= one.label is None
            wrong |= labels[-1] == "incorrect"
    return labels


def fragment_rewards(
    fragments: Sequence[Fragment], threshold: float, halting: Halting, asked: int | None = None
) -> list[float | None]:
    """What each fragment of a response earned at τ; None where that cannot be told.

    Their sum is the τ-utility of the response. A wrong chain is worth τ less than the same chain halted before its
    first error, however long the right part.

    Args:
        asked: how many facts the prompt asks for, see `n_asked`.

    >>> labels = ("correct", "incorrect", "correct")
    >>> response = [Fragment(at, at + 1, "sentence", "abc"[at], label) for at, label in enumerate(labels)]
    >>> fragment_rewards(response, 0.75, "independent")
    [0.25, -0.75, 0.25]
    """
    return [fragment_reward(label, threshold) for label in counted(fragments, halting, asked)]


def response_reward(
    fragments: Sequence[Fragment], threshold: float, halting: Halting, asked: int | None = None
) -> float | None:
    """What a whole response earns at τ; None where the scoring of any of its fragments failed.

    The sum of its fragment rewards; in a causal domain -τ for every response with an error, whatever comes before it.

    Args:
        asked: how many facts the prompt asks for, see `n_asked`.

    >>> labels = ("correct", "incorrect", "correct")
    >>> response = [Fragment(at, at + 1, "sentence", "abc"[at], label) for at, label in enumerate(labels)]
    >>> response_reward(response, 0.75, "independent"), response_reward(response, 0.75, "causal")
    (-0.25, -0.75)
    """
    if any(one.label is None for one in fragments):
        return None
    rewards = [reward for reward in fragment_rewards(fragments, threshold, halting, asked) if reward is not None]
    if halting == "causal" and any(reward < 0 for reward in rewards):
        return -threshold
    return sum(rewards)
