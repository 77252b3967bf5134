from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from judge_server import PATIENT
from rlhalt.errors import BudgetExceeded, InputError, TooManyFailures, VerifierFailure
from rlhalt.files.provenance import earlier
from rlhalt.fragments.sentences import sentences
from rlhalt.llm import Budget, Client, Server
from rlhalt.records import Fragment, Json, Response, Scored, content_key, read
from rlhalt.rewards import fragment_reward
from rlhalt.score_file import score_file
from rlhalt.scoring import Scorer
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


def test_rows_split_otherwise_are_judged_anew(tmp_path):
    def whole(text: str) -> list[Fragment]:
        return [Fragment(0, len(text), "text", text)]

    rows = [response("true. true.")]
    score_file(rows, Scorer(sentences, Parrot()), tmp_path / "scored.jsonl")
    score_file(rows, Scorer(whole, Parrot()), tmp_path / "scored.jsonl")
    (one,) = read(tmp_path / "scored.jsonl", Scored)
    assert [fragment.text for fragment in one.fragments] == ["true. true."]


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


def test_several_workers_give_the_same_file_in_the_same_order(tmp_path):
    rows = [response(f"{number} is {number % 3 == 0}.".lower()) for number in range(50)]
    for workers in (1, 8):
        score_file(rows, Scorer(sentences, Parrot(), workers=workers), tmp_path / f"{workers}.jsonl")
    assert (tmp_path / "1.jsonl").read_text() == (tmp_path / "8.jsonl").read_text()
    assert [row.key for row in read(tmp_path / "8.jsonl", Scored)] == [row.key for row in rows]


def test_an_error_in_a_worker_keeps_what_was_done(tmp_path):
    rows = [*(response(f"{number} is true.") for number in range(20)), response("a spent budget.")]
    with pytest.raises(BudgetExceeded):
        score_file(rows, Scorer(sentences, Parrot(), workers=2), tmp_path / "scored.jsonl")
    again = Parrot()
    with pytest.raises(BudgetExceeded):
        score_file(rows, Scorer(sentences, again, workers=2), tmp_path / "scored.jsonl")
    assert len(again.asked) < 10


def test_what_a_verifier_labelled_before_it_is_shown_again():
    class Remembering(Parrot):
        def verify(self, response, fragments, reference):
            self.seen = [one.label for one in fragments]
            return [Verdict(one.label or "correct", "") for one in fragments]

    earlier = Scorer(sentences, Parrot()).judge("half of this is true. And that.", {})
    again = Remembering()
    Scorer(sentences, again).judge("half of this is true. And that.", {}, earlier)
    assert again.seen == ["correct", None]
    another = Remembering()
    another.name = "another/1"
    Scorer(sentences, another).judge("half of this is true. And that.", {}, earlier)
    assert another.seen == [None, None]


def test_a_fragmenter_that_breaks_fails_the_whole_text():
    def broken(text: str) -> list[Fragment]:
        raise VerifierFailure("no split for this one")

    (one,) = Scorer(broken, Parrot()).judge("A text.", {})
    assert (one.text, one.label, one.error) == ("A text.", None, "VerifierFailure: no split for this one")


def test_the_budget_is_written_down_and_changes_without_asking_again(server, tmp_path):
    for asked, budget in ((1, Budget(calls=9)), (0, Budget(calls=20, tokens=5000))):
        parrot = Parrot()
        with Client(Server(server.address, "m"), PATIENT, budget) as client:
            score_file([response("It is true.")], Scorer(sentences, parrot, client=client), tmp_path / "scored.jsonl")
        assert len(parrot.asked) == asked
        assert earlier(tmp_path / "scored.jsonl")["budget"] == dataclasses.asdict(budget)
    score_file([response("It is true.")], Scorer(sentences, Parrot()), tmp_path / "scored.jsonl")
    assert "budget" not in earlier(tmp_path / "scored.jsonl")
