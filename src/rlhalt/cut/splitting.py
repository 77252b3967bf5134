"""A response split into fragments that nobody has verified."""

from __future__ import annotations

import dataclasses

from rlhalt.fragments import thinking
from rlhalt.records import Fragment, Response, Scored
from rlhalt.scoring import Scorer


def split(row: Response, scorer: Scorer) -> Scored:
    """The response with its fragments, those behind the reasoning; halts have their label, all others none.

    Args:
        scorer: splits; it verifies nothing.
    """
    _, begin = thinking.split(row.response)
    fragments = thinking.moved(scorer.split(row.response[begin:]), begin)
    values = {one.name: getattr(row, one.name) for one in dataclasses.fields(Response)}
    return Scored(**values, fragments=[unverified(one) for one in fragments])


def unverified(one: Fragment) -> Fragment:
    """A fragment as a splitter made it, with the one label that needs no verifier: that of a halt."""
    return dataclasses.replace(one, label="halt" if one.kind == "halt" else None)
