"""What every section stands on: current snapshots, indexes, the transaction rules run in."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import structlog
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from vpbx.acting import actor
from vpbx.clock import Clock, LoopClock
from vpbx.db import Database, Writer, is_passing
from vpbx.directory.directions import warm_up
from vpbx.directory.errors import NotFound
from vpbx.directory.index import INDEXED, Index, Key, read_index, read_revision
from vpbx.directory.kept import Kept
from vpbx.directory.loader import load
from vpbx.directory.model import DomainConfig, Number, Trunk
from vpbx.directory.routes import production_calendar
from vpbx.directory.scope import Tx, bump, explain
from vpbx.directory.secrets import Secrets
from vpbx.directory.values import Values
from vpbx.outside import is_public
from vpbx.tasks import watched

log = structlog.get_logger("vpbx.directory")

Auditor: TypeAlias = Callable[[DomainConfig, DomainConfig, frozenset[str]], Awaitable[None]]
"""Is told a domain before and after a change, and which tables it touched."""


class Store:
    """All companies of this server, as they are read and changed. `start` first, `stop` last.

    poll_s: how often changes of other processes are looked for.
    secrets: seals passwords at other operators; needed only where those are set or used.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock | None = None,
        poll_s: float = 0.5,
        secrets: Secrets | None = None,
        allow_private: bool = True,
        spill: Path | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._database = database
        self._clock = clock
        self._poll_s = poll_s
        self._secrets = secrets
        self._index = Index()
        self._changed = asyncio.Event()
        self._loaded: dict[int, DomainConfig] = {}
        self._kept: dict[int, Kept] = {}
        self._loading: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._editing: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._refreshing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._listeners: list[Callable[[DomainConfig], None]] = []
        self._auditors: list[Auditor] = []
        self._mourners: list[Callable[[int], None]] = []
        self.writer = Writer(database, gather_s=0.02, spill=spill)
        """Writes devices' registrations and counters in the background."""

    async def start(self) -> None:
        """Load the indexes, and begin to look for changes."""
        await asyncio.to_thread(warm_up)
        await self.refresh()
        await self.writer.start()
        self._task = watched(asyncio.create_task(self._poll(), name="vpbx-directory-poll"))

    async def stop(self) -> None:
        """Write what is left and stop looking for changes."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self.writer.stop()

    @property
    def clock(self) -> Clock:
        """The clock given, else the running loop's."""
        if self._clock is None:
            self._clock = LoopClock()
        return self._clock

    @property
    def secrets(self) -> Secrets:
        """What seals secrets; RuntimeError when this process was started without the key."""
        if self._secrets is None:
            raise RuntimeError("the directory was opened without the server's key file")
        return self._secrets

    def on_loaded(self, tell: Callable[[DomainConfig], None]) -> None:
        """Call `tell` with each snapshot that takes the place of an older one."""
        self._listeners.append(tell)

    def on_gone(self, tell: Callable[[int], None]) -> None:
        """Call `tell` with the id of each loaded domain that was removed."""
        self._mourners.append(tell)

    def on_changed(self, tell: Auditor) -> None:
        """Have `tell` told what somebody changes here, before their operation returns."""
        self._auditors.append(tell)

    # Reading

    async def domain(self, name: str) -> DomainConfig | None:
        """Return the current snapshot of the domain of this name."""
        domain_id = self._index.domains.get(name.lower())
        return None if domain_id is None else await self.domain_by_id(domain_id)

    async def domain_by_id(self, domain_id: int) -> DomainConfig | None:
        """Return the current snapshot of the domain with this id."""
        found = self._loaded.get(domain_id)
        wanted = self._index.revisions.get(domain_id)
        if wanted is None:
            return None
        if found is not None and found.revision >= wanted:
            return found
        return await self._load(domain_id)

    async def domains(self) -> list[DomainConfig]:
        """Return the current snapshots of all domains, by name."""
        found = [await self.domain(name) for name in sorted(self._index.domains)]
        return [domain for domain in found if domain is not None]

    def domain_names(self) -> tuple[str, ...]:
        """Return the names of all domains, without loading them."""
        return tuple(sorted(self._index.domains))

    def cached(self, name: str) -> DomainConfig | None:
        """Return the newest snapshot there is without waiting; None: await `domain` first.

        It may be older than `domain` would give by the time a reload takes.
        """
        domain_id = self._index.domains.get(name.lower())
        return None if domain_id is None else self._loaded.get(domain_id)

    def cached_by_id(self, domain_id: int) -> DomainConfig | None:
        """Return what `cached` returns, for the domain with this id."""
        return self._loaded.get(domain_id)

    def knows(self, name: str) -> bool:
        """Say whether there is a domain of this name."""
        return name.lower() in self._index.domains

    async def number(
        self, text: str, *, domain_id: int | None = None
    ) -> tuple[DomainConfig, Number] | None:
        """Return whose number `text` is, in any spelling a carrier may send.

        `domain_id`: only a number of this domain is asked for.
        """
        owner = self._index.owner(text, within=domain_id)
        domain = None if owner is None else await self.domain_by_id(owner[0])
        number = None if domain is None or owner is None else domain.numbers.get(owner[1])
        return None if domain is None or number is None else (domain, number)

    def trunks(self) -> tuple[Trunk, ...]:
        """Return all trunks, the oldest first."""
        return self._index.trunks

    def trunk(self, name: str, domain: DomainConfig | None = None) -> Trunk | None:
        """Return the trunk of this name that `domain` may use (None: any)."""
        for trunk in self._index.trunks:
            if trunk.name == name and _serves(trunk, domain):
                return trunk
        return None

    def trunks_of(self, domain: DomainConfig) -> tuple[Trunk, ...]:
        """Return the enabled trunks `domain` may call through: its own first."""
        usable = [t for t in self._index.trunks if t.enabled and _serves(t, domain)]
        return tuple(sorted(usable, key=lambda t: (t.domain_id is None, t.priority, t.id)))

    async def sipuri_domain(self, user: str) -> DomainConfig | None:
        """Return the domain that has the address `user` of crm-api §15, and has it on."""
        found = self._index.sipuris.get(user.lower())
        return None if found is None else await self.domain_by_id(found[0])

    def connecting(self) -> list[int]:
        """Return the ids of the domains here that have added another PBX."""
        return sorted({each for ids in self._index.branches.values() for each in ids})

    def connected_to(self, peer: str) -> frozenset[int]:
        """Return the ids of the domains here that have added the PBX `peer`."""
        return self._index.branches.get(peer.lower(), frozenset())

    def key(self, key_hash: str) -> Key | None:
        """Return the key kept under this hash."""
        return self._index.keys.get(key_hash)

    # Changing

    @contextlib.asynccontextmanager
    async def edit(self, domain: DomainConfig | int) -> AsyncIterator[Tx]:
        """Open the transaction a rule changes `domain` in.

        At its end the change is committed and the new snapshot's revision known here, so that
        the next read sees it. A constraint broken by a race is raised as Invalid. Inside it, no
        second `edit`, and reading only through the `Tx`.
        """
        domain_id = domain if isinstance(domain, int) else domain.id
        try:
            # one at a time here too, so that those in line hold no connection of the pool
            async with self._editing[domain_id], self._database.begin() as connection:
                tx = await Tx.open(connection, domain_id)
                before = await self._before(connection, tx)
                yield tx
                revision, whole = await tx.close()
        except IntegrityError as error:
            invalid = explain(error)
            if invalid is None:
                raise
            raise invalid from error
        kept = self._kept.get(domain_id)
        if kept is not None and kept.revision == revision - 1:
            self._kept[domain_id] = kept.without(tx.touched)
        if self._index.revision == whole - 1 and not tx.touched & INDEXED:
            self._know(self._index.with_revision(domain_id, revision))
        else:
            await self.refresh()
        if before is not None:
            await self._tell_changed(domain_id, before, tx)

    async def _before(self, connection: AsyncConnection, tx: Tx) -> DomainConfig | None:
        """Return the domain as `tx` finds it; None: nobody wants to be told of the change.

        What is loaded may be older, when another process has changed the domain just now.
        """
        if not self._auditors or actor() is None:
            return None
        domain_id = tx.domain_id
        found = self._loaded.get(domain_id)
        if found is not None and found.revision == int(tx.domain.revision):
            return found
        loaded = await load(connection, domain_id, self._kept.get(domain_id))
        return None if loaded is None else loaded[0]

    async def _tell_changed(self, domain_id: int, before: DomainConfig, tx: Tx) -> None:
        after = await self.domain_by_id(domain_id)
        if after is not None:
            for tell in self._auditors:
                await tell(before, after, frozenset(tx.touched))

    @contextlib.asynccontextmanager
    async def edit_all(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction for what belongs to no domain (trunks, new domains)."""
        try:
            async with self._database.begin() as connection:
                yield connection
                await bump(connection)
        except IntegrityError as error:
            invalid = explain(error)
            if invalid is None:
                raise
            raise invalid from error
        await self.refresh()

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction for what no snapshot shows: nobody is told to read again."""
        async with self._database.begin() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def look(self, domain: DomainConfig) -> AsyncIterator[Tx]:
        """Open a transaction to read rows of `domain` that its snapshot does not hold."""
        async with self.reading() as connection:
            yield await Tx.open(connection, domain.id, lock=False)

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a connection for reading one consistent state."""
        async with self._database.connect() as connection:
            if self._database.dialect == "postgresql":
                await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
            yield connection

    async def current(self, domain: DomainConfig) -> DomainConfig:
        """Return the newest snapshot of `domain`; NotFound when it was removed."""
        found = await self.domain_by_id(domain.id)
        if found is None:
            raise NotFound("no such domain")
        return found

    # Keeping current

    @property
    def revision(self) -> int:
        """A number that goes up with every change of anything, as far as is known here."""
        return self._index.revision

    async def changed(self, since: int) -> int:
        """Wait until `revision` is another than `since`; return it."""
        while self._index.revision == since:
            await self._changed.wait()
        return self._index.revision

    def _know(self, index: Index) -> None:
        """Go on from a new index, and wake whoever waits for a change."""
        self._index = index
        self._changed.set()
        self._changed = asyncio.Event()

    def private(self) -> bool:
        """Tell whether settings may name private addresses (`vpbx.outside`)."""
        return self._allow_private or len(self._index.domains) <= 1

    def check_public(self, reader: Values, field: str, host: str) -> None:
        """Note in `reader` that `field` names a private address, where none may be named."""
        if not (self.private() or is_public(host)):
            reader.wrong(field, "must not be an address of a private network")

    async def refresh(self) -> None:
        """Read the indexes again if anything changed anywhere."""
        async with self._refreshing, self.reading() as connection:
            if await read_revision(connection) == self._index.revision:
                return
            self._know(await read_index(connection))
        for gone in self._loaded.keys() - self._index.revisions.keys():
            del self._loaded[gone]
            self._kept.pop(gone, None)
            for tell in self._mourners:
                tell(gone)

    async def _load(self, domain_id: int) -> DomainConfig | None:
        async with self._loading[domain_id]:
            found = self._loaded.get(domain_id)
            wanted = self._index.revisions.get(domain_id, 0)
            if found is not None and found.revision >= wanted:
                return found
            try:
                async with self.reading() as connection:
                    found_now = await load(connection, domain_id, self._kept.get(domain_id))
            except Exception as error:
                if found is None or not is_passing(error):
                    raise
                log.warning(
                    "the database does not answer, calls go on with older settings",
                    domain=found.name,
                    error=type(error).__name__,
                )
                return found
            if found_now is None:
                return None
            fresh, self._kept[domain_id] = found_now
            await self._load_calendar(fresh)
            self._loaded[domain_id] = fresh
            for tell in self._listeners:
                tell(fresh)
            return fresh

    async def _load_calendar(self, domain: DomainConfig) -> None:
        """Load the production calendar a number of the domain asks for, beside the loop."""
        if any(
            special.calendar_predefined
            for number in domain.numbers.values()
            for custom in number.custom_routes
            for special in custom.calendar_schedule
        ):
            today = datetime.fromtimestamp(self.clock.time(), domain.zone).date()
            await asyncio.to_thread(lambda: production_calendar(domain.country)(today))

    async def _poll(self) -> None:
        failing = False
        while True:
            await asyncio.sleep(self._poll_s)
            try:
                await self.refresh()
                for domain_id in list(self._loaded):
                    await self.domain_by_id(domain_id)
                failing = False
            except Exception as error:  # whatever it is: nobody else would see what has changed
                if not failing and is_passing(error):
                    log.warning("the database does not answer", error=type(error).__name__)
                elif not failing:
                    log.exception("what other processes have changed cannot be read")
                failing = True


def _serves(trunk: Trunk, domain: DomainConfig | None) -> bool:
    return domain is None or trunk.domain_id is None or trunk.domain_id == domain.id
