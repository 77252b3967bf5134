"""`rlhalt doctor`: can this machine run this configuration? Answered in seconds, before anything is loaded.

plan      the configuration, and the file that accelerate starts it with → what is asked of a machine
memory    what each device would have to hold, estimated
disk      what a training writes, beside what is free
finding   what one check found
checks    what is there: packages, devices, ports, servers, data
dry_run   two real steps with a small model of the same family
"""

from __future__ import annotations

from collections.abc import Sequence

from rlhalt.doctor.checks import examine
from rlhalt.doctor.finding import Finding
from rlhalt.doctor.plan import Plan, read_plan
from rlhalt.errors import InputError

__all__ = ["Finding", "Plan", "examine", "read_plan", "shown"]

# In the order in which they are shown.
_MARKS = {"fail": "[red]fail[/]", "warn": "[yellow]warn[/]", "pass": "[green]pass[/]"}


def shown(findings: Sequence[Finding]) -> None:
    """Show what was found, failures first.

    Raises:
        InputError: at least one check failed; the message names all of them.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for one in sorted(findings, key=lambda one: list(_MARKS).index(one.verdict)):
        table.add_row(_MARKS[one.verdict], one.about, escape(one.says))
    Console().print(table)
    failed = [one.about for one in findings if one.verdict == "fail"]
    if failed:
        raise InputError(f"{len(failed)} of {len(findings)} checks say that this run would fail: {', '.join(failed)}")
