"""The directory: the store, and the sections that stand on it, each of them an operation's home."""

from __future__ import annotations

from pathlib import Path

from vpbx.clock import Clock
from vpbx.db import Database
from vpbx.directory.blacklist import BlackLists
from vpbx.directory.branches import Branches, Webhooks
from vpbx.directory.callbacks import Callbacks
from vpbx.directory.caller_ids import CallerIdRules
from vpbx.directory.companies import Companies
from vpbx.directory.groups import Groups
from vpbx.directory.integration import Integrations
from vpbx.directory.keys import KeyIdentity, Keys
from vpbx.directory.lists import DepartmentList, EmployeeList
from vpbx.directory.locations import Locations
from vpbx.directory.media import MediaCatalog, MusicSettings
from vpbx.directory.model import DomainConfig
from vpbx.directory.other_operators import SipRegistrations, SipuriTransfers
from vpbx.directory.restrictions import RestrictionRules
from vpbx.directory.secrets import Secrets
from vpbx.directory.store import Store
from vpbx.directory.telnums import Telnums
from vpbx.directory.trunks import Trunks
from vpbx.directory.users import Users
from vpbx.directory.weekly_hours import WeeklyHours


class Directory(Store):
    """All companies of this server. `start` before use, `stop` after; see `Store`."""

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
        super().__init__(
            database,
            clock=clock,
            poll_s=poll_s,
            secrets=secrets,
            allow_private=allow_private,
            spill=spill,
        )
        self.companies = Companies(self)
        self.locations = Locations(self, self.writer)
        self.users = Users(self, self.locations)
        self.groups = Groups(self)
        self.telnums = Telnums(self)
        self.hours = WeeklyHours(self)
        self.trunk_rules = Trunks(self)
        self.keys = Keys(self)
        self.integrations = Integrations(self)
        self.callbacks = Callbacks(self, self.writer)
        self.blacklist = BlackLists(self, self.writer)
        self.record_exceptions = EmployeeList(self, "record")
        self.blf = EmployeeList(self, "blf")
        self.am_users = EmployeeList(self, "am")
        self.am_groups = DepartmentList(self, "am")
        self.music = MusicSettings(self)
        self.media = MediaCatalog(self)
        self.caller_ids = CallerIdRules(self)
        self.restrictions = RestrictionRules(self)
        self.sip_registrations = SipRegistrations(self)
        self.sipuri_transfers = SipuriTransfers(self)
        self.branches = Branches(self)
        self.webhooks = Webhooks(self)
        self.on_loaded(self._keep_locations)

    async def start(self) -> None:
        """Load the indexes and the registered devices, and begin to look for changes."""
        await super().start()
        await self.locations.load()

    def _keep_locations(self, domain: DomainConfig) -> None:
        ids = {login: employee.id for login, employee in domain.employees.items()}
        self.locations.keep_only(domain.id, ids)

    def since_ms(self, domain_id: int, login: str) -> int:
        """Say from when on a login is that of who has it now (`Employee.since_ms`)."""
        domain = self.cached_by_id(domain_id)
        employee = domain.employees.get(login) if domain is not None else None
        return employee.since_ms if employee is not None else 0

    async def authenticate_key(
        self, key: str, host: str | None, remote_ip: str | None
    ) -> KeyIdentity:
        """Return whose key this is; raises AuthFailure (crm-api §3).

        `host` is the name the request was sent to: a key of another domain than the one it
        names does not fit; one that names no domain here does not matter. `remote_ip` None:
        from this machine itself.
        """
        return await self.keys.authenticate(key, host, remote_ip)
