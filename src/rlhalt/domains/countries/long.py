"""Countries at length: prompts like LongFact's (Wei et al., arXiv 2403.18802), judged by the table of countries.

The questions ask for as many details as the model can give, not for five facts, so nothing is said about how many
facts a full answer has.
"""

from __future__ import annotations

from rlhalt.domains.countries import Countries, prompts
from rlhalt.domains.task import user
from rlhalt.records import Message, Prompt, content_key

DOMAIN = "countries-long"
QUESTIONS = (
    "What can you tell me about {name}? Give as many specific details as possible.",
    "Describe the geography of {name} in detail: where it lies, its neighbours, its coasts, its size.",
    "Can you give an overview of the people of {name}, their languages and their currency, with specific examples?",
    "I am preparing a talk about {name}. Please list the most important facts about the country, in full sentences.",
)


class CountriesLong(Countries):
    """Four questions about each of the countries, which are held out as in `countries`."""

    def own_prompts(self) -> list[Prompt]:
        """Four questions a country."""
        return [_prompt(one, question) for one in prompts() for question in QUESTIONS]

    def few_shot(self) -> list[Message]:
        """None: three short examples would ask for short answers."""
        return []


def _prompt(country: Prompt, question: str) -> Prompt:
    name = country.reference["subject"]
    messages = user(question.format(name=name))
    return Prompt(content_key(messages, DOMAIN), messages, {"subject": name}, DOMAIN, country.split)
