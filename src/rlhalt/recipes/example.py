"""One held-out question, answered by the pretrained model and by a trained one, each fragment with its verdict."""

from __future__ import annotations

import sys
from pathlib import Path

from rlhalt.records import Scored, read

# Words and not colour alone: a terminal may have none.
_SHOWN = {
    "correct": ("correct", "green"),
    "incorrect": ("INCORRECT", "bold red"),
    "unverifiable": ("cannot be checked", "yellow"),
    "halt": ("halts", "cyan"),
}


def example(base: Path, trained: Path, name: str) -> None:
    """Print the first held-out question that the pretrained model answers with an error; nothing where there is none.

    Args:
        base, trained: evaluation folders of the same prompts.
        name: what the trained model is called.
    """
    from rich.console import Console
    from rich.text import Text

    before, after = _greedy(base), _greedy(trained)
    key = next((key for key, row in before.items() if key in after and _errs(row)), None)
    if key is None:
        return
    console = Console(width=None if sys.stdout.isatty() else 100, highlight=False)
    console.print()
    console.print("The first held-out question that base answers with an error:")
    console.print(Text(before[key].prompt[-1]["content"], style="bold"))
    for title, row in (("base", before[key]), (name, after[key])):
        console.print(Text(f"  {title}"))
        for one in row.fragments:
            shown, style = _SHOWN.get(one.label or "", ("failed", "yellow"))
            console.print(Text(f"    {shown:<18}", style=style).append(" ".join(one.text.split()), style=""))
        if not row.fragments:
            console.print("    says nothing")


def _greedy(folder: Path) -> dict[str, Scored]:
    rows = read(folder / "scored.jsonl", Scored)
    return {row.prompt_key: row for row in rows if row.sampler.get("temperature") == 0}


def _errs(row: Scored) -> bool:
    return any(one.label == "incorrect" for one in row.fragments)
