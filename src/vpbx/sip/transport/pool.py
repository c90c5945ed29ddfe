"""All open connections: found again by their number or their peer, kept within limits."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from vpbx.clock import Clock, Timer
from vpbx.sip.transport.base import Connection, Hop, Limits
from vpbx.sip.transport.turns import Turns
from vpbx.sparing import Sparing

log = structlog.get_logger("vpbx.sip")
_refusals = Sparing("vpbx.sip")

_SWEEP_S = 5.0


class Pool:
    """The connections of all reliable transports.

    A connection's number is unique among processes too, so that a number a database kept over
    a restart cannot hit somebody else's connection.
    """

    def __init__(self, clock: Clock, limits: Limits) -> None:
        self.limits = limits
        self.turns = Turns()
        """Of all connections together."""
        self._clock = clock
        self._last_id = time.time_ns() // 1000
        self._by_id: dict[int, Connection] = {}
        self._by_place: dict[tuple[str, str, int], Connection] = {}
        self._incoming: dict[str, int] = {}
        """How many strangers' connections each source has."""
        self._accounts: dict[str, dict[int, Connection]] = {}
        """The connections of each account, the oldest first."""
        self._sweeper: Timer | None = None
        self._sweep_s = min(_SWEEP_S, limits.half_message_s, limits.silent_s, limits.idle_s)

    def now(self) -> float:
        """Return the clock's seconds."""
        return self._clock.now()

    def later(self, delay_s: float, callback: Callable[[], None]) -> Timer:
        """Call back after so many seconds."""
        return self._clock.call_later(delay_s, callback)

    def new_id(self) -> int:
        """Return a number no connection had."""
        self._last_id += 1
        return self._last_id

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, connection: Connection) -> bool:
        """Take in an open connection; False when that would be one too many."""
        hop = connection.hop
        if len(self._by_id) >= self.limits.connections:
            _refusals.warning("A SIP connection is refused: too many are open", peer=hop.host)
            return False
        if connection.incoming:
            count = self._incoming.get(hop.host, 0)
            if count >= self.limits.connections_per_source:
                _refusals.info(
                    "A SIP connection is refused: its source has too many", peer=hop.host
                )
                return False
            self._incoming[hop.host] = count + 1
        self._by_id[hop.connection] = connection
        for place in connection.places():
            self._by_place[place] = connection
        if self._sweeper is None:
            self._sweeper = self._clock.call_later(self._sweep_s, self._sweep)
        return True

    def remove(self, connection: Connection) -> bool:
        """Forget a connection; False when it was not there."""
        hop = connection.hop
        if self._by_id.pop(hop.connection, None) is None:
            return False
        for place in connection.places():
            if self._by_place.get(place) is connection:
                del self._by_place[place]
        if connection.account:
            theirs = self._accounts[connection.account]
            del theirs[hop.connection]
            if not theirs:
                del self._accounts[connection.account]
        elif connection.incoming:
            self._uncount(hop.host)
        return True

    def _uncount(self, host: str) -> None:
        count = self._incoming[host] - 1
        if count:
            self._incoming[host] = count
        else:
            del self._incoming[host]

    def proved(self, hop: Hop, account: str) -> None:
        """Count a connection to the account that proved its password there, no more to its
        source. An account with too many loses its oldest."""
        connection = self._by_id.get(hop.connection)
        if connection is None or not connection.incoming or connection.account:
            return
        self._uncount(connection.hop.host)
        connection.account = account
        theirs = self._accounts.setdefault(account, {})
        theirs[hop.connection] = connection
        if len(theirs) > self.limits.connections_per_account:
            oldest = theirs[next(iter(theirs))]
            log.info("An account has too many SIP connections: the oldest is closed", login=account)
            oldest.abort()

    def find(self, hop: Hop) -> Connection | None:
        """Return the connection `hop` names, else any open one to its place."""
        if hop.connection:
            connection = self._by_id.get(hop.connection)
            if connection is not None and self._is_at(connection, hop.host):
                return connection
        return self._by_place.get((hop.transport, hop.host, hop.port))

    @staticmethod
    def _is_at(connection: Connection, host: str) -> bool:
        asked_for = connection.asked_for
        return host == connection.hop.host or (asked_for is not None and host == asked_for.host)

    def close_all(self) -> None:
        """Close all connections after what has been written to them."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in list(self._by_id.values()):
            connection.close("the server stops")

    def abort_all(self) -> None:
        """Close at once what is still open."""
        for connection in list(self._by_id.values()):
            connection.abort()

    def _sweep(self) -> None:
        self._sweeper = None
        now = self.now()
        for connection in list(self._by_id.values()):
            if reason := connection.overdue(now, self.limits):
                log.debug("A SIP connection is overdue", peer=connection.hop.host, reason=reason)
                connection.abort()
        if self._by_id:
            self._sweeper = self._clock.call_later(self._sweep_s, self._sweep)
