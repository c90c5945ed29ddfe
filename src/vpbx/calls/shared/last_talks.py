"""When employees last had a call: who has gone longest without one is rung first (EVENLY).

What was before this process began is asked of history, once for each employee; since then it is
known from the calls themselves. A login may have been somebody else's before: calls that began
before it was of who has it now (`Employee.since_ms`) are not theirs.
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

AskHistory: TypeAlias = Callable[[int, Mapping[str, int]], Awaitable[Mapping[str, float]]]
"""(domain id, logins with since when each is theirs, ms) → when the last call of each ended, of
those that began since; seconds since 1970."""


class LastTalks:
    """Of all companies' employees, as far as anybody wanted to know.

    `since_ms` says from when on a login is that of who has it now, ms since 1970.
    """

    def __init__(
        self,
        ask: AskHistory | None = None,
        since_ms: Callable[[int, str], int] = lambda domain_id, login: 0,
    ) -> None:
        self._ask = ask
        self._since_ms = since_ms
        self._at: dict[tuple[int, str, int], float] = {}
        """By domain, login and since when it is theirs. 0.0: never, as far as history knows."""

    async def learn(self, domain_id: int, logins: Iterable[str]) -> None:
        """Ask history about those nothing is known of yet, and wait for a moment. Never raises."""
        since = {login: self._since_ms(domain_id, login) for login in logins}
        unknown = {
            login: ms for login, ms in since.items() if (domain_id, login, ms) not in self._at
        }
        if not unknown or self._ask is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE_S):
                found = await self._ask(domain_id, unknown)
        except Exception as error:
            log.warning("history does not say who was called last", error=repr(error))
            return
        for login, since_ms in unknown.items():
            self._at.setdefault((domain_id, login, since_ms), found.get(login, 0.0))

    def talked(self, domain_id: int, login: str, began: float, at: float) -> None:
        """Take note that an employee has been in a call that `began`, until `at`."""
        since_ms = self._since_ms(domain_id, login)
        if began * 1000 >= since_ms:
            self._at[domain_id, login, since_ms] = at

    def longest_without(self, domain_id: int, logins: Sequence[str]) -> tuple[str, ...]:
        """Return the logins, who has gone longest without a call first; else as they were."""

        def last(login: str) -> float:
            return self._at.get((domain_id, login, self._since_ms(domain_id, login)), 0.0)

        return tuple(sorted(logins, key=last))
