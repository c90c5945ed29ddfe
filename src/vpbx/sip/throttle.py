"""Guessing passwords is slowed; nobody else notices.

What counts is a wrong answer to a challenge that its sender has really received (see
`digest.Proof`), so forged datagrams count for nothing. Counts are kept for

- a source and an account together: too many, and that source is shut out of that account for
  a while; its colleagues' accounts are not touched;
- an account, over all sources: a few free tries, then one a second. Who comes then waits for a
  turn, unless it has been wrong before; a right password that had to wait gets in;
- a source, over all accounts (one password tried on many): the same, more generously.

A source from where the account's right password came before is *familiar*: it does not take
turns with strangers, so nobody can lock an owner out by guessing from elsewhere. A registered
phone is not even asked (`shut_out` is for those who are not registered from that very port).
Unknown accounts are treated as known ones are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

import structlog

from vpbx.clock import Clock
from vpbx.frozen import dataclass
from vpbx.sip.budget import Bucket, Rate
from vpbx.sip.transport import Hop, network_of

log = structlog.get_logger("vpbx.sip")

_SHOWN_CHARS = 64
_ACCOUNT = Rate(1, 20)
_SOURCE = Rate(2, 100)


@dataclass(frozen=True, slots=True)
class ThrottleLimits:
    """How much guessing is too much."""

    window_s: float = 60.0
    block_s: float = 60.0
    failures: int = 15
    """Of one source on one account, in `window_s`; then it is shut out for `block_s`."""
    account: Rate = _ACCOUNT
    """Tries of all unfamiliar sources together on one account."""
    source: Rate = _SOURCE
    """Tries of one unfamiliar source on all accounts together."""
    patience_s: float = 10.0
    """Who would have to wait longer is sent away: a phone gives up after 32 s."""
    remembered: int = 10_000
    """How many sources and accounts; the oldest are forgotten."""


Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """A dictionary that forgets what was not used for longest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: Key) -> Value | None:
        """Return what is kept, and keep it longer."""
        value = self._items.get(key)
        if value is not None:
            self._items.move_to_end(key)
        return value

    def put(self, key: Key, value: Value) -> Value:
        """Keep a value."""
        self._items[key] = value
        self._items.move_to_end(key)
        while len(self._items) > self._most:
            self._items.popitem(last=False)
        return value

    def drop(self, key: Key) -> None:
        """Forget a value; harmless when it is not there."""
        self._items.pop(key, None)

    def values(self) -> list[Value]:
        """Return all values."""
        return list(self._items.values())


class OncePer:
    """Says which occurrences are the first of their kind within some seconds."""

    def __init__(self, clock: Clock, seconds: float, most: int = 10_000) -> None:
        self._clock = clock
        self._seconds = seconds
        self._until: Recent[str, float] = Recent(most)

    def first(self, key: str) -> bool:
        """Say whether this is the first, or the first after the time is over."""
        now = self._clock.now()
        until = self._until.get(key)
        if until is not None and now < until:
            return False
        self._until.put(key, now + self._seconds)
        return True


class _Failures:
    __slots__ = ("count", "shut_until", "since")

    def __init__(self, now: float) -> None:
        self.since = now
        self.count = 0
        self.shut_until = 0.0


class _Turns:
    """A bucket whose tries wait for each other once it is empty."""

    __slots__ = ("bucket", "waiting")

    def __init__(self, rate: Rate, now: float) -> None:
        self.bucket = Bucket(rate, now)
        self.waiting: set[str] = set()


class Throttle:
    """Counts failures and gives turns; an account is any text that names it."""

    def __init__(self, clock: Clock, limits: ThrottleLimits | None = None) -> None:
        self._clock = clock
        self._limits = limits = limits or ThrottleLimits()
        self._failures: Recent[tuple[str, str], _Failures] = Recent(limits.remembered)
        self._accounts: Recent[str, _Turns] = Recent(limits.remembered)
        self._sources: Recent[str, _Turns] = Recent(limits.remembered)
        self._said = OncePer(clock, limits.window_s, limits.remembered)
        self._guessed: Recent[str, tuple[float, str]] = Recent(limits.remembered)
        self.failures = 0
        """Wrong passwords since the start."""
        self.slowed = 0
        """Tries that had to wait, or were sent away."""
        self.shut = 0
        """How often a source was shut out of an account."""

    @property
    def guessed_accounts(self) -> list[str]:
        """The accounts being guessed now, as login@domain: failures used up their free tries."""
        now = self._clock.now()
        return [name for until, name in self._guessed.values() if now < until]

    def _note_guessing(self, account: str, login: str, domain: str) -> None:
        name = f"{login[:_SHOWN_CHARS]}@{domain[:_SHOWN_CHARS]}"
        self._guessed.put(account, (self._clock.now() + self._limits.window_s, name))

    def failed(self, hop: Hop, account: str, *, login: str, domain: str) -> None:
        """Count a wrong password; the first of an account in a minute is logged by its login."""
        self.failures += 1
        source = network_of(hop.host)
        now, limits = self._clock.now(), self._limits
        found = self._failures.get((source, account))
        if found is None or (now - found.since >= limits.window_s and now >= found.shut_until):
            found = self._failures.put((source, account), _Failures(now))
        found.count += 1
        if self._said.first(account):
            log.warning(
                "Wrong password",
                login=login[:_SHOWN_CHARS],
                domain=domain[:_SHOWN_CHARS],
                source=hop.host,
            )
        if found.count == limits.failures + 1:
            found.shut_until = now + limits.block_s
            self.shut += 1
            self._note_guessing(account, login, domain)
            log.warning(
                "A source is shut out of an account: too many wrong passwords",
                login=login[:_SHOWN_CHARS],
                domain=domain[:_SHOWN_CHARS],
                source=hop.host,
                seconds=limits.block_s,
            )

    def shut_out(self, hop: Hop, account: str) -> bool:
        """Say whether a source may not try this account now."""
        found = self._failures.get((network_of(hop.host), account))
        return found is not None and self._clock.now() < found.shut_until

    def turn_s(self, hop: Hop, account: str, *, login: str, domain: str) -> float | None:
        """Take a turn for an unfamiliar source; return how long to wait for it.

        None: it must come again later. Whoever waits calls `waited` when the time is over, and
        whoever turns out to be right `give_back`.
        """
        now, limits = self._clock.now(), self._limits
        source = network_of(hop.host)
        of_account = self._accounts.get(account)
        if of_account is None:
            of_account = self._accounts.put(account, _Turns(limits.account, now))
        of_source = self._sources.get(source)
        if of_source is None:
            of_source = self._sources.put(source, _Turns(limits.source, now))
        wait_s = 0.0
        for turns in (of_account, of_source):
            turns.bucket.fill(now)
            wait_s = max(wait_s, turns.bucket.wait_s(1))
        if wait_s:
            self.slowed += 1
            self._note_guessing(account, login, domain)
            if self._said.first(f"slow {account}"):
                log.warning(
                    "An account's password is being guessed: tries are slowed",
                    login=login[:_SHOWN_CHARS],
                    domain=domain[:_SHOWN_CHARS],
                )
            was_wrong = self._failures.get((source, account)) is not None
            if wait_s > limits.patience_s or was_wrong or source in of_account.waiting:
                return None
            of_account.waiting.add(source)
        of_account.bucket.level -= 1
        of_source.bucket.level -= 1
        return wait_s

    def waited(self, hop: Hop, account: str) -> None:
        """Hear that a source does not wait for its turn any more."""
        if (turns := self._accounts.get(account)) is not None:
            turns.waiting.discard(network_of(hop.host))

    def give_back(self, hop: Hop, account: str) -> None:
        """Hear that a try was right after all: it did not count."""
        for turns in (self._accounts.get(account), self._sources.get(network_of(hop.host))):
            if turns is not None:
                turns.bucket.level += 1
