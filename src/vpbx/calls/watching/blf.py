"""BLF: phones watch colleagues' lines (event package `dialog`, RFC 4235; crm-api §11).

Who is on the company's BLF list may watch any employee of the company, by ext or login, and
nobody else. Departments have no line that could be busy.
"""

from __future__ import annotations

from collections.abc import Callable

from vpbx.calls.addresses import Shown
from vpbx.calls.leg import Leg
from vpbx.calls.registry import LiveCall
from vpbx.calls.shared.lines import Line, Presence, Use
from vpbx.calls.switch import Switch
from vpbx.calls.watching.dialog_info import CONTENT_TYPE, Identity, LineDialog, Lines, Teller
from vpbx.calls.watching.package import Denied
from vpbx.directory import DomainConfig, Employee
from vpbx.events import Direction

__all__ = ["Blf"]


class Blf:
    """The package `dialog`."""

    name = "dialog"
    content_type = CONTENT_TYPE

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._watched: dict[tuple[int, str], _Watched] = {}
        switch.lines.watch(self._moved)
        switch.directory.locations.watch(self._registered)

    async def watch(
        self, domain: DomainConfig, who: Employee, resource: str
    ) -> _LineWatch | Denied:
        """Let `who` watch the employee with this ext or login."""
        if who.login not in domain.settings.blf_users:
            return Denied(403, "Not on the BLF list")
        watched = domain.find_employee(resource)
        if watched is None:
            return Denied(404, "No such employee")
        key = domain.id, watched.login
        found = self._watched.get(key)
        if found is None:
            found = self._watched[key] = _Watched(self._switch, *key)
        return _LineWatch(self, key, found, who.login, Teller(resource, domain.name), resource)

    def forget(self, key: tuple[int, str]) -> None:
        """Nobody watches an employee any more."""
        self._watched.pop(key, None)

    def _moved(self, domain_id: int, login: str, was: Presence, now: Presence) -> None:
        self._registered(domain_id, login)

    def _registered(self, domain_id: int, login: str) -> None:
        watched = self._watched.get((domain_id, login))
        if watched is not None:
            watched.moved()


class _Watched:
    """An employee who is watched, for all who do."""

    def __init__(self, switch: Switch, domain_id: int, login: str) -> None:
        self.watches: dict[_LineWatch, None] = {}
        self._switch = switch
        self._domain_id = domain_id
        self._login = login
        self._now: Lines | None = None

    def moved(self) -> None:
        self._now = None
        for watch in tuple(self.watches):
            watch.changed()

    def now(self) -> Lines:
        """Return their lines, found out once after each move."""
        if self._now is None:
            switch, login = self._switch, self._login
            lines = switch.lines.of(self._domain_id, login)
            online = switch.directory.locations.online(self._domain_id, login)
            domain = switch.directory.cached_by_id(self._domain_id)
            found = domain.employees.get(login) if domain is not None else None
            own = Identity(found.ext or login, found.name) if found is not None else Identity(login)
            dialogs = tuple(_dialog(switch, login, line) for line in lines)
            self._now = Lines(online, dialogs, own)
        return self._now


class _LineWatch:
    """One subscription to an employee's lines."""

    content_type = CONTENT_TYPE

    def __init__(
        self,
        blf: Blf,
        key: tuple[int, str],
        watched: _Watched,
        watcher: str,
        teller: Teller,
        resource: str,
    ) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._blf = blf
        self._key = key
        self._watched = watched
        self._watcher = watcher
        self._resource = resource
        self._teller = teller
        watched.watches[self] = None

    def document(self, *, full: bool) -> bytes | None:
        """Return the lines as they are, or what is new of them."""
        return self._teller.document(self._watched.now(), full=full)

    def still(self, domain: DomainConfig) -> str:
        """End it when the watcher may watch no more, or the ext has become somebody else's."""
        if self._watcher not in domain.settings.blf_users:
            return "rejected"
        found = domain.find_employee(self._resource)
        if found is None:
            return "noresource"
        return "" if found.login == self._key[1] else "deactivated"

    def close(self) -> None:
        """Look no more."""
        self._watched.watches.pop(self, None)
        if not self._watched.watches:
            self._blf.forget(self._key)


def _dialog(switch: Switch, login: str, line: Line) -> LineDialog:
    """Tell of an employee's part in a call; how its dialog is named only while it rings.

    Then it may be picked up. Who knows the name of a talk could take it out of their hands, so
    what was told while it rang counts no more after the answer (see `replacing`).
    """
    call = switch.calls.find(line.callid)
    ringing = switch.ringing.get(line.callid)
    leg = ringing.leg_of(login) if ringing is not None and line.use is Use.RINGING else None
    if leg is None and call is not None:
        leg = next((x for x in call.legs() if x.party and x.party.login == login), None)
    rings = line.use is Use.RINGING
    dialog = leg.session.dialog if leg is not None and rings else None
    if leg is not None and dialog is not None:
        leg.watched = True
    return LineDialog(
        id=line.callid,
        state="early" if rings else "confirmed",
        recipient=leg.session.direction == "out" if leg is not None else True,
        call_id=dialog.call_id if dialog is not None else "",
        local_tag=dialog.remote_tag if dialog is not None else "",
        remote_tag=dialog.local_tag if dialog is not None else "",
        remote=_other(call, login, leg) if call is not None else None,
    )


def _other(call: LiveCall, login: str, leg: Leg | None) -> Identity | None:
    """Say who is at the other end, as far as the employee's own phone shows it."""
    info, shown = call.info, call.shown
    if info.direction is Direction.INNER:
        picture = call.picture()
        if picture.caller is not None and picture.caller.login == login:
            other = picture.user
            shown = Shown(other.ext or other.login, other.name) if other is not None else Shown("")
    else:
        shown = Shown(info.client, shown.name if info.direction is Direction.IN else "")
    return Identity(shown.user, shown.name) if shown.user else None
