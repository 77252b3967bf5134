"""Judging sentences against a table of facts, by patterns: fast, exact where it speaks, silent where it cannot tell.

    sentence ─ plain ─► words ─ rlhalt.verifiers.reading ─► findings + rest ─ what was said before ─► verdict

A sentence is *incorrect* as soon as one claim in it is wrong; it is *correct* when a claim is right and new, none is
open and nothing of substance is left over; everything else is *unverifiable*. A wrong value is one that the table knows
as a value, of something else; what stands in the place of a value and is none makes the claim open
(`rlhalt.verifiers.table` says how a table is written).

Online, a policy finds every way to be right without knowing anything. What is true and earns nothing all the same:

- A fact that the response has stated before, in whatever words: "Lima is the capital of Peru", "Its capital is Lima".
- A second value of a relation that has one (`Relation.single`): another region of a country, all of them being right,
  and a second guess at its capital after a wrong one. Else two guesses would earn twice what either is worth.
- A denial. There are thousands of true ones ("Peru is not in Europe"), and they say next to nothing. A false one is
  incorrect.
- A choice ("in Asia or Africa", incorrect where all of it is wrong) and a question ("Is Peru in Asia?"): they state no
  value.
- A sentence with a hedge, a condition, another's words or another time (`rlhalt.verifiers.hedges`).

These leave a claim's reward what it has to be: where a right one earns nothing, a wrong one earns nothing or costs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rlhalt.errors import InputError
from rlhalt.records import Fragment, Json
from rlhalt.verifiers import Verdict
from rlhalt.verifiers.hedges import hedge
from rlhalt.verifiers.plain import plain
from rlhalt.verifiers.reading import Reader, Reading, mentions
from rlhalt.verifiers.table import Entry, Table

_QUESTION = re.compile(r"\?[\W_]*$")
_LONGEST = 500  # characters; no sentence of the answers seen has 300
# Fact → the sentence that stated it first, and whether it was right.
_Said = dict[tuple[str, str], tuple[str, bool | None]]


class KnowledgeVerifier:
    """Judges sentences about a subject of a table; implements `rlhalt.verifiers.Verifier`.

    A sentence about another subject of the table is unverifiable, true or false: it does not answer the prompt.
    """

    name = "knowledge/3"

    def __init__(self, table: Table) -> None:
        self._table = table
        self._reader = Reader(table)

    @property
    def fingerprint(self) -> str:
        """That of the table: after a fact is edited, rows are judged again."""
        return self._table.fingerprint

    def verify(self, response: str, fragments: Sequence[Fragment], reference: Json) -> list[Verdict]:
        """One verdict a fragment, in order. Halting fragments get the label `halt`.

        Raises:
            InputError: the reference has no `subject`, or names none of the table.
        """
        if "subject" not in reference:
            raise InputError("expected a reference with a 'subject', found none", field="reference")
        subject = reference["subject"]
        if not isinstance(subject, str):
            raise InputError(f"expected a text as 'subject', found {subject!r}", field="reference")
        entry = self._table.entries.get(subject)
        if entry is None:
            raise InputError(f"a reference without an entry: the table knows no {subject!r}", field="reference")
        verdicts = []
        said: _Said = {}
        # What "it" does not mean: relations of the value that the sentence before was about, or anything at all.
        blocked: frozenset[str] = frozenset()
        named = False
        for fragment in fragments:
            if fragment.kind == "halt":
                verdicts.append(Verdict("halt", "the halting phrase"))
                continue
            if len(fragment.text) > _LONGEST:
                verdicts.append(Verdict("unverifiable", f"longer than {_LONGEST} characters"))
                continue
            text = plain(fragment.text)
            reading = self._reader.read(subject, fragment.text, text, blocked, named)
            verdicts.append(self._judge(entry, fragment.text, text, reading, said))
            if verdicts[-1].label in ("correct", "incorrect"):
                for finding in reading.findings:
                    said |= dict.fromkeys(finding.states - said.keys(), (fragment.text, finding.right))
            if reading.findings:
                blocked, named = reading.value_has, False
            elif self._reader.others(entry, text):
                named = True
        return verdicts

    def _judge(self, entry: Entry, written: str, text: str, reading: Reading, said: _Said) -> Verdict:
        findings = reading.findings
        if _QUESTION.search(written):
            return Verdict("unverifiable", "a question")
        if not findings:
            about = self._reader.others(entry, text) and not mentions(text, entry.names)
            return Verdict("unverifiable", "about another subject" if about else _unclear(reading))
        if found := hedge(text, reading.spans):
            return Verdict("unverifiable", f"no plain statement about the present: “{found}”")
        wrong = [finding.evidence for finding in findings if finding.right is False]
        if wrong:
            return Verdict("incorrect", "; ".join(wrong))
        if reading.rest or any(finding.right is None for finding in findings):
            return Verdict("unverifiable", _unclear(reading))
        return _new(reading, said)


def _unclear(reading: Reading) -> str:
    unclear = [finding.evidence for finding in reading.findings if finding.right is None]
    unclear += [f"cannot tell: {part}" for part in reading.rest]
    return "; ".join(unclear) or "nothing to check it against"


def _new(reading: Reading, said: Mapping[tuple[str, str], tuple[str, bool | None]]) -> Verdict:
    """The verdict on a sentence of which everything is right: correct where it says something new."""
    stated = {fact for finding in reading.findings for fact in finding.states}
    if not stated:
        return Verdict("unverifiable", "only says what is not so")
    if stated <= said.keys():
        before, right = said[min(stated)]
        return Verdict("unverifiable", f"{'repeats' if right else 'another try at'} “{before}”")
    return Verdict("correct", "; ".join(finding.evidence for finding in reading.findings))
