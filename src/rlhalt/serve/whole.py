"""A response in one body, cut at τ."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable

from rlhalt.cut.decision import Piece
from rlhalt.records import Json
from rlhalt.serve import report, wire
from rlhalt.serve.alignment import Token
from rlhalt.serve.asked import FIELD, Asked
from rlhalt.serve.json_edit import replaced
from rlhalt.serve.progress import Progress
from rlhalt.serve.scoring import Judge


def cut(raw: bytes, asked: Asked, judge: Judge) -> tuple[bytes, Progress]:
    """A body as it is said at τ. Nothing but its text, why it ended, and log-probabilities differs from the upstream's.

    Args:
        raw: what the upstream sent.

    Returns:
        The body, and what was decided; where it could not be scored, the upstream's own body and why.
    """
    progress = Progress(judge, asked)
    try:
        payload = raw.decode()
        body = json.loads(payload)
    except (ValueError, RecursionError) as error:
        progress.give_up(f"expected a body of JSON, found {error}")
        return raw, progress
    text = wire.text(body, asked.endpoint, stream=False)
    needed = asked.log_probabilities or not judge.reads_text
    tokens = _tokens(body, text, asked, progress) if needed else None
    pieces = [*progress.add(text, tokens, more=True), *progress.end()]
    n_tokens = len(tokens or ())
    said = "".join(one.text(text) for one in pieces)
    if said != text:
        payload = replaced(payload, wire.text_path(asked.endpoint, stream=False), json.dumps(said, ensure_ascii=False))
    if not progress.whole and wire.at(body, wire.FINISH) == "length":
        # What halts before the token limit did end.
        payload = replaced(payload, wire.FINISH, '"stop"')
    if not asked.log_probabilities:
        payload = wire.stripped(payload, body, asked.unasked)
    elif said != text:
        payload = _selected(payload, body, asked, n_tokens, said_tokens(progress, pieces))
    if asked.fragments:
        payload = replaced(payload, (FIELD,), report.field(progress, asked, judge))
    return payload.encode(), progress


def said_tokens(progress: Progress, pieces: Iterable[Piece]) -> set[int]:
    """The numbers of the tokens, in the order in which they were given, that begin in what is said."""
    spans = [(one.start, one.end) for one in pieces if one.start < one.end]
    return {
        number
        for number, place in enumerate(progress.alignment.places)
        if any(start <= place < end for start, end in spans)
    }


def _tokens(body: Json, text: str, asked: Asked, progress: Progress) -> list[Token] | None:
    if not text:
        progress.give_up("a response without text")
        return None
    try:
        found = wire.tokens(body, asked.endpoint)
    except wire.Unreadable as error:
        progress.give_up(str(error))
        return None
    return wire.behind_reasoning(found, text) if found and wire.reasoning(body, stream=False) else found


def _selected(payload: str, body: Json, asked: Asked, n_tokens: int, numbers: Collection[int]) -> str:
    """The body with the log-probabilities of what is said alone; those of reasoning before it stay."""
    given = wire.at(body, wire.LOG_PROBABILITIES)
    n_before = len(wire.tokens(body, asked.endpoint) or ()) - n_tokens
    kept = {*range(n_before), *(n_before + one for one in numbers)}
    return replaced(payload, wire.LOG_PROBABILITIES, json.dumps(wire.selected(given, kept), ensure_ascii=False))
