"""Right and wrong facts by relation: what a gain is made of, where the verdicts tell which relation a fact is about.

A table's verifier (`rlhalt.verifiers.knowledge`) begins its evidence with the relation: `capital: Nairobi`,
`capital: Mombasa is not Nairobi`, `denies region: East Africa`. Other verifiers name none, and neither do causal
domains, whose steps are no facts.
"""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict

import numpy as np

from rlhalt.evaluation.bootstrap import Estimate, Floats, estimate, ratio
from rlhalt.evaluation.design import Design, Model
from rlhalt.records import Fragment

_RELATION = re.compile(r"(?:denies )?([^:;]+): ")


@dataclasses.dataclass(frozen=True)
class RelationCounts:
    """How many facts of one relation a response of a model states, on average over prompts and seeds."""

    model: str
    decoding: str
    relation: str
    right: Estimate
    wrong: Estimate


def relation(fragment: Fragment) -> str | None:
    """The relation that a right or wrong fragment is about; None where its verdict does not tell.

    >>> relation(Fragment(0, 3, "sentence", "...", "incorrect", verifier="knowledge/3", evidence="capital: x is not y"))
    'capital'
    """
    if not (fragment.verifier or "").startswith("knowledge/") or fragment.label not in ("correct", "incorrect"):
        return None
    found = _RELATION.match(fragment.evidence or "")
    return found[1] if found else None


def by_relation(design: Design) -> list[RelationCounts]:
    """Every relation of every model under every decoding, the one with most right facts of base first; facts as they
    count (`rlhalt.rewards.counted`): those beyond the number that the prompt asks for are in none.
    """
    if design.halting == "causal":
        return []
    found = [
        one for decoding in design.decodings for model in design.models for one in _of_model(design, model, decoding)
    ]
    names = dict.fromkeys(
        one.relation for one in sorted(found, key=lambda one: (one.model != design.base.label, -(one.right.value or 0)))
    )
    order = {name: place for place, name in enumerate(names)}
    return sorted(found, key=lambda one: (design.decodings.index(one.decoding), order[one.relation]))


def _of_model(design: Design, model: Model, decoding: str) -> list[RelationCounts]:
    keys = design.prompts[decoding]
    position = {key: place for place, key in enumerate(keys)}
    size = len(keys) * len(model.evaluations)
    said: dict[str, dict[str, Floats]] = defaultdict(lambda: {"correct": np.zeros(size), "incorrect": np.zeros(size)})
    responses = np.zeros(size)
    for place, one in enumerate(model.evaluations):
        for row in one.rows(decoding):
            cell = place * len(keys) + position[row.prompt_key]
            responses[cell] += 1
            for fragment, label in zip(row.fragments, one.labels[row.key], strict=True):
                name = relation(fragment)
                if name is not None and label in ("correct", "incorrect"):
                    said[name][label][cell] += 1
    weights, prompts = design.weights(model, len(keys)), np.ones(size)
    return [
        RelationCounts(
            model.label,
            decoding,
            name,
            *(estimate(ratio(weights, its[label] / responses, prompts)) for label in ("correct", "incorrect")),
        )
        for name, its in said.items()
    ]
