"""A brake on guessing passwords and codes.

Counted are an account's wrong tries from one source, and a source's wrong tries altogether; so
whoever guesses stops themselves, and the account's owner gets in from anywhere else. Guesses at
one account from many sources are bounded too, but not for sources it has been used from before.
A code has six digits, of which three are right at a time: who knows the password and has many
sources would find one within days, so there are few tries a day.
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

import structlog

from vpbx.accounts.errors import TooMany
from vpbx.clock import Clock

log = structlog.get_logger("vpbx.accounts")

WINDOW_S = 300.0
FROM_ONE_SOURCE_AT_ONE_ACCOUNT = 8
FROM_ONE_SOURCE = 60
AT_ONE_ACCOUNT = 200
DAY_S = 24 * 3600.0
CODES_A_DAY = 100
_MAX_KEYS = 20_000


class Throttle:
    """Counts in windows of five minutes; bounded whatever comes in."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()
        self._codes: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def attempt(self, account: str, source: str, *, known: bool = False) -> None:
        """Count a try before it is looked at; raise `TooMany` when it is not to be heard now.

        `known`: the account has been used from this source before. `right` takes it back.
        """
        source, now = unit(source), self._clock.now()
        limits = {
            (account, source): FROM_ONE_SOURCE_AT_ONE_ACCOUNT,
            ("", source): FROM_ONE_SOURCE,
            (account, ""): AT_ONE_ACCOUNT,
        }
        found = {key: self._count(key, now) for key in limits}
        for key, (since, count) in found.items():
            if count >= limits[key] and not (known and not key[1]):
                raise TooMany(max(1, round(since + WINDOW_S - now)))
        for key, (since, count) in found.items():
            self._counts.pop(key, None)
            self._counts[key] = (since, count + 1)
        if found[account, source][1] + 1 == FROM_ONE_SOURCE_AT_ONE_ACCOUNT:
            log.warning("Wrong passwords are being tried", account=account, source=source)
        while len(self._counts) > _MAX_KEYS:
            self._counts.popitem(last=False)

    def attempt_code(self, account: str, source: str, *, known: bool = False) -> None:
        """Count a try at a code as `attempt` does, within those of a day."""
        now = self._clock.now()
        since, count = self._codes.get(account, (now, 0))
        if now - since >= DAY_S:
            since, count = now, 0
        if count >= CODES_A_DAY and not known:
            raise TooMany(max(1, round(since + DAY_S - now)))
        self.attempt(account, source, known=known)
        self._codes.pop(account, None)
        self._codes[account] = (since, count + 1)
        if count + 1 == CODES_A_DAY:
            log.warning("Codes are being guessed by who knows the password", account=account)
        while len(self._codes) > _MAX_KEYS:
            self._codes.popitem(last=False)

    def right(self, account: str, source: str) -> None:
        """Forget the tries of who turned out to be right."""
        source = unit(source)
        self._codes.pop(account, None)
        self._counts.pop((account, source), None)
        for key in (("", source), (account, "")):
            if key in self._counts:
                since, count = self._counts[key]
                self._counts[key] = (since, max(0, count - 1))

    def _count(self, key: tuple[str, str], now: float) -> tuple[float, int]:
        since, count = self._counts.get(key, (now, 0))
        return (now, 0) if now - since >= WINDOW_S else (since, count)


def unit(source: str) -> str:
    """Return what is counted as one source: an IPv4 address, an IPv6 /64."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> 64 << 64))
    return source
