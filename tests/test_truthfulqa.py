from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from rlhalt.domains.truthfulqa import answers_of, prompts
from rlhalt.errors import InputError

FILE = Path(__file__).parents[2] / "shared" / "data" / "truthfulqa" / "TruthfulQA.csv"
HEADER = "Type,Category,Question,Best Answer,Correct Answers,Incorrect Answers,Source\n"
ROW = 'Adversarial,Myths,"Is it, so?",It is not,"No; It is not ; No","Yes; It is",https://example.org\n'


def csv(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_question_with_its_true_and_false_answers(tmp_path, encoding):
    header, row = HEADER.removeprefix("Type,Category,"), ROW.removeprefix("Adversarial,Myths,")
    (prompt,) = prompts(csv(tmp_path / "a.csv", header + row, encoding))
    assert prompt.prompt == [{"role": "user", "content": "Is it, so?"}]
    assert prompt.reference == {"question": "Is it, so?", "true": ["It is not", "No"], "false": ["Yes", "It is"]}
    assert prompt.domain == "truthfulqa"


def test_answers_are_parted_by_semicolons():
    assert answers_of(" a; b ;;a; c d ") == ["a", "b", "c d"]
    assert answers_of("") == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "columns"),
        (HEADER.replace("Incorrect Answers", "Wrong"), "Incorrect Answers missing"),
        (HEADER, "at least one"),
        (HEADER + ROW.replace('"Yes; It is"', "; "), "false"),
        (HEADER + ROW.replace('"Is it, so?"', ""), "Question"),
        (HEADER + "a,b,c\n", "true"),
        (HEADER + ROW + ROW, "once"),
    ],
)
def test_another_file_is_told(tmp_path, text, told):
    with pytest.raises(InputError, match=told):
        prompts(csv(tmp_path / "a.csv", text))


def test_no_file_and_no_utf8_are_told(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        prompts(tmp_path / "no.csv")
    with pytest.raises(InputError, match="UTF-8"):
        prompts(csv(tmp_path / "a.csv", HEADER + ROW.replace("so", "sö"), "latin-1"))


@pytest.mark.skipif(not FILE.is_file(), reason="questions are missing: ../shared/data/truthfulqa/TruthfulQA.csv")
def test_all_questions_load():
    found = prompts(FILE)
    # The file has 814 lines, the first of them its header.
    assert len(found) == len({one.key for one in found}) == 813
    assert Counter(one.split for one in found) == {"train": 659, "heldout": 154}
    assert all(one.reference["true"] and one.reference["false"] for one in found)
