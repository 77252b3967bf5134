"""The tests' side of a test, in a sandbox of its own: it runs the tests with each program and says how they went.

    rlhalt ── JSON on stdin ──► driver READ WRITE READ WRITE ...    (numbers of open files, a pair a program)
    rlhalt ◄── JSON on stdout ── one object a program, in order

The text of `code_wire` stands before this one where it runs. The tests are loaded once, and run with each program in a
process of their own, so that a program's answers can take no other program down, nor this process.

How they went, `how`:

    passed
    missing   the program does not define the function
    broken    it does not parse
    raised    it raises what the tests do not take
    wrong     a test fails
    error     the tests raise something else while they work with an answer; `own` where no answer makes them do so
    gone      it ends, is too late, or does not answer as it should
    late      the tests take too long with its answers
    open      what the tests do with an answer cannot be done here
    tests     the tests themselves do not work
"""

import contextlib
import json
import os
import reprlib
import select
import signal
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlhalt.verifiers.code_wire import Gone, NotPlain, Open, Stranger, decode, encode, error_of, receive, send

_STOPS = (StopIteration, StopAsyncIteration)


class _Raised(BaseException):
    """The program raised what no test may catch."""


class _Tests:
    """The tests, loaded.

    Attributes:
        broken: why they cannot be, "" where they can.
    """

    def __init__(self, task: Mapping[str, Any]) -> None:
        import random

        random.seed(0)
        self.task = task
        self.space: dict[str, Any] = {"__name__": "tests"}
        self.broken = ""
        try:
            # The prompt's own helpers may be used by the tests; its unfinished function is only a docstring.
            exec(compile(task["prelude"], "prompt", "exec"), self.space)
            self._code = compile(task["test"], "tests", "exec")
            exec(self._code, self.space)
            self.check = self.space["check"]
        except Exception as error:  # noqa: BLE001 - told to rlhalt, where it is a failure
            self.broken = f"the tests do not load: {type(error).__name__}: {error}"[:300]


class _Program:
    """The program as the tests see it: what they ask, and what it answered last."""

    def __init__(self, read: int, write: int, tests: _Tests) -> None:
        self.calls = 0
        self.said = "nothing was asked"
        self.last: dict[str, Any] = {}
        self.value: object = ()
        self.changed = False
        self.over: BaseException | None = None
        self._read, self._write, self._tests = read, write, tests
        self._writes = tests.task["writes"]
        self._deadline = time.monotonic() + tests.task["wall"]

    def load(self) -> dict[str, Any] | None:
        """Load it; what is wrong where it does not parse."""
        send(self._write, {}, self._deadline)
        first = receive(self._read, self._deadline)
        if "broken" in first:
            self.last = first
            return {"how": "broken", "reason": str(first["broken"])[:300]}
        self.last = receive(self._read, self._deadline)
        self._value()
        return None

    def ask(self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call one of its functions."""
        message = {"function": name, "arguments": encode([list(arguments), named])}
        self.last, self.value = {}, ()
        self.calls += 1
        try:
            send(self._write, message, self._deadline)
            self.last = receive(self._read, self._deadline)
            if "missing" in self.last:
                if name != self._tests.task["entry_point"]:
                    raise NameError(f"name '{name}' is not defined")
                raise _Missing(name)
            if "changed" in self.last:
                self._change([list(arguments), named])
            value = self._value()
        except (Gone, _Missing) as error:
            # A test may have an "except:".
            self.over = error
            raise
        self.value = value
        self.said = f"{name}({', '.join(map(reprlib.repr, arguments))}) is {reprlib.repr(value)}"
        return value

    def _value(self) -> Any:
        if "raised" in self.last:
            error = error_of(self.last["raised"], self._tests.space)
            if isinstance(error, (Gone, Open)):
                raise Gone("its answer cannot be read")
            stops = isinstance(error, _STOPS) and not any(one.__name__ in self._tests.task["test"] for one in _STOPS)
            if stops or not isinstance(error, Exception):
                # A StopIteration would only end the loop of a test.
                raise _Raised(f"{type(error).__name__}: {error}")
            error.__dict__["_of_program"] = True
            raise error
        try:
            return decode(self.last["value"])
        except Exception:  # noqa: BLE001 - whatever a program says instead
            raise Gone("its answer cannot be read") from None

    def _change(self, given: list[Any]) -> None:
        """Do to the arguments what the program did to its own.

        Not where it gives a value too: then tests that compare this with the arguments could be told what to expect.
        """
        self.changed = True
        if self.last.get("value") is None or self._writes:
            try:
                _copy(decode(self.last["changed"]), given)
            except Exception:  # noqa: BLE001 - whatever a program says instead
                raise Gone("its answer cannot be read") from None


class _Missing(BaseException):
    """The program does not define what the tests call."""


def _copy(new: Any, old: Any) -> None:
    """Make a value equal to another, without a new object where the old one can be changed."""
    if type(new) is not type(old):
        return
    if isinstance(old, list):
        for one, other in zip(new, old, strict=False):
            _copy(one, other)
        old[:] = [_kept(new, old, index) for index in range(len(new))]
    elif isinstance(old, tuple):
        for one, other in zip(new, old, strict=False):
            _copy(one, other)
    elif isinstance(old, dict):
        kept = {key: old[key] if key in old and _changeable(old[key], one) else one for key, one in new.items()}
        for key in kept.keys() & old.keys():
            _copy(new[key], old[key])
        old.clear()
        old.update(kept)
    elif isinstance(old, set):
        old.clear()
        old.update(new)
    elif hasattr(old, "clear") and hasattr(old, "extend"):  # a deque, a bytearray
        old.clear()
        old.extend(new)


def _kept(new: list[Any], old: list[Any], index: int) -> Any:
    return old[index] if index < len(old) and _changeable(old[index], new[index]) else new[index]


def _changeable(old: object, new: object) -> bool:
    return type(old) is type(new) and isinstance(old, (list, dict, set))


def _run(read: int, write: int, tests: _Tests) -> dict[str, Any]:
    """Run the tests with one program."""
    name = tests.task["entry_point"]
    program = _Program(read, write, tests)

    def asking(function: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            return program.ask(function, arguments, named)

        call.__name__ = function
        return call

    began = time.monotonic()
    how, reason, own = "passed", "", False
    try:
        if failure := program.load():
            how, reason = failure["how"], failure["reason"]
        else:
            tests.space |= {one: asking(one) for one in [*tests.task["helpers"], name]}
            tests.check(tests.space[name])
            if program.over is not None:
                raise program.over
            if not program.calls:
                how, reason = "tests", f"the tests never call {name}"
            elif Stranger.touched:
                how, reason = "open", "an answer that cannot be told is compared"
    except _Missing as error:
        how, reason = "missing", f"does not define {error}"
    except NotPlain as error:
        how, reason = "tests", f"the tests pass an argument that cannot be told: {error}"
    except Open as error:
        how, reason = "open", str(error)
    except Gone as error:
        how, reason = "gone", str(error)
    except _Raised as error:
        how, reason = "raised", str(error)
    except Exception as error:  # noqa: BLE001 - an assertion, or an answer that the tests cannot work with
        how, reason = _how(error, program)
        own = how == "error" and isinstance(error, (NameError, ImportError))
    at = program.last.get("at")
    place = isinstance(at, list) and len(at) == 2 and all(type(one) is int and abs(one) < 10**9 for one in at)
    return {
        "how": how,
        "reason": reason[:300],
        "call": program.calls - 1,
        "at": at if place else None,
        "none": program.value is None,
        "own": own,
        "changed": program.changed,
        "seconds": time.monotonic() - began,
    }


def _how(error: Exception, program: _Program) -> tuple[str, str]:
    raised = f"{type(error).__name__}: {error}"[:300]
    if getattr(error, "_of_program", False):
        return "raised", raised
    if not program.calls:
        return "tests", f"the tests break before they call the program: {raised}"
    if isinstance(error, AssertionError):
        return "wrong", program.said
    return "error", f"{program.said} ({raised})"


def driver(pairs: list[tuple[int, int]], task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Run the tests with each program in turn.

    Args:
        pairs: where to read from and write to each program.
        task: `prelude`, the prompt as it runs alone; `test`, `entry_point`; `helpers`, other functions of the program
            that the tests call; `writes`, whether what a function does to its arguments counts also where it gives a
            value; `wall`, seconds for each program.
    """
    tests = _Tests(task)
    if tests.broken:
        return [{"how": "tests", "reason": tests.broken}] * len(pairs)
    return [_apart(read, write, tests) for read, write in pairs]


def _apart(read: int, write: int, tests: _Tests) -> dict[str, Any]:
    """Run them in a process of their own."""
    result, said = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(result)
        with os.fdopen(said, "w", encoding="utf-8") as file:
            json.dump(_run(read, write, tests), file)
        os._exit(0)
    os.close(said)
    deadline, data = time.monotonic() + tests.task["wall"] + 1, b""
    try:
        while select.select([result], [], [], max(0.0, deadline - time.monotonic()))[0]:
            chunk = os.read(result, 1 << 16)
            if not chunk:
                return dict(json.loads(data))
            data += chunk
        return {"how": "late", "reason": "the tests take too long with its answers"}
    except ValueError:
        return {"how": "tests", "reason": "the tests broke: they end without a result"}
    finally:
        os.close(result)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _main() -> None:
    numbers = [int(one) for one in sys.argv[1:]]
    task = json.load(sys.stdin)
    said = os.dup(1)
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
    verdicts = driver(list(zip(numbers[::2], numbers[1::2], strict=True)), task)
    with os.fdopen(said, "w", encoding="utf-8") as file:
        json.dump(verdicts, file)


if __name__ == "__main__":
    _main()
