"""The reward function: by itself, under a slow and under a broken judge, and its alarms."""

from __future__ import annotations

import asyncio
import json

import pytest

from rlhalt.domains import load_domain
from rlhalt.errors import BudgetExceeded, InputError, TooManyFailures, VerifierFailure
from rlhalt.fragments.sentences import sentences
from rlhalt.llm import Budget, Client, Limits, Server
from rlhalt.records import Fragment
from rlhalt.rewards import response_reward
from rlhalt.scoring import Scorer
from rlhalt.training.fragment_grpo import callbacks
from rlhalt.training.fragment_grpo.advantages import Pay
from rlhalt.training.fragment_grpo.reward import FragmentReward, measures
from rlhalt.verifiers import Verdict


class Broken:
    name = "broken/1"

    def verify(self, response, fragments, reference):
        return [
            VerifierFailure("no answer") if "broke" in one.text else Verdict("correct", "", None) for one in fragments
        ]


def chat(text):
    return [{"role": "assistant", "content": text}]


def reward(threshold=0.5, domain="countries", client=None):
    scorer = load_domain(domain).scorer(client)
    return FragmentReward(scorer, Pay(threshold, scorer.halting))


def run(one, *args, **named):
    return asyncio.run(one(*args, **named))


@pytest.mark.parametrize("begun", [False, True])
def test_responses_earn_what_credit_says_begun_before_or_not(begun):
    one = reward(0.2)
    texts = ["Norway is in Europe. Its capital is Rome.", "Unsure from here.", ""]
    logged, reference = {}, {"subject": "Norway"}
    judged = [one.judge(chat(text), reference) for text in texts]
    more = {"judged": judged} if begun else {}
    found = run(one, [chat(text) for text in texts], [reference] * 3, log_metric=logged.__setitem__, **more)
    judged = [one.result() for one in judged]
    assert found == [pytest.approx(0.6), 0, 0]
    assert found == [response_reward(fragments, 0.2, "independent") for fragments in judged]
    assert [[fragment.label for fragment in fragments] for fragments in judged] == [
        ["correct", "incorrect"],
        ["halt"],
        [],
    ]
    assert logged == pytest.approx(
        {
            "fragments/correct": 1 / 3,
            "fragments/incorrect": 1 / 3,
            "fragments/unverifiable": 0,
            "fragments/failed": 0,
            "fragments/repeated": 0,
            "fragments/failure_share": 0,
            "responses/halted": 2 / 3,
            "responses/refused": 2 / 3,
            "earned/correct": 0.8 / 3,
            "earned/incorrect": -0.2 / 3,
            "earned/unverifiable": 0,
            "earned/repeated": 0,
            "earned/unfinished": 0,
        }
    )


def test_what_ran_into_the_limit_has_its_price_and_what_is_said_again_is_counted():
    logged, reference = {}, {"subject": "Norway"}
    texts = ["Norway is in Europe. Its capital is Os", "Norway is in Europe. Norway is in Europe."]
    columns = {}
    found = run(
        reward(),
        texts,
        [reference] * 2,
        unfinished=[True, False],
        log_metric=logged.__setitem__,
        log_extra=columns.__setitem__,
    )
    assert found == [pytest.approx(0.5 - 1), pytest.approx(0.5 - 0.5)]
    assert logged["fragments/repeated"] == 0.5
    # Together they are the mean reward.
    earned = {name: value for name, value in logged.items() if name.startswith("earned/") and value}
    assert earned == {"earned/correct": 0.5, "earned/repeated": -0.25, "earned/unfinished": -0.5}
    assert columns["verdicts"][1] == "correct: Norway is in Europe.\nunverifiable: Norway is in Europe."


def test_plain_texts_and_references_as_json_will_do():
    one = reward()
    assert run(one, ["Norway is in Europe."], [json.dumps({"subject": "Norway"})], prompts=["?"], other=1) == [0.5]


def test_a_completion_that_begins_inside_its_reasoning():
    """The template has opened it in the prompt; offsets point into what the policy wrote."""
    domain = load_domain("countries")
    one = FragmentReward(domain.scorer(), Pay(0.5, domain.halting), "<think>\n")
    thought = "Norway is in Asia.\n</think>\n\n"
    (found,) = one.judge(f"{thought}Norway is in Europe.", {"subject": "Norway"}).result()
    assert (found.start, found.label) == (len(thought), "correct")
    # Cut off in its reasoning, or ended there, it has said nothing.
    assert one.judge("Norway is in Asia.", {"subject": "Norway"}).result() == []


def test_what_failed_has_no_reward_and_is_counted():
    scorer = Scorer(sentences, Broken())
    logged = {}
    one = FragmentReward(scorer, Pay(0.5, "independent"))
    found = run(one, ["It is so. It broke.", "It is so."], [{}, {}], log_metric=logged.__setitem__)
    assert found == [None, 0.5]
    assert logged["fragments/failure_share"] == pytest.approx(1 / 3)
    assert logged["fragments/failed"] == 0.5


def test_a_reference_that_names_nothing_stops_the_run():
    with pytest.raises(InputError, match="Atlantis"):
        run(reward(), ["It is so."], [{"subject": "Atlantis"}])


def test_trl_sees_an_async_function_with_a_name():
    from trl.trainer.utils import get_callable_name, is_async_callable

    assert is_async_callable(reward())
    assert get_callable_name(reward()) == "FragmentReward"


class TestJudge:
    REFERENCE = {"question": "What is so?", "explanation": "The right things are so."}  # noqa: RUF012

    def test_the_whole_batch_is_under_way_together(self, server):
        server.latency = 0.1
        texts = [f"This is right {n}." for n in range(16)]
        with Client(Server(server.address, "m"), Limits(concurrency=16)) as client:
            one = reward(domain="medicine", client=client)
            assert run(one, texts, [self.REFERENCE] * 16) == [0.5] * 16
        assert server.at_once == 16

    def test_a_spent_budget_stops_the_run(self, server):
        with Client(Server(server.address, "m"), budget=Budget(calls=2)) as client:
            one = reward(domain="medicine", client=client)
            with pytest.raises(BudgetExceeded):
                run(one, ["This is right."] * 4, [self.REFERENCE] * 4)

    def test_a_judge_that_breaks_earns_and_costs_nothing(self, server, client):
        server.faults = {"500": 1.0}
        assert run(reward(domain="medicine", client=client), ["That is wrong."], [self.REFERENCE]) == [None]


def test_measures_of_nothing():
    assert measures([]) == {}
    halted = [Fragment(0, 1, "sentence", "a", "correct"), Fragment(1, 2, "halt", "b", "halt")]
    assert measures([halted])["responses/halted"] == 1
    assert measures([halted])["responses/refused"] == 0


def steps(*changes):
    usual = {
        "responses/refused": 0.1,
        "groups/empty": 0.0,
        "fragments/failure_share": 0.0,
        "completions/mean_length": 40.0,
    }
    return [{**usual, **change} for change in changes]


LIMITS = callbacks.Limits(refused=0.9, drift=4, empty=0.9, failed=0.02, patience=2)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"responses/refused": 0.95}, callbacks.TrainingDiverged, "made no claim in 2 logged steps in a row"),
        ({"groups/empty": 1.0}, callbacks.TrainingDiverged, "all advantages were zero"),
        ({"fragments/failure_share": 0.05}, TooManyFailures, "more than 2% of fragments failed"),
        ({"completions/mean_length": 170.0}, callbacks.TrainingDiverged, "170 tokens, 40 at the start"),
        ({"completions/mean_length": 9.0}, callbacks.TrainingDiverged, "9 tokens, 40 at the start"),
    ],
)
def test_a_sign_that_stands_stops_the_run(change, error, says):
    with pytest.raises(error, match=says):
        callbacks.check(steps({}, change, change), LIMITS)
    # A single bad step is noise, and so is one that is over.
    callbacks.check(steps({}, change), LIMITS)
    callbacks.check(steps({}, change, {}, change), LIMITS)


def test_other_lines_of_the_log_are_passed_over():
    callbacks.check([{"train_loss": 1.0}, *steps({}), {"eval_reward": 1.0}], LIMITS)
    callbacks.check([], LIMITS)


def test_an_alarm_ends_a_script_with_a_code_of_its_own(capsys):
    from rlhalt.cli import guarded

    def work(argv):
        callbacks.check(steps({}, {"groups/empty": 1.0}, {"groups/empty": 1.0}), LIMITS)

    assert guarded(work, []) == 5
    assert "raise max_empty" in capsys.readouterr().err
