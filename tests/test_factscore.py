"""People's labels of biographies become scored rows, all of them, and these become pairs and targets."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from rlhalt.domains.biography import prompt
from rlhalt.domains.biography.factscore import Biographies, read, write_scored
from rlhalt.errors import InputError
from rlhalt.records import Scored
from rlhalt.records import read as read_rows
from rlhalt.training_data import pairs, targets

DATA = Path(__file__).parents[2] / "shared" / "data" / "factscore"
FILES = [DATA / "ChatGPT.jsonl", DATA / "InstructGPT.jsonl"]
real = pytest.mark.skipif(
    not all(one.is_file() for one in FILES), reason="labelled biographies are missing: ../shared/data/factscore"
)
ROW = {
    "input": "Question: Tell me a bio of Ada Berg.",
    "topic": "Ada Berg",
    "output": "Ada Berg is a Norwegian painter. She likes tea.",
    "annotations": [
        {
            "text": "Ada Berg is a Norwegian painter.",
            "human-atomic-facts": [
                {"text": "Ada Berg is Norwegian.", "label": "S"},
                {"text": "Ada Berg is a painter.", "label": "NS"},
            ],
        },
        {"text": "She likes tea.", "human-atomic-facts": None},
    ],
}


def write_rows(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


def test_a_labelled_biography_is_a_scored_row(tmp_path):
    (row,) = read([write_rows(tmp_path / "GPT.jsonl", ROW)], "facts").rows
    assert row.prompt == [{"role": "user", "content": ROW["input"]}]
    assert row.prompt_key == prompt("Ada Berg", {"article": "…"}).key
    assert row.reference == {"subject": "Ada Berg"}
    assert (row.domain, row.sampler["model"]) == ("biography", "GPT")
    assert [(one.text, one.label) for one in row.fragments] == [
        ("Ada Berg is a Norwegian", "correct"),
        ("painter.", "incorrect"),
        ("She likes tea.", "unverifiable"),
    ]


def test_what_is_not_placed_is_counted(tmp_path):
    odd = ROW | {"output": "Ada Berg is a Norwegian. She likes tea."}
    path = write_rows(tmp_path / "GPT.jsonl", ROW, odd)
    found = write_scored([path], tmp_path / "scored.jsonl", "sentences")
    assert [(one.row, one.text) for one in found.unplaced] == [(2, ROW["annotations"][0]["text"])]
    told = json.loads((tmp_path / "scored.run.json").read_text(encoding="utf-8"))
    assert told["unplaced"] == [{"path": "GPT.jsonl", "row": 2, "text": ROW["annotations"][0]["text"]}]
    assert told["fragments"] == {"incorrect": 1, "unverifiable": 3}
    assert list(read_rows(tmp_path / "scored.jsonl", Scored)) == found.rows


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"topic": ""}, "topic"),
        ({"output": None}, "output"),
        ({"annotations": "none"}, "annotations"),
        ({"annotations": [{"text": "Ada."}]}, "human-atomic-facts"),
        ({"annotations": [{"text": "Ada.", "human-atomic-facts": [{"text": "Ada.", "label": "X"}]}]}, "S, NS, IR"),
        ({"annotations": [{"text": "Ada.", "human-atomic-facts": ["Ada."]}]}, "list of facts"),
    ],
)
def test_a_malformed_row_is_told(tmp_path, change, told):
    path = write_rows(tmp_path / "GPT.jsonl", ROW, ROW | change)
    with pytest.raises(InputError, match=told) as caught:
        read([path], "sentences")
    assert caught.value.row == 2
    with pytest.raises(InputError, match="annotations"):
        read([write_rows(tmp_path / "GPT.jsonl", {one: ROW[one] for one in ("topic", "output")})], "facts")


@pytest.fixture(scope="module", params=["sentences", "facts"])
def biographies(request) -> tuple[str, Biographies]:
    return request.param, read(FILES, request.param)


@real
def test_all_responses_load_and_every_label_has_its_place(biographies):
    granularity, found = biographies
    assert len(found.rows) == len({one.key for one in found.rows}) == 366
    assert found.unplaced == []
    fragments = [one for row in found.rows for one in row.fragments]
    assert Counter(one.label for one in fragments) == (
        {"incorrect": 1595, "correct": 699, "unverifiable": 70, "halt": 26}
        if granularity == "sentences"
        else {"correct": 4892, "incorrect": 3556, "unverifiable": 943, "halt": 26}
    )
    for row in found.rows:
        end = 0
        for one in row.fragments:
            assert end <= one.start < one.end
            assert row.response[one.start : one.end] == one.text
            end = one.end


@real
def test_the_prompts_are_those_of_the_data():
    rows = read(FILES, "sentences").rows
    asked = [json.loads(line)["input"] for path in FILES for line in path.open(encoding="utf-8")]
    assert [one.prompt[0]["content"] for one in rows] == asked
    assert Counter(one.index for one in rows) == {0: 183, 1: 183}
    assert Counter(one.split for one in rows) == {"train": 294, "heldout": 72}


@real
def test_each_fact_is_in_one_fragment_and_most_have_their_own():
    found = read(FILES, "facts")
    facts = [
        fact["text"].split()
        for path in FILES
        for line in path.open(encoding="utf-8")
        for sentence in json.loads(line)["annotations"] or []
        for fact in sentence["human-atomic-facts"] or []
    ]
    claims = [one.claim.split() for row in found.rows for one in row.fragments if one.claim]
    assert len(facts) == 10_152
    assert Counter(word for one in claims for word in one) == Counter(word for one in facts for word in one)
    # What reward/biography/README.md says.
    assert len(claims) == 9_378
    alone = Counter(map(tuple, facts))
    assert sum((Counter(map(tuple, claims)) & alone).values()) == 8_644


@real
def test_an_abstention_halts_makes_no_pair_and_becomes_the_halting_phrase(biographies):
    _, found = biographies
    silent = [row for row in found.rows if all(one.label == "halt" for one in row.fragments)]
    assert Counter(len(row.fragments) for row in silent) == {1: 26, 0: 1}
    for style in ("remove", "unsure"):
        assert list(pairs(silent, 0.5, style)) == []
        assert {one.completion[0]["content"] for one in targets(silent, style)} == {"Unsure from here."}


@real
def test_the_labels_make_pairs_in_both_styles(biographies):
    granularity, found = biographies
    counts = {style: Counter(one.style for one in pairs(found.rows, 0.5, style)) for style in ("remove", "unsure")}
    assert counts == (
        {"remove": {"remove": 1595, "keep": 699}, "unsure": {"unsure": 336, "keep": 299}}
        if granularity == "sentences"
        else {"remove": {"remove": 3556, "keep": 4892}, "unsure": {"unsure": 336, "keep": 1744}}
    )
