"""Passwords of a few minutes for softphones in pages.

A page must not hold the password of an employee's phones: who reads it there may register from
anywhere, for ever. So whoever is logged in is given a name and a password made for that session
alone, which count for its employee. They are short-lived, since a session may end in many ways:
a page asks for the next in time, and gets none when it is not logged in any more. No registration
made with one lasts longer than it does, and none outlives its session. They are kept in memory:
after a restart a page is refused, and asks for others.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from vpbx.clock import Clock
from vpbx.directory import DomainConfig
from vpbx.sip import Ha1, Hop, ha1

__all__ = ["LIFE_S", "Pass", "Passes", "login_of"]

LIFE_S = 600.0
_MARK = "~"
"""No login and no ext contains it."""
_MAX = 100_000
_MAX_PER_SESSION = 8
"""Tabs of one session, and what they asked for before the last expired."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a page authenticates with: digest `username` and `password`, in the realm `domain`."""

    domain: str
    login: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Kept:
    domain: str
    session: str
    secret: Ha1 = field(repr=False)
    until: float
    places: set[Hop] = field(default_factory=set)
    """From where it registered, the last few."""


Withdrawn: TypeAlias = Callable[[str, str, frozenset[Hop]], None]
"""Told the domain, the login and the places whose registrations end with a session."""


def login_of(username: str) -> str:
    """Return the login (or ext) that a digest username speaks for."""
    return username.partition(_MARK)[0]


class Passes:
    """All that count now, by username."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self.on_withdrawn: Withdrawn = lambda domain, login, places: None

    def __len__(self) -> int:
        return len(self._kept)

    def issue(self, domain: DomainConfig, login: str, session: str) -> Pass:
        """Make one for an employee, as whom `session` (any name of it) is logged in."""
        self._drop_expired()
        own = [name for name, kept in self._kept.items() if kept.session == session]
        for name in own[: max(0, len(own) + 1 - _MAX_PER_SESSION)]:
            del self._kept[name]
        while len(self._kept) >= _MAX:
            del self._kept[next(iter(self._kept))]
        username = f"{login}{_MARK}{secrets.token_hex(8)}"
        password = secrets.token_urlsafe(24)
        secret = ha1(username, domain.name, password)
        until = self._clock.now() + LIFE_S
        self._kept[username] = _Kept(domain.name, session, secret, until)
        return Pass(domain.name, login, username, password)

    def secret(self, domain: DomainConfig, username: str) -> Ha1 | None:
        """Return what is kept for a username of this company; None where nothing (any more) is."""
        kept = self._kept.get(username)
        if kept is None or kept.domain != domain.name or kept.until <= self._clock.now():
            return None
        return kept.secret

    def left_s(self, username: str) -> float | None:
        """Return how long one still counts; None for a username that is no pass's."""
        kept = self._kept.get(username)
        return None if kept is None else max(0.0, kept.until - self._clock.now())

    def registered(self, username: str, place: Hop) -> None:
        """Note from where one was registered with."""
        kept = self._kept.get(username)
        if kept is not None:
            if len(kept.places) >= _MAX_PER_SESSION:
                kept.places.clear()
            kept.places.add(place)

    def sessions(self) -> set[str]:
        """Return the sessions that have one."""
        return {kept.session for kept in self._kept.values()}

    def withdraw(self, session: str) -> None:
        """End all of a session, and what was registered with them."""
        places: dict[tuple[str, str], set[Hop]] = {}
        for name in [name for name, kept in self._kept.items() if kept.session == session]:
            kept = self._kept.pop(name)
            places.setdefault((kept.domain, login_of(name)), set()).update(kept.places)
        for (domain, login), found in places.items():
            if found:
                self.on_withdrawn(domain, login, frozenset(found))

    def _drop_expired(self) -> None:
        now = self._clock.now()  # all last equally long, so the eldest come first
        while self._kept and next(iter(self._kept.values())).until <= now:
            del self._kept[next(iter(self._kept))]
