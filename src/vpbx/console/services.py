"""What the console works with: the parts behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vpbx.accounts import Accounts, Audit
from vpbx.api.services import Commands
from vpbx.calls import CallService
from vpbx.clock import Clock
from vpbx.console.live import Live
from vpbx.directory import Directory
from vpbx.history import Browser, History

__all__ = ["ConsoleServices"]


@dataclass(frozen=True, slots=True)
class ConsoleServices:
    """The public faces of accounts, directory, history and calls."""

    directory: Directory
    history: History
    browser: Browser
    calls: CallService
    accounts: Accounts
    audit: Audit
    clock: Clock
    live: Live
    commands: Commands | None
    """The log of the integration."""
    link_base: Callable[[str], str]
    """How links begin that lead to this console, for a company's name."""
    free_disk: Callable[[], float]
    """Which part of the disk that holds the data is free, 0 to 1."""
    trusted_proxies: tuple[str, ...] = ()
    https_port: int = 443
