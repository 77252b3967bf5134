"""Biographies: "Tell me a bio of Marie Curie.", judged against the person's article in an encyclopedia.

The articles are the user's: JSON lines of {topic, article}, one a person. FActScore (arXiv 2305.14251), whose question
this is, took them from Wikipedia; `rlhalt.tasks.factscore` has its topics, answers and labels, and no articles.
"""

from __future__ import annotations

from pathlib import Path

from rlhalt.records import Json, Message, Prompt, content_key, iter_json
from rlhalt.tasks.jsonl import distinct, split_of, text_field, user

DOMAIN = "biography"


def question(topic: str) -> list[Message]:
    """The question about a person, word for word as FActScore asked it."""
    return user(f"Question: Tell me a bio of {topic}.")


def prompt(topic: str, reference: Json) -> Prompt:
    """The prompt about a person; one person in five is held out, the same in every file."""
    messages = question(topic)
    return Prompt(content_key(messages, DOMAIN), messages, {"subject": topic, **reference}, DOMAIN, split_of(messages))


def prompts(path: str | Path) -> list[Prompt]:
    """One question a person; `reference` is `{"subject": topic, "article": article}`.

    Raises:
        InputError: no such file, no rows, a row without topic or article, or a topic twice.
    """
    path = Path(path)
    rows = [
        (row, prompt(text_field(data, "topic", path, row), {"article": text_field(data, "article", path, row)}))
        for row, data in iter_json(path)
    ]
    return distinct(rows, path)
