"""`rlhalt serve` as a command: what is refused at start, and a server that is killed."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytest.importorskip("starlette", reason="the server's packages are not installed (rlhalt[serve])")

from rlhalt.cli import main
from rlhalt.cut.calibration import write
from served import calibration
from test_serve import ASKED, post, text
from upstream_server import UpstreamServer, pieces


@pytest.fixture
def upstream():
    with UpstreamServer() as running:
        yield running


@pytest.fixture
def fitted(tmp_path):
    """Writes a calibration; its folder."""

    def make(**changes: Any) -> str:
        folder = tmp_path / "calibration"
        folder.mkdir(exist_ok=True)
        write(folder / "calibration.json", calibration(**changes))
        return str(folder)

    return make


def argv(upstream: str, folder: str, *more: str) -> list[str]:
    return ["serve", "--upstream", upstream, "--model", "m", "--calibration", folder, "--threshold", "0.5",
            "--port", "0", *more]  # fmt: skip


def refused(asked: list[str], capsys) -> str:
    capsys.readouterr()
    assert main(asked) == 2
    error = capsys.readouterr().err.strip()
    assert "Traceback" not in error
    assert "\n" not in error
    return error


def changed(asked: list[str], **flags: str | None) -> list[str]:
    """The command with other values of some flags, or without them."""
    found = list(asked)
    for name, value in flags.items():
        place = found.index(f"--{name}")
        found[place : place + 2] = [] if value is None else [f"--{name}", value]
    return found


@pytest.mark.parametrize("name", ["threshold", "upstream", "model"])
def test_a_flag_that_is_missing(fitted, capsys, name):
    assert f"--{name}" in refused(changed(argv("http://127.0.0.1:9/v1", fitted()), **{name: None}), capsys)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"threshold": "1"}, "above 0 and below 1"),
        ({"threshold": "often"}, "above 0 and below 1"),
        ({"upstream": "127.0.0.1:9"}, "http://"),
        ({"upstream": "http://u:p@127.0.0.1:9/v1"}, "without a user"),
        ({"port": "70000"}, "--port"),
        ({"calibration": "nowhere"}, "rlhalt calibrate"),
    ],
)
def test_a_flag_that_is_wrong(fitted, capsys, flags, says):
    assert says in refused(changed(argv("http://127.0.0.1:9/v1", fitted()), **flags), capsys)


def test_an_upstream_that_is_down(fitted, capsys):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = refused(argv(f"http://127.0.0.1:{port}/v1", fitted()), capsys)
    assert "--upstream" in error
    assert "start it first" in error


def test_an_upstream_without_log_probabilities(upstream, fitted, capsys):
    upstream.fault = "no log-probabilities"
    error = refused(argv(upstream.address, fitted()), capsys)
    assert "log-probabilities" in error
    assert "--upstream" in error


def test_an_upstream_of_another_address(upstream, fitted, capsys):
    upstream.fault = "500"
    assert "status 500" in refused(argv(upstream.address, fitted()), capsys)


def test_a_model_that_the_upstream_does_not_serve(upstream, fitted, capsys):
    error = refused(changed(argv(upstream.address, fitted()), model="n"), capsys)
    assert "m, other" in error
    assert "--model" in error


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": "another"}, "model 'another' instead of 'm'"),
        ({"model": "another@0123456789abcdef"}, "model 'another@0123456789abcdef' instead of 'm'"),
        ({"fragmenter": "sentences/1"}, "fragmenter 'sentences/1'"),
        ({"few_shot": "0123456789abcdef"}, "few_shot"),
        ({"by": "ccp"}, "--by token_probability"),
        ({"fits": []}, "at least one temperature"),
    ],
)
def test_a_calibration_that_does_not_belong_here(upstream, fitted, capsys, changes, says):
    assert says in refused(argv(upstream.address, fitted(**changes)), capsys)


def test_a_calibration_of_another_domain(upstream, fitted, capsys):
    assert "domain 'countries' instead of" in refused(argv(upstream.address, fitted(), "--domain", "elements"), capsys)


def test_a_temperature_that_was_not_calibrated(upstream, fitted, capsys):
    error = refused(argv(upstream.address, fitted(), "--temperature", "0.7"), capsys)
    assert "temperature" in error
    one = calibration().fits[0]
    both = [one, dataclasses.replace(one, temperature=0.7)]
    assert "--temperature" in refused(argv(upstream.address, fitted(fits=both)), capsys)


def test_an_unreadable_calibration(upstream, fitted, capsys):
    folder = Path(fitted())
    (folder / "calibration.json").write_text("{")
    assert "calibration.json" in refused(argv(upstream.address, str(folder)), capsys)


def test_a_folder_of_weights_that_is_not_there(upstream, fitted, capsys):
    assert "--weights" in refused(argv(upstream.address, fitted(), "--weights", "nowhere"), capsys)


def test_a_port_in_use(upstream, fitted, capsys):
    with socket.create_server(("127.0.0.1", 0)) as used:
        error = refused(changed(argv(upstream.address, fitted()), port=str(used.getsockname()[1])), capsys)
    assert "--port" in error


def test_a_key_that_is_not_there(upstream, fitted, capsys, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    assert "NO_SUCH_KEY" in refused(argv(upstream.address, fitted(), "--key", "NO_SUCH_KEY"), capsys)
    monkeypatch.setenv("NO_SUCH_KEY", "a\nb")
    error = refused(argv(upstream.address, fitted(), "--key", "NO_SUCH_KEY"), capsys)
    assert "plain characters" in error
    assert "a b" not in error


def test_a_log_that_cannot_be_written(upstream, fitted, capsys, tmp_path):
    assert "nowhere" in refused(
        argv(upstream.address, fitted(), "--log-bodies", str(tmp_path / "nowhere" / "f")), capsys
    )


def test_a_package_that_is_missing(fitted, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert 'pip install "rlhalt[serve]"' in refused(argv("http://127.0.0.1:9/v1", fitted()), capsys)


@contextlib.contextmanager
def command(asked: list[str], **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command as a process, and its address to the end in /v1."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rlhalt", *asked],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"for clients (http://\S+/v1)", line)
    try:
        assert found, line + (process.stderr.read() if process.stderr else "")
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        assert process.stderr is not None
        process.stderr.close()


def test_a_server_that_is_killed_loses_the_requests_under_way_alone(upstream, fitted):
    upstream.said = pieces(*[("Oslo is big.", 0.9)] * 200)
    upstream.pause = 0.02
    folder = fitted()
    with command(argv(upstream.address, folder)) as (first, address):
        where = urlsplit(address)
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
        headers = {"content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps({**ASKED, "stream": True}), headers)
        reply = connection.getresponse()
        assert b"Oslo" in reply.read(400)
        first.send_signal(signal.SIGKILL)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            reply.read()
        first.wait()
        upstream.said, upstream.pause = pieces(("Oslo is big.", 0.9), ("It is in Asia.", 0.2)), 0
        # The same port, at once, though connections to it were open.
        with command(changed(argv(upstream.address, folder), port=str(where.port))) as (_, again):
            assert again == address
            assert text(post(again, ASKED)[2], False) == "Oslo is big."


def test_a_server_that_is_stopped_says_nothing_of_keys(upstream, fitted):
    with command(argv(upstream.address, fitted(), "--key", "MY_KEY"), MY_KEY="held-secret") as (process, address):
        assert post(address, ASKED)[0] == 200
        assert upstream.requests[-1][0]["authorization"] == "Bearer held-secret"
        upstream.fault = "reset"
        post(address, {**ASKED, "stream": True})
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        assert process.stderr is not None
        said = process.stderr.read()
        assert "secret" not in said
        # A response that broke off because the upstream did is no error of the server.
        assert "Traceback" not in said
