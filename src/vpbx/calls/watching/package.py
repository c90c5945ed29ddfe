"""What an event package is to the desk that takes subscriptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vpbx.directory import DomainConfig, Employee
from vpbx.frozen import dataclass
from vpbx.sip import View

__all__ = ["EVENTS", "Denied", "Package", "Watch"]

EVENTS = "dialog, message-summary"
"""The packages there are, as Allow-Events names them."""


@dataclass(frozen=True, slots=True)
class Denied:
    """A subscription that gets this answer."""

    code: int
    reason: str = ""


class Watch(View, Protocol):
    """What one subscription watches."""

    changed: Callable[[], None]
    """To be called when there is a new document."""

    def still(self, domain: DomainConfig) -> str:
        """Say why it must end, now that these are the settings (a reason of RFC 6665 §4.1.3);
        "" when it goes on."""

    def close(self) -> None:
        """Nobody looks any more."""


class Package(Protocol):
    """One event package."""

    @property
    def name(self) -> str:
        """As Event headers name it."""

    @property
    def content_type(self) -> str:
        """Of its documents."""

    async def watch(self, domain: DomainConfig, who: Employee, resource: str) -> Watch | Denied:
        """Let an employee watch `resource`, the user of the Request-URI, if they may."""
