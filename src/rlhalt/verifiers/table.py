"""A table of facts, and the patterns by which sentences state them.

A new table is data and patterns; `rlhalt.domains.elements` is one, and this is the smallest one:

    >>> from rlhalt.fragments.sentences import sentences
    >>> from rlhalt.verifiers.knowledge import KnowledgeVerifier
    >>> rivers = {"Rhine": ("basel|cologne", 1230), "Loire": ("nantes|tours", 1006)}
    >>> table = Table(
    ...     entries={
    ...         name: Entry(
    ...             names=(plain(name),),
    ...             facts={"city": {city: city for city in cities.split("|")}},
    ...             amounts={"length": Amount((length,), tolerance=0.05)},
    ...         )
    ...         for name, (cities, length) in rivers.items()
    ...     },
    ...     relations=(
    ...         Relation("city", ("{subject}flows through",), labels="city|cities"),
    ...         Relation("length", ("{subject}is {amount} long",), units={"(?:km|kilomet(?:er|re)s)": (1.0, 0.0)}),
    ...     ),
    ...     nouns=("river",),
    ... )
    >>> text = "The Rhine flows through Basel. It flows through Nantes. The river is 765 miles long. It is 400 km long."
    >>> verdicts = KnowledgeVerifier(table).verify(text, sentences(text), {"subject": "Rhine"})
    >>> [one.label for one in verdicts]
    ['correct', 'incorrect', 'unverifiable', 'incorrect']

Nantes is wrong because the table knows it as a city of another river. A city that the table does not know, a unit that
is not listed and whatever else stands where a value could stand is no value: the sentence is unverifiable.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence, Set

from rlhalt.records import content_key
from rlhalt.verifiers.plain import plain
from rlhalt.verifiers.source_code import code_of

__all__ = ["Amount", "Entry", "Relation", "Table", "plain"]

# "Over 50 million" says little of 90 million and nothing wrong; a table's own figure may be this much too small.
_OLD = 1.05


@dataclasses.dataclass(frozen=True)
class Amount:
    """A quantity.

    Attributes:
        values: figures in use, the first being the table's own.
        tolerance: the largest relative distance from one of them that is still right.
        slack: the largest absolute distance that is still right.
    """

    values: tuple[float, ...]
    tolerance: float = 0.0
    slack: float = 0.0

    def __contains__(self, number: float) -> bool:
        return any(abs(number - value) <= self._width(value) for value in self.values)

    def over(self, number: float) -> bool | None:
        """Whether it is right to say that the quantity is more than a number; none where that is open or vague."""
        if all(number > value + self._width(value) for value in self.values):
            return False
        near = any(value - self._width(value) <= number <= value * _OLD for value in self.values)
        return True if near else None

    def under(self, number: float) -> bool | None:
        """Whether it is right to say that the quantity is less than a number; none where that is open or vague."""
        if all(number < value - self._width(value) for value in self.values):
            return False
        return True if any(value <= number <= value + self._width(value) for value in self.values) else None

    def _width(self, value: float) -> float:
        return max(self.tolerance * abs(value), self.slack)


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is known about one subject. All phrases are `plain`.

    Attributes:
        names: what the subject is called.
        facts: relation → accepted phrase → the value it stands for, so that two names of a thing are one fact.
        amounts: relation → quantity.
        adjectives: what its own things are called ("Kenyan").
        disputed: relation → phrases that are neither right nor wrong.
        qualifiers: relation → "value qualifier" pairs that are right (`Relation.qualifier`).
    """

    names: tuple[str, ...]
    facts: Mapping[str, Mapping[str, str]]
    amounts: Mapping[str, Amount] = dataclasses.field(default_factory=dict)
    adjectives: tuple[str, ...] = ()
    disputed: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    qualifiers: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Relation:
    """How a relation is put into words.

    Attributes:
        fact: the key of the facts, the disputed phrases, or the amounts.
        patterns: regular expressions on plain text. `{subject}` is the subject with a space after it, and may be
            missing in a later clause; `{own}` is "its ", "Kenya 's ", "Kenyan " or nothing; `{of}` is " of Kenya" or
            nothing; `{OWN}` and `{OF}` are the same and not nothing; `{is}` is "is" or "is not" (group `no`). The
            values stand where a pattern ends, or at `{value}`; an amount stands at `{amount}`, a year after it at
            `{when}`. A group `count` is the number of values that are announced ("has two official languages").
        labels: a regular expression of what may stand before a colon and a value ("**Capital:** Nairobi").
        units: of amounts only: pattern of a unit → what to multiply a number by, then to add. "" is no unit.
        tidy: the phrases that a value may mean, most literal first.
        invented: a regular expression that finds, in the text as written, the names (group 1) that are wrong values
            though nobody knows them; nothing where only values that the table knows can be wrong.
        cased: whether values are told apart by case ("Co", "CO"); its phrases are as written.
        lead: a regular expression of what may stand before each value; its group `how`, where there is one, qualifies
            the value.
        qualifier: a regular expression of what may stand after a value and is checked with it: `Entry.qualifiers` has
            the value, a space, and the words of the group `how`. Others are open.
        words: one of these stands in every sentence that a pattern matches; a sentence without them is not tried, which
            makes reading several times faster. Nothing: every sentence is tried.
        value_has: relations that a value of this one has too, so that "it" in the next clause may mean the value.
        single: whether its accepted values are ways to say one thing (regions of a country, its capitals), so that only
            the first value that a response gives is worth anything.
        states: the facts that it states where it is another way to put them ("the capital and largest city").
    """

    fact: str
    patterns: tuple[str, ...]
    labels: str = ""
    units: Mapping[str, tuple[float, float]] | None = None
    tidy: Callable[[str], Sequence[str]] = lambda value: [value]
    invented: str = ""
    cased: bool = False
    lead: str = ""
    qualifier: str = ""
    words: tuple[str, ...] = ()
    value_has: tuple[str, ...] = ()
    single: bool = False
    states: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Table:
    """Subjects, and the relations they are judged by.

    Attributes:
        entries: by the name that a reference's `subject` gives.
        relations: how facts are stated.
        known: relation → values that are wrong where they are not accepted, beside the values of other entries. A name
            of an entry always is.
        nouns: what any subject may be called in its own answer ("the country").
        noise: words of no substance in this domain.
        labels: a regular expression of what may stand before a colon and a sentence ("Location: Kenya is in Africa").
    """

    entries: Mapping[str, Entry]
    relations: tuple[Relation, ...]
    known: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)
    nouns: tuple[str, ...] = ()
    noise: frozenset[str] = frozenset()
    labels: str = ""

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """What any subject is called."""
        return frozenset(name for entry in self.entries.values() for name in entry.names)

    @functools.cached_property
    def values(self) -> Mapping[str, frozenset[str]]:
        """Relation → every phrase that is a value of it for some entry."""
        found: dict[str, set[str]] = {fact: set(phrases) for fact, phrases in self.known.items()}
        for entry in self.entries.values():
            for source in (entry.facts, entry.disputed):
                for fact, phrases in source.items():
                    found.setdefault(fact, set()).update(phrases)
        return {fact: frozenset(phrases) for fact, phrases in found.items()}

    @functools.cached_property
    def fingerprint(self) -> str:
        """A hash of what the table holds, and of the code of its functions; equal tables have equal ones."""
        return content_key(_content(self))


def _content(value: object) -> object:
    """A value as JSON that does not follow from the order in which it was made."""
    if isinstance(value, Mapping):
        return sorted([key, _content(one)] for key, one in value.items())
    if isinstance(value, Set):
        return sorted(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_content(one) for one in value]
    if isinstance(value, functools.partial):
        return [_content(value.func), _content(value.args), _content(value.keywords)]
    if dataclasses.is_dataclass(value):
        return [_content(getattr(value, one.name)) for one in dataclasses.fields(value)]
    return [getattr(value, "__qualname__", ""), code_of(value)] if callable(value) else value
