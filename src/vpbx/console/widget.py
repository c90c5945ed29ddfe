"""Letting the phone into another site's page, by who uses it there.

A frame of another site has no cookies of ours: browsers keep third parties' away. So the frame
asks, and its owner answers in a tab of their own, where they log in as ever (second factor and
all): they see which site asks, and the same four digits as in the frame. The frame then is given
a session that counts for the phone alone, in a cookie that the browser keeps for this very pair
of sites (`Partitioned`, CHIPS).

An ask counts for five minutes, for one session, and only from the address and browser it came
from: a link to it that is sent to somebody else lets nobody in.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from vpbx.accounts import Account
from vpbx.clock import Clock

__all__ = ["COOKIE", "LIFE_S", "WIDGET", "Ask", "Asks", "widget_cookie"]

LIFE_S = 300.0
WIDGET = "widget at "
"""What the agent of such a session begins with; the site follows."""
COOKIE = "__Host-vpbx-widget"
_MOST, _MOST_A_SOURCE = 5000, 30


@dataclass(slots=True)
class Ask:
    """A frame that waits. `code` is in the link for its owner, `secret` is the frame's own."""

    domain_id: int
    origin: str
    source: str
    agent: str
    until: float
    code: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    digits: str = field(default_factory=lambda: f"{secrets.randbelow(10_000):04}")
    account: Account | None = None


class Asks:
    """All frames that wait, in the memory of this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asks: dict[str, Ask] = {}

    def begin(self, domain_id: int, origin: str, source: str, agent: str) -> Ask:
        """Let a frame wait; of one address the oldest gives way to the 31st."""
        now = self._clock.now()
        for code in [code for code, ask in self._asks.items() if ask.until <= now]:
            del self._asks[code]
        of_source = [code for code, ask in self._asks.items() if ask.source == source]
        if len(of_source) >= _MOST_A_SOURCE:
            del self._asks[of_source[0]]
        elif len(self._asks) >= _MOST:
            del self._asks[next(iter(self._asks))]
        made = Ask(domain_id, origin, source, agent, now + LIFE_S)
        self._asks[made.code] = made
        return made

    def find(self, code: str, domain_id: int, source: str, agent: str) -> Ask | None:
        """Return what waits for who comes by a link; None for anybody else."""
        ask = self._asks.get(code)
        fits = ask is not None and (ask.domain_id, ask.source, ask.agent) == (
            domain_id,
            source,
            agent,
        )
        return ask if fits and ask is not None and ask.until > self._clock.now() else None

    def take(self, code: str, secret: str, source: str, agent: str) -> Ask | None:
        """Return what a frame waits for, and forget it once it was granted."""
        ask = self._asks.get(code)
        if ask is None or not secrets.compare_digest(ask.secret.encode(), secret.encode()):
            return None
        if self.find(code, ask.domain_id, source, agent) is None:
            return None
        if ask.account is not None:
            del self._asks[code]
        return ask


def widget_cookie(token: str) -> str:
    """Return the Set-Cookie that gives a frame its session; "" takes it away."""
    age = "" if token else "; Max-Age=0"
    return f"{COOKIE}={token}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned{age}"
