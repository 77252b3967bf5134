"""The rule of the cut says what the pieces of training pairs say, but for white space before the first fragment."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlhalt.cut.decision import Cut, kept
from rlhalt.fragments.stated_confidence import SURE, UNSURE, percent
from rlhalt.records import HALT_PHRASE
from rlhalt.training_data.pieces import compose, halted

same_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)


@same_fixture
@given(
    values=st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=6),
    between=st.sampled_from([" ", "\n", "\n\n2. ", "", " - "]),
    around=st.tuples(st.sampled_from(["", " ", "1. "]), st.sampled_from(["", "\n", "```\n"])),
    halting=st.sampled_from(["independent", "causal"]),
    threshold=st.floats(0.01, 0.99),
)
def test_pieces_make_the_text_that_a_pair_would_have(scored_row, values, between, around, halting, threshold):
    texts = [f"Fact {number}." for number in range(len(values))]
    row = scored_row(texts, "?" * len(values), between=between)
    before, after = around
    row = dataclasses.replace(
        row,
        response=before + row.response + after,
        fragments=[
            dataclasses.replace(one, start=one.start + len(before), end=one.end + len(before), label=None)
            for one in row.fragments
        ],
    )
    numbers = kept(row.fragments, values, threshold, halting)
    cut = Cut(threshold, halting, HALT_PHRASE)
    pieces = [cut.take(row.response, *one) for one in zip(row.fragments, values, strict=True)]
    text = "".join(one.text(row.response) for one in [*pieces, cut.end(row.response)])
    assert (cut.n_said, cut.n_said + cut.n_left_out) == (len(numbers), len(values))
    if len(numbers) == len(values):
        assert text == row.response
    elif halting == "causal":
        assert text.lstrip() == "".join(halted(row, len(numbers), HALT_PHRASE)).lstrip()
    else:
        assert text.lstrip() == (compose(row.response, row.fragments, numbers).lstrip() or HALT_PHRASE)


@pytest.mark.parametrize(
    ("halting", "values", "said"),
    [
        ("independent", (0.9, 0.9, 0.1, 0.4, 0.9, 0.8, 0.1), f"A. {SURE} C. {UNSURE}"),
        ("independent", (0.9, 0.1, 0.9, 0.9, 0.9, 0.8, 0.1), f"B. {UNSURE} C. {UNSURE}"),
        ("independent", (0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.9), HALT_PHRASE),
        ("causal", (0.1, 0.9, 0.1, 0.1, 0.9, 0.8, 0.1), f"A. {SURE} {HALT_PHRASE}"),
        ("causal", (0.9, 0.1, 0.9, 0.9, 0.9, 0.8, 0.9), HALT_PHRASE),
    ],
)
def test_a_stated_confidence_goes_with_the_fragment_before_it(scored_row, halting, values, said):
    row = scored_row([percent(60), "A.", SURE, "B.", UNSURE, "C.", UNSURE], "???????")
    fragments = [dataclasses.replace(one, label=None) for one in row.fragments]
    cut = Cut(0.5, halting, HALT_PHRASE)
    pieces = [cut.take(row.response, *one) for one in zip(fragments, values, strict=True)]
    text = "".join(one.text(row.response) for one in [*pieces, cut.end(row.response)])
    assert text == said
    assert cut.n_said == len(kept(fragments, values, 0.5, halting))
