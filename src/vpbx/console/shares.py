"""How much one person may have going on at once of what lasts: exports, pages that follow calls.

Each account has its share, whatever browsers it uses. What is over it is answered with 429 and
is not begun; nobody else notices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

__all__ = ["EXPORTS", "LIVE", "Crowded", "Held", "Share", "Shares"]


@dataclass(frozen=True, slots=True)
class Share:
    """How many of a kind one account may have at once, and all together."""

    kind: str
    each: int
    of_all: int


EXPORTS = Share("export", 2, 20)
"""Files that are made while they are sent: each reads up to the whole history."""
LIVE = Share("live", 20, 2000)
"""Tabs that are told of each change."""


class Crowded(Exception):
    """Somebody has as many as they may, or all together have."""

    wait_s = 10


class Shares:
    """What goes on now, by kind and account."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int]] = Counter()
        self._all: Counter[str] = Counter()

    def take(self, share: Share, account_id: int) -> Callable[[], None]:
        """Begin one; return what ends it, once. Raises Crowded."""
        key = share.kind, account_id
        if self._counts[key] >= share.each or self._all[share.kind] >= share.of_all:
            raise Crowded
        self._counts[key] += 1
        self._all[share.kind] += 1
        held = True

        def release() -> None:
            nonlocal held
            if not held:
                return
            held = False
            self._all[share.kind] -= 1
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]

        return release


class Held(Response):
    """An answer that ends a share when it is sent, or its client has gone."""

    def __init__(self, answer: Response, release: Callable[[], None]) -> None:
        self._answer = answer
        self._release = release
        self.status_code = answer.status_code

    @property
    def headers(self) -> MutableHeaders:
        return self._answer.headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._answer(scope, receive, send)
        finally:
            self._release()
