"""A company to call: made straight in the data directory, before the server starts."""

from __future__ import annotations

import time
from pathlib import Path

from vpbx.app.database import open_database
from vpbx.app.datadir import DataDir
from vpbx.directory import Directory, LocationRow

DOMAIN = "bench.example"
EMPLOYEES = 300
"""More than talk at once at 150 calls a second of about a second each."""


def numbers() -> list[str]:
    """Return the company's numbers; each rings the phone that is registered as that number."""
    return [f"7499{place:07d}" for place in range(EMPLOYEES)]


async def make_company(
    folder: Path, *, carrier_port: int, phones_port: int, crm_url: str, database: str = ""
) -> None:
    """Fill the database in `folder`: employees, their phones, numbers, a trunk, a CRM or none."""
    data = DataDir(folder)
    data.prepare()
    opened = await open_database(data, database)
    directory = Directory(opened)
    await directory.start()
    try:
        new = await directory.companies.add(DOMAIN, "Europe/Moscow", "bench-password")
        await directory.trunk_rules.add("carrier", f"127.0.0.1:{carrier_port}")
        if crm_url:
            await directory.integrations.set(new.domain, {"url": crm_url, "token": "bench-token"})
        for telnum in numbers():
            login = f"e{telnum}"
            values = {"name": f"Employee {telnum}", "login": login, "password": "bench-password"}
            domain = await directory.current(new.domain)
            await directory.users.add(domain, values)
            await directory.telnums.add(domain, telnum, trunk="carrier", user=login)
            row = LocationRow(
                contact=f"sip:{telnum}@127.0.0.1:{phones_port}",
                transport="udp",
                host="127.0.0.1",
                port=phones_port,
                connection=0,
                path="",
                call_id=f"bench-{telnum}",
                cseq=1,
                expires_at=time.time() + 86400,
            )
            directory.locations.save(new.domain.id, login, [row])
        await directory.writer.flush()
    finally:
        await directory.stop()
        await opened.close()
