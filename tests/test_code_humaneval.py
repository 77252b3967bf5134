"""The code verifier on HumanEval: every reference solution passes; for every mutant of one there is a test that fails.

A mutant that HumanEval's own tests let pass is in one of two tables: with arguments on which it differs from the
reference solution, which make the test that HumanEval lacks, or with the reason why there are none.
"""

from __future__ import annotations

import contextlib
import functools
import io
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from mutants import Mutant, mutants
from rlhalt.domains.code import humaneval
from rlhalt.errors import InputError
from rlhalt.fragments.code import code
from rlhalt.sandbox import Sandbox, works
from rlhalt.scoring import Scorer
from rlhalt.verifiers.code import SHOWS, CodeVerifier

ROOT = Path(__file__).parents[1]
FILE = ROOT.parent / "shared" / "data" / "humaneval" / "HumanEval.jsonl.gz"
A_PROBLEM = 3  # mutants
SAMPLE = 12  # one of so many in the default run

# Arguments on which the mutant and the reference solution differ.
TEST_IS_MISSING = {
    "2f04a122": ("()())(()) ))",),
    "545bb628": ("yx",),
    "50efd046": ("", ""),
    "2597d597": ("seven six",),
    "5f21264a": ([1.0, 2.0, 4.0, 5.0],),
    "17c713b9": (2,),
    "cdd352d7": ([8],),
    "38dbcb80": ([0, 8],),
    "3f67243d": ([0, 0],),
    "5d812374": ([5], 4),
    "4f0ba44b": (">",),
    "18950cc2": (1,),
    "400c6b79": (")",),
    "2bf221fd": ([3, 2, 0, 3], 9),
    "0c1e1d17": ([3.7],),
    "14e0884f": ([2.5],),
    "0790288b": ([],),
    "0c2de7b4": ("4.50",),
    "1981e253": (".10",),
    "0575bd49": ([4, 7],),
    "918000ad": ([3, -6],),
    "9df0eb0f": ([-1, 2],),
    "29a21628": (4, 4, 0),
}

EQUIVALENT = {
    "7b45c9b6": "max_element: takes the later one of equal elements",
    "10cdf31b": "is_multiply_prime: a factor of 101 is for numbers above 100, and the prompt says that there are none",
    "301653a5": "hex_key: num[i - 1] goes round, over the same digits in another order, and only their number counts",
    "2a3b79d0": "sort_array: a + b and a - b are even or odd together",
    "0c4c1ab3": "minSubArraySum: sets s to 0 where it is 0",
    "08a7ffbf": "intersection: for 2 the loop is empty and ends with True too",
    "0effb142": "intersection: None is as false as False to the `and` it is used in",
    "18b2cd46": "prod_signs: counts the zeros too, but then the product is 0",
    "56320f09": "prod_signs: the same",
    "240e0442": "compare_one: equal values have returned before",
    "1939220f": "order_by_points: the sign of 0 does not matter",
    "06b19ea9": "get_max_triples: only the number of triples is returned",
    "0a408c5f": "get_max_triples: adds 3 to each sum, which is looked at modulo 3",
    "12912f0e": "double_the_difference: 0 is even and is left out for that",
    "09c682d4": "Strongest_Extension: the first strength is too low, and put right when the loop comes to it",
    "261a7eff": "cycpattern_check: the slices that are added are shorter than the pattern",
    "092ea170": "eat: both branches give the same where need equals remaining",
}

if not works(Sandbox("bubblewrap")):
    pytest.skip("bubblewrap is missing or does not work here", allow_module_level=True)


@functools.cache
def problems():
    if not FILE.is_file():
        pytest.skip("HumanEval is missing: ../shared/data/humaneval")
    return {one.reference["task_id"]: one.reference for one in humaneval.prompts(FILE)}


def chosen() -> list[Mutant]:
    return [
        one
        for name, problem in problems().items()
        for one in mutants(name, problem["prompt"], problem["canonical_solution"])[:A_PROBLEM]
    ]


def together(function, items):
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(function, items))


def test_every_reference_solution_passes():
    verifier = CodeVerifier()
    passed = together(lambda one: verifier.passes(one["canonical_solution"], one), problems().values())
    assert len(passed) == 164
    assert sum(passed) / 164 >= promise("promised_agreement")


def test_the_whole_function_in_a_code_block_passes_too():
    verifier = CodeVerifier()
    some = list(problems().values())[::20]
    text = "Here it is:\n\n```python\n{prompt}{canonical_solution}\n```\nIt is simple."
    assert all(together(lambda one: verifier.passes(text.format(**one), one), some))


def passes(mutant):
    return CodeVerifier().passes(mutant.text, problems()[mutant.task])


def check_mutants(some):
    assert [one.key for one in some if one.text == problems()[one.task]["canonical_solution"]] == []
    survivors = {one.key: one for one, passed in zip(some, together(passes, some), strict=True) if passed}
    known = {one.key for one in some} & (TEST_IS_MISSING.keys() | EQUIVALENT.keys())
    assert sorted(survivors) == sorted(known), [(one.task, one.change) for one in survivors.values()]
    for key, mutant in survivors.items():
        if key in TEST_IS_MISSING:
            problem = with_test(problems()[mutant.task], TEST_IS_MISSING[key])
            assert CodeVerifier().passes(problem["canonical_solution"], problem)
            assert not CodeVerifier().passes(mutant.text, problem)


def with_test(problem, arguments):
    """The problem with the one test that the reference solution gives the answer to."""
    expected = answer(problem["prompt"] + problem["canonical_solution"], problem["entry_point"], arguments)
    return problem | {"test": f"def check(candidate):\n    assert repr(candidate(*{arguments!r})) == {expected!r}\n"}


def answer(program, name, arguments):
    space = {}
    exec(program, space)  # HumanEval's own solutions, and mutants of them that were read
    with contextlib.redirect_stdout(io.StringIO()):
        return repr(space[name](*arguments))


def test_for_a_sample_of_the_mutants_a_test_fails():
    check_mutants(chosen()[::SAMPLE])


@pytest.mark.slow
def test_for_every_mutant_a_test_fails_or_it_is_equivalent():
    some = chosen()
    assert len(some) >= 300
    assert len({one.task for one in some}) == 164
    assert {one.kind for one in some} >= {"comparison", "arithmetic", "constant", "boolean", "return", "index", "call"}
    check_mutants(some)
    assert not TEST_IS_MISSING.keys() & EQUIVALENT.keys()
    assert {one.key for one in some} >= TEST_IS_MISSING.keys() | EQUIVALENT.keys()


def test_equivalent_mutants_answer_the_tests_questions_the_same():
    by_key = {one.key: one for one in chosen()}
    for key in EQUIVALENT:
        mutant = by_key[key]
        problem = problems()[mutant.task]
        for arguments in asked(problem):
            whole = [problem["prompt"] + one for one in (problem["canonical_solution"], mutant.text)]
            given, changed = (answer(one, problem["entry_point"], arguments) for one in whole)
            assert given == changed, (key, arguments)


def asked(problem):
    """What HumanEval's tests ask, and the same with a number more or less, an element more or less, reversed."""
    space, found = {}, []
    exec(problem["prompt"] + problem["canonical_solution"], space)
    solution = space[problem["entry_point"]]

    def note(*arguments):
        found.append(repr(arguments))
        return solution(*arguments)

    exec(problem["test"], space)
    with contextlib.redirect_stdout(io.StringIO()):
        space["check"](note)
    for text in dict.fromkeys(found[:20]):
        arguments = eval(text)
        yield arguments
        for index, one in enumerate(arguments):
            changes = []
            if isinstance(one, int) and one > 1:
                changes = [one + 1, one - 1]
            elif isinstance(one, (list, str)) and len(one) > 1:
                changes = [one[::-1], one[1:], one[:-1], one + one[:1]]
            for change in changes:
                changed = (*arguments[:index], change, *arguments[index + 1 :])
                with contextlib.suppress(Exception):
                    solution(*eval(repr(changed)))
                    yield changed


def promise(key):
    return yaml.safe_load((ROOT / "reward" / "code" / "domain.yaml").read_text(encoding="utf-8"))[key]


def verdicts(some):
    scorer = Scorer(code, CodeVerifier())
    found = together(lambda one: scorer.judge(one["canonical_solution"], one), some)
    assert not any(one.failed for fragments in found for one in fragments)
    return Counter(one.label for fragments in found for one in fragments)


def test_most_statements_of_reference_solutions_are_shown_to_be_needed():
    counts = verdicts(list(problems().values())[::10])
    assert counts["incorrect"] == 0
    assert counts["correct"] / counts.total() >= promise("promised_decided")


@pytest.mark.slow
def test_statements_of_all_reference_solutions():
    assert verdicts(problems().values()) == {"correct": 931, "unverifiable": 56}


@pytest.mark.slow
def test_the_blame_is_as_often_right_as_the_readme_says():
    scorer = Scorer(code, CodeVerifier())
    counts: Counter[tuple[str, str]] = Counter()
    some = [one for one in chosen() if one.key not in TEST_IS_MISSING and one.key not in EQUIVALENT]
    for mutant, fragments in zip(
        some, together(lambda one: scorer.judge(one.text, problems()[one.task]), some), strict=True
    ):
        (blamed,) = (index for index, one in enumerate(fragments) if one.label == "incorrect")
        changed = max(index for index, one in enumerate(fragments) if one.start <= mutant.start)
        how = "a wrong value" if fragments[blamed].evidence.startswith("gives") else "raises, or too much"
        counts[how, "all"] += 1
        counts[how, "same" if blamed == changed else "later" if blamed > changed else "earlier"] += 1
    found = {
        how: tuple(counts[how, where] for where in ("all", "same", "later", "earlier"))
        for how in sorted({how for how, _ in counts})
    }
    assert found["a wrong value"] == (386, 180, 205, 1)
    # Which line of a loop runs when time is over is chance, and whether memory or time ends first.
    total, same, _, earlier = found["raises, or too much"]
    assert total == 39
    assert same >= 20
    assert earlier <= 3
    assert SHOWS["wrong"] <= 385 / 386


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (['{"task_id": "x"}'], "prompt"),
        (["[1]"], "object"),
        ([], "at least one"),
    ],
)
def test_a_file_that_is_no_humaneval(tmp_path, lines, message):
    path = tmp_path / "problems.jsonl"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=message):
        humaneval.prompts(path)


def test_a_file_that_is_torn_or_missing(tmp_path):
    path = tmp_path / "problems.jsonl.gz"
    with pytest.raises(InputError, match="no such file"):
        humaneval.prompts(path)
    path.write_bytes(b"no gzip")
    with pytest.raises(InputError, match="gzip"):
        humaneval.prompts(path)
    problems()
    path.write_bytes(FILE.read_bytes()[:-100])
    with pytest.raises(InputError, match="gzip"):
        humaneval.prompts(path)


def test_prompts():
    problems()
    found = humaneval.prompts(FILE)
    assert len({one.key for one in found}) == 164
    assert Counter(one.split for one in found) == {"train": 129, "heldout": 35}
    assert all(one.domain == "code" and one.reference["prompt"].rstrip() in one.prompt[0]["content"] for one in found)
