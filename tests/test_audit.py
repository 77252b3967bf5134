"""The verifier of a domain keeps what its domain promises, measured against labels given by hand."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest

from judge_server import JudgeServer
from rlhalt.audit import BEGIN, END, Audit, Judgement, agreement, audit, decided_share, judge, labelled, markdown
from rlhalt.audit import write_table as write
from rlhalt.domains import biography, load_domain
from rlhalt.domains.biography import factscore
from rlhalt.errors import InputError
from rlhalt.fragments.claims import ClaimsFragmenter
from rlhalt.fragments.sentences import sentences
from rlhalt.fragments.steps import steps
from rlhalt.llm import Client, Limits, Server
from rlhalt.records import iter_json
from rlhalt.scoring import Scorer
from rlhalt.verifiers.judge import JudgeVerifier
from rlhalt.verifiers.maths import MathsVerifier

REWARD = Path(__file__).parents[1] / "reward"
SHARED = Path(__file__).parents[2] / "shared" / "data"
AUDITED = sorted(path.parent.name for path in REWARD.glob("*/audit.jsonl"))
# Labels of solutions that are not ours to copy.
DATA = {"maths": SHARED / "gsm8k" / "model-solutions-600.jsonl"}


@pytest.fixture(scope="module", params=AUDITED)
def audited(request) -> tuple[str, Audit]:
    data = DATA.get(request.param)
    if data and not data.is_file():
        pytest.skip(f"what was labelled is missing: ../shared/{data.relative_to(SHARED.parent)}")
    return request.param, audit(REWARD / request.param, load_domain(request.param).scorer(), data)


def test_the_verifier_keeps_what_its_specification_promises(audited):
    domain, measured = audited
    domain = load_domain(domain)
    assert measured.misses(domain.promised_agreement, domain.promised_decided) == []


def test_the_table_in_the_readme_is_the_one_measured(audited):
    domain, measured = audited
    readme = (REWARD / domain / "README.md").read_text(encoding="utf-8")
    assert readme.split(BEGIN)[1].split(END)[0].strip() == measured.table


@pytest.mark.parametrize("domain", sorted(path.parent.name for path in REWARD.glob("*/domain.yaml")))
def test_a_domain_promises_what_its_audit_can_hold_it_to(domain):
    domain = load_domain(domain)
    promised = {domain.promised_agreement, domain.promised_decided}
    if domain in AUDITED:
        assert None not in promised
    elif domain.asks_a_model:
        assert promised == {None}


def test_enough_was_labelled_half_of_it_held_out():
    splits = Counter(row["split"] for _, row in iter_json(REWARD / "countries" / "audit.jsonl"))
    assert sum(splits.values()) >= 150
    assert splits["heldout"] >= splits.total() / 2


def made(human: str, verdict: str) -> Judgement:
    return Judgement("train", "A", "A | B.", human, verdict, "e", "")  # type: ignore[arg-type]


def test_deciding_what_people_call_neither_counts_against_the_verifier():
    some = [
        made("correct", "correct"),
        made("neither", "incorrect"),
        made("incorrect", "unverifiable"),
        made("correct", "failed"),
    ]
    assert agreement(some) == 0.5
    assert decided_share(some) == 0.5
    assert "A \\| B." in markdown(some)


def test_a_verifier_that_decides_nothing_agrees_with_nobody():
    assert agreement([made("correct", "unverifiable")]) == 0.0


def test_a_promise_that_is_not_kept_is_told():
    measured = Audit(0.9, 0.5, "", "")
    assert measured.misses(0.9, 0.5) == measured.misses(None, None) == []
    assert measured.misses(0.95, 0.6) == [
        "promised_agreement: 95.0% promised, 90.0% measured",
        "promised_decided: 60.0% promised, 50.0% measured",
    ]


def test_the_table_replaces_the_one_before(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"# One\n{BEGIN}\nold\n{END}\nmore\n")
    write(readme, "| new |")
    assert readme.read_text() == f"# One\n{BEGIN}\n\n| new |\n\n{END}\nmore\n"
    readme.write_text("nothing")
    with pytest.raises(InputError, match="audit"):
        write(readme, "| new |")


TEXT = "This is right. That is wrong. So it is."
REFERENCE = {"subject": "It", "article": "It is right."}


def labels(folder: Path, *rows: dict[str, object]) -> Path:
    (folder / "audit.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return folder / "audit.jsonl"


def row(text: str, label: str, **more: object) -> dict[str, object]:
    start = TEXT.index(text)
    place = {"response": TEXT, "start": start, "end": start + len(text), "text": text}
    return {"split": "train", "reference": REFERENCE, **place, "label": label, **more}


@pytest.fixture
def server():
    with JudgeServer() as running:
        yield running


@pytest.fixture
def scorer(server):
    with Client(Server(server.address, "m"), Limits(attempts=1)) as client:
        folder = REWARD / "biography"
        verifier = JudgeVerifier(client, folder / "judge.txt", ["subject", "article"])
        yield Scorer(ClaimsFragmenter(client, folder / "claims.txt"), verifier, workers=4)


def test_each_row_may_carry_its_own_reference(server, scorer, tmp_path):
    path = labels(
        tmp_path,
        row("This is right.", "correct"),
        row("That is wrong.", "correct", note="in doubt"),
        row("So it is.", "neither"),
        row("This is right.", "correct", reference={"subject": "Another", "article": "Another."}),
    )
    found = judge(path, Scorer(sentences, scorer.verifier, workers=4))
    assert [(one.human, one.verdict, one.subject) for one in found] == [
        ("correct", "correct", "It"),
        ("correct", "incorrect", "It"),
        ("neither", "unverifiable", "It"),
        ("correct", "correct", "Another"),
    ]
    # A response is judged once, whatever the number of its labels.
    assert len(server.requests) == 2
    measured = audit(tmp_path, Scorer(sentences, scorer.verifier))
    assert (measured.agreement, measured.decided) == (2 / 3, 3 / 4)
    assert "| It: That is wrong. | correct (in doubt) | incorrect" in measured.table


def test_a_labelled_claim_is_judged_as_it_is(server, scorer, tmp_path):
    path = labels(
        tmp_path,
        row("That", "incorrect", claim="That is wrong."),
        row("This", "correct", claim="This is right."),
        row("right.", "correct", claim=None),
    )
    assert [one.verdict for one in judge(path, scorer)] == ["unverifiable", "unverifiable", "correct"]
    assert len(server.requests) == 1
    assert "This is right." in server.requests[0]["messages"][1]["content"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"label": "right"}, "correct, incorrect, neither"),
        ({"start": 1}, "offsets"),
        ({"reference": "It"}, "subject"),
        ({"start": 0, "end": 4, "text": "This"}, "finds no fragment"),
    ],
)
def test_a_malformed_label_is_told(scorer, tmp_path, change, told):
    good = row("This is right.", "correct")
    with pytest.raises(InputError, match=told) as caught:
        judge(labels(tmp_path, good, good | change), Scorer(sentences, scorer.verifier))
    assert caught.value.row == 2
    for missing in good:
        with pytest.raises(InputError):
            judge(labels(tmp_path, {name: good[name] for name in good if name != missing}), scorer)


def test_no_labels_are_told(scorer, tmp_path):
    with pytest.raises(InputError, match="at least one label"):
        audit(labels(tmp_path).parent, scorer)


def test_labelled_biographies_are_an_audit_where_the_articles_are_at_hand(server, scorer, tmp_path):
    facts = [{"text": "Ada is right.", "label": "S"}, {"text": "Ada is odd.", "label": "NS"}]
    data = {"topic": "Ada", "output": "Ada is right and odd.", "annotations": []}
    data["annotations"] = [{"text": data["output"], "human-atomic-facts": facts}]
    (tmp_path / "GPT.jsonl").write_text(json.dumps(data) + "\n")
    (tmp_path / "articles.jsonl").write_text(json.dumps({"topic": "Ada", "article": "Ada is right."}) + "\n")
    references = {one.key: one.reference for one in biography.prompts(tmp_path / "articles.jsonl")}

    (scored,) = factscore.read([tmp_path / "GPT.jsonl"], "facts", references).rows
    labels(tmp_path, *labelled([scored]))
    measured = audit(tmp_path, scorer)
    assert measured.told == "2 fragments, 50.0% decided, 100.0% agreement where decided"
    assert "Ada is right." in server.requests[0]["messages"][1]["content"]


GOLD = "She has 2+3 = <<2+3=5>>5 and 5*2 = <<5*2=10>>10.\n#### 10"
RIGHT, WRONG = "2+3 = 5\n5*2 = 10\nA: 10", "2+3 = 5\n5+2 = 7\nA: 7"


@pytest.fixture
def solutions(tmp_path) -> Path:
    row = {
        "question": "How many?",
        "ground_truth": GOLD,
        "small": {"solution": WRONG, "is_correct": False},
        "large": {"solution": RIGHT, "is_correct": True},
    }
    (tmp_path / "solutions.jsonl").write_text(json.dumps(row) + "\n")
    return tmp_path / "solutions.jsonl"


def first_wrong(text: str, solution: str = WRONG, **more: object) -> dict[str, object]:
    start = solution.index(text)
    sha = hashlib.sha256(solution.encode()).hexdigest()[:16]
    where = {"problem": 0, "model": "small", "solution_sha": sha, "half": "design"}
    return {**where, "start": start, "end": start + len(text), **more}


def test_solutions_are_measured_by_answers_steps_and_the_first_wrong_one(solutions, tmp_path):
    maths = Scorer(steps, MathsVerifier(lambda gold, answer: False))
    path = labels(tmp_path, first_wrong("5+2 = 7"), first_wrong("2+3 = 5", half="held back"), first_wrong("A: 7"))
    found = audit(path.parent, maths, solutions)
    assert (found.agreement, found.decided) == (1.0, 1.0)
    assert found.told.startswith("2 final answers, 100.00% judged as is_correct says; 100.0% of 2 steps")
    assert found.table.split("\n\n")[2].splitlines()[2:] == [
        "| design | 2 | 1 (50%) | 2 (100%) | 1 | 0 |",
        "| held back | 1 | 0 (0%) | 1 (100%) | 0 | 1 |",
        "| all | 3 | 1 (33%) | 3 (100%) | 1 | 1 |",
        "| small | 3 | 1 (33%) | 3 (100%) | 1 | 1 |",
    ]


@pytest.mark.parametrize(
    ("label", "told"),
    [
        (first_wrong("5+2 = 7", problem=1), "no such solution"),
        (first_wrong("5+2 = 7", model="none"), "no such solution"),
        (first_wrong("5+2 = 7", solution_sha="0"), "another solution"),
        (first_wrong("5+2"), "no step"),
        ({"solution_sha": "0"}, "expected this field"),
    ],
)
def test_a_label_of_another_solution_is_told(solutions, tmp_path, label, told):
    maths = Scorer(steps, MathsVerifier(lambda gold, answer: False))
    with pytest.raises(InputError, match=told):
        audit(labels(tmp_path, label).parent, maths, solutions)
    with pytest.raises(InputError, match="--data"):
        audit(tmp_path, maths)
