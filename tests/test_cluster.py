"""A real Ray on this machine, with two workers: the same rows as without it, whatever happens on the way."""

from __future__ import annotations

import dataclasses
import itertools
import os
import secrets
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pytest

# Ray listens on 127.0.0.1 only; it looks at this when it is imported.
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'rlhalt[ray]'")

from judge_server import JudgeServer
from rlhalt.cli import main
from rlhalt.errors import InputError, TooManyFailures
from rlhalt.files.provenance import earlier
from rlhalt.fragments.sentences import sentences
from rlhalt.llm import Client, Server
from rlhalt.records import Fragment, Json, Message, Prompt, Response, Scored, content_key, read, write
from rlhalt.running.cluster import Cluster, join
from rlhalt.sampling import Completion, Settings, sample
from rlhalt.score_file import Spread, score_file
from rlhalt.scoring import Scorer
from rlhalt.verifiers import Verdict

PROMPTS = [
    Prompt(content_key(name), [{"role": "user", "content": f"State {name}."}], {"subject": name}, "countries", "train")
    for name in "ABCDE"
]
SETTINGS = Settings("m", responses=2, batch_size=3)


@pytest.fixture(scope="module", autouse=True)
def two_workers() -> Iterator[Cluster]:
    environment = pytest.MonkeyPatch()
    environment.setenv("RAY_AUTH_TOKEN", secrets.token_hex())
    # Workers find this module as it is found here.
    environment.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    here = {"num_cpus": 2, "num_gpus": 0, "object_store_memory": 80 << 20}
    ray.init(address="local", include_dashboard=False, log_to_driver=False, **here)
    yield join()
    ray.shutdown()
    environment.undo()


def once(marker: Path) -> bool:
    """Whether this is the first time, in any process."""
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class Echo:
    """An engine that answers with the question and the seed, writes down what it was asked, and may be killed once."""

    def __init__(self, asked: Path, killed: Path | None = None) -> None:
        self.asked, self.killed = asked, killed

    def complete(
        self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
    ) -> list[Completion]:
        if self.killed is not None and once(self.killed):
            os.kill(os.getpid(), signal.SIGKILL)
        questions = [chat[-1]["content"] for chat in chats]
        with self.asked.open("a") as file:
            file.write(f"{questions}\n")
        return [Completion(f"{one} {seed}", 2, "stop") for one in questions]


class Parrot:
    """A verifier that says what the text says, and does what it says: breaks, or is killed, once or always."""

    name = "parrot/1"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def verify(self, response: str, fragments: Sequence[Fragment], reference: Json) -> list[Verdict]:
        if "break" in response:
            raise ConnectionError("the judge did not answer")
        if "unknown" in response:
            raise InputError("no entry for 'Atlantis'", field="reference")
        if "always killed" in response or ("killed" in response and once(self.folder / "killed")):
            os.kill(os.getpid(), signal.SIGKILL)
        return [Verdict("correct" if "true" in one.text else "incorrect", "it says so") for one in fragments]


def parrot(folder: Path) -> Scorer:
    return Scorer(sentences, Parrot(folder))


def response(text: str, reference: Json | None = None) -> Response:
    asked = [{"role": "user", "content": "State facts."}]
    return Response(content_key(text), "p", 0, asked, text, reference or {}, "", "train", "stop", {}, 3)


def test_the_policy_writes_the_same_here_and_in_workers(tiny_model, tmp_path):
    write(tmp_path / "prompts.jsonl", PROMPTS)
    files = {"transformers": tmp_path / "here.jsonl", "ray": tmp_path / "there.jsonl"}
    for engine, output in files.items():
        argv = ["sample", "--model", str(tiny_model), "--prompts", str(tmp_path / "prompts.jsonl"), "--engine", engine]
        argv += ["--responses", "2", "--batch-size", "3", "--max-tokens", "12", "--output", str(output)]
        assert main([*argv, *(["--sampler", "transformers", "--workers", "2"] if engine == "ray" else [])]) == 0
    assert files["ray"].read_text() == files["transformers"].read_text()
    assert len({row.response for row in read(files["ray"], Response)}) > 1
    made = earlier(files["ray"])
    assert made["ray"] == {"workers": 2, "gpu": False}
    assert made["versions"]["ray"] == ray.__version__
    assert made["fingerprint"] == earlier(files["transformers"])["fingerprint"]


def test_stopped_and_then_a_worker_killed_nothing_is_lost_or_doubled(two_workers, tiny_model, tmp_path):
    # Looked for before a worker is started; the engine itself is Echo.
    settings = dataclasses.replace(SETTINGS, model=str(tiny_model))

    class Stopped(Cluster):
        def each(self, make: Callable, jobs: Iterable) -> Iterator:
            yield from itertools.islice(super().each(make, jobs), 6)
            raise KeyboardInterrupt

    asked, output = tmp_path / "asked", tmp_path / "responses.jsonl"
    with pytest.raises(KeyboardInterrupt):
        # Of a file of its own: what a stopped run has under way may still be written down.
        sample(PROMPTS, settings, output, lambda *_: Echo(tmp_path / "before"), Stopped(1))
    assert len(list(read(tmp_path / "responses.jsonl.part", Response))) == 6
    rows = sample(PROMPTS, settings, output, lambda *_: Echo(asked, killed=tmp_path / "killed"), two_workers)
    assert (tmp_path / "killed").exists()
    assert len(asked.read_text().splitlines()) == 2
    assert rows == sample(PROMPTS, settings, tmp_path / "straight.jsonl", lambda *_: Echo(asked))


def test_scored_the_same_although_a_verifier_breaks_and_a_worker_is_killed(two_workers, tmp_path):
    texts = ["is true.", "please break.", "is false. true.", "is killed.", "", *(f"{n} is true." for n in range(5))]
    rows = [response(text) for text in texts]
    with pytest.raises(TooManyFailures) as there:
        score_file(rows, parrot(tmp_path), tmp_path / "there.jsonl", Spread(two_workers, lambda: parrot(tmp_path)))
    assert (tmp_path / "killed").exists()
    with pytest.raises(TooManyFailures) as here:
        score_file(rows, parrot(tmp_path), tmp_path / "here.jsonl")
    assert (tmp_path / "there.jsonl").read_text() == (tmp_path / "here.jsonl").read_text()
    assert str(there.value).partition(": ")[2] == str(here.value).partition(": ")[2]
    assert [row.failed for row in read(tmp_path / "there.jsonl", Scored)] == [False, True, *[False] * 8]


def test_what_the_user_can_mend_is_told_as_it_is_here(two_workers, tmp_path):
    # Three go to a worker together: what was done before the error is kept.
    rows = [response(text) for text in ("is true.", "is false.", "unknown.", *(f"{n} is true." for n in range(40)))]
    with pytest.raises(InputError) as caught:
        score_file(rows, parrot(tmp_path), tmp_path / "scored.jsonl", Spread(two_workers, lambda: parrot(tmp_path)))
    assert str(caught.value) == f"field 'reference': no entry for 'Atlantis' (response 3, key {rows[2].key})"
    assert {"is true.", "is false."} <= {row.response for row in read(tmp_path / "scored.jsonl.part", Scored)}


def test_a_job_that_kills_every_worker_ends(two_workers, tmp_path, monkeypatch):
    monkeypatch.setattr(ray.data.DataContext.get_current(), "execution_no_progress_timeout_s", 5)
    with pytest.raises(InputError, match="no worker has finished anything"):
        score_file(
            [response("always killed.")],
            parrot(tmp_path),
            tmp_path / "scored.jsonl",
            Spread(two_workers, lambda: parrot(tmp_path)),
        )


def test_a_judge_is_asked_by_the_workers_and_what_they_spent_is_told(tmp_path, capsys):
    reference = {"question": "Which is it?", "true": ["right"], "false": ["wrong"]}
    write(tmp_path / "responses.jsonl", [response(f"It is {n} right. It is wrong.", reference) for n in range(4)])
    with JudgeServer() as server:
        argv = ["score", "--responses", str(tmp_path / "responses.jsonl"), "--domain", "truthfulqa"]
        argv += ["--judge-address", server.address, "--judge-model", "m"]
        assert main([*argv, "--output", str(tmp_path / "here.jsonl")]) == 0
        assert main([*argv, "--engine", "ray", "--output", str(tmp_path / "there.jsonl")]) == 0
        assert main([*argv, "--engine", "ray", "--budget-calls", "9", "--output", str(tmp_path / "budget.jsonl")]) == 2
    assert "field 'budget': a budget is counted by one process" in capsys.readouterr().err
    assert not list(tmp_path.glob("budget*"))
    assert (tmp_path / "there.jsonl").read_text() == (tmp_path / "here.jsonl").read_text()
    here, there = (earlier(tmp_path / f"{name}.jsonl") for name in ("here", "there"))
    assert there["usage"]["calls"] > 0
    assert there["usage"] == here["usage"]


def test_a_judge_is_asked_no_faster_by_many():
    with Client(Server("http://127.0.0.1:9/v1", "m")) as client:
        shared = dataclasses.replace(client.limits, requests_per_minute=60).shared(4)
        assert (shared.concurrency, shared.requests_per_minute) == (4, 15)
        with pytest.raises(InputError, match="at most 16 workers, for each a call under way at once, found 17"):
            client.limits.shared(17)


def told(capsys: pytest.CaptureFixture[str], argv: Sequence[str]) -> str:
    assert main(argv) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    return error


def test_what_does_not_go_together(tmp_path, capsys, monkeypatch):
    write(tmp_path / "prompts.jsonl", PROMPTS)
    argv = [
        "sample",
        "--model",
        "m",
        "--prompts",
        str(tmp_path / "prompts.jsonl"),
        "--output",
        str(tmp_path / "o.jsonl"),
    ]
    assert "'--workers': only used with --engine ray" in told(capsys, [*argv, "--workers", "2"])
    assert "'--sampler'" in told(capsys, [*argv, "--engine", "vllm", "--sampler", "transformers"])
    assert "expected 1 to 2 workers" in told(capsys, [*argv, "--engine", "ray", "--workers", "3"])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'rlhalt[ray]'" in told(capsys, [*argv, "--engine", "ray"])
