"""The server by a trained reward model: as `rlhalt answer` on the same text, and without log-probabilities."""

from __future__ import annotations

import dataclasses
import http.client
import json
import math
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from safetensors.numpy import load_file, save_file

pytest.importorskip("starlette", reason="the server's packages are not installed (rlhalt[serve])")

from reward_rows import RIGHT, WRONG, prompts, rows, trained
from rlhalt.cli import main
from rlhalt.cut.calibration import Calibration
from rlhalt.cut.calibration import write as write_calibration
from rlhalt.cut.probability import Probability
from rlhalt.cut.respond import Judged, probabilities
from rlhalt.domains import load_domain
from rlhalt.records import HALT_PHRASE, Response, write
from rlhalt.reward_model.folder import reward_identity
from rlhalt.serve import asked
from rlhalt.serve.events import Reader
from rlhalt.serve.scoring import Judge, judge
from rlhalt.serve.settings import Defaults
from rlhalt.serve.stream import StreamCut
from served import calibration, serving
from test_serve import PROMPTED, metrics, post, soon, text
from test_serve_start import argv, refused
from upstream_server import UpstreamServer, pieces, text_of

# The upstream's own probabilities say the opposite of what is right.
SAID = pieces((RIGHT, 0.1), (WRONG, 0.9), (RIGHT, 0.1), ("Unsure from here.", 0.5))
THOUGHT = [(b"<think>", -0.1), (b"\nMaybe. No.\n", -3.0), (b"</think>", -0.1), (b"\n\n", -0.1)]
ASKED = {"model": "m", "messages": prompts(1, "heldout")[0].prompt, "temperature": 0}
DETAIL = {"rlhalt": {"threshold": 0.5, "fragments": True}}


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    """The hidden states of the tiny model differ by less than bfloat16 can tell."""
    import torch

    monkeypatch.setattr("rlhalt.models.names.inference_dtype", lambda: torch.float32)


@pytest.fixture(scope="module")
def probe(tiny_model, tmp_path_factory):
    import torch

    folder = tmp_path_factory.mktemp("reward")
    write(folder / "scored.jsonl", rows())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlhalt.models.names.inference_dtype", lambda: torch.float32)
        return trained(tiny_model, folder / "scored.jsonl", folder / "probe")


@pytest.fixture(scope="module")
def ink(probe):
    folder = probe.parent / "ink"
    folder.mkdir()
    told = {"domain": "ink", "halting": "independent", "threshold": 0.5, "fragmenter": "sentences", "verifier": "model"}
    (folder / "domain.yaml").write_text(yaml.safe_dump({**told, "reward_model": str(probe)}), encoding="utf-8")
    return str(folder)


@pytest.fixture
def upstream():
    """One that gives no log-probabilities."""
    with UpstreamServer() as running:
        running.said, running.fault = SAID, "no log-probabilities"
        yield running


def fitted(ink: str, probe: Path) -> Calibration:
    """A calibration whose map is another one than that of the reward model."""
    named = {"reward_model": str(probe), "reward_identity": reward_identity(probe)}
    found = calibration(ink, by="reward", **named)
    fit = dataclasses.replace(found.fits[0], probability=Probability("platt", 0.7, -0.2))
    return dataclasses.replace(found, domain="ink", fits=[fit])


def judging(ink: str, probe: Path) -> Judge:
    return judge(load_domain(ink).splitter(), fitted(ink, probe))


def answered(ink: str, probe: Path, said: str) -> Judged:
    """What `rlhalt answer` finds out about a response."""
    one = prompts(1, "heldout")[0]
    row = Response("k", one.key, 0, one.prompt, said, {}, "ink", "heldout", "stop", {"temperature": 0.0}, 9)
    (found,) = probabilities([row], "m", load_domain(ink).splitter(), fitted(ink, probe), 0.0)
    return found


def detail(raw: bytes, stream: bool) -> dict[str, Any]:
    bodies = [one.data for one in Reader().feed(raw) if one.data and b'"rlhalt"' in one.data] if stream else [raw]
    found: dict[str, Any] = json.loads(bodies[-1])["rlhalt"]
    return found


@pytest.mark.parametrize("before", [[], THOUGHT], ids=["plain", "reasoning"])
def test_it_gives_the_probabilities_of_answer_and_asks_for_none(upstream, ink, probe, before):
    upstream.said = [*before, *SAID]
    expected = answered(ink, probe, text_of(upstream.said))
    assert expected.probability[0] > 0.5 > expected.probability[1]
    parts = [{"type": "text", "text": ASKED["messages"][0]["content"]}]
    with serving(upstream, judging=judging(ink, probe)) as address:
        for stream in (False, True):
            for group, content in ((1, parts), (3, parts[0]["text"])):
                upstream.group = group
                body = {**ASKED, **DETAIL, "messages": [{"role": "user", "content": content}], "stream": stream}
                _, headers, raw = post(address, body)
                assert headers["x-rlhalt"] == "cut"
                assert text(raw, stream) == expected.text(0.5, "independent", "Unsure from here.")
                found = [one["probability"] for one in detail(raw, stream)["fragments"]]
                known = [None if math.isnan(one) else pytest.approx(one, abs=1e-4) for one in expected.probability]
                assert found == known
                assert "logprobs" not in upstream.requests[-1][1]
        whole = {**ASKED, "rlhalt": {"threshold": 1e-9}}
        assert post(address, whole)[2] == upstream.whole_bytes()
        assert post(address, {**whole, "stream": True})[2] == upstream.stream_bytes()


def test_examples_of_the_calibration_are_sent_and_not_read(ink):
    shots = tuple(prompts(1)[0].prompt)
    defaults = Defaults("m", 0.5, 0.0, (0.0,), few_shot=shots, log_probabilities=False)
    found = asked.read(json.dumps(ASKED).encode(), "chat", defaults)
    assert json.loads(found.sent)["messages"] == [*shots, *ASKED["messages"]]
    assert found.prompt == ASKED["messages"]


def test_a_rendered_prompt_passes(upstream, ink, probe):
    with serving(upstream, judging=judging(ink, probe)) as address:
        _, headers, raw = post(address, {**PROMPTED, "rlhalt": {"threshold": 0.99}}, "/completions")
    assert (headers["x-rlhalt"], raw) == ("passed", upstream.whole_bytes(False))
    assert "reads messages" in headers["x-rlhalt-reason"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_asks_for_log_probabilities_gets_those_of_what_is_said(upstream, ink, probe, stream):
    upstream.fault = ""
    with serving(upstream, judging=judging(ink, probe)) as address:
        _, _, raw = post(address, {**ASKED, "logprobs": True, "stream": stream})
        bodies = [one.data for one in Reader().feed(raw) if one.data and one.data != b"[DONE]"] if stream else [raw]
        choices = [json.loads(one)["choices"][0] for one in bodies]
        found = [row["token"] for one in choices if one["logprobs"] for row in one["logprobs"]["content"]]
        assert "".join(found) == text(raw, stream) == f"{RIGHT} {RIGHT} Unsure from here."
        # Those that belong to other text cannot be cut with it.
        upstream.fault = "wrong order"
        _, headers, raw = post(address, {**ASKED, "logprobs": True})
        assert (headers["x-rlhalt"], text(raw, False)) == ("unscored", text_of(SAID))
        assert post(address, ASKED)[1]["x-rlhalt"] == "cut"


def breaks(*_: object) -> list[float]:
    raise RuntimeError("out of memory")


@pytest.mark.parametrize("stream", [False, True])
def test_a_reward_model_that_breaks_is_not_taken_for_a_doubt(upstream, ink, probe, tmp_path, stream):
    """At τ = 0.99 nothing would be said."""
    broken = shutil.copytree(probe, tmp_path / "broken")
    tensors = load_file(broken / "probe.safetensors")
    save_file({**tensors, "bias": tensors["bias"] * math.nan}, broken / "probe.safetensors")
    body = {**ASKED, "stream": stream, "rlhalt": {"threshold": 0.99}}
    raises = dataclasses.replace(judging(ink, probe), confidence=breaks)
    for one, says in ((judging(ink, broken), "no finite probability"), (raises, "out of memory")):
        with serving(upstream, judging=one) as address:
            _, headers, raw = post(address, body)
            assert raw == (upstream.stream_bytes() if stream else upstream.whole_bytes())
            assert soon(lambda: 'rlhalt_requests_total{outcome="unscored"} 1.0' in metrics(address))
            if not stream:
                assert headers["x-rlhalt"] == "unscored"
                assert says in headers["x-rlhalt-reason"]


def test_what_is_too_long_for_the_reward_model_passes_behind_what_was_cut(upstream, ink, probe):
    upstream.said = pieces((WRONG, 0.9), *[(RIGHT, 0.9)] * 200, (WRONG, 0.9))
    with serving(upstream, judging=judging(ink, probe)) as address:
        _, headers, raw = post(address, {**ASKED, **DETAIL})
    assert headers["x-rlhalt"] == "unscored"
    found, said = detail(raw, False), text(raw, False)
    assert not found["fragments"][0]["said"]
    assert said.startswith(RIGHT)
    assert said.endswith(f"{RIGHT} {WRONG}")
    assert "no finite probability" in found["unscored"]


class Slow:
    """A reward model that takes its time, with the number of its calls."""

    def __init__(self) -> None:
        self.calls = self.at_once = self.most = 0

    def __call__(self, prompt: Any, response: str, fragments: Any, likely: Any) -> list[float]:
        self.calls += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        time.sleep(0.3)
        self.at_once -= 1
        return [0.9] * len(fragments)


@pytest.fixture
def slow(ink):
    found = Slow()
    return found, Judge(load_domain(ink).splitter(), found, {0.0: Probability("platt", 1.0, 0.0)}, reads_text=True)


def test_others_are_served_while_it_reads_and_a_client_that_goes_away_ends_it(upstream, slow):
    reading, one = slow
    upstream.said, upstream.pause = pieces(*[(RIGHT, 0.9)] * 40), 0.03
    with serving(upstream, judging=one) as address:
        where = urlsplit(address)
        clients = [http.client.HTTPConnection(where.hostname or "", where.port, timeout=60) for _ in range(2)]
        for client in clients:
            body = json.dumps({**ASKED, "stream": True})
            client.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        replies = [client.getresponse() for client in clients]
        for reply in replies:
            assert b"The" in reply.read(400)
        # Asked while a pass is under way, and answered before it ends.
        calls = reading.calls
        assert soon(lambda: reading.calls > calls, every=0.001)
        calls = reading.calls
        assert "rlhalt_requests_under_way 2.0" in metrics(address)
        assert (reading.calls, reading.at_once) == (calls, 1)
        for one in (*replies, *clients):
            one.close()
        assert soon(lambda: "rlhalt_requests_under_way 0.0" in metrics(address) and upstream.ended == 2)
        assert soon(lambda: not reading.at_once)
        calls = reading.calls
        time.sleep(0.7)
        assert reading.calls == calls
        assert reading.most == 1


@pytest.mark.parametrize("stream", [False, True])
def test_all_that_came_at_once_is_read_in_one_pass(upstream, slow, stream):
    reading, one = slow
    upstream.said, upstream.group = pieces(*[(RIGHT, 0.9)] * 20), 200
    with serving(upstream, judging=one) as address:
        assert text(post(address, {**ASKED, "stream": stream})[2], stream) == text_of(upstream.said)
    assert reading.calls <= 2 if stream else reading.calls == 1


def test_a_causal_stream_halts_and_nothing_behind_is_read():
    read: list[str] = []

    def doubts_20(prompt: Any, response: str, fragments: Any, likely: Any) -> list[float]:
        read.extend(one.text for one in fragments)
        return [0.1 if "20" in one.text else 0.9 for one in fragments]

    one = Judge(load_domain("arithmetic").splitter(), doubts_20, {0.0: Probability("platt", 1.0, 0.0)}, reads_text=True)
    upstream = UpstreamServer()
    upstream.said = pieces(*[(step, 0.5) for step in ("9 * 2 = 18", "18 + 1 = 20", "So 20.", "Yes.")], between="\n")
    given = asked.read(json.dumps(ASKED).encode(), "chat", Defaults("m", 0.5, 0.0, (0.0,), log_probabilities=False))
    stream = StreamCut(given, one)
    raw = b"".join([stream.feed(event) for event in upstream.events(True, False)]) + stream.end()
    assert text(raw, True) == f"9 * 2 = 18\n{HALT_PHRASE}"
    assert read == ["9 * 2 = 18", "18 + 1 = 20"]


@pytest.fixture
def started(monkeypatch):
    """The command line up to the point where it would serve."""
    monkeypatch.setattr("uvicorn.Server.run", lambda self, sockets: [one.close() for one in sockets])


def test_the_reward_model_may_lie_elsewhere_and_must_be_the_same(upstream, ink, probe, tmp_path, capsys, started):
    folder, moved = tmp_path / "calibration", shutil.copytree(probe, tmp_path / "another name")
    folder.mkdir()
    write_calibration(folder / "calibration.json", fitted(ink, probe))
    plain = argv(upstream.address, str(folder), "--domain", ink)
    assert main(plain) == 0
    assert upstream.requests == []
    write_calibration(folder / "calibration.json", dataclasses.replace(fitted(ink, probe), reward_model="nowhere"))
    assert "none at 'nowhere'" in refused(plain, capsys)
    assert main([*plain, "--reward-model", str(moved)]) == 0
    assert "no reward.json" in refused([*plain, "--reward-model", str(tmp_path)], capsys)
    described = (moved / "reward.json").read_text(encoding="utf-8")
    (moved / "reward.json").write_text(described.replace("hand/1", "hand/2"), encoding="utf-8")
    assert "expected the reward model probe@" in refused([*plain, "--reward-model", str(moved)], capsys)
    write_calibration(folder / "calibration.json", calibration())
    upstream.fault = ""
    by_tokens = argv(upstream.address, str(folder), "--reward-model", str(moved))
    assert "--reward-model" in refused(by_tokens, capsys)


def test_a_server_by_log_probabilities_does_without_torch():
    script = (
        "import sys\nimport rlhalt.serve.start\nfrom served import calibration\n"
        "from rlhalt.serve.scoring import judge\nfrom rlhalt.domains import load_domain\n"
        "judge(load_domain('countries').splitter(), calibration())\n"
        "print('HEAVY', sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=here)
    assert "HEAVY []" in done.stdout
