"""A verifier beside labels of fragments.

A row of `audit.jsonl` is one fragment of a response that a model really wrote:

    {"split": "heldout", "reference": {…}, "response": "…", "start": 0, "end": 24, "text": "…", "label": "correct"}

`label` is `correct`, `incorrect` or `neither` (no claim that could be checked); deciding what people call neither
counts against the verifier. `reference` is what the verifier needs, and `"subject": "Kenya"` is short for
`"reference": {"subject": "Kenya"}`. `note` says why, where it is not plain. `prompt`, a text or chat messages, is what
was asked, for a verifier that reads it (`rlhalt.verifiers.model`); without it the domain's own prompt with this
reference is taken.

The response is split by the domain's fragmenter, which must find the fragment. Where a model does the splitting, it
finds others each time it is changed: a row with `claim` (the statement, or null) is given to the verifier as it is,
together with the other rows of its response.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from rlhalt.errors import InputError
from rlhalt.files.strict_json import Wrong, shown
from rlhalt.records import Fragment, Json, Message, Prompt, Scored, check_messages, content_key, iter_json, user
from rlhalt.scoring import Scorer

HUMAN = ("correct", "incorrect", "neither")
VERDICTS = ("correct", "incorrect", "unverifiable", "failed")
_FIELDS = ("split", "response", "start", "end", "text", "label")
_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("split", "response", "text", "label"), (str,)),
    **dict.fromkeys(("start", "end"), (int,)),
    **dict.fromkeys(("note", "claim"), (str, type(None))),
}
_LONGEST_SUBJECT = 80  # characters that are shown


@dataclasses.dataclass(frozen=True)
class Judgement:
    """A fragment, what a person said of it and what the verifier says.

    Attributes:
        subject: what the response is about, for a reader: the first text of the reference.
    """

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


def judge(path: str | Path, scorer: Scorer, prompts: Sequence[Prompt] = ()) -> list[Judgement]:
    """Run a scorer over the labelled fragments; each response is judged once, as many at once as the scorer allows.

    Args:
        prompts: the domain's own, for rows that say none.

    Raises:
        InputError: a malformed row, or a labelled fragment that the fragmenter does not find.
        BudgetExceeded: a paid verifier may not ask any more.
    """
    path = Path(path)
    rows = [(row, _checked(data, path, row)) for row, data in iter_json(path)]
    groups: dict[str, list[Json]] = {}
    for _, data in rows:
        groups.setdefault(_response_key(data), []).append(data)
    with concurrent.futures.ThreadPoolExecutor(scorer.workers) as pool:
        judged = dict(
            zip(groups, pool.map(lambda group: _judged(group, scorer, prompts), groups.values()), strict=True)
        )
    return [_judgement(data, judged[_response_key(data)], path, row) for row, data in rows]


def _checked(data: Json, path: Path, row: int) -> Json:
    missing = [field for field in _FIELDS if field not in data]
    if missing:
        raise InputError(f"expected the fields {', '.join(missing)}, found none", path=path, row=row, field=missing[0])
    for field, kinds in _TYPES.items():
        value = data.get(field, kinds[0]())
        if not isinstance(value, kinds) or isinstance(value, bool):
            expected = "a whole number" if kinds[0] is int else "text"
            raise InputError(f"expected {expected}, found {shown(value)}", path=path, row=row, field=field)
    if data["label"] not in HUMAN:
        raise InputError(f"expected {', '.join(HUMAN)}, found {data['label']!r}", path=path, row=row, field="label")
    start, end = data["start"], data["end"]
    if not 0 <= start <= end or data["response"][start:end] != data["text"]:
        raise InputError("the offsets do not point at this text", path=path, row=row, field="text")
    asked = data.get("prompt", "")
    if not isinstance(asked, str):
        try:
            check_messages(asked, "prompt")
        except (Wrong, TypeError, AttributeError) as error:
            expected = f"expected a text or chat messages, found {shown(asked)} ({error})"
            raise InputError(expected, path=path, row=row, field="prompt") from None
    reference = data.get("reference", {"subject": data["subject"]} if "subject" in data else None)
    if not isinstance(reference, dict):
        raise InputError(
            "expected a subject, or an object with what the verifier needs", path=path, row=row, field="reference"
        )
    return data | {"reference": reference}


def _response_key(data: Json) -> str:
    return content_key(data["response"], data["reference"], data.get("prompt"), "claim" in data)


def _judged(group: list[Json], scorer: Scorer, prompts: Sequence[Prompt]) -> list[Fragment]:
    data = group[0]
    if "claim" in data:
        given = [Fragment(one["start"], one["end"], "claim", one["text"], claim=one["claim"]) for one in group]
        given.sort(key=lambda one: one.start)
        scorer = dataclasses.replace(scorer, fragment=lambda text: given)
    return scorer.judge(data["response"], data["reference"], prompt=_prompt(data, prompts))


def _prompt(data: Json, prompts: Sequence[Prompt]) -> list[Message]:
    """What was asked: as the row says, or the first prompt whose reference holds that of the row; none otherwise."""
    asked = data.get("prompt")
    if asked:
        return user(asked) if isinstance(asked, str) else list(asked)
    wanted = data["reference"].items()
    return next((one.prompt for one in prompts if wanted <= one.reference.items()), []) if prompts else []


def _judgement(data: Json, fragments: Sequence[Fragment], path: Path, row: int) -> Judgement:
    found = next((one for one in fragments if (one.start, one.end) == (data["start"], data["end"])), None)
    if found is None:
        raise InputError("the fragmenter finds no fragment at these offsets", path=path, row=row, field="start")
    subject = next((one for one in data["reference"].values() if isinstance(one, str)), "")
    return Judgement(
        split=data["split"],
        subject=subject if len(subject) <= _LONGEST_SUBJECT else subject[: _LONGEST_SUBJECT - 1] + "…",
        text=data["text"],
        human=data["label"],
        verdict=found.label or "failed",
        evidence=found.evidence or found.error or "",
        note=data.get("note") or "",
    )


def labelled(rows: Iterable[Scored]) -> Iterator[Json]:
    """Rows of an `audit.jsonl` from responses whose fragments people have judged (`rlhalt.verifiers.annotation`).

    What people halted or abstained at is left out; what they call unverifiable is `neither`.
    """
    for row in rows:
        for one in row.fragments:
            if one.label in ("correct", "incorrect", "unverifiable"):
                yield {
                    "split": row.split,
                    "prompt": row.prompt,
                    "reference": row.reference,
                    "response": row.response,
                    "start": one.start,
                    "end": one.end,
                    "text": one.text,
                    "claim": one.claim,
                    "label": "neither" if one.label == "unverifiable" else one.label,
                }


def agreement(judged: Sequence[Judgement]) -> float:
    """The share of decided fragments on which the verifier agrees with the person; 0 where it decides none."""
    decided = [one for one in judged if one.decided]
    return sum(one.agrees for one in decided) / len(decided) if decided else 0.0


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
