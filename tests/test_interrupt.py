"""Ctrl-C while a served model is asked: the command ends at once, and what was done is kept."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from judge_server import JudgeServer
from rlhalt.records import Prompt, Response, content_key, dumps

REFERENCE = {"question": "What is so?", "explanation": "The right things are so."}


def rows(verb: str) -> list[Prompt | Response]:
    asked = [{"role": "user", "content": "What is so?"}]
    if verb == "sample":
        return [Prompt(content_key(n), asked, REFERENCE, "medicine", "train") for n in range(40)]
    return [
        Response(content_key(n), "p", n, asked, f"{n} is right.", REFERENCE, "medicine", "train", "stop", {}, 9)
        for n in range(40)
    ]


@pytest.mark.parametrize("verb", ["score", "sample"])
def test_ctrl_c_ends_the_command_and_keeps_what_was_done(tmp_path, verb):
    (tmp_path / "in.jsonl").write_text("".join(dumps(row) + "\n" for row in rows(verb)))
    output = tmp_path / "out.jsonl"
    with JudgeServer() as server:
        given = ["--output", str(output)]
        if verb == "score":
            given += ["--responses", f"{tmp_path}/in.jsonl", "--domain", "medicine"]
            given += ["--judge-address", server.address, "--judge-model", "m", "--judge-concurrency", "4"]
        else:
            server.answer = "It is so."
            given += ["--prompts", f"{tmp_path}/in.jsonl", "--model", "m", "--engine", "openai", "--responses", "1"]
            given += ["--address", server.address, "--concurrency", "4"]
        command = subprocess.Popen(
            [sys.executable, "-m", "rlhalt", verb, *given],
            cwd=Path(__file__).parents[1],
            env={**os.environ, "PYTHONPATH": "src"},
            # A shell starts what it runs in the background with Ctrl-C ignored, and that is inherited.
            preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            until(lambda: len(server.requests) >= 4, command)
            server.latency = 3600.0
            until(lambda: len(server.starts) >= 8 and time.monotonic() - server.starts[-1] > 0.5, command)
            command.send_signal(signal.SIGINT)
            # The calls would take an hour.
            _, said = command.communicate(timeout=60)
        finally:
            command.kill()
    assert command.returncode == 130, said
    assert "run the same command again" in said
    assert "Traceback" not in said
    assert "never awaited" not in said
    assert not output.exists()
    assert (tmp_path / "out.jsonl.part").read_text().count("\n") >= 4


def until(true: Callable[[], bool], command: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 120
    while not true():
        assert command.poll() is None, command.stderr.read()
        assert time.monotonic() < end
        time.sleep(0.02)
