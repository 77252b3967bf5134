"""The guard itself: what it interrupts is not swallowed by what the tests call."""

import time

import pytest

from endless import CPU, WALL, NoEndError, must_end
from rlhalt.fragments.sentences import sentences
from rlhalt.scoring import Scorer


class Endless:
    name = "endless/1"

    def __init__(self, work):
        self.work = work

    def verify(self, response, fragments, reference):
        while True:
            self.work()


@pytest.mark.parametrize(("clock", "work"), [(CPU, lambda: None), (WALL, lambda: time.sleep(1))])
def test_a_verifier_that_never_ends_is_interrupted_and_is_no_failed_verdict(clock, work):
    with pytest.raises(NoEndError, match="no end within"), must_end(0.3, clock):
        Scorer(sentences, Endless(work), seconds=None).judge("It is so.", {})


def test_what_ends_is_left_alone():
    with must_end(0.3):
        assert sentences("It is so.")
