"""Rows that pass through the model together, within a bound on the memory that their logits take.

A row's logits over a vocabulary of 49,152 words take 20 MB in float32, over 262,144 words five times as much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Encoded = tuple[list[int], list[tuple[int, int]]]
"""The token ids of prompt and response, and of each fragment its tokens, from the first to behind the last."""

ROWS = 32
# Numbers in the logits of a batch: 256 MiB in bfloat16.
LOGITS = 1 << 27


def first_read(encoded: Encoded) -> int:
    """The place of the first token that belongs to a fragment; the logits before it are not read."""
    return min((low for low, high in encoded[1] if high), default=len(encoded[0]))


def batches(order: Sequence[int], encoded: Sequence[Encoded], vocabulary: int) -> Iterator[list[int]]:
    """The rows, in their order, in batches of at most `ROWS` rows and `LOGITS` numbers; one row at least.

    Args:
        order: places in `encoded`; rows of like length beside each other save padding.
        vocabulary: its size.
    """
    batch: list[int] = []
    for index in order:
        wanted = [encoded[one] for one in (*batch, index)]
        kept = max(len(ids) for ids, _ in wanted) - min(map(first_read, wanted)) + 1
        if batch and (len(wanted) > ROWS or len(wanted) * kept * vocabulary > LOGITS):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
