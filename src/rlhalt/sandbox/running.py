"""Starting a program, reading what it says, and ending it with every process it has started; see `rlhalt.sandbox`."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import functools
import json
import marshal
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, Self

from rlhalt.errors import InputError, VerifierFailure
from rlhalt.sandbox.calls import call_filter
from rlhalt.sandbox.confine import bubblewrap, executable, unshare

Kind = Literal["bubblewrap", "weak", "none"]

_START = 30.0  # seconds in which the interpreter must have started, on a busy machine
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a program may use.

    Attributes:
        wall: seconds from its first statement to its end.
        cpu: seconds of CPU time of each process.
        memory: bytes of address space of each process; about 30 MB of it are the interpreter's.
        processes: processes and threads together, the first included.
        disk: bytes in the private /tmp, and of any one file; 0 for none that can be written.
        files: open files of each process.
        output: bytes of stdout and of stderr; with more the program is ended.
    """

    wall: float = 10.0
    cpu: int = 5
    memory: int = 512 << 20
    processes: int = 8
    disk: int = 16 << 20
    files: int = 64
    output: int = 1 << 20


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a program ended.

    Attributes:
        ended: `exit`; `signal` (also an exit code above 128, which looks the same); or killed here for the `wall` limit
            or for too much `output`.
        code: exit code or number of the signal; None where it was killed here.
        stdout, stderr: what it wrote, up to the limit.
        seconds: wall time from its first statement.
    """

    ended: Literal["exit", "signal", "wall", "output"]
    code: int | None
    stdout: bytes
    stderr: bytes
    seconds: float


@dataclasses.dataclass(frozen=True)
class Sandbox:
    """A way of running programs, see the top of this module for what each kind protects from.

    Attributes:
        kind: `bubblewrap`, `weak` or `none`.
        python: the interpreter, for `weak` and `none`; bubblewrap runs the one that runs rlhalt.
    """

    kind: Kind
    python: str = dataclasses.field(default_factory=lambda: str(executable()))

    def run(
        self, program: str, arguments: Sequence[str] = (), stdin: bytes = b"", limits: Limits | None = None
    ) -> Outcome:
        """Run a program to its end.

        Args:
            program: Python source; runs as `__main__` with nothing but the standard library.
            arguments: its `sys.argv[1:]`.
            stdin: what it can read.

        Raises:
            VerifierFailure: it could not be started.
        """
        with self.start(program, arguments, stdin, limits, capture=True) as running:
            return running.wait()

    def start(
        self,
        program: str,
        arguments: Sequence[str] = (),
        stdin: bytes = b"",
        limits: Limits | None = None,
        *,
        pass_fds: Sequence[int] = (),
        capture: bool = False,
        own: bool = False,
    ) -> Running:
        """Start a program; when this returns, its limits hold and its first statement is about to run.

        It ends at the latest with the thread that called this.

        Args:
            pass_fds: open files of rlhalt that the program shall have too, under the same numbers.
            capture: whether stdout and stderr are read; else they go nowhere.
            own: whether the program is part of rlhalt. Then it is compiled here, once for all sandboxes.

        Raises:
            VerifierFailure: it could not be started.
        """
        limits = limits or Limits()
        with contextlib.ExitStack() as files:
            source, given, rules = (
                files.enter_context(_memory_file(data))
                for data in (_compiled(program) if own else _packed(program), stdin, call_filter() or b"")
            )
            told, tell = (files.enter_context(os.fdopen(fd, "rb", buffering=0)) for fd in os.pipe())
            # bubblewrap closes its end before the program starts, so it needs one of its own.
            introduce = files.enter_context(os.fdopen(os.dup(tell.fileno()), "rb", buffering=0))
            bootstrap = [*_PYTHON, _BOOTSTRAP.format(rlimits=_rlimits(limits, self.kind))]
            bootstrap += [str(source.fileno()), str(tell.fileno())]
            inherited = {source.fileno(), tell.fileno(), *pass_fds}
            if self.kind == "bubblewrap":
                inherited |= {introduce.fileno(), rules.fileno()}
                seccomp = ["--seccomp", str(rules.fileno())] if call_filter() else []
                command = [*bubblewrap(limits.disk), "--info-fd", str(introduce.fileno()), *seccomp, "--"]
                command += [str(executable()), *bootstrap, *arguments]
            else:
                command = [*(unshare() if self.kind == "weak" else ()), self.python, *bootstrap, *arguments]
            pipe = subprocess.PIPE if capture else subprocess.DEVNULL
            try:
                process = subprocess.Popen(
                    command,
                    stdin=given,
                    stdout=pipe,
                    stderr=pipe,
                    cwd="/",
                    env=_ENVIRONMENT,
                    start_new_session=True,
                    pass_fds=sorted(inherited),
                    bufsize=0,
                )
            except OSError as error:
                raise VerifierFailure(f"the sandbox did not start: {error}") from None
            tell.close()
            introduce.close()
            running = Running(process, self.kind, limits)
            try:
                running.lead(_until_ready(told.fileno()))
            except BaseException:
                running.kill()
                raise
            return running


class Running:
    """A program that was started; leaving its `with` ends it and every process it has started."""

    def __init__(self, process: subprocess.Popen[bytes], kind: Kind, limits: Limits) -> None:
        self._process = process
        self._kind = kind
        self._limits = limits
        self._leader: int | None = None
        self._began = time.monotonic()

    def lead(self, told: bytes) -> None:
        """Take hold of the process whose end is the end of all.

        Raises:
            VerifierFailure: the program was not started.
        """
        if not told.endswith(_READY):
            said = self._last_words()
            self.kill()
            raise VerifierFailure(f"the sandbox did not start: {said or 'it ended without a word'}")
        pids = [self._process.pid]
        if self._kind == "bubblewrap":
            pids = [json.loads(told.removesuffix(_READY))["child-pid"]]
        elif self._kind == "weak":
            children = Path(f"/proc/{pids[0]}/task/{pids[0]}/children")
            pids = [int(one) for one in children.read_text(encoding="ascii").split()]
        # A short program may be over already: then there is nobody to take hold of.
        with contextlib.suppress(ProcessLookupError, IndexError):
            self._leader = os.pidfd_open(pids[0])
        self._began = time.monotonic()

    def _last_words(self) -> str:
        stderr = self._process.stderr
        if stderr is None or not select.select([stderr], [], [], 0)[0]:
            return ""
        return os.read(stderr.fileno(), 1000).decode(errors="replace").strip()

    def wait(self) -> Outcome:
        """Read what the program writes until it ends or a limit is reached; then nothing of it is left."""
        ended = self._read_to_the_end()
        seconds = time.monotonic() - self._began
        self.kill()
        code = self._process.returncode
        stdout, stderr = (bytes(data[: self._limits.output]) for data in self._output)
        if ended:
            return Outcome(ended, None, stdout, stderr, seconds)
        if code < 0 or 128 < code <= 128 + signal.SIGRTMAX:
            return Outcome("signal", -code if code < 0 else code - 128, stdout, stderr, seconds)
        return Outcome("exit", code, stdout, stderr, seconds)

    def _read_to_the_end(self) -> Literal["wall", "output"] | None:
        self._output = (bytearray(), bytearray())
        streams = {
            stream.fileno(): data
            for stream, data in zip((self._process.stdout, self._process.stderr), self._output, strict=True)
            if stream
        }
        poller = select.poll()
        for fd in [*streams, *([] if self._leader is None else [self._leader])]:
            poller.register(fd, select.POLLIN)
        alive = self._leader is not None
        while alive or streams:
            # After its end a pipe has what was written before it: none of its processes is left to write more.
            left = self._began + self._limits.wall - time.monotonic() if alive else 0.0
            ready = poller.poll(max(0.0, left * 1000))
            if not ready:
                return "wall" if alive else None
            for fd, _ in ready:
                if fd == self._leader:
                    alive = False
                    poller.unregister(fd)
                    continue
                chunk = os.read(fd, 1 << 16)
                streams[fd] += chunk
                if len(streams[fd]) > self._limits.output:
                    return "output"
                if not chunk:
                    poller.unregister(fd)
                    del streams[fd]
        return None

    def kill(self) -> None:
        """End the program with every process it has started; returns when they are gone."""
        # Whoever is still to write an error into a pipe that is full would wait for ever.
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()
        if self._leader is not None:
            # The leader is the first process of its namespace: the kernel kills and reaps all others before it is gone.
            with contextlib.suppress(ProcessLookupError, IndexError):
                signal.pidfd_send_signal(self._leader, signal.SIGKILL)
            select.select([self._leader], [], [])
            os.close(self._leader)
            self._leader = None
        else:
            self._process.kill()
        if self._kind == "none":
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()


def find(unsafe: bool = False) -> Sandbox:
    """The strongest sandbox that works here; one weaker than bubblewrap is announced on stderr.

    Args:
        unsafe: run without any where none works.

    Raises:
        InputError: neither bubblewrap nor the fallback works, and the caller did not ask for `unsafe`.
    """
    if works(Sandbox("bubblewrap")):
        return Sandbox("bubblewrap")
    if works(Sandbox("weak")):
        _say("bubblewrap does not work here; programs run in a weak sandbox that lets them read files")
        return Sandbox("weak")
    if unsafe:
        _say("no sandbox works here; programs run with your own rights")
        return Sandbox("none")
    raise InputError(
        "expected a sandbox to run programs in, found neither bubblewrap nor unshare that works here; install "
        "bubblewrap (apt-get install bubblewrap), or pass unsafe to run them with your own rights"
    )


@functools.cache
def _say(what: str) -> None:
    """Once on stderr."""
    print(f"rlhalt: {what}; install bubblewrap (apt-get install bubblewrap)", file=sys.stderr, flush=True)


@functools.cache
def works(sandbox: Sandbox) -> bool:
    """Whether a trivial program runs in this sandbox, tried once."""
    try:
        return sandbox.run("print(6 * 7)").stdout == b"42\n"
    except VerifierFailure:
        return False


# What runs first inside: rlimits must be set there, because those on processes count per user namespace, and root
# outside would not be held by them. -P, -S: nothing is imported from where the program can write.
_PYTHON = ("-P", "-S", "-s", "-B", "-X", "utf8", "-c")
_READY = b"R"
# No more modules than these: each takes its time.
_BOOTSTRAP = """
import marshal, os, resource, sys
from _frozen_importlib_external import MAGIC_NUMBER
_, source, tell, *sys.argv[1:] = sys.argv
for name, value in {rlimits}.items():
    resource.setrlimit(getattr(resource, name), (value, value))
with open(int(source), "rb") as file:
    magic, program, text = marshal.load(file)
os.write(int(tell), b"R")
os.close(int(tell))
program = marshal.loads(program) if magic == MAGIC_NUMBER else compile(text, "program", "exec")
del MAGIC_NUMBER, file, magic, name, source, tell, text, value
sys.argv[0] = "program"
exec(program, {{"__name__": "__main__", "__builtins__": __builtins__}})
"""


def _packed(text: str, magic: bytes = b"", code: bytes = b"") -> bytes:
    """A program as the bootstrap reads it, in a version of marshal's format that every Python reads.

    Args:
        magic: which Pythons can run the code; the others compile the text.
    """
    return marshal.dumps((magic, code, text.encode()), 2)


@functools.cache
def _compiled(text: str) -> bytes:
    # What this module imports from __future__ would hold for the program too, and for all that the program compiles.
    return _packed(text, MAGIC_NUMBER, marshal.dumps(compile(text, "program", "exec", dont_inherit=True)))


def _rlimits(limits: Limits, kind: Kind) -> dict[str, int]:
    rlimits = {
        "RLIMIT_AS": limits.memory,
        "RLIMIT_CORE": 0,
        "RLIMIT_CPU": limits.cpu,
        "RLIMIT_FSIZE": limits.disk,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_NOFILE": limits.files,
    }
    # bubblewrap's own first process counts too; without a namespace all processes of the user would.
    more = {
        "bubblewrap": {"RLIMIT_NPROC": limits.processes + 1},
        "weak": {"RLIMIT_NPROC": limits.processes},
        "none": {},
    }
    return rlimits | more[kind]


def _memory_file(data: bytes) -> IO[bytes]:
    """A file without a name that can be read and not written."""
    file = os.fdopen(os.memfd_create("rlhalt", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "r+b", buffering=0)
    file.write(data)
    file.seek(0)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK)
    return file


def _until_ready(fd: int) -> bytes:
    """What bubblewrap tells of its child and the sign that the program is about to run, or less if that never comes."""
    told = b""
    deadline = time.monotonic() + _START
    while not told.endswith(_READY) and select.select([fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
        chunk = os.read(fd, 1 << 12)
        if not chunk:
            break
        told += chunk
    return told
