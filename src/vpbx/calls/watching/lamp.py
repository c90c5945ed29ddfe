"""The message waiting lamp (event package `message-summary`, RFC 3842).

A phone watches the voice mailbox of its own employee and no other. It is told how many
messages are new and old when it subscribes, when one is left, and when one is heard or
deleted. Nothing is sent to phones that have not subscribed.
"""

from __future__ import annotations

from collections.abc import Callable

from vpbx.calls.switch import Switch
from vpbx.calls.watching.package import Denied
from vpbx.clock import Timer
from vpbx.directory import DomainConfig, Employee

__all__ = ["Lamp"]

_CONTENT_TYPE = "application/simple-message-summary"
_LISTEN = "*97"
_AGAIN_S = 10.0


class Lamp:
    """The package `message-summary`."""

    name = "message-summary"
    content_type = _CONTENT_TYPE

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._boxes: dict[tuple[int, str], _Box] = {}

    async def watch(self, domain: DomainConfig, who: Employee, resource: str) -> _BoxWatch | Denied:
        """Let `who` watch their own mailbox: by login, ext, `*97` or a URI without a user."""
        if resource not in ("", _LISTEN):
            whose = domain.find_employee(resource)
            if whose is None:
                return Denied(404, "No such mailbox")
            if whose is not who:
                return Denied(403, "Not your mailbox")
        key = domain.id, who.login
        box = self._boxes.get(key)
        if box is None:
            box = self._boxes[key] = _Box(self._switch, key, self._forget)
        watch = _BoxWatch(box, who.login, domain.name)
        if box.counts is None:
            await box.look()
        if box.counts is None:
            watch.close()
            return Denied(503, "The mailbox cannot be read now")
        return watch

    def _forget(self, key: tuple[int, str]) -> None:
        self._boxes.pop(key, None)

    def changed(self, domain_id: int, login: str) -> None:
        """Hear that a mailbox is not as it was."""
        box = self._boxes.get((domain_id, login))
        if box is not None:
            box.changed()


class _Box:
    """A mailbox that is watched, for all phones that do."""

    def __init__(
        self, switch: Switch, key: tuple[int, str], unwatched: Callable[[tuple[int, str]], None]
    ) -> None:
        self.watches: dict[_BoxWatch, None] = {}
        self.counts: tuple[int, int] | None = None
        """New and old messages."""
        self._switch = switch
        self._key = key
        self._unwatched = unwatched
        self._looks = self._read = 0
        self._again: Timer | None = None

    async def look(self) -> None:
        """Read the counts; what was begun before another reading that is done is out of date."""
        mailbox = self._switch.mailbox
        self._looks += 1
        look = self._looks
        counts = (0, 0) if mailbox is None else await mailbox.counts(*self._key)
        if look < self._read:
            return
        self._read = look
        if counts is None:
            self._try_again()
        elif counts != self.counts:
            self.counts = counts
            for watch in tuple(self.watches):
                watch.changed()

    def changed(self) -> None:
        """Read again."""
        self._switch.spawn(self.look())

    def leave(self, watch: _BoxWatch) -> None:
        """One phone less."""
        self.watches.pop(watch, None)
        if not self.watches:
            if self._again is not None:
                self._again.cancel()
                self._again = None
            self._unwatched(self._key)

    def _try_again(self) -> None:
        if self._again is None and self.watches:
            self._again = self._switch.clock.call_later(_AGAIN_S, self._due)

    def _due(self) -> None:
        self._again = None
        self.changed()


class _BoxWatch:
    """One phone's subscription to a mailbox."""

    content_type = _CONTENT_TYPE

    def __init__(self, box: _Box, watcher: str, domain: str) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._box = box
        self._watcher = watcher
        self._domain = domain
        self._told: tuple[int, int] | None = None
        box.watches[self] = None

    def document(self, *, full: bool) -> bytes | None:
        """Return the counts (§5.2); None when they were told already."""
        counts = self._box.counts or (0, 0)
        if counts == self._told and not full:
            return None
        self._told = counts
        new, old = counts
        return (
            f"Messages-Waiting: {'yes' if new else 'no'}\r\n"
            f"Message-Account: sip:{_LISTEN}@{self._domain}\r\n"
            f"Voice-Message: {new}/{old} (0/0)\r\n"
        ).encode()

    def still(self, domain: DomainConfig) -> str:
        """Go on; that the employee is still there sees the desk."""
        return ""

    def close(self) -> None:
        """Look no more."""
        self._box.leave(self)
