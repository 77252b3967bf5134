"""Whether two mathematical answers are equal: as strings, as plain numbers, or by two opinions that agree.

    gold, answer ─ same words? ─ same number? (`answers`) ─ math-verify and `formulas` ─► yes, no, or nobody knows

Strings that are equal are equal. Plain numbers are read before math-verify sees them: it takes "2 2/3" for 2 and
"half of 18" for 18. Formulas are compared by math-verify and calculated a second time to 50 digits; where the two
disagree, or only one can read them and finds them equal, nobody knows.

math-verify runs in a process that can be killed. SymPy can take for ever, or all memory, on what a model writes; a
signal can interrupt neither everywhere nor off the main thread. So one worker process answers all questions, one at a
time, started by the first. A question that takes too long kills it, and the next question starts another. The worker
limits its own memory, and its own alarm ends it if whoever asked was killed meanwhile.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from typing import IO

from rlhalt.errors import VerifierFailure
from rlhalt.verifiers.answers import Amount, amount, clock, european, formula, hedges, is_formula, same_words, stated
from rlhalt.verifiers.formulas import agree, too_large

_MEMORY = 4 << 30  # bytes of address space of the worker
_LONGEST = 300  # characters of a formula
_OWN_TIME = 0.25  # seconds of its own time that the worker takes for a question
_START = 60.0  # seconds in which the worker must have imported SymPy, on a busy machine


class TooSlow(Exception):
    """math-verify did not end in time on an answer; a worker that broke is a `VerifierFailure`."""


def equal(gold: str, answer: str, ask: Callable[[str, str], bool]) -> bool | None:
    """Whether an answer is equal to the gold one; None where that cannot be told.

    Args:
        ask: math-verify, or the like of it.

    Raises:
        VerifierFailure: `ask` broke.
    """
    if same_words(gold, answer):
        return True
    times = clock(gold), clock(answer)
    if times[0] and times[1]:
        return times[0][:2] == times[1][:2] and (times[0][2] or times[1][2]) == (times[1][2] or times[0][2])
    owed, said = amount(gold), amount(answer)
    if owed is not None and owed.sure and said is not None and not european(gold):
        return same_amount(owed, said)
    if hedges(answer):
        return False if owed is not None and not owed.sure & {*stated(answer)} else None
    if owed is not None and owed.sure and not is_formula(answer):
        return None if owed.sure & {*stated(answer)} else False  # several numbers, and none of them the one
    gold, answer = formula(gold), formula(answer)
    if too_large(answer) or len(answer) > _LONGEST:
        return None
    second = agree(gold, answer)
    try:
        first = ask(gold, answer)
    except TooSlow:
        return None
    if second is None:
        near = owed is not None and bool(owed.sure & {*stated(answer)})
        return None if first or near else False
    return first if first == second else None


def same_amount(gold: Amount, answer: Amount) -> bool | None:
    """Whether two numbers are equal, up to how one of them is rounded; None where one may be another number."""
    if any(_same(one, other, gold.decimals, answer.decimals) for one in gold.sure for other in answer.sure):
        return True
    if any(_rounded(one, other, answer.decimals) for one in gold.sure for other in answer.sure):
        return None
    if (gold.sure | gold.possible) & (answer.sure | answer.possible):
        return None
    return False


def _same(gold: Fraction, answer: Fraction, shown: int | None, said: int | None) -> bool:
    """Whether they are equal, or one is the other rounded at the last digit shown where that one shows none."""
    if gold == answer:
        return True
    apart = abs(gold - answer)
    if shown and said is None and answer.denominator != 1:
        return apart <= Fraction(1, 2 * 10**shown)
    return bool(said and said >= 3 and not shown and gold.denominator != 1 and apart <= Fraction(1, 2 * 10**said))


def _rounded(gold: Fraction, answer: Fraction, said: int | None) -> bool:
    return bool(said) and gold.denominator != 1 and abs(gold - answer) <= Fraction(1, 2 * 10 ** (said or 0))


class Equality:
    """Answers whether an answer is equal to the gold one, with math-verify in a worker process; from any thread.

    Args:
        timeout: seconds for one question to math-verify.
        command: the worker, see `MathVerify`.
    """

    def __init__(self, timeout: float = 5.0, command: tuple[str, ...] = (sys.executable, "-m", __name__)) -> None:
        self.worker = MathVerify(timeout, command)

    def __call__(self, gold: str, answer: str) -> bool | None:
        """Whether the answer is equal to the gold one; None where that cannot be told.

        Raises:
            VerifierFailure: the worker broke.
        """
        return equal(gold, answer, self.worker)

    @property
    def pid(self) -> int | None:
        """The worker's process id, None where none is alive."""
        return self.worker.pid

    def close(self) -> None:
        """End the worker; another question starts a new one."""
        self.worker.close()


class MathVerify:
    """Asks math-verify in a worker process; safe to use from any thread.

    Args:
        timeout: seconds for one question; the worker gives itself a quarter of a second of its own time.
        command: the worker; it says that it is ready in a line, then answers each line `[gold, answer, timeout]` with a
            line `true`, `false`, `"slow"` or `{"error": ...}`, all in JSON.
    """

    def __init__(self, timeout: float = 5.0, command: tuple[str, ...] = (sys.executable, "-m", __name__)) -> None:
        self._timeout = timeout
        self._command = command
        self._lock = threading.Lock()
        self._worker: subprocess.Popen[bytes] | None = None

    def __call__(self, gold: str, answer: str) -> bool:
        """Whether the answer is equal to the gold one, as math-verify sees it.

        Raises:
            TooSlow: it took too long.
            VerifierFailure: the worker broke, or does not start.
        """
        with self._lock:
            asked = False
            try:
                worker = self._started()
                stdin, stdout = _pipes(worker)
                asked = True
                stdin.write(json.dumps([gold, answer, self._timeout]).encode() + b"\n")
                reply = json.loads(_line(stdout, self._timeout))
            except TimeoutError as error:
                self._kill()
                failure: type[Exception] = TooSlow if asked else VerifierFailure
                raise failure(f"math-verify on {answer[:60]!r}: {error}") from None
            except (OSError, ValueError) as error:
                self._kill()
                raise VerifierFailure(f"math-verify on {answer[:60]!r}: {error or type(error).__name__}") from None
            except BaseException:
                self._kill()  # an interrupt between question and reply: the next reply would be to this question
                raise
        if reply == "slow":
            raise TooSlow(f"math-verify on {answer[:60]!r}")
        if not isinstance(reply, bool):
            raise VerifierFailure(f"math-verify on {answer[:60]!r}: {reply}")
        return reply

    @property
    def pid(self) -> int | None:
        """The worker's process id, None where none is alive."""
        return self._worker.pid if self._worker and self._worker.poll() is None else None

    def close(self) -> None:
        """End the worker; another question starts a new one."""
        with self._lock:
            self._kill()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._worker is None or self._worker.poll() is not None:
            self._kill()
            self._worker = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
            )
            _line(_pipes(self._worker)[1], _START)
        return self._worker

    def _kill(self) -> None:
        if self._worker is not None:
            self._worker.kill()
            self._worker.wait()
            for pipe in _pipes(self._worker):
                pipe.close()
            self._worker = None


def _pipes(worker: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    assert worker.stdin is not None
    assert worker.stdout is not None
    return worker.stdin, worker.stdout


def _line(stream: IO[bytes], timeout: float) -> bytes:
    """One line from a pipe that may stay silent.

    Raises:
        TimeoutError: no whole line within `timeout` seconds.
        OSError: the other end is gone.
    """
    deadline = time.monotonic() + timeout
    data = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while not data.endswith(b"\n"):
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise TimeoutError(f"no reply within {timeout:g} seconds")
            chunk = os.read(stream.fileno(), 1 << 16)
            if not chunk:
                raise OSError("the worker ended")
            data += chunk
    return data


def _serve() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    from math_verify import parse, verify

    def stop(number: int, frame: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGVTALRM, stop)
    print("ready", flush=True)
    for line in sys.stdin:
        gold, answer, timeout = json.loads(line)
        # Twice the time that is waited for: the alarm ends a worker whose owner is no longer there to kill it.
        signal.alarm(int(2 * timeout) + 1)
        signal.setitimer(signal.ITIMER_VIRTUAL, _OWN_TIME)
        try:
            reply: object = bool(
                verify(
                    parse(f"${gold}$", parsing_timeout=None, raise_on_error=True),
                    parse(f"${answer}$", parsing_timeout=None, raise_on_error=True),
                    timeout_seconds=None,
                    raise_on_error=True,
                )
            )
        except TimeoutError:
            reply = "slow"
        except Exception as error:  # noqa: BLE001 - told to whoever asked, who makes it a failure
            reply = {"error": f"{type(error).__name__}: {error}"[:200]}
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.alarm(0)
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    _serve()
