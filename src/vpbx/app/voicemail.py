"""The voice mailboxes as calls use them: the boxes, and the sound made ready to be played."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vpbx.calls import StoredMessage
from vpbx.db import is_passing
from vpbx.mail import Mailboxes, Message
from vpbx.media import MediaError, convert_upload

__all__ = ["VoiceMailbox"]

_LONGEST_S = 600.0
_KEPT = 50
"""Messages whose sound is kept ready; it can always be made again."""


class VoiceMailbox:
    """`vpbx.calls.Mailbox` over `vpbx.mail.Mailboxes` and recordings on disk."""

    def __init__(self, boxes: Mailboxes, records: Path, ready: Path) -> None:
        self._boxes = boxes
        self._records = records
        self._ready = ready

    async def counts(self, domain_id: int, login: str) -> tuple[int, int] | None:
        """Return how many messages are new and how many old; None: the database is away."""
        try:
            return await self._boxes.counts(domain_id, login)
        except Exception as error:
            if not is_passing(error):
                raise
            return None

    async def messages(self, domain_id: int, login: str) -> Sequence[Message]:
        """Return an employee's messages, new ones first."""
        return await self._boxes.messages(domain_id, login)

    async def sound(self, message: StoredMessage) -> Path:
        """Return what can be played, made from the recording at the first time."""
        if not isinstance(message, Message):
            raise MediaError("the message is not one of ours")
        target = self._ready / message.callid
        if not target.with_name(f"{target.name}.8").exists():
            self._make_room()
            await convert_upload(self._records / message.path, target, max_s=_LONGEST_S)
        return target

    def _make_room(self) -> None:
        self._ready.mkdir(mode=0o700, parents=True, exist_ok=True)
        files = sorted(self._ready.iterdir(), key=lambda file: file.stat().st_mtime)
        for file in files[: -3 * _KEPT]:
            file.unlink(missing_ok=True)

    def hear(self, domain_id: int, login: str, message_id: int) -> None:
        """It is no new message any more."""
        self._boxes.hear(domain_id, login, message_id)

    def delete(self, domain_id: int, login: str, message_id: int) -> None:
        """Take it out of the box."""
        self._boxes.delete(domain_id, login, message_id)
