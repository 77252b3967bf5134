"""600 generated bad inputs: each ends with one line and exit 2, writes nothing, and no traceback is seen."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bad_inputs import ODD, RAW
from rlhalt.cli import main
from rlhalt.files.jsonl import write
from rlhalt.records import Decision, Pair, Prompt, Response, Scored, Target

ASKED = [{"role": "user", "content": "State five facts about Kenya."}]
SAID = [{"role": "assistant", "content": "Kenya is in Africa."}]
ROUNDS = 6


def good(tmp_path: Path, scored_row: Callable[..., Scored]) -> dict[str, Path]:
    """A file of each kind that its verb takes."""
    scored = dataclasses.replace(scored_row(["Kenya is in Africa."], "+"), reference={"subject": "Kenya"})
    response = {name.name: getattr(scored, name.name) for name in dataclasses.fields(Response)}
    rows: dict[str, object] = {
        "prompts": Prompt("k", ASKED, {"subject": "Kenya"}, "countries", "heldout"),
        "responses": Response(**response),
        "scored": scored,
        "pairs": Pair("k", ASKED, SAID, [{"role": "assistant", "content": "No."}], 0.5, "remove", 0.5, 0, "s"),
        "targets": Target("k", ASKED, SAID, "remove", "s"),
        "decisions": Decision("k", ASKED, "", "Kenya is in Africa.", [""], 0.5, "remove", 0.5, "s"),
    }
    for name, row in rows.items():
        write(tmp_path / f"{name}.jsonl", [row])
    (tmp_path / "own.jsonl").write_text(json.dumps({"prompt": "Why?", "reference": {"x": "y"}}) + "\n")
    return {name: tmp_path / f"{name}.jsonl" for name in [*rows, "own"]}


def commands(files: dict[str, Path], out: Path) -> dict[str, list[str]]:
    """Of each file that a verb reads, the command that reads it."""
    return {
        "own": ["prompts", "--domain", "maths", "--file", str(files["own"]), "--output", str(out)],
        "prompts": ["sample", "--model", "/no/model", "--prompts", str(files["prompts"]), "--output", str(out)],
        "responses": ["score", "--responses", str(files["responses"]), "--output", str(out)],
        "scored": ["pairs", "--scored", str(files["scored"]), "--output", str(out)],
    }


def broken_rows(draw: random.Random, line: str, required: list[str]) -> Iterator[tuple[str, bytes]]:
    """Copies of a row, each broken in one way, with what was done to it."""
    row = json.loads(line)
    field = draw.choice(required)
    raw, text = draw.choice(list(RAW.items()))
    before, after = json.dumps(row).split(f'"{field}": ', 1)
    rest = json.JSONDecoder().raw_decode(after)[1]
    yield f"{field} is {raw}", f'{before}"{field}": {text}{after[rest:]}'.encode()
    yield f"{field} twice", (json.dumps({field: row[field]})[:-1] + ", " + json.dumps(row)[1:]).encode()
    odd = draw.choice(ODD)
    yield f"{field} is {odd!r}", json.dumps({**row, field: odd}).encode()
    yield f"{field} missing", json.dumps({name: value for name, value in row.items() if name != field}).encode()
    yield "torn", line[: draw.randrange(1, len(line) - 2)].encode()
    yield "not UTF-8", line.encode()[:-2] + b"\xff" + line.encode()[-2:]
    yield "twice", (line + "\n" + line).encode()
    yield "no object", json.dumps(draw.choice([[row], "text", 3, None])).encode()
    yield "UTF-16", line.encode("utf-16")
    yield "nothing", draw.choice([b"", b"\n\n", b"\x00" * 40])
    if isinstance(row.get("prompt"), list):
        message = draw.choice(
            [{}, {"role": "user"}, {"role": "user", "content": ""}, {"role": 1, "content": "x"}, "x", None]
        )
        yield f"message {message!r}", json.dumps({**row, "prompt": [message]}).encode()
        yield "no messages", json.dumps({**row, "prompt": []}).encode()
    if "fragments" in row:
        name, value = draw.choice(
            [("start", 3), ("end", 10**6), ("start", -1), ("label", "Correct"), ("label", 1), ("text", "other"),
             ("probability", 1.5), ("probability", "0.5"), ("start", 0.5), ("error", ["x"]), ("kind", None)]
        )  # fmt: skip
        yield (
            f"fragment {name} {value!r}",
            json.dumps({**row, "fragments": [{**row["fragments"][0], name: value}]}).encode(),
        )
    if "index" in row:
        name, value = draw.choice([("index", -1), ("index", 1.5), ("n_tokens", -1), ("finish_reason", "end")])
        yield f"{name} {value!r}", json.dumps({**row, name: value}).encode()
    if "split" in row:
        yield "split", json.dumps({**row, "split": draw.choice(["test", "", "Train"])}).encode()


REQUIRED = {
    "own": ["prompt", "reference"],
    "prompts": ["prompt", "reference"],
    "responses": ["prompt", "response", "reference"],
    "scored": ["prompt", "response", "reference", "fragments"],
}


@pytest.mark.parametrize("name", list(REQUIRED))
def test_broken_rows_end_with_one_line(name, tmp_path, scored_row, capsys):
    files = good(tmp_path, scored_row)
    line, out = files[name].read_text().strip(), tmp_path / "out.jsonl"
    argv = commands(files, out)[name]
    faults, count = [], 0
    for seed in range(ROUNDS):
        for told, row in broken_rows(random.Random(seed), line, REQUIRED[name]):
            files[name].write_bytes(row + b"\n")
            count += 1
            faults += [f"{told}: {fault}" for fault in found(argv, out, capsys)]
    assert not faults, "\n".join(faults)
    assert count >= ROUNDS * 9


def found(argv: list[str], out: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is wrong with how a command ended."""
    before = set(out.parent.iterdir())
    try:
        code = main(argv)
    except SystemExit as error:
        code = error.code
    except BaseException as error:  # noqa: BLE001 - this is what is looked for
        return [f"traceback {type(error).__name__}: {error}"]
    error = capsys.readouterr().err.strip()
    # A model that is not there is found out after the rows are read: a row that got so far was taken.
    problems = [f"exit {code}"] * (code != 2) + ["taken"] * ("/no/model" in error)
    problems += ["several lines"] * ("\n" in error) + [f"left {one}" for one in set(out.parent.iterdir()) - before]
    for one in set(out.parent.iterdir()) - before:
        one.unlink()
    return problems


FLAGS = {
    "sample": {
        "--responses": ["0", "-1", "1.5", "x", "nan", "9" * 5000],
        "--temperature": ["-1", "nan", "inf", "x", ""],
        "--max-tokens": ["0", "-5", "1e3"],
        "--batch-size": ["0", "x"],
        "--seed": ["-1", str(2**32), "x"],
        "--workers": ["0", "2"],
        "--engine": ["llama"],
        "--nothing": ["1"],
    },
    "score": {
        "--judge-concurrency": ["0", "-1", "x"],
        "--judge-rate": ["0", "-1", "nan"],
        "--judge-timeout": ["0", "nan", "inf"],
        "--budget-calls": ["-1", "1.5"],
        "--budget-tokens": ["-1"],
        "--budget-money": ["-1", "nan"],
        "--domain": ["nowhere", "", "a\x00b"],
        "--workers": ["3"],
    },
    "pairs": {
        "--threshold": ["0", "1", "-1", "2", "nan", "inf", "x"],
        "--best": ["0", "1.5", "nan"],
        "--percentile": ["-1", "2", "nan", "x"],
        "--draws": ["0", "-1", "x"],
        "--style": ["removed", ""],
        "--seed": ["-1", "x"],
        "--targets": [""],
    },
}


@pytest.mark.parametrize("verb", list(FLAGS))
def test_flags_out_of_range_end_with_one_line(verb, tmp_path, scored_row, capsys):
    files = good(tmp_path, scored_row)
    out = tmp_path / "out.jsonl"
    argv = next(one for one in commands(files, out).values() if one[0] == verb)
    faults = []
    for flag, values in FLAGS[verb].items():
        for value in values:
            faults += [f"{flag} {value[:20]!r}: {fault}" for fault in found([*argv, f"{flag}={value}"], out, capsys)]
    assert not faults, "\n".join(faults)


SPECIFICATION = {
    "domain": "own",
    "fragmenter": "sentences",
    "verifier": "maths",
    "halting": "independent",
    "threshold": "0.5",
    "max_failure_rate": "0.02",
}
YAML = [
    ".nan", ".inf", "-1", "[0.5]", "{a: 1}", "true", "null", "x: y: z", "9" * 5000, r'"\ud800"',
    "!!python/object:os.system 1",
    "[" * 3000, "&a [*a]", "'", "2099-01-01", "\x07", "*nothing", "{" * 400 + "}" * 400,
]  # fmt: skip


def test_broken_settings_end_with_one_line(tmp_path, scored_row, capsys):
    files = good(tmp_path, scored_row)
    out, folder = tmp_path / "out.jsonl", tmp_path / "own"
    folder.mkdir()
    argv = [*commands(files, out)["responses"], "--domain", str(folder)]
    files["responses"].write_text(files["responses"].read_text().replace('"domain":"countries"', '"domain":"own"'))
    faults = []

    def tried(told: str, text: bytes) -> None:
        (folder / "domain.yaml").write_bytes(text)
        faults.extend(f"{told}: {fault}" for fault in found(argv, out, capsys))

    lines = {name: f"{name}: {value}\n" for name, value in SPECIFICATION.items()}
    for name in lines:
        for value in YAML:
            if name == "domain" and value in ("-1", "2099-01-01"):
                continue
            tried(f"{name} {value[:20]}", "".join({**lines, name: f"{name}: {value}\n"}.values()).encode())
        tried(f"{name} twice", "".join([*lines.values(), lines[name]]).encode())
        tried(f"{name} missing", "".join(one for key, one in lines.items() if key != name).encode())
        tried(
            f"{name} misspelt", "".join({**lines, name: lines[name].replace(name, name[:-1] + "q")}.values()).encode()
        )
    tried("not UTF-8", "".join(lines.values()).encode() + b"# \xff\n")
    tried("nothing", b"")
    tried("a list", b"- a\n")
    assert not faults, "\n".join(faults)


def test_the_number_of_bad_inputs(tmp_path, scored_row):
    """What the tests above try, counted; so that it is not cut unseen."""
    files = good(tmp_path, scored_row)
    rows = sum(
        len(list(broken_rows(random.Random(seed), files[name].read_text().strip(), REQUIRED[name])))
        for name in REQUIRED
        for seed in range(ROUNDS)
    )
    flags = sum(len(values) for verb in FLAGS.values() for values in verb.values())
    settings = len(SPECIFICATION) * (len(YAML) + 3)
    assert rows + flags + settings >= 450
