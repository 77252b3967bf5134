"""What a response says about its own cut: in headers, and in its body where the client asks for that."""

from __future__ import annotations

import json
import math
import re

from rlhalt.records import Json
from rlhalt.serve.asked import Asked
from rlhalt.serve.progress import Progress
from rlhalt.serve.scoring import Judge

STATE, REASON = "x-rlhalt", "x-rlhalt-reason"
_NOT_PLAIN = re.compile(r"[^\x20-\x7e]")


def passed(reason: str) -> dict[str, str]:
    """The headers of a response that was not to be scored."""
    return {STATE: "passed", REASON: _plain(reason)}


def unscored(reason: str) -> dict[str, str]:
    """The headers of a response that could not be scored, and is therefore as the upstream made it."""
    return {STATE: "unscored", REASON: _plain(reason)}


def begun(progress: Progress, asked: Asked) -> dict[str, str]:
    """The headers of a stream, sent before its first text."""
    return (
        unscored(progress.unscored)
        if progress.unscored
        else {STATE: "cut", f"{STATE}-threshold": f"{asked.threshold:g}"}
    )


def ended(progress: Progress, asked: Asked) -> dict[str, str]:
    """The headers of a whole response."""
    said = sum(one.said for one in progress.decided)
    return {
        **begun(progress, asked),
        f"{STATE}-fragments": str(len(progress.decided)),
        f"{STATE}-left-out": str(len(progress.decided) - said),
    }


def described(progress: Progress, asked: Asked, judge: Judge) -> Json:
    """The field `rlhalt` of a body.

    Returns:
        `{threshold, halting, fragments, left_out, unscored}`: fragments as `{text, probability, said}`, the
        probability null for a halt; `unscored` says why the rest of the response has no fragments, null where all has.
    """
    return {
        "threshold": asked.threshold,
        "halting": judge.halting,
        "fragments": [
            {
                "text": one.text,
                "probability": None if math.isnan(one.probability) else round(one.probability, 4),
                "said": one.said,
            }
            for one in progress.decided
        ],
        "left_out": sum(not one.said for one in progress.decided),
        "unscored": progress.unscored or None,
    }


def field(progress: Progress, asked: Asked, judge: Judge) -> str:
    """`described` as JSON."""
    return json.dumps(described(progress, asked, judge), ensure_ascii=False)


def _plain(text: str) -> str:
    """A text as the value of a header."""
    return _NOT_PLAIN.sub("?", text)[:200]
