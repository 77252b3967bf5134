"""The sandbox against programs that attack it, seen from outside; what each kind of sandbox promises."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacks import AIM, ATTACKS, Attack
from rlhalt.errors import InputError, VerifierFailure
from rlhalt.sandbox import Limits, Sandbox, confine, find, running, works

TIGHT = Limits(wall=0.7, cpu=1, memory=384 << 20, processes=6, disk=1 << 20, files=32, output=1 << 16)
PATIENT = dataclasses.replace(TIGHT, wall=60.0, cpu=20)
BUBBLEWRAP = Sandbox("bubblewrap")


@pytest.fixture
def confined():
    if not works(BUBBLEWRAP):
        pytest.skip("bubblewrap is missing or does not work here")
    return BUBBLEWRAP


@pytest.fixture
def weak():
    pythons = dict.fromkeys([Sandbox("weak").python, "/usr/bin/python3"])
    found = next((one for one in (Sandbox("weak", python) for python in pythons) if works(one)), None)
    if found is None:
        pytest.skip("unshare does not work here, or no interpreter is where a user without rights may look")
    return found


def limits(attack: Attack) -> Limits:
    """Little time for what is to run out of it; for the rest as much as a busy machine may need."""
    if attack.ends == ("exit",):
        return PATIENT
    return TIGHT if "wall" in attack.ends else dataclasses.replace(PATIENT, cpu=TIGHT.cpu)


def processes(token: str) -> list[str]:
    """Every process on the machine that was started with this token and is not dead."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if token.encode() in (folder / "cmdline").read_bytes():
                found.append(folder.name)
    return found


def wait_until_gone(token: str) -> None:
    deadline = time.monotonic() + 20
    while processes(token) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes(token) == []


@pytest.fixture
def machine() -> Iterator[list[str]]:
    """What an attack can aim at: a token, a folder that anyone may read, a port, a process, an abstract socket."""
    token = f"token-{secrets.token_hex(8)}"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rlhalt-")))
        folder.chmod(0o755)
        (folder / "secret").write_text("OUT: the secret")
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for address in (str(folder / "socket"), f"\0{token}"):
            server = stack.enter_context(socket.socket(socket.AF_UNIX))
            server.bind(address)
            server.listen()
        (folder / "socket").chmod(0o777)
        yield [token, str(folder), str(tcp.getsockname()[1]), str(os.getpid()), token]
        assert sorted(path.name for path in folder.iterdir()) == ["secret", "socket"]
        assert (folder / "secret").read_text() == "OUT: the secret"
    for place in ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", "/", str(Path.home()), *sys.path):
        if Path(place).is_dir():
            assert not any(token in name for name in os.listdir(place))  # noqa: PTH208 - only the names
    assert processes(token) == []


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.name)
def test_no_attack_gets_out(attack, confined, machine, monkeypatch):
    monkeypatch.setenv("RLHALT_SECRET", "the secret")
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    outcome = confined.run(AIM + attack.program, machine, limits=limits(attack))
    assert outcome.ended in attack.ends, outcome
    assert b"OUT" not in outcome.stdout + outcome.stderr, outcome
    # An attack that did not take place proves nothing.
    assert b"TRIED" in outcome.stdout or attack.ends != ("exit",)
    assert b"Traceback" not in outcome.stderr, outcome
    assert len(outcome.stdout) <= TIGHT.output >= len(outcome.stderr)
    assert outcome.seconds < limits(attack).wall + 5
    assert len(os.listdir("/proc/self/fd")) == files  # noqa: PTH208
    assert processes(machine[0]) == []


def test_there_are_enough_attacks():
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS) >= 50


HONEST = """
import sys
print(sum(map(int, sys.stdin)), sys.argv[1:], __name__)
print("é", file=sys.stderr)
with open("/tmp/note", "w") as file:
    file.write("x")
print(open("/tmp/note").read())
raise SystemExit(3)
"""


def test_an_honest_program_runs(confined):
    outcome = confined.run(HONEST, ["a", "b c"], stdin=b"1\n2\n")
    assert (outcome.ended, outcome.code) == ("exit", 3)
    assert outcome.stdout.decode() == "3 ['a', 'b c'] __main__\nx\n"
    assert outcome.stderr.decode() == "é\n"


def test_nothing_is_left_for_the_next_program(confined):
    assert confined.run("open('/tmp/note', 'w').write('x')").code == 0
    assert confined.run("import os; print(os.listdir('/tmp'))").stdout == b"[]\n"


def test_without_a_disk_nothing_can_be_written(confined):
    outcome = confined.run("open('/tmp/note', 'w')", limits=Limits(disk=0))
    assert b"Read-only file system" in outcome.stderr


@pytest.mark.parametrize(
    ("program", "ended", "code"),
    [
        ("pass", "exit", 0),
        ("1/0", "exit", 1),
        ("x +", "exit", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal", signal.SIGSEGV),
        ("import time; time.sleep(100)", "wall", None),
        ("print('x' * 10**6)", "output", None),
        ("", "exit", 0),
        ("while True: pass", "signal", signal.SIGKILL),
        ("9 ** 9 ** 9 ** 9", "signal", signal.SIGKILL),
    ],
)
def test_how_it_ended(program, ended, code, confined):
    outcome = confined.run(program, limits=Limits(wall=1.0 if ended == "wall" else 60.0, cpu=1, output=1000))
    assert (outcome.ended, outcome.code) == (ended, code)


def test_large_programs_inputs_and_outputs(confined):
    text = "x" * 500_000
    program = f"import sys; data = sys.stdin.read(); assert data == {text!r}; print(data); print(data, file=sys.stderr)"
    outcome = confined.run(program, stdin=text.encode())
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, text.encode() + b"\n", text.encode() + b"\n")


def test_many_at_once_off_the_main_thread(confined):
    found: list[tuple[int, bytes]] = []

    def work(number):
        for index in range(3):
            program = f"import threading; t = threading.Thread(target=print, args=({number},)); t.start(); t.join()"
            found.append((number, confined.run(program if index else "while 1: pass", limits=TIGHT).stdout))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted((n, out) for n in range(6) for out in (b"", f"{n}\n".encode(), f"{n}\n".encode()))


OWNER = """
import sys
from rlhalt.sandbox import Sandbox
running = Sandbox(sys.argv[1], sys.argv[2]).start("import time; time.sleep(1000)", [sys.argv[3]])
print("running", flush=True)
running.wait()
"""


@pytest.mark.parametrize("kind", ["confined", "weak"])
def test_it_ends_with_the_one_who_runs_it(kind, request):
    found = request.getfixturevalue(kind)
    token = secrets.token_hex(8)
    command = [sys.executable, "-c", OWNER, found.kind, found.python, token]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "running\n"
        assert processes(token)
        owner.kill()
    wait_until_gone(token)


def test_an_open_file_can_be_handed_in(confined):
    read, write = os.pipe()
    with confined.start("import os, sys; os.write(int(sys.argv[1]), b'hello')", [str(write)], pass_fds=[write]):
        os.close(write)
        assert os.read(read, 100) == b"hello"
        assert os.read(read, 100) == b""
    os.close(read)


# What the fallback promises.
WEAK = {
    "fork bomb",
    "processes that wait",
    "threads",
    "memory",
    "memory that is mapped",
    "many open files",
    "secrets in the environment",
    "a connection to this machine",
    "a connection to the world",
    "raw packets",
    "signals to whoever runs it",
    "signals to all",
    "output without end",
    "errors without end",
    "output of children",
    "a loop without end",
    "sleep",
    "waiting for input",
    "a daemon",
    "a daemon that holds on to the output",
    "ignoring every signal",
    "not ending at its end",
    "deep recursion",
    "the limits themselves",
    "open files of whoever runs it",
    "a bomb in a zip",
    "a calculation that nothing interrupts",
}


@pytest.mark.parametrize("attack", [one for one in ATTACKS if one.name in WEAK], ids=lambda one: one.name)
def test_what_the_fallback_keeps_in(attack, weak, machine, monkeypatch):
    monkeypatch.setenv("RLHALT_SECRET", "the secret")
    outcome = weak.run(AIM + attack.program, machine, limits=limits(attack))
    assert outcome.ended in {*attack.ends, "signal"}, outcome
    assert b"OUT" not in outcome.stdout + outcome.stderr, outcome
    assert outcome.seconds < limits(attack).wall + 5
    assert processes(machine[0]) == []


def test_the_fallback_does_not_run_as_root(weak):
    program = "import os; print(os.getuid(), os.getppid(), sorted(os.environ))"
    own = 61_000 if os.geteuid() == 0 else os.geteuid()
    environment = weak.run(program).stdout.decode()
    assert environment.startswith(f"{own} 0 ['LC_ALL'")
    assert "PATH" not in environment


def test_the_fallback_says_what_it_does_not_keep_in(weak, machine):
    assert b"OUT: the secret" in weak.run(f"print(open('{machine[1]}/secret').read())").stdout


def test_without_a_sandbox_there_are_limits_still(machine, monkeypatch):
    monkeypatch.setenv("RLHALT_SECRET", "the secret")
    none = Sandbox("none")
    for name in ("memory", "many open files", "secrets in the environment", "the limits themselves", "sleep"):
        attack = next(one for one in ATTACKS if one.name == name)
        if name == "the limits themselves" and os.geteuid() == 0:
            continue
        outcome = none.run(AIM + attack.program, machine, limits=limits(attack))
        assert outcome.ended in attack.ends
        assert b"OUT" not in outcome.stdout
    forked = none.run("import os, time\nif os.fork() == 0:\n    time.sleep(1000)\nprint(1)", machine)
    assert (forked.ended, forked.stdout) == ("exit", b"1\n")
    wait_until_gone(machine[0])


def test_without_any_it_is_refused_unless_unsafe(monkeypatch):
    monkeypatch.setattr(running, "works", lambda one: False)
    with pytest.raises(InputError, match=r"apt-get install bubblewrap.*unsafe"):
        find()
    assert find(unsafe=True) == Sandbox("none")


def test_the_fallback_comes_after_bubblewrap(monkeypatch):
    monkeypatch.setattr(running, "works", lambda one: one.kind == "weak")
    assert find().kind == "weak"
    monkeypatch.setattr(running, "works", lambda one: True)
    assert find(unsafe=True).kind == "bubblewrap"


def test_a_weak_sandbox_is_said_on_stderr(monkeypatch, capsys):
    for kind, said in (("weak", "weak sandbox"), ("none", "no sandbox works here")):
        running._say.cache_clear()
        monkeypatch.setattr(running, "works", lambda one, kind=kind: one.kind == kind)
        for _ in range(2):
            assert find(unsafe=True).kind == kind
        assert capsys.readouterr().err.count(said) == 1
    running._say.cache_clear()
    monkeypatch.setattr(running, "works", lambda one: True)
    find()
    assert capsys.readouterr().err == ""


def test_programs_have_unix_sockets(confined):
    program = "import asyncio, socket; socket.socketpair(); asyncio.run(asyncio.sleep(0)); print('done')"
    assert confined.run(program).stdout == b"done\n"


def test_a_machine_without_the_tools(monkeypatch):
    monkeypatch.setattr(confine, "_PATH", "/nonexistent")
    confine.bubblewrap.cache_clear()
    for kind in ("bubblewrap", "weak"):
        with pytest.raises(VerifierFailure, match="did not start: no "):
            Sandbox(kind).run("pass")
    confine.bubblewrap.cache_clear()


@pytest.mark.parametrize("kind", ["confined", "weak"])
def test_a_program_that_is_over_before_it_is_looked_at_has_ended_all_the_same(kind, request, monkeypatch):
    found = request.getfixturevalue(kind)
    told = running._until_ready
    monkeypatch.setattr(running, "_until_ready", lambda fd: (told(fd), time.sleep(1))[0])
    outcome = found.run("print('said')", limits=PATIENT)
    assert (outcome.ended, outcome.code, outcome.stdout) == ("exit", 0, b"said\n")


@pytest.mark.parametrize("python", ["/nonexistent", "/bin/false", "/bin/true"])
def test_what_does_not_start_is_a_failure_and_no_outcome(python):
    with pytest.raises(VerifierFailure, match="did not start"):
        Sandbox("none", python).run("pass")


def test_bubblewrap_that_breaks_tells_why(confined, monkeypatch):
    monkeypatch.setattr(running, "bubblewrap", lambda disk: (confine.tool("bwrap"), "--ro-bind", "/none", "/x"))
    with pytest.raises(VerifierFailure, match="bwrap: Can't find source path"):
        confined.run("pass")


@pytest.mark.parametrize("magic", [running.MAGIC_NUMBER, b"none"])
def test_a_program_of_rlhalt_runs_in_this_python_and_in_another_one(confined, monkeypatch, magic):
    """Another Python compiles the text; in neither does what the sandbox's own module imports from the future hold."""
    monkeypatch.setattr(running, "MAGIC_NUMBER", magic)
    running._compiled.cache_clear()
    with confined.start("def f(x: 1): pass\nprint(f.__annotations__)", limits=PATIENT, capture=True, own=True) as found:
        assert found.wait().stdout == b"{'x': 1}\n"
    running._compiled.cache_clear()
