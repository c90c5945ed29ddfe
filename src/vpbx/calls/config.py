"""Settings of call control."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from vpbx.frozen import dataclass
from vpbx.sip import RegistrarLimits, WithoutQop

__all__ = ["CallsConfig", "SubscriptionLimits"]


@dataclass(frozen=True, slots=True)
class SubscriptionLimits:
    """Bounds of what phones may subscribe to; seconds, and subscriptions at the same time."""

    min_expires_s: int = 60
    max_expires_s: int = 1800
    """A phone that was not told of a restart notices by then at the latest."""
    default_expires_s: int = 1800
    per_employee: int = 1000
    per_company: int = 10_000
    in_all: int = 50_000


@dataclass(frozen=True, slots=True)
class CallsConfig:
    """Settings of call control."""

    secret: bytes
    """At least 16 bytes; makes the digest nonces. Kept, phones survive a restart unasked."""
    uploads: Path | None = None
    """Where the media catalogue's files lie."""
    node: int = 0
    """0 to 99: which of several servers this is."""
    after_callid: int = 0
    """The greatest call id given out so far."""
    max_calls: int = 2000
    max_calls_per_domain: int = 1000
    max_calls_per_trunk: int = 1000
    max_makecalls: int = 4
    """Calls by makecall that one employee may have at once; 0: as many as are asked for."""
    max_trunks_tried: int = 3
    trunk_silence_s: float = 5.0
    """A trunk that has not answered anything by then, not even 100, is given up for the next
    one, where there is a next one."""
    trunk_trying_s: float = 20.0
    """One that has answered 100 and nothing more by then, too."""
    dial_timeout_s: float = 120.0
    """An outside party may ring so long."""
    park_s: float = 90.0
    """A parked call that nobody took back by then rings at who parked it."""
    country: str = "RU"
    """Numbering plan of a caller's or called number while no domain is known."""
    nonce_ttl_s: float = 300.0
    without_qop: WithoutQop = WithoutQop.ONCE
    """What to do with phones that know only RFC 2069's digest."""
    registrar: RegistrarLimits = field(default_factory=RegistrarLimits)
    subscriptions: SubscriptionLimits = field(default_factory=SubscriptionLimits)
