"""The commands that shut a program in: what it sees of the file system, as whom it runs, in which namespaces."""

from __future__ import annotations

import functools
import os
import shutil
import stat
import sys
import sysconfig
from pathlib import Path

from rlhalt.errors import VerifierFailure

# In no list of users: nothing on the machine belongs to it, and "nobody" runs other services.
_USER = 61_000
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def executable() -> Path:
    """The interpreter itself, where this one runs in a virtual environment."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def _demoted() -> list[str]:
    """What runs a command as a user without rights, where we are root: the kernel does not hold root to all limits."""
    if os.geteuid() != 0:
        return []
    user = str(_USER)
    return [tool("setpriv"), "--reuid", user, "--regid", user, "--clear-groups", "--bounding-set=-all", "--"]


def unshare() -> list[str]:
    """The command of the weaker fallback.

    Raises:
        VerifierFailure: see `tool`.
    """
    own = ["--user", "--map-current-user", "--net", "--ipc", "--uts", "--pid", "--mount-proc", "--fork", "--kill-child"]
    return [*_demoted(), tool("setpriv"), "--pdeathsig", "KILL", "--", tool("unshare"), *own, "--"]


_SHOWN = "/mnt"
_SHOW = f'mount --bind "$0" {_SHOWN} && exec "$@"'


@functools.cache
def bubblewrap(disk: int) -> tuple[str, ...]:
    """The command that makes the sandbox, up to its last options."""
    needed = _needed()
    around: list[str] = []
    if os.geteuid() == 0:
        # The interpreter may lie where only root can look, in root's home. Then it is shown at another place too, in a
        # view of the file system that this process alone has.
        hidden = [path for path in needed if _is_hidden(path)]
        if hidden:
            folder = os.path.commonpath([str(Path(path).parent) for path in hidden])
            needed |= {path: _SHOWN + path.removeprefix(folder) for path in hidden}
            around = [tool("unshare"), "--mount", "--", tool("sh"), "-c", _SHOW, folder]
        around += _demoted()
    inside = [tool("bwrap"), "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"]
    inside += ["--hostname", "sandbox"]
    for path, source in needed.items():
        inside += ["--ro-bind", source, path]
    for name in ("null", "zero", "random", "urandom"):
        inside += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    inside += (
        ["--size", str(disk), "--tmpfs", "/tmp", "--remount-ro", "/"]
        if disk
        else ["--dir", "/tmp", "--remount-ro", "/"]
    )
    return (*around, *inside, "--chdir", "/tmp")


def _needed() -> dict[str, str]:
    """What the interpreter needs of the file system, each path with where it is to be found."""
    platform_libraries = Path(sys.base_exec_prefix, sys.platlibdir, f"python{sysconfig.get_python_version()}")
    paths = [str(executable()), sysconfig.get_path("stdlib"), str(platform_libraries)]
    paths += [sysconfig.get_config_var("LIBDIR") or "", "/usr/lib", "/lib", "/usr/lib64", "/lib64", "/etc/ld.so.cache"]
    kept: dict[str, str] = {}
    for path in paths:
        if path and Path(path).exists() and not any(Path(path).is_relative_to(other) for other in kept):
            kept[path] = path
    return kept


def _is_hidden(path: str) -> bool:
    """Whether other users may not look through all folders on the way."""
    return not all(folder.stat().st_mode & stat.S_IXOTH for folder in Path(path).parents)


def tool(name: str) -> str:
    """
    Raises:
        VerifierFailure: the machine does not have it.
    """
    if found := shutil.which(name, path=_PATH):
        return found
    raise VerifierFailure(f"the sandbox did not start: no {name}")
