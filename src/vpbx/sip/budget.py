"""How much of our time a source may take, counted before a message is parsed.

A phone that registered or a carrier has a budget of its own. All others, strangers, share
three: one for each port of a host, one for each host (an IPv6 /64 is one), one for all of them
and each kind of message, so that a flood of INVITEs keeps no new phone from registering.
So whatever strangers send, those we know are served, and a stranger who is polite is answered
beside one who floods.

Where the last two run low, what is left goes by manners. Each host has a pace of its own; the
more of it a host has used up, also by what was not read, the more it has to leave of what is
shared, up to half. A port that is new leaves a quarter: a real sender comes again,
and one who invents sources needs a new one each time. So does, together with that, a host that
is new, for the regulars: those who were here two seconds before, while there was enough for all.

A message costs one unit, and one more for each two kilobytes; a malformed one costs five.
Datagrams over a budget are dropped; a connection is not read until there is room again
(`Budgets.wait_s`), so nothing on it is lost.

One kind of datagram passes in any case, because a stranger cannot guess it: what belongs to a
dialog or a request of ours (`Budgets.admit` is told how to find out).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from vpbx.clock import Clock
from vpbx.frozen import dataclass
from vpbx.sip.transport import Hop, network_of

_ASK_AGAIN_S = 5.0
_MALFORMED = 4.0
_LEAST_WAIT_S = 0.001
_REGULAR_AFTER_S = 2.0
_NEWCOMER = 0.5
_KINDS = (b"REGI", b"INVI", b"OPTI", b"SUBS", b"")
_BYTES_A_UNIT = 2048


class Standing(Enum):
    """Who is at the other end of a hop, as far as its address tells."""

    STRANGER = "stranger"
    PHONE = "phone"
    """It proved an employee's password from there, and has not gone since."""
    CARRIER = "carrier"


@dataclass(frozen=True, slots=True)
class Rate:
    """Units a second, and how many may come at once."""

    per_s: float
    burst: float


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """The budgets. A phone with ten lines sends some ten messages in its busiest second; one with
    hundreds of keys subscribes to all of them when it starts. A carrier's host brings the calls
    of thousands."""

    stranger: Rate = Rate(100, 200)
    strangers_of_host: Rate = Rate(1000, 400)
    strangers: Rate = Rate(1000, 300)
    """All of them, for each kind of message: REGISTER, INVITE, OPTIONS, SUBSCRIBE, anything
    else."""
    phone: Rate = Rate(200, 1000)
    carrier: Rate = Rate(10_000, 10_000)
    pace: Rate = Rate(30, 15)
    """What one host of strangers sends at most without having to leave more to the others."""
    sources: int = 50_000
    """How many ports, new hosts and regulars are remembered; the oldest are forgotten."""


class Bucket:
    """Units that come back with time."""

    __slots__ = ("_at", "_rate", "level")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._at = now
        self.level = rate.burst

    def fill(self, now: float) -> float:
        """Return the units there are now."""
        rate = self._rate
        level = self.level + (now - self._at) * rate.per_s
        self._at = now
        self.level = level = min(level, rate.burst)
        return level

    @property
    def burst(self) -> float:
        """The units that may be there at most."""
        return self._rate.burst

    @property
    def half(self) -> float:
        """Half of what may be there."""
        return self._rate.burst / 2

    def wait_s(self, cost: float) -> float:
        """Return when `cost` will be there, or, if it never will, when the bucket is full."""
        return max(0.0, min(cost, self._rate.burst) - self.level) / self._rate.per_s


class _Host:
    """The strangers of one host together."""

    __slots__ = ("bucket", "is_regular", "key", "pace", "since")

    def __init__(self, key: str, limits: BudgetLimits, now: float) -> None:
        self.key = key
        self.bucket = Bucket(limits.strangers_of_host, now)
        self.pace = Bucket(limits.pace, now)
        self.since = now
        self.is_regular = False

    def charge_pace(self, cost: float, now: float) -> None:
        """Count what came, read or not."""
        pace = self.pace
        pace.level = max(pace.fill(now) - cost, -pace.burst)

    def leaves(self, *, fresh: bool) -> float:
        """How much of half of what is shared a port of it has to leave to others, 0 to 1."""
        pace = self.pace
        least = _NEWCOMER * (fresh + (not self.is_regular))
        return max(least, min(1.0, 1.0 - pace.level / pace.burst))


class _Source:
    __slots__ = ("ask_at", "bucket", "host", "kind", "standing")

    def __init__(self, standing: Standing, bucket: Bucket, host: _Host, kind: Bucket) -> None:
        self.standing = standing
        self.bucket = bucket
        self.host = host
        self.kind = kind
        """What its last message was charged to, beside its own."""
        self.ask_at = 0.0


class Budgets:
    """The budgets of all sources. `standing` says who is at a hop; asked every few seconds."""

    def __init__(
        self, clock: Clock, limits: BudgetLimits, standing: Callable[[Hop], Standing]
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._standing = standing
        self._sources: dict[Hop, _Source] = {}
        self._hosts: dict[str, _Host] = {}
        self._regulars: dict[str, _Host] = {}
        self._kinds = {kind: Bucket(limits.strangers, clock.now()) for kind in _KINDS}
        self.dropped = 0
        """Datagrams that were not read."""
        self.delayed = 0
        """How often a connection had to wait."""

    def admit(self, hop: Hop, data: bytes, is_ours: Callable[[bytes], bool]) -> Standing | None:
        """Charge a datagram; return who sent it, None when it is not to be read."""
        now = self._clock.now()
        cost = 1.0 + len(data) // _BYTES_A_UNIT
        source = self._sources.get(hop)
        fresh = source is None
        if source is None or now >= source.ask_at:
            source = self._look(hop, source, now)
        bucket = source.bucket
        standing = source.standing
        if standing is not Standing.STRANGER:
            if data[:4] == b"SIP/" and is_ours(data):
                # What we have asked for leaves a phone that we notify its own budget.
                return standing
            passes = bucket.fill(now) >= cost
        else:
            host, shared, everybody = source.host, source.host.bucket, self._of_kind(data)
            shared.fill(now)
            everybody.fill(now)
            source.kind = everybody
            self._meet(host, everybody, now)
            host.charge_pace(cost, now)
            passes = (
                bucket.fill(now) >= cost
                and shared.level - cost >= (shared.half if fresh else 0.0)
                and everybody.level - cost >= everybody.half * host.leaves(fresh=fresh)
            )
            if passes:
                shared.level -= cost
                everybody.level -= cost
        if passes:
            bucket.level -= cost
        elif not is_ours(data):
            self.dropped += 1
            return None
        return standing

    def _of_kind(self, data: bytes) -> Bucket:
        return self._kinds.get(data[:4]) or self._kinds[b""]

    def wait_s(self, hop: Hop, data: bytes) -> float:
        """Charge a message of a connection; return how long to wait instead when it cannot be."""
        now = self._clock.now()
        cost = 1.0 + len(data) // _BYTES_A_UNIT
        source = self._sources.get(hop)
        if source is None or now >= source.ask_at:
            source = self._look(hop, source, now)
        buckets = [source.bucket]
        shared: tuple[Bucket, ...] = ()
        if source.standing is Standing.STRANGER:
            source.kind = self._of_kind(data)
            shared = source.host.bucket, source.kind
            buckets += shared
        for bucket in buckets:
            bucket.fill(now)
        # Who can wait leaves half of what is shared to those whose datagrams would be lost.
        wait_s = (
            max(
                source.bucket.wait_s(cost),
                *(bucket.wait_s(bucket.half + cost) for bucket in shared),
            )
            if shared
            else source.bucket.wait_s(cost)
        )
        if wait_s > _LEAST_WAIT_S:
            self.delayed += 1
            return wait_s
        for bucket in buckets:
            bucket.level -= cost
        return 0.0

    def malformed(self, hop: Hop) -> None:
        """Charge a source for a message that made us no sense."""
        source = self._sources.get(hop)
        if source is not None:
            source.bucket.level -= _MALFORMED
            if source.standing is Standing.STRANGER:
                source.host.bucket.level -= _MALFORMED
                source.host.charge_pace(_MALFORMED, self._clock.now())
                source.kind.level -= _MALFORMED

    def changed(self, hop: Hop) -> None:
        """Hear that somebody else, or nobody, is known at `hop` now."""
        source = self._sources.get(hop)
        if source is not None:
            source.ask_at = 0.0

    def _look(self, hop: Hop, source: _Source | None, now: float) -> _Source:
        standing = self._standing(hop)
        if source is None or source.standing is not standing:
            limits = self._limits
            rates = {Standing.PHONE: limits.phone, Standing.CARRIER: limits.carrier}
            bucket = Bucket(rates.get(standing, limits.stranger), now)
            source = _Source(standing, bucket, self._host(hop.host, now), self._kinds[b""])
            _make_room(self._sources, limits.sources)
            self._sources[hop] = source
        source.ask_at = now + _ASK_AGAIN_S
        return source

    def _host(self, host: str, now: float) -> _Host:
        key = network_of(host)
        found = self._regulars.get(key) or self._hosts.get(key)
        if found is None:
            _make_room(self._hosts, self._limits.sources)
            found = self._hosts[key] = _Host(key, self._limits, now)
        return found

    def _meet(self, host: _Host, everybody: Bucket, now: float) -> None:
        """Make a host a regular that comes again while there is enough for all."""
        if host.is_regular or now - host.since < _REGULAR_AFTER_S:
            return
        if everybody.level >= everybody.half:
            self._hosts.pop(host.key, None)
            _make_room(self._regulars, self._limits.sources)
            host.is_regular = True
            self._regulars[host.key] = host


def _make_room(table: dict[Hop, _Source] | dict[str, _Host], most: int) -> None:
    while len(table) >= most:
        del table[next(iter(table))]  # type: ignore[arg-type]
