"""Chemical elements: "State five facts about the chemical element iron.", judged by a table.

The table needs the package periodictable: pip install "rlhalt[elements]".
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from rlhalt.domains.task import Task, chat, user
from rlhalt.records import Json, Message, Prompt, content_key
from rlhalt.verifiers import Verifier

if TYPE_CHECKING:
    from rlhalt.verifiers.table import Table

HELD_OUT = 30
# As the question asks in words.
FACTS = 5
EXAMPLES = ("Carbon", "Neon", "Sodium")


class Elements(Task):
    """88 elements for training less three examples, and 30 held out."""

    def own_prompts(self) -> list[Prompt]:
        """One question per element, sorted by name; 30 are held out, by the smallest `content_key` of the name."""
        names = sorted(set(_facts().entries) - set(EXAMPLES))
        held_out = set(sorted(names, key=content_key)[:HELD_OUT])
        return [
            Prompt(
                key=content_key(user(_question(name)), "elements"),
                prompt=user(_question(name)),
                reference={"subject": name, "answer": answer(name), "n_asked": FACTS},
                domain="elements",
                split="heldout" if name in held_out else "train",
            )
            for name in names
        ]

    def few_shot(self) -> list[Message]:
        """Three elements that are not among the prompts."""
        return [message for name in EXAMPLES for message in chat(_question(name), answer(name))]

    def n_desired(self, reference: Json) -> int | None:
        """The facts of the reference answer; no state is known of the heaviest elements."""
        return str(reference["answer"]).count(".")

    def verifier(self) -> Verifier:
        """The table of facts."""
        from rlhalt.verifiers.knowledge import KnowledgeVerifier

        return KnowledgeVerifier(_facts())


def _question(name: str) -> str:
    return f"State five facts about the chemical element {name.lower()}."


def answer(name: str) -> str:
    """Five true facts about an element, or four: what standard fine-tuning teaches."""
    entry = _facts().entries[name]
    told = [f"The symbol of {name.lower()} is {next(iter(entry.facts['symbol'].values()))}."]
    amounts = {fact: f"{entry.amounts[fact].values[0]:g}" for fact in entry.amounts}
    told += [f"Its atomic number is {amounts['atomic number']}.", f"It is in period {amounts['period']}."]
    told += [f"It is in group {amounts['group']}."] if "group" in amounts else []
    told += [f"It is a {value} at room temperature." for value in list(entry.facts["state"].values())[:1]]
    told += [f"Its atomic mass is about {entry.amounts['atomic mass'].values[0]:.0f} u."]
    return " ".join(told[:FACTS])


@functools.cache
def _facts() -> Table:
    from rlhalt.domains.elements.table import facts

    return facts()
