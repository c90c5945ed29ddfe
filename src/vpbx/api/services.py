"""What the API works with: the parts behind it, and its own settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from vpbx.api.rates import Rates
from vpbx.branches import BranchLinks
from vpbx.calls import CallService
from vpbx.clock import Clock
from vpbx.directory import Directory
from vpbx.history import History

__all__ = ["PREFIX", "ApiConfig", "ApiServices"]

PREFIX = "/crmapi/v1"
"""What all paths of the API begin with."""


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """Limits, and who is believed about a caller's address."""

    trusted_proxies: tuple[str, ...] = ()
    """Networks whose X-Forwarded-For, -Proto, -Host and -Port count."""
    https_port: int = 443
    """Where links in answers to plain HTTP lead; 0: we do not listen for HTTPS."""
    max_body_bytes: int = 1024 * 1024
    wrong_keys_per_minute: int = 30
    """From one address (IPv6: one /64); what goes beyond is answered 429."""
    makecalls_per_second: float = 10.0
    """With one key; what goes beyond is answered 429. 0: no limit."""
    recording_wait_s: float = 10.0
    """How long a record link waits for a recording that is still being encoded."""


class Commands(Protocol):
    """What was sent to companies' CRMs (`vpbx.crm.IntegrationLog`)."""

    async def events(
        self,
        domain_id: int,
        *,
        after: int | None,
        limit: int,
        callid: str,
        cmd: str,
        state: str,
        address: str,
    ) -> list[dict[str, Any]]:
        """Return commands as `events.CommandEvent`, those after a number or the newest."""

    def stream(
        self, domain_id: int, after: int | None, address: str
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Give commands as they come; [] now and then while none does."""

    async def replay(self, domain_id: int, event_id: int) -> bool:
        """Send a command once more; False when there is none of that number."""


class Changes(Protocol):
    """The log of changes (`vpbx.accounts.Audit`)."""

    async def note_call(self, domain_id: int, callid: str, told: str) -> None:
        """Write down who meddled with a call: `told` says what became of it."""


@dataclass(frozen=True, slots=True)
class ApiServices:
    """The public faces of directory, history and calls."""

    directory: Directory
    history: History
    calls: CallService
    clock: Clock
    config: ApiConfig = field(default_factory=ApiConfig)
    commands: Commands | None = None
    """The log of the integration."""
    branches: BranchLinks | None = None
    """Connections to PBXs of other servers."""
    changes: Changes | None = None
    makecalls: Rates = field(init=False)
    """How often each key asks for calls."""

    def __post_init__(self) -> None:
        rates = Rates(self.clock, self.config.makecalls_per_second)
        object.__setattr__(self, "makecalls", rates)
