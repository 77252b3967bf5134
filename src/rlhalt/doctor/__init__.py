"""`rlhalt doctor`: can this machine run this configuration? Answered in seconds, before anything is loaded.

plan      the configuration, and the file that accelerate starts it with → what is asked of a machine
memory    what each device would have to hold, estimated
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

_MARKS = {"well": "[green]well[/]", "unsure": "[yellow]unsure[/]", "wrong": "[red]wrong[/]"}


def shown(findings: Sequence[Finding]) -> None:
    """Show what was found.

    Raises:
        InputError: something is wrong; with as many as there are.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for one in findings:
        table.add_row(_MARKS[one.verdict], one.about, escape(one.says))
    Console().print(table)
    wrong = [one.about for one in findings if one.verdict == "wrong"]
    if wrong:
        raise InputError(f"{len(wrong)} of {len(findings)} checks say that this run would fail: {', '.join(wrong)}")
