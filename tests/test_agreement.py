from __future__ import annotations

import dataclasses
import math
import random

import pytest

from polygraph import published
from rlhalt.errors import VerifierFailure
from rlhalt.uncertainty.agreement import Agreement, agreements
from rlhalt.uncertainty.nli import RELATIONS, lexical


@pytest.fixture
def responses(scored_row):
    """Four responses to one prompt and one to another."""

    def row(sentences, index, prompt="p"):
        made = scored_row(sentences, "?" * len(sentences))
        return dataclasses.replace(made, key=f"{prompt}{index}", prompt_key=prompt, index=index)

    return [
        row(["The capital of Kenya is Nairobi.", "Kenya has a population of 50 million."], 0),
        row(["The capital of Kenya is the Nairobi.", "Kenya has a population of 12 million."], 1),
        row(["Kenya is in Africa.", "The capital of Kenya is Mombasa."], 2),
        row(["Kenya is known for tea."], 3),
        row(["The capital of Kenya is Nairobi."], 0, prompt="q"),
    ]


def test_samples_for_and_against_are_counted_and_silent_ones_are_neither(responses):
    found = list(agreements(responses, lexical))
    assert found[0] == [Agreement(1, 1, 3), Agreement(0, 1, 3)]
    assert found[2] == [Agreement(0, 0, 3), Agreement(0, 2, 3)]
    assert found[3] == [Agreement(0, 0, 3)]
    # The other prompt's response has nothing to agree with, though it says the same.
    assert found[4] == [Agreement(0, 0, 0)]


def test_a_sample_that_says_both_says_so_too(responses):
    wavering = dataclasses.replace(responses[1], fragments=[*responses[1].fragments, *responses[2].fragments])
    [[capital, _], _] = agreements([responses[0], wavering], lexical)
    assert capital == Agreement(1, 0, 1)


@pytest.mark.parametrize(
    ("counts", "support", "consistency", "contrast", "frequency"),
    [
        ((7, 0, 7), 1, 1, 1, 7),
        ((3, 1, 7), 3 / 7, 6 / 7, 3 / 4, 2),
        ((0, 7, 7), 0, 0, 0, -7),
        ((0, 0, 7), 0, 1, 1 / 2, 0),
    ],
)
def test_the_measures(counts, support, consistency, contrast, frequency):
    found = Agreement(*counts)
    assert found.support == pytest.approx(support)
    assert found.consistency == pytest.approx(consistency)
    assert found.contrast == pytest.approx(contrast)
    assert found.frequency == frequency


def test_without_samples_there_is_no_measure():
    none = Agreement(0, 0, 0)
    assert all(math.isnan(one) for one in (none.support, none.consistency, none.contrast))


def test_what_is_compared(responses):
    """Premises come from the samples, fragments or whole; claims stand for their texts; halts say nothing."""
    asked = []

    def nli(pairs):
        asked.extend(pairs)
        return ["neutral"] * len(pairs)

    one, other = responses[0], responses[3]
    claimed = dataclasses.replace(
        one, fragments=[dataclasses.replace(one.fragments[1], claim="50 million people live in Kenya.")]
    )
    halting = dataclasses.replace(
        other, fragments=[*other.fragments, dataclasses.replace(other.fragments[0], kind="halt", text="Unsure.")]
    )
    list(agreements([claimed, halting], nli))
    tea = "Kenya is known for tea."
    assert (tea, "50 million people live in Kenya.") in asked
    assert ("50 million people live in Kenya.", tea) in asked
    assert not any(premise == "Unsure." for premise, _ in asked)
    asked.clear()
    list(agreements([one, other], nli, whole=True))
    assert asked == [(tea, two.text) for two in one.fragments] + [(one.response, tea)]


def test_a_broken_model_is_no_verdict(responses):
    with pytest.raises(VerifierFailure, match="NLI model"):
        list(agreements(responses, lambda pairs: ["maybe"] * len(pairs)))


@pytest.mark.parametrize("seed", range(10))
def test_the_frequency_is_the_negative_of_lm_polygraphs(seed):
    """Its estimator on the same relations between the same claims and samples."""
    rng = random.Random(seed)
    claims = [f"claim {index}" for index in range(rng.randrange(1, 5))]
    samples = [f"sample {index}" for index in range(rng.randrange(1, 8))]
    answers = {(sample, claim): rng.choice(RELATIONS) for sample in samples for claim in claims}
    short = {"entailment": "entail", "neutral": "neutral", "contradiction": "contra"}
    labelled = [
        [{short[one]: 0.8 if one == answers[sample, claim] else 0.1 for one in RELATIONS} for sample in samples]
        for claim in claims
    ]
    with published() as polygraph:
        [theirs] = polygraph.Frequency()(
            {"claims": [[polygraph.Claim(claim, []) for claim in claims]], "nli_to_sample_texts": [labelled]}
        )
    ours = [
        Agreement(
            sum(answers[sample, claim] == "entailment" for sample in samples),
            sum(answers[sample, claim] == "contradiction" for sample in samples),
            len(samples),
        ).frequency
        for claim in claims
    ]
    assert [-one for one in ours] == theirs
