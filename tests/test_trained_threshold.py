"""The threshold goes from the training rows into run.json, and an evaluation reads it back."""

import json

import pytest

from rlhalt.errors import InputError
from rlhalt.models.trained_threshold import checked_threshold, thresholds_of
from rlhalt.training_data import pairs


@pytest.fixture
def model(tmp_path):
    def make(**record):
        (tmp_path / "run.json").write_text(json.dumps(record))
        return tmp_path

    return make


def test_pairs_carry_the_threshold_they_were_made_at(scored_row):
    made = list(pairs([scored_row(["A is B.", "C is D."], "+-")], 0.8, "remove"))
    assert thresholds_of(made) == [0.8]
    assert thresholds_of([]) == []


@pytest.mark.parametrize("given", [None, 0.5])
def test_the_models_own_threshold_is_taken(model, given):
    assert checked_threshold(model(thresholds=[0.5]), given) == 0.5


def test_another_threshold_is_refused(model):
    with pytest.raises(InputError, match=r"trained at, 0\.5, found 0\.8"):
        checked_threshold(model(thresholds=[0.5]), 0.8)


def test_a_model_of_many_thresholds_needs_one_in_its_prompt(model):
    with pytest.raises(InputError, match="--threshold-in-prompt"):
        checked_threshold(model(thresholds=[0.2, 0.9]), 0.2)


@pytest.mark.parametrize("given", [None, 0.3])
def test_a_model_without_a_threshold_is_shown_at_what_the_user_says(model, tmp_path, given):
    assert checked_threshold(model(prompts=[]), given) == given
    assert checked_threshold(tmp_path / "missing", given) == given
