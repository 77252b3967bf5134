"""How sentences about countries are put, as patterns for `rlhalt.verifiers.knowledge`."""

from __future__ import annotations

import re

from rlhalt.verifiers.knowledge import Relation

_NOISE = """
a an country countries nation nations state states sovereign independent republic located situated found lying currently
officially mainly mostly primarily called known as so named there of people both area
dc
"""  # dc: Washington's
NOISE = frozenset(_NOISE.split())

_BE = r"(?:is|are|was|were|lies|sits)(?P<no> not)?(?: also| currently| officially| mainly| mostly| primarily| often)?"
_NOT_A_VALUE = (
    r"(?!(?:an?|and|not|of|is|are|was|region|in|on|at|near|one|located|situated|found|home|considered|very|more|"
    r"largest|biggest|most|second|also|used|spoken|divided|based|similar|different|derived|pegged|issued|unknown|"
    r"recogni[sz]ed|its|widely|made|surrounded|bordered|accepted|composed)\b)"
)
_VALUE = rf"(?:(?:known as|called|named|referred to as|commonly known as) )?{_NOT_A_VALUE}(?P<value>[^,;:()]+?){{end}}"
_LIST = (
    rf"{_NOT_A_VALUE}(?P<value>[^;:]+?)"
    r"(?=;|,? and (?:its|it|has|is|with|a|(?:local |official )?(?:capital|currency)|population)\b|"
    r",? (?:with|which|where|while|but|although)\b|$)"
)
_SUBJECT_VALUE = (
    r"(?P<value>(?!(?:it|this|that|they|there|which|one|and)\b)(?:(?! (?:is|are|was|has|within) )[^,;:()])+?)"
)
_DIRECTION = r"(?:north|south|east|west|northeast|northwest|southeast|southwest|central)"
_PEOPLE = r"(?: people| inhabitants| residents| citizens| persons)?"
_ABOUT = (
    r"(?:(?:about|around|approximately|roughly|over|under|nearly|almost|more than|less than|just|just over|just under|"
    r"some|an|estimated|an estimated|estimated at|slightly|well over|at|close to|only|up to) )*"
)
_FIGURE = (
    r"(?P<value>\d[\d,.]*(?: ?(?:thousand|million|billion|trillion)s?\b)?|"
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve) (?:thousand|million|billion)s?\b)"
)
_UNIT = r"(?P<unit>square kilomet(?:er|re)s?|sq\.? km|km2|square miles?|sq\.? mi(?:les)?|mi2)"
_YEAR = r"(?:,? \(?(?:as of|in|according to|by) (?:20[12]\d)(?: estimates?| census)?\)?)?"


def _noun(noun: str, value: str) -> tuple[str, ...]:
    """The ways to say what a country's capital, currency or language is."""
    return (
        rf"{{own}}{noun}{{of}},? {_BE} {value}",
        rf"{{own}}{noun}{{of}}, (?P<value>[^,;]+)(?=,)",
        rf"{_SUBJECT_VALUE} {_BE} {noun}{{OF}}",
        rf"{_SUBJECT_VALUE} {_BE} {{OWN}}{noun}",
        rf"{{subject}}(?:has|uses) (?P<value>[^,;:()]+?) as (?:its )?{noun}",
        rf"{{subject}}(?:has|with) (?:an? |its )?{noun} (?:of |at |in |being |called |named )?{value}",
        rf"{{subject}}(?:has|with) (?P<value>[^,;:()]+?) as (?:its )?{noun}",
        rf"(?:whose |with )(?:its )?{noun}{{of}} (?:being |called |named )?{value}",
    )


_CAPITAL = r"(?:official |current |administrative |national )?capital(?: city)?"
_LARGEST = r"(?:largest|biggest|most populous) city"
_BOTH = r"(?:capital(?: city)? and (?:largest|biggest|most populous)(?: city)?|(?:largest|biggest) city and capital)"
_CURRENCY = r"(?:official |local |main |national |current )?(?:currency|currency unit|unit of currency|money)"
_LANGUAGE = r"(?:official|main official|official and national|national and official)(?: \w+)? languages?"
_SPOKEN = (
    r"(?:(?:main|primary|national|principal|most common|common|major|most widely spoken|most spoken|dominant|local|"
    r"native) )?(?:spoken )?languages?(?: spoken)?"
)


def places(value: str) -> list[str]:
    """The region that a phrase names: "eastern part of Africa", "West African" and "continent of Europe" are tidied."""
    value = re.sub(r"^(?:(?:sovereign|independent|landlocked|island) )+", "", value)
    value = re.sub(r"^(?:continents?|region|area|world region|subregion) of ", "", value)
    value = re.sub(r" (?:region|area|subregion|continent|zone)$", "", value)
    value = re.sub(
        rf"^({_DIRECTION})(?:ern|ernmost)?(?: most)? "
        r"(?:part|region|area|side|portion|corner|section|end|half|coast|of)?(?: ?of )?(?:continent of )?(?=\w)",
        r"\1 ",
        value,
    ).replace("central ern", "central")
    value = re.sub(r"^(?:heart|center|centre|middle) of ", "central ", value)
    adjective = re.sub(r"\b(africa|asia|america|scandinavia|polynesia|melanesia|australasia|eurasia)n\b", r"\1", value)
    adjective = re.sub(r"\beuropean\b", "europe", adjective)
    adjective = adjective.replace("middle eastern", "middle east").replace("south africa", "southern africa")
    return [value, adjective]


def region(value: str) -> list[str]:
    """`places`, with South Africa told from southern Africa."""
    literal = re.sub(r"^continent of ", "", value)
    if re.match(r"south africa\b(?!n)", literal):
        return ["south africa"]
    return [literal, *places(value)]


def neighbour(value: str) -> list[str]:
    """A neighbour's name without what comes before it ("six countries:")."""
    return [re.sub(r"^(?:both |(?:\w+ )?(?:countries|neighbou?rs)(?: of|:)? )", "", value)]


def money(value: str) -> list[str]:
    """A currency's name, also in the singular and without its code."""
    return [value, re.sub(r"s$", "", value), re.sub(r"s$", "", value.removesuffix(" currency"))]


def tongue(value: str) -> list[str]:
    """A language's name, also without the word language."""
    return [value, re.sub(r" languages?$", "", value)]


_KINDS = r"(?:country|nation|state|republic|kingdom|island|islands|archipelago|sultanate|member|territory|region)"
_PLACE_END = (
    r"(?=\s?[,;:()]|\s(?:and|but)\s(?:its|it|has|is|was|with|an?|capital|currency|official|borders|shares|bordered)\b|"
    r"\s(?:with|which|where|while|but|bordering|bordered|on|near|along|at|between|off|to|sharing|from|by|that|located|"
    r"situated|as|has|since|known)\b|"
    r"(?<!ern)(?<!central)(?<!north)(?<!south)(?<!east)(?<!west)\s(?:area|region) of\b|$)"
)
_PLACE = rf"(?:in|within|on|inside|across|area of|region of) (?P<value>[^,;:()]+?){_PLACE_END}"

RELATIONS = (
    Relation(
        "region",
        (
            rf"{{subject}}(?:{_BE} )?(?:an? )?(?:sovereign |independent )*(?:{_KINDS} )?"
            rf"(?:(?:that|which) (?:is|lies) )?(?:located |situated |found |lying |lies |a )?{_PLACE}",
            rf"{{subject}}{_BE} (?:a )?(?:part|member) of (?P<value>[^,;:()]+?){_PLACE_END}",
            rf"{{subject}}(?:belongs to|comprising) (?P<value>[^,;:()]+?){_PLACE_END}",
            rf"{{subject}}(?:{_BE} )?(?:an? )?(?P<value>(?:[a-z]+ )?(?:african|asian|european|american|caribbean|"
            r"middle east(?:ern)?|balkan|baltic|scandinavian|nordic|pacific|mediterranean)) "
            r"(?:sovereign )?(?:country|nation|state)",
            rf"{{subject}}{_BE} (?P<value>(?:{_DIRECTION}(?:ern)? )?(?:africa|asia|europe|america|oceania))(?=$|,)",
        ),
        shape="list",
        wrong="known",
        tidy=region,
        single=True,
    ),
    Relation(
        "coast",
        (
            rf"{{subject}}(?:{_BE} )?(?:an? )?(?P<value>landlocked)",
            rf"{{subject}}(?:{_BE} )?(?:an? )?(?P<value>island)(?= (?:country|nation|state|republic)\b)",
        ),
        wrong="known",
        single=True,
    ),
    Relation("capital", _noun(_CAPITAL, _VALUE), has_own_facts=True, single=True),
    Relation(
        "capital and largest city",
        _noun(_BOTH, _VALUE),
        has_own_facts=True,
        single=True,
        states=("capital", "largest city"),
    ),
    Relation("largest city", _noun(_LARGEST, _VALUE), has_own_facts=True, single=True),
    Relation("currency", (*_noun(_CURRENCY, _VALUE), rf"{{subject}}uses {_VALUE}"), single=True),
    Relation(
        "language",
        (
            *_noun(_LANGUAGE, _LIST),
            rf"{{subject}}has (?:an |\w+ )?official languages? ?(?:of |: ?)?{_LIST}",
            r"{subject}has (?P<value>[^,;:()]+?) as (?:its |an )?official language",
        ),
        shape="list",
        tidy=tongue,
    ),
    Relation(
        "spoken",
        (*_noun(_SPOKEN, _LIST), rf"(?:people{{OF}}|{{subject}}people) speak (?:mainly |mostly )?{_LIST}"),
        shape="list",
        tidy=tongue,
        states=("language",),
    ),
    Relation(
        "neighbour",
        (
            r"{subject}(?P<no>(?:does|do|is) not )?(?:(?:is|are|also) )*"
            r"(?:borders|border|bordering|bordered by|shares (?:an? |its )?(?:land |common )?borders? with|"
            r"sharing (?:a )?borders? with|surrounded by|has borders with|neighbou?rs|adjacent to|next to)"
            r"(?: on| with)?(?: \w+ sides? by)? "
            r"(?P<value>[^;]+?)(?=;|,? and (?:its|it|has|is|with|a)\b|,? (?:with|which|where|while|but)\b|$)",
            r"{own}(?:neighbou?rs|neighbou?ring countries|bordering \w+) (?:are|include|is) (?P<value>[^;]+?)(?=;|$)",
        ),
        shape="list",
        wrong="known",
        tidy=neighbour,
    ),
    Relation(
        "population",
        (
            rf"{{subject}}(?:has |with )?(?:an? )?(?:estimated |total |current )?population(?: size)?{{of}} "
            rf"(?:of|is|was|at) {_ABOUT}{_FIGURE}{_PEOPLE}{_YEAR}",
            rf"{{own}}(?:estimated |total |current )?population{{of}} "
            rf"(?:is|was|stands at) {_ABOUT}{_FIGURE}{_PEOPLE}{_YEAR}",
            rf"{{subject}}(?:has|with|is home to) {_ABOUT}{_FIGURE} (?:people|inhabitants|residents|citizens){_YEAR}",
            rf"there are {_ABOUT}{_FIGURE} (?:people|inhabitants)(?: living| who live| residing)?{{OF}}",
        ),
        shape="amount",
        single=True,
    ),
    Relation(
        "area",
        (
            r"{subject}(?:(?:has|covers|with|covering|spans) )?(?:an? )?(?:total |land |surface )*"
            rf"(?:area|size|landmass){{of}} (?:of|is) {_ABOUT}{_FIGURE} {_UNIT}",
            rf"{{own}}(?:total |land |surface )*area{{of}} is {_ABOUT}{_FIGURE} {_UNIT}",
            rf"{{subject}}(?:covers|covering|spans) {_ABOUT}{_FIGURE} {_UNIT}",
        ),
        shape="amount",
        single=True,
    ),
)
