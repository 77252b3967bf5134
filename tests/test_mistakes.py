"""Mistakes that users make: each ends with exit 2 and one line that says what to do, and leaves nothing behind."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from judge_server import JudgeServer
from rlhalt.cli import main
from rlhalt.domains.new import write_domain
from rlhalt.errors import InputError
from rlhalt.models.names import resolve_model
from rlhalt.records import Pair, Prompt, Scored, Target, read, write
from rlhalt.scoring import Scorer
from rlhalt.verifiers import Verdict
from tiny_training import ROOT

ASKED = [{"role": "user", "content": "How many legs has the dog?"}]
SAID = [{"role": "assistant", "content": "The dog has 4 legs."}]
OTHER = [{"role": "assistant", "content": "The dog has 5 legs."}]


@pytest.fixture
def refused(capsys, tmp_path, monkeypatch):
    """Run a command in an empty folder's neighbour; it must refuse, and leave the folder as it was."""
    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> str:
        before = sorted(tmp_path.rglob("*.jsonl")) + sorted(tmp_path.rglob("run.json"))
        capsys.readouterr()
        assert main(list(argv)) == 2
        error = capsys.readouterr().err.strip().splitlines()
        # A progress line may stand before it, and a line on what this CPU computes in.
        assert [one for one in error if one.startswith("rlhalt: ") and "this CPU" not in one] == error[-1:]
        assert "Traceback" not in "".join(error)
        assert sorted(tmp_path.rglob("*.jsonl")) + sorted(tmp_path.rglob("run.json")) == before
        return error[-1]

    return run


def train(kind: str, file: str, model: str, *keys: str) -> list[str]:
    argv = ["train", kind, "--train_file", file, "--output_dir", "out", "--model_name_or_path", model]
    return [*argv, "--report_to", "none", *keys]


@pytest.fixture
def rows(tmp_path) -> Path:
    write(tmp_path / "targets.jsonl", [Target("k", ASKED, SAID, "remove", "s")])
    write(tmp_path / "pairs.jsonl", [Pair("k", ASKED, SAID, OTHER, 0.5, "remove", 0.5, 0, "s")])
    write(tmp_path / "train.jsonl", [Prompt("k", ASKED, {"legs": 4}, "legs", "train")])
    return tmp_path


def test_targets_given_to_dpo(refused, rows, tiny_model):
    argv = train("dpo", "targets.jsonl", str(tiny_model), "--draws", "1", "--use_cpu", "true", "--bf16", "false")
    assert "targets.jsonl:1: field 'chosen': expected the fields 'chosen', 'rejected'" in refused(*argv)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ([], "field 'use_cpu': expected a GPU, found none; on a CPU set use_cpu: true"),
        (
            ["--use_cpu", "true", "--bf16", "false", "--attn_implementation", "flash_attention_2"],
            "expected a GPU for flash_attention_2, found none; set attn_implementation: sdpa",
        ),
        (
            ["--use_cpu", "true", "--bf16", "false", "--attn_implementation", "flash_attention_3"],
            "expected a GPU for flash_attention_3, found none",
        ),
    ],
)
def test_what_needs_a_gpu_where_there_is_none(refused, rows, tiny_model, keys, says):
    assert says in refused(*train("dpo", "pairs.jsonl", str(tiny_model), "--draws", "1", *keys))


def test_flash_attention_that_is_not_installed(monkeypatch):
    from rlhalt.training.launch import check_attention

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="flash_attention_2 needs the package flash_attn, which is not installed"):
        check_attention("flash_attention_2")
    check_attention("sdpa")
    check_attention(None)


@pytest.mark.parametrize("name", ["nobody/no-such-model", "no-such-model", "smollm2-135m-instuct"])
def test_a_model_name_while_the_hub_cannot_be_reached(refused, rows, name):
    # The tests run with HF_HUB_OFFLINE=1.
    with pytest.raises(InputError, match="found no folder here, and the hub cannot be reached"):
        resolve_model(name)
    argv = ["sample", "--model", name, "--prompts", "train.jsonl", "--engine", "transformers", "--output", "o.jsonl"]
    assert "found no folder here, and the hub cannot be reached" in refused(*argv)


@pytest.mark.parametrize(
    ("status", "says"),
    [(404, "no such model on the hub; a private or gated one takes HF_TOKEN"), (500, None)],
)
def test_a_model_name_that_the_hub_does_not_know(monkeypatch, status, says):
    import httpx
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    def asked(name: str, timeout: float) -> None:
        kind = RepositoryNotFoundError if status == 404 else HfHubHTTPError
        raise kind("no", response=httpx.Response(status, request=httpx.Request("GET", "https://hub/api")))

    monkeypatch.setattr("huggingface_hub.model_info", asked)
    name = f"nobody/answered-with-{status}"
    if says is None:
        assert resolve_model(name) == name
    else:
        with pytest.raises(InputError, match=says):
            resolve_model(name)


def test_a_text_that_is_no_name_of_a_hub():
    with pytest.raises(InputError, match="this is no hub name"):
        resolve_model("two words")


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        ('["correct" for one in fragments]', "returned 'correct' (str), expected rlhalt.verifiers.Verdict"),
        ("[True for one in fragments]", "returned 'True' (bool), expected rlhalt.verifiers.Verdict"),
        ('[("correct", "so") for one in fragments]', "(tuple), expected rlhalt.verifiers.Verdict"),
    ],
)
def test_a_verifier_that_returns_no_verdicts(refused, tmp_path, returned, says):
    write_domain(tmp_path / "legs")
    code = (tmp_path / "legs" / "domain.py").read_text()
    original = '[self._verdict(one.text, reference["legs"]) for one in fragments]'
    assert original in code
    (tmp_path / "legs" / "domain.py").write_text(code.replace(original, returned))
    row = {"prompt": ASKED[0]["content"], "response": SAID[0]["content"], "reference": {"legs": 4}}
    (tmp_path / "responses.jsonl").write_text(json.dumps(row) + "\n")
    error = refused("score", "--responses", "responses.jsonl", "--domain", "legs", "--output", "scored.jsonl")
    assert says in error
    assert "the verifier legs/1" in error


def test_a_verdict_that_was_forgotten_is_a_failed_fragment():
    from rlhalt.fragments.sentences import sentences

    class Forgetful:
        name = "forgetful/1"

        def verify(self, response, fragments, reference):
            return [Verdict("correct", "so"), None]

    judged = Scorer(sentences, Forgetful()).judge("One is so. Two is so.", {})
    assert [one.label for one in judged] == ["correct", None]


def test_a_judge_that_is_down(refused, tmp_path):
    with JudgeServer() as server:
        address = server.address
    reference = {"question": "What is so?", "explanation": "The right things are so."}
    row = {"prompt": "What is so?", "response": "It is right.", "reference": reference, "domain": "medicine"}
    (tmp_path / "responses.jsonl").write_text(json.dumps(row) + "\n")
    argv = ["score", "--responses", "responses.jsonl", "--output", "scored.jsonl", "--judge-model", "m"]
    error = refused(*argv, "--judge-address", address)
    assert f"expected a server at {address}, found none" in error
    assert "start it, or correct the address" in error


def test_a_served_model_that_is_down(refused, rows):
    with JudgeServer() as server:
        address = server.address
    argv = ["sample", "--engine", "openai", "--address", address, "--model", "m", "--prompts", "train.jsonl"]
    assert f"expected a server at {address}, found none" in refused(*argv, "--output", "responses.jsonl")


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (
            ["prompts", "--domain", "maths", "--file", "own.jsonl", "--split", "heldout", "--output", "out.jsonl"],
            "own.jsonl: field 'split': expected prompts of the split heldout, found 1 of train",
        ),
        (
            [
                "evaluate",
                "--model",
                "m",
                "--name",
                "base",
                "--prompts",
                "train.jsonl",
                "--domain",
                "legs",
                "--output",
                "evaluation",
            ],
            "train.jsonl: field 'split': expected prompts of the split heldout, found 1 of train",
        ),
        (
            [
                "calibrate",
                "--model",
                "m",
                "--prompts",
                "train.jsonl",
                "--domain",
                "legs",
                "--split",
                "heldout",
                "--output",
                "calibration",
            ],
            "train.jsonl: field 'split': expected prompts of the split heldout, found 1 of train",
        ),
    ],
    ids=lambda one: one[0] if isinstance(one, list) else "",
)
def test_a_split_with_nothing_in_it(refused, rows, argv, says):
    write_domain(rows / "legs")
    own = {"prompt": "What is 1 + 1?", "reference": {"answer": "#### 2"}, "split": "train"}
    (rows / "own.jsonl").write_text(json.dumps(own) + "\n")
    assert says in refused(*argv)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sft": "sft/mine.yaml"}, "found none: elsewhere/sft/mine.yaml"),
        ({"sft": "sft/mine.yaml", "dpo": "dpo/mine.yaml"}, "elsewhere/sft/mine.yaml, elsewhere/dpo/mine.yaml"),
        ({"domain": "legs"}, "expected a domain"),
        ({"train_file": "data/rows.jsonl"}, "found none: data/rows.jsonl"),
        ({"model": "./models/mine"}, "./models/mine: expected a model folder"),
        (
            {"sft": "with_mix.yaml"},
            "elsewhere/with_mix.yaml: field 'mix_file': expected a file, found none at no.jsonl",
        ),
        (
            {"sft": "with_template.yaml"},
            "elsewhere/with_template.yaml: field 'base_template': expected a file, found none at no.jinja",
        ),
    ],
    ids=lambda one: "" if isinstance(one, str) else ", ".join(one),
)
def test_a_recipe_that_was_copied_elsewhere(refused, tmp_path, change, says):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    lines = (ROOT / "configs" / "recipes" / "arithmetic.yaml").read_text().splitlines()
    kept = [line for line in lines if line.partition(":")[0] not in change]
    (folder / "recipe.yaml").write_text("\n".join([*kept, *(f"{key}: {value}" for key, value in change.items())]))
    for name, line in {"mix": "mix_file: no.jsonl", "template": "base_template: no.jinja"}.items():
        (folder / f"with_{name}.yaml").write_text(f"learning_rate: 1e-4\n{line}\n")
    assert says in refused("run", "elsewhere/recipe.yaml", "--output", "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["run", "quickstrt"], "quickstart"),
        (["rounds", "--rounds", "2", "--config", "elemnts"], "elements"),
        (["prompts", "--domain", "contries", "--output", "out.jsonl"], "countries"),
        (["audit", "elementts"], "elements"),
    ],
    ids=lambda one: one[0] if isinstance(one, list) else "",
)
def test_a_misspelt_name_of_a_recipe_or_domain(refused, argv, says):
    assert refused(*argv).endswith(f"; did you mean '{says}'?")


def test_the_last_line_counts(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_domain(tmp_path / "legs")
    last = lambda: capsys.readouterr().out.splitlines()[-1]  # noqa: E731
    assert main(["prompts", "--domain", "legs", "--output", "prompts.jsonl"]) == 0
    assert last() == "16 train, 4 held out"
    said = ["The dog has 4 legs. It has 5 legs.", "The dog has 4 legs."]
    asked = {"prompt": ASKED[0]["content"], "reference": {"legs": 4}, "domain": "legs", "split": "train"}
    (tmp_path / "responses.jsonl").write_text("".join(json.dumps({**asked, "response": one}) + "\n" for one in said))
    for _ in range(2):
        assert main(["score", "--responses", "responses.jsonl", "--domain", "legs", "--output", "scored.jsonl"]) == 0
        assert last() == "2 responses, 3 fragments: 2 correct, 1 incorrect"
    assert [len(one.fragments) for one in read(tmp_path / "scored.jsonl", Scored)] == [2, 1]
    argv = ["pairs", "--scored", "scored.jsonl", "--domain", "legs", "--output", "pairs.jsonl"]
    assert main(argv) == 0
    assert last() == "3 pairs of 2 responses, 33% prefer to halt, with 33% of the weight"
    for method in ([], ["--method", "absolute"]):
        assert main([*argv, "--targets", f"targets{len(method)}.jsonl", *method]) == 0
        count = len(list(read(tmp_path / f"targets{len(method)}.jsonl", Target)))
        assert last() == f"{count} targets for 1 prompts"
    shutil.rmtree(tmp_path / "legs")
