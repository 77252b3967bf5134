"""The card of a file of training rows: how many of which kind, made at which τ, and how to load them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rlhalt.errors import InputError
from rlhalt.records import Pair, read


def data_card(pairs: str | Path, repository: str = "") -> str:
    """The text of README.md for a file of pairs.

    Args:
        pairs: JSON lines of `rlhalt.records.Pair`.
        repository: its name on a hub; the file's own name if empty.

    Raises:
        InputError: no pairs.
    """
    from huggingface_hub import DatasetCardData

    rows = list(read(pairs, Pair))
    if not rows:
        raise InputError("expected pairs, found none", path=pairs)
    file = Path(pairs).name
    name = repository or Path(pairs).stem
    head = DatasetCardData(
        task_categories=["text-generation"],
        tags=["rlhalt", "dpo", "preference", "factuality"],
        configs=[{"config_name": "default", "data_files": file}],
    )
    styles, thresholds = Counter(one.style for one in rows), sorted({one.threshold for one in rows})
    weights = sorted({round(one.weight, 6) for one in rows})
    loaded = repository or "json"
    argument = "" if repository else f', data_files="{file}"'
    equal = len(weights) == 1
    return "\n".join(
        [
            f"---\n{head.to_yaml()}\n---\n",
            f"# {name}\n",
            "Preference pairs made by [rlhalt](https://github.com/rlhalt/rlhalt): a response with a wrong fragment "
            "left out, or cut before it, is preferred to the full one; saying a right fragment is preferred to "
            "leaving it out.\n",
            f"- {len(rows)} pairs of {len({one.source for one in rows})} responses",
            f"- styles: {', '.join(f'{style} {count}' for style, count in sorted(styles.items()))}",
            f"- thresholds τ: {', '.join(f'{one:g}' for one in thresholds)}",
            f"- weights: {'all equal' if equal else f'{weights[0]:g} to {weights[-1]:g}'}\n",
            "```python\nfrom datasets import load_dataset\n",
            f'pairs = load_dataset("{loaded}"{argument}, split="train")\n```\n',
            "The columns `prompt`, `chosen` and `rejected` are those of TRL's DPOTrainer."
            + (
                ""
                if equal
                else " It does not read the column `weight`, without which the pairs are trained at τ = ½: train with "
                "`rlhalt train dpo`, or draw pairs by weight with `rlhalt pairs --draws N`."
            )
            + "\n",
        ]
    )
