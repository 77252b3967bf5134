"""What a client may spend, kept so that it is never passed: the most an attempt can cost is put aside beforehand."""

from __future__ import annotations

import asyncio
import dataclasses

from rlhalt.errors import BudgetExceeded
from rlhalt.llm.calls import Usage


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a client may spend in its life; None is no limit. Tokens are those read and those written."""

    calls: int | None = None
    tokens: int | None = None
    money: float | None = None


class Ledger:
    """What is spent, and what attempts under way may yet spend."""

    def __init__(self, budget: Budget) -> None:
        self.spent = Usage()
        self._budget = budget
        self._reserved = Usage()
        self._settled = asyncio.Event()

    def _over(self, usage: Usage) -> str | None:
        for name in ("calls", "tokens", "money"):
            limit, found = getattr(self._budget, name), getattr(usage, name)
            if limit is not None and found > limit:
                return f"{found:,.10g} of {limit:,.10g} {name}"
        return None

    async def reserve(self, most: Usage) -> None:
        """Put aside what an attempt can cost; waits for others under way where the rest may suffice after them.

        Raises:
            BudgetExceeded: it does not suffice.
        """
        while over := self._over(self.spent + self._reserved + most):
            if not self._reserved.calls:
                raise BudgetExceeded(f"the next call could take the budget to {over}; spent so far: {self.spent}")
            self._settled.clear()
            await self._settled.wait()
        self._reserved += most

    def settle(self, reserved: Usage, spent: Usage) -> None:
        """Replace what was put aside for an attempt by what it did cost."""
        self._reserved -= reserved
        self.spent += spent
        self._settled.set()
