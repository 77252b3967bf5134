from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import sys

import pytest

from judge_server import FAULTS, JudgeServer, label_of, read_prompt
from rlhalt.cli import main
from rlhalt.domains import load_domain
from rlhalt.errors import InputError
from rlhalt.records import Response, Scored, content_key, read, write

OWN = """
from rlhalt.records import Fragment
from rlhalt.verifiers import Verdict

def words(text):
    return [Fragment(0, len(text), "text", text)] if text else []

class Listed:
    name = "listed/1"
    def __init__(self, allowed):
        self.allowed = allowed
    def verify(self, response, fragments, reference):
        return [Verdict("correct" if one.text in self.allowed else "incorrect", "the list") for one in fragments]
"""
SPECIFICATION = """
domain: own
fragmenter: {fragmenter}
verifier: {verifier}
halting: independent
threshold: 0.5
max_failure_rate: 0.02
options:
  allowed: ["Yes.", "No."]
"""


def response(text: str, reference: dict | None = None) -> Response:
    asked = [{"role": "user", "content": "State facts."}]
    return Response(content_key(text), "p", 0, asked, text, reference or {"subject": "A"}, "", "train", "stop", {}, 3)


def test_the_built_in_specification_judges():
    scorer = load_domain("countries").scorer()
    row = dataclasses.replace(response("Kenya is in Africa. Its capital is Oslo."), reference={"subject": "Kenya"})
    assert [one.label for one in scorer.score(row).fragments] == ["correct", "incorrect"]


def test_the_maths_specification_judges():
    scorer = load_domain("maths").scorer()
    gold = "He sold 48/2 = <<48/2=24>>24 clips in May.\nHe sold 48+24 = <<48+24=72>>72 in all.\n#### 72"
    row = dataclasses.replace(
        response("He sold 48/2 = 24 clips in May.\nHe sold 48+24 = 74 in all.\n#### 74"), reference={"answer": gold}
    )
    assert [one.label for one in scorer.score(row).fragments] == ["correct", "incorrect", "incorrect"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("threshold: 0.5", "threshold: 1.5"),
        ("halting: independent", "halting: sometimes"),
        ("fragmenter: sentences", "fragmenter: words"),
        ("halting: independent", "haltng: independent"),
        ("max_failure_rate: 0.02", "max_failure_rate: much"),
        ("domain: countries", "domain: [unclosed"),
    ],
)
def test_a_wrong_specification_is_one_line_naming_the_key(tmp_path, change, says):
    from rlhalt.domains.domain import _FOLDERS

    text = (_FOLDERS[0] / "countries" / "domain.yaml").read_text(encoding="utf-8")
    (tmp_path / "domain.yaml").write_text(text.replace(change, says), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_domain(tmp_path)
    assert "\n" not in str(caught.value)
    assert says.split(":")[0] in str(caught.value) or "YAML" in str(caught.value)


def test_an_unknown_domain_lists_the_known_ones():
    with pytest.raises(InputError, match="countries"):
        load_domain("astrology")


@pytest.fixture
def own_package(tmp_path, monkeypatch):
    (tmp_path / "own_checks.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("own_checks", None)


def specify(folder, fragmenter, verifier):
    (folder / "domain.yaml").write_text(SPECIFICATION.format(fragmenter=fragmenter, verifier=verifier), "utf-8")
    return load_domain(folder)


def test_a_domain_of_ones_own_by_dotted_path(own_package):
    scorer = specify(own_package, "own_checks:words", "own_checks:Listed").scorer()
    assert [scorer.judge(text, {})[0].label for text in ("Yes.", "Perhaps.")] == ["correct", "incorrect"]


def test_a_domain_of_ones_own_by_entry_point(own_package, monkeypatch):
    offered = {
        "rlhalt.verifiers": [importlib.metadata.EntryPoint("listed", "own_checks:Listed", "rlhalt.verifiers")],
        "rlhalt.fragmenters": [importlib.metadata.EntryPoint("words", "own_checks:words", "rlhalt.fragmenters")],
    }
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: offered[group])
    scorer = specify(own_package, "words", "listed").scorer()
    assert scorer.judge("Yes.", {})[0].label == "correct"
    with pytest.raises(InputError, match=r"unknown verifier 'lsted'.*maths, code, judge, model, listed"):
        specify(own_package, "words", "lsted")


@pytest.mark.parametrize("path", ["no_such_package:Name", "own_checks:NoSuchName"])
def test_a_dotted_path_that_leads_nowhere_is_one_line(own_package, path):
    with pytest.raises(InputError, match="importable"):
        specify(own_package, "sentences", path).scorer()


JUDGED = """
domain: judged
fragmenter: sentences
verifier: judge
halting: independent
threshold: 0.5
max_failure_rate: {rate}
prompt: judge.txt
fields: [question]
"""


@pytest.fixture
def judged(tmp_path):
    """A domain with a judge, and 100 responses of twenty sentences each."""
    folder = tmp_path / "reward"
    folder.mkdir()
    (folder / "domain.yaml").write_text(JUDGED.format(rate=0.02), encoding="utf-8")
    (folder / "judge.txt").write_text("Judge the fragments.", encoding="utf-8")
    words = ("right", "wrong", "odd")
    texts = [" ".join(f"Statement {n}-{i} is {words[(n + i) % 3]}." for i in range(20)) for n in range(100)]
    write(tmp_path / "responses.jsonl", [response(text, {"question": "What is so?"}) for text in texts])
    return tmp_path


def score(folder, server, *more):
    argv = ["score", "--responses", folder / "responses.jsonl", "--domain", folder / "reward"]
    argv += ["--output", folder / "scored.jsonl", "--judge-address", server.address, "--judge-model", "m", *more]
    return main([str(one) for one in argv])


def asked_of(request: dict) -> list[str]:
    prompt = read_prompt(request["messages"][-1]["content"])
    return [prompt.fragments[number] for number in prompt.asked]


def test_a_judge_that_breaks_stops_the_command_and_is_asked_again_only_for_what_failed(judged, capsys):
    """Ten faults at 10 % each, 2,000 fragments: each is decided once, rightly, or failed with its reason."""
    with JudgeServer() as server:
        server.faults = dict.fromkeys(FAULTS, 0.1)
        assert score(judged, server, "--judge-timeout", "0.5", "--judge-concurrency", "64") == 3
        assert "fragments failed" in capsys.readouterr().err
        rows = list(read(judged / "scored.jsonl", Scored))
        fragments = [one for row in rows for one in row.fragments]
        assert len(fragments) == 2000
        failed = [one for one in fragments if one.failed]
        assert 0 < len(failed) < 2000
        assert all(one.label == label_of(one.text) for one in fragments if not one.failed)
        assert all(one.error for one in failed)

        server.faults = {}
        before = len(server.requests)
        assert score(judged, server) == 0
        asked = [text for one in server.requests[before:] for text in asked_of(one)]
        assert sorted(asked) == sorted(one.text for one in failed)
    fragments = [one for row in read(judged / "scored.jsonl", Scored) for one in row.fragments]
    assert all(one.label == label_of(one.text) for one in fragments)
    run = json.loads((judged / "scored.run.json").read_text())
    assert run["usage"]["calls"] == len(server.requests) - before


def test_a_dry_run_says_what_it_would_cost_and_asks_nothing(judged, capsys):
    with JudgeServer() as server:
        assert score(judged, server, "--dry-run", "--judge-prices", "1", "2") == 0
        assert server.requests == []
        assert capsys.readouterr().out.startswith("about 100 calls")
        assert not (judged / "scored.jsonl").exists()


def test_a_spent_budget_exits_with_4_and_keeps_what_was_paid_for(judged, capsys):
    with JudgeServer() as server:
        assert score(judged, server, "--budget-calls", "40") == 4
        assert len(server.requests) == 40
        assert "40 calls" in capsys.readouterr().err
        assert score(judged, server) == 0
        assert len(server.requests) == 100


def test_a_judged_domain_without_a_judge_says_how_to_name_one(judged, capsys):
    argv = ["score", "--responses", judged / "responses.jsonl", "--domain", judged / "reward"]
    assert main([str(one) for one in [*argv, "--output", judged / "scored.jsonl"]]) == 2
    assert "--judge-address" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["prompt", "fields"])
def test_a_judge_needs_its_prompt_and_its_fields(judged, missing):
    path = judged / "reward" / "domain.yaml"
    kept = [line for line in path.read_text().splitlines() if not line.startswith(missing)]
    path.write_text("\n".join(kept))
    with pytest.raises(InputError, match=f"{missing}.*of judge"):
        load_domain(judged / "reward")
