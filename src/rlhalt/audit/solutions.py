"""A verifier beside worked solutions: which answers are right, and which step is the first wrong one.

The solutions lie in a file of GSM8K's form: a line a problem, with its reference solution in `ground_truth` and for
each model an object of `solution` and `is_correct`. A row of `audit.jsonl` labels one wrong solution in it, by its
place and a hash of its text, and holds none of it:

    {"problem": 590, "model": "6b_finetuning", "solution_sha": "9613…", "half": "design", "start": 141, "end": 233}

`problem` counts lines from 0; `start` and `end` are the offsets of the first wrong step; `half` says whether the label
was known when the verifier was made.

*Agreement* is that of the final answer with `is_correct`, over all solutions of the file. *Decided* is the share of the
steps of right solutions that the verifier finds correct: there is nothing else that it could say of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlhalt.errors import InputError
from rlhalt.files.strict_json import shown
from rlhalt.records import Fragment, Json, iter_json, user
from rlhalt.scoring import Scorer

_LABEL = {"problem": int, "model": str, "solution_sha": str, "half": str, "start": int, "end": int}
_WHERE = ("same step", "at most one step away", "too early", "too late")


@dataclasses.dataclass(frozen=True)
class Solutions:
    """What was measured.

    Attributes:
        answers, agreed: solutions, and those whose final answer is judged as `is_correct` says.
        steps: verdicts on the steps of right solutions.
        first_wrong: by half or model, how often the first step called wrong is the labelled one, near it, before or
            after it; the number of labels under "solutions".
    """

    answers: int
    agreed: int
    steps: Counter[str]
    first_wrong: Mapping[str, Counter[str]]

    @property
    def agreement(self) -> float:
        """The share of final answers judged as `is_correct` says."""
        return self.agreed / self.answers

    @property
    def decided(self) -> float:
        """The share of the steps of right solutions that are found correct."""
        return self.steps["correct"] / self.steps.total()

    @property
    def told(self) -> str:
        """Both shares, in a line."""
        return (
            f"{self.answers} final answers, {self.agreement:.2%} judged as is_correct says; "
            f"{self.decided:.1%} of {self.steps.total()} steps of right solutions found correct"
        )

    @property
    def table(self) -> str:
        """All of it, in Markdown."""
        lines = ["| final answers | judged as `is_correct` says | |", "| ---: | ---: | ---: |"]
        lines.append(f"| {self.answers:,} | {self.agreed:,} | {self.agreement:.2%} |")
        lines += ["", "| steps of right solutions | | |", "| --- | ---: | ---: |"]
        lines += [
            f"| {one} | {count:,} | {count / self.steps.total():.1%} |" for one, count in self.steps.most_common()
        ]
        lines += [
            "",
            f"| first wrong step | solutions | {' | '.join(_WHERE)} |",
            "| --- |" + " ---: |" * (1 + len(_WHERE)),
        ]
        for name, counts in self.first_wrong.items():
            shares = [f"{counts[one]} ({counts[one] / counts['solutions']:.0%})" for one in _WHERE[:2]]
            cells = [str(counts["solutions"]), *shares, *(str(counts[one]) for one in _WHERE[2:])]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        return "\n".join(lines)


def measure(labels: str | Path, data: str | Path, scorer: Scorer) -> Solutions:
    """Judge all solutions of a file, and compare with it and with the labels.

    Raises:
        InputError: a malformed row; a label of a solution that is not in the file, or was another one; or of a step
            that the fragmenter does not find.
    """
    labels, data = Path(labels), Path(data)
    problems = [row for _, row in iter_json(data)]
    judged: dict[tuple[int, str], list[Fragment]] = {}
    agreed, steps = 0, Counter[str]()
    for problem, row in enumerate(problems):
        reference = {"answer": row.get("ground_truth"), "question": row.get("question", "")}
        for model, said in _solutions(row, data, problem).items():
            fragments = scorer.judge(said["solution"], reference, prompt=user(reference["question"]))
            judged[problem, model] = fragments
            answers = [one.label for one in fragments if one.kind == "answer"]
            agreed += (answers[-1:] == ["correct"]) == said["is_correct"]
            if said["is_correct"]:
                steps.update(one.label or "failed" for one in fragments if one.kind == "step")
    found: dict[str, Counter[str]] = {}
    for line, label in iter_json(labels):
        fragments = _labelled(label, problems, judged, labels, line)
        where = _compared(label, fragments, labels, line)
        for name in (label["half"], "all", label["model"]):
            found.setdefault(name, Counter()).update(["solutions", *where])
    order = sorted(found, key=lambda name: (name in problems[0], name == "all"))
    return Solutions(len(judged), agreed, steps, {name: found[name] for name in order})


def _solutions(row: Json, data: Path, problem: int) -> dict[str, Any]:
    if not isinstance(row.get("ground_truth"), str):
        raise InputError("expected a reference solution", path=data, row=problem + 1, field="ground_truth")
    found = {
        name: one for name, one in row.items() if isinstance(one, dict) and {"solution", "is_correct"} <= one.keys()
    }
    for name, one in found.items():
        if not (isinstance(one["solution"], str) and isinstance(one["is_correct"], bool)):
            raise InputError("expected a text and true or false", path=data, row=problem + 1, field=name)
    return found


def _labelled(
    label: Json, problems: Sequence[Json], judged: Mapping[tuple[int, str], list[Fragment]], path: Path, row: int
) -> list[Fragment]:
    for field, kind in _LABEL.items():
        if field not in label:
            raise InputError("expected this field, found none", path=path, row=row, field=field)
        if not isinstance(label[field], kind) or isinstance(label[field], bool):
            expected = "a whole number" if kind is int else "text"
            raise InputError(f"expected {expected}, found {shown(label[field])}", path=path, row=row, field=field)
    fragments = judged.get((label["problem"], label["model"]))
    if fragments is None:
        raise InputError("the data hold no such solution", path=path, row=row, field="problem")
    text = problems[label["problem"]][label["model"]]["solution"]
    if hashlib.sha256(text.encode()).hexdigest()[:16] != label["solution_sha"]:
        raise InputError(
            "the data hold another solution than the one labelled", path=path, row=row, field="solution_sha"
        )
    return fragments


def _compared(label: Json, fragments: Sequence[Fragment], path: Path, row: int) -> list[str]:
    """Where the first step called wrong stands, beside the labelled one."""
    spans = [(one.start, one.end) for one in fragments]
    if (label["start"], label["end"]) not in spans:
        raise InputError("the fragmenter finds no step at these offsets", path=path, row=row, field="start")
    by_hand = spans.index((label["start"], label["end"]))
    wrong = next((index for index, one in enumerate(fragments) if one.label == "incorrect"), None)
    # Where nothing is called wrong, the error is found too late: never.
    where = "too late" if wrong is None or wrong > by_hand else "too early" if wrong < by_hand else "same step"
    near = wrong is not None and abs(wrong - by_hand) <= 1
    return [where, *(["at most one step away"] if near else [])]
