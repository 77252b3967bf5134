"""A limit on the time of a response, whatever verifies it."""

from __future__ import annotations

import re
import signal
import threading
import time

import pytest

from rlhalt.domains import load_domain
from rlhalt.domains.domain import SECONDS
from rlhalt.errors import InputError, VerifierFailure
from rlhalt.fragments.sentences import sentences
from rlhalt.running.time_limit import in_time
from rlhalt.scoring import Scorer
from rlhalt.training.fragment_grpo.advantages import Pay
from rlhalt.training.fragment_grpo.reward import FragmentReward
from rlhalt.verifiers import Verdict

LIMIT = 0.2


def backtracks():
    re.fullmatch("(a+)+b", "a" * 60)


def loops():
    while True:
        pass


def waits():
    time.sleep(60)


def swallows():
    """Takes the interruption for a verdict."""
    found = []
    for _ in range(2):
        try:
            waits()
        except BaseException:  # noqa: BLE001
            found.append("incorrect")
    return found


def breaks_when_interrupted():
    try:
        waits()
    finally:
        raise ValueError("nothing to give back")


SLOW = [backtracks, loops, waits, swallows, breaks_when_interrupted]


class Slow:
    name = "slow/1"

    def __init__(self, work):
        self.work = work

    def verify(self, response, fragments, reference):
        if "slow" in response:
            self.work()
        return [Verdict("correct", "")] * len(fragments)


@pytest.mark.parametrize("work", SLOW)
def test_what_takes_too_long_fails_with_the_reason_and_the_next_response_is_judged(work):
    scorer = Scorer(sentences, Slow(work), seconds=LIMIT)
    judged = scorer.judge("This is slow. Unsure from here.", {})
    assert [one.label for one in judged] == [None, "halt"]
    assert "longer than the limit of 0.2 seconds" in str(judged[0].error)
    assert [one.label for one in scorer.judge("It is so.", {})] == ["correct"]


def test_a_splitter_that_takes_too_long_fails_the_whole_text():
    def split(text):
        backtracks()

    (one,) = Scorer(split, Slow(waits), seconds=LIMIT).judge("A text.", {})
    assert (one.text, one.label) == ("A text.", None)


def test_a_slow_verifier_without_a_limit_is_waited_for():
    assert in_time(lambda: time.sleep(2 * LIMIT) or "done", None) == "done"


def test_an_error_in_time_is_that_error():
    def missing():
        raise InputError("no entry", field="reference")

    with pytest.raises(InputError, match="no entry"):
        in_time(missing, 5.0)


def test_the_handler_and_the_timer_of_the_caller_are_put_back():
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(True))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        with pytest.raises(VerifierFailure):
            in_time(waits, LIMIT)
        assert in_time(lambda: 3, LIMIT) == 3
        time.sleep(0.6)
        assert rung == [True]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_in_another_thread_no_limit_is_set():
    found = []
    thread = threading.Thread(target=lambda: found.append(in_time(lambda: time.sleep(2 * LIMIT) or 1, LIMIT)))
    thread.start()
    thread.join()
    assert found == [1]


@pytest.mark.parametrize("work", [backtracks, waits])
def test_online_training_judges_where_the_limit_can_be_kept(work):
    one = FragmentReward(Scorer(sentences, Slow(work), seconds=LIMIT), Pay(0.5, "independent"))
    judged = [one.judge(text, "{}") for text in ("This is slow.", "It is so.")]
    assert [[fragment.label for fragment in its.result()] for its in judged] == [[None], ["correct"]]


def test_an_error_of_the_reference_is_raised_where_the_result_is_asked_for():
    one = FragmentReward(load_domain("countries").scorer(), Pay(0.5, "independent"))
    judged = one.judge("It is so.", {"subject": "Atlantis"})
    with pytest.raises(InputError, match="Atlantis"):
        judged.result()


def test_a_domain_says_how_long_a_response_may_take(tmp_path):
    assert load_domain("countries").scorer().seconds == SECONDS
    lines = ["domain: d", "fragmenter: sentences", "task: rlhalt.domains.countries:Countries", "halting: independent"]
    lines += ["threshold: 0.5", "max_failure_rate: 0.02", "seconds_per_response: {}"]
    (tmp_path / "domain.yaml").write_text("\n".join(lines).format(0.5))
    assert load_domain(tmp_path).scorer().seconds == 0.5
    (tmp_path / "domain.yaml").write_text("\n".join(lines).format(0))
    with pytest.raises(InputError, match="seconds_per_response': expected more than 0 seconds"):
        load_domain(tmp_path)
