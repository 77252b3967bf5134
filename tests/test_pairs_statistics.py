"""Counting pairs, and keeping prompts apart."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from rlhalt.contamination import prompts_seen, refuse_leakage, trained_on
from rlhalt.errors import InputError
from rlhalt.records import Prompt
from rlhalt.training_data.statistics import shares, summary
from rlhalt.training_data.styles import pairs, targets


def test_shares_are_those_of_pairs_with_the_phrase_of_the_domain(scored_row):
    # Where the rejected side is the phrase itself, no pair is left.
    rows = [scored_row(["Je ne sais pas."], "-")]
    assert shares(rows, 0.5, "remove").pairs == 1
    assert shares(rows, 0.5, "remove", "Je ne sais pas.").pairs == 0


def test_shares_count_what_is_made_and_what_is_not(scored_row):
    rows = [scored_row(["A.", "B.", "C."], "++-"), scored_row(["D."], "?"), scored_row(["E."], "!")]
    found = shares(rows, 0.8, "remove")
    assert (found.responses, found.failed, found.silent) == (3, 1, 1)
    assert found.halting == (1, pytest.approx(0.8))
    assert found.speaking == (2, pytest.approx(0.4))
    assert (found.pairs, found.halting_share) == (3, pytest.approx(1 / 3))
    assert found.halting_weight == pytest.approx(0.8 / 1.2)
    nothing = shares(rows[1:], 0.8, "flip")
    assert nothing.pairs == 0
    assert math.isnan(nothing.halting_share)
    assert math.isnan(nothing.halting_weight)
    told = summary(pairs(rows, 0.8, "remove"))
    assert told == "3 pairs of 1 responses, 33% prefer to halt, with 67% of the weight"
    assert summary([]).startswith("no pairs")


class TestLeakage:
    @pytest.fixture
    def trained(self, scored_row, tmp_path):
        """An SFT model, and a DPO model trained on from it, with the prompts each has seen."""
        sft = targets([scored_row(["A."], "+")], "remove")
        other = dataclasses.replace(scored_row(["B."], "+"), prompt=[{"role": "user", "content": "Facts about B?"}])
        dpo = pairs([other], 0.5, "remove")
        for name, rows, start in [("sft", sft, "smollm2-135m-instruct"), ("dpo", dpo, str(tmp_path / "sft"))]:
            (tmp_path / name).mkdir()
            record = {"prompts": prompts_seen(rows), "parameters": {"model_name_or_path": start}}
            (tmp_path / name / "run.json").write_text(json.dumps(record))
        return tmp_path

    def prompt(self, text: str) -> Prompt:
        return Prompt("k", [{"role": "user", "content": text}], {}, "another domain", "heldout")

    def test_a_prompt_that_was_trained_on_is_refused(self, trained):
        asked = self.prompt("Facts  about B?\n")
        with pytest.raises(InputError, match=r"found 1 that it was, first 'Facts {2}about B\?.*key k"):
            refuse_leakage(trained / "dpo", [self.prompt("Facts about C?"), asked])
        refuse_leakage(trained / "sft", [asked])

    def test_so_is_one_that_the_model_before_it_was_trained_on(self, trained):
        with pytest.raises(InputError, match="State five facts about A"):
            refuse_leakage(trained / "dpo", [self.prompt("State five facts about A.")])

    def test_models_that_were_not_trained_here_have_seen_nothing(self, trained, tmp_path):
        refuse_leakage("smollm2-135m-instruct", [self.prompt("Facts about B?")])
        assert trained_on(tmp_path / "none") == set()
        itself = {"prompts": ["p"], "parameters": {"model_name_or_path": str(trained / "sft")}}
        (trained / "sft" / "run.json").write_text(json.dumps(itself))
        assert trained_on(trained / "sft") == {"p"}
        (trained / "sft" / "run.json").write_text("{}")
        assert len(trained_on(trained / "dpo")) == 1
