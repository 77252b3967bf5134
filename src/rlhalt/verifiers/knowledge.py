"""Judging sentences against a table of facts, by patterns: fast, exact where it speaks, silent where it cannot tell.

    sentence ─ plain ─► words ─ patterns of the relations ─► claims + rest ─ table ─► verdict

A sentence is *incorrect* as soon as one claim in it is wrong; it is *correct* when a claim is right and new, none is
open and nothing of substance is left over; everything else is *unverifiable*.

Online, a policy finds every way to be right without knowing anything. What is true and earns nothing all the same:

- A fact that the response has stated before, in whatever words: "Lima is the capital of Peru", "Its capital is Lima".
- A second value of a relation that has one (`Relation.single`): another region of a country, all of them being right,
  and a second guess at its capital after a wrong one. Else two guesses would earn twice what either is worth.
- A denial. There are thousands of true ones ("Peru is not in Europe"), and they say next to nothing. A false one is
  incorrect.
- A choice ("in Asia or Africa", incorrect where all of it is wrong) and a question ("Is Peru in Asia?"): they state no
  value. A hedge ("might be", "I think") matches no pattern.

These leave a claim's reward what it has to be: where a right one earns nothing, a wrong one earns nothing or costs.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from rlhalt.errors import InputError
from rlhalt.records import Fragment, Json
from rlhalt.verifiers import Verdict

_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"})
_QUOTES = re.compile("[’‘ʻʼ`´]")
_REWRITES = [
    (re.compile(pattern), replacement)
    for pattern, replacement in [
        (r"\b(is|are|was|does|do|has)n't\b", r"\1 not"),
        (r"\bhave\b", "has"),
        (r"\bcannot\b|\bcan't\b", "can not"),
        (r"(?<=\w)'s\b|(?<=s)'(?=\s)", " 's"),
        (r"[\"“”«»*_']+(?!s\b)", ""),
        (r"[-‐‑–—/]+", " "),
        (r"(?<=\b[a-z])\.(?=[a-z]\b|\s|,|$)", ""),
        (r"\bst\.", "st"),
        (r"\b(saint)\b", "st"),
        (r"&", " and "),
        (r"\b(south|north) (east|west)(ern)?\b", r"\1\2\3"),
        (r"\bthe\b", ""),
        (r"[\s.!?…]+$", ""),
        (r"\s+", " "),
        (r" (?=[,;:)])", ""),
    ]
]


def plain(text: str) -> str:
    """Text as patterns and values see it: lower case, no accents, articles, quotes or invisible characters, hyphens as
    spaces.
    """
    text = unicodedata.normalize("NFKD", _QUOTES.sub("'", text).casefold().translate(_LETTERS))
    text = "".join(char for char in text if unicodedata.category(char) not in ("Mn", "Cf"))
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    return text.strip()


@dataclasses.dataclass(frozen=True)
class Amount:
    """A quantity.

    Attributes:
        values: figures in use, the first being the table's own.
        tolerance: the largest relative distance from one of them that is still right.
    """

    values: tuple[float, ...]
    tolerance: float

    def __contains__(self, number: float) -> bool:
        return any(abs(number - value) <= self.tolerance * value for value in self.values)


@dataclasses.dataclass(frozen=True)
class Entry:
    """What is known about one subject. All phrases are `plain`.

    Attributes:
        names: what the subject is called.
        adjectives: what its own things are called ("Kenyan").
        facts: relation → accepted phrase → the value it stands for, so that two names of a thing are one fact.
        disputed: relation → phrases that are neither right nor wrong.
        amounts: relation → quantity.
    """

    names: tuple[str, ...]
    adjectives: tuple[str, ...]
    facts: Mapping[str, Mapping[str, str]]
    disputed: Mapping[str, frozenset[str]]
    amounts: Mapping[str, Amount]


@dataclasses.dataclass(frozen=True)
class Relation:
    """How a relation is put into words.

    Attributes:
        fact: the key of the facts, the disputed phrases, or the amounts.
        patterns: regular expressions on plain text. `{subject}` is the subject with a space after it, and may be
            missing in a later clause; `{own}` is "its ", "Kenya 's ", "Kenyan " or nothing; `{of}` is " of Kenya" or
            nothing; `{OWN}` and `{OF}` are the same and not nothing; `{end}` is the end of a value. The group `value`
            is the value; a group `no` makes it a denial.
        shape: whether a value is one phrase, a list of phrases, or a number.
        wrong: what makes a value that is not accepted wrong: being there at all (`any`), or being a phrase that the
            table knows in another place (`known`); otherwise the claim is open.
        tidy: the phrases that a value may mean, most literal first.
        has_own_facts: whether "It" in the next sentence may mean the value and not the subject.
        single: whether its accepted values are ways to say one thing (regions of a country, its capitals), so that only
            the first value that a response gives is worth anything.
        states: the facts that it states where it is another way to put them ("the capital and largest city").
    """

    fact: str
    patterns: tuple[str, ...]
    shape: Literal["one", "list", "amount"] = "one"
    wrong: Literal["any", "known"] = "any"
    tidy: Callable[[str], Sequence[str]] = lambda value: [value]
    has_own_facts: bool = False
    single: bool = False
    states: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Table:
    """Subjects, and the relations they are judged by.

    Attributes:
        entries: by the name that a reference's `subject` gives.
        known: relation → phrases that are wrong where they are not accepted; names of entries always belong to them.
        noise: words of no substance in this domain ("country").
    """

    entries: Mapping[str, Entry]
    relations: tuple[Relation, ...]
    known: Mapping[str, frozenset[str]]
    noise: frozenset[str]

    @functools.cached_property
    def names(self) -> frozenset[str]:
        """What any subject is called."""
        return frozenset(name for entry in self.entries.values() for name in entry.names)


@dataclasses.dataclass(frozen=True)
class _Finding:
    """One value of one claim: right, wrong, or open (None); what it states is compared to find repetitions."""

    right: bool | None
    evidence: str
    states: frozenset[tuple[str, str]] = frozenset()


@dataclasses.dataclass(frozen=True)
class _Reading:
    findings: list[_Finding]
    rest: list[str]
    means_value: bool


# What the sentence before was about: the subject, the value of one of its relations, or something else.
_Context = Literal["subject", "value", "other"]

_PRONOUNS = ("it", "they", "country", "nation", "this country", "this nation", "this island nation")
_SKIP = re.compile(
    r"[\s,;:()]+|(?:and|but|also|which|that|is|was|has|as well as|while|additionally|furthermore|moreover|however)\b"
)
_RESUME = re.compile(r"[,;:()]| (?:and|but|which|with|while|located|situated|bordering)\b")
_SPLIT = re.compile(r",? (?:and|or|as well as|along with|both) |[,;] ?(?:and )?| ?\(")
_QUESTION = re.compile(r"\?[\W_]*$")
_VERB = re.compile(r"\b(?:is|are|was|were|has|have)\b")
_NAME_AND_MORE = re.compile(r" (?:to|in|on|from|at)\b.*")
_NUMBER = re.compile(r"(\d[\d,.]*)(?: ?(thousand|million|billion|trillion|m|bn)s?\b)?")
_SCALE = {"": 1.0, "thousand": 1e3, "million": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9, "trillion": 1e12}
_WORDS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,3}(?:\.\d{3}){2,}")
_CHOICE = re.compile(r"\b(?:or|either)\b")
_LONGEST = 500  # characters; the patterns take the square of it, and no sentence of the answers seen has 300
_END = (
    r"(?=\s?[,;:()]|\s(?:and|but)\s(?:its|it|they|has|is|was|with|an?|capital|currency|official|population|largest|"
    r"borders|also)\b|\s(?:with|which|where|while|but|located|situated|bordering|although|because|since|whose|as of)\b|"
    r"$)"
)


class KnowledgeVerifier:
    """Judges sentences about a subject of a table; implements `rlhalt.verifiers.Verifier`.

    A sentence about another subject of the table is unverifiable, true or false: it does not answer the prompt.
    """

    name = "knowledge/2"

    def __init__(self, table: Table) -> None:
        self._table = table
        # Names that hold an "and" which separates nothing.
        self._pairs = _name_pattern(frozenset(name for name in table.names if " and " in name) or frozenset({"\0"}))
        self._patterns: dict[tuple[str, bool], list[tuple[Relation, re.Pattern[str]]]] = {}

    def verify(self, response: str, fragments: Sequence[Fragment], reference: Json) -> list[Verdict]:
        """One verdict a fragment, in order. Halting fragments get the label `halt`.

        Raises:
            InputError: the reference has no `subject`, or names none of the table.
        """
        if "subject" not in reference:
            raise InputError("expected a reference with a 'subject', found none", field="reference")
        subject = reference["subject"]
        entry = self._table.entries.get(subject)
        if entry is None:
            raise InputError(f"a reference without an entry: the table knows no {subject!r}", field="reference")
        verdicts = []
        said: dict[tuple[str, str], tuple[str, bool | None]] = {}
        context: _Context = "subject"
        for fragment in fragments:
            if fragment.kind == "halt":
                verdicts.append(Verdict("halt", "the halting phrase"))
                continue
            if len(fragment.text) > _LONGEST:
                verdicts.append(Verdict("unverifiable", f"longer than {_LONGEST} characters"))
                continue
            text = plain(fragment.text)
            reading = self._read(subject, entry, text, context)
            if _QUESTION.search(fragment.text):
                verdicts.append(Verdict("unverifiable", "a question"))
            else:
                verdicts.append(self._judge(entry, text, reading, said))
            if verdicts[-1].label in ("correct", "incorrect"):
                for finding in reading.findings:
                    said |= dict.fromkeys(finding.states - said.keys(), (fragment.text, finding.right))
            if reading.findings:
                context = "value" if reading.means_value else "subject"
            elif self._others(entry, text):
                context = "other"
        return verdicts

    def _judge(
        self,
        entry: Entry,
        text: str,
        reading: _Reading,
        said: Mapping[tuple[str, str], tuple[str, bool | None]],
    ) -> Verdict:
        findings = reading.findings
        wrong = [finding.evidence for finding in findings if finding.right is False]
        if wrong:
            return Verdict("incorrect", "; ".join(wrong))
        unclear = [finding.evidence for finding in findings if finding.right is None]
        unclear += [f"cannot tell: {part}" for part in reading.rest]
        if findings and not unclear:
            stated = {fact for finding in findings for fact in finding.states}
            if not stated:
                return Verdict("unverifiable", "only says what is not so")
            if stated <= said.keys():
                before, right = said[min(stated)]
                return Verdict("unverifiable", f"{'repeats' if right else 'another try at'} “{before}”")
            return Verdict("correct", "; ".join(finding.evidence for finding in findings))
        if not findings and self._others(entry, text) and not _mentions(text, entry.names):
            return Verdict("unverifiable", "about another subject")
        return Verdict("unverifiable", "; ".join(unclear) or "nothing to check it against")

    def _others(self, entry: Entry, text: str) -> bool:
        return _mentions(text, self._table.names - set(entry.names))

    def _compiled(self, subject: str, entry: Entry, pronouns: bool) -> list[tuple[Relation, re.Pattern[str]]]:
        if (subject, pronouns) not in self._patterns:
            names = sorted(map(re.escape, entry.names), key=len, reverse=True)
            who = "|".join([*names, *(_PRONOUNS if pronouns else _PRONOUNS[2:])])
            who = rf"(?:(?:country|nation) of )?(?:{who})"
            adjectives = "|".join(map(re.escape, entry.adjectives)) or "(?!)"
            own = rf"(?:(?:its|their|(?:{who}) 's|{adjectives}) )"
            of = rf"(?: (?:of|in|for|used in|used by|spoken in) (?:{who}))"
            parts = {
                "{subject}": rf"(?P<subject>(?:{who}) )?(?:also )?",
                "{own}": own + "?",
                "{OWN}": own,
                "{of}": of + "?",
                "{OF}": of,
                "{end}": _END,
            }
            self._patterns[subject, pronouns] = [
                (relation, re.compile(functools.reduce(lambda text, part: text.replace(*part), parts.items(), pattern)))
                for relation in self._table.relations
                for pattern in relation.patterns
            ]
        return self._patterns[subject, pronouns]

    def _read(self, subject: str, entry: Entry, text: str, context: _Context) -> _Reading:
        """All claims that a sentence makes about the subject, and what is left of it."""
        patterns = self._compiled(subject, entry, context == "subject")
        findings: list[_Finding] = []
        rest: list[str] = []
        means_value = False
        about_it = bool(re.match(rf"(?:{'|'.join(map(re.escape, entry.names))})\b(?! 's)", text))
        at = 0
        while at < len(text):
            going_on = bool(findings) or (about_it and at > 0)
            must_name = not going_on and (context == "other" or bool(rest))
            matches = [
                (match.end(), relation, match)
                for relation, pattern in patterns
                if (match := pattern.match(text, at))
                and (going_on or "subject" not in pattern.groupindex or match["subject"])
                and (not must_name or _mentions(match[0], (*entry.names, *entry.adjectives)))
            ]
            if matches:
                end, relation, match = max(matches, key=lambda one: one[0])
                new = list(self._check(entry, relation, match))
                findings += [finding for finding, _ in new]
                rest += [left for _, left in new if _strip_names(entry, left)]
                means_value |= relation.has_own_facts
                at = end
                continue
            skip = _SKIP.match(text, at)
            if skip:
                at = skip.end()
                continue
            resume = _RESUME.search(text, at + 1)
            end = resume.start() if resume else len(text)
            if self._substance(entry, text[at:end]):
                rest.append(text[at:end].strip())
            at = end
        return _Reading(findings, rest, means_value)

    def _substance(self, entry: Entry, text: str) -> bool:
        return any(word not in self._table.noise for word in _strip_names(entry, text))

    def _check(self, entry: Entry, relation: Relation, match: re.Match[str]) -> Iterator[tuple[_Finding, str]]:
        """The findings on a claim, each with what its value says beyond the part that was checked."""
        denied = bool(match.groupdict().get("no"))
        value = match["value"].strip()
        if relation.shape == "amount":
            yield self._check_amount(entry, relation, value, match.groupdict().get("unit") or "", denied), ""
            return
        choice = bool(_CHOICE.search(value))
        items = self._items(_CHOICE.sub(",", value)) if choice or relation.shape == "list" else [value]
        found = [self._check_phrase(entry, relation, item, denied) for item in items if item]
        if choice and any(finding.right is not False for finding, _ in found):
            found = [(_Finding(None, f"{relation.fact}: {value} is a choice"), "")]
        yield from found

    def _items(self, value: str) -> list[str]:
        if " and " in value:
            value = self._pairs.sub(lambda name: name[0].replace(" and ", "\0"), value)
        return [item.replace("\0", " and ").strip(" )") for item in _SPLIT.split(value)]

    def _check_phrase(self, entry: Entry, relation: Relation, item: str, denied: bool) -> tuple[_Finding, str]:
        facts = entry.facts.get(relation.fact, {})
        disputed = entry.disputed.get(relation.fact, frozenset())
        known = self._table.known.get(relation.fact, frozenset())
        readings = list(relation.tidy(item))
        for phrase in readings:
            if phrase in facts:
                return _right(relation, facts[phrase], denied), ""
        if any(phrase in disputed for phrase in readings):
            return _Finding(None, f"{relation.fact}: {item} is disputed"), ""
        for phrase in readings:
            if phrase in entry.names and relation.wrong == "known":
                return _Finding(None, f"{relation.fact}: says nothing"), ""
            if phrase in known or phrase in self._table.names:
                return _wrong(relation, phrase, facts, denied), ""
        for phrase in readings:
            for accepted in sorted(facts, key=len, reverse=True):
                if phrase.startswith(accepted + " "):
                    return _right(relation, facts[accepted], denied), phrase[len(accepted) :].strip()
        for phrase in readings:
            other = _NAME_AND_MORE.sub("", phrase)
            if relation.wrong == "known" and other != phrase and other in (self._table.names | known) - {*entry.names}:
                return _wrong(relation, other, facts, denied), ""
        if relation.wrong == "any" and not denied and not _VERB.search(item):
            return _wrong(relation, item, facts, denied), ""
        return _Finding(None, f"{relation.fact}: {item} is not in the table"), ""

    def _check_amount(self, entry: Entry, relation: Relation, value: str, unit: str, denied: bool) -> _Finding:
        amount = entry.amounts.get(relation.fact)
        number = _number(value)
        if amount is None or number is None or denied:
            return _Finding(None, f"{relation.fact}: cannot tell {value}")
        if "mi" in unit:
            number *= 2.589988
        right = number in amount
        evidence = f"{relation.fact}: {value} {'≈' if right else 'is not'} {amount.values[0]:,.10g}"
        return _Finding(right, evidence, _stated(relation, value))


def _right(relation: Relation, value: str, denied: bool) -> _Finding:
    evidence = f"{relation.fact}: {value}"
    return _Finding(False, f"denies {evidence}") if denied else _Finding(True, evidence, _stated(relation, value))


def _wrong(relation: Relation, value: str, facts: Mapping[str, str], denied: bool) -> _Finding:
    evidence = f"{relation.fact}: {value} is not {_some(facts)}"
    return _Finding(True, evidence) if denied else _Finding(False, evidence, _stated(relation, value))


def _stated(relation: Relation, value: str) -> frozenset[tuple[str, str]]:
    return frozenset((fact, "" if relation.single else value) for fact in relation.states or (relation.fact,))


def _strip_names(entry: Entry, text: str) -> list[str]:
    """The words of a text without the subject's names."""
    return re.findall(r"\w+", _name_pattern(frozenset(entry.names)).sub("", text))


def _some(facts: Mapping[str, str]) -> str:
    values = list(dict.fromkeys(facts.values())) or ["any"]
    return " | ".join(values[:4]) + (" | …" if len(values) > 4 else "")


@functools.lru_cache(maxsize=4096)
def _name_pattern(names: frozenset[str]) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(names, key=len, reverse=True))) + r")\b")


def _mentions(text: str, names: Sequence[str] | frozenset[str]) -> bool:
    return bool(_name_pattern(frozenset(names)).search(text))


def _number(text: str) -> float | None:
    word, _, scale = text.partition(" ")
    if word in _WORDS:
        return _WORDS.index(word) * _SCALE[scale.removesuffix("s")]
    match = _NUMBER.search(text)
    if match is None:
        return None
    digits = match[1].rstrip(",.")
    if _THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", "") if "," in digits else digits.replace(".", "")
    try:
        return float(digits) * _SCALE[match[2] or ""]
    except ValueError:
        return None
