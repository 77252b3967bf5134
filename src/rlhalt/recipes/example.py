"""One held-out question: answered by the pretrained model and by a trained one, and cut at several τ.

Each fragment has its verdict, and where the model is calibrated the probability that it is correct.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rlhalt.cut.calibration import read as read_calibration
from rlhalt.cut.respond import Judged
from rlhalt.records import Confidence, Fragment, Scored, read
from rlhalt.scoring import Scorer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

THRESHOLDS = (0.3, 0.5, 0.8, 0.95)

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
    from rich.text import Text

    before, after = _greedy(base), _greedy(trained)
    key = _question(before, after)
    if key is None:
        return
    console = _console()
    console.print()
    console.print("The first held-out question that base answers with an error:")
    console.print(Text(before[key].prompt[-1]["content"], style="bold"))
    for title, row in (("base", before[key]), (name, after[key])):
        console.print(Text(f"  {title}"))
        for one in row.fragments:
            console.print(_verdict(one).append(_one_line(one.text), style=""))
        if not row.fragments:
            console.print("    says nothing")


def at_every_threshold(base: Path, trained: Path, name: str, calibration: Path, scorer: Scorer) -> None:
    """Print the answer of a calibrated model to the question of `example`, and what the cut leaves of it at each τ.

    Args:
        base, trained: evaluation folders of the same prompts, the calibrated model's own and not cut.
        name: what the calibrated model is called.
        calibration: its calibration.json.
        scorer: of the domain; it knows how the domain halts.
    """
    from rich.table import Table
    from rich.text import Text

    before, after = _greedy(base), _greedy(trained)
    key = _question(before, after)
    if key is None:
        return
    row, fitted = after[key], read_calibration(calibration)
    sure = next(one for one in read(trained / "confidence.jsonl", Confidence) if one.key == row.key)
    confidence = sure.token_minimum if fitted.by == "token_minimum" else sure.token_probability
    values = fitted.at(0)(np.array(confidence, dtype=np.float64)).tolist()
    judged = Judged(row, [np.nan if one.label == "halt" else p for one, p in zip(row.fragments, values, strict=True)])
    console = _console()
    console.print(Text(f"  {name}, with the probability that each fragment is correct"))
    for one, p in zip(row.fragments, judged.probability, strict=True):
        shown = "    " if np.isnan(p) else f"{p:.2f}"
        console.print(_verdict(one).append(f"{shown}  {_one_line(one.text)}", style=""))
    console.print(Text("  the same, cut"))
    said = Table.grid(padding=(0, 2))
    for threshold in THRESHOLDS:
        text = _one_line(judged.text(threshold, scorer.halting, scorer.phrase))
        said.add_row(Text(f"    τ = {threshold:g}", style="bold"), Text(text))
    console.print(said)


def _console() -> Console:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 100, highlight=False)


def _verdict(one: Fragment) -> Text:
    from rich.text import Text

    shown, style = _SHOWN.get(one.label or "", ("failed", "yellow"))
    return Text(f"    {shown:<18}", style=style)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _question(before: dict[str, Scored], after: dict[str, Scored]) -> str | None:
    """The first question that the pretrained model answers with an error."""
    return next((key for key, row in before.items() if key in after and _errs(row)), None)


def _greedy(folder: Path) -> dict[str, Scored]:
    rows = read(folder / "scored.jsonl", Scored)
    return {row.prompt_key: row for row in rows if row.sampler.get("temperature") == 0}


def _errs(row: Scored) -> bool:
    return any(one.label == "incorrect" for one in row.fragments)
