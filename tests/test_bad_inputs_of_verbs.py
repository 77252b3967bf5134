"""Bad inputs of every verb: files, settings and flags that are not what they must be.

Each command ends with one line on standard error and exit 2, and changes nothing on disk. A command with good inputs
gets past all of these checks, to a model that is not there, or to its end.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bad_inputs import (
    FILES,
    JSON_LINES,
    MISSING,
    NUMBERS,
    TEXTS,
    YAML,
    Case,
    Raw,
    broken_fields,
    broken_files,
    broken_flags,
    broken_settings,
    faults,
    write_bytes,
)
from evaluation_folders import build
from rlhalt.domains.biography import question
from rlhalt.fragments.sentences import sentences
from rlhalt.records import Certainty, Decision, Pair, Prompt, Response, Scored, Target, write

ASKED = [{"role": "user", "content": "State five facts about Kenya."}]
SAID = "Kenya is in Africa. The capital of Kenya is Nairobi."
NO = ["0", "-1", "1.5", "nan", "x", "", "9" * 5000]
NO_SHARE = ["0", "-1", "2", "nan", "inf", "x", ""]
NO_THRESHOLD = ["0", "1", "-1", "nan", "inf", "x", "", "[0.5]"]
NO_SEED = ["-1", "1.5", "x", str(2**64), "nan"]

DOMAIN = """\
domain: own
task: domain.py:Own
fragmenter: sentences
verifier: domain.py:Always
halting: independent
threshold: 0.5
max_failure_rate: 0.02
"""
CODE = """\
from rlhalt.domains import Task
from rlhalt.records import Prompt, content_key
from rlhalt.verifiers import Verdict

class Own(Task):
    def own_prompts(self):
        asked = [[{"role": "user", "content": f"State facts about {one}."}] for one in "ABCDEFGHIJ"]
        return [Prompt(content_key(one), one, {"subject": "A"}, "own", "heldout") for one in asked]

class Always:
    name = "always/1"
    def __init__(self, sure=1.0):
        self.sure = sure
    def verify(self, response, fragments, reference):
        return [Verdict("correct", "always", self.sure) for _ in fragments]

class Needs:
    name = "needs/1"
    def __init__(self, table):
        self.table = table

NOTHING = None
"""
RECIPE = """\
model: /no/model
domain: countries
output: out/recipe
thresholds: [0.5]
seeds: [0]
responses: 2
best: 0.5
temperature: 0.7
evaluation_responses: 1
sft: sft.yaml
dpo: dpo.yaml
"""
# Of each training, and the keys of one alone.
TRAINING = """\
model_name_or_path: /no/model
use_cpu: true
bf16: false
report_to: none
output_dir: out/trained
"""
KINDS = {
    "sft": "train_file: targets.jsonl\n",
    "dpo": "train_file: pairs.jsonl\ndraws: 4\n",
    "decisions": "train_file: decisions.jsonl\n",
    "grpo": "train_file: prompts.jsonl\ndomain: countries\nthreshold: 0.5\nloss_type: dr_grpo\nscale_rewards: none\n"
    "mask_truncated_completions: false\ndisable_dropout: true\nnum_generations: 4\n",
}
ACCELERATE = "distributed_type: MULTI_GPU\nnum_machines: 1\nnum_processes: 2\n"


@pytest.fixture
def world(tmp_path, monkeypatch) -> Path:
    """A folder with a good file of each kind that a verb reads; the working directory."""
    folder = tmp_path / "world"
    (folder / "own").mkdir(parents=True)
    monkeypatch.chdir(folder)
    labelled = [dataclasses.replace(one, label="correct", verifier="hand/1") for one in sentences(SAID)]
    sampler = {"temperature": 0.7}
    prompt = Prompt("k", ASKED, {"subject": "Kenya"}, "countries", "train")
    response = Response("r", "k", 0, ASKED, SAID, {"subject": "Kenya"}, "countries", "train", "stop", sampler, 9)
    row = Scored(**vars(response), fragments=labelled)
    wrong = dataclasses.replace(row, key="w", index=1, fragments=[dataclasses.replace(labelled[0], label="incorrect")])
    said = [{"role": "assistant", "content": SAID}]
    other = [{"role": "assistant", "content": "No."}]
    for name, rows in {
        "prompts": [prompt],
        "heldout": [dataclasses.replace(prompt, split="heldout")],
        "responses": [response],
        "own-responses": [dataclasses.replace(response, domain="own")],
        "own-prompts": [dataclasses.replace(prompt, domain="own", split="heldout")],
        "scored": [row, wrong],
        "pairs": [Pair("k", ASKED, said, other, 0.5, "remove", 0.5, 0, "r")],
        "targets": [Target("k", ASKED, said, "remove", "r")],
        "decisions": [Decision("k", ASKED, "", SAID, [""], 0.5, "remove", 0.5, "r")],
    }.items():
        write(folder / f"{name}.jsonl", rows)
    for name, data in {
        "rows": {"prompt": "Why?", "reference": {"x": "y"}},
        "gsm8k": {"question": "What is 1 + 1?", "answer": "It is 1+1=<<1+1=2>>2.\n#### 2"},
        "math": {"problem": "What is 1 + 1?", "solution": r"It is \boxed{2}."},
        "humaneval": {
            "task_id": "a/1", "prompt": "def f():\n", "canonical_solution": "    return 1\n",
            "test": "def check(f):\n    assert f() == 1\n", "entry_point": "f",
        },
        "mbpp": {
            "task_id": 1, "text": "Return 1.", "code": "def f():\n    return 1\n", "test_list": ["assert f() == 1"],
        },
        "apps": {
            "problem_id": 1, "question": "Return 1.", "starter_code": "", "solutions": '["def f():\\n    return 1"]',
            "input_output": '{"fn_name": "f", "inputs": [[]], "outputs": [1]}',
        },
        "people": {"topic": "Ada Berg", "article": "Ada Berg is a painter."},
        "factscore": {
            "input": question("Ada Berg")[0]["content"], "output": "Ada Berg is a painter.", "topic": "Ada Berg",
            "annotations": [{
                "text": "Ada Berg is a painter.", "is-relevant": True, "model-atomic-facts": [],
                "human-atomic-facts": [{"text": "Ada Berg is a painter.", "label": "S"}],
            }],
        },
    }.items():  # fmt: skip
        (folder / f"{name}.jsonl").write_text(json.dumps(data) + "\n", encoding="utf-8")
    (folder / "TruthfulQA.csv").write_text(
        "Question,Best Answer,Correct Answers,Incorrect Answers\nWhy?,So.,So.; Thus.,No.\n", encoding="utf-8"
    )
    (folder / "gpqa.csv").write_text(
        "Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3\nWhy?,a,b,c,d\n",
        encoding="utf-8",
    )
    (folder / "text.txt").write_text("Nobody was trained on this text.\n", encoding="utf-8")
    audited = {"split": "train", "subject": "A", "response": "A is so.", "start": 0, "end": 8, "text": "A is so."}
    own = {"domain.yaml": DOMAIN, "domain.py": CODE, "audit.jsonl": json.dumps(audited | {"label": "correct"}) + "\n"}
    own["README.md"] = "# Own\n\n<!-- audit: written by `rlhalt audit`, do not edit -->\n<!-- end of audit -->\n"
    own["examples.jsonl"] = json.dumps({"prompt": "State facts about Z.", "response": "Z is so."}) + "\n"
    for name, text in own.items():
        (folder / "own" / name).write_text(text, encoding="utf-8")
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "accelerate.yaml").write_text(ACCELERATE)
    for kind, more in KINDS.items():
        (folder / f"{kind}.yaml").write_text(TRAINING + more)
    return folder


@pytest.fixture
def evaluations(world) -> Path:
    """Evaluation folders, in the world."""
    build(world / "evaluation", n_prompts=3, samples=1, seeds=(0,), thresholds=(0.5,))
    for folder in (world / "evaluation").iterdir():
        rows = [json.loads(line) for line in (folder / "scored.jsonl").read_text().splitlines()]
        write(folder / "ccp.jsonl", [Certainty(row["key"], [0.5] * len(row["fragments"])) for row in rows])
        record = {"text": "t", "instructions": "i", "windows": [{"bits": 9.0, "tokens": 3, "bytes": 9}]}
        (folder / "general.json").write_text(json.dumps(record | {"right": [True], "responses": ["a"]}))
    return world / "evaluation"


# Each family: the command with good inputs, and what is wrong with them one at a time.
Family = tuple[list[list[str]], Callable[[Path], list[Case]]]
OUT = ["--output", "out.jsonl"]
PROMPTS = {
    "rows.jsonl": "maths", "math.jsonl": "maths", "gsm8k.jsonl": "maths", "humaneval.jsonl": "code",
    "mbpp.jsonl": "code", "apps.jsonl": "code", "people.jsonl": "biography", "TruthfulQA.csv": "truthfulqa",
}  # fmt: skip
SAMPLE = ["sample", "--model", "/no/model", "--prompts", "prompts.jsonl", *OUT]
SCORE = ["score", "--responses", "own-responses.jsonl", "--domain", "own", *OUT]
JUDGED = [*SCORE, "--judge-address", "http://127.0.0.1:9/v1", "--judge-model", "m"]
PAIRS = ["pairs", "--scored", "scored.jsonl", *OUT]
DECISIONS = ["decisions", "--scored", "scored.jsonl", *OUT]
ANNOTATED = ["annotated", "factscore.jsonl", *OUT]
EVALUATE = ["evaluate", "--model", "/no/model", "--name", "m", "--prompts", "heldout.jsonl", "--output", "out"]
COMPARE = ["compare", "evaluation/base", "evaluation/sft-0", "--output", "out"]
CERTAINTY = ["certainty", "evaluation/base", "--by", "ccp"]
GENERAL = ["general", "evaluation/base", "--text", "text.txt"]
AUDIT = ["audit", "own"]
CHOOSE = ["choose", "gpqa.csv", "--form", "gpqa", "--model", "/no/model", "--output", "out"]
RUN = ["run", "recipe.yaml"]
ROUNDS = ["rounds", "--rounds", "1", "--config", "recipe.yaml"]
DOCTOR = ["doctor", "sft", "--config", "sft.yaml", "--accelerate", "accelerate.yaml"]


def prompt_files(world: Path) -> list[Case]:
    cases = []
    for name, domain in PROMPTS.items():
        argv = ["prompts", "--domain", domain, "--file", name, "--split", "train", *OUT]
        contents = FILES if name.endswith(".csv") else JSON_LINES
        cases += broken_files(argv, world / name, contents)
        if name.endswith(".jsonl"):
            row = json.loads((world / name).read_text())
            fields = [one for one in row if one not in ("task_id", "problem_id", "canonical_solution", "solutions")]
            cases += broken_fields(
                argv, world / name, {one: [MISSING, Raw("9" * 5000), 1, None, [], ""] for one in fields}
            )
    argv = ["prompts", "--domain", "truthfulqa", "--file", "TruthfulQA.csv", *OUT]
    for told, text in {
        "no rows": "Question,Best Answer,Correct Answers,Incorrect Answers\n",
        "other columns": "Question,Answer\nWhy?,So.\n",
        "an empty cell": "Question,Best Answer,Correct Answers,Incorrect Answers\nWhy?,So.,So.,\n",
        "a question twice": "Question,Best Answer,Correct Answers,Incorrect Answers\nWhy?,a,b,c\nWhy?,a,b,c\n",
        "a cell that is too long": "Question,Best Answer,Correct Answers,Incorrect Answers\n"
        + "x" * 200_000
        + ",a,b,c\n",
        "a cell too few": "Question,Best Answer,Correct Answers,Incorrect Answers\nWhy?\n",
        "a null character": "Question,Best Answer,Correct Answers,Incorrect Answers\nWhy\0?,a,b,\n",
    }.items():
        cases.append(Case(told, argv, write_bytes(world / "TruthfulQA.csv", text.encode())))
    argv = ["prompts", "--domain", "code", "--file", "humaneval.jsonl.gz", *OUT]
    for told, content in JSON_LINES.items():
        cases.append(Case(f"compressed: {told}", argv, write_bytes(world / "humaneval.jsonl.gz", content)))
    good = ["prompts", "--domain", "countries", *OUT]
    cases += broken_flags(good, {"--domain": ["nowhere", "", "own/domain.yaml", "text.txt"], "--split": ["test", ""]})
    return cases


def outputs(world: Path) -> list[Case]:
    """An output that cannot be one, or that holds something else."""
    (world / "there").mkdir(exist_ok=True)
    (world / "there.jsonl").mkdir(exist_ok=True)
    (world / "garbage.jsonl").write_bytes(b"\x00\xff\n")
    cases = []
    for argv in (["prompts", "--domain", "countries", *OUT], SAMPLE, SCORE, PAIRS, DECISIONS, ANNOTATED):
        names = [
            "there",
            "there.jsonl",
            "text.txt",
            "text.txt/out.jsonl",
            "",
            "out.csv",
            ".",
            "/proc/nothing/out.jsonl",
        ]
        cases += broken_flags(argv, {"--output": names})
        read = next(one for one in [*argv, "prompts.jsonl"] if one.endswith(".jsonl"))
        if argv[0] != "prompts":
            cases += broken_flags(argv, {"--output": [read]})
    for argv in (SAMPLE, SCORE):
        cases += broken_flags(argv, {"--output": ["garbage.jsonl", "targets.jsonl"]})
    for argv in (EVALUATE, COMPARE, CHOOSE, RUN, ROUNDS):
        cases += broken_flags(argv, {"--output": ["text.txt", "text.txt/out"]})
    cases += broken_flags(PAIRS, {"--targets": ["out.jsonl", "scored.jsonl", "there.jsonl", "out.csv", "./out.jsonl"]})
    return cases


def sample(world: Path) -> list[Case]:
    cases = list(broken_files(SAMPLE, world / "prompts.jsonl", JSON_LINES))
    cases += broken_flags(
        SAMPLE,
        {
            "--template-arg": ["x", "=1", "a b=1", "x=" + "[" * 100_000, "x=NaN", "x=" + "9" * 5000],
            "--concurrency": ["4"],
            "--address": ["http://127.0.0.1:9/v1"],
            "--tensor-parallel": ["0", "2"],
            "--dtype": ["float16"],
        },
    )
    served = [*SAMPLE, "--engine", "openai"]
    cases.append(Case("no address", served))
    cases += broken_flags(served, {"--address": ["nowhere", "", "ftp://a/v1", "http://", "http://a:x/v1"]})
    cases += broken_flags(
        [*served, "--address", "http://127.0.0.1:9/v1"],
        {"--concurrency": NO, "--timeout": ["0", "-1", "nan", "x"], "--dtype": ["x"]},
    )
    shots = ["sample", "--model", "/no/model", "--prompts", "own-prompts.jsonl", "--domain", "own", "--few-shot", *OUT]
    path = world / "own" / "examples.jsonl"
    cases += [Case(f"examples that are {told}", shots, write_bytes(path, text)) for told, text in JSON_LINES.items()]
    return cases


def settings(world: Path) -> list[Case]:
    """domain.yaml and what it names."""
    path = world / "own" / "domain.yaml"
    cases = list(broken_files(SCORE, path, YAML))
    cases += broken_settings(
        SCORE,
        path,
        {
            "threshold": NO_THRESHOLD,
            "max_failure_rate": ["-1", "1.5", ".nan", "x", "[0]"],
            "promised_agreement": ["-1", "1.5", "x"],
            "promised_decided": ["-0.1", "2", "[1]"],
            "seconds_per_response": ["0", "-1", ".inf", "x"],
            "halting": ["", "none", "1", "[causal]"],
            "halting_phrase": ['""', "'!'", "1", "[a]", r'"\ud800"', "null"],
            "domain": ['""', "1", "null", "[a]"],
            "fragmenter": ["x", "x:y", ":x", "..:x", "domain.py:", "domain.py:No", "no.py:x", "os:path", "os:1 2"],
            "verifier": ["x", "x:y", ":x", "domain.py:No", "domain.py:NOTHING", "domain.py:Needs", "os:getcwd"],
            "task": ["x", "x:y", ":x", "domain.py:No", "domain.py:Always", "os:path", "domain.py:NOTHING", "''"],
            "options": ["{nothing: 1}", "[1]", "x", "{1: 2}", "{sure: .nan}"],
            "language": ["xx", "en2", "1", "[en]", "''"],
            "prompt": ["[a]", "1"],
            "fields": ["a", "[1]", "{a: b}"],
            "": ["unknown: 1", "threshold: 0.5", "- a"],
        },
    )  # fmt: skip
    code = world / "own" / "domain.py"
    for told, text in {
        "a syntax error": "class Own(:\n",
        "an error": "1 / 0\n",
        "an import of nothing": "import no_such_module\n",
        "an exit": "import sys\nsys.exit(3)\n",
        "nothing": "",
        "zeros": "\0",
        "another encoding": "# coding: no-such-encoding\n",
        "endless": "def f():\n    f()\nf()\n",
        "no UTF-8": "\udcff",
    }.items():
        cases.append(Case(f"domain.py is {told}", SCORE, write_bytes(code, text.encode("utf-8", "surrogateescape"))))
    cases.append(Case("domain.py is missing", SCORE, code.unlink))
    cases.append(Case("domain.py is a folder", SCORE, lambda: (code.unlink(), code.mkdir())))
    judged = DOMAIN.replace("verifier: domain.py:Always", "verifier: judge\nprompt: judge.txt\nfields: [subject]")
    for told, change in {
        "is missing": lambda: None,
        "is a folder": (world / "own" / "judge.txt").mkdir,
        "is no text": write_bytes(world / "own" / "judge.txt", b"\xff\xfe"),
        "is empty": write_bytes(world / "own" / "judge.txt", b" \n"),
    }.items():

        def both(change: Callable[[], object] = change) -> None:
            path.write_text(judged)
            change()

        cases.append(Case(f"judge.txt {told}", JUDGED, both))
    cases.append(Case("a judge without an address", SCORE, write_bytes(path, judged.encode())))
    return cases


def judge(world: Path) -> list[Case]:
    """How the judge is named, and where its replies are kept."""
    (world / "there").mkdir(exist_ok=True)
    cases = broken_flags(
        JUDGED,
        {
            "--judge-address": ["nowhere", "ftp://a/v1", "http://", "http://a:x/v1", "http://[/v1"],
            "--judge-model": [""],
            "--judge-body": ["x", "[1]", "1", "{", '{"a": NaN}', "{" * 5000],
            "--judge-concurrency": NO,
            "--judge-rate": ["0", "-1", "nan", "inf", "x"],
            "--judge-max-tokens": NO,
            "--judge-timeout": ["0", "-1", "nan", "inf", "x"],
            "--judge-cache": ["there", "text.txt", "text.txt/cache", "own-responses.jsonl", "/proc/nothing/cache"],
            "--budget-calls": ["-1", "1.5", "x", "9" * 5000],
            "--budget-tokens": ["-1", "nan"],
            "--budget-money": ["-1", "nan", "inf", "x"],
        },
    )
    return [
        *cases,
        Case("prices", [*JUDGED, "--judge-prices", "1", "-1"]),
        Case("a price", [*JUDGED, "--judge-prices", "1"]),
    ]


def score(world: Path) -> list[Case]:
    cases = list(broken_files(SCORE, world / "own-responses.jsonl", JSON_LINES))
    cases += broken_flags(SCORE, {"--domain": ["countries", "nowhere", "", "own/domain.yaml"], "--workers": ["2", "0"]})
    rows = (world / "own-responses.jsonl").read_text()
    two = rows + rows.replace('"key":"r"', '"key":"q"').replace('"domain":"own"', '"domain":"maths"')
    plain = ["score", "--responses", "own-responses.jsonl", *OUT]
    cases.append(Case("two domains", plain, write_bytes(world / "own-responses.jsonl", two.encode())))
    none = rows.replace('"domain":"own"', '"domain":""')
    cases.append(Case("no domain", plain, write_bytes(world / "own-responses.jsonl", none.encode())))
    for reference in ("{}", '{"subject": 1}', '{"subject": "Nowhere"}', '{"subject": null}', '{"subject": ["Kenya"]}'):
        told, text = f"a reference of {reference}", (world / "responses.jsonl").read_text()
        argv = ["score", "--responses", "responses.jsonl", *OUT]
        changed = text.replace('{"subject":"Kenya"}', reference)
        cases.append(Case(told, argv, write_bytes(world / "responses.jsonl", changed.encode())))
    return cases


def annotated(world: Path) -> list[Case]:
    path = world / "factscore.jsonl"
    cases = list(broken_files(ANNOTATED, path, {**JSON_LINES}))
    inside = "annotations.0."
    cases += broken_fields(
        ANNOTATED,
        path,
        {
            "topic": [MISSING, *TEXTS],
            "output": [MISSING, *TEXTS],
            "annotations": [MISSING, 1, "x", {}, [1], [[]]],
            f"{inside}text": [MISSING, *TEXTS],
            f"{inside}human-atomic-facts": [MISSING, 1, "x", [1], {}],
            f"{inside}human-atomic-facts.0.text": [MISSING, *TEXTS],
            f"{inside}human-atomic-facts.0.label": [MISSING, 1, None, [], {}, "X"],
        },
    )
    cases += broken_flags(ANNOTATED, {"--granularity": ["words", ""], "--split": ["test"]})
    return [*cases, Case("the same file twice", ["annotated", "factscore.jsonl", "factscore.jsonl", *OUT])]


def made(world: Path) -> list[Case]:
    """pairs and decisions."""
    cases = []
    for argv in (PAIRS, DECISIONS):
        cases += broken_files(argv, world / "scored.jsonl", JSON_LINES)
        cases += broken_flags(argv, {"--threshold": NO_THRESHOLD, "--style": ["x", ""], "--seed": NO_SEED})
        cases += broken_fields(
            argv, world / "scored.jsonl", {"fragments": [MISSING, 1, None, [1], [{}]], "prompt": [1, []]}
        )
    cases += broken_flags(
        [*PAIRS, "--targets", "targets-out.jsonl"],
        {
            "--method": ["x", "", "halt-odds"],
            "--best": NO_SHARE,
            "--percentile": NO_SHARE,
            "--reading": ["up"],
            "--draws": NO,
        },
    )
    cases += [Case("no τ in the prompt", [*DECISIONS, "--threshold-in-prompt"])]
    return [
        *cases,
        *(Case(f"τ {one} in the prompt", [*DECISIONS, "--threshold-in-prompt", "0.5", one]) for one in "01x"),
    ]


def trained(world: Path) -> list[Case]:
    """The rows and the settings of trainings."""
    cases = []
    for kind, file in {"sft": "targets", "dpo": "pairs", "decisions": "decisions", "grpo": "prompts"}.items():
        argv, path = ["train", kind, "--config", f"{kind}.yaml"], world / f"{file}.jsonl"
        contents = (
            JSON_LINES if kind == "sft" else {one: JSON_LINES[one] for one in ("empty", "deep", "compressed", "a list")}
        )
        cases += broken_files(argv, path, contents)
        settings = YAML if kind == "sft" else {one: YAML[one] for one in ("empty", "a list", "a bomb", "a key twice")}
        cases += broken_files(argv, world / f"{kind}.yaml", settings)
        cases += broken_settings(
            argv,
            world / f"{kind}.yaml",
            {
                "learning_rate": [".nan", ".inf", "-1", "x", "[1]"],
                "max_steps": ["x", "[1]", "1.5"],
                "num_train_epochs": [".nan", "-1", "x"],
                "per_device_train_batch_size": ["0", "-1", "x"],
                "seed": ["-1", "x", "1.5", str(2**40)],
                "lora_r": ["0", "-4", "x"],
                "use_cpu": ["maybe", "[1]"],
                "train_file": ["", "[a]", "no.jsonl", "out"],
                "": ["learning_rat: 1", "model_name_or_path: a", "logging_steps: -1"],
            } if kind == "sft" else {"learning_rate": [".nan", "-1"], "": ["nothing: 1"], "train_file": ["no.jsonl"]},
        )  # fmt: skip
        cases.append(Case("no rows named", ["train", kind, "--model_name_or_path", "/no/model", "--output_dir", "out"]))
    first = {"dpo": "pairs", "decisions": "decisions", "sft": "targets"}
    for kind, file in first.items():
        argv, path = ["train", kind, "--config", f"{kind}.yaml"], world / f"{file}.jsonl"
        fields = {"prompt": [MISSING, [], 1, [{"role": "user"}]], "key": ["", 1]}
        fields |= {"weight": [*NUMBERS[:3], 0, -1, 2]} if kind == "dpo" else {}
        fields |= (
            {"threshold": [0, 1, -1, "x"], "worth": NUMBERS[:4], "otherwise": [[], 1]} if kind == "decisions" else {}
        )
        cases += broken_fields(argv, path, fields)
    for kind, settings in {
        "dpo": {
            "draws": ["0", "-1", "1.5", "x"], "beta": [".nan", "x", "-1"],
            "anchor": ["-1", ".nan", "x"],
        },
        "decisions": {"beta": ["0", "-1", ".nan", "x"], "hold": ["-1", "x"], "anchor": ["-1", "x"]},
        "grpo": {
            "threshold": [one for one in NO_THRESHOLD if one], "domain": ["nowhere", "''", "[a]"], "credit": ["x"],
            "unverifiable": ["1", ".nan", "x"],
            "num_generations": ["0", "1", "x"], "temperature": ["0", "-1", ".nan"],
            "max_completion_length": ["0", "-1"],
        },
    }.items():  # fmt: skip
        cases += broken_settings(["train", kind, "--config", f"{kind}.yaml"], world / f"{kind}.yaml", settings)
    for words in (
        ["--learning_rate", "nan"],
        ["--learning_rate"],
        ["--nothing", "1"],
        ["word"],
        ["--config"],
        ["--config", "no.yaml"],
    ):
        cases.append(Case(f"{words}", ["train", "sft", "--config", "sft.yaml", *words]))
    return [*cases, Case("no kind", ["train"]), Case("another kind", ["train", "ppo"])]


def examined(world: Path) -> list[Case]:
    """doctor."""
    cases = list(broken_files(DOCTOR, world / "sft.yaml", YAML))
    cases += broken_files(DOCTOR, world / "accelerate.yaml", YAML)
    cases += broken_settings(
        DOCTOR,
        world / "accelerate.yaml",
        {
            "num_processes": ["0", "-1", "x", "[1]", ".nan", "{a: 1}"],
            "num_machines": ["0", "-2", "x"],
            "deepspeed_config": ["x", "[1]", "{zero_stage: x}", "{zero_stage: 7}", "{zero_stage: [1]}"],
        },
    )
    cases += [
        Case(f"{words}", [*DOCTOR, *words]) for words in (["word"], ["--seed"], ["--seed", "["], ["--seed", "&a [*a]"])
    ]
    return [*cases, Case("another kind", ["doctor", "ppo", "--config", "sft.yaml"]), Case("no file", ["doctor", "sft"])]


def evaluate(world: Path) -> list[Case]:
    cases = list(broken_files(EVALUATE, world / "heldout.jsonl", JSON_LINES))
    cases += broken_flags(
        EVALUATE,
        {
            "--threshold": NO_THRESHOLD,
            "--samples": ["-1", "x", "1.5"],
            "--temperature": ["0", "-1", "nan", "x"],
            "--max-tokens": NO,
            "--seed": NO_SEED,
            "--engine": ["openai", "x"],
            "--domain": ["nowhere", "maths"],
            "--name": ["", " "],
            "--prompts": ["prompts.jsonl", "no.jsonl", ""],
            "--base": [""],
        },
    )
    return [*cases, Case("τ in the prompt, but no τ", [*EVALUATE, "--threshold-in-prompt"])]


def compare(world: Path) -> list[Case]:
    folder = world / "evaluation" / "sft-0"
    cases = list(
        broken_files(COMPARE, folder / "run.json", {**FILES, "empty": b"", "a list": b"[]", "deep": b"[" * 9999})
    )
    for name in ("scored", "confidence"):
        cases += broken_files(COMPARE, folder / f"{name}.jsonl", JSON_LINES)
    for name in ("continuation.jsonl", "ccp.jsonl", "general.json"):
        some = {one: JSON_LINES[one] for one in ("zeros", "no UTF-8", "a list", "deep", "no fields", "other fields")}
        cases += [Case(f"{name} is {told}", COMPARE, write_bytes(folder / name, text)) for told, text in some.items()]
    cases += broken_fields(
        COMPARE,
        folder / "run.json",
        {
            "name": [MISSING, *TEXTS, ""],
            "threshold": [MISSING, 0, 1, -1, "0.5", [0.5], True, Raw("NaN")],
            "seed": [MISSING, "0", None, 1.5, True],
            "model": [MISSING, 1, None],
            "few_shot": [MISSING, 1, "no"],
            "halting": [MISSING, "none", 1],
            "seconds": [MISSING, "1", -1, Raw("NaN"), True],
        },
    )
    cases += broken_fields(
        COMPARE,
        folder / "scored.jsonl",
        {
            "sampler": [
                MISSING,
                1,
                {},
                {"temperature": "0"},
                {"temperature": None},
                {"temperature": [0]},
                {"temperature": -1},
            ],
            "split": ["train!", 1],
            "fragments.0.label": ["right", 1],
            "fragments.0.start": [-1, 1000, 0.5],
            "key": ["", "another"],
        },
    )
    cases += broken_fields(
        COMPARE,
        folder / "confidence.jsonl",
        {
            "token_probability": [[], [2.0], [-1.0], 1, "x", None],
            "halt_probability": [[], [1.5], {}],
            "key": ["", "another"],
        },
    )
    cases += broken_fields(COMPARE, folder / "ccp.jsonl", {"certainty": [[], [2.0], 1, ["x"]], "key": ["", "another"]})
    cases += broken_fields(
        COMPARE,
        folder / "general.json",
        {
            "windows": [
                MISSING,
                1,
                [1],
                [{}],
                [{"bits": "x", "tokens": 1, "bytes": 1}],
                [{"bits": 1.0, "tokens": 0, "bytes": 0}],
            ],
            "right": [MISSING, 1, ["no"], None],
            "instructions": [MISSING, 1],
            "text": [MISSING, 1],
        },
    )
    for told, argv in {
        "no folder": ["compare", "evaluation/nowhere", "--output", "out"],
        "no base": ["compare", "evaluation/sft-0", "--output", "out"],
        "a folder twice": ["compare", "evaluation/base", "evaluation/base", "--output", "out"],
        "a file": ["compare", "text.txt", "--output", "out"],
        "an empty name": ["compare", "", "--output", "out"],
        "into an evaluation": ["compare", "evaluation/base", "evaluation/sft-0", "--output", "evaluation/base"],
        "nothing": ["compare", "--output", "out"],
    }.items():
        cases.append(Case(told, argv))
    return cases


def measured(world: Path) -> list[Case]:
    """certainty and general."""
    folder = world / "evaluation" / "base"
    cases = []
    for argv in (CERTAINTY, GENERAL):
        cases += broken_files(argv, folder / "run.json", {**FILES, "empty": b"", "a list": b"[]"})
        cases += [
            Case(f"{name!r}", [argv[0], name, *argv[2:]]) for name in ("nowhere", "text.txt", "", "own", "evaluation")
        ]
    cases += broken_files(CERTAINTY, folder / "scored.jsonl", JSON_LINES)
    cases += broken_flags(CERTAINTY, {"--by": ["x", ""], "--nli": ["text.txt", "own", "", "/no/nli", "./no"]})
    for told, content in {**FILES, "empty": b"", "blank": b" \n"}.items():
        if told != "zeros":
            cases.append(Case(f"a text that is {told}", GENERAL, write_bytes(world / "text.txt", content)))
    return [*cases, *broken_flags(GENERAL, {"--text": ["no.txt", "own", ""], "--engine": ["openai", "x"]})]


def audit(world: Path) -> list[Case]:
    path = world / "own" / "audit.jsonl"
    cases = list(broken_files(AUDIT, path, JSON_LINES))
    cases += broken_files(AUDIT, world / "own" / "README.md", {**FILES, "empty": b"", "without marks": b"# Own\n"})
    cases += broken_files(
        AUDIT, world / "own" / "domain.yaml", {one: YAML[one] for one in ("empty", "a list", "a bomb")}
    )
    cases += broken_fields(
        AUDIT,
        path,
        {
            "split": [MISSING, 1, None, []],
            "response": [MISSING, *TEXTS],
            "start": [MISSING, "0", 1, -1, 0.5, None, 10**6, True],
            "end": [MISSING, "8", 7, -1, 0.5, None],
            "text": [MISSING, *TEXTS],
            "label": [MISSING, *TEXTS, "right"],
            "subject": [MISSING],
            "reference": [1, "x", [], None],
            "note": [1, ["a"]],
            "claim": [1, ["a"], {}],
        },
    )
    return [*cases, *(Case(f"{one!r}", ["audit", one]) for one in ("nowhere", "text.txt", "", "evaluation"))]


def choose(world: Path) -> list[Case]:
    cases = list(broken_files(CHOOSE, world / "gpqa.csv", {**FILES, "empty": b"", "other columns": b"a,b\n1,2\n"}))
    header = (world / "gpqa.csv").read_text().splitlines()[0]
    for told, row in {"no rows": "", "too few cells": "Why?,a\n", "an empty cell": "Why?,a,,c,d\n"}.items():
        cases.append(Case(told, CHOOSE, write_bytes(world / "gpqa.csv", f"{header}\n{row}".encode())))
    many = f"{header}\n{'x' * 200_000},a,b,c,d\n"
    cases.append(Case("a cell that is too long", CHOOSE, write_bytes(world / "gpqa.csv", many.encode())))
    same = f"{header}\nWhy?,a,a,c,d\n"
    cases.append(Case("a correct answer that is wrong", CHOOSE, write_bytes(world / "gpqa.csv", same.encode())))
    return [*cases, *broken_flags(CHOOSE, {"--thresholds": NO_THRESHOLD, "--form": ["x", "truthfulqa"]})]


def recipes(world: Path) -> list[Case]:
    path = world / "recipe.yaml"
    cases = list(broken_files(RUN, path, YAML))
    cases += broken_settings(
        RUN,
        path,
        {
            "model": ["''", "1", "[a]", "null"],
            "domain": ["nowhere", "''", "1", "[a]"],
            "output": ["''", "1", "null"],
            "thresholds": ["[]", "[0]", "[1]", "[.nan]", "0.5", "[x]", "[0.5, 0.5]", "[0.5, 0.50000001]", "[null]"],
            "seeds": ["[]", "[-1]", "[1.5]", "0", "[0, 0]", f"[{2**64}]", "[x]"],
            "responses": ["0", "-1", "1.5", "x", "9" * 5000],
            "best": ["0", "-1", "2", ".nan", "x"],
            "temperature": ["-1", ".nan", ".inf", "x"],
            "evaluation_responses": ["-1", "x", "1.5"],
            "max_tokens": ["0", "-1", "x"],
            "prompts": ["0", "-1", "x", "1.5"],
            "sft": ["no.yaml", "''", "own", "1"],
            "dpo": ["no.yaml", "text.txt", "own/README.md"],
            "grpo": ["no.yaml", "grpo.yaml"],
            "decisions": ["no.yaml"],
            "online_thresholds": ["[0.5]", "[0.7]", "x"],
            "supervised": ["[x]", "halt", "[halt, halt]"],
            "style": ["x", "1"],
            "engine": ["x", "openai"],
            "dpo_from": ["x"],
            "train_file": ["no.jsonl", "own", "scored.jsonl"],
            "chat_template_kwargs": ["x", "[1]"],
            "": ["nothing: 1", "model: a", "respnses: 3"],
        },
    )
    cases += broken_files(RUN, world / "sft.yaml", {one: YAML[one] for one in YAML if one != "a comment"})
    cases += broken_settings(RUN, world / "sft.yaml", {"": ["learning_rat: 1"], "learning_rate": [".nan", "x"]})
    cases += broken_flags(ROUNDS, {"--rounds": [*NO, "100000"], "--config": ["no.yaml", "", "own", "text.txt"]})
    cases += broken_flags(["quickstart", "--config", "recipe.yaml"], {"--config": ["no.yaml", "", "own", "text.txt"]})
    return [*cases, *(Case(f"{one!r}", ["run", one]) for one in ("no-recipe", "", "own", "text.txt", "no.yaml"))]


def others(world: Path) -> list[Case]:
    """new, list, and what is no command."""
    cases = [
        Case(f"{name!r}", ["new", "domain", name])
        for name in ("own", "text.txt", "Own", "a b", "", "1a", "text.txt/a", "a.b")
    ]
    argvs = [
        ["new", "model", "a"],
        ["new"],
        ["list", "x"],
        ["list", ""],
        ["x"],
        [""],
        ["--nothing"],
        ["list", "--x"],
    ]
    return [*cases, *(Case(f"{argv}", argv) for argv in argvs), Case("a null character", ["list", "a\0b"])]


FAMILIES = {
    one.__name__: one
    for one in (
        prompt_files, outputs, sample, settings, judge, score, annotated, made, trained, examined, evaluate, compare,
        measured, audit, choose, recipes, others,
    )
}  # fmt: skip


# Of each family so many cases are one that every run of the tests tries; the slow ones try all.
ONE_OF = 4


@pytest.fixture(scope="module")
def imported() -> None:
    """What is heavy is imported before the time of a command is limited: half an import stays broken."""
    from rlhalt.training.kinds import kinds

    for kind in KINDS:
        kinds(kind)
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer  # noqa: F401

    import rlhalt.evaluation.certainty
    import rlhalt.evaluation.general
    import rlhalt.models.names
    import rlhalt.training.setup  # noqa: F401


@pytest.mark.parametrize("family", list(FAMILIES))
def test_bad_inputs_end_with_one_line(family, world, evaluations, imported, capsys):
    cases = FAMILIES[family](world)[::ONE_OF]
    found = faults(cases, world, capsys)
    assert not found, f"{len(found)} of {len(cases)}:\n" + "\n".join(found)


@pytest.mark.slow
@pytest.mark.parametrize("family", list(FAMILIES))
def test_all_bad_inputs_end_with_one_line(family, world, evaluations, imported, capsys):
    cases = FAMILIES[family](world)
    found = faults(cases, world, capsys)
    assert not found, f"{len(found)} of {len(cases)}:\n" + "\n".join(found)


def test_the_number_of_bad_inputs(world, evaluations):
    """What the tests above try, counted; so that it is not cut unseen. 450 more are in test_bad_inputs.py."""
    counts = {name: len(family(world)) for name, family in FAMILIES.items()}
    assert sum(counts.values()) >= 900, counts
    assert sum(-(-one // ONE_OF) for one in counts.values()) + 450 >= 650, counts
