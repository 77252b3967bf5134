"""CSV files of named columns, read strictly."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from rlhalt.errors import InputError


def read_csv(path: str | Path, columns: Sequence[str], what: str) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file, numbered from 2 as they follow the header; cells that are left out at the end are empty.

    Args:
        columns: those that it must have.
        what: the kind of file, for the message.

    Raises:
        InputError: no such file, no UTF-8, no CSV, a column missing or twice, a row with more cells than columns.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected {what}, found no such file", path=path)
    try:
        # With the mark that spreadsheets put before UTF-8, or without it.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"expected UTF-8, found another encoding at byte {error.start}", path=path) from None
    if "\0" in text:
        raise InputError("expected text, found a null character", path=path)
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="", strict=True)
    try:
        names = list(reader.fieldnames or ())
        missing = [one for one in columns if one not in names]
        if missing:
            raise InputError(f"expected the columns {', '.join(columns)}; {', '.join(missing)} missing", path=path)
        twice = [one for one in columns if names.count(one) > 1]
        if twice:
            raise InputError("expected every column once, found it twice", path=path, field=twice[0])
        # A line of a CSV file is no row: cells may hold line ends.
        for row, data in enumerate(reader, start=2):
            if None in data:
                raise InputError(f"expected {len(names)} cells, found more", path=path, row=row)
            yield row, data
    except csv.Error as error:
        raise InputError(f"expected CSV, found {error} near line {reader.line_num}", path=path) from None
