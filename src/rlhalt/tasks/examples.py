"""Examples of a domain: what a base model is shown before a prompt, so that it answers as they do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlhalt.errors import InputError
from rlhalt.records import Message, Prompt, iter_json
from rlhalt.reward import domain_folder
from rlhalt.tasks import countries
from rlhalt.tasks.jsonl import text_field, user

FILE = "examples.jsonl"


def has_examples(domain: str) -> bool:
    """Whether `few_shot` finds examples of a domain."""
    folder = domain_folder(domain)
    return domain == countries.DOMAIN or (folder is not None and (folder / FILE).is_file())


def few_shot(prompts: Sequence[Prompt]) -> tuple[Message, ...]:
    """The examples of the domain that prompts come from, as chat messages: question, answer, question, answer, ...

    Those of `countries` are built in. Another domain has them in `examples.jsonl` in its folder, JSON lines of
    {prompt, response}: text that is asked, and a good answer.

    Raises:
        InputError: prompts of several domains, a domain without examples, a row that is not such an example, or a
            prompt that is itself an example.
    """
    domains = sorted({one.domain for one in prompts})
    if len(domains) != 1:
        raise InputError(f"expected prompts of one domain with examples, found {', '.join(domains) or 'none'}")
    found = _examples(domains[0])
    asked = {message["content"] for message in found if message["role"] == "user"}
    for prompt in prompts:
        question = prompt.prompt[-1]["content"]
        if question in asked:
            raise InputError(
                f"expected other prompts than the examples of '{domains[0]}', found {question!r} in both: its answer "
                "would be shown before it is asked; take it out of one of them"
            )
    return found


def _examples(domain: str) -> tuple[Message, ...]:
    if domain == countries.DOMAIN:
        return tuple(countries.few_shot())
    folder = domain_folder(domain)
    path = (folder or Path("reward") / domain) / FILE
    if folder is None or not path.is_file():
        raise InputError(
            f"expected examples of the domain '{domain}', found none; write them there, JSON lines of prompt and "
            "response, or go without few-shot examples",
            path=path,
        )
    found: list[Message] = []
    for row, data in iter_json(path):
        found += user(text_field(data, "prompt", path, row))
        found.append({"role": "assistant", "content": text_field(data, "response", path, row)})
    if not found:
        raise InputError("expected at least one example, found an empty file", path=path)
    return tuple(found)
