"""What a sentence claims about a subject of a table.

    plain text ─ patterns of the relations ─► places of values ─ phrases that the table knows ─► findings + rest

Only a value is judged: the longest phrase in its place that the table knows as a value, up to a word or a sign that
can end one. Where something else stands there ("The capital of Kenya is famous for …"), the claim is open.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Iterator, Mapping

from rlhalt.verifiers.plain import NUMBER, number, plain
from rlhalt.verifiers.table import Entry, Relation, Table

_Patterns = list[tuple[Relation, re.Pattern[str]]]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One value of one claim: right, wrong, or open (None); what it states is compared to find repetitions."""

    right: bool | None
    evidence: str
    states: frozenset[tuple[str, str]] = frozenset()


@dataclasses.dataclass
class Reading:
    """What a sentence claims, what is left of it, and what its values have too (`Relation.value_has`).

    `spans` are the places in the plain text that were read as claims.
    """

    findings: list[Finding] = dataclasses.field(default_factory=list)
    rest: list[str] = dataclasses.field(default_factory=list)
    value_has: frozenset[str] = frozenset()
    spans: list[tuple[int, int]] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class _Claim:
    """A match of a pattern; `read` tells whether a value stands where one should."""

    relation: Relation
    named: str
    start: int
    end: int
    findings: list[Finding]
    read: bool


_PRONOUNS = ("it", "they")
_IS = (
    r"(?:is|are|remains?)(?P<no> not)?(?: (?:also|currently|officially|mainly|mostly|primarily|still|now|today)){0,2}+"
)
_BOUND = (
    r"(?:(?:about|around|approximately|roughly|nearly|almost|some|an?|estimated|just|slightly|little|well|close to|"
    r"only|over|above|under|below|exceeding|up to|(?:no |not )?(?:more|less|fewer) than|at (?:least|most)|at|"
    r"in excess of|upwards of) ){0,4}+"
)
_OVER = re.compile(
    r"over|above|exceed|(?<!no )(?<!not )more than|at least|excess|upwards|(?:no|not) (?:less|fewer) than"
)
_UNDER = re.compile(r"under|below|(?<!no )(?<!not )(?:less|fewer) than|at most|up to|(?:no|not) more than")
_WHEN = (
    r"(?:(?:,? ?\(?(?:as of|in|by|since|according to|census of)(?: [a-z]+){0,2}?(?: an?)? | ?\()(?P<year>[12]\d{3})"
    r"(?: (?:estimates?|census|data|figures?|est))?\)?)?"
)
_VALUE = (
    r"(?P<value>(?=\w)(?!(?:it|this|that|these|they|there|here|which|what|who|one|some|and|but|its|in|if|where|of|also|"
    r"whose|with|while|as|not)\b)(?:(?! (?:is|are|was|were|has|within|serves?) )[^;:]){1,70}?)"
)
_RECENT = 2015  # the first year whose figures a table is taken to hold
_SKIP = re.compile(
    r"[\s,;:()]+|(?:and|but|also|which|that|is|has|as well as|while|whereas|although|though|additionally|furthermore|"
    r"moreover|however)\b|(?:as of|in) (?:[a-z]+ )?20(?:1[5-9]|2\d)(?=,)"
)
_RESUME = re.compile(r"[,;:()]| (?:and|but|which|with|while|whereas|although|though|located|situated|bordering)\b")
_RELATIVE = re.compile(r",? (?:which|whose|where|who|that)\b(?:(?!, (?:and|but|while) )[^;])*+")
_AFTER = re.compile(
    r"\s?(?:$|[,;:()/])|\s(?:and|or|but|not|rather|instead|while|whereas|with|which|where|whose|who|that|although|"
    r"though|because|since|as|in|on|at|to|from|by|between|near|along|off|located|situated|bordering|bordered|sharing|"
    r"surrounded|known|when|until|making|living|spread|area|region)\b"
)
_LEAD = re.compile(r"[ :,]*(?:(?:called|named|known as|either|both|only|just|namely|including|an?)\b ?){0,3}+")
_SEPARATOR = re.compile(
    r",? (?:and |but )?(?P<instead>not|rather than|instead of|as opposed to|unlike) |,? (?P<but>but)(?: rather)? |"
    r",? (?P<either>or(?: rather)?) |(?P<slash>/)|,? (?:and(?: also)?|as well as|along with|together with|plus) |"
    r"[,;] (?:and )?| ?\("
)
_WORD = re.compile(r"[^\s,;:()/]+")
_WORDS = 9  # in the longest phrase that is looked up
_UNKNOWN_ENDS = re.compile(r"\s?(?:[,;]|$)|\s(?:and|but|while) (?:its|it|has|is)\b")


class Reader:
    """Reads sentences by the patterns of a table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._patterns: dict[str, _Patterns] = {}
        labels = [*(relation.labels for relation in table.relations if relation.labels), table.labels]
        self._label = re.compile(rf"(?:{'|'.join(one for one in labels if one) or '(?!)'}): ?")
        self._nouns = frozenset(table.nouns)

    def others(self, entry: Entry, text: str) -> bool:
        """Whether a text names another subject of the table."""
        return mentions(text, self._others(entry))

    @functools.lru_cache(maxsize=4096)  # noqa: B019 - a reader lives as long as its process
    def _others_of(self, names: tuple[str, ...]) -> frozenset[str]:
        return self._table.names - set(names)

    def _others(self, entry: Entry) -> frozenset[str]:
        return self._others_of(entry.names)

    def read(self, subject: str, written: str, text: str, blocked: frozenset[str], named: bool) -> Reading:
        """All claims that a sentence makes about a subject, and what is left of it.

        Args:
            written: the sentence as it was written.
            text: the same, `plain`.
            blocked: relations of which "it" may mean something else.
            named: whether only claims that name the subject are about it.
        """
        entry = self._table.entries[subject]
        sentence = _Sentence(self._table, entry, written, text)
        patterns = self._present(subject, entry, text)
        found = Reading(value_has=frozenset())
        label = self._label.match(text)
        at = label.end() if label else 0
        about_it = bool(_names(entry.names).match(text, at)) and not text.startswith(" 's", at)
        while at < len(text):
            going_on = (bool(found.findings) or (about_it and at > 0)) and not named
            strict = named or (not going_on and bool(found.rest))
            claims = list(self._claims(patterns, sentence, at, going_on, strict, blocked | found.value_has))
            if label and at == label.end() and not any(claim.read for claim in claims):
                claims += self._labelled(label, sentence)
            if claims:
                claim = max(claims, key=lambda one: (one.read, one.end))
                found.findings += claim.findings
                found.value_has |= frozenset(claim.relation.value_has)
                found.spans.append((claim.start, claim.end))
                at = claim.end
                clause = _RELATIVE.match(text, at) if claim.relation.units is None else None
                end = clause.end() if clause else at
                if not claim.read:
                    end = self._resume(text, at)
            elif skip := _SKIP.match(text, at):
                found.spans.append(skip.span())
                at = skip.end()
                continue
            else:
                end = self._resume(text, at + 1)
            if self._substance(entry, text[at:end]):
                found.rest.append(text[at:end].strip())
                named = named or (not claims and self.others(entry, text[at:end]))
            at = end
        return found

    def _resume(self, text: str, at: int) -> int:
        resume = _RESUME.search(text, at)
        return resume.start() if resume else len(text)

    def _substance(self, entry: Entry, text: str) -> bool:
        words = re.findall(r"\w+", _names(entry.names).sub("", text))
        return any(word not in self._table.noise for word in words)

    def _present(self, subject: str, entry: Entry, text: str) -> _Patterns:
        """The patterns that may match in a text: of relations without `words`, or with one of them in the text."""
        absent = {
            id(relation)
            for relation in self._table.relations
            if relation.words and not any(word in text for word in relation.words)
        }
        return [one for one in self._compiled(subject, entry) if id(one[0]) not in absent]

    def _claims(
        self, patterns: _Patterns, sentence: _Sentence, at: int, going_on: bool, strict: bool, blocked: frozenset[str]
    ) -> Iterator[_Claim]:
        entry = sentence.entry
        for relation, pattern in patterns:
            match = pattern.match(sentence.text, at)
            if match is None or not (going_on or match.groupdict("").get("subject", "-")):
                continue
            if strict or relation.fact in blocked:
                naming = (*entry.names, *entry.adjectives, *(() if strict else self._table.nouns))
                if not mentions(match[0], naming):
                    continue
            yield sentence.claim(relation, match)

    def _labelled(self, label: re.Match[str], sentence: _Sentence) -> Iterator[_Claim]:
        for relation in self._table.relations:
            if relation.labels and re.fullmatch(rf"(?:{relation.labels}): ?", label[0]):
                pattern = _amount(relation) + "(?: [a-z]+)?" + _WHEN if relation.units is not None else ""
                match = re.compile(pattern).match(sentence.text, label.end())
                if match:
                    yield sentence.claim(relation, match)

    def _compiled(self, subject: str, entry: Entry) -> _Patterns:
        if subject not in self._patterns:
            nouns = "|".join(map(re.escape, self._table.nouns)) or "(?!)"
            names = "|".join(map(re.escape, sorted(entry.names, key=len, reverse=True)))
            who = rf"(?:(?:(?:{nouns}) (?:of )?)?(?:{names})|(?:this )?(?:{nouns})|{'|'.join(_PRONOUNS)})"
            adjectives = "|".join(map(re.escape, entry.adjectives)) or "(?!)"
            own = rf"(?:(?:its|their|{who} 's|{adjectives}) )"
            of = rf"(?: (?:of|in|for) {who})"
            parts = {
                "{subject}": rf"(?P<subject>{who} )?(?:also )?",
                "{own}": own + "?",
                "{OWN}": own,
                "{of}": of + "?",
                "{OF}": of,
                "{is}": _IS,
                "{when}": _WHEN,
                "{value}": _VALUE,
            }
            self._patterns[subject] = [
                (relation, re.compile(functools.reduce(lambda text, part: text.replace(*part), these.items(), pattern)))
                for relation in self._table.relations
                for these in [parts | {"{amount}": _amount(relation)}]
                for pattern in relation.patterns
            ]
        return self._patterns[subject]


def _amount(relation: Relation) -> str:
    units = "|".join(unit for unit in relation.units or {} if unit)
    unit = rf"(?: ?(?P<unit>{units})(?![a-z\d]))" if units else ""
    optional = "?" if unit and "" in (relation.units or {}) else ""
    return rf"(?P<bound>{_BOUND})(?P<value>{NUMBER})(?: to (?P<high>{NUMBER}))?{unit}{optional}(?![\w°])"


@dataclasses.dataclass(frozen=True)
class _Item:
    finding: Finding
    phrase: str
    end: int


class _Sentence:
    """A sentence about an entry, and the values in it."""

    def __init__(self, table: Table, entry: Entry, written: str, text: str) -> None:
        self.entry, self.text = entry, text
        self._table, self._written = table, written

    def claim(self, relation: Relation, match: re.Match[str]) -> _Claim:
        """What a match of a pattern claims."""
        if relation.units is not None:
            finding = self._amount(relation, match)
            read = bool(_AFTER.match(self.text, match.end()))
            if not read:
                finding = Finding(None, f"{relation.fact}: cannot tell {match[0]}")
            return _Claim(relation, match[0], match.start(), match.end(), [finding], read)
        first = match.groupdict().get("value")
        start, stop = match.span("value") if first else (match.end(), len(self.text))
        denied = bool(match.groupdict().get("no"))
        findings, end, values = self._list(relation, start, stop, denied)
        if not findings or (first and self.text[end:stop].strip(" ,")):
            findings, end = self._unknown(relation, start, stop if first else None, denied)
        counted = match.groupdict().get("count")
        if counted and findings and number(counted) not in (None, float(values)):
            findings = [*findings, Finding(None, f"{relation.fact}: {counted} are not {values}")]
        end = match.end() if first else max(end, match.end())
        read = any(finding.right is not None for finding in findings)
        if not findings:
            findings = [Finding(None, f"{relation.fact}: cannot tell {self.text[start : stop if first else end + 30]}")]
        return _Claim(relation, match[0], match.start(), end, findings, read)

    def _list(self, relation: Relation, at: int, stop: int, denied: bool) -> tuple[list[Finding], int, int]:
        """The findings on the values at a place, where they end, and how many they are."""
        findings: list[Finding] = []
        end, choice, values, said = at, False, 0, []
        while True:
            lead = _LEAD.match(self.text, at, stop)
            at = lead.end() if lead else at
            choice = choice or bool(lead and "either" in lead[0])
            item = self._item(relation, at, stop, denied)
            if item is None:
                break
            findings.append(item.finding)
            values += 1
            end = item.end
            said.append(item.phrase)
            if self.text[end : end + 1] == ")":
                end += 1
            separator = _SEPARATOR.match(self.text, end, stop)
            if separator is None:
                break
            at = separator.end()
            after = separator.groupdict()
            if after["but"] and not denied:
                break
            if after["instead"]:
                other = self._item(relation, _LEAD.match(self.text, at, stop).end(), stop, True)  # type: ignore[union-attr]
                anything = re.compile(r"[^,;:()]{1,40}(?=,|$)").match(self.text, at, stop)
                findings += [other.finding] if other else []
                end = other.end if other else anything.end() if anything else end
                break
            denied = denied and not after["but"]
            following = self._item(relation, _LEAD.match(self.text, at, stop).end(), stop, denied)  # type: ignore[union-attr]
            choice = choice or bool(following and (after["either"] or after["slash"]))
        if choice and any(finding.right is not False for finding in findings):
            findings = [Finding(None, f"{relation.fact}: {' or '.join(said)} is a choice")]
        return findings, end, values

    def _item(self, relation: Relation, at: int, stop: int, denied: bool) -> _Item | None:
        lead = _compiled(relation.lead).match(self.text, at, stop) if relation.lead else None
        start = lead.end() if lead else at
        words = []
        for word in _WORD.finditer(self.text, start, stop):
            words.append(word.end())
            if len(words) == _WORDS:
                break
        for end in reversed(words):
            after = _compiled(relation.qualifier).match(self.text, end, stop) if relation.qualifier else None
            if not after and end < stop and not _AFTER.match(self.text, end):
                continue
            finding = self._value(relation, self.text[start:end], denied)
            if finding is None:
                continue
            how = [one["how"] for one in (lead, after) if one and one.groupdict().get("how")]
            if how and finding.right and not self._qualified(relation, self.text[start:end], how[0]):
                finding = Finding(None, f"{relation.fact}: cannot tell {self.text[start:end]} {how[0]}")
            return _Item(finding, self.text[start:end], after.end() if after else end)
        return None

    def _qualified(self, relation: Relation, phrase: str, how: str) -> bool:
        facts = self.entry.facts.get(relation.fact, {})
        value = next(facts[one] for one in relation.tidy(phrase) if one in facts)
        return f"{value} {how}" in self.entry.qualifiers.get(relation.fact, ())

    def _value(self, relation: Relation, phrase: str, denied: bool) -> Finding | None:
        """The finding on a phrase; none where it is no value that the table knows."""
        facts = self.entry.facts.get(relation.fact, {})
        readings = relation.tidy(self._as_written(phrase) if relation.cased else phrase)
        for one in readings:
            if one in facts:
                return _right(relation, facts[one], denied)
        if any(one in self.entry.disputed.get(relation.fact, ()) for one in readings):
            return Finding(None, f"{relation.fact}: {phrase} is disputed")
        for one in readings:
            if one in self._table.values.get(relation.fact, ()):
                return _wrong(relation, one, facts, denied)
            if one in self.entry.names and not relation.invented:
                return Finding(None, f"{relation.fact}: says nothing")
            if one in self._table.names:
                return _wrong(relation, one, facts, denied)
        return None

    def _as_written(self, phrase: str) -> str:
        match = re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", self._written, re.IGNORECASE)
        return match[0] if match else phrase

    def _unknown(self, relation: Relation, start: int, stop: int | None, denied: bool) -> tuple[list[Finding], int]:
        """The finding on a name that nobody knows; nothing where what stands there is no name."""
        if not relation.invented or denied:
            return [], start
        start += self.text[start:].startswith(" ")
        if stop is None:
            ends = _UNKNOWN_ENDS.search(self.text, start)
            stop = ends.start() if ends else len(self.text)
        facts = self.entry.facts.get(relation.fact, {})
        invented = _invented(relation.invented, self._written)
        phrases = self.text[start:stop].strip().split(" or ")
        own = set(" ".join((*self.entry.names, *self.entry.adjectives)).split())
        words = {word for one in facts for word in one.split()} - own
        for phrase in phrases:
            said = set(phrase.split())
            if (
                not phrase
                or phrase not in invented
                or phrase in self.entry.adjectives
                or said & words
                or any(_one_letter_off(phrase, one) for one in facts)
            ):
                return [], start
        return [_wrong(relation, phrase, facts, False) for phrase in phrases], stop

    def _amount(self, relation: Relation, match: re.Match[str]) -> Finding:
        groups = match.groupdict()
        amount = self.entry.amounts.get(relation.fact)
        figures = [number(one) for one in (match["value"], groups["high"]) if one]
        told = " ".join(
            match[0][match.start(one) - match.start() : match.end(one) - match.start()] for one in ("value",)
        )
        unclear = amount is None or None in figures or groups.get("no")
        if unclear or (groups.get("year") and int(groups["year"]) < _RECENT):
            return Finding(None, f"{relation.fact}: cannot tell {told}")
        assert amount is not None
        factor, offset = _unit(relation, groups.get("unit") or "")
        converted = [figure * factor + offset for figure in figures if figure is not None]
        if len(converted) == 2 and converted[0] < converted[1] / 1e3:  # "50 to 55 million"
            converted[0] *= converted[1] / (figures[1] or 1) * _scale(match["high"])
        compare: Callable[[float], bool | None] = amount.__contains__
        if _OVER.search(match["bound"]):
            compare = amount.over
        elif _UNDER.search(match["bound"]):
            compare = amount.under
        verdicts = {compare(figure) for figure in converted}
        if len(converted) == 2 and verdicts == {False}:
            between = any(converted[0] < value < converted[1] for value in amount.values)
            verdicts = {None} if between else verdicts
        right = verdicts.pop() if len(verdicts) == 1 else None
        if right is None:
            return Finding(None, f"{relation.fact}: cannot tell {match['bound']}{told}")
        evidence = f"{relation.fact}: {match['bound']}{told} {'≈' if right else 'is not'} {amount.values[0]:,.10g}"
        return Finding(right, evidence, _stated(relation, told))


def _unit(relation: Relation, unit: str) -> tuple[float, float]:
    assert relation.units is not None
    return next(how for pattern, how in relation.units.items() if re.fullmatch(pattern, unit))


def _scale(text: str) -> float:
    whole = number(text)
    digits = number(re.sub(r" ?[a-z]+$", "", text))
    return whole / digits if whole and digits else 1.0


@functools.lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _invented(pattern: str, written: str) -> set[str]:
    if written.isupper() or (written.istitle() and len(written.split()) > 4):  # no capital tells a name there
        return set()
    return {plain(match[1]) for match in _compiled(pattern).finditer(written)}


def _one_letter_off(one: str, other: str) -> bool:
    """Whether two spellings may be of one name: a letter more or less ("Teheran"), or another one in a long name."""
    if abs(len(one) - len(other)) > 1 or min(len(one), len(other)) < (7 if len(one) == len(other) else 5):
        return False
    same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[same + (len(one) >= len(other)) :] == other[same + (len(other) >= len(one)) :]


def _right(relation: Relation, value: str, denied: bool) -> Finding:
    evidence = f"{relation.fact}: {value}"
    return Finding(False, f"denies {evidence}") if denied else Finding(True, evidence, _stated(relation, value))


def _wrong(relation: Relation, value: str, facts: Mapping[str, str], denied: bool) -> Finding:
    evidence = f"{relation.fact}: {value} is not {_some(facts)}"
    return Finding(True, evidence) if denied else Finding(False, evidence, _stated(relation, value))


def _stated(relation: Relation, value: str) -> frozenset[tuple[str, str]]:
    return frozenset((fact, "" if relation.single else value) for fact in relation.states or (relation.fact,))


def _some(facts: Mapping[str, str]) -> str:
    values = list(dict.fromkeys(facts.values())) or ["any"]
    return " | ".join(values[:4]) + (" | …" if len(values) > 4 else "")


def _names(names: tuple[str, ...]) -> re.Pattern[str]:
    return _name_pattern(frozenset(names))


@functools.lru_cache(maxsize=4096)
def _name_pattern(names: frozenset[str]) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(names, key=len, reverse=True))) + r")\b")


def mentions(text: str, names: tuple[str, ...] | frozenset[str]) -> bool:
    """Whether one of the names stands in a plain text."""
    return bool(names) and bool(_name_pattern(frozenset(names)).search(text))
