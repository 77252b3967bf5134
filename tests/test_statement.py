"""Two fragments state the same fact: one answer, for rewards, agreement and the comparison of words alike."""

from __future__ import annotations

import dataclasses

import pytest

from rlhalt.credit import counted
from rlhalt.pairs.odds import agreement
from rlhalt.records import Fragment, Scored, content_key
from rlhalt.statement import statement
from rlhalt.verifiers.entailment import lexical


def fragment(text: str) -> Fragment:
    return Fragment(0, len(text), "sentence", text, "correct")


SAME = [
    ("Peru is in South America.", "PERU is in South America!"),
    ("Peru is in South America.", "Peru is in  South\u200bAmerica".replace("\u200b", " ")),
    ("Peru is in South America.", "Pe\u200bru is in South America."),
    ("Peru is in South America.", "**Peru** is in _South America_."),
    ("Peru is in South America.", "Peru is in South America \U0001f600"),
    ("Peru is in South America.", "P\u0332eru is in South America."),
    ("The capital of Peru is Lima.", "Capital of Peru is Lima."),
    ("The area is 1,285,216 km².", "The area is 1285216 km2."),
    ("It has 3.5 million people.", "It has **3.5** million people."),
    ("Peru's capital is Lima.", "Peru\u2019s capital is \u201cLima\u201d."),
    ("The capital is Brasília.", "The capital is Brasilia."),
    ("The code is ＰＥ.", "The code is PE."),
]
OTHER = [
    ("The capital is Lima.", "The capital is Quito."),
    ("The low is 5 degrees.", "The low is -5 degrees."),
    ("The low is 5 degrees.", "The low is \u22125 degrees."),  # a minus sign
    ("It has 3.5 million people.", "It has 35 million people."),
    ("It has 1,200 islands.", "It has 1,300 islands."),
    ("Peru borders Chile.", "Chile borders Peru."),
    ("\u0627\u0644\u0639\u0627\u0635\u0645\u0629 \u0644\u064a\u0645\u0627", "\u0644\u064a\u0645\u0627"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_fact_everywhere(one, other, scored_row):
    assert statement(fragment(one)) == statement(fragment(other))
    assert counted([fragment(one), fragment(other)], "independent") == ["correct", "unverifiable"]
    assert lexical([(one, other), (other, one)]) == ["entailment", "entailment"]
    rows = [row(scored_row, one), row(scored_row, other)]
    assert agreement(rows) == [[1.0], [1.0]]


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another_fact_everywhere(one, other, scored_row):
    assert statement(fragment(one)) != statement(fragment(other))
    assert counted([fragment(one), fragment(other)], "independent") == ["correct", "correct"]
    assert agreement([row(scored_row, one), row(scored_row, other)]) == [[0.5], [0.5]]


def row(scored_row, text: str) -> Scored:
    return dataclasses.replace(scored_row([text], "+"), key=content_key(text))
