from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rlhalt.errors import InputError
from rlhalt.files.journal import Journal
from rlhalt.records import Prompt, Scored, Target, content_key, dumps, read, write

PROMPT = Prompt("k", [{"role": "user", "content": "State five facts about A."}], {"subject": "A"}, "countries", "train")


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def changed(**values: object) -> dict[str, object]:
    return {**dataclasses.asdict(PROMPT), **values}


def test_rows_come_back_as_they_were_and_datasets_reads_them(tmp_path):
    from datasets import load_dataset

    write(tmp_path / "prompts.jsonl", [PROMPT])
    assert list(read(tmp_path / "prompts.jsonl", Prompt)) == [PROMPT]
    loaded = load_dataset(
        "json", data_files=str(tmp_path / "prompts.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded[0]["prompt"] == PROMPT.prompt


def test_fragments_come_back(scored_row, tmp_path):
    row = scored_row(["A is in Asia.", "Is it?"], "+!")
    write(tmp_path / "scored.jsonl", [row])
    assert list(read(tmp_path / "scored.jsonl", Scored)) == [row]
    assert row.failed


@pytest.mark.parametrize(
    ("row", "field", "says"),
    [
        ({}, "prompt", "expected the fields 'prompt', 'reference', found none"),
        (changed(key=3), "key", "expected text, found 3"),
        (changed(reference="France"), "reference", "expected an object"),
        (changed(prompt=[]), "prompt", "at least one chat message"),
        (changed(prompt=[{"role": "user", "content": "  "}]), "prompt[0]", "found an empty one"),
        (changed(prompt=["hello"]), "prompt[0]", 'expected an object, found "hello"'),
        (changed(prompt=[{"role": "user"}]), "prompt[0]", "role and content"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_row(tmp_path, row, field, says):
    path = lines(tmp_path / "prompts.jsonl", dataclasses.asdict(PROMPT), row)
    with pytest.raises(InputError) as caught:
        list(read(path, Prompt))
    message = str(caught.value)
    assert f"{path}:2" in message
    assert f"field '{field}'" in message
    assert says in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b'{"key": \n', "expected JSON"),
        (b"[1, 2]\n", "expected a JSON object"),
        ('{"key": "São Tomé"}\n'.encode("latin-1"), "expected UTF-8, found byte 0xe3"),
    ],
)
def test_a_malformed_file_is_named_with_its_row(tmp_path, raw, says):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(dumps(PROMPT).encode() + b"\n" + raw)
    with pytest.raises(InputError, match=says) as caught:
        list(read(path, Prompt))
    assert f"{path}:2" in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        list(read(tmp_path / "none.jsonl", Prompt))


def test_offsets_that_do_not_point_at_the_text_are_refused(scored_row, tmp_path):
    row = dataclasses.asdict(scored_row(["A is in Asia."], "+"))
    row["fragments"][0]["start"] = 1
    with pytest.raises(InputError, match="offsets do not point"):
        list(read(lines(tmp_path / "scored.jsonl", row), Scored))


targets = st.lists(
    st.builds(
        lambda text, n: Target(
            content_key(text, n), [{"role": "user", "content": text}], [], f"style\u2028{text}", str(n)
        ),
        st.text(min_size=1).filter(lambda text: text.strip()),
        st.integers(),
    ),
    unique_by=lambda row: row.key,
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(rows=targets, data=st.data())
def test_a_killed_journal_gives_the_same_file_as_one_that_was_not(tmp_path_factory, rows, data):
    """Killed after any row, with any part of the next line on disk: run again, nothing is lost and nothing doubled."""
    folder = tmp_path_factory.mktemp("journal")
    rows = [dataclasses.replace(row, completion=[{"role": "assistant", "content": "x"}]) for row in rows]
    killed_after = data.draw(st.integers(0, len(rows)))
    with Journal(folder / "rows.jsonl", Target, [(row.key, "") for row in rows]) as journal:
        for row in rows[:killed_after]:
            journal.add(row)
    if killed_after < len(rows):
        torn = (dumps(rows[killed_after]) + "\n").encode()
        cut = data.draw(st.integers(0, len(torn) - 1))
        with (folder / "rows.jsonl.part").open("ab") as file:
            file.write(torn[:cut])
    with Journal(folder / "rows.jsonl", Target, [(row.key, "") for row in rows]) as journal:
        assert [row.key in journal for row in rows] == [place < killed_after for place in range(len(rows))]
        for row in rows:
            if row.key not in journal:
                journal.add(row)
        journal.finish()
    assert list(read(folder / "rows.jsonl", Target)) == rows
    assert [path.name for path in folder.iterdir()] == ["rows.jsonl"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(rows=targets.filter(lambda rows: len(rows) > 2), data=st.data())
def test_a_journal_that_was_killed_twice_lost_nothing(tmp_path_factory, rows, data):
    """Each time in the middle of a line; what is added after the first kill must not stand behind the torn one."""
    folder = tmp_path_factory.mktemp("journal")
    rows = [dataclasses.replace(row, completion=[{"role": "assistant", "content": "x"}]) for row in rows]
    second = data.draw(st.integers(1, len(rows) - 1))
    first = data.draw(st.integers(0, second - 1))
    for start, end in [(0, first), (first, second)]:
        with Journal(folder / "rows.jsonl", Target, [(row.key, "") for row in rows]) as journal:
            assert [row.key in journal for row in rows] == [place < start for place in range(len(rows))]
            for row in rows[start:end]:
                journal.add(row)
        torn = (dumps(rows[end]) + "\n").encode()
        with (folder / "rows.jsonl.part").open("ab") as file:
            file.write(torn[: data.draw(st.integers(1, len(torn) - 1))])
    with Journal(folder / "rows.jsonl", Target, [(row.key, "") for row in rows]) as journal:
        assert [row.key in journal for row in rows] == [place < second for place in range(len(rows))]
        for row in rows[second:]:
            journal.add(row)
        journal.finish()
    assert list(read(folder / "rows.jsonl", Target)) == rows


def test_failed_rows_are_done_again(scored_row, tmp_path):
    good, bad = scored_row(["Yes."], "+"), scored_row(["No?"], "!")
    write(tmp_path / "scored.jsonl", [good, bad])
    wanted = [(good.key, ""), (bad.key, "")]
    with Journal(tmp_path / "scored.jsonl", Scored, wanted, lambda row: None if row.failed else "") as journal:
        assert good.key in journal
        assert bad.key not in journal
        assert journal.earlier(bad.key) == bad


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    """A file size limit of 4 kB in a child process stands for a full disk."""
    path = tmp_path / "rows.jsonl"
    write(path, [PROMPT])
    before = path.read_text()
    script = (
        "import sys\nfrom rlhalt.cli import guarded\nfrom rlhalt.records import write_atomic\n"
        "sys.exit(guarded(lambda argv: write_atomic(argv[0], ['x' * 1000] * 100), sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "File too large" in done.stderr
    assert path.read_text() == before
    assert [one.name for one in tmp_path.iterdir()] == ["rows.jsonl"]


def test_keys_depend_on_content_alone():
    assert content_key({"b": 1, "a": [2]}) == content_key({"a": [2], "b": 1})
    assert content_key("a", "b") != content_key("ab")
