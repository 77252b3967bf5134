from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest

from rlhalt.cli import main
from rlhalt.records import Prompt, Scored, read, write

ROW = Prompt("k", [{"role": "user", "content": "State five facts about A."}], {"subject": "A"}, "countries", "heldout")


def test_help_is_quick_and_nothing_heavy_is_imported():
    script = (
        "import sys\nfrom rlhalt.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'trl', 'transformers', 'vllm', 'numpy', 'datasets', 'ray'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout
    for verb in ("sample", "score", "pairs", "train", "evaluate", "compare", "quickstart"):
        assert verb in done.stdout


@pytest.mark.parametrize("code", ["import rlhalt", "from rlhalt.cli import _parser; _parser()"])
def test_the_package_and_its_command_line_import_the_standard_library_alone(code):
    said = "import sys; print(*{one.split('.')[0] for one in sys.modules} - {'rlhalt'} - set(sys.stdlib_module_names))"
    before, after = (
        subprocess.run([sys.executable, "-c", f"{some}; {said}"], capture_output=True, text=True, check=True).stdout
        for some in ("pass", code)
    )
    # What the interpreter itself loads at its start, as __main__, is there before.
    assert set(after.split()) == set(before.split())


def one_line_error(capsys, argv: list[str], *says: str) -> None:
    assert main(argv) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    for part in says:
        assert part in error


@pytest.fixture
def scored_file(scored_row, tmp_path):
    write(tmp_path / "scored.jsonl", [scored_row(["A is in Asia.", "Its capital is B."], "+-")])
    return tmp_path / "scored.jsonl"


def test_pairs_and_targets(scored_file, tmp_path):
    argv = ["pairs", "--scored", str(scored_file), "--output", str(tmp_path / "pairs.jsonl")]
    assert main([*argv, "--threshold", "0.3", "--targets", str(tmp_path / "targets.jsonl")]) == 0
    weights = [json.loads(line)["weight"] for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert weights == [0.7, 0.3]
    assert "A is in Asia." in (tmp_path / "targets.jsonl").read_text()
    assert json.loads((tmp_path / "pairs.run.json").read_text())["config"] == {"style": "remove", "threshold": 0.3}


@pytest.mark.parametrize("threshold", ["0", "1", "1.5", "nan"])
def test_a_threshold_outside_0_and_1(capsys, scored_file, tmp_path, threshold):
    argv = ["pairs", "--scored", str(scored_file), "--output", str(tmp_path / "pairs.jsonl")]
    one_line_error(capsys, [*argv, "--threshold", threshold], "threshold", threshold)
    assert not list(tmp_path.glob("pairs*"))


def test_a_missing_file(capsys, tmp_path):
    one_line_error(
        capsys, ["score", "--responses", "nowhere.jsonl", "--output", str(tmp_path / "o.jsonl")], "nowhere.jsonl"
    )


def test_an_empty_prompt(capsys, tmp_path):
    row = {**dataclasses.asdict(ROW), "prompt": [{"role": "user", "content": ""}]}
    (tmp_path / "prompts.jsonl").write_text(json.dumps(row) + "\n")
    argv = [
        "sample",
        "--model",
        "m",
        "--prompts",
        str(tmp_path / "prompts.jsonl"),
        "--output",
        str(tmp_path / "o.jsonl"),
    ]
    one_line_error(capsys, argv, "prompts.jsonl:1", "field 'prompt[0]'")
    assert not (tmp_path / "o.jsonl").exists()


def test_a_model_folder_that_is_none(capsys, tmp_path):
    write(tmp_path / "prompts.jsonl", [ROW])
    (tmp_path / "model").mkdir()
    argv = ["sample", "--model", str(tmp_path / "model"), "--prompts", str(tmp_path / "prompts.jsonl")]
    one_line_error(capsys, [*argv, "--output", str(tmp_path / "o.jsonl")], "expected a model folder", "config.json")
    assert not list(tmp_path.glob("o.jsonl*"))


def test_a_reference_without_an_entry(capsys, tmp_path, scored_row):
    row = dataclasses.replace(scored_row(["Atlantis is in Asia."], "+"), reference={"subject": "Atlantis"})
    write(tmp_path / "responses.jsonl", [row])
    argv = ["score", "--responses", str(tmp_path / "responses.jsonl"), "--output", str(tmp_path / "scored.jsonl")]
    assert main(argv) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "Atlantis" in error
    assert "response 1" in error
    assert not (tmp_path / "scored.jsonl").exists()


def test_an_unknown_domain(capsys, scored_file, tmp_path):
    argv = ["pairs", "--scored", str(scored_file), "--domain", "astrology", "--output", str(tmp_path / "pairs.jsonl")]
    one_line_error(capsys, argv, "astrology", "countries")


def test_scoring_by_the_command_line(tmp_path, scored_row):
    row = dataclasses.replace(scored_row(["Kenya is in Africa."], "-"), reference={"subject": "Kenya"})
    write(tmp_path / "responses.jsonl", [row])
    argv = ["score", "--responses", str(tmp_path / "responses.jsonl"), "--output", str(tmp_path / "scored.jsonl")]
    assert main(argv) == 0
    assert [one.label for row in read(tmp_path / "scored.jsonl", Scored) for one in row.fragments] == ["correct"]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--domain", "truthfulqa"], "--file"),
        (["--domain", "maths", "--file", "FILE"], "--split"),
        (["--domain", "mine", "--file", "FILE"], "expected a domain"),
    ],
)
def test_prompts_say_which_flag_a_domain_needs(tmp_path, capsys, argv, says):
    (tmp_path / "rows").write_text('{"question": "1+1?", "answer": "#### 2"}\n', encoding="utf-8")
    argv = [str(tmp_path / "rows") if one == "FILE" else one for one in argv]
    assert main(["prompts", *argv, "--output", str(tmp_path / "prompts.jsonl")]) == 2
    assert says in capsys.readouterr().err


def test_prompts_of_a_file_of_ones_own(tmp_path):
    (tmp_path / "rows").write_text('{"prompt": "Why?", "reference": {"answer": "#### 2"}}\n', encoding="utf-8")
    output = tmp_path / "prompts.jsonl"
    argv = ["prompts", "--domain", "maths", "--file", str(tmp_path / "rows"), "--output", str(output)]
    assert main(argv) == 0
    (one,) = read(output, Prompt)
    reference = {"answer": "#### 2", "n_desired": 1}
    assert (one.prompt[0]["content"], one.reference, one.domain) == ("Why?", reference, "maths")


def test_few_shot_examples_of_a_folder(tmp_path, monkeypatch):
    from rlhalt import sampling

    drawn = []
    monkeypatch.setattr(sampling, "sample", lambda prompts, settings, *_, **__: drawn.append(settings.few_shot))
    folder = tmp_path / "legs"
    assert main(["new", "domain", str(folder)]) == 0
    assert main(["prompts", "--domain", str(folder), "--output", str(tmp_path / "prompts.jsonl")]) == 0
    argv = ["sample", "--model", "tiny", "--prompts", str(tmp_path / "prompts.jsonl"), "--few-shot"]
    assert main([*argv, "--output", str(tmp_path / "responses.jsonl")]) == 2
    assert main([*argv, "--domain", str(folder), "--output", str(tmp_path / "responses.jsonl")]) == 0
    assert [len(one) for one in drawn] == [4]


@pytest.mark.parametrize("in_prompt", [False, True])
def test_evaluate_writes_the_threshold_into_the_prompt_where_it_is_asked_to(monkeypatch, tmp_path, in_prompt):
    from rlhalt.evaluation import run as evaluation

    policies = []
    monkeypatch.setattr(evaluation, "evaluate", lambda policy, *_, **__: policies.append(policy))
    write(tmp_path / "prompts.jsonl", [ROW])
    argv = ["evaluate", "--prompts", str(tmp_path / "prompts.jsonl"), "--model", "tiny", "--name", "decisions"]
    argv += ["--output", str(tmp_path / "out"), "--threshold", "0.8", "--domain", "countries"]
    assert main([*argv, *(["--threshold-in-prompt"] if in_prompt else [])]) == 0
    assert [(one.threshold_in_prompt, one.threshold) for one in policies] == [(in_prompt, 0.8)]
