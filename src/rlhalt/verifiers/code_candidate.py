"""The program's side of a test, in a sandbox of its own: it loads the program and answers calls.

    rlhalt ── JSON on stdin ──► candidate READ WRITE DUMP    (numbers of open files)

The text of `code_wire` stands before this one where it runs. A program shares this process and can say here what it
likes: its answers, and where they come from. Only what is sent before it runs (that it parses) is sure.
"""

import contextlib
import faulthandler
import json
import signal
import sys
import types
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlhalt.verifiers.code_wire import Gone, decode, encode, raised, receive, send

_NAME = "solution"


def candidate(read: int, write: int, dump: int, task: Mapping[str, Any]) -> None:
    """Load the program, then answer calls until there are no more.

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
    exec(compile(task["prelude"], "prompt", "exec"), module.__dict__)
    try:
        code = compile(task["source"], _NAME, "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        send(write, {"broken": f"{type(error).__name__}: {error}"[:300], "at": [getattr(error, "lineno", 1) or 1, 0]})
        return
    send(write, {})
    places, number = _Places(code, task["above"]), -1
    send(write, _answer(lambda: exec(code, module.__dict__), places, task["trace"] == number))
    while True:
        number += 1
        call = receive(read)
        send(write, _called(module, call, places, task["trace"] == number))


def _called(module: types.ModuleType, call: Mapping[str, Any], places: "_Places", traced: bool) -> dict[str, Any]:
    if call["function"] not in module.__dict__:
        return {"missing": True}
    function, given = module.__dict__[call["function"]], call["arguments"]
    arguments, named = decode(given)
    reply = _answer(lambda: function(*arguments, **named), places, traced)
    with contextlib.suppress(RecursionError):
        changed = encode([arguments, named], strangers=True)
        if changed != given:
            reply["changed"] = changed
    return reply


def _answer(call: Callable[[], object], places: "_Places", traced: bool) -> dict[str, Any]:
    trace = places.trace if traced else None
    sys.settrace(trace)
    try:
        value = call()
    except BaseException as error:  # noqa: BLE001 - whatever a program raises is its answer
        sys.settrace(None)
        return {"raised": raised(error), "at": places.of(error)}
    finally:
        sys.settrace(None)
    try:
        return {"value": encode(value, strangers=True), "at": places.returned}
    except RecursionError:
        return {"value": {"stranger": type(value).__name__[:100]}, "at": places.returned}


class _Places:
    """Where in the program something happens; code that the program made itself is not looked at."""

    def __init__(self, code: types.CodeType, above: int) -> None:
        self._above = above
        self._own: dict[int, types.CodeType] = {}
        self._add(code)
        self.returned: list[int] | None = None

    def _add(self, code: types.CodeType) -> None:
        self._own[id(code)] = code
        for one in code.co_consts:
            if isinstance(one, types.CodeType):
                self._add(one)

    def trace(self, frame: types.FrameType, event: str, _: object) -> Any:
        """A function for `sys.settrace`: notes where the outermost function returns."""
        if id(frame.f_code) not in self._own:
            return None
        if event == "return" and frame.f_lineno > self._above:
            # The last to return is the outermost.
            self.returned = self._position(frame.f_code, frame.f_lasti, frame.f_lineno)
        return self.trace

    def of(self, error: BaseException) -> list[int] | None:
        """Line and column (in bytes) of the program in the deepest frame that is its own.

        Where an exception is raised again, what it carries from the first time is passed over.
        """
        place, trace = None, error.__traceback__
        while trace is not None:
            frame, code = trace.tb_frame, trace.tb_frame.f_code
            if id(code) in self._own and trace.tb_lineno > self._above:
                place = self._position(code, trace.tb_lasti, trace.tb_lineno)
            trace = trace.tb_next
            if trace is not None and trace.tb_frame.f_back is not frame:
                break
        return place

    def _position(self, code: types.CodeType, instruction: int, line: int) -> list[int]:
        start, _, column, _ = list(code.co_positions())[instruction // 2]
        return [start, column] if start is not None and column is not None else [line, 0]


if __name__ == "__main__":
    with contextlib.suppress(Gone):
        candidate(*map(int, sys.argv[1:]), json.load(sys.stdin))  # type: ignore[call-arg, arg-type]
