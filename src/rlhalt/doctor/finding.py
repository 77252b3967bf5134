"""What one check found."""

from __future__ import annotations

import dataclasses
from typing import Literal

Verdict = Literal["pass", "warn", "fail"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        about: what was looked at.
        verdict: `fail` where a run would fail, `warn` where it might.
        says: what was found, and what to do about it.
    """

    about: str
    verdict: Verdict
    says: str
