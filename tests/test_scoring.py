from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from rlhalt.credit import fragment_reward
from rlhalt.errors import BudgetExceeded, InputError, TooManyFailures, VerifierFailure
from rlhalt.fragments.sentences import sentences
from rlhalt.records import Fragment, Json, Response, Scored, content_key, read
from rlhalt.reward import load_specification
from rlhalt.scoring import Scorer, score_file
from rlhalt.verifiers import Verdict


class Parrot:
    """A verifier that says what the text says, and breaks where the text says so."""

    name = "parrot/1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def verify(
        self, response: str, fragments: Sequence[Fragment], reference: Json
    ) -> Sequence[Verdict | VerifierFailure]:
        self.asked.append(response)
        if "break" in response:
            raise ConnectionError("the judge did not answer")
        if "lose" in response:
            return []
        if "spent" in response:
            raise BudgetExceeded("no more calls")
        if "unknown" in response:
            raise InputError("no entry for 'Atlantis'", field="reference")
        if "half" in response:
            return [
                Verdict("correct", "it says so"),
                *[VerifierFailure("no answer for this one")] * (len(fragments) - 1),
            ]
        return [Verdict("correct" if "true" in one.text else "incorrect", "it says so") for one in fragments]


def response(text: str) -> Response:
    asked = [{"role": "user", "content": "State facts."}]
    return Response(content_key(text), "p", 0, asked, text, {"subject": "A"}, "d", "train", "stop", {}, 3)


def test_every_fragment_gets_its_verdict():
    scored = Scorer(sentences, Parrot()).score(response("This is true. This is false."))
    assert [one.label for one in scored.fragments] == ["correct", "incorrect"]
    assert {one.verifier for one in scored.fragments} == {"parrot/1"}


def test_an_empty_response_has_no_fragments_and_asks_nobody():
    parrot = Parrot()
    assert Scorer(sentences, parrot).score(response("  \n")).fragments == []
    assert parrot.asked == []


@pytest.mark.parametrize(("text", "reason"), [("please break. true.", "ConnectionError"), ("lose it. true.", "0")])
def test_a_broken_verifier_is_never_a_verdict(text, reason):
    scored = Scorer(sentences, Parrot()).score(response(text))
    assert scored.failed
    assert [one.label for one in scored.fragments] == [None, None]
    assert all(reason in str(one.error) for one in scored.fragments)


def test_one_fragment_can_fail_by_itself():
    scored = Scorer(sentences, Parrot()).score(response("half of this is true. And that."))
    assert [(one.label, one.error) for one in scored.fragments] == [("correct", None), (None, "no answer for this one")]


def test_a_spent_budget_is_no_failure_of_a_fragment():
    with pytest.raises(BudgetExceeded):
        Scorer(sentences, Parrot()).score(response("a spent budget."))


def test_failed_rows_are_written_stop_the_run_and_are_the_only_ones_done_again(tmp_path):
    rows = [response("true."), response("please break."), response("false.")]
    output = tmp_path / "scored.jsonl"
    with pytest.raises(TooManyFailures, match="1 of 3 fragments failed") as caught:
        score_file(rows, Scorer(sentences, Parrot()), output)
    assert caught.value.exit_code == 3
    assert [row.failed for row in read(output, Scored)] == [False, True, False]

    again = Parrot()
    with pytest.raises(TooManyFailures):
        score_file(rows, Scorer(sentences, again), output)
    assert again.asked == ["please break."]


def test_rows_judged_by_another_verifier_are_judged_anew(tmp_path):
    rows = [response("true.")]
    score_file(rows, Scorer(sentences, Parrot()), tmp_path / "scored.jsonl")
    newer = Parrot()
    newer.name = "parrot/2"
    score_file(rows, Scorer(sentences, newer), tmp_path / "scored.jsonl")
    assert newer.asked == ["true."]


def test_a_reference_without_an_entry_is_the_users_to_mend(tmp_path):
    with pytest.raises(InputError, match=r"no entry for 'Atlantis' \(response 2"):
        score_file([response("true."), response("unknown.")], Scorer(sentences, Parrot()), tmp_path / "scored.jsonl")
    assert not (tmp_path / "scored.jsonl").exists()


@pytest.mark.parametrize(
    ("label", "threshold", "reward"),
    [
        ("correct", 0.8, 0.2),
        ("incorrect", 0.8, -0.8),
        ("halt", 0.8, 0.0),
        ("unverifiable", 0.8, 0.0),
        (None, 0.8, None),
        ("correct", 0.3, 0.7),
        ("incorrect", 0.3, -0.3),
    ],
)
def test_fragment_rewards(label, threshold, reward):
    assert fragment_reward(label, threshold) == pytest.approx(reward)


def test_the_built_in_specification_judges():
    scorer = load_specification("countries").scorer()
    row = dataclasses.replace(response("Kenya is in Africa. Its capital is Oslo."), reference={"subject": "Kenya"})
    assert [one.label for one in scorer.score(row).fragments] == ["correct", "incorrect"]


def test_the_maths_specification_judges():
    scorer = load_specification("maths").scorer()
    gold = "He sold 48/2 = <<48/2=24>>24 clips in May.\nHe sold 48+24 = <<48+24=72>>72 in all.\n#### 72"
    row = dataclasses.replace(
        response("He sold 48/2 = 24 clips in May.\nHe sold 48+24 = 74 in all.\n#### 74"), reference={"answer": gold}
    )
    assert [one.label for one in scorer.score(row).fragments] == ["correct", "incorrect", "incorrect"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("threshold: 0.5", "threshold: 1.5"),
        ("table: countries", "table: planets"),
        ("fragmenter: sentences", "fragmenter: words"),
        ("halting: independent", "haltng: independent"),
        ("max_failure_rate: 0.02", "max_failure_rate: much"),
        ("domain: countries", "domain: [unclosed"),
    ],
)
def test_a_wrong_specification_is_one_line_naming_the_key(tmp_path, change, says):
    from rlhalt.reward import _FOLDERS

    text = (_FOLDERS[0] / "countries" / "reward.yaml").read_text(encoding="utf-8")
    (tmp_path / "reward.yaml").write_text(text.replace(change, says), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_specification(tmp_path)
    assert "\n" not in str(caught.value)
    assert says.split(":")[0] in str(caught.value) or "YAML" in str(caught.value)


def test_an_unknown_domain_lists_the_known_ones():
    with pytest.raises(InputError, match="countries"):
        load_specification("astrology")
