"""Which addresses are whose: phones that proved their password there, and carriers.

Asked for each message that comes, so it is all in memory. What registered phones are known by
survives a restart with their bindings; a phone that only called is known for an hour.
"""

from __future__ import annotations

from collections.abc import Callable

from vpbx.directory import Directory
from vpbx.sip import Hop, Recent, Standing

__all__ = ["Peers"]

_KNOWN_S = 3600.0
_MAX_PLACES = 200_000


class Peers:
    """Places (transport, host, port) by account, and the hosts each account came from; `carries`
    says whether a carrier or gateway is at a hop."""

    def __init__(self, directory: Directory, carries: Callable[[Hop], bool]) -> None:
        self._directory = directory
        self._carries = carries
        self._places: Recent[tuple[str, str, int], tuple[str, float]] = Recent(_MAX_PLACES)
        self._hosts: Recent[tuple[str, str], float] = Recent(_MAX_PLACES)

    def load(self) -> None:
        """Know the phones that were registered before a restart."""
        for domain_id, login, row in self._directory.locations.all():
            hop = Hop(row.transport, row.host, row.port)
            self.proved(hop, account_of(domain_id, login), until=row.expires_at)

    def proved(self, hop: Hop, account: str, *, until: float = 0.0) -> bool:
        """Note that an account's password came from a hop; `until` is when a registration ends,
        by the monotonic clock. Says whether that is news."""
        place = (hop.transport, hop.host, hop.port)
        known = self._places.get(place)
        until = max(until, self._directory.clock.now() + _KNOWN_S)
        self._places.put(place, (account, until))
        self._hosts.put((account, hop.host), until)
        return known is None or known[0] != account

    def account_at(self, hop: Hop) -> str:
        """Return whose phone is at a hop; empty for a stranger."""
        place = (hop.transport, hop.host, hop.port)
        found = self._places.get(place)
        if found is None:
            return ""
        if found[1] < self._directory.clock.now():
            self._places.drop(place)
            return ""
        return found[0]

    def is_familiar(self, hop: Hop, account: str) -> bool:
        """Say whether the account's password has come from this host before."""
        until = self._hosts.get((account, hop.host))
        return until is not None and until >= self._directory.clock.now()

    def standing(self, hop: Hop) -> Standing:
        """Say who is at a hop."""
        if self.account_at(hop):
            return Standing.PHONE
        return Standing.CARRIER if self._carries(hop) else Standing.STRANGER


def account_of(domain_id: int, login: str) -> str:
    """Name an employee's account for counting."""
    return f"{domain_id}/{login}"
