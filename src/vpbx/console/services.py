"""What the console works with: the parts behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from vpbx.accounts import Accounts, Audit
from vpbx.api.services import Commands
from vpbx.calls import CallService
from vpbx.clock import Clock
from vpbx.console.letters import Letter
from vpbx.console.live import Live
from vpbx.console.provisioning import Provisioning
from vpbx.console.shares import Shares
from vpbx.console.widget import Asks
from vpbx.directory import Directory, DomainConfig, MediaFile
from vpbx.history import Browser, CustomerNames, History, Notes, Reports
from vpbx.reporting import ReportMails

__all__ = ["ConsoleServices"]


class Uploads(Protocol):
    """Where sounds are converted and kept (`vpbx.app.uploads`)."""

    @property
    def replaceable(self) -> list[str]:
        """The names of the built-in prompts; an upload of type `prompt` takes the place of one."""

    async def add(
        self, company: DomainConfig, source: Path, media_type: str, name: str = ""
    ) -> MediaFile:
        """Convert a file and put it into the catalogue; raises Invalid."""

    async def say(
        self, company: DomainConfig, text: str, language: str, media_type: str, name: str = ""
    ) -> MediaFile:
        """Put a text as the built-in voice says it into the catalogue; raises Invalid."""

    async def say_anew(
        self, company: DomainConfig, file_id: str, text: str, language: str
    ) -> MediaFile:
        """Say another text in the place of one that was said; raises Invalid, NotFound."""

    async def spoken(self, company: DomainConfig, text: str, language: str) -> bytes:
        """Return a text as callers would hear it, A-law, and keep nothing; raises Invalid."""

    async def remove(self, company: DomainConfig, file_id: str) -> MediaFile:
        """Take a file out of the catalogue and off every use of it; raises NotFound."""


class Message(Protocol):
    """A voicemail message (`vpbx.mail.Message`)."""

    @property
    def id(self) -> int: ...
    @property
    def callid(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def left_at(self) -> float: ...
    @property
    def seconds(self) -> int: ...
    @property
    def heard(self) -> bool: ...


class Boxes(Protocol):
    """The voice mailboxes (`vpbx.mail.Mailboxes`), which phones reach by `*97`."""

    async def messages(self, domain_id: int, login: str) -> Sequence[Message]:
        """Return an employee's messages: new ones first."""

    async def tallies(self, domain_id: int) -> Mapping[str, tuple[int, int]]:
        """Return how many messages are new and how many were heard, of each login that has any."""

    def hear(self, domain_id: int, login: str, message_id: int) -> None:
        """A message was heard."""

    def delete(self, domain_id: int, login: str, message_id: int) -> None:
        """Take a message out of its box."""

    async def settled(self) -> None:
        """Wait until what was changed is on disk, and everybody can read it."""


@dataclass(frozen=True, slots=True)
class ConsoleServices:
    """The public faces of accounts, directory, history and calls."""

    directory: Directory
    history: History
    browser: Browser
    reports: Reports
    report_mails: ReportMails
    """Reports that go out by e-mail."""
    sends_mail: bool
    """Whether the server has a mail server to hand letters to."""
    send_mail: Callable[[int, str, Letter], Awaitable[bool]]
    """Put a letter on its way: of a company, to an address; False where no mail is sent."""
    notes: Notes
    names: CustomerNames
    calls: CallService
    accounts: Accounts
    audit: Audit
    clock: Clock
    live: Live
    commands: Commands | None
    """The log of the integration."""
    uploads: Uploads
    boxes: Boxes
    media_path: Callable[[MediaFile], Path]
    """Where the sound of an upload lies, without its ending."""
    link_base: Callable[[str], str]
    """How links begin that lead to this console, for a company's name."""
    asks: Asks
    """Frames of other sites that wait for who uses the phone in them."""
    provisioning: Provisioning
    """The links that set up phones."""
    sip_addresses: Callable[[], str]
    """Where phones may register: SIP URIs, `sips:` for TLS, with spaces."""
    sip_messages: Callable[[str], Awaitable[list[dict[str, Any]]]]
    """SIP messages of a call, as far as they are still in memory (`vpbx.app.sip_trace`)."""
    free_disk: Callable[[], float]
    """Which part of the disk that holds the data is free, 0 to 1."""
    shares: Shares = field(default_factory=Shares)
    """What each account has going on."""
    trusted_proxies: tuple[str, ...] = ()
    https_port: int = 443
