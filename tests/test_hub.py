"""Data sets by their name on the hub: loaded once by `datasets`, then read as any file."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import pytest

from rlhalt.cli import main
from rlhalt.domains import load_domain
from rlhalt.domains.hub import HubName, hub_name, local_file, on_hub
from rlhalt.errors import InputError
from rlhalt.records import Prompt, read

GSM8K = [{"question": f"What is {n} + 1?", "answer": f"{n} + 1 = {n + 1}\n#### {n + 1}"} for n in range(3)]


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub that has GSM8K, and notes what it was asked for."""
    monkeypatch.setenv("RLHALT_CACHE", str(tmp_path / "cache"))
    asked = []

    def load(path, name=None, *, split, revision):
        asked.append((path, name, split, revision))
        return datasets.Dataset.from_list(GSM8K)

    monkeypatch.setattr(datasets, "load_dataset", load)
    return asked


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hub://openai/gsm8k/main/train", ("openai/gsm8k", "main", "train", None)),
        ("hub://openai/openai_humaneval/test", ("openai/openai_humaneval", None, "test", None)),
        ("hub://a/b/c/train+validation@7dce605", ("a/b", "c", "train+validation", "7dce605")),
        ("hub://a/b/train[:100]", ("a/b", None, "train[:100]", None)),
    ],
)
def test_the_parts_of_a_name(text, parts):
    assert hub_name(text) == HubName(*parts)


@pytest.mark.parametrize("text", ["hub://gsm8k/train", "hub://", "hub://a/b/c/d/e", "hub://a/../b", "hub://a/b/c d"])
def test_a_name_that_is_none(text):
    with pytest.raises(InputError, match="OWNER/NAME"):
        local_file(text)


def test_a_file_is_itself(tmp_path):
    assert not on_hub(tmp_path)
    assert local_file(tmp_path / "rows.jsonl") == tmp_path / "rows.jsonl"


def test_rows_are_loaded_once_and_read_as_a_file(hub):
    file = local_file("hub://openai/gsm8k/main/train@abc")
    assert hub == [("openai/gsm8k", "main", "train", "abc")]
    assert [json.loads(line) for line in file.read_text().splitlines()] == GSM8K
    assert local_file("hub://openai/gsm8k/main/train@abc") == file
    assert len(hub) == 1
    assert local_file("hub://openai/gsm8k/main/test") != file


def test_prompts_of_the_hub(hub, tmp_path, capsys):
    output = tmp_path / "prompts.jsonl"
    argv = ["prompts", "--domain", "maths", "--file", "hub://openai/gsm8k/main/train", "--split", "train"]
    assert main([*argv, "--output", str(output)]) == 0
    assert "3 train, 0 held out" in capsys.readouterr().out
    assert [one.reference["question"] for one in read(output, Prompt)] == [one["question"] for one in GSM8K]


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


MEDMCQA = {"question": "What is it?", "opa": "w", "opb": "x", "opc": "y", "opd": "z", "cop": 2, "exp": "It is y."}


def test_medmcqa_without_an_explanation_asks_nothing(tmp_path):
    rows = [MEDMCQA, MEDMCQA | {"question": "And this?", "exp": None}, MEDMCQA]
    [one] = load_domain("medicine").prompts(write(tmp_path / "rows.jsonl", *rows))
    asked = "What is it?\nA. w\nB. x\nC. y\nD. z"
    assert one.reference == {"question": asked, "explanation": "It is y."}
    assert one.prompt[0]["content"] == f"{asked}\nGive the answer and explain it."


def test_medicine_still_takes_rows_of_ones_own(tmp_path):
    row = {"prompt": "Why?", "reference": {"question": "Why?", "explanation": "Because."}}
    [one] = load_domain("medicine").prompts(write(tmp_path / "rows.jsonl", row))
    assert one.reference["explanation"] == "Because."


TRUTHFUL = {
    "question": "Is it magic?",
    "best_answer": "No; it is a trick",
    "correct_answers": ["No", "No; it is a trick", " "],
    "incorrect_answers": ["Yes"],
}


def test_truthfulqa_as_the_hub_has_it(tmp_path):
    [one] = load_domain("truthfulqa").prompts(write(tmp_path / "rows.jsonl", TRUTHFUL))
    # Its lists are lists: an answer with a semicolon stays one.
    assert one.reference == {"question": "Is it magic?", "true": ["No; it is a trick", "No"], "false": ["Yes"]}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"incorrect_answers": []}, "incorrect_answers"),
        ({"correct_answers": "No"}, "correct_answers"),
        ({"question": ""}, "question"),
    ],
)
def test_truthfulqa_rows_that_are_none(tmp_path, change, told):
    with pytest.raises(InputError, match=told):
        load_domain("truthfulqa").prompts(write(tmp_path / "rows.jsonl", TRUTHFUL | change))


def test_long_prompts_about_countries_hold_out_the_countries_of_the_short_ones():
    short, long = load_domain("countries"), load_domain("countries-long")
    for split in ("train", "heldout"):
        names = [one.reference["subject"] for one in long.prompts(split=split)]
        assert set(names) == {one.reference["subject"] for one in short.prompts(split=split)}
        assert len(names) == 4 * len(set(names))
    assert not long.has_examples
    said = long.scorer().judge("Kenya lies in East Africa. Its capital is Mombasa.", {"subject": "Kenya"})
    assert [one.label for one in said] == ["correct", "incorrect"]
