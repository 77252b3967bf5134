"""Biographies: "Tell me a bio of Marie Curie.", judged against the person's article in an encyclopedia.

The articles are the user's: JSON lines of {topic, article}, one a person. FActScore (arXiv 2305.14251), whose question
this is, took them from Wikipedia; `rlhalt.domains.biography.factscore` has its topics, answers and labels, and no
articles.
"""

from __future__ import annotations

from pathlib import Path

from rlhalt.domains.files import distinct, fields, split_of, text_field
from rlhalt.domains.task import AnySplit, Task, user
from rlhalt.records import Json, Message, Prompt, content_key, iter_json

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


class Biography(Task):
    """People of a file of articles."""

    def file_prompts(self, file: Path, split: AnySplit) -> list[Prompt] | None:
        """People of a file with the fields topic and article."""
        return prompts(file) if {"topic", "article"} <= fields(file) else None
