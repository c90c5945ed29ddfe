"""What the console works with: the parts behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vpbx.accounts import Accounts, Audit
from vpbx.api.services import Commands
from vpbx.calls import CallService
from vpbx.clock import Clock
from vpbx.console.live import Live
from vpbx.directory import Directory, DomainConfig, MediaFile
from vpbx.history import Browser, History

__all__ = ["ConsoleServices"]


class Uploads(Protocol):
    """Where sounds are converted and kept (`vpbx.app.uploads`)."""

    async def add(
        self, company: DomainConfig, source: Path, media_type: str, name: str = ""
    ) -> MediaFile:
        """Convert a file and put it into the catalogue; raises Invalid."""

    async def remove(self, company: DomainConfig, file_id: str) -> MediaFile:
        """Take a file out of the catalogue and off every use of it; raises NotFound."""


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
    uploads: Uploads
    media_path: Callable[[MediaFile], Path]
    """Where the sound of an upload lies, without its ending."""
    link_base: Callable[[str], str]
    """How links begin that lead to this console, for a company's name."""
    free_disk: Callable[[], float]
    """Which part of the disk that holds the data is free, 0 to 1."""
    trusted_proxies: tuple[str, ...] = ()
    https_port: int = 443
