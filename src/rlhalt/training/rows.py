"""Rows that lie on disk: what a training does not look at takes no memory, and its processes share one file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rlhalt.embedded import cache_folder
from rlhalt.records import Json, R, Rows, content_key, file_hash


def on_disk(rows: Rows[R], columns: Sequence[str]) -> Any:
    """Columns of a file as a `datasets.Dataset`, mapped into memory from `rlhalt.embedded.cache_folder` / rows.

    It is written once for a file's content, by one process while the others wait. What is made of it, the tokens say,
    is kept beside it.
    """
    from datasets import Dataset

    def chosen() -> Iterator[Json]:
        for row in rows:
            yield {name: getattr(row, name) for name in columns}

    return Dataset.from_generator(
        chosen,
        cache_dir=str(cache_folder() / "rows"),
        fingerprint=content_key("rows", file_hash(rows.path), list(columns)),
    )
