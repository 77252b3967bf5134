"""How far a verifier can be trusted: its verdicts beside labels that people gave without seeing them.

    reward/<domain>/audit.jsonl ─ judged by the domain's scorer ─► agreement ─► the table in reward/<domain>/README.md

A verifier *decides* where it says correct or incorrect; it *agrees* where it decides as people did. What a
domain promises of both is held by a test, and by whoever runs `rlhalt audit`.

Labels come in two forms, told apart by their fields: of fragments (`rlhalt.audit.fragments`), and of the first wrong
step of worked solutions that lie in a file of their own (`rlhalt.audit.solutions`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from rlhalt.audit.fragments import Judgement, agreement, decided_share, judge, labelled, markdown
from rlhalt.audit.solutions import Solutions, measure
from rlhalt.errors import InputError
from rlhalt.files.text import read_text
from rlhalt.records import Prompt, iter_json, write_atomic
from rlhalt.scoring import Scorer

__all__ = [
    "BEGIN",
    "END",
    "Audit",
    "Judgement",
    "Solutions",
    "agreement",
    "audit",
    "decided_share",
    "judge",
    "labelled",
    "markdown",
    "measure",
    "write_table",
]

BEGIN, END = "<!-- audit: written by `rlhalt audit`, do not edit -->", "<!-- end of audit -->"


@dataclasses.dataclass(frozen=True)
class Audit:
    """What was measured of a verifier.

    Attributes:
        agreement: the share of what it decides that it decides as people did.
        decided: the share of what it is asked that it decides.
        told: both, in a line.
        table: all of it, in Markdown.
    """

    agreement: float
    decided: float
    told: str
    table: str

    def misses(self, promised_agreement: float | None, promised_decided: float | None) -> list[str]:
        """What was promised and is not kept, a line each."""
        pairs = {"agreement": (self.agreement, promised_agreement), "decided": (self.decided, promised_decided)}
        return [
            f"promised_{name}: {promised:.1%} promised, {found:.1%} measured"
            for name, (found, promised) in pairs.items()
            if promised is not None and not found >= promised
        ]


def audit(folder: str | Path, scorer: Scorer, data: str | Path | None = None, prompts: Sequence[Prompt] = ()) -> Audit:
    """Run a domain's scorer over its labels, `audit.jsonl` in its folder.

    Args:
        data: the file with the solutions, where the labels are of solutions and do not hold them.
        prompts: the domain's own, for a verifier that reads the prompt and labels that do not say it.

    Raises:
        InputError: no labels, a malformed row, or data that are missing or other than those that were labelled.
    """
    path = Path(folder) / "audit.jsonl"
    first = next((row for _, row in iter_json(path)), None)
    if first is None:
        raise InputError("expected at least one label, found none", path=path)
    if "solution_sha" in first:
        if data is None:
            raise InputError("expected the file with the solutions that these labels are of (--data FILE)", path=path)
        found = measure(path, data, scorer)
        return Audit(found.agreement, found.decided, found.told, found.table)
    judged = judge(path, scorer, prompts)
    share, decided = agreement(judged), decided_share(judged)
    told = f"{len(judged)} fragments, {decided:.1%} decided, {share:.1%} agreement where decided"
    return Audit(share, decided, told, markdown(judged))


def check_readme(readme: str | Path) -> None:
    """See that a README has a place for the table, before anything is judged.

    Raises:
        InputError: no such file, or the marks are missing.
    """
    _marked(Path(readme))


def _marked(readme: Path) -> str:
    text = read_text(readme, "a README with the marks of an audit")
    begin = text.find(BEGIN)
    if begin < 0 or text.find(END, begin) < 0:
        raise InputError(f"expected the lines {BEGIN} and {END}, found none", path=readme)
    return text


def write_table(readme: str | Path, table: str) -> None:
    """Put a table between the two marks of a README.

    Raises:
        InputError: the marks are missing.
    """
    readme = Path(readme)
    text = _marked(readme)
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    write_atomic(readme, [before, BEGIN, "\n\n", table, "\n\n", END, after])
