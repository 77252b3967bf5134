"""Fragments that people have labelled, as verdicts: nothing is asked and nothing is guessed.

    response, passages with labelled facts ─ locate ─► spans ─ by sentence, or by fact ─► judged fragments

People label what they copied out of a response, often one atomic statement at a time. Here their labels are tied to
the characters they are about. A label that cannot be tied is handed back (`Annotated.unplaced`), never dropped; text
that nobody labelled is *unverifiable*.

This is where the labels become verdicts; where a data set's files become rows is its package in `rlhalt.domains`.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from rlhalt.fragments.claim_spans import pieces
from rlhalt.fragments.halts import with_halts
from rlhalt.fragments.sentences import sentences
from rlhalt.records import HALT_PHRASE, Fragment, Label

Granularity = Literal["sentences", "facts"]

NAME = "annotation/1"


@dataclasses.dataclass(frozen=True)
class Fact:
    """A statement that a person has labelled.

    Attributes:
        text: the statement, as a sentence that stands by itself.
        label: `correct`, `incorrect` or `unverifiable`.
    """

    text: str
    label: Label


@dataclasses.dataclass(frozen=True)
class Passage:
    """A passage of a response, mostly a sentence, with the facts that people found in it.

    Attributes:
        text: as it was copied out of the response; white space may differ.
        facts: none where people found no fact in it.
    """

    text: str
    facts: tuple[Fact, ...]


@dataclasses.dataclass(frozen=True)
class Annotated:
    """What became of the labels of one response.

    Attributes:
        fragments: judged, in the order of the text.
        unplaced: passages that are not in the response, or not in this order.
    """

    fragments: list[Fragment]
    unplaced: tuple[Passage, ...]


def annotate(
    response: str, passages: Sequence[Passage], granularity: Granularity, phrase: str = HALT_PHRASE
) -> Annotated:
    """The judged fragments of a response.

    - `sentences`: one fragment a passage. It is incorrect where any of its facts is, else correct where any is, else
      unverifiable.
    - `facts`: one fragment a fact, on the words the fact adds; facts that share words are one fragment, judged as a
      sentence is (see `rlhalt.fragments.claim_spans`). Its `claim` is what the facts say. Words that no fact says are
      in no fragment.

    A passage without facts is one unverifiable fragment in both, and so is each sentence that nobody labelled.

    Args:
        phrase: what the domain halts with.
    """
    spans = locate(response, [one.text for one in passages])
    fragments: list[Fragment] = []
    end = 0
    for passage, span in zip(passages, spans, strict=True):
        if span is not None:
            fragments += _unlabelled(response, end, span[0], phrase)
            fragments += _labelled(response, span, passage, granularity)
            end = span[1]
    fragments += _unlabelled(response, end, len(response), phrase)
    return Annotated(fragments, tuple(one for one, span in zip(passages, spans, strict=True) if span is None))


def abstention(response: str) -> list[Fragment]:
    """A response that people call an abstention: all of it is one halt; nothing where it is empty."""
    start, end = _trimmed(response, 0, len(response))
    if start == end:
        return []
    evidence = "people call the response an abstention"
    return [Fragment(start, end, "halt", response[start:end], "halt", verifier=NAME, evidence=evidence)]


def locate(response: str, passages: Sequence[str]) -> list[tuple[int, int] | None]:
    """Where each passage stands in a response, one after the other; None for one that does not.

    White space may differ in kind and amount, and be there or not; every other character must be the same.
    """
    spans: list[tuple[int, int] | None] = []
    end = 0
    for passage in passages:
        characters = [re.escape(one) for one in passage if not one.isspace()]
        found = re.compile(r"\s*".join(characters)).search(response, end) if characters else None
        spans.append(found.span() if found else None)
        end = found.end() if found else end
    return spans


def _labelled(response: str, span: tuple[int, int], passage: Passage, granularity: Granularity) -> Iterator[Fragment]:
    start, end = span
    text, facts = response[start:end], passage.facts
    if granularity == "sentences" or not facts or not any(char.isalnum() for char in text):
        yield _judged(response, start, end, "sentence", facts)
        return
    for piece in pieces(text, [one.text for one in facts]):
        some = [facts[one] for one in piece.statements]
        claim = " ".join(" ".join(one.text.split()) for one in some)
        yield _judged(response, start + piece.start, start + piece.end, "claim", some, claim)


def _judged(
    response: str, start: int, end: int, kind: str, facts: Sequence[Fact], claim: str | None = None
) -> Fragment:
    return Fragment(
        start=start,
        end=end,
        kind=kind,
        text=response[start:end],
        label=_label(facts),
        verifier=NAME,
        evidence=_evidence(facts),
        claim=claim,
    )


def _label(facts: Sequence[Fact]) -> Label:
    labels = {one.label for one in facts}
    return "incorrect" if "incorrect" in labels else "correct" if "correct" in labels else "unverifiable"


def _evidence(facts: Sequence[Fact]) -> str:
    if not facts:
        return "people found no fact in it"
    counts = Counter(one.label for one in facts)
    said = ", ".join(f"{counts[one]} {one}" for one in ("correct", "incorrect", "unverifiable") if counts[one])
    wrong = "; ".join(" ".join(one.text.split()) for one in facts if one.label == "incorrect")
    return f"people say {said}" + (f": {wrong}" if wrong else "")


def _unlabelled(response: str, start: int, end: int, phrase: str) -> Iterator[Fragment]:
    """The sentences between two passages, or before the first or after the last."""
    text = response[start:end]
    for one in with_halts(text, sentences(text, phrase), phrase):
        label: Label = "halt" if one.kind == "halt" else "unverifiable"
        evidence = "the halting phrase" if label == "halt" else "nobody labelled it"
        yield dataclasses.replace(
            one, start=start + one.start, end=start + one.end, label=label, verifier=NAME, evidence=evidence
        )


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    inner = text[start:end].strip()
    start = text.index(inner, start) if inner else end
    return start, start + len(inner)
