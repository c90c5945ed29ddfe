"""A running server for all tests of this folder, and a company of its own for each."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.crm import Receiver
from tests.support.ladder import Caller, Sipp, Step, recv
from tests.support.pbx import Pbx, free_port

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

    def employee(self, ext: str) -> str:
        """Add an employee; return the login."""
        login = f"user{ext}"
        self.pbx.vpbx(
            "user", "add", self.domain, f"Manager {ext}", "--login", login, "--ext", ext,
            "--password", self.password,
        )  # fmt: skip
        return login

    def route(self, telnum: str, login: str) -> None:
        """Give the company a number that rings an employee."""
        self.pbx.vpbx("number", "add", self.domain, telnum, "--trunk", self.trunk, "--user", login)

    @property
    def trunk(self) -> str:
        """The name of this company's carrier."""
        return f"carrier{self.trunk_port}"

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


async def make_company(pbx: Pbx, folder: Path, crm: Receiver) -> Company:
    """Set a company up by the commands an administrator would type."""
    serial = next(_serial)
    domain, trunk_port = f"c{serial}.example", free_port()
    number = f"7499{serial:03d}0000"

    def set_up() -> str:
        pbx.vpbx("domain", "add", domain, "--timezone", "Europe/Moscow", "--password", "adm1n-pass")
        key = pbx.vpbx("key", "add", domain)["key"]
        pbx.vpbx("crm", "set", domain, "--url", crm.url, "--token", f"token-{domain}")
        pbx.vpbx("trunk", "add", f"carrier{trunk_port}", "--address", f"127.0.0.1:{trunk_port}")
        return key

    key = await asyncio.to_thread(set_up)
    return Company(pbx, folder, domain, key, crm, trunk_port, number)
