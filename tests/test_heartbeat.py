"""Nothing is silent for long."""

from __future__ import annotations

import sys
import time

import pytest

from rlhalt.cli import guarded
from rlhalt.errors import InputError
from rlhalt.running import heartbeat, progress
from rlhalt.running.stages import Stage, run_stages


@pytest.fixture
def quickly(monkeypatch) -> None:
    monkeypatch.setattr(heartbeat, "QUIET_S", 0.1)


def test_a_command_that_writes_nothing_says_that_it_is_at_work(quickly, capsys):
    assert guarded(lambda argv: time.sleep(0.6), ["compare", "a"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 2
    assert all(line.startswith("rlhalt compare: still at work, after ") for line in lines)


def test_a_stage_is_named(quickly, capsys, tmp_path):
    def work(argv: object) -> None:
        run_stages([Stage("SFT", "seed 0", tmp_path / "sft", lambda: time.sleep(0.6))])

    assert guarded(work, ["run", "recipe"]) == 0
    assert "[1/1] SFT seed 0: still at work, after " in capsys.readouterr().err


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_what_writes_often_is_not_spoken_over(monkeypatch, capsys, stream):
    monkeypatch.setattr(heartbeat, "QUIET_S", 2.0)

    def work(argv: object) -> None:
        for _ in range(30):
            print("step", file=getattr(sys, stream))
            time.sleep(0.1)

    assert guarded(work, ["train"]) == 0
    assert "at work" not in capsys.readouterr().err


def test_the_streams_are_as_before_also_after_an_error(quickly, capsys):
    before = sys.stdout, sys.stderr

    def work(argv: object) -> None:
        raise InputError("expected x")

    assert guarded(work, []) == 2
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr().err == "rlhalt: expected x\n"


def test_of_several_processes_one_speaks(quickly, monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    assert guarded(lambda argv: time.sleep(0.5), ["train"]) == 0
    assert capsys.readouterr().err == ""


def test_in_a_log_slow_items_are_told_one_by_one(monkeypatch, capsys):
    monkeypatch.setattr(progress, "QUIET_S", 0.05)
    for _ in progress.track(range(40), "sample"):
        time.sleep(0.06)
    assert len(capsys.readouterr().err.splitlines()) == 41
    monkeypatch.setattr(progress, "QUIET_S", 60.0)
    for _ in progress.track(range(40), "sample"):
        pass
    assert len(capsys.readouterr().err.splitlines()) == 11
