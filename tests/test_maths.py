"""Arithmetic, steps and answers on real cases; the time-out; the measured bounds of reward/maths/README.md."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import threading
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from endless import must_end
from rlhalt.errors import InputError
from rlhalt.fragments.steps import steps
from rlhalt.records import iter_json
from rlhalt.rewards import response_reward
from rlhalt.scoring import Scorer
from rlhalt.verifiers.arithmetic import equations, numbers
from rlhalt.verifiers.equality import Equality, MathVerify, TooSlow
from rlhalt.verifiers.maths import LEAVING, MathsVerifier

ROOT = Path(__file__).parents[1]
GSM8K = ROOT.parent / "shared" / "data" / "gsm8k"
SOLUTIONS = "model-solutions-600.jsonl"
AUDIT = ROOT / "reward" / "maths" / "audit.jsonl"
MODELS = ("6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification")

CLIPS = {"answer": "She sold 48/2 = <<48/2=24>>24 clips in May.\nShe sold 48+24 = <<48+24=72>>72 in all.\n#### 72"}
FIVES = {"answer": "He has 10/2 = <<10/2=5>>5 apples.\nShe has 15/3 = <<15/3=5>>5 pears.\n#### 5"}
EGGS = {
    "answer": "Janet sells 16 - 3 - 4 = <<16-3-4=9>>9 duck eggs a day.\n"
    "She makes 9 * 2 = $<<9*2=18>>18 every day.\n#### 18"
}


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("so 48/2 = 24 in May", "holds"),
        ("so 48/2 = 26 in May", "false"),
        ("2 rows * 8 stars/row = 16 stars", "holds"),
        ("$60 / $10/mow = 6", "holds"),
        ("92 days / 7 days/week = 13.14 weeks", "holds"),
        ("50 pounds + 10 pounds = 60 pounds", "holds"),
        ("5 x 3 = 15", "holds"),
        ("5 × 3 − 1 = 14", "holds"),
        ("18 ÷ 3 = 6", "holds"),
        ("3 times 4 = 12", "holds"),
        ("10 divided by 4 equals 2.5", "holds"),
        ("20% of 50 = 10", "holds"),
        ("1/4 of 20 = 5", "holds"),
        ("4/20 * 100% = 20%", "holds"),
        ("4 cars / 20 cars * 100% = 25%", "false"),
        ("100%-20%=80%", "holds"),
        ("50/20% = 250", "holds"),
        ("130,000*150% = $195,000", "holds"),
        ("130,000*.15 = $195,000", "false"),
        ("$1,200.50 + 3 = $1,203.5", "holds"),
        ("(3+4)*2 = 14", "holds"),
        ("2(40+9) = 98", "holds"),
        ("[3+4]*2 = 14", "holds"),
        ("\\frac{1}{2} \\times 10 = 5", "holds"),
        ("$\\left(3+4\\right) \\cdot 2 = 14$", "holds"),
        ("2^3 = 8", "holds"),
        ("2**3 = 9", "false"),
        ("17 % 5 = 2", "holds"),
        ("½ * 10 = 5", "holds"),
        ("-48+21+(-3) = -30", "holds"),
        ("the sum is -48+21+-3 = -30", "holds"),
        ("3*(4+5) = 3*9", "holds"),
        ("10/3 = 3.33", "holds"),
        ("10/3 = 3.3333333333333335", "holds"),
        ("200/3 = 66.66", "holds"),
        ("10/3 = 3.4", "false"),
        ("10/3 = 3", "unclear"),
        ("3.33*3 = 10", "unclear"),
        ("5 * 20 cents = $1", "holds"),
        ("2 hours + 1 hour = 180 minutes", "holds"),
        ("20 - 5 = 15 - 3", "unclear"),
        ("3 packs - 7 packs = 4 less", "unclear"),
        ("3 packs - 7 packs = 4", "unclear"),
        ("Day 3:100+20=120", "holds"),
        ("the length (2*6 = 12 inches)", "holds"),
        ("as 2/5 = 12.8 hectares", "unclear"),
        ("32 / 96 * 100% = 33.333", "unclear"),
        ("14 + 7 + 21 + 7 + 5 = 50 fries", "false"),
        ("4500*(1-0.01)=450", "false"),
        # As a reader means it.
        ("1 hour + 30 minutes = 90 minutes", "holds"),
        ("1 hour + 30 minutes = 100 minutes", "false"),
        ("5 ft 6 in + 4 in = 70 in", "holds"),
        ("$2 + 50¢ = $2.50", "holds"),
        ("1.2 million + 300,000 = 1.5 million", "holds"),
        ("25 cents × 8 = $3", "false"),
        ("2 hours + 3 minutes = 5 hours", "unclear"),
        ("$50 - 10% = $45", "holds"),
        ("$50 - 10% = $40", "false"),
        ("3/5 × 100 = 60%", "holds"),
        ("25 / 1/3 = 75", "unclear"),
        ("21/2 × 4 = 10", "unclear"),
        ("2½ × 4 = 10", "holds"),
        ("2½ × 4 = 12", "false"),
        ("√9+16 = 5", "unclear"),
        ("√16 + 2 = 6", "holds"),
        ("6 ÷ 2(1+2) = 1", "unclear"),
        ("She works from 9-5 = 8 hours a day", "unclear"),
        ("pages 10-20 = 11 pages", "unclear"),
        ("The team is 25 - 30 = 5 points behind", "unclear"),
        ("-3 + 5 = -2", "false"),
        ("2 packs = 2 × 6", "unclear"),
        ("15 = 3 * 4", "false"),
        ("1 000 + 500 = 1 500", "holds"),
        ("\\frac34 \\times 20 = 15", "holds"),
        ("10³ + 1 = 1002", "false"),
        ("3 × 4 = **13**", "false"),
        ("**2** × **3** = **6**", "holds"),
        ("60 km/h × 2 h = 130 km", "false"),
        ("3 times 15 is 35", "false"),
        ("half of 8,000 is 4,000 bars", "holds"),
        ("The sum of 15 and 5 is 25", "false"),
        ("Label = 9 × $2 = $18", "holds"),
        ("5 + 5 = 10 (5 each)", "holds"),
        ("a) 5 + 5 = 10", "holds"),
        ("1,000,000 * 1000000 = 1,000,000,000,001", "false"),
    ],
)
def test_equations(text, status):
    assert [one.status for one in equations(text)] == [status]


@pytest.mark.parametrize(
    "text",
    [
        "2x + 3 = 18",
        "3 + x = 5",
        "y = 2x",
        "x = 5",
        "1 hour = 60 minutes",
        "a 5-day week = 5",
        "Juice Box A + 4 = 8",
        "8 packs of 5 bags * $4 = 160",
        "it has 3 1/2 = 3.5",
        "5 >= 3 + 1",
        "5 == 3 + 1",
        "1/0 = 3",
        "2**1000000 = 4",
        "9**9**9**9 = 1",
        "(3 + 4 = 7))) + ((",
        "= 27",
        "July 19 - December 31 = 92",
        "0900-0130 = 0730 hours",
        "at 6:00+18 hours = 12 on Tuesday",
        "16,0000/10=16000 cars",
        "$100+($100*(10/100) = $110",
        "Over 50:40-4-24=12 judges",
        "She has 3 times 8 is 24 more than 4",
        "3m + 4 = 19",
        "Let m be minutes. 3m + 5 = 20 minutes",
        "C(5,2) = 11",
        "1 + 2 + ... + 10 = 56",
        "20% off $80 = $65",
    ],
)
def test_what_cannot_be_read_is_no_equation(text):
    assert [one for one in equations(text) if one.status != "holds"] == []


def test_an_annotation_is_read_beside_what_is_seen():
    found = equations("it is $<<48*2=96>>95, 48*2 = <<48*2=96>>95")
    assert [(one.annotated, one.status) for one in found] == [(False, "false"), (True, "holds"), (True, "holds")]


def test_numbers():
    assert numbers("$1,200.50, 20% and .5") == [Fraction("1200.5"), 20, Fraction(1, 5), Fraction(1, 2)]


WHOLE = st.integers(1, 10**6)


@given(WHOLE, WHOLE, st.sampled_from("+-*"), st.integers(-3, 3))
def test_whole_numbers_are_exact(a, b, operator, off):
    right = {"+": a + b, "-": a - b, "*": a * b}[operator] + off
    (found,) = equations(f"so {a:,} {operator} {b} = {right:,} things")
    assert (found.status == "holds") == (off == 0)


UNITS = st.sampled_from(
    ["things", "minutes", "hours", "cents", "%", "dozen eggs", "weeks", "feet", "pounds", "less", "km", "a day", ""]
)


def off_by_one(a, b, operator, off, unit, first):
    right = {"+": a + b, "-": a - b, "*": a * b}[operator] + off
    if operator == "-" and a < b:
        return  # a hyphen may be a range, a sign may be lost
    text = f"in {unit} there are {a:,} {operator} {b} = {right:,} {unit}"
    found = equations(text if first else f"so {right} = {a} {operator} {b}")
    assert all(one.status != "holds" for one in found), text
    assert not first or [one.status for one in found] == ["false"], text


MANY = settings(max_examples=20_000, derandomize=False)
OFF_BY_ONE = given(
    st.integers(3, 10**9), st.integers(3, 10**9), st.sampled_from("+-*"), st.sampled_from([-1, 1]), UNITS, st.booleans()
)


@OFF_BY_ONE
def test_no_excuse_takes_whole_numbers_that_are_off_by_one(a, b, operator, off, unit, first):
    off_by_one(a, b, operator, off, unit, first)


@pytest.mark.slow
@MANY
@OFF_BY_ONE
def test_no_excuse_takes_many_random_whole_numbers_that_are_off_by_one(a, b, operator, off, unit, first):
    off_by_one(a, b, operator, off, unit, first)


@pytest.mark.slow
@MANY
@given(WHOLE, WHOLE, st.sampled_from("+-*"), st.integers(-3, 3))
def test_many_random_whole_numbers_are_exact(a, b, operator, off):
    right = {"+": a + b, "-": a - b, "*": a * b}[operator] + off
    (found,) = equations(f"so {a:,} {operator} {b} = {right:,} things")
    assert (found.status == "holds") == (off == 0)


@given(st.text(alphabet="0123456789.,+-*/%()=x $<>ab\n\\{}^"))
def test_anything_can_be_read(text):
    equations(text)


def no_worker(gold, answer):
    raise AssertionError(f"{answer!r} needs no worker")


def labels(text, reference):
    return [one.label for one in MathsVerifier(no_worker).verify(text, steps(text), reference)]


RIGHT, WRONG, OPEN = "correct", "incorrect", "unverifiable"


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        ("48/2 = 24 clips. 48+24 = 72.\nA: 72", CLIPS, [RIGHT, RIGHT, RIGHT]),
        ("24+48 = 72\n#### 72.00", CLIPS, [RIGHT, RIGHT]),
        ("48*2 = 96\n48+96 = 144\nA: 144", CLIPS, [WRONG, OPEN, WRONG]),
        ("48/2 = 26\n48+24 = 72\nA: 72", CLIPS, [WRONG, OPEN, RIGHT]),
        ("48/2 = 24\n48+24 = 82\nA: 82", CLIPS, [RIGHT, WRONG, WRONG]),
        ("48/2 = 24\nA: 24", CLIPS, [RIGHT, WRONG]),
        ("48*2 = 96\n96-24 = 72\nA: 72", CLIPS, [OPEN, RIGHT, RIGHT]),
        ("48*2 = 96\n48+96 = 144", CLIPS, [OPEN, OPEN]),
        ("70+2 = 72\nA: 72", CLIPS, [OPEN, RIGHT]),
        ("72*1 = 72, 72+0 = 72\nA: 72", CLIPS, [OPEN, RIGHT]),
        ("48/2 = 24\n48/2 = 24\n48 / 2 = 24.0\nUnsure from here.", CLIPS, [RIGHT, OPEN, OPEN, "halt"]),
        ("A: 72\nA: 72\nA: 71", CLIPS, [RIGHT, OPEN, WRONG]),
        ("The answer is 71. The answer is 72.", CLIPS, [WRONG, RIGHT]),
        ("She sold many clips.\nA: 72", CLIPS, [OPEN, RIGHT]),
        ("48/2 = 24\nUnsure from here.", CLIPS, [RIGHT, "halt"]),
        ("Unsure from here.", CLIPS, ["halt"]),
        ("48+48/2 = 48+24 = 72", CLIPS, [RIGHT, RIGHT]),
        ("48+48/2 = 48+24 = 73\nA: 73", CLIPS, [RIGHT, WRONG, WRONG]),
        ("3+4 = 7\n16-7 = 9\n9*2 = 18\nThe answer is $18.", EGGS, [RIGHT, RIGHT, RIGHT, RIGHT]),
        ("16-3 = 13\n13-4 = 9\n2*9 = 18\nA: 18 dollars", EGGS, [RIGHT, RIGHT, RIGHT, RIGHT]),
        ("16-3 = 13\n13*2 = 26\nA: 26", EGGS, [RIGHT, WRONG, WRONG]),
        ("It is <<16-3-4=9>>9.\nA: eighteen", EGGS, [RIGHT, RIGHT]),
        ("A: -18", EGGS, [WRONG]),
        ("A: 0.018 thousand", EGGS, [RIGHT]),
        ("The answer is <<9*2=18>>18.", EGGS, [RIGHT]),
        ('[{"label": "correct"}]', EGGS, [OPEN]),
        ("A: " + "1 + " * 1000, EGGS, [OPEN]),
        # Nothing is paid twice, in whatever form.
        ("A: 72\nA: 72.0\nThe answer is $72.\nA: 70", CLIPS, [RIGHT, OPEN, OPEN, WRONG]),
        ("48/2 = 24\n96/4 = 24\n72-48 = 24\n24 = 48/2\nUnsure from here.", CLIPS, [RIGHT, OPEN, OPEN, OPEN, "halt"]),
        ("24*1*1 = 24\n24+7-7 = 24\n24*7/7 = 24\n72-2+2 = 72", CLIPS, [OPEN] * 4),
        ("48/2 = 48/2\n48+24 = 24+48\n24*3 = 48+24\n48/2 = 72-48", CLIPS, [OPEN] * 4),
        ("48/2 = 24 = 72-48\nUnsure from here.", CLIPS, [RIGHT, OPEN, "halt"]),
        (
            "3*1/4 = 3/4\n3/4 = 3/4\n6/8 = 3/4\n3/4 = 6/8\nUnsure from here.",
            {"answer": "<<3*1/4=.75>>\n#### 3"},
            [RIGHT, OPEN, OPEN, OPEN, "halt"],
        ),
        ("3/4 = 3/4", {"answer": "<<3*1/4=.75>>\n#### 3"}, [OPEN]),
        # The reference goes through 13, 12 and 7; they are paid where the solution goes on with them, or stops.
        ("16-3 = 13\n16-4 = 12\n3+4 = 7\n13-4 = 9\nUnsure from here.", EGGS, [RIGHT, OPEN, OPEN, RIGHT, "halt"]),
        ("16-3 = 13\nUnsure from here.", EGGS, [RIGHT, "halt"]),
        ("16-3 = 13\n3+4 = 7\nUnsure from here.", EGGS, [RIGHT, OPEN, "halt"]),
        # What the reference calculates twice is paid twice.
        ("10/2 = 5\n20/4 = 5\n15/3 = 5\nUnsure from here.", FIVES, [RIGHT, OPEN, RIGHT, "halt"]),
        ("10/2 = 5\n15/3 = 5\n15/3 = 5\nUnsure from here.", FIVES, [RIGHT, RIGHT, OPEN, "halt"]),
        # A choice or a hedge is no answer.
        ("A: 71 or 72", CLIPS, [OPEN]),
        ("A: 70, 71, 72", CLIPS, [OPEN]),
        ("The answer is not 72.", CLIPS, [OPEN]),
        ("The answer is probably 72.", CLIPS, [OPEN]),
        ("A: 72?", CLIPS, [OPEN]),
        ("A: less than 73", CLIPS, [OPEN]),
        ("A: 72,000", {"answer": "#### 72000"}, [RIGHT]),
    ],
)
def test_verdicts(text, reference, expected):
    assert labels(text, reference) == expected


WEEK = "She works 5 days a week and earns 7 dollars a day."


@pytest.mark.parametrize(
    ("text", "reference", "expected"),
    [
        # A finished response without an answer earns nothing; what is false stays false.
        ("48/2 = 24\n48+24 = 73", CLIPS, [RIGHT, WRONG]),
        ("48/2 = 24\nThe answer is unclear.", CLIPS, [OPEN, OPEN]),
        ("48/2 = 24\nShe has 72 clips.", CLIPS, [RIGHT, RIGHT]),
        ("48/2 = 24\nShe sold 48 clips in", CLIPS, [OPEN, OPEN]),
        ("48/2 = 24\n48*2 = 96", CLIPS, [OPEN, OPEN]),
        ("48/2 = 24\nSo she sold 24+24 = 48 clips.", CLIPS, [RIGHT, WRONG]),
        # Operands are no results, and only known numbers count.
        ("A week has 5 * 7 = 5 hours.\nA: 35", {"answer": "<<5*7=35>>\n#### 35", "question": WEEK}, [OPEN, RIGHT]),
        ("1+1 = 2\n2+1 = 3\n23+1 = 24\nA: 72", CLIPS, [OPEN, OPEN, OPEN, RIGHT]),
        ("9*2 = 18\nUnsure from here.", EGGS, [OPEN, "halt"]),
        ("5 * 7 = 35\nUnsure from here.", {"answer": "#### 35", "question": WEEK}, [RIGHT, "halt"]),
        ("5 * 7 = 35\nUnsure from here.", {"answer": "#### 35"}, [OPEN, "halt"]),
    ],
)
def test_what_counts(text, reference, expected):
    assert labels(text, reference) == expected


PIECES = st.sampled_from(
    [
        *(
            "1+1 = 2 ",
            "9**9",
            "^{9}",
            "half of ",
            "3 times 4 is ",
            "A: ",
            "the answer is ",
            "x",
            "1,000 ",
            "2 1/2 ",
            "(",
        ),
        *("\\boxed{", "}", "$", "=", " and ", "sum of 1", "\\frac12", "!", "9!", "%", "so ", "-", "1:", "**", "\n"),
    ]
)


@settings(max_examples=60)
@given(st.lists(PIECES, min_size=1, max_size=4).map("".join), st.sampled_from(["18", "\\frac{1}{2}", "x+1"]))
def test_every_text_of_500_characters_comes_to_an_end(piece, gold):
    text = "A: " + (piece * 500)[:497]
    with must_end(30):
        Scorer(steps, MathsVerifier(lambda gold, answer: False)).judge(text, {"answer": f"#### {gold}"})


def test_a_tower_of_powers_is_no_failure(equality):
    scorer = Scorer(steps, MathsVerifier(equality.worker))
    for text in ("A: 9**9**9**9", "A: 9^{9^{9^{9}}}", "A: x^{99^{99^{9}}}", "A: 99999!!!"):
        (answer,) = scorer.judge(text, {"answer": "#### 18"})
        assert answer.label in (OPEN, WRONG)


def test_every_verdict_has_its_evidence():
    text = "48/2 = 26\n48+26 = 74\nA: 74"
    verdicts = MathsVerifier(no_worker).verify(text, steps(text), CLIPS)
    assert [one.evidence for one in verdicts] == [
        "48 / 2 = 26 is false: 24",
        "after the first wrong step",
        "the answer is 72",
    ]
    assert [one.probability for one in verdicts] == [None, None, None]


def test_leaving_the_reference_is_told_from_a_false_equation():
    text = "48*2 = 96\nA: 96"
    verdict = MathsVerifier(no_worker).verify(text, steps(text), CLIPS)[0]
    assert (verdict.label, verdict.probability) == (WRONG, LEAVING)


@pytest.mark.parametrize("reference", [{}, {"answer": None}, {"answer": "no answer line"}])
def test_a_reference_without_an_answer_is_the_users_to_mend(reference):
    with pytest.raises(InputError, match="####"):
        labels("48/2 = 24", reference)


@pytest.mark.parametrize(
    "piece", ["1+1=2 ", "48/2 = 24\n", "5%", "(", "1 1 ", "3 apples ", "<<1+1=2>>", "A: 72\n", "^{"]
)
def test_hostile_text_comes_to_an_end(piece):
    with must_end():
        labels(piece * (100_000 // len(piece)) + "=1", CLIPS)


@pytest.fixture(scope="module")
def equality():
    some = Equality(timeout=20)
    yield some
    some.close()


@pytest.mark.parametrize(
    ("gold", "answer", "equal"),
    [
        ("\\frac{1}{2}", "$0.5$", True),
        ("1/2", "The answer is $\\frac{2}{4}$.", True),
        ("x+1", "$1+x$", True),
        ("x+1", "$x-1$", False),
        ("10", "\\boxed{10}", True),
        ("10", "\\boxed{11}", False),
        ("\\sqrt{8}", "$2\\sqrt{2}$", True),
        ("5", "no idea", False),
    ],
)
def test_equality_by_math_verify(equality, gold, answer, equal):
    assert equality(gold, answer) is equal


def test_one_worker_answers_threads(equality):
    equality("1", "$1$")
    worker = equality.pid
    found = []
    threads = [
        threading.Thread(target=lambda n=n: found.append((n, equality(str(n % 2), f"${n}/{n}$")))) for n in range(1, 9)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(n, n % 2 == 1) for n in range(1, 9)]
    assert equality.pid == worker


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def in_thread(function):
    caught = []

    def call():
        try:
            function()
        except TooSlow as error:
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join(60)
    return caught


def here(function):
    with pytest.raises(TooSlow, match="no reply within") as caught:
        function()
    return [caught.value]


@pytest.mark.parametrize("run", [in_thread, here])
def test_a_call_that_never_ends_is_killed(run):
    equality = MathVerify(timeout=20)
    assert equality("4", "2+2")
    worker = equality.pid
    equality._timeout = 0.5
    assert len(run(lambda: equality("1", "9^{9^{9^{9}}}"))) == 1
    assert gone(worker)
    assert equality.pid is None
    equality._timeout = 20
    assert equality("4", "2+2")
    equality.close()
    assert equality.pid is None


@pytest.mark.parametrize(
    "program",
    [
        "print('ready', flush=True); input()",
        "print('ready', flush=True); input(); print('nonsense', flush=True)",
        """print('ready', flush=True); input(); print('{"error": "broke"}', flush=True); input()""",
        "raise SystemExit(1)",
    ],
)
def test_a_broken_worker_is_a_failure_and_no_verdict(program):
    equality = MathVerify(0.5, (sys.executable, "-c", program))
    (answer,) = Scorer(steps, MathsVerifier(equality)).judge("A: \\sqrt{5184}", CLIPS)
    equality.close()
    assert answer.failed
    assert answer.label is None
    assert "VerifierFailure" in answer.error


@functools.cache
def real(name):
    path = GSM8K / name
    if not path.is_file():
        pytest.skip(f"real solutions are missing: ../shared/data/gsm8k/{name}")
    return [data for _, data in iter_json(path)]


@functools.cache
def judged(problem, model):
    row = real(SOLUTIONS)[problem]
    text = row[model]["solution"]
    return Scorer(steps, MathsVerifier(no_worker)).judge(
        text, {"answer": row["ground_truth"], "question": row["question"]}
    )


def promise(key):
    return yaml.safe_load((ROOT / "reward" / "maths" / "domain.yaml").read_text(encoding="utf-8"))[key]


def test_the_final_answer_agrees_with_is_correct():
    agree = 0
    of_right: Counter[str] = Counter()
    for problem, row in enumerate(real(SOLUTIONS)):
        for model in MODELS:
            fragments = judged(problem, model)
            assert not any(one.failed for one in fragments)
            answers = [one.label == "correct" for one in fragments if one.kind == "answer"]
            agree += (answers[-1:] == [True]) == row[model]["is_correct"]
            if row[model]["is_correct"]:
                of_right.update(one.label for one in fragments if one.kind == "step")
    assert agree / 2400 >= promise("promised_agreement")
    assert agree == 2400
    # Steps that lead to a right answer: most are found in the reference, and hardly one is called wrong.
    assert of_right["correct"] / of_right.total() >= promise("promised_decided")
    assert of_right["incorrect"] <= 5


def test_reference_solutions_are_right_by_themselves():
    verdicts: Counter[tuple[str, str]] = Counter()
    for row in real("train-2000.jsonl")[:1000]:
        text = row["answer"]
        for one in Scorer(steps, MathsVerifier(no_worker)).judge(text, {"answer": text}):
            verdicts[one.kind, str(one.label)] += 1
    assert verdicts["answer", "correct"] == 1000
    assert verdicts["step", "incorrect"] <= 8


def test_the_first_wrong_step_is_found_as_often_as_the_readme_says():
    found: Counter[tuple[str, str]] = Counter()
    leaving: Counter[str] = Counter()
    for _, row in iter_json(AUDIT):
        text = real(SOLUTIONS)[row["problem"]][row["model"]]["solution"]
        assert hashlib.sha256(text.encode()).hexdigest()[:16] == row["solution_sha"]
        fragments = judged(row["problem"], row["model"])
        wrong = next(index for index, one in enumerate(fragments) if one.label == "incorrect")
        by_hand = [(one.start, one.end) for one in fragments].index((row["start"], row["end"]))
        where = "exact" if wrong == by_hand else "earlier" if wrong < by_hand else "later"
        for half in (row["half"], "all"):
            found[half, where] += 1
            found[half, "within one"] += abs(wrong - by_hand) <= 1
        if fragments[wrong].probability:
            leaving[where] += 1
    assert dict(found) == {
        ("design", "exact"): 40,
        ("design", "within one"): 50,
        ("design", "earlier"): 6,
        ("design", "later"): 10,
        ("held back", "exact"): 34,
        ("held back", "within one"): 45,
        ("held back", "earlier"): 7,
        ("held back", "later"): 15,
        ("all", "exact"): 74,
        ("all", "within one"): 95,
        ("all", "earlier"): 13,
        ("all", "later"): 25,
    }
    assert 1 - leaving["earlier"] / leaving.total() == pytest.approx(LEAVING, abs=0.03)


def test_enough_was_labelled_of_every_model():
    models = Counter(row["model"] for _, row in iter_json(AUDIT))
    assert models == dict.fromkeys(MODELS, 28)


def test_leaving_the_answer_line_out_does_not_pay():
    """Wrong solutions without their last line earn less than nothing on average; they earned +0.49 before."""
    scorer = Scorer(steps, MathsVerifier(lambda gold, answer: False))
    rewards = []
    for row in real(SOLUTIONS)[:150]:
        reference = {"answer": row["ground_truth"], "question": row["question"]}
        for model in MODELS:
            if not row[model]["is_correct"]:
                text = row[model]["solution"].rstrip().rpartition("\n")[0]
                rewards.append(response_reward(scorer.judge(text, reference), 0.5, "causal"))
    assert sum(rewards) / len(rewards) < 0


def test_the_second_audit_is_as_the_readme_says():
    counts: Counter[tuple[str, str]] = Counter()
    for _, label in iter_json(AUDIT.with_name("audit-steps.jsonl")):
        text = real(SOLUTIONS)[label["problem"]][label["model"]]["solution"]
        assert hashlib.sha256(text.encode()).hexdigest()[:16] == label["solution_sha"]
        begin, end = label["start"], label["end"]
        # A link may have been joined to its chain since it was labelled.
        found = max(judged(label["problem"], label["model"]), key=lambda one: min(one.end, end) - max(one.start, begin))
        counts[label["label"], str(found.label)] += 1
        if found.label == "incorrect" and label["label"] == "right":
            assert found.probability == LEAVING
    assert counts.total() == 150
    assert counts["right", RIGHT] >= 59
    assert counts["right", WRONG] <= 5
    assert counts["wrong", RIGHT] + counts["follows", RIGHT] <= 9


def test_a_reference_without_annotations_is_read_line_by_line():
    from rlhalt.domains import load_domain

    reference = {"question": "Ada has 9 nuts, loses 2 and finds 9.", "answer": "9 - 2 = 7\n7 + 9 = 16\n#### 16"}
    found = load_domain("maths").scorer().judge(reference["answer"], reference)
    assert [one.label for one in found] == ["correct"] * 3
