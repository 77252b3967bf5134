"""What runs inside of sandboxes while a program is tested; imports nothing but the standard library.

    driver (the tests) ── calls: arguments ──► candidate (the program)
                       ◄── replies: a value, or what was raised ──

Two processes in two sandboxes. The program never shares a process, a file or a name with the tests: it is told the
arguments of one call, and answers with plain data. The driver builds builtins of its own from the answer, compares
these, and alone speaks to rlhalt. Whatever a program does to its own interpreter, it can only choose its answers.

Plain data are None, bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset and range; an instance of
a subclass (Counter, namedtuple) arrives as the builtin it is made of, anything else as an object that equals nothing.
What a program does to its arguments does not arrive: the tests keep theirs.

This file is the program of both sandboxes: `candidate READ WRITE DUMP` or `driver READ WRITE READ WRITE ...`, with
numbers of open files, and what each needs to know as JSON on stdin.
"""

import builtins
import contextlib
import faulthandler
import functools
import json
import os
import reprlib
import select
import signal
import struct
import sys
import time
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_LONGEST = 1 << 20  # bytes of a message: the driver must not drown in an answer
_NAME = "solution"


class NotPlain(TypeError):
    """A value that is no plain data."""


class Stranger:
    """Stands for a value that is no plain data; equals nothing."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __eq__(self, other: object) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<{self.kind}>"


_SEQUENCES: tuple[type[Any], ...] = (list, tuple, set, frozenset)


def encode(value: object) -> Any:
    """Plain data as JSON data, each value but None, bool and str with its type.

    Raises:
        NotPlain: it is, or holds, something else.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return {"int": hex(int.__int__(value))}
    if isinstance(value, float):
        return {"float": float.hex(value)}
    if isinstance(value, complex):
        return {"complex": [value.real.hex(), value.imag.hex()]}
    if isinstance(value, bytes):
        return {"bytes": bytes.hex(value)}
    if isinstance(value, range):
        return {"range": [encode(value.start), encode(value.stop), encode(value.step)]}
    if isinstance(value, dict):
        return {"dict": [[encode(key), encode(item)] for key, item in dict.items(value)]}
    for kind in _SEQUENCES:
        if isinstance(value, kind):
            return {kind.__name__: [encode(one) for one in kind.__iter__(value)]}
    raise NotPlain(type(value).__name__)


def decode(data: Any) -> Any:
    """What `encode` was given, as exact builtins.

    Raises:
        ValueError, TypeError, RecursionError: it is not the work of `encode`.
    """
    if data is None or isinstance(data, (bool, str)):
        return data
    if not isinstance(data, dict) or len(data) != 1:
        raise ValueError("no plain data")
    ((kind, held),) = data.items()
    match kind:
        case "int":
            return int(held, 16)
        case "float":
            return float.fromhex(held)
        case "complex":
            real, imaginary = held
            return complex(float.fromhex(real), float.fromhex(imaginary))
        case "bytes":
            return bytes.fromhex(held)
        case "range":
            return range(*map(decode, held))
        case "dict":
            return {decode(key): decode(item) for key, item in held}
        case "stranger":
            return Stranger(str(held))
    for one in _SEQUENCES:
        if one.__name__ == kind:
            return one(map(decode, held))
    raise ValueError("no plain data")


class Gone(BaseException):
    """The other side ended, or does not keep to the protocol. No test can catch it by `except Exception`."""


def send(fd: int, message: Mapping[str, Any]) -> None:
    """Write one message.

    Raises:
        Gone: the other side does not read any more.
    """
    data = json.dumps(message).encode()
    data = struct.pack("<I", len(data)) + data
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        raise Gone("it ended") from None


def receive(fd: int, deadline: float | None = None) -> dict[str, Any]:
    """Read one message.

    Raises:
        Gone: the other side ended, is too late, or says what is no message.
    """
    (length,) = struct.unpack("<I", _exactly(fd, 4, deadline))
    if length > _LONGEST:
        raise Gone("its answer is too large")
    try:
        message = json.loads(_exactly(fd, length, deadline))
    except (ValueError, RecursionError):
        raise Gone("its answer cannot be read") from None
    if not isinstance(message, dict):
        raise Gone("its answer cannot be read")
    return message


def _exactly(fd: int, length: int, deadline: float | None) -> bytes:
    data = b""
    while len(data) < length:
        if deadline is not None and not select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise Gone("it ran out of time")
        chunk = os.read(fd, length - len(data))
        if not chunk:
            raise Gone("it ended")
        data += chunk
    return data


def candidate(read: int, write: int, dump: int, task: Mapping[str, Any]) -> None:
    """The program's side: load it, then answer calls until there are no more.

    Args:
        dump: where to write which line runs when time runs out.
        task: `prelude` and `source`, run in this order; `above`, how many lines of the source are not the program's;
            `cpu` and `wall`, seconds; `trace`, number of the call to be traced, -1 for the loading.
    """
    receive(read)
    faulthandler.enable(dump, all_threads=False)
    for alarm, timer, seconds in (
        (signal.SIGPROF, signal.ITIMER_PROF, task["cpu"]),
        (signal.SIGALRM, signal.ITIMER_REAL, task["wall"]),
    ):
        # Written by the signal handler in C, also while no Python code can run; then the signal kills.
        faulthandler.register(alarm, dump, all_threads=False, chain=True)
        signal.setitimer(timer, seconds)
    module = types.ModuleType(_NAME)
    sys.modules[_NAME] = module
    above, number = task["above"], -1
    exec(compile(task["prelude"], "prompt", "exec"), module.__dict__)
    load = functools.partial(_load, task["source"], module)
    send(write, _answer(load, above, traced=task["trace"] == number))
    while True:
        number += 1
        call = receive(read)
        called = functools.partial(_call, module, call["function"], decode(call["arguments"]), decode(call["named"]))
        send(write, _answer(called, above, traced=task["trace"] == number))


def _load(source: str, module: types.ModuleType) -> None:
    exec(compile(source, _NAME, "exec"), module.__dict__)


def _call(module: types.ModuleType, name: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    return getattr(module, name)(*arguments, **named)


def _answer(call: Callable[[], Any], above: int, traced: bool) -> dict[str, Any]:
    trace = _Trace(above)
    if traced:
        sys.settrace(trace)
    try:
        value = call()
    except BaseException as error:  # noqa: BLE001 - whatever a program raises is its answer
        sys.settrace(None)
        return {"raised": [type(error).__name__, str(error)[:200]], "at": _place(error, above), "trace": trace.seen()}
    finally:
        sys.settrace(None)
    try:
        return {"value": encode(value), "trace": trace.seen()}
    except (NotPlain, RecursionError) as error:
        return {"value": {"stranger": f"{type(value).__name__}: {error}"[:200]}, "trace": trace.seen()}


def _place(error: BaseException, above: int) -> list[int] | None:
    """Line and column (in bytes) in the program of the deepest frame that is its own, or where it does not parse."""
    if isinstance(error, SyntaxError) and error.filename == _NAME:
        return [error.lineno or 1, 0]
    place = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _NAME and trace.tb_lineno > above:
            place = _position(trace.tb_frame.f_code, trace.tb_lasti, trace.tb_lineno)
        trace = trace.tb_next
    return place


def _position(code: types.CodeType, instruction: int, line: int) -> list[int]:
    start, _, column, _ = list(code.co_positions())[instruction // 2]
    return [start, column] if start is not None and column is not None else [line, 0]


class _Trace:
    """Which lines of the program run in a call, and where its outermost function returns."""

    def __init__(self, above: int) -> None:
        self._above = above
        self._lines: set[int] = set()
        self._returned: list[int] | None = None

    def __call__(self, frame: types.FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename != _NAME:
            return None
        if event == "line":
            self._lines.add(frame.f_lineno)
        elif event == "return" and frame.f_lineno > self._above:
            # The last to return is the outermost.
            self._returned = _position(frame.f_code, frame.f_lasti, frame.f_lineno)
        return self

    def seen(self) -> dict[str, Any]:
        return {"lines": sorted(self._lines), "returned": self._returned}


def driver(pairs: list[tuple[int, int]], task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tests' side: run the tests with each candidate in turn.

    Args:
        pairs: where to read from and write to each candidate.
        task: `prompt`, `test` and `entry_point`; `wall`, seconds for each candidate.

    Returns:
        For each candidate `{"passed": true, "seconds": ...}`, or `{"passed": false, "reason": ...}` with what is known
        of the last call, or `{"broken": ...}` where the tests themselves do not work.
    """
    return [_examine(read, write, task) for read, write in pairs]


class _Raised(BaseException):
    """The program raised what no test may catch."""


class _Proxy:
    """Stands for the program's function in the tests."""

    def __init__(self, read: int, write: int, name: str, wall: float) -> None:
        self.calls = 0
        self.last: dict[str, Any] = {}
        self.said = "nothing was asked"
        self._read, self._write, self._name = read, write, name
        self._deadline = time.monotonic() + wall

    def load(self) -> None:
        send(self._write, {})
        self._reply()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        try:
            message = {"function": self._name, "arguments": encode(arguments), "named": encode(named)}
        except NotPlain as error:
            if error.args == (Stranger.__name__,):
                raise Gone("its answer is no plain data") from None
            raise
        self.last = {}
        self.calls += 1
        send(self._write, message)
        value = self._reply()
        self.said = f"{self._name}({', '.join(map(reprlib.repr, arguments))}) is {reprlib.repr(value)}"
        return value

    def _reply(self) -> Any:
        self.last = reply = receive(self._read, self._deadline)
        if "raised" in reply:
            raise _error(reply["raised"])
        try:
            return decode(reply["value"]) if "value" in reply else None
        except (ValueError, TypeError, KeyError, RecursionError, MemoryError, OverflowError):
            raise Gone("its answer cannot be read") from None


def _error(raised: object) -> BaseException:
    if isinstance(raised, list) and len(raised) == 2 and all(isinstance(one, str) for one in raised):
        name, message = raised
        kind = getattr(builtins, name, None)
        if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, (UnicodeError, SyntaxError)):
            error: BaseException = kind(message)
            error.__dict__["_of_program"] = True
            return error
        return _Raised(f"{name}: {message}")
    return Gone("its answer cannot be read")


def _examine(read: int, write: int, task: Mapping[str, Any]) -> dict[str, Any]:
    import random

    random.seed(0)
    name = task["entry_point"]
    space: dict[str, Any] = {"__name__": "tests"}
    try:
        # The prompt's own helpers may be used by the tests; its unfinished function is only a docstring.
        exec(compile(task["prompt"], "prompt", "exec"), space)
        exec(compile(task["test"], "tests", "exec"), space)
        check = space["check"]
    except Exception as error:  # noqa: BLE001 - told to rlhalt, where it is a failure
        return {"broken": f"the tests do not load: {type(error).__name__}: {error}"[:300]}
    proxy = _Proxy(read, write, name, task["wall"])
    began = time.monotonic()
    result: dict[str, Any] = {"passed": False}
    try:
        proxy.load()
        space[name] = proxy
        check(proxy)
        if not proxy.calls:
            return {"broken": f"the tests never call {name}"}
        return {"passed": True, "seconds": time.monotonic() - began}
    except NotPlain as error:
        return {"broken": f"the tests pass an argument that is no plain data: {error}"}
    except Gone as error:
        result |= {"how": "gone", "reason": str(error)}
    except _Raised as error:
        result |= {"how": "raised", "reason": str(error)[:300]}
    except Exception as error:  # noqa: BLE001 - an assertion, or an answer that the tests cannot work with
        raised = f"{type(error).__name__}: {error}"[:300]
        if getattr(error, "_of_program", False):
            result |= {"how": "raised", "reason": raised}
        else:
            tail = "" if isinstance(error, AssertionError) else f" ({raised})"
            result |= {"how": "wrong", "reason": proxy.said + tail}
    return result | {"call": proxy.calls - 1, "at": proxy.last.get("at"), "trace": proxy.last.get("trace")}


def _main() -> None:
    role, *numbers = sys.argv[1:]
    fds = [int(one) for one in numbers]
    task = json.load(sys.stdin)
    if role == "candidate":
        read, write, dump = fds
        with contextlib.suppress(Gone):
            candidate(read, write, dump, task)
        return
    said = os.dup(1)
    os.dup2(os.open("/dev/null", os.O_WRONLY), 1)
    verdicts = driver(list(_pairs(fds)), task)
    with os.fdopen(said, "w", encoding="utf-8") as file:
        json.dump(verdicts, file)


def _pairs(fds: list[int]) -> Iterator[tuple[int, int]]:
    return zip(fds[::2], fds[1::2], strict=True)


if __name__ == "__main__":
    _main()
