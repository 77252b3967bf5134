"""What a domain asks: its prompts with their references, its examples, and how many facts a full answer has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rlhalt.records import Fragment, Json, Message, Prompt, content_key

if TYPE_CHECKING:
    from rlhalt.verifiers import Verifier

Split = Literal["train", "heldout"]
AnySplit = Literal["train", "heldout", "all"]


class Task:
    """The code of a domain. A domain of one's own subclasses it and overrides what it has.

        class Capitals(Task):
            def own_prompts(self):
                return [prompt(f"What is the capital of {name}?", {"answer": city}, "capitals", "train") ...]

            def verifier(self):
                return CapitalVerifier()

    Attributes:
        fragment: splits a response; None where `domain.yaml` names a fragmenter.
    """

    fragment: Callable[[str], list[Fragment]] | None = None

    def own_prompts(self) -> list[Prompt] | None:
        """The prompts that come with the domain; None where they are read from a file."""
        return None

    def file_prompts(self, file: Path, split: AnySplit) -> list[Prompt] | None:
        """The prompts of a file in a form that this domain knows; None where it knows none beside rlhalt's own.

        Args:
            split: of prompts whose file does not say it; `all` where the user did not say it either.
        """
        return None

    def few_shot(self) -> list[Message]:
        """Questions with good answers, as chat messages, none of them among the prompts; empty where there are none."""
        return []

    def verifier(self) -> Verifier | None:
        """What judges the fragments; None where `domain.yaml` names a verifier."""
        return None

    def n_desired(self, reference: Json) -> int | None:
        """How many correct fragments a full answer has; None where nothing says it."""
        return None


def prompt(question: str, reference: Json, domain: str, split: Split) -> Prompt:
    """A prompt of one question."""
    messages = user(question)
    return Prompt(content_key(messages, domain), messages, reference, domain, split)


def user(text: str) -> list[Message]:
    """A question as chat messages."""
    return [{"role": "user", "content": text}]


def chat(question: str, answer: str) -> list[Message]:
    """A question and its answer as chat messages."""
    return [*user(question), {"role": "assistant", "content": answer}]
