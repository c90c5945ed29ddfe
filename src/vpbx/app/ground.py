"""What every part of a server stands on: settings and files, the clock, the database, and what
companies have set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from vpbx.app.addresses import link_base
from vpbx.app.database import open_database
from vpbx.app.datadir import DataDir
from vpbx.app.lifetime import Lifetime
from vpbx.clock import Clock
from vpbx.config import ServeConfig
from vpbx.db import Database, Writer
from vpbx.directory import Directory, Integration, Secrets
from vpbx.events import CallInfo
from vpbx.history import recording_path

__all__ = ["NODE", "Ground", "lay_ground"]

NODE = 0
"""Which of several servers on one database this is; there is one, until there are more."""
_PATIENCE_S = 1.5
"""How long somebody who asked waits for a database that is locked or away; the API's promise is
an answer within 2 s."""


@dataclass(frozen=True, slots=True)
class Ground:
    """The ground of one server; `config` has the ports that were really taken."""

    config: ServeConfig
    data: DataDir
    clock: Clock
    life: Lifetime
    registry: CollectorRegistry
    database: Database
    writer: Writer
    directory: Directory

    def recording_path(self, call: CallInfo) -> Path:
        """Say where a call's recording is kept."""
        return recording_path(self.data.records, call.domain_id, call.callid, call.started_at)

    def console_at(self, domain: str) -> str:
        """Say how links to a company's console begin."""
        return link_base(self.config).replace("{domain}", domain)

    async def integration_of(self, domain_id: int) -> Integration | None:
        """Return a company's CRM, None where there is none or the company is off."""
        domain = await self.directory.domain_by_id(domain_id)
        return domain.integration if domain is not None and domain.enabled else None


async def lay_ground(
    config: ServeConfig,
    data: DataDir,
    clock: Clock,
    life: Lifetime,
    registry: CollectorRegistry,
) -> Ground:
    """Open the database and read what companies have set."""
    database = await open_database(data, config.database, patience_s=_PATIENCE_S)
    life.later(database.close, 0.5)
    data.remember_database(config.database)
    writer = Writer(database, spill=data.unwritten("calls"))
    await writer.start()
    life.later(writer.stop, 1.5)
    directory = Directory(
        database,
        clock=clock,
        secrets=Secrets.from_file(data.secrets_key),
        allow_private=config.allow_private_crm,
        spill=data.unwritten("settings"),
    )
    await directory.start()
    life.later(directory.stop, 0.7)
    return Ground(config, data, clock, life, registry, database, writer, directory)
