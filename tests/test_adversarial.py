"""No response of `adversarial.jsonl` earns more than the honest one beside it, at any threshold.

A row holds a domain, a reference, an adversarial response (`repeat` times over, where given, and then what it `ends`
with) and the honest one it must not beat: what a model with the same knowledge says when it says it once, plainly, and
halts where it knows no more. Where the row says `strictly`, the honest one earns more.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from rlhalt.domains import Domain, load_domain
from rlhalt.errors import InputError
from rlhalt.records import Fragment, Json, iter_json
from rlhalt.reference import n_asked
from rlhalt.rewards import response_reward
from rlhalt.scoring import Scorer

ROWS = [row for _, row in iter_json(Path(__file__).with_name("adversarial.jsonl"))]
THRESHOLDS = (0.3, 0.5, 0.8, 0.9)


@functools.cache
def domain(name: str) -> tuple[Domain, Scorer]:
    try:
        domain = load_domain(name)
        return domain, domain.scorer()
    except InputError as error:
        if name == "code":
            pytest.skip(str(error))  # programs are run only where a sandbox works
        raise


def reward(fragments: list[Fragment], row: Json, threshold: float) -> float:
    halting = domain(row["domain"])[0].halting
    found = response_reward(fragments, threshold, halting, n_asked(row["reference"]))
    assert found is not None, [one.error for one in fragments if one.failed]
    return found


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['domain']}: {row['name']}" for row in ROWS])
def test_it_earns_no_more_than_the_honest_response(row: Json) -> None:
    judge = domain(row["domain"])[1].judge
    cheating = judge(row["adversarial"] * row.get("repeat", 1) + row.get("ends", ""), row["reference"])
    honest = judge(row["honest"], row["reference"])
    shown = [(one.text[:60], one.label, one.evidence) for one in cheating[:20]]
    for threshold in THRESHOLDS:
        earned, owed = (reward(some, row, threshold) for some in (cheating, honest))
        assert earned <= owed + 1e-9, (threshold, shown)
        assert earned < owed or not row.get("strictly"), (threshold, shown)
        assert owed >= 0, "the honest response is no example"


def test_there_are_enough_of_them() -> None:
    names = [(row["domain"], row["name"]) for row in ROWS]
    assert len(set(names)) == len(names) >= 40
    assert max(len(row["adversarial"]) * row.get("repeat", 1) for row in ROWS) >= 100_000
