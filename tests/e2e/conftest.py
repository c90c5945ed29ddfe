"""A running server for all tests of this folder, and a company of its own for each."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from tests.support.crm import Receiver
from tests.support.ladder import Caller, Sipp, Step, recv
from tests.support.pbx import Pbx, free_port
from vpbx.app.datadir import DataDir
from vpbx.db import Database
from vpbx.directory import Directory, DomainConfig, Secrets

_serial = itertools.count(1)

needs_sipp = pytest.mark.skipif(
    shutil.which("sipp") is None, reason="SIPp is not installed (apt-get install sip-tester)"
)
needs_baresip = pytest.mark.skipif(
    shutil.which("baresip") is None,
    reason="baresip is not installed (apt-get install baresip-core)",
)


@dataclass
class Company:
    """One domain with an administrator, managers, a trunk, a number and a CRM."""

    pbx: Pbx
    folder: Path
    domain: str
    key: str
    crm: Receiver
    trunk_port: int
    number: str
    password: str = "s3cret-pass"
    names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def employee(self, ext: str) -> str:
        """Add an employee; return the login once the server knows it."""
        login = f"user{ext}"
        async with self.directory() as (directory, domain):
            await directory.users.add(
                domain,
                {"name": f"Manager {ext}", "login": login, "ext": ext, "password": self.password},
            )
        await self.known(f"/users/{login}")
        return login

    async def route(self, telnum: str, login: str) -> None:
        """Give the company a number that rings an employee, and wait until the server knows."""
        async with self.directory() as (directory, domain):
            await directory.telnums.add(domain, telnum, trunk=self.trunk, user=login)
        await self.known(f"/telnums/{telnum}")

    @asynccontextmanager
    async def directory(self) -> AsyncIterator[tuple[Directory, DomainConfig]]:
        """Open the server's database beside it, as the command line does."""
        async with open_directory(self.pbx) as directory:
            domain = await directory.domain(self.domain)
            assert domain is not None
            yield directory, domain

    async def known(self, path: str) -> None:
        """Wait until the API shows `path`: the server takes a change within a second."""
        async with asyncio.timeout(30), aiohttp.ClientSession() as http:
            while True:
                async with http.get(self.pbx.api + path, headers={"X-API-KEY": self.key}) as got:
                    if got.status == 200:
                        return
                # seldom: a key that the server does not know yet counts as a wrong one
                await asyncio.sleep(0.4)

    @property
    def trunk(self) -> str:
        """The name of this company's carrier."""
        return f"carrier-{self.domain}"

    def sipp(self, name: str, steps: list[Step]) -> Sipp:
        """Prepare a SIPp that plays these steps."""
        return Sipp(self.folder, f"{next(self.names)}-{name}", steps)

    async def registered_phone(self, login: str, *, transport: str = "u1") -> int:
        """Let SIPp register as `login` by digest; return the port it did that from."""
        port = free_port()
        caller = Caller(caller=login, called=login, domain=self.domain)
        credentials = f"[authentication username={login} password={self.password}]"
        steps = [
            caller.send("REGISTER"),
            recv(401, auth=True),
            caller.send("REGISTER", cseq=2, headers=f"{credentials}\nExpires: 300"),
            recv(200),
        ]
        sipp = await self.sipp("register", steps).start(
            target=self.pbx.sip, port=port, transport=transport
        )
        result = await sipp.done()
        assert result.ok, result.output
        return port


@pytest.fixture(scope="session")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    """A server for the whole session, stopped by SIGTERM at its end."""
    server = Pbx(tmp_path_factory.mktemp("pbx") / "data").start()
    yield server
    server.kill()


@pytest.fixture
async def company(pbx: Pbx, tmp_path: Path) -> AsyncIterator[Company]:
    """A company of this test's own."""
    async with Receiver() as crm:
        yield await make_company(pbx, tmp_path, crm)


@asynccontextmanager
async def open_directory(pbx: Pbx) -> AsyncIterator[Directory]:
    """Open what the server keeps, from another process."""
    database = Database.from_url(pbx.database) if pbx.database else Database.for_data_dir(pbx.data)
    directory = Directory(database, secrets=Secrets.from_file(DataDir(pbx.data).secrets_key))
    await directory.start()
    try:
        yield directory
    finally:
        await directory.stop()
        await database.close()


async def make_company(pbx: Pbx, folder: Path, crm: Receiver) -> Company:
    """Set a company up beside the running server, as the command line would."""
    serial = next(_serial)
    name, trunk_port = f"c{serial}.example", free_port()
    async with open_directory(pbx) as directory:
        new = await directory.companies.add(name, "Europe/Moscow", "adm1n-pass")
        await directory.integrations.set(
            new.domain, {"url": crm.url, "token": f"token-{name}", "enabled": True}
        )
        await directory.trunk_rules.add(f"carrier-{name}", f"127.0.0.1:{trunk_port}")
        key = (await directory.keys.add(new.domain)).key
    company = Company(pbx, folder, name, key, crm, trunk_port, f"7499{serial:03d}0000")
    await company.known("/users")
    return company
