"""The parts of lm-polygraph that ours are compared with, without what the package imports around them.

`import lm_polygraph` wants thirty packages (bitsandbytes, spacy, ...), its estimators want NumPy.
So estimators and calculators are loaded from its wheel as they are, and only what they import for type hints, logging
and loading models is stood in for. The wheel comes by `pip install --no-deps lm-polygraph==0.7.0`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.util
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@dataclasses.dataclass
class Claim:
    """Its `Claim`, the two fields that are read."""

    claim_text: str
    aligned_token_ids: list[int]


@contextlib.contextmanager
def published() -> Iterator[types.SimpleNamespace]:
    """Its estimators `Conditioned` and `Frequency`, its module `calculators`, and `Claim`; else the test is skipped."""
    found = importlib.util.find_spec("lm_polygraph")
    if found is None or found.origin is None:
        pytest.skip("lm-polygraph is not installed: pip install --no-deps lm-polygraph==0.7.0")
    root = Path(found.origin).parent
    kept = _loaded()

    def stand_in(name: str, folder: str | None = None, **contents: Any) -> None:
        one = types.ModuleType(name)
        vars(one).update(contents)
        one.__path__ = [str(root / folder)] if folder is not None else []
        sys.modules[name] = one

    try:
        stand_in("lm_polygraph", "")
        for folder in ("estimators", "estimators/claim", "stat_calculators", "utils"):
            stand_in(f"lm_polygraph.{folder.replace('/', '.')}", folder)
        stand_in("lm_polygraph.utils.common", polygraph_module_init=lambda function: function)
        stand_in("lm_polygraph.utils.model", Model=object, WhiteboxModel=object)
        stand_in("lm_polygraph.utils.deberta", Deberta=object)
        stand_in("lm_polygraph.stat_calculators.extract_claims", Claim=Claim)
        stand_in("nltk")
        stand_in("nltk.corpus", stopwords=None)
        claim = importlib.import_module("lm_polygraph.estimators.claim.claim_conditioned_probability")
        frequency = importlib.import_module("lm_polygraph.estimators.claim.frequency_scoring")
        yield types.SimpleNamespace(
            Claim=Claim,
            Conditioned=claim.ClaimConditionedProbabilityClaim,
            Frequency=frequency.FrequencyScoringClaim,
            calculators=importlib.import_module("lm_polygraph.stat_calculators.greedy_alternatives_nli"),
        )
    finally:
        for name in _loaded():
            del sys.modules[name]
        sys.modules.update(kept)


def _loaded() -> dict[str, types.ModuleType]:
    return {name: one for name, one in sys.modules.items() if name.split(".")[0] in ("lm_polygraph", "nltk")}
