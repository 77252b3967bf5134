"""Judging the statements of a program by its unit tests.

    program ─ code_run, two sandboxes ─► passed ─ again without each statement ─► which the tests need
                                      └► failed ─ where is it seen? ─► the statement to blame

- A program that passes: a statement is *correct* where the tests fail without it. What can be left out is
  *unverifiable*, it may be right, or idle, or there to earn; so nothing is earned by saying things twice. A value can
  be handed from name to name without end (`a = x`, `b = a`), each line needed by the next: no more statements are
  *correct* than the reference solution has, where it is given. A longer way to the same earns no more.
- A program that fails: *incorrect* is the statement in which the failure shows. That is the one that raises, with the
  deepest line in the program; the one that runs when time is over; the `return` that gives a wrong value to the test;
  the line that does not parse; the one that reaches into its interpreter (`code_reach`); else the one that defines the
  function, or the last one. All others are *unverifiable*: that a program fails says nothing of its other statements,
  before and after. `probability` says how often the error is in it or in one before it (`SHOWS`).
- A program that halts and fails is unfinished, not wrong, where its function comes to its end without a value, does
  not exist, stops in the middle of the last line, or was still running. A value that is wrong costs τ, and so does what
  it raises.
- Where the tests do with an answer what cannot be done here, all is *unverifiable*.

Time-outs, too much memory and early ends are the program's fault. Where the sandbox or the tests themselves break, or
the reference solution does not pass them, that is a failure and no verdict. `code_wire`, `code_candidate` and
`code_driver` say what keeps a program from cheating.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import math
import sys
from collections.abc import Sequence

from rlhalt.errors import VerifierFailure
from rlhalt.fragments.code import Program, code, program
from rlhalt.records import HALT_PHRASE, Fragment, Json
from rlhalt.sandbox import Sandbox, find
from rlhalt.verifiers import Verdict
from rlhalt.verifiers.code_ablation import without
from rlhalt.verifiers.code_reach import reaching
from rlhalt.verifiers.code_run import Result, Runner, Source, Tests

# How often the changed statement of a mutant is the blamed one or stands before it, by how the program fails; measured,
# see reward/code/README.md.
SHOWS = {"raised": 0.98, "wrong": 0.99, "time": 0.6}

_NAMES = {"bubblewrap": "code/2", "weak": "code/2-weak-sandbox", "none": "code/2-no-sandbox"}
_REASONS = {
    "missing": "{}",
    "broken": "raises {}",
    "raised": "raises {}",
    "wrong": "gives a wrong value: {}",
    "error": "gives a wrong value: {}",
    "time": "runs here when time is over",
    "late": "{}",
    "gone": "ends the test: {}",
}
# Not in the sandbox, though right programs use them.
_PACKAGES = frozenset(["matplotlib", "networkx", "numpy", "pandas", "scipy", "sklearn", "sympy", "torch"])


class CodeVerifier:
    """Judges the fragments of `rlhalt.fragments.code` against `{"prompt", "test", "entry_point"}`, as in HumanEval.

    With `"canonical_solution"`, what follows the prompt in a right program, a program earns no more than that has
    statements, and nothing is judged by tests that it does not pass. A response is the function whole, or the rest of
    it after the prompt.

    Args:
        unsafe: run programs without a sandbox where none works, see `rlhalt.sandbox`.
        sandbox: where programs run, where it is not the strongest that works here.
        cpu: seconds of CPU time that a program has for all tests.
        wall: seconds in all.
        phrase: what the domain halts with; as a line of its own it is no part of the program.

    Raises:
        InputError: no sandbox works here.
    """

    knows_halts = True  # an unfinished program is not wrong

    def __init__(
        self,
        unsafe: bool = False,
        sandbox: Sandbox | None = None,
        cpu: float = 3.0,
        wall: float = 15.0,
        phrase: str = HALT_PHRASE,
    ) -> None:
        self._phrase = phrase
        self._runner = Runner(sandbox or find(unsafe), cpu, wall)
        self._sound = functools.lru_cache(maxsize=10_000)(self._solution_passes)

    @property
    def name(self) -> str:
        """Name and version, and the sandbox where it is not bubblewrap."""
        return _NAMES[self._runner.sandbox.kind]

    def passes(self, response: str, reference: Json) -> bool:
        """Whether the program of a response passes all tests.

        Raises:
            InputError, VerifierFailure: see `verify`.
        """
        tests = Tests.of(reference)
        found = program(response, tests.entry_point, tests.known, self._phrase)
        return found is not None and self._runner.run([Source.of(found, tests)], tests)[0].passed

    def verify(self, response: str, fragments: Sequence[Fragment], reference: Json) -> list[Verdict]:
        """One verdict a fragment, in order.

        Raises:
            InputError: the reference lacks a field.
            VerifierFailure: the sandbox or the tests broke.
        """
        tests = Tests.of(reference)
        found = program(response, tests.entry_point, tests.known, self._phrase)
        claims = [one for one in fragments if one.kind != "halt"]
        judged = dict.fromkeys(claims, Verdict("unverifiable", "no part of the program"))
        inside = [one for one in claims if found and found.holds(one)]
        if found and inside:
            judged |= self._judged(found, inside, tests, halts=fragments[-1].kind == "halt")
        return [judged.get(one, Verdict("halt", "the halting phrase")) for one in fragments]

    def _judged(self, found: Program, claims: Sequence[Fragment], tests: Tests, halts: bool) -> dict[Fragment, Verdict]:
        source = Source.of(found, tests)
        (result,) = self._runner.run([source], tests)
        if result.passed:
            return self._needed(found, claims, tests, result)
        if reason := self._left_open(source, tests, result):
            return dict.fromkeys(claims, Verdict("unverifiable", reason))
        if tests.solution is not None and not self._sound(tests):
            raise VerifierFailure("the reference solution does not pass the tests")
        if result.own and tests.solution is None:
            raise VerifierFailure(f"the tests break: {result.reason}")
        return self._blamed(source, claims, tests, result, halts)

    def _solution_passes(self, tests: Tests) -> bool:
        whole = Program(0, tests.prompt + (tests.solution or ""))
        return self._runner.run([Source.of(whole, tests)], tests)[0].passed

    def _left_open(self, source: Source, tests: Tests, result: Result) -> str:
        """Why a program that does not pass cannot be called wrong, "" where it can."""
        if result.how == "open" or (result.how == "late" and tests.solution is None):
            return f"cannot be tested here: {result.reason}"
        if result.how == "raised" and (package := _package(result.reason, source.tree)):
            return f"cannot be tested here: needs {package}"
        if result.changed and result.how in ("wrong", "error"):
            (again,) = self._runner.run([source], tests, writes=True)
            if again.passed:
                return "passes the tests only where they see what it does to its arguments"
        return ""

    def _needed(
        self, found: Program, claims: Sequence[Fragment], tests: Tests, whole: Result
    ) -> dict[Fragment, Verdict]:
        # What is left out often ends a loop.
        cpu = min(self._runner.cpu, 0.5 + 5 * whole.seconds)
        rest = [Source.of(Program(found.start, without(found.text, found.start, one)), tests) for one in claims]
        results = self._runner.run(rest, tests, cpu=cpu)
        most = _most(tests)
        judged: dict[Fragment, Verdict] = {}
        needed = 0
        for one, result in zip(claims, results, strict=True):
            needed += not result.passed
            if result.passed:
                judged[one] = Verdict("unverifiable", "passes the tests, and without it too")
            elif needed > most:
                judged[one] = Verdict("unverifiable", f"passes the tests; the reference has {most} statements")
            else:
                judged[one] = Verdict("correct", "passes the tests, and not without it")
        return judged

    def _blamed(
        self, source: Source, claims: Sequence[Fragment], tests: Tests, result: Result, halts: bool
    ) -> dict[Fragment, Verdict]:
        guilty = self._guilty(source, claims, tests, result)
        reason = _REASONS[result.how].format(result.reason)
        if halts and _unfinished(result, guilty, claims[-1], source.binder(tests.entry_point)):
            return dict.fromkeys(claims, Verdict("unverifiable", f"unfinished: {reason}"))
        others = Verdict("unverifiable", "the program fails, and it does not show here")
        shows = SHOWS.get({"error": "wrong", "broken": "raised"}.get(result.how, result.how))
        return dict.fromkeys(claims, others) | {guilty: Verdict("incorrect", reason, shows)}

    def _guilty(self, source: Source, claims: Sequence[Fragment], tests: Tests, result: Result) -> Fragment:
        """The statement to blame."""
        tree = source.tree
        if tree is not None and (node := reaching(tree)) and (at := _begin(node)) and source.offset(at) is not None:
            return _claim(source, claims, at)
        if result.how not in ("wrong", "error"):
            return _claim(source, claims, result.at)
        (traced,) = self._runner.run([source], tests, trace=result.call)
        if traced.at is None and (binder := source.binder(tests.entry_point)):
            return _claim(source, claims, _begin(binder))
        return _claim(source, claims, traced.at)


def _begin(node: ast.AST) -> tuple[int, int]:
    return node.lineno, node.col_offset  # type: ignore[attr-defined]


def _claim(source: Source, claims: Sequence[Fragment], at: tuple[int, int] | None) -> Fragment:
    """The statement at a place of the source; the last one where that is no place of the program."""
    offset = source.offset(at) if at else None
    if offset is None:
        return claims[-1]
    return next((one for one in reversed(claims) if one.start <= offset), claims[0])


def _package(reason: str, tree: ast.Module | None) -> str:
    """The package that a program imports, and that is not there for want of one in the sandbox."""
    imported = {
        name.partition(".")[0]
        for one in (ast.walk(tree) if tree else ())
        for name in (
            [alias.name for alias in one.names]
            if isinstance(one, ast.Import)
            else [one.module or ""]
            if isinstance(one, ast.ImportFrom)
            else []
        )
    }
    missing = (one for one in sorted(imported) if reason.startswith(f"ModuleNotFoundError: No module named '{one}"))
    return next((one for one in missing if one in _PACKAGES or _installed(one)), "")


def _installed(name: str) -> bool:
    return name.isidentifier() and name not in sys.stdlib_module_names and importlib.util.find_spec(name) is not None


def _most(tests: Tests) -> float:
    """How many statements a right program has, header and all; no limit where none is given."""
    return math.inf if tests.solution is None else len(code(tests.prompt + tests.solution))


def _unfinished(result: Result, guilty: Fragment, last: Fragment, binder: ast.stmt | None) -> bool:
    """Whether a program that ends with a halt may have failed for no other reason than that."""
    match result.how:
        case "missing":
            return True
        case "broken":
            return guilty is last
        case "time":
            return result.call >= 0
        case "wrong" | "error":
            defined = isinstance(binder, (ast.FunctionDef, ast.AsyncFunctionDef))
            return result.none and defined and not guilty.text.startswith("return")
    return False
