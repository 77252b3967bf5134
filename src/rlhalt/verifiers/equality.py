"""Whether two mathematical answers are equal, by math-verify, in a process that can be killed.

SymPy can take for ever, or all memory, on what a model writes; a signal can interrupt neither everywhere nor off the
main thread. So one worker process answers all questions, one at a time, started by the first. A question that takes too
long kills it, and the next question starts another. The worker limits its own memory, and its own alarm ends it if
whoever asked was killed meanwhile.
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
from typing import IO

from rlhalt.errors import VerifierFailure

_MEMORY = 4 << 30  # bytes of address space of the worker
_START = 60.0  # seconds in which the worker must have imported SymPy, on a busy machine


class Equality:
    """Answers whether two answers are equal; safe to use from any thread.

    Args:
        timeout: seconds for one question.
        command: the worker; it says that it is ready in a line, then answers each line `[gold, answer, timeout]` with a
            line `true`, `false` or `{"error": ...}`, all in JSON.
    """

    def __init__(self, timeout: float = 5.0, command: tuple[str, ...] = (sys.executable, "-m", __name__)) -> None:
        self._timeout = timeout
        self._command = command
        self._lock = threading.Lock()
        self._worker: subprocess.Popen[bytes] | None = None

    def __call__(self, gold: str, answer: str) -> bool:
        """Whether the answer is equal to the gold one, as math-verify sees it.

        Raises:
            VerifierFailure: it took longer than the time-out, or the worker broke.
        """
        with self._lock:
            try:
                worker = self._started()
                stdin, stdout = _pipes(worker)
                stdin.write(json.dumps([gold, answer, self._timeout]).encode() + b"\n")
                reply = json.loads(_line(stdout, self._timeout))
            except (OSError, ValueError, TimeoutError) as error:
                self._kill()
                raise VerifierFailure(f"math-verify on {answer[:60]!r}: {error or type(error).__name__}") from None
            except BaseException:
                self._kill()  # an interrupt between question and reply: the next reply would be to this question
                raise
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

    print("ready", flush=True)
    for line in sys.stdin:
        gold, answer, timeout = json.loads(line)
        # Twice the time that is waited for: the alarm ends a worker whose owner is no longer there to kill it.
        signal.alarm(int(2 * timeout) + 1)
        try:
            reply: object = bool(
                verify(
                    parse(f"${gold}$", parsing_timeout=None, raise_on_error=True),
                    parse(answer, parsing_timeout=None, raise_on_error=True),
                    timeout_seconds=None,
                    raise_on_error=True,
                )
            )
        except Exception as error:  # noqa: BLE001 - told to whoever asked, who makes it a failure
            reply = {"error": f"{type(error).__name__}: {error}"[:200]}
        signal.alarm(0)
        print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    _serve()
