"""What a stack offers to what lives in it: requests under way, and usages of dialogs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vpbx.clock import Clock
from vpbx.sip.layer import TransactionLayer
from vpbx.sip.transport import Hop

__all__ = ["Core"]


class Core(Protocol):
    """The inside of `SipStack`, for this part's modules."""

    clock: Clock
    layer: TransactionLayer

    def contact(self, hop: Hop) -> str:
        """The value of our Contact header towards `hop`."""

    def hold(self) -> None:
        """A request of ours is under way: `stop` waits for it."""

    def release(self) -> None:
        """It has come to its end."""

    def guard(self, function: Callable[..., None], *arguments: object) -> bool:
        """Call what the application gave us; an error there is logged and stays there."""
