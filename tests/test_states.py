"""benchmarks/states: the retro-holdout of countries, a domain of one's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rlhalt.domains import load_domain

FOLDER = Path(__file__).parents[1] / "benchmarks" / "states"
DOMAIN = load_domain(str(FOLDER))
SCORER = DOMAIN.scorer()


def judged(subject: str, text: str) -> list[str]:
    return [one.label for one in SCORER.judge(text, {"subject": subject, "n_asked": 5})]


def test_every_prompt_is_held_out_and_asks_as_countries_are_asked():
    rows = DOMAIN.prompts()
    assert len(rows) == 47
    assert {row.split for row in rows} == {"heldout"}
    assert {row.prompt[0]["content"] for row in rows} >= {"State five facts about Ohio."}
    # A country, a city, and another city.
    assert not {row.reference["subject"] for row in rows} & {"Georgia", "New York", "Washington"}
    shown = {one["content"] for one in load_domain("countries").few_shot()}
    assert {one["content"] for one in DOMAIN.few_shot()} == shown


@pytest.mark.parametrize(
    ("subject", "text", "label"),
    [
        ("Ohio", "Ohio is in the Midwest.", "correct"),
        ("Ohio", "Ohio is located in the Midwestern region of the United States.", "correct"),
        ("Ohio", "Ohio is in the Southern United States.", "incorrect"),
        ("Ohio", "Ohio is in South America.", "incorrect"),
        ("Ohio", "The capital of Ohio is Columbus.", "correct"),
        ("Ohio", "The capital of Ohio is Cleveland.", "incorrect"),
        ("Ohio", "Ohio borders Kentucky.", "correct"),
        ("Ohio", "Ohio borders Illinois.", "incorrect"),
        ("Ohio", "Ohio borders Lake Erie.", "unverifiable"),
        ("Ohio", "Ohio borders Canada.", "unverifiable"),  # in the lake
        ("Ohio", "The official language of Ohio is English.", "unverifiable"),  # by federal order alone
        ("Florida", "The official language of Florida is English.", "correct"),
        ("Ohio", "The currency of Ohio is the US dollar.", "correct"),
        ("Ohio", "The currency of Ohio is the euro.", "incorrect"),
        ("Ohio", "Ohio has a population of about 12 million.", "correct"),
        ("Ohio", "Ohio has a population of about 3 million.", "incorrect"),
        ("Michigan", "Michigan covers 96,700 square miles.", "correct"),
        ("Michigan", "Michigan has an area of 147,000 square kilometers.", "correct"),  # without its water
        ("Michigan", "Michigan has an area of 400,000 square kilometers.", "incorrect"),
        ("Minnesota", "The capital of Minnesota is St. Paul.", "correct"),
        ("Nebraska", "Nebraska is a landlocked state.", "correct"),
        ("Florida", "Florida is a landlocked state.", "incorrect"),
        ("Oregon", "Oregon is a state in the Pacific Northwest region of the United States.", "correct"),
        ("Texas", "Texas borders Mexico.", "correct"),
        ("Kansas", "Kansas borders Mexico.", "incorrect"),
        ("Hawaii", "The official language of Hawaii is Hawaiian.", "correct"),
        ("South Dakota", "The official language of South Dakota is Dakota.", "correct"),
        ("North Dakota", "The official language of North Dakota is Dakota.", "incorrect"),
        ("Louisiana", "The official language of Louisiana is French.", "unverifiable"),
        ("Florida", "The official language of Florida is Spanish.", "incorrect"),
        ("Mississippi", "Mississippi is in the South America.", "incorrect"),
        ("Utah", "Utah is in the American West.", "correct"),
        ("Kentucky", "The currency of Kentucky is the Kentucky Dollar.", "incorrect"),
        ("Ohio", "Ohio is known as the Buckeye State.", "unverifiable"),
    ],
)
def test_sentences(subject, text, label):
    assert judged(subject, text) == [label]


def test_borders_are_symmetric():
    data = sys.modules[type(DOMAIN.code).__module__]
    near = {row[:2]: row.split("|")[4].split() for row in data.STATES.strip().splitlines()}
    assert len(near) == 50
    assert {(one, other) for one in near for other in near[one] if other in near and one not in near[other]} == set()
    codes = {one for codes in data.REGIONS.values() if codes != "*" for one in codes.split()}
    assert codes <= set(near)
    assert set(data.ENGLISH_NOT_OFFICIAL.split()) | set(data.COASTAL.split()) <= set(near)
