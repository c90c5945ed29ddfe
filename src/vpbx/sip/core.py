"""What a stack offers to what lives in it: requests under way, and usages of dialogs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from vpbx.clock import Clock
from vpbx.sip.config import StackConfig
from vpbx.sip.dialog import Dialog
from vpbx.sip.layer import TransactionLayer
from vpbx.sip.transport import Hop

__all__ = ["Core"]


class Core(Protocol):
    """The inside of `SipStack`, for this part's modules."""

    config: StackConfig
    clock: Clock
    layer: TransactionLayer

    def contact(self, hop: Hop) -> str:
        """The value of our Contact header towards `hop`."""

    def begun(self) -> None:
        """A request of ours is under way: `stop` waits for it."""

    def finished(self) -> None:
        """It has come to its end."""

    def take_in(self, session: Any, dialog: Dialog) -> None:
        """A dialog is a session's from now on: what comes in it goes there."""

    def let_go(self, dialog: Dialog) -> None:
        """A dialog is no more; harmless when it is not there."""

    def ended(self, session: Any) -> None:
        """A session is alive no more."""

    def guard(self, function: Callable[..., None], *arguments: object) -> bool:
        """Call what the application gave us; an error there is logged and stays there."""
