"""Running a Python program that nobody has read.

    program ─ Sandbox.run ─► Outcome (how it ended, exit code, stdout, stderr)

Where bubblewrap works (`kind` is `bubblewrap`), the program

- has no network, not even loopback, and no sockets but Unix's (the family is filtered on x86-64 and ARM64); it sees no
  process, user, IPC object or host name of the machine outside;
- sees only the interpreter, its libraries and the C libraries, read-only, four devices, and an empty private /tmp in
  memory; no home, no /proc, no shell, no settings, nothing of rlhalt; and an environment that says nothing;
- runs as a user without any right, also where rlhalt runs as root, cannot gain one, and cannot make namespaces, mounts,
  traces of other processes or memory that belongs to no process (a seccomp filter, on x86-64 and ARM64);
- is limited in processes and threads, in memory and CPU time of each, in size and number of files, output and wall
  time, and is gone at the end of the call with every process it has started, whatever these did to stay alive.

What this does *not* protect from:

- A hole in the kernel, which is shared. Whoever runs programs of people with much to gain wants a virtual machine.
- Load: a program may use `processes` cores for `wall` seconds and `processes` times `memory`. Empty files in /tmp take
  kernel memory that nothing here counts, about 1 kB each, while there is CPU time to make them; `disk=0` forbids them.
- What is world-readable in the directories of the interpreter and the C libraries, and side channels of the hardware.
- What the program says: its output is a stranger's text.

The weaker fallback (`weak`), where bubblewrap does not work but `unshare` does: no network, no other process to be seen
or signalled, the same limits, a user without rights where rlhalt is root, and nothing survives. But the program *reads
every file* that its user may read and, where rlhalt is not root, *changes and deletes* those that rlhalt may; /tmp is
the machine's, and no system call is filtered. For programs that are wrong, not for hostile ones.

Without both, `find` refuses, unless the caller asks for `unsafe`: then (`none`) there are the limits and nothing else.
A process that leaves its process group survives.

Limits on processes are counted for each sandbox alone since Linux 5.14; before, they count all processes of the user.
Safe to use from any thread, any number at once.

    running  starts a program, reads what it says, ends it with all it has started
    confine  the commands that shut it in: what it may see, as whom it runs
    calls    which calls to the kernel it may not make
"""

from rlhalt.sandbox.running import Limits, Outcome, Running, Sandbox, find, works

__all__ = ["Limits", "Outcome", "Running", "Sandbox", "find", "works"]
