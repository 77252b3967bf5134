"""Countries: "State five facts about Kenya.", judged by a table of facts."""

from __future__ import annotations

from rlhalt.domains.countries.table import facts, names
from rlhalt.domains.task import Task
from rlhalt.records import Message, Prompt, content_key
from rlhalt.verifiers import Verifier
from rlhalt.verifiers.knowledge import KnowledgeVerifier

DOMAIN = "countries"
HELD_OUT = 60
# As `_question` asks in words.
FACTS = 5
FEW_SHOT = {
    "France": (
        "France is in Europe. The capital of France is Paris. The currency of France is the euro. "
        "The official language of France is French. France borders Spain."
    ),
    "Japan": (
        "Japan is in Asia. The capital of Japan is Tokyo. The currency of Japan is the yen. "
        "The official language of Japan is Japanese. Japan has a population of about 125 million."
    ),
    "Brazil": (
        "Brazil is in South America. The capital of Brazil is Brasília. The currency of Brazil is the real. "
        "The official language of Brazil is Portuguese. Brazil borders Argentina."
    ),
}


def _question(name: str) -> list[Message]:
    return [{"role": "user", "content": f"State five facts about {name}."}]


def few_shot() -> list[Message]:
    """Three questions with good answers, as chat messages; `prompts` leaves these countries out."""
    return [
        message
        for name, answer in FEW_SHOT.items()
        for message in [*_question(name), {"role": "assistant", "content": answer}]
    ]


def prompts() -> list[Prompt]:
    """One question a country, sorted by name; `reference` is `{"subject": name, "answer": answer(name),
    "n_asked": 5}`.

    The 60 countries whose names have the smallest `content_key` are held out: a choice that looks random, needs no
    seed, and moves at most one country when one joins or leaves.
    """
    asked = sorted(set(names().values()) - FEW_SHOT.keys())
    held_out = set(sorted(asked, key=content_key)[:HELD_OUT])
    return [
        Prompt(
            key=content_key(_question(name), DOMAIN),
            prompt=_question(name),
            reference={"subject": name, "answer": answer(name), "n_asked": FACTS},
            domain=DOMAIN,
            split="heldout" if name in held_out else "train",
        )
        for name in asked
    ]


def answer(name: str) -> str:
    """Five true facts about a state, in the form of `few_shot`: what standard fine-tuning teaches.

    Its population stands for what the table does not have: a neighbour by land, an undisputed capital.
    """
    entry = facts().entries[name]
    said = {
        "region": "{name} is in {value}.",
        "capital": "The capital of {name} is {value}.",
        "currency": "The currency of {name} is the {value}.",
        "language": "The official language of {name} is {value}.",
        "neighbour": "{name} borders {value}.",
    }
    values = {relation: next(iter(entry.facts[relation].values()), None) for relation in said}
    if values["region"]:
        values["region"] = values["region"].title()
    people = entry.amounts["population"].values[0]
    told = f"{people / 1e6:.0f} million" if people >= 1e7 else f"{float(f'{people:.2g}'):,.0f}"
    sentences = [said[one].format(name=name, value=value) for one, value in values.items() if value]
    return " ".join([*sentences, f"{name} has a population of about {told}."][:FACTS])


class Countries(Task):
    """134 countries for training and 60 held out, verified by the table."""

    def own_prompts(self) -> list[Prompt]:
        """One question per country."""
        return prompts()

    def few_shot(self) -> list[Message]:
        """Three countries that are not among the prompts."""
        return few_shot()

    def verifier(self) -> Verifier:
        """The table of facts."""
        return KnowledgeVerifier(facts())
