"""Where a sentence of English ends: which full stops end one, and what stands between a stop and the next sentence.

A sentence ends at `.`, `!`, `?`, `…` before white space, unless the full stop belongs to an abbreviation, an initial or
a number. It also ends where the space was forgotten ("Africa.The capital"). Stops of other scripts (`。`, `।`, `؟`, …)
end a sentence whatever follows. What closes a sentence belongs to it: quotes, brackets, marks of emphasis, closing HTML
tags, footnote marks ("[1]"), emoji.

Abbreviations are of several kinds, by what may follow when the sentence goes on:

- "Dr.", "Lt.", "Col.": a name; such a stop never ends a sentence.
- "fig.", "p.", "Jan.": a number.
- "e.g.", "vs.": anything.
- "U.S.", "Inc.", "etc.", "p.m.": nothing or a noun; these also end sentences. They do before a word that begins
  sentences ("The", "In"), and before a name that has a verb of its own ("the U.S. Kenya is").
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Zero-width characters, direction marks, byte-order mark, soft hyphen.
INVISIBLE = (
    "\u00ad\u061c\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064"
    "\u2066\u2067\u2068\u2069\ufeff"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TITLES = _words("""
adm amb atty ave blvd brig bros capt cmdr col cpl dept det dr est fr ft gen gov hon hwy insp lt maj messrs mlle mme mr
mrs ms msgr mt mts op pop pres prof pt pvt rd rep rev sen sgt sq st ste supt approx ca cf co incl inc jr km ltd mi vol
""")
_STREETS = _words("ave blvd hwy rd st")
_NEVER = _words("a.k.a aka cf e.g esp i.e n.b q.v v viz vs")
_BEFORE_NUMBERS = _words("approx b c ca ch chap circa d eq eqs ext fig figs fl nos p para pg pp r rs sec tab tel ver")
_MONTHS = _words("Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun")
_UNITS = _words("cm ft hr hrs in kg km lb lbs m mi min mph oz sec sq yd yrs")
_CAN_END = _words("al approx bros co corp etc inc jr ltd ph.d sr")
# Of the acronyms, those that often end a sentence; "J.R.R." before a name is no end.
_OFTEN_LAST = _words("a.d b.a b.c b.c.e c.e d.c d.r.c e.u l.a m.a m.d n.y n.y.c p.r.c u.a.e u.k u.n u.s u.s.a u.s.s.r")
_AFTER_IS = re.compile(r"\b(?:is|are|was|symbol|abbreviation|unit)\s+$")
_ACRONYM = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_TIME = re.compile(r"[ap]\.m")
_OF_TIME = _words("""
acst aest akst april august bst cdt central cest cet cst december east eastern edt eet est et february friday gmt hkt
hst ist january jst july june local march may mdt monday mountain msk mst mt november october pacific pdt
pst pt saturday september sgt standard sunday thursday tuesday utc wat wednesday west western
""")
STARTERS = _words("""
a about according after all also although among an and another are as at be because before between both but by can could
despite did do does during each either even every everybody everyone few finally for from furthermore given had has have
he hence her here his how however i if in indeed is it its later likewise many meanwhile moreover most much my neither
nevertheless no nobody none nor not nothing now official on once one only or other others our over perhaps several she
should similarly since so some soon still such that the their then there therefore these they this those though through
throughout thus to today together two under unfortunately unlike unsure until upon was we were what when whenever where
whereas whether which while who why with within without would yes yet you your
""")
# What "U.S." and the like stand before as an adjective; no sentence begins with these there.
_OF_STATES = _words("""
agency air ambassador american army attorney bank border bureau capitol census citizen citizens civil coast commission
congress constitution council customs department district dollar dollars east embassy energy federal first food forces
foreign general geological government governor green highway house immigration information intelligence
marine marines marshal mayor midwest military mint national naval navy news north northeast northwest olympic open
patent president representative rep route secretary security senate senator sen senators south southeast southwest
special state states steel supreme territories territory treasury vice virgin west women world
""")
_VERB = (
    r"(?:is|are|was|were|has|had|have|does|did|will|would|can|could|may|might|must|should|became|becomes|began|begins|"
    r"borders|bought|built|came|comes|contains|covers|does|earns|exports|fell|found|gained|gave|gets|gives|goes|got|grew|"
    r"grows|held|holds|includes|joins|keeps|knew|knows|led|left|lies|lived|lives|lost|made|makes|means|met|moves|needs|ran|"
    r"remains|rose|runs|said|saw|says|sells|sits|sold|speaks|spoke|stands|takes|took|uses|wants|went|won|works|wrote|"
    r"[a-z]{2,}ed)"
)
HAS_VERB = re.compile(rf"\b{_VERB}\b")
_SUBJECT_AND_VERB = re.compile(rf"\W*(?:[A-ZÀ-ÖØ-Þ][\w'’-]*\s+){{1,3}}{_VERB}\b")
_FAR = 200  # no verb is looked for further away
_LONGEST = 12  # no longer word is looked at

_MARKS = r".!?…‽⁇⁈⁉‼"
_OTHER_MARKS = "。！？｡।॥؟۔።။։"
_EMOJI = r"[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u200d\ufe0f\U000e0020-\U000e007f\u20e3]"
_STOP = re.compile(rf"(?:\.\s){{2,}}\.|[{_MARKS}{_OTHER_MARKS}][{_MARKS}{_OTHER_MARKS}]*")
_CLOSERS = re.compile(
    rf"(?:[\"'”’»›)\]*_`~」』）】〉》]|\[(?:\^?\w{{1,4}}|citation needed)\]|[¹²³⁰-⁹]|</\w{{1,10}}>"
    rf"|<sup>[^<]{{0,20}}</sup>|{_EMOJI})+"
)
_LATER_CLOSERS = re.compile(rf"(?:[^\S\n]*(?:{_EMOJI}+|\[\^?\d{{1,3}}\]|:-?[)DP(]))+(?=\s|$)")
_OPENS_WITH_EMOJI = re.compile(r"\s*" + _EMOJI)
_SPACE = re.compile(rf"[\s{INVISIBLE}]|</?[a-zA-Z]")
_QUOTE_OR_BRACKET = re.compile(r"[\"'”’»›)\]]")
_SENTENCE_MARK = re.compile(r"\[|[¹²³⁰-⁹]|<|" + _EMOJI)
_LAST_WORD = re.compile(r"[^\s\"'“”‘’«»(\[*_<>]+$")
_NEXT_WORD = re.compile(rf"[\s\"'“‘«(\[*_¿¡{INVISIBLE}]*([^\W\d_]*)")
_NEXT_CHARACTER = re.compile(rf"[\s(*_{INVISIBLE}]*(\S?)")
_OF_PLACE = re.compile(r"\s*[^\W\d_]+ [Tt]ime\b")
_ORDINAL = re.compile(r"\s*\d+(?:st|nd|rd|th)\b")
_INITIAL = re.compile(r"\s*\w\.")
_AFTER_NAME = re.compile(r"[A-ZÀ-ÖØ-Þ][\w'’]*\.?\s$")
_LOWER_FOLLOWS = re.compile(r"[\s\"'“‘«(\[*_]*[^\W\d_]+,?\s+(?!et al\b)[a-zß-ÿ]")
_NUMBER_OF_LIST = re.compile(r"[\W_]*\d{1,3}")
_SAYS_NO = re.compile(r"(?:\b(?:is|was|be|say|says|said|answer|answered|no|:|,)|^)[\s\"'“]*$", re.IGNORECASE)
_GLUED = re.compile(r"(?:[^\W\d_]{2,}|[AI](?=\s))(?![\w.(\[/@])")
_GLUED_BEFORE = re.compile(r"[^\W\d_]{2}$|\d\d$|[)\]”\"%]$")
_SUFFIXES = _words("com org net gov edu io js md py txt html htm pdf")
_GOES_ON_AFTER_NAME = _words("is was are were has had and or of in for")


def ends(text: str, begin: int, end: int) -> Iterator[int]:
    """Where sentences of a part of a text end: just after each stop and what closes the sentence with it."""
    last = begin
    for stop in _STOP.finditer(text, begin, end):
        if stop.start() >= last and (place := _end(text, last, stop, end)) is not None:
            yield place
            last = place


def _end(text: str, begin: int, stop: re.Match[str], end: int) -> int | None:
    """The end of the sentence at a stop, None where it goes on.

    Args:
        begin: where the sentence begins.
    """
    after = stop.end()
    start = stop.start()
    if after + 1 < end and text[after] == " " and text[start:after] == "." and text[after + 1].isalnum():
        # Nearly all stops are as plain as this.
        word = text[max(begin, text.rfind(" ", begin, start) + 1) : start]
        if len(word) > 1 and word.isalpha() and word.lower() not in _KNOWN:
            return after
    if after < end and text[after] not in " \n":
        closed = _CLOSERS.match(text, after, end)
        after = closed.end() if closed else after
    if after < end and not _SPACE.match(text, after, end):
        if text[start] in _OTHER_MARKS:
            # Japanese: 「…。」と言った goes on with the verb of saying.
            return None if after > stop.end() and text[after] in "とっ" else after
        return after if _is_glued(text, begin, stop, after, end) else None
    if not _is_end(text, begin, stop, after, end):
        return None
    later = _LATER_CLOSERS.match(text, after, end)
    # Where each sentence opens with an emoji, the next emoji opens the next one.
    return later.end() if later and not _OPENS_WITH_EMOJI.match(text, begin) else after


def _is_glued(text: str, begin: int, stop: re.Match[str], after: int, end: int) -> bool:
    """Whether the next sentence begins without a space."""
    following = _GLUED.match(text, after, end)
    if following is None:
        return False
    word = following[0]
    if not word[0].isupper() or (len(word) > 1 and not word[1].islower()):
        return False
    if after > stop.end():
        return bool(_SENTENCE_MARK.match(text, stop.end()))
    before = text[max(begin, stop.start() - 40) : stop.start()]
    # "www.Example.Com" and "Math.Floor" are no ends.
    whole = before[max(before.rfind(" "), before.rfind("\n")) + 1 :]
    if "." in whole or "/" in whole or word.lower() in _SUFFIXES or whole.lower() in TITLES - _UNITS:
        return False
    return bool(_GLUED_BEFORE.search(before))


def _is_end(text: str, begin: int, stop: re.Match[str], after: int, end: int) -> bool:
    """Whether a stop before white space ends the sentence."""
    following = _NEXT_WORD.match(text, after, end)
    next_word = following[1] if following else ""
    marks = stop[0]
    quoted = _QUOTE_OR_BRACKET.search(text, stop.end(), after) and not _SENTENCE_MARK.match(text, stop.end(), after)
    if quoted and next_word[:1].islower():
        return False
    if marks[0] in "…." and (marks[0] == "…" or len(marks) > 1):
        return not next_word or not next_word[0].islower()
    start = stop.start()
    before = _LAST_WORD.search(text, max(begin, start - _LONGEST), start)
    if marks[0] != ".":
        name = marks in "!?" and before is not None and before[0][0].isupper() and after == stop.end()
        return not (name and next_word in _GOES_ON_AFTER_NAME)
    if before is None:
        return True
    return _is_end_after(text, begin, before, next_word, start, after, end)


def _is_end_after(
    text: str, begin: int, before: re.Match[str], next_word: str, start: int, after: int, end: int
) -> bool:
    """Whether a full stop after a word ends the sentence."""
    raw = before[0]
    word = raw.lower()
    if word[-1].isdigit():
        return not (start - begin <= _LONGEST and _NUMBER_OF_LIST.fullmatch(text, begin, start))
    single = len(word) == 1
    if not (single or word in _KNOWN or "." in word):
        return True
    character = _NEXT_CHARACTER.match(text, after, end)
    number = character is not None and character[1].isdigit()
    upper = next_word != "" and not next_word[0].islower()
    starts = upper and next_word.lower() in STARTERS and not _INITIAL.match(text, after, end)
    if (
        raw[0].isupper()
        and starts
        and next_word != "No"
        and _AFTER_IS.search(text, max(begin, before.start() - 20), before.start())
    ):
        # "The symbol of platinum is Pt. Its …": no title, for no name follows.
        return bool(_LOWER_FOLLOWS.match(text, after, end))
    if word in _NEVER:
        return False
    if word in ("no", "nos"):
        return not number or (
            raw == "no" and bool(_SAYS_NO.search(text, max(begin, before.start() - 20), before.start()))
        )
    if raw in _MONTHS:
        return not number and (upper or not next_word) and next_word not in _MONTHS
    if number and word in _BEFORE_NUMBERS and not (single and raw.isupper()):
        return False
    if word in _UNITS and _after_number(text, begin, before.start()):
        return not next_word or upper
    if single:
        # "vitamin C. It is" ends; "Pius X. These" may be an initial.
        named = raw != "I" and _AFTER_NAME.search(text, max(begin, before.start() - 20), before.start())
        return not raw.isupper() or (starts and not named and bool(_LOWER_FOLLOWS.match(text, after, end)))
    if _TIME.fullmatch(word):
        of_time = next_word.lower() in _OF_TIME or _OF_PLACE.match(text, after, end)
        return not next_word or (upper and not of_time)
    if word in _CAN_END or _ACRONYM.fullmatch(word):
        if not next_word:
            return word != "al" and not _ORDINAL.match(text, after, end)
        if starts:
            return True
        if not upper:
            return False
        return word == "etc" or (
            (word in _CAN_END or word in _OFTEN_LAST)
            and next_word.lower() not in _OF_STATES
            and bool(_SUBJECT_AND_VERB.match(text, after, end))
            and bool(HAS_VERB.search(text, max(begin, before.start() - _FAR), before.start()))
        )
    if word in _STREETS and starts and text[max(begin, before.start() - 20) : before.start()].strip()[-1:].isalnum():
        return bool(_LOWER_FOLLOWS.match(text, after, end))
    return word not in TITLES


def _after_number(text: str, begin: int, start: int) -> bool:
    return text[max(begin, start - 5) : start].rstrip().endswith((*"0123456789", "sq.", "million"))


_KNOWN = TITLES | _NEVER | _BEFORE_NUMBERS | {one.lower() for one in _MONTHS} | _UNITS | _CAN_END | {"no", "nos"}
