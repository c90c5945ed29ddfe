"""Settings of a stack, and of its transaction layer."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import field

from vpbx.frozen import dataclass
from vpbx.sip.budget import BudgetLimits
from vpbx.sip.message import MAX_HEADERS
from vpbx.sip.timers import TimerValues
from vpbx.sip.transport import Hop, Limits, Listen
from vpbx.sip.validate import Abilities


@dataclass(frozen=True, slots=True)
class LayerConfig:
    """Where the transaction layer listens, and how much it takes."""

    listens: tuple[Listen, ...]
    advertise: str = ""
    """Our address as seen from outside of private networks; empty: the one we listen at."""
    tls_client: ssl.SSLContext | None = None
    """For TLS connections we open; None verifies the peer against the system's authorities."""
    limits: Limits = field(default_factory=Limits)
    max_headers: int = MAX_HEADERS
    max_transactions: int = 50_000
    """Over it requests outside of dialogs get 503 with Retry-After; over twice it, all do."""
    abilities: Abilities = field(default_factory=Abilities)
    tap: Callable[[bool, bytes, Hop], None] | None = None
    """Sees each message: whether we sent it, its bytes, and who is at the other end."""
    budgets: BudgetLimits | None = None
    """What sources may take of our time; None counts nothing (phones, simulations)."""
    timers: TimerValues = field(default_factory=TimerValues)


@dataclass(frozen=True, slots=True)
class StackConfig:
    """Settings of a stack."""

    listens: tuple[Listen, ...]
    advertise: str = ""
    """Address written into Via and Contact towards the outside; "" for the bound one."""
    user_agent: str = "vpbx"
    session_expires_s: int = 1800
    """Wished session interval (RFC 4028); 0 wishes for none."""
    min_se_s: int = 90
    max_message_bytes: int = 65535
    max_sessions: int = 20_000
    """More incoming calls than that are answered 503."""
    tls_client: ssl.SSLContext | None = None
    """For TLS connections we open; None verifies the peer against the system's authorities."""
    tap: Callable[[bool, bytes, Hop], None] | None = None
    """Sees each message: whether we sent it, its bytes, and who is at the other end."""
    budgets: BudgetLimits | None = None
    """What sources may take of our time; None counts nothing (phones, simulations)."""
    connections_per_source: int = 1000
    """Incoming connections of one address, those of registered phones not counted."""
