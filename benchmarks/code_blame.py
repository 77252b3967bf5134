"""How often the statement blamed in a mutant is the one that was changed, beside another way to blame, and chance.

    python benchmarks/code_blame.py ../shared/data/humaneval/HumanEval.jsonl.gz   # 30 minutes on a busy core

Prints JSON: for each way in which mutants of HumanEval's reference solutions fail, how many there are, on how many the
blame of `rlhalt.verifiers.code` falls on the changed statement, on a later and on an earlier one, and what a statement
drawn at random would reach. For wrong values also Ochiai (Abreu et al. 2007): of the statements that run in failing
calls and seldom in passing ones, the last, with the tests going on after a failure. And what a sandbox costs.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import io
import json
import math
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from mutants import mutants
from rlhalt.domains.code import humaneval
from rlhalt.fragments.code import code
from rlhalt.records import Fragment, Json
from rlhalt.sandbox import find
from rlhalt.scoring import Scorer
from rlhalt.verifiers.code import CodeVerifier

WAYS = {"gives": "a wrong value", "raises": "raises", "runs": "time", "ends": "other"}


def main() -> None:
    """Measure, and print."""
    scorer = Scorer(code, CodeVerifier())
    counts: dict[str, Counter[str]] = {}
    for problem in (one.reference for one in humaneval.prompts(sys.argv[1])):
        for mutant in mutants(problem["task_id"], problem["prompt"], problem["canonical_solution"]):
            fragments = scorer.judge(mutant.text, problem)
            blamed = [index for index, one in enumerate(fragments) if one.label == "incorrect"]
            if not blamed:
                counts.setdefault("passes", Counter())["mutants"] += 1
                continue
            changed = max(index for index, one in enumerate(fragments) if one.start <= mutant.start)
            way = WAYS[str(fragments[blamed[0]].evidence).split()[0]]
            found = counts.setdefault(way, Counter())
            found["mutants"] += 1
            found["same" if blamed[0] == changed else "later" if blamed[0] > changed else "earlier"] += 1
            found["chance"] += 1 / len(fragments)  # type: ignore[assignment]
            if way == "a wrong value":
                found["ochiai"] += spectrum(problem, mutant.text, fragments) == changed
    print(json.dumps({"blame": counts, "sandbox_ms": cost()}, indent=1))


def cost() -> dict[str, float]:
    """The least and the median time of an empty program, in milliseconds."""
    sandbox = find()
    times = []
    for _ in range(100):
        begin = time.perf_counter()
        sandbox.run("")
        times.append(1000 * (time.perf_counter() - begin))
    return {"least": min(times), "median": sorted(times)[50]}


class _GoOn(ast.NodeTransformer):
    """Makes assertions tell how they went instead of ending the test."""

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        (tried,) = ast.parse("try: pass\nexcept Exception: _tell(False)\nelse: _tell(True)").body
        assert isinstance(tried, ast.Try)
        tried.body = [node]
        return tried


class _Late(BaseException):
    pass


def spectrum(problem: Json, text: str, fragments: list[Fragment]) -> int | None:
    """The statement that Ochiai blames; HumanEval's programs and these mutants are run here as they are."""
    lines = dict(_lines(problem["prompt"], text, fragments))
    calls: list[set[int]] = []
    told: list[tuple[set[int], bool]] = []
    program: dict[str, Any] = {}
    exec(compile(problem["prompt"] + text, "solution", "exec"), program)

    def tell(right: bool) -> None:
        told.extend((call, right) for call in calls)
        calls.clear()

    tests: dict[str, Any] = {"_tell": tell}
    exec(problem["prompt"], tests)
    tree = ast.fix_missing_locations(_GoOn().visit(ast.parse(problem["test"])))
    exec(compile(tree, "tests", "exec"), tests)
    tests[problem["entry_point"]] = candidate = _watched(program[problem["entry_point"]], lines, calls)
    random.seed(0)
    with contextlib.suppress(Exception, _Late), contextlib.redirect_stdout(io.StringIO()), _at_most(10):
        tests["check"](candidate)
    failing = sum(not right for _, right in told)
    scores = []
    for index in range(len(fragments)):
        failed, passed = (sum(index in call for call, right in told if right is way) for way in (False, True))
        scores.append(failed / math.sqrt(failing * (failed + passed)) if failed else 0.0)
    best = max(scores)
    return max(index for index, score in enumerate(scores) if score >= best - 1e-9) if best else None


@contextlib.contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    def late(*_: object) -> None:
        raise _Late

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def _lines(prompt: str, text: str, fragments: list[Fragment]) -> Iterator[tuple[int, list[int]]]:
    above, begin = prompt.count("\n"), 0
    for number, line in enumerate(text.split("\n"), start=above + 1):
        end = begin + len(line)
        yield number, [index for index, one in enumerate(fragments) if one.start < end and one.end > begin]
        begin = end + 1


def _watched(function: Callable[..., Any], lines: dict[int, list[int]], calls: list[set[int]]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        seen: set[int] = set()
        calls.append(seen)

        def trace(frame: Any, event: str, _: object) -> Any:
            if frame.f_code.co_filename == "solution":
                if event == "line":
                    seen.update(lines.get(frame.f_lineno, ()))
                return trace
            return None

        arguments = copy.deepcopy(arguments)
        sys.settrace(trace)
        try:
            return function(*arguments)
        finally:
            sys.settrace(None)

    return call


if __name__ == "__main__":
    main()
