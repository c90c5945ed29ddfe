"""Registered devices (RFC 3261 bindings), in memory and written through to the database.

Reading and saving never wait: rows live here, and the writer stores them in the background, so
that they survive a restart. A row is what the registrar knows of one contact, as plain columns.

Here a registration ends by the monotonic clock, so a clock that is set ends none and prolongs
none. What is stored is the time of day, for a restart; when the clock is set while the server
runs, that is moved along. After a restart with a wrong clock none lasts longer than any may.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace

from sqlalchemy import bindparam, delete, exists, insert, or_, select, update

from vpbx.db import Write, Writer
from vpbx.directory import tables
from vpbx.directory.store import Store
from vpbx.frozen import dataclass


@dataclass(frozen=True, slots=True)
class LocationRow:
    """One device of an employee. expires_at: by the monotonic clock (stored: since 1970)."""

    contact: str
    transport: str
    host: str
    port: int
    connection: int
    path: str
    """Path header values, comma separated (RFC 3327)."""
    call_id: str
    cseq: int
    expires_at: float
    user_agent: str = ""
    instance: str = ""
    q: float = 1.0
    reg_id: int = 0
    """Which of its flows (RFC 5626)."""


_table = tables.locations
_DELETE = delete(_table).where(
    _table.c.domain_id == bindparam("b_domain_id"), _table.c.login == bindparam("b_login")
)
_NAMES = ("domain_id", "login", *LocationRow.__dataclass_fields__)
_OWNER = exists().where(
    tables.users.c.domain_id == bindparam("b_domain_id"),
    tables.users.c.login == bindparam("b_login"),
    or_(tables.users.c.id == bindparam("b_user_id"), bindparam("b_user_id") == 0),
)
_INSERT = insert(_table).from_select(
    _NAMES,
    select(*(bindparam(f"b_{name}", type_=_table.c[name].type) for name in _NAMES)).where(_OWNER),
)
"""Only while the employee is there, and the same: one may be deleted, and their login be somebody
else's, before it is written."""
_MOVE = update(_table).values(expires_at=_table.c.expires_at + bindparam("b_by"))
_LONGEST_S = 3600.0
"""No registration lasts longer (`sip.RegistrarLimits`)."""
_CLOCK_SET_S = 1.0
"""From how much on the clock counts as set."""


class Locations:
    """Where employees' devices are. Logins are those of the snapshot, not exts."""

    def __init__(self, store: Store, writer: Writer) -> None:
        self._directory = store
        self._writer = writer
        self._rows: dict[tuple[int, str], tuple[LocationRow, ...]] = {}
        self._ids: dict[int, Mapping[str, int]] = {}
        self._watchers: list[Callable[[int, str], None]] = []
        self._behind_s: float | None = None
        """How far the monotonic clock is behind that by which rows were stored."""

    def watch(self, tell: Callable[[int, str], None]) -> None:
        """Call `tell` with domain id and login after each change of an employee's devices."""
        self._watchers.append(tell)

    def _changed(self, domain_id: int, login: str) -> None:
        for tell in self._watchers:
            tell(domain_id, login)

    async def load(self) -> None:
        """Read what was registered before the restart; `connection` ids mean nothing any more."""
        names = LocationRow.__dataclass_fields__
        found: dict[tuple[int, str], list[LocationRow]] = {}
        clock = self._directory.clock
        async with self._directory.reading() as connection:
            for row in await connection.execute(select(_table).order_by(_table.c.id)):
                left_s = min(row.expires_at - clock.time(), _LONGEST_S)
                if left_s > 0:
                    values = {name: getattr(row, name) for name in names}
                    until = clock.now() + left_s
                    location = LocationRow(**{**values, "connection": 0, "expires_at": until})
                    found.setdefault((row.domain_id, row.login), []).append(location)
        self._rows = {key: tuple(rows) for key, rows in found.items()}

    def bindings(self, domain_id: int, login: str) -> tuple[LocationRow, ...]:
        """Return the devices of an employee whose registration has not run out."""
        rows = self._rows.get((domain_id, login), ())
        now = self._directory.clock.now()
        if any(row.expires_at <= now for row in rows):
            return tuple(row for row in rows if row.expires_at > now)
        return rows

    def all(self) -> list[tuple[int, str, LocationRow]]:
        """Return every device there is, as (domain id, login, device)."""
        return [(*key, row) for key, rows in self._rows.items() for row in rows]

    def save(self, domain_id: int, login: str, rows: Sequence[LocationRow]) -> None:
        """Replace the devices of an employee."""
        key = (domain_id, login)
        if rows:
            self._rows[key] = tuple(rows)
        else:
            self._rows.pop(key, None)
        user_id = self._ids.get(domain_id, {}).get(login, 0)
        who = {"b_domain_id": domain_id, "b_login": login, "b_user_id": user_id}
        writes = [Write(_DELETE, {"b_domain_id": domain_id, "b_login": login}, key)]
        behind_s = self._stored_behind()
        stored = (replace(row, expires_at=row.expires_at + behind_s) for row in rows)
        for row in stored:
            values = {f"b_{name}": value for name, value in asdict(row).items()}
            writes.append(Write(_INSERT, {**who, **values}, key))
        self._writer.submit(writes)
        self._changed(domain_id, login)

    def expire(self) -> list[tuple[int, str, LocationRow]]:
        """Forget the devices whose registration has run out; return them as `all` does."""
        self._follow_clock()
        now = self._directory.clock.now()
        gone = [item for item in self.all() if item[2].expires_at <= now]
        for domain_id, login in {(domain_id, login) for domain_id, login, _ in gone}:
            self.save(domain_id, login, self.bindings(domain_id, login))
        return gone

    def _stored_behind(self) -> float:
        if self._behind_s is None:
            clock = self._directory.clock
            self._behind_s = clock.time() - clock.now()
        return self._behind_s

    def _follow_clock(self) -> None:
        """If the clock was set, move what is stored by it along."""
        clock, before_s = self._directory.clock, self._stored_behind()
        by_s = clock.time() - clock.now() - before_s
        if abs(by_s) >= _CLOCK_SET_S:
            self._behind_s = before_s + by_s
            self._writer.submit([Write(_MOVE, {"b_by": by_s})])

    def online(self, domain_id: int, login: str) -> bool:
        """Say whether any device of the employee is registered."""
        return bool(self.bindings(domain_id, login))

    def forget(self, domain_id: int, login: str) -> None:
        """Forget the devices of an employee who is gone (their rows went with them)."""
        self._rows.pop((domain_id, login), None)
        self._changed(domain_id, login)

    def keep_only(self, domain_id: int, ids: Mapping[str, int]) -> None:
        """Forget devices of employees another process deleted, also where their login is somebody
        else's by now; `ids`: the employees' numbers by login."""
        before, self._ids[domain_id] = self._ids.get(domain_id, ids), ids
        gone = [
            key
            for key in self._rows
            if key[0] == domain_id
            and (key[1] not in ids or ids[key[1]] != before.get(key[1], ids[key[1]]))
        ]
        for key in gone:
            del self._rows[key]
            self._changed(*key)
