"""What one check found."""

from __future__ import annotations

import dataclasses
from typing import Literal

Verdict = Literal["well", "unsure", "wrong"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        about: what was looked at.
        verdict: `wrong` where a run would fail, `unsure` where it might.
        says: what was found, and what to do about it.
    """

    about: str
    verdict: Verdict
    says: str
