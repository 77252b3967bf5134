"""Python packages that one domain or one feature needs: which are missing, and the command that brings them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import NamedTuple

from rlhalt.errors import InputError


class Packages(NamedTuple):
    """Packages that are needed together.

    Attributes:
        names: the modules that are imported.
        install: the command that installs them; None where nobody has said it.
    """

    names: Sequence[str]
    install: str | None = None

    @property
    def missing(self) -> list[str]:
        """Those that are not installed. None of them is imported."""
        return [one for one in self.names if not _is_there(one)]


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # the package of a dotted name is missing, or the name is none
        return False


def require(needs: str, *packages: Packages) -> None:
    """See that packages are installed.

    Args:
        needs: what needs them, as the message begins.

    Raises:
        InputError: some are not, naming all of them and the commands.
    """
    if lacking := [one for one in packages if one.missing]:
        names = [name for one in lacking for name in one.missing]
        commands = dict.fromkeys(one.install for one in lacking if one.install)
        verb = "is" if len(names) == 1 else "are"
        told = f": {' && '.join(commands)}" if commands else ""
        raise InputError(f"{needs} needs {' and '.join(names)}, which {verb} not installed here{told}")
