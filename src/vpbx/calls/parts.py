"""The parts that call control works with, and what it wants of those it does not know."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from vpbx.calls.shared.last_talks import AskHistory
from vpbx.clock import Clock, LoopClock
from vpbx.directory import Contact, Directory, DomainConfig
from vpbx.events import CallInfo, EventBus
from vpbx.frozen import dataclass
from vpbx.media import EncodeResult, MediaEngine, Recording, Side
from vpbx.sip.resolver import Resolver

__all__ = ["AskContact", "Encoder", "Mailbox", "Parts", "RecordingPlan", "StoredMessage"]

AskContact: TypeAlias = Callable[[DomainConfig, str, str, str], Coroutine[Any, Any, Contact | None]]
"""(domain, phone, callid, diversion) → what the CRM knows of the caller; may take its time."""


class RecordingPlan(Protocol):
    """Where recordings are kept."""

    def path(self, call: CallInfo) -> Path:
        """Return the MP3's path for a call; the directory may not exist yet."""


class Encoder(Protocol):
    """Makes MP3s (`vpbx.media.RecordingWorker`)."""

    async def encode(self, recording: Recording, target: Path, *, left: Side) -> EncodeResult:
        """Write one stereo MP3 to `target`."""


class StoredMessage(Protocol):
    """A voicemail message (`vpbx.mail.Message`)."""

    @property
    def id(self) -> int: ...
    @property
    def callid(self) -> str: ...
    @property
    def client(self) -> str:
        """Who left it, digits; "": they hid their number."""

    @property
    def heard(self) -> bool: ...


class Mailbox(Protocol):
    """The voice mailboxes of employees."""

    async def counts(self, domain_id: int, login: str) -> tuple[int, int] | None:
        """Return how many messages are new and how many old; None: nobody knows just now."""

    async def messages(self, domain_id: int, login: str) -> Sequence[StoredMessage]:
        """Return an employee's messages, new ones first."""

    async def sound(self, message: StoredMessage) -> Path:
        """Return what `MediaSession.play` takes; MediaError or OSError when it is gone."""

    def hear(self, domain_id: int, login: str, message_id: int) -> None:
        """It is no new message any more."""

    def delete(self, domain_id: int, login: str, message_id: int) -> None:
        """Take it out of the box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a `CallService` is given; what is None is not there, and calls go on without it."""

    directory: Directory
    media: MediaEngine
    events: EventBus
    contact: AskContact | None = None
    """Asks the CRM who calls."""
    records: RecordingPlan | None = None
    """Together with `encoder`: calls are recorded."""
    encoder: Encoder | None = None
    mailbox: Mailbox | None = None
    last_talks: AskHistory | None = None
    """Asks history who was called last."""
    clock: Clock = field(default_factory=LoopClock)
    resolver: Resolver = field(default_factory=Resolver)
