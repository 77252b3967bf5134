"""A table that is trained online finds the holes in the reward, and does not where they have a price."""

from __future__ import annotations

from benchmarks import grpo_prices as prices


def test_sentences_are_what_they_are_meant_to_be():
    labels = [one.label for one in prices.sentences()]
    assert labels == ["correct"] * (len(labels) - 7) + ["incorrect"] * 4 + ["unverifiable"] * 3
    assert len(labels) == 24


def test_with_every_price_responses_end_and_say_nothing_twice():
    first, *_, last = prices.ways(0.1).values()
    before, after = (prices.train(one, steps=60) for one in (first, last))
    assert before["cut off"] > 0.5
    assert before["sentences"] > 10
    assert after["cut off"] < 0.01
    assert after["sentences"] < 7
    assert after["repeated"] < 1 < before["repeated"]
    assert after["vague"] < before["vague"]
