"""Passwords of a few minutes for softphones in pages.

A page must not hold the password of an employee's phones: who reads it there may register from
anywhere, for ever. So whoever is logged in is given a name and a password made for that session
alone, which count for its employee. They are short-lived, since a session may end in many ways:
a page asks for the next in time, and gets none when it is not logged in any more. No registration
made with one lasts longer than it does, and none outlives its session. They are kept in memory:
after a restart a page is refused, and asks for others.

Of several pages of one person in one browser (the console, and the phone in a CRM's page, which
browsers let know nothing of each other) all show that it rings and one is heard: the one that
may make a sound and was looked at last.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import field
from typing import TypeAlias

from vpbx.clock import Clock
from vpbx.directory import DomainConfig
from vpbx.frozen import dataclass
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


@dataclass(slots=True)
class _Page:
    """A page with a phone."""

    browser: str
    """The browser it is in, by address and kind."""
    loud: bool = True
    """Whether its browser lets it make a sound by itself."""
    seen_at: float = 0.0
    """When it was looked at last."""
    passes: int = 0
    """How many it has."""


@dataclass(frozen=True, slots=True)
class _Kept:
    domain: str
    session: str
    secret: Ha1 = field(repr=False)
    until: float
    page: str = ""
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
        self._places: dict[Hop, str] = {}
        """Who registered from there last, by username."""
        self._pages: dict[tuple[str, str], _Page] = {}
        """By session and the page's own name for itself."""
        self.on_withdrawn: Withdrawn = lambda domain, login, places: None

    def __len__(self) -> int:
        return len(self._kept)

    def issue(
        self, domain: DomainConfig, login: str, session: str, *, page: str = "", browser: str = ""
    ) -> Pass:
        """Make one for an employee, as whom `session` (any name of it) is logged in, for a page
        in it by the page's own name, which is in some browser."""
        self._drop_expired()
        own = [name for name, kept in self._kept.items() if kept.session == session]
        for name in own[: max(0, len(own) + 1 - _MAX_PER_SESSION)]:
            self._drop(name)
        while len(self._kept) >= _MAX:
            self._drop(next(iter(self._kept)))
        username = f"{login}{_MARK}{secrets.token_hex(8)}"
        password = secrets.token_urlsafe(24)
        secret = ha1(username, domain.name, password)
        until = self._clock.now() + LIFE_S
        self._kept[username] = _Kept(domain.name, session, secret, until, page)
        now = self._clock.now()
        self._pages.setdefault((session, page), _Page(browser, seen_at=now)).passes += 1
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
            self._places[place] = username

    def seen(self, session: str, page: str, *, loud: bool, looked: bool = True) -> None:
        """Note that a page is looked at, and whether it may make a sound; not `looked`: that
        alone."""
        found = self._pages.get((session, page))
        if found is not None:
            found.loud = loud
            if looked:
                found.seen_at = self._clock.now()

    def quiet(self, places: Iterable[Hop]) -> set[Hop]:
        """Return those of an employee's places that show a call and are not heard: another page
        in the same browser is."""
        by_browser: dict[str, list[tuple[bool, float, Hop]]] = {}
        for place in places:
            kept = self._kept.get(self._places.get(place, ""))
            page = self._pages.get((kept.session, kept.page)) if kept is not None else None
            if page is not None and page.browser:
                found = by_browser.setdefault(page.browser, [])
                found.append((page.loud, page.seen_at, place))
        quiet: set[Hop] = set()
        for pages in by_browser.values():
            heard = max(pages, key=lambda each: each[:2])
            quiet |= {each[2] for each in pages if each is not heard}
        return quiet

    def is_of(self, place: Hop, session: str, page: str) -> bool:
        """Say whether that page of a session registered from there last."""
        kept = self._kept.get(self._places.get(place, ""))
        return kept is not None and (kept.session, kept.page) == (session, page)

    def sessions(self) -> set[str]:
        """Return the sessions that have one."""
        return {kept.session for kept in self._kept.values()}

    def withdraw(self, session: str) -> None:
        """End all of a session, and what was registered with them."""
        places: dict[tuple[str, str], set[Hop]] = {}
        for name in [name for name, kept in self._kept.items() if kept.session == session]:
            kept = self._drop(name)
            places.setdefault((kept.domain, login_of(name)), set()).update(kept.places)
        for (domain, login), found in places.items():
            if found:
                self.on_withdrawn(domain, login, frozenset(found))

    def _drop_expired(self) -> None:
        now = self._clock.now()  # all last equally long, so the eldest come first
        while self._kept and next(iter(self._kept.values())).until <= now:
            self._drop(next(iter(self._kept)))

    def _drop(self, username: str) -> _Kept:
        kept = self._kept.pop(username)
        for place in kept.places:
            if self._places.get(place) == username:
                del self._places[place]
        page = self._pages[kept.session, kept.page]
        page.passes -= 1
        if not page.passes:
            del self._pages[kept.session, kept.page]
        return kept
