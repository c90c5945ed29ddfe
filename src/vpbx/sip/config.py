"""Settings of the transaction layer."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field

from .budget import BudgetLimits
from .message import MAX_HEADERS
from .timers import TimerValues
from .transport import Hop, Limits, Listen
from .validate import Abilities


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
