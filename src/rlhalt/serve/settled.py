"""Which fragments of a text that is still being written are final: no continuation changes them.

A sentence that ends in a stop is final when the next one has begun: "Dr." alone may be the beginning of a name. One
that ends with its line and without a stop may be wrapped, so two more have to begin. Reasoning steps are cut by what
stands behind them in their line: a step is final when a later line has a step. Fragmenters that read a response as a
whole (programs, and those of the user's own) are asked once, at its end.

These are rules of thumb for rules that look at the whole text; docs/serve.md says how often they were wrong.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rlhalt.records import Fragment

_STOP = re.compile(r"[.!?…。！？।؟][\"'”’»)\]*_]*$")
# No fragment ends within words, spaces and commas of one line.
_MAY_END = re.compile(r"[^\w ,'’()%$-]")


def streams(fragmenter: str) -> bool:
    """Whether a fragmenter's fragments can be final before the text is."""
    return _kind(fragmenter) in ("sentences", "steps")


def may_end(text: str) -> bool:
    """Whether a fragment may end within a text; a quick look that saves splitting."""
    return bool(_MAY_END.search(text))


def settled(text: str, fragments: Sequence[Fragment], fragmenter: str) -> int:
    """How many of the fragments of a text so far are final, from the first on.

    >>> from rlhalt.fragments.sentences import sentences
    >>> [settled(one, sentences(one), "sentences/2") for one in ("It is Dr.", "It is big. She", "It is Dr. Ada")]
    [0, 1, 0]
    """
    kind = _kind(fragmenter)
    if kind == "steps":
        line = text.rfind("\n", 0, fragments[-1].start) if fragments else -1
        return sum(one.end <= line for one in fragments)
    if kind != "sentences" or len(fragments) < 2:
        return 0
    return len(fragments) - (1 if _STOP.search(fragments[-2].text) else 2)


def _kind(fragmenter: str) -> str:
    return fragmenter.partition("/")[0]
