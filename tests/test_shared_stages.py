"""Several processes run one recipe: which stage may begin when."""

from __future__ import annotations

import threading

import pytest

from rlhalt.files.locks import turn
from rlhalt.running.stages import Stage, run_stages


def test_a_stage_that_another_process_is_at_is_left_to_it_and_what_needs_it_waits(tmp_path, capsys):
    base, trained, other = (tmp_path / one for one in ("base", "trained", "other"))
    begun, held, finish = [], threading.Event(), threading.Event()

    def sampling() -> None:
        with turn(base) as mine:
            assert mine
            held.set()
            assert finish.wait(60)

    def at(name: str) -> None:
        begun.append(name)
        if name == "other":
            finish.set()

    process = threading.Thread(target=sampling)
    process.start()
    assert held.wait(60)
    stages = [
        Stage("sample", "base", base, lambda: at("base")),
        Stage("SFT", "seed 0", trained, lambda: at("trained"), (base,)),
        Stage("targets", "", other, lambda: at("other")),
    ]
    run_stages(stages, look_again_s=0.01)
    process.join()
    # The other process has ended by the time that `base` begins; in a recipe that stage is done already.
    assert begun == ["other", "base", "trained"]
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "[3/3] targets …"
    assert [one for one in told if one.startswith("[")][1:] == ["[1/3] sample base …", "[2/3] SFT seed 0 …"]
    assert sum(one == "waiting for another process, which is at: sample base …" for one in told) <= 1
    assert not list(tmp_path.glob(".*"))


def test_a_stage_that_fails_is_free_for_another_process(tmp_path):
    def fail() -> None:
        raise ValueError("no memory")

    with pytest.raises(ValueError, match="no memory"):
        run_stages([Stage("sample", "", tmp_path / "base", fail)])
    with turn(tmp_path / "base") as mine:
        assert mine


def test_a_stage_that_reads_what_it_does_not_name_is_found(tmp_path):
    """Every test that runs a recipe relies on it, see `watched_stages`."""
    base, trained = tmp_path / "base.jsonl", tmp_path / "sft"
    sample = Stage("sample", "", base, lambda: base.write_text("row"))
    reading = Stage("SFT", "", trained, lambda: base.read_text() and trained.mkdir(exist_ok=True), (base,))
    run_stages([sample, reading, Stage("evaluate", "", tmp_path / "evaluation", base.read_text, (trained,))])
    with pytest.raises(AssertionError, match=r"'SFT' reads and does not name: .*base\.jsonl"):
        run_stages([sample, reading._replace(needs=())])
