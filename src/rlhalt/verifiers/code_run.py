"""Running a program against its tests: `code_candidate` and `code_driver` in two sandboxes, and what they say of it."""

from __future__ import annotations

import ast
import builtins
import contextlib
import dataclasses
import functools
import json
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlhalt.errors import InputError, VerifierFailure
from rlhalt.fragments.code import Program, layouts
from rlhalt.fragments.code_names import assigned, bound, called, own_nodes
from rlhalt.records import Json
from rlhalt.sandbox import Limits, Sandbox
from rlhalt.verifiers import code_candidate, code_driver, code_wire

_TOGETHER = 8  # programs that wait for the same tests
_RUNNING = re.compile(r'File "solution", line (\d+)')
_DUMP = 1 << 16  # bytes


@dataclasses.dataclass(frozen=True)
class Tests:
    """What a reference says of the programs that it judges.

    Attributes:
        prompt: the code before.
        test: code with a function `check(candidate)`.
        entry_point: the function that is tested.
        solution: what follows the prompt in a right program; None where that is not said.
    """

    prompt: str
    test: str
    entry_point: str
    solution: str | None

    @classmethod
    def of(cls, reference: Json) -> Tests:
        """
        Raises:
            InputError: the reference lacks a field.
        """
        for field in ("prompt", "test", "entry_point"):
            if not isinstance(reference.get(field), str):
                raise InputError(f"expected a reference with {field!r}, a text", field="reference")
        solution = reference.get("canonical_solution")
        return cls(
            reference["prompt"],
            reference["test"],
            reference["entry_point"],
            solution if isinstance(solution, str) and solution.strip() else None,
        )

    @functools.cached_property
    def prelude(self) -> str:
        """The prompt as it runs alone: a header without a body gets one."""
        prompt = self.prompt.rstrip() + "\n"
        if _tree(prompt) is None and _tree(f"{prompt}    pass\n") is not None:
            return f"{prompt}    pass\n"
        return prompt

    @functools.cached_property
    def known(self) -> frozenset[str]:
        """The names that the prompt defines."""
        tree = _tree(self.prelude)
        return frozenset(name for one in tree.body for name in bound(one)) if tree else frozenset()

    @functools.cached_property
    def helpers(self) -> list[str]:
        """Other functions that the tests call, and do not define."""
        tree = _tree(self.test)
        if tree is None:
            return []
        return sorted(called(tree) - assigned(tree) - self.known - {self.entry_point, *dir(builtins)})


def _tree(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


@dataclasses.dataclass(frozen=True)
class Task:
    """What a sandbox is to run; `above` lines of the source are the prompt's."""

    prelude: str
    source: str
    above: int


@dataclasses.dataclass(frozen=True)
class Source:
    """A program as it is run, and the way back from its lines to the response.

    Attributes:
        starts: where in the response each line begins.
        shifts: how many characters each line was moved to the right.
    """

    task: Task
    rows: list[str]
    starts: list[int]
    shifts: list[int]

    @classmethod
    def of(cls, found: Program, tests: Tests) -> Source:
        """The program, after the prompt has run, where it defines the function; else as the rest of the prompt's."""
        starts, lines = ([*column] for column in zip(*found.lines(), strict=True))
        # Where the prompt does not begin the function, there is nothing to go on with.
        whole = _defining(lines, tests.entry_point) or (lines if tests.entry_point not in tests.known else None)
        rows = whole or _continuing(lines, tests.prompt)
        # What a prompt ends with belongs to the line that goes on.
        prompt = tests.prompt.rstrip() + "\n"
        text = "\n".join(rows)
        task = Task(tests.prelude, text, 0) if whole else Task("", prompt + text, prompt.count("\n"))
        return cls(task, rows, starts, [len(new) - len(old) for new, old in zip(rows, lines, strict=True)])

    @property
    def tree(self) -> ast.Module | None:
        """The program, with the prompt where it goes on from there; None where it does not parse."""
        return _tree(self.task.source)

    def binder(self, name: str) -> ast.stmt | None:
        """The last statement that defines a function, None where there is none or the program does not parse."""
        tree = self.tree
        return next((one for one in reversed(tree.body) if name in bound(one)), None) if tree else None

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
        tree = _tree("\n".join(layout))
        if tree is not None and (any(name in bound(one) for one in tree.body) or _makes(tree, name)):
            return layout
    defines = re.compile(rf"\s*(?:async\s+)?def\s+{re.escape(name)}\b")
    return lines if any(map(defines.match, lines)) else None


def _makes(tree: ast.Module, name: str) -> bool:
    """Whether a module may define a function by a text with its name."""
    texts = (one.value for one in ast.walk(tree) if isinstance(one, ast.Constant) and isinstance(one.value, str))
    returns = any(isinstance(one, ast.Return) for statement in tree.body for one in own_nodes(statement))
    return (
        bool(called(tree) & {"exec", "globals", "setattr", "vars"})
        and not returns
        and any(name in one for one in texts)
    )


def _continuing(lines: list[str], prompt: str) -> list[str]:
    """The lines as the body of the prompt's function."""
    first = next((line for line in lines if line.strip()), "")
    if first[:1].isspace():
        return lines
    for layout in layouts(lines):
        tree = _tree("def _():\n" + "\n".join(layout))
        defines = (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
        if tree and all(isinstance(one, defines) for one in tree.body[1:]):
            return layout
    return ["    " + line if line.strip() else line for line in lines]


@dataclasses.dataclass(frozen=True)
class Result:
    """How the tests went.

    Attributes:
        how: see `code_driver`; also `time`, where it was still running.
        reason: in words; may quote the program.
        call: number of the call that failed, -1 for the loading.
        at: line and column where it raised, where it was when time was over, or where the traced call returned.
        none: whether its last answer was None.
        own: whether the tests raise what no answer makes them raise.
        changed: whether it changed its arguments.
        seconds: how long they took.
    """

    how: str
    reason: str = ""
    call: int = -1
    at: tuple[int, int] | None = None
    none: bool = False
    own: bool = False
    changed: bool = False
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether the program passes all tests."""
        return self.how == "passed"

    @classmethod
    def of(cls, said: Json, dump: int) -> Result:
        """Read what the driver says; what it quotes of the program, and the dump, can be anything.

        Raises:
            VerifierFailure: the tests themselves do not work.
        """
        reason = " ".join(str(said["reason"]).encode(errors="replace").decode().split())[:200]
        how, at = said["how"], said.get("at")
        if how == "tests":
            raise VerifierFailure(reason)
        written = os.pread(dump, _DUMP, 0).decode(errors="replace")
        if how == "gone" and "Fatal" not in written and (line := _RUNNING.search(written)):
            how, at = "time", (int(line[1][:9]), 0)
        return cls(
            how,
            reason,
            said.get("call", -1),
            tuple(at) if at else None,
            said.get("none", False),
            said.get("own", False),
            said.get("changed", False),
            said.get("seconds", 0.0),
        )


@dataclasses.dataclass(frozen=True)
class Runner:
    """Runs programs against tests.

    Attributes:
        sandbox: where.
        cpu: seconds of CPU time that a program has for all tests.
        wall: seconds in all.
    """

    sandbox: Sandbox
    cpu: float
    wall: float

    def run(
        self,
        sources: Sequence[Source],
        tests: Tests,
        *,
        cpu: float | None = None,
        trace: int | None = None,
        writes: bool = False,
    ) -> list[Result]:
        """Run the tests with each program.

        Args:
            cpu: as above, where it is not that.
            trace: number of the call of which it is said where it returns.
            writes: what a function does to its arguments counts also where it gives a value.

        Raises:
            VerifierFailure: the sandbox or the tests broke.
        """
        results: list[Result] = []
        for first in range(0, len(sources), _TOGETHER):
            task = {"cpu": cpu or self.cpu, "wall": self.wall, "trace": trace}
            results += self._together(sources[first : first + _TOGETHER], tests, task, writes)
        return results

    def _together(self, sources: Sequence[Source], tests: Tests, task: Json, writes: bool) -> list[Result]:
        limits = Limits(cpu=math.ceil(task["cpu"]) + 1)
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
                    given = json.dumps(dataclasses.asdict(source.task) | task).encode()
                    fds = [calls, answer, dump.fileno()]
                    rooms.enter_context(
                        self.sandbox.start(
                            _text(code_candidate), [*map(str, fds)], given, limits, pass_fds=fds, own=True
                        )
                    )
                    numbers += [str(answers), str(call)]
                    dumps.append(dump)
                told: Json = {"prelude": tests.prelude, "test": tests.test, "entry_point": tests.entry_point}
                told |= {"helpers": tests.helpers, "writes": writes, "wall": self.wall + 1}
                driver = rooms.enter_context(
                    self.sandbox.start(
                        _text(code_driver),
                        numbers,
                        json.dumps(told).encode(),
                        Limits(wall=(self.wall + 3) * len(sources) + 5, cpu=60 * len(sources), memory=1 << 30),
                        pass_fds=[int(one) for one in numbers],
                        capture=True,
                        own=True,
                    )
                )
            outcome = driver.wait()
            try:
                said = json.loads(outcome.stdout)
            except ValueError:
                tail = outcome.stderr.decode(errors="replace").strip()[-200:]
                raise VerifierFailure(f"the tests broke ({outcome.ended} {outcome.code}): {tail}") from None
            return [Result.of(one, dump.fileno()) for one, dump in zip(said, dumps, strict=True)]


@functools.cache
def _text(module: Any) -> str:
    """The text of what runs in a sandbox."""
    return "\n".join(Path(str(one.__file__)).read_text(encoding="utf-8") for one in (code_wire, module))
