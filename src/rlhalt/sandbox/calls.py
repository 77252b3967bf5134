"""Which calls to the kernel a program may not make: a seccomp filter."""

from __future__ import annotations

import functools
import platform
import struct
import sys

# Numbers of the system calls that no honest program needs: memory that no process owns (memfd, SysV, message queues),
# traces of processes, namespaces and mounts, and what exploits of the kernel like best.
_CALLS = {
    "x86_64": (
        0xC000003E,
        *(29, 64, 68, 101, 155, 161, 165, 166, 240, 248, 249, 250, 272, 298, 308, 310, 311, 312, 319, 321, 323, 425),
        *(428, 429, 430, 431, 432, 433, 438, 442, 447),
    ),
    "aarch64": (
        0xC00000B7,
        *(39, 40, 41, 51, 97, 117, 180, 186, 190, 194, 217, 218, 219, 241, 268, 270, 271, 272, 279, 280, 282, 425),
        *(428, 429, 430, 431, 432, 433, 438, 442, 447),
    ),
}
_SOCKETS = {"x86_64": (41, 53), "aarch64": (198, 199)}  # socket, socketpair: only for AF_UNIX
_UNIX = 1
_X32 = 0x40000000  # the other way to number calls on x86-64


@functools.cache
def call_filter() -> bytes | None:
    """A program for the kernel's seccomp filter (classic BPF): EPERM for these calls and for sockets of another family
    than AF_UNIX; None on another processor.
    """
    known = _CALLS.get(platform.machine())
    if known is None or sys.byteorder != "little":
        return None
    architecture, *calls = known
    load, equal, at_least, answer = 0x20, 0x15, 0x35, 0x06
    kill, refuse, allow = 0x80000000, 0x00050001, 0x7FFF0000
    rules = [(load, 0, 0, 4), (equal, 1, 0, architecture), (answer, 0, 0, kill), (load, 0, 0, 0)]
    tests = [(at_least, _X32), *((equal, call) for call in calls)]
    sockets = _SOCKETS[platform.machine()]
    # A jump is relative. The rules end: sockets?, allow, load the family, AF_UNIX?, refuse, allow.
    rules += [(code, len(tests) - index + len(sockets) + 2, 0, value) for index, (code, value) in enumerate(tests)]
    rules += [(equal, len(sockets) - index, 0, call) for index, call in enumerate(sockets)]
    rules += [(answer, 0, 0, allow), (load, 0, 0, 16), (equal, 1, 0, _UNIX), (answer, 0, 0, refuse)]
    rules += [(answer, 0, 0, allow)]
    return b"".join(struct.pack("<HBBI", *rule) for rule in rules)
