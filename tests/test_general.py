"""What a model does outside of its domain: text against torchmetrics, instructions against answers that people give."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from evaluation_folders import build
from rlhalt.cli import main
from rlhalt.errors import InputError
from rlhalt.evaluation import compare, general, load
from rlhalt.evaluation.general import General, Window, instructions, measure, read_windows
from rlhalt.evaluation.tables import markdown, rows
from rlhalt.records import HALT_PHRASE
from rlhalt.report.page import render
from rlhalt.report.summary import sentences

TEXT = "The fjords of Norway are deep. Ålesund lies by the sea — 日本 does too. " * 6


@pytest.fixture(scope="module")
def policy(tiny_model):
    from rlhalt.models.names import load_policy

    model, tokenizer = load_policy(str(tiny_model))
    return model.float(), tokenizer


def test_the_bits_of_a_text_are_those_of_its_perplexity(policy):
    import torch
    from torchmetrics.text import Perplexity

    model, tokenizer = policy
    ids = torch.tensor([tokenizer(TEXT, add_special_tokens=False)["input_ids"]])[:, :200]
    text = tokenizer.decode(ids[0]).rstrip("\ufffd")
    ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
    [window] = read_windows(model, tokenizer, text)
    with torch.no_grad():
        theirs = Perplexity()(model(ids).logits[:, :-1], ids[:, 1:])
    assert 2 ** (window.bits / window.tokens) == pytest.approx(float(theirs), rel=1e-4)
    assert window.tokens == ids.shape[1] - 1
    assert window.bytes == len(text.encode()) - len(tokenizer.decode(ids[0, :1]).encode())


@pytest.mark.parametrize("size", [7, 64, 100])
def test_windows_cover_the_text_and_see_what_is_before_them(policy, monkeypatch, size):
    import torch

    model, tokenizer = policy
    ids = tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    monkeypatch.setattr(general, "WINDOW", size)
    found = read_windows(model, tokenizer, TEXT)
    assert [one.tokens for one in found[:-1]] == [size] * (len(found) - 1)
    assert sum(one.tokens for one in found) == len(ids) - 1
    assert sum(one.bytes for one in found) == len(TEXT.encode()) - len(tokenizer.decode(ids[:1]).encode())
    # The third window, each token by itself.
    bits = 0.0
    for at in range(1 + 2 * size, 1 + 3 * size):
        before = torch.tensor([ids[1 + size : at]])
        with torch.no_grad():
            bits -= float(model(before).logits[0, -1].log_softmax(-1)[ids[at]]) / torch.log(torch.tensor(2.0)).item()
    assert found[2].bits == pytest.approx(bits, rel=1e-4)


@pytest.mark.parametrize("text", ["", "T"])
def test_too_little_text_is_told(policy, text):
    with pytest.raises(InputError, match="expected a text of two tokens or more"):
        read_windows(*policy, text)


def test_each_instruction_is_answered_by_its_own_answer_alone():
    asked = instructions()
    assert len(asked) == len({one.instruction for one in asked}) == 24
    for one in asked:
        assert one.right(one.answer)
        assert one.right(f" {one.answer}\n")
        for other in asked:
            assert one.right(other.answer) == (one is other), (one.instruction, other.answer)
        for wrong in ("", HALT_PHRASE, one.instruction, "I cannot help with that."):
            assert not one.right(wrong), (one.instruction, wrong)


@pytest.mark.parametrize(
    ("asked", "response", "right"),
    [
        ("7 + 5", "7 + 5 = 12\n\nThis is addition.", True),
        ("7 + 5", "The answer is 12.", True),
        ("7 + 5", "The answer is 11.", False),
        ("7 + 5", "112", False),
        ("231 or 312", "312 is larger than 231.", False),
        ("days are in", "There are seven days in a week.", True),
        ("apple", "apple", False),
        ("blue lantern", '"Blue lantern."', True),
        ("blue lantern", "Blue lantern, blue lantern.", False),
        ("JSON", '```json\n{"a": 1}\n```', True),
        ("JSON", '{"a": "1"}', False),
        ("ice colder", "Yes, ice is colder.", True),
        ("ice colder", "Yesterday it was.", False),
        ("ten less", "None", False),
        ("fruits", "Here are three:\n\n1. Apple\n2. Pear\n3. Plum", True),
        ("fruits", "Apple, pear, plum.", False),
        ("Python", "```python\ndef add(a, b):\n    return a + b\n```", True),
        ("Python", "def plus(a, b):", False),
        ("question", "Do you play?", True),
        ("question", "Music is nice.", False),
        ("Anna", "Dear Anna, how are you?", True),
        ("Anna", "Anna is a name.", False),
        ("opposite of hot", "The opposite of hot is cold.", True),
        ("Count from 1", "1, 2, 3, 4, 5, 6", False),
    ],
)
def test_what_counts_as_following(asked, response, right):
    [one] = [each for each in instructions() if asked in each.instruction]
    assert one.right(response) == right


@pytest.fixture
def folders(tmp_path, tiny_model):
    made = build(tmp_path, n_prompts=3, samples=0, seeds=(0, 1), thresholds=())
    for folder in made:
        run = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**run, "model": str(tiny_model)}))
    return made


def test_general_is_measured_once_and_compared(folders, tmp_path, capsys, monkeypatch):
    text = tmp_path / "text.txt"
    text.write_text(TEXT, encoding="utf-8")
    assert main(["general", *map(str, folders), "--text", str(text)]) == 0
    assert capsys.readouterr().out.split() == [str(folder / "general.json") for folder in folders]
    monkeypatch.setattr(general, "load_engine", lambda *_: pytest.fail("measured again"))
    measure(folders[0], text)
    evaluations = [load(folder) for folder in folders]
    base, sft = (found := compare(evaluations, resamples=20)).elsewhere
    # The same model thrice.
    assert (base.model, base.seeds, sft.model, sft.seeds) == ("base", 1, "SFT", 2)
    assert base.bits == sft.bits
    assert (sft.bits_more.value, sft.right_more.value) == (0, 0)
    assert [row.title for row in rows(found, "greedy")][-3:] == [
        "bits a byte of text", "perplexity of text", "instructions followed, %"
    ]  # fmt: skip
    assert "| bits a byte of text | " in markdown(found)
    assert "less base's, paired" in render(found, evaluations)


def with_general(evaluation, bits, right, text="t"):
    windows = [Window(one, 10, 40) for one in bits]
    return dataclasses.replace(evaluation, general=General(text, "i", windows, right))


@pytest.fixture
def evaluations(folders):
    return [load(folder) for folder in folders]


def test_elsewhere_by_hand(evaluations):
    base, first, second = evaluations
    found = compare(
        [
            with_general(base, [20, 40], [True, True, False, False]),
            with_general(first, [40, 40], [True, False, False, False]),
            with_general(second, [60, 40], [False, False, False, False]),
        ],
        resamples=20,
    )
    ours, theirs = found.elsewhere
    assert (ours.bits.value, ours.perplexity.value, ours.right.value) == (60 / 80, 2 ** (60 / 20), 0.5)
    assert (theirs.bits.value, theirs.right.value) == (90 / 80, 0.125)
    assert (theirs.bits_more.value, theirs.right_more.value) == (30 / 80, -0.375)
    [said] = [one for one in sentences(found) if one.startswith("Outside of its domain, SFT needs 0.375 bits a byte")]
    assert "of text more than base (95 %: " in said
    assert " and follows 38 points fewer of the short instructions (95 %: " in said
    assert theirs.bits_more.low <= theirs.bits_more.value <= theirs.bits_more.high


def test_what_was_not_measured_is_not_defined(evaluations):
    base, sft, _ = evaluations
    nothing = compare([base, sft], resamples=5)
    assert nothing.elsewhere == []
    assert not any(one.startswith("Outside") for one in sentences(nothing))
    assert "Not measured: <code>rlhalt general" in render(nothing, [base, sft])
    one = with_general(sft, [], [True, False], text=None)
    half = compare([base, one], resamples=5)
    assert not any(one.startswith("Outside") for one in sentences(half))
    assert [(each.model, each.bits.value, each.right.value, each.right_more.value) for each in half.elsewhere] == [
        ("SFT", None, 0.5, None)
    ]
    assert [str(each.value) for each in rows(half, "greedy")[-1].cells] == ["–", "50"]


def test_other_text_may_not_be_compared(evaluations):
    base, sft, _ = evaluations
    told = f"the text of general.json is t in {base.folder} but u in {sft.folder}"
    with pytest.raises(InputError, match=re.escape(told)):
        compare([with_general(base, [1, 2], [True]), with_general(sft, [1, 2], [True], text="u")])


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "expected a text file, found no such file"), (b"\xff\xfe", "expected UTF-8, found byte 0xff")],
)
def test_a_text_that_cannot_be_read_is_told(folders, tmp_path, content, told):
    if content is not None:
        (tmp_path / "text.txt").write_bytes(content)
    with pytest.raises(InputError, match=told):
        measure(folders[0], tmp_path / "text.txt")


@pytest.mark.parametrize("content", ["{", "[]", '{"windows": []}', '{"windows": [1], "right": [], "instructions": ""}'])
def test_a_general_json_that_is_none_is_told(folders, content):
    (folders[0] / "general.json").write_text(content)
    with pytest.raises(InputError, match=r"general\.json: expected what rlhalt general writes, found .*; remove it"):
        load(folders[0])


def test_a_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(InputError, match=r"expected an evaluation folder with a run\.json that names its model"):
        measure(tmp_path)


def test_all_that_general_reads_is_looked_for_before_a_model_is_asked(folders, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(general, "measure", lambda *args: pytest.fail("asked"))
    (tmp_path / "empty.txt").write_text(" \n")
    for argv, told in {
        (str(folders[0]), str(tmp_path / "nowhere")): "names its model",
        (str(folders[0]), "--text", str(tmp_path / "no.txt")): "expected a text file, found no such file",
        (str(folders[0]), "--text", str(tmp_path / "empty.txt")): "expected a text of two tokens or more",
    }.items():
        assert main(["general", *argv]) == 2
        assert told in capsys.readouterr().err
