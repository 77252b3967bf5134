"""Judging the statements of a program by its unit tests.

    program ─ code_room in two sandboxes ─► passed ─ again without each statement ─► which the tests need
                                         └► failed ─ where is it seen? ─► the statement to blame

- A program that passes: a statement is *correct* where the tests fail without it. What can be left out is
  *unverifiable*, it may be right, or idle, or there to earn; so nothing is earned by saying things twice. A value can
  be handed from name to name without end (`a = x`, `b = a`), each line needed by the next: no more statements are
  *correct* than the reference solution has, where it is given. A longer way to the same earns no more.
- A program that fails: *incorrect* is the statement in which the failure shows. That is the one that raises, with the
  deepest line in the program; the one that runs when time is over; the `return` that gives a wrong value to the test;
  the line that does not parse; else the last one. All others are *unverifiable*: that a program fails says nothing of
  its other statements, before and after. `probability` says how often the error is in it or in one before it (`SHOWS`).
- A program that halts and fails is unfinished, not wrong, unless it raises or a `return` of it gives the wrong value.

Time-outs, too much memory and early ends are the program's fault. Where the sandbox or the tests themselves break, that
is a failure and no verdict. `code_room` says what keeps a program from cheating.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import json
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlhalt.errors import InputError, VerifierFailure
from rlhalt.fragments.code import Program, code, layouts, program
from rlhalt.records import Fragment, Json
from rlhalt.sandbox import Limits, Sandbox, find
from rlhalt.verifiers import Verdict, code_room
from rlhalt.verifiers.code_without import without

# How often the changed statement of a mutant is the blamed one or stands before it, by how the program fails; measured,
# see reward/code/README.md.
SHOWS = {"raised": 0.98, "wrong": 0.99, "time": 0.6}

_TOGETHER = 8  # programs that wait for the same tests
_RUNNING = re.compile(r'File "solution", line (\d+)')
_DUMP = 1 << 16  # bytes


class CodeVerifier:
    """Judges the fragments of `rlhalt.fragments.code` against `{"prompt", "test", "entry_point"}`, as in HumanEval.

    With `"canonical_solution"`, what follows the prompt in a right program, a program earns no more than that has
    statements. A response is the function whole, or the rest of it after the prompt.

    Args:
        unsafe: run programs without a sandbox where none works, see `rlhalt.sandbox`.
        sandbox: where programs run, where it is not the strongest that works here.
        cpu: seconds of CPU time that a program has for all tests.
        wall: seconds in all.

    Raises:
        InputError: no sandbox works here.
    """

    name = "code/1"
    knows_halts = True  # an unfinished program is not wrong

    def __init__(
        self, unsafe: bool = False, sandbox: Sandbox | None = None, cpu: float = 3.0, wall: float = 15.0
    ) -> None:
        self._sandbox = sandbox or find(unsafe)
        self._cpu = cpu
        self._wall = wall

    def passes(self, response: str, reference: Json) -> bool:
        """Whether the program of a response passes all tests.

        Raises:
            InputError, VerifierFailure: see `verify`.
        """
        tests, found = _read(reference), program(response)
        return found is not None and self._examine([_Source.of(found, tests)], tests)[0].passed

    def verify(self, response: str, fragments: Sequence[Fragment], reference: Json) -> list[Verdict]:
        """One verdict a fragment, in order.

        Raises:
            InputError: the reference lacks a field, or its tests do not load or pass what is no plain data.
            VerifierFailure: the sandbox or the tests broke.
        """
        tests = _read(reference)
        found = program(response)
        claims = [one for one in fragments if one.kind != "halt"]
        judged: dict[Fragment, Verdict] = {}
        if found and claims:
            source = _Source.of(found, tests)
            (result,) = self._examine([source], tests)
            if result.passed:
                judged = self._needed(found, claims, tests, result, _most(reference))
            else:
                judged = self._blamed(source, claims, tests, result, halts=len(claims) < len(fragments))
        return [judged.get(one, Verdict("halt", "the halting phrase")) for one in fragments]

    def _needed(
        self, found: Program, claims: Sequence[Fragment], tests: _Tests, whole: _Result, most: float
    ) -> dict[Fragment, Verdict]:
        # What is left out often ends a loop.
        cpu = min(self._cpu, 0.5 + 5 * whole.seconds)
        rest = [_Source.of(Program(found.start, without(found.text, found.start, one)), tests) for one in claims]
        results = self._examine(rest, tests, cpu)
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
        self, source: _Source, claims: Sequence[Fragment], tests: _Tests, result: _Result, halts: bool
    ) -> dict[Fragment, Verdict]:
        place = result.at
        if result.how == "wrong":
            (traced,) = self._examine([source], tests, trace=result.call)
            place = traced.returned
        offset = source.offset(place) if place else None
        guilty = claims[-1]
        if offset is not None:
            guilty = next((one for one in reversed(claims) if one.start <= offset), claims[0])
        reason = _REASONS[result.how].format(result.reason)
        if halts and _unfinished(result, guilty, claims[-1]):
            return dict.fromkeys(claims, Verdict("unverifiable", f"unfinished: {reason}"))
        others = Verdict("unverifiable", "the program fails, and it does not show here")
        return dict.fromkeys(claims, others) | {guilty: Verdict("incorrect", reason, SHOWS.get(result.how))}

    def _examine(
        self, sources: Sequence[_Source], tests: _Tests, cpu: float | None = None, trace: int | None = None
    ) -> list[_Result]:
        """Run the tests with each program."""
        results: list[_Result] = []
        for first in range(0, len(sources), _TOGETHER):
            results += self._together(sources[first : first + _TOGETHER], tests, cpu or self._cpu, trace)
        return results

    def _together(self, sources: Sequence[_Source], tests: _Tests, cpu: float, trace: int | None) -> list[_Result]:
        room = Path(code_room.__file__).read_text(encoding="utf-8")
        limits = Limits(cpu=math.ceil(cpu) + 1)
        with contextlib.ExitStack() as rooms:
            numbers: list[str] = []
            dumps = []
            with contextlib.ExitStack() as ends:
                for source in sources:
                    calls, call, answers, answer = (
                        ends.enter_context(os.fdopen(fd, mode, buffering=0)).fileno()
                        for pair in (os.pipe(), os.pipe())
                        for fd, mode in zip(pair, ("rb", "wb"), strict=True)
                    )
                    dump = rooms.enter_context(os.fdopen(os.memfd_create("dump"), "w+b", buffering=0))
                    task = dataclasses.asdict(source.task) | {"cpu": cpu, "wall": self._wall, "trace": trace}
                    fds = [calls, answer, dump.fileno()]
                    arguments = ["candidate", *map(str, fds)]
                    rooms.enter_context(
                        self._sandbox.start(room, arguments, json.dumps(task).encode(), limits, pass_fds=fds)
                    )
                    numbers += [str(answers), str(call)]
                    dumps.append(dump)
                task = dataclasses.asdict(tests) | {"wall": self._wall + 1}
                driver = rooms.enter_context(
                    self._sandbox.start(
                        room,
                        ["driver", *numbers],
                        json.dumps(task).encode(),
                        Limits(wall=(self._wall + 2) * len(sources) + 5, cpu=60 * len(sources), memory=1 << 30),
                        pass_fds=[int(one) for one in numbers],
                        capture=True,
                    )
                )
            outcome = driver.wait()
            try:
                said = json.loads(outcome.stdout)
            except ValueError:
                tail = outcome.stderr.decode(errors="replace").strip()[-200:]
                raise VerifierFailure(f"the tests broke ({outcome.ended} {outcome.code}): {tail}") from None
            return [_Result.of(one, dump.fileno()) for one, dump in zip(said, dumps, strict=True)]


@dataclasses.dataclass(frozen=True)
class _Tests:
    prompt: str
    test: str
    entry_point: str


def _read(reference: Json) -> _Tests:
    for field in ("prompt", "test", "entry_point"):
        if not isinstance(reference.get(field), str):
            raise InputError(f"expected a reference with {field!r}, a text", field="reference")
    return _Tests(reference["prompt"], reference["test"], reference["entry_point"])


def _most(reference: Json) -> float:
    """How many statements a right program has, header and all; no limit where none is given."""
    solution = reference.get("canonical_solution")
    if not isinstance(solution, str):
        return math.inf
    return len(code(reference["prompt"] + solution))


@dataclasses.dataclass(frozen=True)
class _Task:
    """What a sandbox is to run; `above` lines of the source are the prompt's."""

    prelude: str
    source: str
    above: int


@dataclasses.dataclass(frozen=True)
class _Source:
    """A program as it is run, and the way back from its lines to the response.

    Attributes:
        starts: where in the response each line begins.
        shifts: how many characters each line was moved to the right.
    """

    task: _Task
    rows: list[str]
    starts: list[int]
    shifts: list[int]

    @classmethod
    def of(cls, found: Program, tests: _Tests) -> _Source:
        """The program, after the prompt has run, where it defines the function; else as the rest of the prompt's."""
        starts, lines = ([*column] for column in zip(*found.lines(), strict=True))
        whole = _defining(lines, tests.entry_point)
        rows = whole or _continuing(lines, tests.prompt)
        # What a prompt ends with belongs to the line that goes on.
        prompt = tests.prompt.rstrip() + "\n"
        text = "\n".join(rows)
        task = _Task(prompt, text, 0) if whole else _Task("", prompt + text, prompt.count("\n"))
        return cls(task, rows, starts, [len(new) - len(old) for new, old in zip(rows, lines, strict=True)])

    def offset(self, place: tuple[int, int]) -> int | None:
        """Where in the response a line and column (in bytes) of the source are; None for the prompt's."""
        row = place[0] - 1 - self.task.above
        if not 0 <= row < len(self.rows):
            return None
        line = self.rows[row]
        column = len(line.encode()[: place[1]].decode(errors="ignore")) or len(line) - len(line.lstrip())
        return self.starts[row] + max(0, column - self.shifts[row])


def _defining(lines: list[str], name: str) -> list[str] | None:
    for layout in layouts(lines):
        with contextlib.suppress(SyntaxError, ValueError, MemoryError, RecursionError):
            if any(_names(one, name) for one in ast.parse("\n".join(layout)).body):
                return layout
    defines = re.compile(rf"\s*(?:async\s+)?def\s+{re.escape(name)}\b")
    return lines if any(map(defines.match, lines)) else None


def _names(statement: ast.stmt, name: str) -> bool:
    match statement:
        case ast.FunctionDef(name=found) | ast.ClassDef(name=found) | ast.AsyncFunctionDef(name=found):
            return found == name
        case ast.Assign(targets=targets):
            return any(isinstance(one, ast.Name) and one.id == name for one in targets)
    return False


def _continuing(lines: list[str], prompt: str) -> list[str]:
    """The lines as the body of the prompt's function."""
    first = next((line for line in lines if line.strip()), "")
    if first[:1].isspace():
        return lines
    for layout in layouts(lines):
        with contextlib.suppress(SyntaxError, ValueError, MemoryError, RecursionError):
            after = ast.parse("def _():\n" + "\n".join(layout)).body[1:]
            if all(isinstance(one, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)) for one in after):
                return layout
    return ["    " + line if line.strip() else line for line in lines]


def _unfinished(result: _Result, guilty: Fragment, last: Fragment) -> bool:
    """Whether a program that halts may have failed for no other reason than that."""
    if result.how == "raised":
        return guilty is last and result.reason.startswith(("SyntaxError", "IndentationError"))
    return result.how != "wrong" or not guilty.text.startswith("return")


_REASONS = {
    "raised": "raises {}",
    "wrong": "gives a wrong value: {}",
    "time": "runs here when time is over",
    "gone": "ends the test: {}",
}


@dataclasses.dataclass(frozen=True)
class _Result:
    """How the tests went.

    Attributes:
        how: why not: `raised`, `wrong` (value), `time`, or `gone` (whatever else kept it from answering).
        reason: in words; may quote the program.
        call: number of the call that failed, -1 for the loading.
        at: line and column where it raised, or where it was when time was over.
        returned: line and column where the traced call returned.
    """

    passed: bool
    seconds: float = 0.0
    how: str = "gone"
    reason: str = ""
    call: int = -1
    at: tuple[int, int] | None = None
    returned: tuple[int, int] | None = None

    @classmethod
    def of(cls, said: Json, dump: int) -> _Result:
        """Read what the driver says; what it quotes of the program, and the dump, can be anything.

        Raises:
            InputError: the tests themselves do not work.
        """
        if "broken" in said:
            raise InputError(said["broken"], field="reference.test")
        if said["passed"]:
            return cls(True, said["seconds"])
        how, at = said["how"], _place(said["at"])
        reason = " ".join(said["reason"].split())[:200]
        written = os.pread(dump, _DUMP, 0).decode(errors="replace")
        if how == "gone" and (line := _RUNNING.search(written)):
            how, at = "gone" if "Fatal" in written else "time", (int(line[1][:9]), 0)
        trace = said["trace"] if isinstance(said["trace"], dict) else {}
        return cls(False, 0.0, how, reason, said["call"], at, _place(trace.get("returned")))


def _place(data: Any) -> tuple[int, int] | None:
    if isinstance(data, list) and len(data) == 2 and all(type(one) is int and abs(one) < 10**9 for one in data):
        return data[0], data[1]
    return None
