"""The examples in docstrings (`>>>`) print what they show, and the functions that are used most have one."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType

import pytest

import rlhalt

SOURCE = Path(rlhalt.__file__).parent
# What a user calls first; the reference shows it with its example.
MOST_USED = (
    "cut.decision.kept",
    "cut.probability.fitted",
    "domains.domain.read_domain",
    "evaluation.bootstrap.estimate",
    "evaluation.bootstrap.ratio",
    "evaluation.bootstrap.weights",
    "evaluation.calibration.brier",
    "evaluation.calibration.ece",
    "evaluation.longform.f1_at",
    "evaluation.longform.factscore",
    "evaluation.metrics.f1",
    "evaluation.metrics.utility",
    "evaluation.selective_prediction.auroc",
    "evaluation.significance.holm",
    "evaluation.significance.wilcoxon",
    "fragments.code.code",
    "fragments.halting_phrase.is_halt",
    "fragments.sentences.sentences",
    "fragments.steps.steps",
    "fragments.thinking.split",
    "reference.n_asked",
    "rewards.counted",
    "rewards.fragment_reward",
    "rewards.fragment_rewards",
    "rewards.response_reward",
    "chat.threshold_prompt.with_threshold",
    "training.fragment_grpo.advantages.advantages",
    "training.fragment_grpo.advantages.earned",
    "training_data.pieces.compose",
    "training_data.styles.pairs",
    "training_data.styles.targets",
    "training_data.targets.methods.supervised",
    "uncertainty.conformal.threshold",
    "uncertainty.nli.lexical",
)


def with_examples() -> list[str]:
    """The modules that have an example; only these are imported."""
    return sorted(
        one.name
        for one in pkgutil.walk_packages([str(SOURCE)], "rlhalt.")
        if ">>> " in _source(one.name).read_text(encoding="utf-8")
    )


def _source(module: str) -> Path:
    path = SOURCE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def examples(module: ModuleType) -> list[doctest.DocTest]:
    return [one for one in doctest.DocTestFinder().find(module) if one.examples]


@pytest.mark.parametrize("name", with_examples())
def test_examples_print_what_they_show(name):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner()
    said: list[str] = []
    for one in examples(module):
        runner.run(one, out=said.append)
    assert runner.failures == 0, "".join(said)
    assert runner.tries > 0


@pytest.mark.parametrize("name", MOST_USED)
def test_what_is_used_most_has_an_example_and_is_in_the_reference(name):
    module, _, function = f"rlhalt.{name}".rpartition(".")
    found = getattr(importlib.import_module(module), function)
    assert re.search(r"^ *>>> ", found.__doc__, re.MULTILINE)
    pages = "".join(one.read_text(encoding="utf-8") for one in (SOURCE.parents[1] / "docs" / "reference").glob("*.md"))
    listed = f"::: {module}.{function}\n" in pages
    assert listed or re.search(rf"::: {re.escape(module)}\n(?:    .*\n)*?.*members:.*\b{function}\b", pages)
