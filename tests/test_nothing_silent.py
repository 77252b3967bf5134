"""What used to end with exit 0 and a wrong file: each kind is refused, done again, or said."""

from __future__ import annotations

import dataclasses
import functools
import json
import random
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import pytest

from rlhalt.cli import main
from rlhalt.errors import InputError
from rlhalt.files.journal import Journal
from rlhalt.files.jsonl import Rows, dumps, read, write
from rlhalt.files.locks import locked
from rlhalt.files.provenance import once
from rlhalt.fragments.sentences import sentences
from rlhalt.records import Certainty, Confidence, Fragment, Pair, Prompt, Response, Scored, Target, content_key
from rlhalt.score_file import score_file
from rlhalt.scoring import Scorer
from rlhalt.verifiers import Verdict
from rlhalt.verifiers.source_code import code_of
from rlhalt.verifiers.table import Entry, Relation, Table

ASKED = [{"role": "user", "content": "State facts."}]


class ByReference:
    """A verifier that looks its verdict up in the reference; `asked` is what it was asked about."""

    name = "by-reference/1"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def verify(self, response, fragments, reference):
        self.asked.append(response)
        return [Verdict(reference["label"], "the reference says so", reference.get("sure")) for _ in fragments]


def response(key: str, text: str = "A is so.", **values) -> Response:
    row = Response(key, "p", 0, ASKED, text, {"label": "correct"}, "d", "train", "stop", {}, 3)
    return dataclasses.replace(row, **values)


def scored(rows: list[Response], output: Path, **scorer) -> tuple[list[Scored], list[str]]:
    verifier = ByReference()
    score_file(rows, Scorer(sentences, verifier, **scorer), output)
    return list(read(output, Scored)), verifier.asked


@pytest.mark.parametrize(
    "changed",
    [
        {"reference": {"label": "incorrect"}},
        {"response": "B is so."},
        {"split": "heldout"},
        {"finish_reason": "length"},
        {"sampler": {"temperature": 1.0}},
    ],
)
def test_a_row_that_is_made_of_something_else_is_judged_anew_and_the_others_are_kept(tmp_path, changed):
    rows = [response("a"), response("b")]
    scored(rows, tmp_path / "scored.jsonl")
    rows[0] = dataclasses.replace(rows[0], **changed)
    found, asked = scored(rows, tmp_path / "scored.jsonl")
    assert asked == [rows[0].response]
    for name, value in changed.items():
        assert getattr(found[0], name) == value
    assert found[0].fragments[0].label == rows[0].reference["label"]


def test_nothing_to_do_is_said(tmp_path, capsys):
    scored([response("a")], tmp_path / "scored.jsonl")
    assert "already done" not in capsys.readouterr().err
    before = (tmp_path / "scored.jsonl").read_bytes()
    assert scored([response("a")], tmp_path / "scored.jsonl")[1] == []
    assert f"already done: {tmp_path / 'scored.jsonl'}" in capsys.readouterr().err
    assert (tmp_path / "scored.jsonl").read_bytes() == before


def test_another_version_or_other_options_judge_anew(tmp_path, monkeypatch):
    rows = [response("a")]
    scored(rows, tmp_path / "scored.jsonl")
    assert scored(rows, tmp_path / "scored.jsonl", settings="other options")[1] == ["A is so."]
    monkeypatch.setattr("rlhalt.__version__", "99.0")
    assert scored(rows, tmp_path / "scored.jsonl", settings="other options")[1] == ["A is so."]


def test_rows_of_an_earlier_version_are_read_and_judged_anew(tmp_path):
    old = {
        **dataclasses.asdict(response("a")),
        "fragments": [dataclasses.asdict(Fragment(0, 8, "x", "A is so.", "correct"))],
    }
    (tmp_path / "scored.jsonl").write_text(json.dumps(old) + "\n")
    assert next(read(tmp_path / "scored.jsonl", Scored)).fragments[0].label == "correct"
    assert scored([response("a")], tmp_path / "scored.jsonl")[1] == ["A is so."]


OWN = """
    from rlhalt.verifiers import Verdict
    from own_words import EVIDENCE

    class Own:
        name = "own/1"
        def verify(self, response, fragments, reference):
            return [Verdict("LABEL", EVIDENCE) for _ in fragments]
"""


# The new text is longer: Python keeps bytecode for a source of the same size and second, and a run can be that short.
@pytest.mark.parametrize(
    ("file", "old", "new"), [("own_checks", "correct", "incorrect"), ("own_words", "so", "not so")]
)
def test_an_edited_verifier_judges_anew_and_so_does_an_edited_helper_of_its(tmp_path, file, old, new):
    """Its name stays. Each run is a process of its own, as on the command line."""
    (tmp_path / "own_words.py").write_text('EVIDENCE = "so"\n')
    (tmp_path / "own_checks.py").write_text(textwrap.dedent(OWN).replace("LABEL", "correct"))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "domain.yaml").write_text(
        "domain: own\nfragmenter: sentences\nverifier: own_checks:Own\nhalting: independent\nthreshold: 0.5\n"
        "max_failure_rate: 0.0\n"
    )
    write(tmp_path / "responses.jsonl", [response("a", domain="own")])

    def run() -> tuple[Scored, str]:
        command = [
            sys.executable,
            "-m",
            "rlhalt",
            "score",
            "--responses",
            "responses.jsonl",
            "--output",
            "scored.jsonl",
        ]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={"PYTHONPATH": f"{Path(__file__).parents[1] / 'src'}:{tmp_path}", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return next(read(tmp_path / "scored.jsonl", Scored)), done.stderr

    run()
    assert "already done" in run()[1]
    source = tmp_path / f"{file}.py"
    source.write_text(source.read_text().replace(f'"{old}"', f'"{new}"'))
    row, told = run()
    assert "already done" not in told
    found = (row.fragments[0].label, row.fragments[0].evidence)
    assert found == (("incorrect", "so") if file == "own_checks" else ("correct", "not so"))


TABLE = """
    from pathlib import Path

    from rlhalt.domains.task import Task
    from rlhalt.verifiers.knowledge import KnowledgeVerifier
    from rlhalt.verifiers.table import Entry, Relation, Table

    class Rivers(Task):
        def verifier(self):
            rows = Path(__file__).with_name("rivers.csv").read_text().splitlines()
            entries = {
                name: Entry((name.lower(),), {"city": {city: city}})
                for name, city in (row.split(",") for row in rows)
            }
            return KnowledgeVerifier(Table(entries, (Relation("city", ("{subject}flows through",)),)))
"""


def test_an_edited_fact_judges_anew(tmp_path):
    """The table is neither code nor an option: a file that the domain reads. Each run is a process of its own."""
    (tmp_path / "rivers").mkdir()
    (tmp_path / "rivers" / "domain.yaml").write_text(
        "domain: rivers\ntask: domain.py:Rivers\nfragmenter: sentences\nhalting: independent\nthreshold: 0.5\n"
        "max_failure_rate: 0.0\n"
    )
    (tmp_path / "rivers" / "domain.py").write_text(textwrap.dedent(TABLE))
    facts = tmp_path / "rivers" / "rivers.csv"
    facts.write_text("Rhine,basel\nLoire,nantes\n")
    said = response("a", "The Rhine flows through Nantes.", domain="rivers", reference={"subject": "Rhine"})
    write(tmp_path / "responses.jsonl", [said])
    command = [sys.executable, "-m", "rlhalt", "score", "--responses", "responses.jsonl", "--domain", "rivers"]
    environment = {"PYTHONPATH": str(Path(__file__).parents[1] / "src"), "PATH": "/usr/bin:/bin"}

    def run() -> tuple[str, str]:
        argv = [*command, "--output", "scored.jsonl"]
        done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return str(next(read(tmp_path / "scored.jsonl", Scored)).fragments[0].label), done.stderr

    assert run()[0] == "incorrect"
    assert "already done" in run()[1]
    facts.write_text("Rhine,nantes\nLoire,nantes\n")
    label, told = run()
    assert label == "correct"
    assert "already done" not in told


def test_equal_tables_have_equal_fingerprints():
    made = [
        Table(
            {
                "Rhine": Entry(
                    ("rhine",), {"city": dict.fromkeys(cities, "a city")}, disputed={"city": frozenset(cities)}
                )
            },
            (Relation("city", ("{subject}flows through",), tidy=tidy),),
        )
        for cities, tidy in (
            (["basel", "bonn"], str.split),
            (["bonn", "basel"], str.split),
            (["basel"], str.split),
            (["basel", "bonn"], str.splitlines),
            (["basel", "bonn"], functools.partial(str.split, sep=",")),
            (["basel", "bonn"], functools.partial(str.split, sep=";")),
        )
    ]
    first, again, *others = (one.fingerprint for one in made)
    assert first == again
    assert len({first, *others}) == 5
    # A list or a set in place of a tuple or a frozenset is what a user may write.
    entry = Entry(["rhine"], {"city": {"basel": "a city"}}, disputed={"city": {"bonn", "cologne"}})
    assert Table({"Rhine": entry}, [Relation("city", ["{subject}flows through"])]).fingerprint


def test_a_fingerprint_that_is_no_text_is_one_line():
    class Odd(ByReference):
        def fingerprint(self):
            return "a method"

    with pytest.raises(InputError, match="expected a text as the verifier's fingerprint, found a method"):
        _ = Scorer(sentences, Odd()).fingerprint


def test_the_code_of_a_function_is_that_of_its_file_and_equal_everywhere():
    assert code_of(sentences) == code_of(sentences) != code_of(ByReference())
    assert code_of(ByReference()) == code_of(ByReference)


def test_two_rows_with_one_key_are_refused_naming_both(tmp_path):
    write(tmp_path / "responses.jsonl", [response("a"), response("b"), response("a", "B is so.")])
    with pytest.raises(InputError, match="'a' in row 1 and again in row 3"):
        list(read(tmp_path / "responses.jsonl", Response))
    with pytest.raises(InputError, match="'a' in row 1 and again in row 3"):
        score_file(Rows(tmp_path / "responses.jsonl", Response), Scorer(sentences, ByReference()), tmp_path / "s.jsonl")
    assert not list(tmp_path.glob("s.jsonl*"))
    scored([response("a")], tmp_path / "twice.jsonl")
    (tmp_path / "twice.jsonl").write_text((tmp_path / "twice.jsonl").read_text() * 2)
    with pytest.raises(InputError, match="'a' in row 1 and again in row 2"):
        scored([response("a")], tmp_path / "twice.jsonl")


def test_scoring_another_file_into_an_output_keeps_what_is_there(tmp_path):
    scored([response("a"), response("b")], tmp_path / "scored.jsonl")
    before = (tmp_path / "scored.jsonl").read_bytes()
    with pytest.raises(InputError, match=r"found 2 of another that would be lost.*choose another --output"):
        scored([response("c")], tmp_path / "scored.jsonl")
    assert (tmp_path / "scored.jsonl").read_bytes() == before
    assert len(scored([response(one) for one in "abc"], tmp_path / "scored.jsonl")[1]) == 1


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict("Correct", ""),
        Verdict("correct", "", 1.5),
        Verdict("correct", "", float("nan")),
        Verdict("correct", "\ud800"),
    ],
)
def test_what_is_no_verdict_is_a_failure(verdict):
    class Odd(ByReference):
        def verify(self, response, fragments, reference):
            return [verdict for _ in fragments]

    (one,) = Scorer(sentences, Odd()).score(response("a")).fragments
    assert one.failed
    dumps(one)


def test_a_fragmenter_that_points_elsewhere_is_a_failure():
    row = Scorer(lambda text: [Fragment(1, 3, "x", "A i")], ByReference()).score(response("a"))
    assert row.failed
    row.check()


# Flags


def refused(capsys, *argv: object, says: str) -> None:
    capsys.readouterr()
    assert main([str(one) for one in argv]) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    assert says in error


@pytest.fixture
def kenya(scored_row, tmp_path) -> Path:
    row = dataclasses.replace(scored_row(["Kenya is in Africa."], "+"), reference={"subject": "Kenya"})
    write(tmp_path / "scored.jsonl", [row])
    return tmp_path / "scored.jsonl"


def test_the_rows_own_domain_judges_and_another_one_is_refused(kenya, tmp_path, capsys):
    maths = dataclasses.replace(next(read(kenya, Scored)), domain="maths", reference={"answer": "1\n#### 1"})
    write(tmp_path / "maths.jsonl", [maths])
    output = tmp_path / "out.jsonl"
    assert main(["score", "--responses", str(tmp_path / "maths.jsonl"), "--output", str(output)]) == 0
    assert next(read(output, Scored)).fragments[0].verifier.startswith("maths/")
    for verb, flag in (("score", "--responses"), ("pairs", "--scored"), ("decisions", "--scored")):
        argv = [verb, flag, tmp_path / "maths.jsonl", "--domain", "countries", "--output", tmp_path / "no.jsonl"]
        refused(capsys, *argv, says="'maths' in row 1")
    write(tmp_path / "both.jsonl", [maths, dataclasses.replace(next(read(kenya, Scored)), key="other")])
    refused(capsys, "score", "--responses", tmp_path / "both.jsonl", "--output", tmp_path / "no.jsonl", says="row 2")
    assert not list(tmp_path.glob("no*"))


def test_rows_that_name_no_domain_need_one(kenya, tmp_path, capsys):
    row = {"prompt": "About Kenya?", "response": "Kenya is in Africa.", "reference": {"subject": "Kenya"}}
    (tmp_path / "own.jsonl").write_text(json.dumps(row) + "\n" + json.dumps(row) + "\n")
    argv = ["score", "--responses", str(tmp_path / "own.jsonl"), "--output", str(tmp_path / "out.jsonl")]
    refused(capsys, *argv, says="--domain")
    assert main([*argv, "--domain", "countries"]) == 0
    found = list(read(tmp_path / "out.jsonl", Scored))
    assert [(one.index, one.domain, one.fragments[0].label) for one in found] == [
        (0, "countries", "correct"),
        (1, "countries", "correct"),
    ]


def test_prompts_of_another_domain_replace_those_of_the_first(tmp_path, capsys):
    rows = [{"prompt": f"Why {n}?", "reference": {"answer": "So."}} for n in range(20)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    for domain in ("maths", "code"):
        argv = ["prompts", "--file", str(tmp_path / "rows.jsonl"), "--domain", domain]
        assert main([*argv, "--output", str(tmp_path / "prompts.jsonl")]) == 0
        found = list(read(tmp_path / "prompts.jsonl", Prompt))
        assert {one.domain for one in found} == {domain}
        splits = Counter(one.split for one in found)
        assert f"{splits['train']} train, {splits['heldout']} held out" in capsys.readouterr().out
    rows[3]["reference"] = {"answer": "Not so."}
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    assert main([*argv, "--output", str(tmp_path / "prompts.jsonl")]) == 0
    assert list(read(tmp_path / "prompts.jsonl", Prompt))[3].reference == {"answer": "Not so."}


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["pairs", "--scored", "IN", "--output", "IN"], "is no input"),
        (["pairs", "--scored", "IN", "--output", "SYMLINK"], "is no input"),
        (["pairs", "--scored", "IN", "--output", "A", "--targets", "A"], "different names"),
        (["pairs", "--scored", "IN", "--output", "A", "--targets", "IN"], "is no input"),
        (["pairs", "--scored", "IN", "--output", "A", "--targets", "A.json"], "different names"),
        (["pairs", "--scored", "IN", "--output", "A", "--method", "halt"], "--targets"),
        (["pairs", "--scored", "IN", "--output", "A", "--method", "hallt", "--targets", "B"], "did you mean 'halt'"),
        (["pairs", "--scored", "IN", "--output", "FOLDER"], "ends in .jsonl"),
        (["decisions", "--scored", "IN", "--output", "IN"], "is no input"),
        (["score", "--responses", "IN", "--output", "IN"], "is no input"),
        (["score", "--responses", "IN", "--output", "A", "--judge-cache", "IN"], "is no input"),
        (["sample", "--model", "m", "--prompts", "IN", "--output", "IN"], "is no input"),
        (["prompts", "--domain", "maths", "--file", "IN", "--output", "IN"], "is no input"),
        (["prompts", "--domain", "d", "--output", "A"], "expected a domain"),
        (["annotated", "IN", "--output", "IN"], "is no input"),
        (["compare", "FOLDER", "--output", "FOLDER"], "is no input"),
    ],
)
def test_no_verb_overwrites_what_it_reads_or_leaves_a_flag_unused(kenya, tmp_path, capsys, argv, says):
    (tmp_path / "link.jsonl").symlink_to(kenya)
    (tmp_path / "folder").mkdir()
    names = {"IN": "scored.jsonl", "SYMLINK": "link.jsonl", "FOLDER": "folder"}
    names |= {"A": "a.jsonl", "A.json": "a.json", "B": "b.jsonl"}
    before = kenya.read_bytes()
    refused(capsys, *[tmp_path / names[one] if one in names else one for one in argv], says=says)
    assert kenya.read_bytes() == before
    assert not list(tmp_path.glob("a.*"))


@pytest.mark.parametrize("emptied", [True, False])
def test_an_emptied_output_is_made_again_and_an_edited_one_is_not_overwritten(tmp_path, emptied):
    rows = [Target(str(n), ASKED, [{"role": "assistant", "content": "x"}], "s", "") for n in range(3)]
    output = tmp_path / "targets.jsonl"
    once("targets", output, [], {}, lambda: rows)
    output.write_text("" if emptied else output.read_text().replace('"x"', '"y"'))
    if emptied:
        once("targets", output, [], {}, lambda: rows)
        assert list(read(output, Target)) == rows
    else:
        with pytest.raises(InputError, match="changed since"):
            once("targets", output, [], {}, lambda: rows)
        assert '"y"' in output.read_text()


def test_draws_have_the_weights_in_their_numbers(tmp_path, scored_row):
    write(tmp_path / "scored.jsonl", [scored_row(["A is in Asia.", "Its capital is B."], "+-")])
    output = tmp_path / "drawn.jsonl"
    argv = ["pairs", "--scored", str(tmp_path / "scored.jsonl"), "--output", str(output), "--threshold", "0.8"]
    assert main([*argv, "--draws", "2000", "--seed", "1"]) == 0
    found = list(read(output, Pair))
    assert len({one.key for one in found}) == len(found) == 2000
    assert {one.weight for one in found} == {1.0}
    # The wrong fragment's pair weighs 0.8, the right one's 0.2: of 2,000 draws 1,600 ± 18.
    assert 1500 < max(Counter(content_key(one.chosen, one.rejected) for one in found).values()) < 1700
    assert main([*argv, "--draws", "2000", "--seed", "2"]) == 0
    assert list(read(output, Pair)) != found


# Files


def test_datasets_reads_a_large_file_whose_first_failure_and_first_probability_come_late(tmp_path):
    from datasets import load_dataset

    def rows():
        for n in range(30_000):
            last = n == 29_999
            labelled = {"label": "correct", "verifier": "v/1", "evidence": "so " * 40}
            labelled["probability"] = 0.5 if last else None
            one = Fragment(0, 300, "sentence", "x" * 300, **({"error": "broke"} if n == 29_998 else labelled))
            yield Scored(f"k{n}", "p", 0, ASKED, "x" * 300, {}, "d", "train", "stop", {}, 3, [one])

    write(tmp_path / "scored.jsonl", rows())
    assert (tmp_path / "scored.jsonl").stat().st_size > 2 * (10 << 20)
    loaded = load_dataset(
        "json", data_files=str(tmp_path / "scored.jsonl"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert len(loaded) == 30_000
    broken, last = loaded[29_998]["fragments"][0], loaded[29_999]["fragments"][0]
    assert (broken["error"], broken["label"], broken["probability"]) == ("broke", "", -1.0)
    assert (last["error"], last["label"], last["probability"]) == ("", "correct", 0.5)


def test_what_is_not_there_comes_back_as_none_and_nan_as_nan(tmp_path, scored_row):
    row = scored_row(["A.", "B?"], "+!")
    certain = Certainty("k", [0.5, float("nan")])
    sure = Confidence("k", [0.5, float("nan")], [0.1, 0.2])
    for one in (row, certain, sure):
        write(tmp_path / "one.jsonl", [one])
        assert "NaN" not in (tmp_path / "one.jsonl").read_text()
        assert str(list(read(tmp_path / "one.jsonl", type(one)))) == str([one])
    # As earlier versions wrote it.
    (tmp_path / "one.jsonl").write_text('{"key": "k", "certainty": [0.5, NaN]}\n')
    assert str(list(read(tmp_path / "one.jsonl", Certainty))) == str([certain])


def test_one_output_has_one_writer(tmp_path, kenya, capsys):
    for output, argv in {
        "a.jsonl": ["score", "--responses", str(kenya)],
        "b.jsonl": ["pairs", "--scored", str(kenya)],
        "c.jsonl": ["prompts", "--domain", "countries"],
    }.items():
        with locked(tmp_path / output):
            refused(capsys, *argv, "--output", tmp_path / output, says="being written")
        assert not (tmp_path / output).exists()
        assert main([*argv, "--output", str(tmp_path / output)]) == 0
    assert not list(tmp_path.glob("*.lock"))
    assert not list(tmp_path.glob(".*.lock"))


def test_an_evaluation_and_a_comparison_have_one_writer(tiny_model, tmp_path, capsys):
    write(tmp_path / "prompts.jsonl", [Prompt("k", ASKED, {"subject": "Kenya"}, "countries", "heldout")])
    argv = ["evaluate", "--model", tiny_model, "--name", "base", "--prompts", tmp_path / "prompts.jsonl"]
    argv += ["--max-tokens", "4", "--samples", "1", "--engine", "transformers", "--output", tmp_path / "base"]
    with locked(tmp_path / "base"):
        refused(capsys, *argv, says="being written")
    assert not (tmp_path / "base").exists()
    assert main([str(one) for one in argv]) == 0
    with locked(tmp_path / "report"):
        refused(capsys, "compare", tmp_path / "base", "--output", tmp_path / "report", says="being written")
    assert not (tmp_path / "report").exists()


SLOW = """
    import sys, time
    from rlhalt.cli import guarded
    from rlhalt.fragments.sentences import sentences
    from rlhalt.records import Response, Rows
    from rlhalt.score_file import score_file
    from rlhalt.scoring import Scorer
    from rlhalt.verifiers import Verdict
    from pathlib import Path

    class Slow:
        name = "slow/1"
        def verify(self, response, fragments, reference):
            time.sleep(0.01)
            return [Verdict("correct", "") for _ in fragments]

    rows = Rows(Path(sys.argv[1]), Response)
    sys.exit(guarded(lambda argv: score_file(rows, Scorer(sentences, Slow()), argv[1]), sys.argv[1:]))
"""


def test_two_commands_on_one_output_and_kills_lose_nothing(tmp_path):
    (tmp_path / "slow.py").write_text(textwrap.dedent(SLOW))
    rows = [response(f"k{n}", f"Fact {n} is so.") for n in range(120)]
    write(tmp_path / "responses.jsonl", rows)
    command = [sys.executable, str(tmp_path / "slow.py"), str(tmp_path / "responses.jsonl"), str(tmp_path / "s.jsonl")]
    draw = random.Random(0)
    for _ in range(4):
        both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        time.sleep(1.0 + draw.random())
        for one in both:
            one.kill()
            one.communicate()
    codes = []
    for one in [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]:
        _, told = one.communicate()
        codes.append(one.returncode)
        if one.returncode:
            assert (one.returncode, told.count("\n")) == (2, 1), told
            assert "being written" in told
    assert 0 in codes
    assert [one.key for one in read(tmp_path / "s.jsonl", Scored)] == [one.key for one in rows]


@pytest.mark.slow
def test_kills_at_any_point_of_any_stage_lose_nothing(tiny_model, tmp_path):
    """Fifty kills of two commands at once on one output, spread over the stages; then the bytes of a quiet run."""

    def folder(name: str) -> Path:
        (tmp_path / name).mkdir()
        return tmp_path / name

    source = {"PYTHONPATH": str(Path(__file__).parents[1] / "src"), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    sample = f"sample --model {tiny_model} --prompts prompts.jsonl --responses 2 --max-tokens 24 --batch-size 4"
    stages = {
        "prompts.jsonl": ("prompts", 12, 1.5),
        "responses.jsonl": (f"{sample} --engine transformers", 13, 15.0),
        "scored.jsonl": ("score --responses responses.jsonl", 13, 4.0),
        "pairs.jsonl": ("pairs --scored scored.jsonl", 12, 2.0),
    }

    def start(line: str, output: str, where: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "rlhalt", *line.split(), "--output", output]
        return subprocess.Popen(command, cwd=where, env=source, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                text=True)  # fmt: skip

    quiet, disturbed, draw = folder("quiet"), folder("disturbed"), random.Random(0)
    for output, (line, kills, seconds) in stages.items():
        one = start(line, output, quiet)
        assert one.wait() == 0, one.communicate()
        for _ in range(kills):
            both = [start(line, output, disturbed) for _ in range(2)]
            time.sleep(draw.uniform(0, seconds))
            for one in both:
                one.kill()
                one.communicate()
        both = [start(line, output, disturbed) for _ in range(2)]
        told = [one.communicate()[1] for one in both]
        codes = [one.returncode for one in both]
        assert 0 in codes, told
        assert all(code == 0 or (code == 2 and "being written" in said) for code, said in zip(codes, told, strict=True))
        assert (disturbed / output).read_bytes() == (quiet / output).read_bytes()


def test_a_file_that_changes_while_it_is_written_is_not_taken_as_it_is(tmp_path):
    rows = [response(one) for one in "ab"]
    with Journal(tmp_path / "r.jsonl", Response, [(one.key, "") for one in rows]) as journal:
        for one in rows:
            journal.add(one)
        (tmp_path / "r.jsonl.part").write_text(dumps(rows[1]) + "\n" + dumps(rows[0]) + "\n")
        with pytest.raises(InputError, match="was changed while this command ran"):
            journal.finish()
    assert not (tmp_path / "r.jsonl").exists()


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        (Prompt, {"prompt": "Why?", "reference": {"x": 1}}),
        (Response, {"prompt": "Why?", "response": "So.", "reference": {"x": 1}}),
        (Pair, {"prompt": "Why?", "chosen": "So.", "rejected": "Not so."}),
        (Target, {"prompt": ASKED, "completion": "So."}),
    ],
)
def test_rows_that_people_bring_need_little_and_all_that_is_missing_is_named(tmp_path, kind, row):
    (tmp_path / "own.jsonl").write_text(json.dumps(row) + "\n")
    (one,) = read(tmp_path / "own.jsonl", kind)
    write(tmp_path / "again.jsonl", [one])
    assert list(read(tmp_path / "again.jsonl", kind)) == [one]
    (tmp_path / "own.jsonl").write_text('{"other": 1}\n')
    with pytest.raises(InputError) as caught:
        list(read(tmp_path / "own.jsonl", kind))
    assert all(f"'{name}'" in str(caught.value) for name in row)
