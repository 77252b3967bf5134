"""Prompts from files: what is read, and how a file that is not what it must be is told."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from rlhalt.domains import biography, files
from rlhalt.errors import InputError
from rlhalt.records import Prompt, read, write

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
GOOD = {"prompt": "Why is it so?", "reference": {"answer": "1 #### 1"}}


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


def test_prompts_of_ones_own(tmp_path):
    path = lines(
        tmp_path / "mine.jsonl",
        GOOD,
        {"prompt": MESSAGES, "reference": {"x": 1}, "split": "heldout", "more": "kept out"},
    )
    first, second = files.prompts(path, "maths")
    assert first.prompt == [{"role": "user", "content": "Why is it so?"}]
    assert (first.reference, first.domain) == ({"answer": "1 #### 1"}, "maths")
    assert (second.prompt, second.split) == (MESSAGES, "heldout")
    assert first.key != files.prompts(path, "other")[0].key
    write(tmp_path / "prompts.jsonl", [first, second])
    assert list(read(tmp_path / "prompts.jsonl", Prompt)) == [first, second]


def test_one_prompt_in_five_is_held_out_and_none_changes_sides():
    some = [files.split_of(f"prompt {one}") for one in range(2000)]
    assert 0.17 < Counter(some)["heldout"] / 2000 < 0.23
    assert some == [files.split_of(f"prompt {one}") for one in range(2000)]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"reference": {"x": 1}}, "prompt"),
        ({"prompt": "Why?"}, "reference"),
        (GOOD | {"prompt": " "}, "text, or chat messages"),
        (GOOD | {"prompt": []}, "text, or chat messages"),
        (GOOD | {"prompt": [{"role": "user"}]}, "text, or chat messages"),
        (GOOD | {"prompt": [{"role": "user", "content": 3}]}, "text, or chat messages"),
        (GOOD | {"reference": "1"}, "object"),
        (GOOD | {"reference": {}}, "object"),
        (GOOD | {"reference": {"x": 1, "n_desired": 0}}, "whole number above 0"),
        (GOOD | {"split": "test"}, "train or heldout"),
        (GOOD, "that of row 1"),
    ],
)
def test_a_row_that_is_no_prompt_is_told(tmp_path, row, told):
    with pytest.raises(InputError, match=told) as caught:
        files.prompts(lines(tmp_path / "mine.jsonl", GOOD, row), "maths")
    assert caught.value.row == 2


def test_no_rows_are_told(tmp_path):
    with pytest.raises(InputError, match="at least one"):
        files.prompts(lines(tmp_path / "mine.jsonl"), "maths")
    with pytest.raises(InputError, match="no such file"):
        files.prompts(tmp_path / "no.jsonl", "maths")


def test_biographies_take_the_users_articles(tmp_path):
    path = lines(
        tmp_path / "articles.jsonl",
        {"topic": "Ada Berg", "article": "Ada Berg was a painter."},
        {"topic": "Bo Dahl", "article": "Bo Dahl sang."},
    )
    ada, bo = biography.prompts(path)
    assert ada.prompt == [{"role": "user", "content": "Question: Tell me a bio of Ada Berg."}]
    assert ada.reference == {"subject": "Ada Berg", "article": "Ada Berg was a painter."}
    assert (bo.domain, bo.key != ada.key) == ("biography", True)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"topic": "Ada"}, "article"),
        ({"topic": "", "article": "A."}, "topic"),
        ({"topic": "A", "article": 1}, "article"),
    ],
)
def test_an_article_without_its_person_is_told(tmp_path, row, told):
    good = {"topic": "Ada Berg", "article": "Ada Berg was a painter."}
    for rows in ([good, row], [good, good]):
        with pytest.raises(InputError, match=told if row in rows else "once") as caught:
            biography.prompts(lines(tmp_path / "articles.jsonl", *rows))
        assert caught.value.row == 2
