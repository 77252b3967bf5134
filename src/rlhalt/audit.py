"""How far a verifier can be trusted: its verdicts beside labels that people gave without seeing them.

`reward/<domain>/audit.jsonl` holds fragments of responses that a model really wrote, labelled `correct`, `incorrect` or
`neither` (no claim about the subject that could be checked). A verifier *decides* where it says correct or incorrect;
it *agrees* where it decides and the label is the same. Deciding what people call neither counts against it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from rlhalt.errors import InputError
from rlhalt.records import Json, iter_json, write_atomic
from rlhalt.scoring import Scorer

BEGIN, END = "<!-- audit: written by `rlhalt audit`, do not edit -->", "<!-- end of audit -->"
HUMAN = ("correct", "incorrect", "neither")
VERDICTS = ("correct", "incorrect", "unverifiable", "failed")


@dataclasses.dataclass(frozen=True)
class Judgement:
    """A fragment, what a person said of it and what the verifier says."""

    split: str
    subject: str
    text: str
    human: Literal["correct", "incorrect", "neither"]
    verdict: str
    evidence: str
    note: str

    @property
    def decided(self) -> bool:
        """Whether the verifier says correct or incorrect."""
        return self.verdict in ("correct", "incorrect")

    @property
    def agrees(self) -> bool:
        """Whether the verifier decides, and as the person did."""
        return self.decided and self.verdict == self.human


def judge(path: str | Path, scorer: Scorer) -> list[Judgement]:
    """Run a scorer over the labelled fragments.

    Raises:
        InputError: a malformed row, or a labelled fragment that the fragmenter does not find.
    """
    path = Path(path)
    judged = []
    for row, data in iter_json(path):
        for field in ("split", "subject", "response", "start", "end", "text", "label"):
            if field not in data:
                raise InputError("expected this field, found none", path=path, row=row, field=field)
        if data["label"] not in HUMAN:
            raise InputError(f"expected {', '.join(HUMAN)}, found {data['label']!r}", path=path, row=row, field="label")
        judged.append(_judge(data, scorer, path, row))
    return judged


def _judge(data: Json, scorer: Scorer, path: Path, row: int) -> Judgement:
    fragments = scorer.judge(data["response"], {"subject": data["subject"]})
    found = next((one for one in fragments if (one.start, one.end) == (data["start"], data["end"])), None)
    if found is None:
        raise InputError("the fragmenter finds no fragment at these offsets", path=path, row=row, field="start")
    return Judgement(
        split=data["split"],
        subject=data["subject"],
        text=data["text"],
        human=data["label"],
        verdict=found.label or "failed",
        evidence=found.evidence or found.error or "",
        note=data.get("note") or "",
    )


def agreement(judged: Sequence[Judgement]) -> float:
    """The share of decided fragments on which the verifier agrees with the person."""
    decided = [one for one in judged if one.decided]
    return sum(one.agrees for one in decided) / len(decided)


def decided_share(judged: Sequence[Judgement]) -> float:
    """The share of fragments that the verifier decides."""
    return sum(one.decided for one in judged) / len(judged)


def markdown(judged: Sequence[Judgement]) -> str:
    """The tables for the README: agreement by split, verdicts against labels, and every disagreement."""
    lines = ["| split | fragments | decided | agreement where decided |", "| --- | ---: | ---: | ---: |"]
    for split in [*sorted({one.split for one in judged}), "all"]:
        some = [one for one in judged if split in (one.split, "all")]
        lines.append(f"| {split} | {len(some)} | {decided_share(some):.1%} | {agreement(some):.1%} |")
    counts: Counter[tuple[str, str]] = Counter((one.human, one.verdict) for one in judged)
    shown = [verdict for verdict in VERDICTS if any(counts[human, verdict] for human in HUMAN)]
    lines += ["", f"| a person says | {' | '.join(shown)} |", "| --- |" + " ---: |" * len(shown)]
    lines += [f"| {human} | {' | '.join(str(counts[human, verdict]) for verdict in shown)} |" for human in HUMAN]
    wrong = [one for one in judged if one.decided and not one.agrees]
    if wrong:
        lines += ["", "| disagreement: fragment | a person says | the verifier says |", "| --- | --- | --- |"]
        lines += [
            f"| {one.subject}: {_cell(one.text)} | {one.human}{f' ({_cell(one.note)})' if one.note else ''} "
            f"| {one.verdict} ({_cell(one.evidence)}) |"
            for one in wrong
        ]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def write_table(readme: str | Path, judged: Sequence[Judgement]) -> None:
    """Put the tables between the two marks of a README.

    Raises:
        InputError: the marks are missing.
    """
    readme = Path(readme)
    text = readme.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise InputError(f"expected the lines {BEGIN} and {END}, found none", path=readme)
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    write_atomic(readme, [before, BEGIN, "\n\n", markdown(judged), "\n\n", END, after])
