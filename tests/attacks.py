"""Programs that try to get out of the sandbox, to take the machine down with them, or to outlive their time.

Each says TRIED when it has made its attempt, and OUT with what it reached where it got through. One that is meant to
run into a limit says which. `sys.argv` tells it where to aim: a token that is in the command line of each of its
processes, a folder with a secret in it, the port and the process id of the one who runs it, and an abstract socket.
"""

from __future__ import annotations

import dataclasses

AIM = "import ctypes, os, signal, socket, sys, time\ntoken, folder, port, parent, abstract = sys.argv[1:]\n"

# Calls each of them, and says which did not raise.
EACH = """
def each(*attempts):
    for attempt in attempts:
        try:
            print("OUT", attempt())
        except (OSError, ValueError, AttributeError, ImportError) as error:
            print("TRIED", error)
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    found = getattr(libc, name)(*arguments)
    if found == -1:
        raise OSError(ctypes.get_errno(), name)
    return name, found
"""


@dataclasses.dataclass(frozen=True)
class Attack:
    """A program and how it is to end: `exit`, `signal`, `wall` or `output`, the first words of an `Outcome`."""

    name: str
    program: str
    ends: tuple[str, ...] = ("exit",)


ATTACKS = [
    Attack(
        "fork bomb",
        "while True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
        ("signal", "wall"),
    ),
    Attack(
        "processes that wait",
        """
children = 0
try:
    while children < 100:
        if os.fork() == 0:
            time.sleep(100)
        children += 1
    print("OUT", children)
except OSError as error:
    print("TRIED", children, error)
""",
    ),
    Attack(
        "threads",
        """
import threading
threads = []
try:
    while len(threads) < 100:
        threads.append(threading.Thread(target=time.sleep, args=(100,), daemon=True))
        threads[-1].start()
    print("OUT", len(threads))
except RuntimeError as error:
    print("TRIED", len(threads), error)
""",
    ),
    Attack(
        "memory",
        """
held = []
try:
    while len(held) < 40:
        held.append(b"x" * (32 << 20))
    print("OUT", len(held))
except MemoryError:
    held.clear()
    print("TRIED")
""",
    ),
    Attack(
        "memory that is mapped",
        """
import mmap
held = []
try:
    while len(held) < 40:
        held.append(mmap.mmap(-1, 32 << 20))
        held[-1].write(b"x" * (32 << 20))
    print("OUT", len(held))
except (OSError, MemoryError):
    print("TRIED")
""",
    ),
    Attack(
        "memory that no process owns",
        EACH + "each(lambda: call('shmget', 0, 1 << 20, 0o1600), lambda: os.memfd_create('x'),"
        " lambda: call('msgget', 0, 0o1600), lambda: call('semget', 0, 1, 0o1600),"
        " lambda: call('mq_open', b'/x', 66, 384, 0))",
    ),
    Attack(
        "one large file",
        """
size = 0
try:
    with open("/tmp/large", "wb", buffering=0) as file:
        while size < 1 << 26:
            size += file.write(b"x" * 65536)
    print("OUT", size)
except OSError as error:
    print("TRIED", size, error)
""",
    ),
    Attack(
        "many large files",
        """
size = 0
try:
    for number in range(1000):
        with open(f"/tmp/{number}", "wb", buffering=0) as file:
            size += file.write(b"x" * 65536)
    print("OUT", size)
except OSError as error:
    print("TRIED", size, error)
""",
    ),
    Attack(
        "many empty files",
        "for number in range(10**9):\n    open(f'/tmp/{number}', 'w').close()",
        ("exit", "signal", "wall"),
    ),
    Attack(
        "many open files",
        """
held = []
try:
    while len(held) < 1000:
        held.append(open("/dev/null"))
    print("OUT", len(held))
except OSError as error:
    print("TRIED", len(held), error)
""",
    ),
    Attack(
        "writing wherever it can be",
        """
import tempfile
places = ["/", "/usr", "/usr/lib", "/etc", "/var/tmp", "/dev", "/dev/shm", "/proc", "/run", "/home", "/root", folder]
for place in places + sys.path:
    try:
        with open(os.path.join(place, token), "w") as file:
            file.write("x")
        print("OUT", place)
    except OSError as error:
        print("TRIED", error)
""",
    ),
    Attack(
        "the interpreter and what it starts with",
        """
import json, sysconfig
targets = [sys.executable, os.__file__, json.__file__]
targets += [os.path.join(path, name) for path in (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"))
            for name in ("sitecustomize.py", "usercustomize.py", "x.pth")]
for target in targets:
    for attempt in (lambda: open(target, "ab"), lambda: os.remove(target), lambda: os.chmod(target, 0o777),
                    lambda: os.rename(target, target + "x"), lambda: os.utime(target)):
        try:
            attempt()
            print("OUT", target)
        except OSError as error:
            print("TRIED", error)
""",
    ),
    Attack(
        "other processes",
        """
found = []
for pid in [parent, "1", str(os.getppid()), *(os.listdir("/proc") if os.path.isdir("/proc") else [])]:
    for name in ("environ", "cmdline", "mem", "maps", "root", "cwd"):
        try:
            path = f"/proc/{pid}/{name}"
            found.append(os.listdir(path) if name in ("root", "cwd") else open(path, "rb").read(100))
        except OSError as error:
            print("TRIED", error)
print("OUT" if any(found) else "TRIED", found)
""",
    ),
    Attack(
        "secrets in the environment",
        "print('OUT' if 'secret' in str(os.environ).lower() else 'TRIED', os.environ)\n"
        "environment = ctypes.c_char_p.in_dll(ctypes.CDLL(None), 'environ')\nprint('TRIED')",
    ),
    Attack(
        "a connection to this machine",
        EACH + "each(lambda: socket.create_connection(('127.0.0.1', int(port)), 1),"
        " lambda: socket.create_connection(('::1', int(port)), 1),"
        " lambda: socket.create_connection(('localhost', int(port)), 1))",
    ),
    Attack(
        "a connection to the world",
        EACH
        + "each(lambda: socket.create_connection(('1.1.1.1', 443), 1), lambda: socket.getaddrinfo('example.org', 80),"
        " lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('8.8.8.8', 53)),"
        " lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('2001:4860:4860::8888', 53)))",
    ),
    Attack(
        "raw packets",
        EACH + "each(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),"
        " lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3))",
    ),
    Attack(
        "Unix sockets",
        EACH
        + """
def to(address):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(address)
        return address
each(lambda: to(os.path.join(folder, 'socket')), lambda: to('\\0' + abstract), lambda: to('/run/docker.sock'),
     lambda: to('/run/dbus/system_bus_socket'))
""",
    ),
    Attack(
        "signals to whoever runs it",
        """
for pid in (int(parent), os.getppid(), 1):
    for number in (signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except OSError as error:
            print("TRIED", error)
print("TRIED")
""",
    ),
    Attack(
        "signals to all",
        EACH + "print('TRIED', flush=True)\neach(lambda: os.kill(-1, signal.SIGKILL))",
        ("exit", "signal"),
    ),
    Attack("signals to its group", "print('TRIED', flush=True)\nos.killpg(0, signal.SIGKILL)", ("signal",)),
    Attack(
        "symbolic links and ways up",
        """
os.chdir("/tmp")
for number, target in enumerate(("/", folder, "/proc/1/root", "/proc/self/root", "../../../../../..")):
    try:
        os.symlink(target, str(number))
        for path in (f"{number}/{folder}/secret", f"{number}/secret", f"{number}/etc/shadow", f"../..{folder}/secret"):
            try:
                print("OUT", open(path).read())
            except OSError as error:
                print("TRIED", error)
    except OSError as error:
        print("TRIED", error)
""",
    ),
    Attack(
        "looking for the tests",
        """
for place, _, names in os.walk("/"):
    for name in names:
        if "rlhalt" in name.lower() or "humaneval" in name.lower() or name in (token, "secret", "passwd", "shadow"):
            print("OUT", place, name)
print("TRIED")
""",
        # A system with many files takes longer to walk than a program may run.
        ("exit", "signal"),
    ),
    Attack("output without end", "while True:\n    sys.stdout.write('x' * 4096)", ("output",)),
    Attack("errors without end", "while True:\n    sys.stderr.write('x' * 4096)", ("output",)),
    Attack(
        "output of children",
        "if os.fork():\n    time.sleep(100)\nwhile True:\n    os.write(2, b'x' * 4096)",
        ("output",),
    ),
    Attack("a loop without end", "while True:\n    pass", ("signal", "wall")),
    Attack("sleep", "print('TRIED', flush=True)\ntime.sleep(10**6)", ("wall",)),
    Attack("waiting for input", "print('TRIED', repr(sys.stdin.read()))\nsignal.pause()", ("wall",)),
    Attack(
        "a daemon",
        """
if os.fork():
    print("TRIED", flush=True)
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.chdir("/")
for fd in range(64):
    try:
        os.close(fd)
    except OSError:
        pass
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    time.sleep(100)
""",
    ),
    Attack(
        "a daemon that holds on to the output",
        "if os.fork() == 0:\n    os.setsid()\n    time.sleep(10**6)\nprint('TRIED', flush=True)",
    ),
    Attack(
        "ignoring every signal",
        """
for number in range(1, 65):
    try:
        signal.signal(number, lambda *_: None)
    except (OSError, ValueError):
        pass
while True:
    pass
""",
        ("signal", "wall"),
    ),
    Attack(
        "not ending at its end",
        "import atexit\natexit.register(time.sleep, 10**6)\nprint('TRIED', flush=True)",
        ("wall",),
    ),
    Attack(
        "unpickling",
        """
import pickle
class Bad:
    def __reduce__(self):
        return os.system, (f"touch {folder}/{token}; cat {folder}/secret; echo OUT",)
print("TRIED", pickle.loads(pickle.dumps(Bad())))
""",
    ),
    Attack(
        "deep recursion",
        """
sys.setrecursionlimit(10**9)
def deeper(x):
    return [deeper(x)]
try:
    deeper(1)
except (MemoryError, RecursionError):
    pass
""",
        ("signal", "exit"),
    ),
    Attack(
        "devices",
        EACH + "each(*(lambda path=path: open('/dev/' + path, 'rb').read(10) for path in"
        " ('mem', 'kmem', 'port', 'kmsg', 'sda', 'vda', 'nvme0n1', 'fuse', 'kvm', 'tty', 'ptmx', 'net/tun')),"
        " lambda: os.mknod('/tmp/vda', 0o60666, os.makedev(254, 0)),"
        " lambda: os.mknod('/tmp/mem', 0o20666, os.makedev(1, 1)))",
    ),
    Attack(
        "shared memory by name",
        EACH + "from multiprocessing import shared_memory\n"
        "each(lambda: shared_memory.SharedMemory(token, create=True, size=1 << 20), lambda: open('/dev/shm/x', 'w'))",
    ),
    Attack(
        "tracing other processes",
        EACH + "buffer = ctypes.create_string_buffer(64)\n"
        "each(lambda: call('ptrace', 16, os.getppid(), 0, 0), lambda: call('ptrace', 16, int(parent), 0, 0),"
        " lambda: call('ptrace', 0, 0, 0, 0), lambda: call('process_vm_readv', int(parent), buffer, 1, buffer, 1, 0))",
    ),
    Attack(
        "mounts",
        EACH + "each(lambda: call('mount', b'none', b'/tmp', b'tmpfs', 0, None),"
        " lambda: call('mount', None, b'/', None, 32 | 4096, None),"
        " lambda: call('umount2', b'/tmp', 2), lambda: call('pivot_root', b'/tmp', b'/tmp'))",
    ),
    Attack("chroot", EACH + "each(lambda: os.chroot('/tmp'))"),
    Attack(
        "another user",
        EACH + "each(lambda: os.setuid(0), lambda: os.seteuid(0), lambda: os.setresuid(0, 0, 0), lambda: os.setgid(0),"
        " lambda: os.setgroups([0]), lambda: os.setreuid(4321, 4321))\nprint('OUT' if os.getuid() == 0 else 'TRIED')",
    ),
    Attack(
        "namespaces",
        EACH + "each(*(lambda flag=flag: call('unshare', flag) for flag in"
        " (0x10000000, 0x20000, 0x20000000, 0x40000000, 0x08000000)), lambda: call('setns', 0, 0))",
    ),
    Attack(
        "exploits' favourites",
        EACH
        + """
calls = {
    "x86_64": (321, 298, 425, 323, 250, 248, 312, 428),
    "aarch64": (280, 241, 425, 282, 219, 217, 272, 428),
}
each(*(lambda number=number: call('syscall', number, 0, 0, 0, 0, 0) for number in calls.get(os.uname().machine, ())))
print("TRIED")
""",
    ),
    Attack(
        "the limits themselves",
        """
import resource
for name in dir(resource):
    if name in ("RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC"):
        try:
            resource.setrlimit(getattr(resource, name), (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            print("OUT", name)
        except (OSError, ValueError) as error:
            print("TRIED", error)
""",
    ),
    Attack(
        "priorities",
        EACH + "each(lambda: os.setpriority(os.PRIO_PROCESS, 0, -20), lambda: call('mlockall', 3),"
        " lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)))",
    ),
    Attack(
        "the host's name and clock",
        EACH + "each(lambda: socket.sethostname('x'), lambda: time.clock_settime(time.CLOCK_REALTIME, 0.0))",
    ),
    Attack(
        "open files of whoever runs it",
        """
found = []
for fd in range(3, 4096):
    try:
        os.fstat(fd)
        found.append(fd)
    except OSError:
        pass
print("OUT" if found else "TRIED", found)
""",
    ),
    Attack(
        "writing to and closing all open files",
        """
print("TRIED", flush=True)
for fd in range(4096):
    try:
        os.write(fd, b'R{"child-pid": 1}R')
    except OSError:
        pass
os.closerange(0, 4096)
""",
        ("exit", "signal"),
    ),
    Attack(
        "typing into the terminal",
        """
import fcntl, termios
for fd in (0, 1, 2):
    for char in b"id\\n":
        try:
            fcntl.ioctl(fd, termios.TIOCSTI, bytes([char]))
            print("OUT")
        except OSError as error:
            print("TRIED", error)
""",
    ),
    Attack(
        "a bomb in a zip",
        """
import gzip
try:
    print("OUT", len(gzip.decompress(gzip.compress(bytes(10**7), 1) * 100)))
except MemoryError:
    print("TRIED")
""",
        ("exit", "signal"),
    ),
    Attack("a calculation that nothing interrupts", "x = 9 ** 9 ** 9", ("signal", "wall")),
    Attack("a search that nothing interrupts", "import re\nre.match('(a+)+$', 'a' * 50 + 'b')", ("signal", "wall")),
    Attack("a core dump", "os.chdir('/tmp')\nprint('TRIED', flush=True)\nos.abort()", ("signal",)),
    Attack("a crash", "print('TRIED', flush=True)\nctypes.string_at(0)", ("signal",)),
    Attack(
        "other programs",
        EACH + "import subprocess\neach(*(lambda path=path: subprocess.run([path]) for path in"
        " ('/bin/sh', '/bin/bash', '/usr/bin/env', '/bin/busybox', '/usr/bin/sudo', '/bin/su', 'bwrap', 'python3')))",
    ),
    Attack(
        "itself again, to be rid of the limits",
        """
import subprocess
again = "import resource; print('OUT' if resource.getrlimit(resource.RLIMIT_AS)[1] < 0 else 'TRIED')"
print(subprocess.run([sys.executable, "-S", "-c", again], capture_output=True, text=True).stdout)
""",
    ),
    Attack(
        "what ends it when its owner is gone",
        EACH + "call('prctl', 1, 0, 0, 0, 0)\ncall('prctl', 36, 1, 0, 0, 0)\nprint('TRIED', flush=True)\n"
        "if os.fork() == 0:\n    call('prctl', 1, 0, 0, 0, 0)\n    os.setsid()\n    time.sleep(10**6)",
    ),
    Attack(
        "sockets of every family but Unix",
        """
refused = []
for family in [*range(2, 46)]:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind)
            print("OUT", family, kind)
        except OSError as error:
            refused.append(error.errno)
print("TRIED" if set(refused) == {1} else "OUT", set(refused))
""",
    ),
]
