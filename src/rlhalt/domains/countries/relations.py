"""How sentences about countries are put, as patterns for `rlhalt.verifiers.reading`."""

from __future__ import annotations

import re

from rlhalt.verifiers.table import Relation

_NOISE = """
a an country countries nation nations state states sovereign independent republic located situated found lying currently
officially mainly mostly primarily called known as so named there of people both area transcontinental
dc
"""  # dc: Washington's
NOISE = frozenset(_NOISE.split())
NOUNS = ("country", "nation", "island nation", "island country")
LABELS = (
    r"(?:fact )?\d{1,2}|location|geography|government|economy|demographics|population|people|key facts?|basic facts?"
)

DIRECTIONS = ("north", "northeast", "east", "southeast", "south", "southwest", "west", "northwest")
_DIRECTION = r"(?:(?:north|south)(?:east|west)?|east|west|central)"
# "to north", "on its western side", "in south": what Entry.qualifiers has is "to north" and the like, see `countries`.
_SIDE = rf"(?P<how>{_DIRECTION}(?: and {_DIRECTION})?)(?:ern)?"
_TOWARDS = rf"(?:to|in|on|along) (?:its )?{_SIDE}(?: sides?| borders?)?"
_END = r"(?=\s?[,;.]|\s(?:and|but|while|with|although|though|whereas)\b|$)"
_CALLED = r"(?: (?:known as|called|named|referred to as|commonly known as))?"
# A name that nobody knows is a wrong value where it ends its sentence: capitals in the text as written, or "the puro".
_NAME = r"(?<![\w'’])([A-ZÀ-Þ][\w'’-]*(?: [A-ZÀ-Þ][\w'’-]*| (?:de|del|la|el|al|da|do)(?= [A-ZÀ-Þ])){0,3})"
_COIN = (
    r"(?:\b[Tt]he |\bis )((?:[A-ZÀ-Þ][\w'’-]* )?(?!\w*(?:est|ing|ed)\b)(?!(?:same|only|best|worst|main|most|subject|"
    r"result|one|unit|name|key|backbone|symbol|weak|strong|stable|volatile|unknown|also|not|quite|very|flag|country|nation|"
    r"government|economy|bank|paper|money|cash|gold|local|national|official|currency)\b)[^\W\d_][\w'’-]+)(?=\W*$| or )"
)


def _noun(noun: str) -> tuple[str, ...]:
    """The ways to say what a country's capital, currency or language is."""
    be = r"(?:(?:is|are|serves? as|acts? as|remains?|has been)(?P<no> not)?(?: also| currently| now| both)?)"
    return (
        rf"{{own}}{noun}{{of}},? {{is}}{_CALLED}",
        rf"{{own}}{noun}{{of}}, (?!and\b|or\b)",
        rf"{{own}}{noun}{{of}}: ",
        rf"{{value}} {be} (?:an? |one of )?{noun}{{OF}}(?: since \d{{4}})?",
        rf"{{value}} {be} (?:an? |one of )?{{OWN}}{noun}",
        rf"{{value}} {be} {noun}{_END}",
        rf"{{value}}, {{own}}{noun}{{of}}(?=,|$)",
        rf"{{subject}}(?:has|uses|has used|with|having) {{value}} as (?:its )?{noun}(?:,? since (?:[a-z]+ )?\d{{4}})?",
        rf"{{subject}}(?:has|with|having) (?:an? |its )?{noun}(?: of| at| in| being| called| named|:)?(?= )",
        rf"{{subject}}(?:has|with|having|recogni[sz]es) (?P<count>two|three|four|five|six|seven|eight|nine|ten|eleven|"
        rf"twelve|sixteen|\d+) {noun}(?::| \(|,)",
        rf"(?:whose|with its) {noun}(?: is| are| being| called| named)?(?= )",
    )


_CAPITAL = r"(?:official |current |administrative |national |de facto )?capitals?(?: city| cities)?"
_LARGEST = r"(?:largest|biggest|most populous) city"
_BOTH = (
    r"(?:capital(?: city)? and (?:largest|biggest|most populous)(?: city)?|"
    r"(?:largest|biggest|most populous) city and (?:its )?capital|largest city and capital city)"
)
_CURRENCY = (
    r"(?:official |local |main |national |current )?(?:currency|currency unit|unit of currency|money|legal tender)"
    r"(?: used| system)?"
)
_LANGUAGE = r"(?:official|main official|official and national|national and official)(?: \w+)? languages?"
_SPOKEN = (
    r"(?:(?:main|primary|national|principal|most common|common|major|most widely spoken|most spoken|dominant|local|"
    r"native) )?(?:spoken )?languages?(?: spoken| used)?"
)
# What a city has as a country has it, so that "it" after a capital may be the capital.
_CITY_HAS = ("region", "coast", "sea", "spoken", "neighbour", "neighbours", "population", "area")
_COUNTRY_HAS = (*_CITY_HAS, "capital", "capital and largest city", "largest city", "currency", "language", "adopted")


def places(value: str) -> list[str]:
    """The region that a phrase names: "eastern part of Africa", "West African" and "continent of Europe" are tidied."""
    value = re.sub(r"^(?:(?:sovereign|independent|landlocked|island) )+", "", value)
    value = re.sub(r"^(?:continents?|region|area|world region|subregion) of ", "", value)
    value = re.sub(r" (?:region|area|subregion|continent|zone)$", "", value)
    value = re.sub(
        rf"^({_DIRECTION})(?:ern|ernmost)?(?: most)? "
        r"(?:part|region|area|side|portion|corner|section|end|half|coast|edge|tip|of)?(?: ?of )?"
        r"(?:continent of )?(?=\w)",
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
    return [value, re.sub(r"^(?:(?:\w+ )?(?:countries|neighbou?rs|nations|country)(?: of|:)? )", "", value)]


def money(value: str) -> list[str]:
    """A currency's name, also in the singular and without the word currency."""
    short = value.removesuffix(" currency")
    single = re.sub(r"(?<=\w{3})s\b", "", short)
    return list(dict.fromkeys([value, short, re.sub(r"s$", "", short), single, re.sub(r"\brouble\b", "ruble", single)]))


def tongue(value: str) -> list[str]:
    """A language's name, also without the word language."""
    return [value, re.sub(r" languages?$", "", value)]


_KINDS = (
    r"(?:country|nation|state|republic|kingdom|island|islands|archipelago|sultanate|territory|region|microstate|"
    r"monarchy|democracy|countries)"
)
_WHAT = (
    rf"(?:an? )?(?:(?:sovereign|independent|small|large|transcontinental|{_DIRECTION}(?:ern)?|unitary|"
    r"federal|tiny|vast|mountainous|developing|diverse) )*"
)
_PLACES = (
    r"african|asian|european|american|caribbean|middle east(?:ern)?|balkan|baltic|scandinavian|nordic|pacific|"
    r"mediterranean"
)
_BORDERS = (
    r"(?:(?:is|are|also|completely|entirely|fully|mostly|located|situated|sandwiched|wedged|nestled|lies|sits|lying) )*"
    r"(?:borders|border|bordering|bordered by|bordered(?= (?:to|in|on) )|bounded by|surrounded by|enclosed by|"
    r"landlocked by|enclaved within|"
    r"(?:shares|sharing|has) (?!no\b|any\b)(?:(?:an?|its|land|common|only|long|short|world 's|longest|international) )*"
    r"borders? with|adjacent to|next to|(?:between|in between))(?: only| on| with)?(?: both)?"
)
_COUNT = (
    r"(?:(?: only| just| exactly)? (?P<count>one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d+) "
    r"(?:other )?(?:countries|neighbou?rs|nations|states|neighbou?ring countries)[,:]?)"
)
_PEOPLE = r"(?:people|inhabitants|residents|persons)"
_LAND = r"(?:(?:total|land|surface|geographical) )*(?:area|size|landmass)"

RELATIONS = (
    Relation(
        "region",
        (
            rf"(?!(?:in|within|on|inside|across|spanning)\b){{subject}}(?:{{is}} |lies |sits )?{_WHAT}(?:{_KINDS} )?"
            rf"(?:(?:that|which) (?:is|lies) )?(?:located |situated |found |lying |lies |a )?"
            rf"(?:in|within|on(?= island| continent)|inside|across|spanning)(?= )",
            r"{subject}{is} (?:a )?(?:part|member) of(?= )",
            r"{subject}(?:belongs to|comprising)(?= )",
            rf"{{subject}}(?:{{is}} )?{_WHAT}(?P<value>(?:(?!{_DIRECTION})[a-z]+ |{_DIRECTION}(?:ern)? )?"
            rf"(?:{_PLACES})) (?:(?:sovereign|island|landlocked) )?(?:country|nation|state)",
            rf"{{subject}}{{is}} (?P<value>(?:{_DIRECTION}(?:ern)? )?(?:africa|asia|europe|america|oceania))(?=$|,)",
        ),
        labels=r"(?:region|continent|location)",
        tidy=region,
        single=True,
    ),
    Relation(
        "coast",
        (
            rf"(?!.{{0,60}}(?:mostly|mainly|nearly|almost|primarily) landlocked){{subject}}(?:{{is}} )?{_WHAT}"
            r"(?:doubly )?"
            r"(?<!\w)(?P<value>(?<!un)landlocked)(?! by)(?:,? (?:sovereign|independent|central|mountainous))?",
            r"{subject}(?:{is} )?(?:an? )?(?P<value>island)(?= (?:country|nation|state|republic)\b)",
            r"{subject}has (?:an? )?(?:(?!no\b)\w+ ){0,3}(?P<value>coastline|coast|seacoast)(?:line)?\b",
        ),
        words=("landlocked", "island", "coast"),
        single=True,
    ),
    Relation(
        "sea",
        (r"{subject}(?:lies|is|located|situated|bordering|borders|coast(?:line)?) (?:located |situated )?on(?= )",),
        words=(" on ",),
    ),
    Relation(
        "capital",
        _noun(_CAPITAL),
        labels=_CAPITAL,
        words=("capital",),
        invented=_NAME,
        value_has=_CITY_HAS,
        single=True,
    ),
    Relation(
        "capital and largest city",
        _noun(_BOTH),
        labels=_BOTH,
        words=("capital",),
        invented=_NAME,
        value_has=_CITY_HAS,
        single=True,
        states=("capital", "largest city"),
    ),
    Relation(
        "largest city",
        _noun(_LARGEST),
        labels=_LARGEST,
        words=(" city",),
        invented=_NAME,
        value_has=_CITY_HAS,
        single=True,
    ),
    Relation(
        "currency",
        _noun(_CURRENCY),
        labels=_CURRENCY,
        words=("currency", "money", "legal tender"),
        tidy=money,
        invented=_COIN,
        single=True,
    ),
    Relation(
        "currency",
        (
            r"{subject}(?:(?:still|currently|also|officially) )?(?:uses|has used|has been using)(?= )",
            r"(?:people{OF}|(?:in )?{subject}people) (?:pay with|use|pay in)(?= )",
        ),
        tidy=money,
        words=("use", "using", " pay "),
        qualifier=r",? (?:as (?:its )?(?:official )?currency,? )?since (?:[a-z]+ )?(?P<how>[12]\d{3})"
        r"(?: as (?:its )?currency)?",
        single=True,
    ),
    Relation(
        "adopted",
        (
            r"{subject}(?:(?:officially|formally) )?(?:adopted|introduced(?: a(?: new)? currency(?: called)?)?|"
            r"joined|switched to)(?= )",
        ),
        tidy=money,
        words=("adopted", "introduced", "joined", "switched"),
        qualifier=r"(?: as (?:its )?(?:official )?currency)? (?:in|on) (?:[a-z]+ )?(?:\d\d?,? )?(?P<how>[12]\d{3})",
        single=True,
        states=("currency",),
    ),
    Relation("language", _noun(_LANGUAGE), labels=_LANGUAGE, words=("language",), tidy=tongue, invented=_NAME),
    Relation(
        "spoken",
        (*_noun(_SPOKEN), r"(?:people{OF}|(?:in )?{subject}people) (?:mainly |mostly )?speak(?: mainly| mostly)?(?= )"),
        labels=r"(?:(?:spoken|national|main) )?languages?",
        words=("language", "speak"),
        tidy=tongue,
        invented=_NAME,
        states=("language",),
    ),
    Relation(
        "neighbour",
        (
            rf"{{subject}}(?P<no>(?:does|do|is) not )?(?:also )?{_BORDERS}{_COUNT}?(?= )",
            r"{own}bordering (?:countries|nations) {is}",
        ),
        words=("border", "bounded", "surround", "enclos", "landlocked by", "enclaved", " to ", "between"),
        labels=r"(?:borders|bordering countries|land borders?)",
        tidy=neighbour,
        lead=rf"(?:{_TOWARDS} (?:by|with|lies|is) )?(?:countries of )?",
        qualifier=rf",? {_TOWARDS}",
    ),
    Relation(
        "neighbours",
        (
            r"{own}(?:land )?(?:neighbou?rs?|neighbou?ring (?:countries|nations)) "
            r"(?:is|are|includes?)(?P<no> not)?",
            rf"{{subject}}has{_COUNT}(?= )",
        ),
        words=("neighbo", " has "),
        labels=r"(?:(?:land )?neighbou?rs|neighbou?ring countries)",
        tidy=neighbour,
        qualifier=rf",? {_TOWARDS}",
        value_has=_COUNTRY_HAS,
        states=("neighbour",),
    ),
    Relation(
        "population",
        (
            rf"{{subject}}(?:has |with )?(?:an? )?(?:(?:estimated|total|current) )*population(?: size)?{{of}} "
            rf"(?:of|{{is}}|at) {{amount}}(?: {_PEOPLE})?{{when}}",
            rf"{{own}}(?:(?:estimated|total|current) )*population{{of}} "
            rf"(?:{{is}}|stands at|exceeds|has reached) {{amount}}(?: {_PEOPLE})?{{when}}",
            rf"{{own}}population{{of}} was {{amount}}(?: {_PEOPLE})?(?=,? \(?(?:as of|in|by|according)){{when}}",
            rf"{{subject}}(?:has|with|is home to|home to) {{amount}} {_PEOPLE}{{when}}",
            rf"there are {{amount}} {_PEOPLE}(?: living| who live| residing)?{{OF}}",
            rf"{{amount}} {_PEOPLE} (?:live|lives|reside)(?= in){{OF}}",
        ),
        words=("population", "people", "inhabitants", "residents", "persons"),
        labels=r"(?:estimated |total |current )?population(?: \(?20\d\d(?: est)?\)?)?",
        units={"": (1.0, 0.0)},
        single=True,
    ),
    Relation(
        "area",
        (
            rf"{{subject}}(?:(?:has|covers|with|covering|spans) )?(?:an? )?{_LAND}{{of}} (?:of|{{is}}) {{amount}}",
            rf"{{own}}{_LAND}{{of}} {{is}} {{amount}}",
            r"{subject}(?:covers|covering|spans|spanning) (?:an area of )?{amount}",
        ),
        words=("area", "size", "landmass", "cover", "span"),
        labels=_LAND,
        units={
            r"square kilomet(?:er|re)s?|sq\.? km|km2|sqkm": (1.0, 0.0),
            r"square miles?|sq\.? mi(?:les)?|mi2": (2.589988, 0.0),
        },
        single=True,
    ),
)
