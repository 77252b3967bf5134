"""The agreement of a model's own samples, as a confidence of the cut."""

from __future__ import annotations

import dataclasses

import pytest

from rlhalt.cut import agreement
from rlhalt.cut.agreement import SAMPLES, sampled_agreement
from rlhalt.domains import load_domain
from rlhalt.sampling import Completion


class Engine:
    """Says in turn what it was given."""

    def __init__(self, said: list[str]) -> None:
        self.said, self.asked = said, []

    def complete(self, chats, *, temperature, max_tokens, seed):
        self.asked.append((len(chats), temperature, max_tokens, seed))
        texts, self.said = self.said[: len(chats)], self.said[len(chats) :]
        return [Completion(text, 9, "stop") for text in texts]


@pytest.fixture
def engine(monkeypatch):
    def make(said):
        made = Engine(said)
        monkeypatch.setattr(agreement, "load_engine", lambda *_: made)
        return made

    return make


def test_the_share_of_the_samples_that_take_sides(scored_row, engine):
    row = scored_row(["The capital of Norway is Oslo.", "Norway is in Europe.", "Norway borders Sweden."], "+++")
    oslo, bergen = "The capital of Norway is Oslo. Norway is in Europe.", "The capital of Norway is Bergen."
    engine([oslo, oslo, oslo, bergen, bergen])
    [found] = sampled_agreement("m", [row], load_domain("countries").splitter())
    assert found == pytest.approx([3 / 5, 1.0, 0.5])


def test_each_response_has_samples_of_its_own_prompt(scored_row, engine):
    first = scored_row(["Norway is in Europe."], "+")
    second = dataclasses.replace(first, key="b", prompt_key="b", prompt=[{"role": "user", "content": "Again?"}])
    drawn = engine(["Norway is in Europe."] * SAMPLES + ["Norway is in Asia."] * SAMPLES)
    found = sampled_agreement("m", [first, second], load_domain("countries").splitter(), max_tokens=40)
    assert found == [[1.0], [0.0]]
    assert [one[:3] for one in drawn.asked] == [(2 * SAMPLES, 0.7, 40)]


def test_the_same_rows_draw_the_same(scored_row, engine):
    row = scored_row(["Norway is in Europe."], "+")
    seeds = []
    for _ in range(2):
        drawn = engine(["Norway is in Europe."] * SAMPLES)
        sampled_agreement("m", [row], load_domain("countries").splitter())
        seeds.append([one[3] for one in drawn.asked])
    assert seeds[0] == seeds[1]
