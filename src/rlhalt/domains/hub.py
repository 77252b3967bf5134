"""Data sets by their usual name on the Hugging Face hub, in the place of a file.

    hub://openai/gsm8k/main/train       owner/name, the configuration where there are several, the split
    hub://openai/openai_humaneval/test@7dce605     the same at a revision

`datasets` loads them once, into `RLHALT_CACHE`/hub as JSON lines; a domain then reads the file as it reads any other.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

from rlhalt.embedded import cache_folder
from rlhalt.errors import InputError
from rlhalt.files.text import write_atomic

PREFIX = "hub://"
_NAME = re.compile(rf"{PREFIX}((?!\.)[\w.-]+/(?!\.)[\w.-]+)(?:/([\w.-]+))?/([\w.+\[\]:%-]+)(?:@([\w.-]+))?")


class HubName(NamedTuple):
    """A split of a data set; `configuration` and `revision` are None where the name has none."""

    path: str
    configuration: str | None
    split: str
    revision: str | None


def on_hub(file: str | Path) -> bool:
    """Whether a name is one of the hub, not a file's."""
    return str(file).startswith(PREFIX)


def hub_name(text: str) -> HubName:
    """The parts of a name.

    >>> hub_name("hub://openai/gsm8k/main/train").split
    'train'

    Raises:
        InputError: it has not the form of one.
    """
    found = _NAME.fullmatch(text)
    if found is None:
        raise InputError(f"expected {PREFIX}OWNER/NAME/[CONFIGURATION/]SPLIT[@REVISION], found {text!r}")
    return HubName(*found.groups())


def local_file(file: str | Path) -> Path:
    """The file of a name: itself, or for one of the hub the JSON lines that were made of its rows.

    Raises:
        InputError: a wrong name, or `datasets` could not load it.
    """
    if not on_hub(file):
        return Path(file)
    name = hub_name(str(file))
    folder = cache_folder() / "hub"
    path = folder / (re.sub(r"[^\w.+-]+", "-", str(file).removeprefix(PREFIX)) + ".jsonl")
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, (json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(name, str(file))))
    return path


def _rows(name: HubName, shown: str) -> list[dict[str, object]]:
    from datasets import load_dataset

    try:
        found = load_dataset(name.path, name.configuration, split=name.split, revision=name.revision)
        return [dict(row) for row in found]
    except Exception as error:  # noqa: BLE001 - of a hub, a network and its cache; all are the user's to repair
        told = next(iter(str(error).splitlines()), "")
        raise InputError(
            f"expected a data set that `datasets` can load, found {type(error).__name__}: {told[:200]}; without a "
            "network name a file with the same rows",
            path=shown,
        ) from None
