"""When employees last had a call: who has gone longest without one is rung first (EVENLY).

What was before this process began is asked of history, once for each employee; since then it is
known from the calls themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import structlog

__all__ = ["AskHistory", "LastTalks"]

log = structlog.get_logger("vpbx.calls")

_PATIENCE_S = 1.0
"""A caller waits for it; without an answer people are rung in the order they stand in."""

AskHistory: TypeAlias = Callable[[int, Iterable[str]], Awaitable[Mapping[str, float]]]
"""(domain id, logins) → when the last call of each ended, seconds since 1970."""


class LastTalks:
    """Of all companies' employees, as far as anybody wanted to know."""

    def __init__(self, ask: AskHistory | None = None) -> None:
        self._ask = ask
        self._at: dict[tuple[int, str], float] = {}
        """0.0: never, as far as history knows."""

    async def learn(self, domain_id: int, logins: Iterable[str]) -> None:
        """Ask history about those nothing is known of yet, and wait for a moment. Never raises."""
        unknown = [login for login in logins if (domain_id, login) not in self._at]
        if not unknown or self._ask is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE_S):
                found = await self._ask(domain_id, unknown)
        except Exception as error:
            log.warning("history does not say who was called last", error=repr(error))
            return
        for login in unknown:
            self._at.setdefault((domain_id, login), found.get(login, 0.0))

    def talked(self, domain_id: int, login: str, at: float) -> None:
        """Take note that an employee has been in a call until `at`."""
        self._at[domain_id, login] = at

    def longest_without(self, domain_id: int, logins: Sequence[str]) -> tuple[str, ...]:
        """Return the logins, who has gone longest without a call first; else as they were."""
        return tuple(sorted(logins, key=lambda login: self._at.get((domain_id, login), 0.0)))
