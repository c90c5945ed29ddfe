"""Two servers with one company on each, connected by a key (crm-api §16)."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.e2e.conftest import open_directory
from tests.support.crm import Receiver
from tests.support.pbx import Pbx, free_port
from vpbx.directory import DomainConfig
from vpbx.sim import Phone
from vpbx.sim.agent import trusting_context
from vpbx.sip import Hop

__all__ = [
    *("KEY", "PASSWORD", "Namespace", "NoNamespaces", "Office"),
    *("connect", "namespace"),
]

KEY, PASSWORD = "16faeb17-be58-43e8-be9f", "s3cret-pass"


@dataclass
class Office:
    """A server with one company. `url`: where the other office finds it; `phones`: the address
    of its phones and its carrier."""

    pbx: Pbx
    domain: str
    crm: Receiver
    url: str
    phones: str = "127.0.0.1"
    key: str = ""
    number: str = "74951234567"
    trunk_port: int = field(default_factory=free_port)

    async def found(self, *exts: str) -> None:
        """Make the company: a number for the first of these employees, and a carrier."""
        async with open_directory(self.pbx) as directory:
            new = await directory.companies.add(self.domain, "Europe/Moscow", "adm1n-pass")
            told = {"url": self.crm.url, "token": self.domain, "enabled": True}
            await directory.integrations.set(new.domain, told)
            self.key = (await directory.keys.add(new.domain)).key
            trunk = f"{self.phones}:{self.trunk_port}"
            await directory.trunk_rules.add(f"carrier-{self.domain}", trunk)
            for ext in exts:
                values = {"name": f"{self.domain} {ext}", "login": f"u{ext}", "ext": ext}
                await directory.users.add(new.domain, {**values, "password": PASSWORD})
            trunk = f"carrier-{self.domain}"
            await directory.telnums.add(new.domain, self.number, trunk=trunk, user=f"u{exts[0]}")

    async def company(self, look: Callable[[DomainConfig], Any], timeout_s: float = 20) -> Any:
        """Wait until `look` at the company as it is kept returns something; return that."""
        async with asyncio.timeout(timeout_s), open_directory(self.pbx) as directory:
            while True:
                domain = await directory.domain(self.domain)
                if domain is not None and (seen := look(domain)):
                    return seen
                await asyncio.sleep(0.1)

    async def api(self, method: str, path: str, body: Any = None) -> Any:
        headers, url = {"X-API-KEY": self.key}, f"https://{self.pbx.https}/crmapi/v1{path}"
        tls = trusting_context()
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, url, json=body, headers=headers, ssl=tls) as got,
        ):
            assert got.status in (200, 204), await got.text()
            return await got.json() if got.status == 200 else None

    @property
    def hop(self) -> Hop:
        host, _, port = self.pbx.sip.rpartition(":")
        return Hop("udp", host, int(port))

    def phone(self, ext: str) -> Phone:
        return Phone(f"u{ext}", PASSWORD, self.domain, self.hop, host=self.phones)

    @property
    def authority(self) -> str:
        """What `vpbx certificate show --ca` would print."""
        return (self.pbx.data / "tls" / "ca.pem").read_text()


async def connect(one: Office, two: Office) -> None:
    """Let each add the other, and wait until both know who is there."""
    for office, other in ((one, two), (two, one)):
        async with open_directory(office.pbx) as directory:
            domain = await directory.domain(office.domain)
            assert domain is not None
            await directory.branches.add(
                domain, {"domain": other.domain, "name": "Other", "key": KEY}
            )
            place = {"url": other.url}
            if other.url.startswith("https:"):
                place["ca"] = other.authority
            await directory.branches.set_address(domain, other.domain, place)
    for office, other in ((one, two), (two, one)):
        await office.company(_stands(other.domain))


def _stands(peer: str) -> Callable[[DomainConfig], bool]:
    def look(domain: DomainConfig) -> bool:
        branch = domain.settings.branches[peer]
        return branch.status.value == "success" and len(branch.members) > 1

    return look


# -- a network of one's own ------------------------------------------------------------------------


class NoNamespaces(Exception):
    """Network namespaces cannot be made here."""


@dataclass(frozen=True)
class Namespace:
    """Another machine, as far as the network is concerned, and the cable to it."""

    name: str
    here: str
    """This end's IPv4 address."""
    there: str

    @property
    def under(self) -> tuple[str, ...]:
        """The command that runs another one there."""
        return ("ip", "netns", "exec", self.name)


@contextmanager
def namespace() -> Iterator[Namespace]:
    """Make one, with a pair of virtual interfaces; `NoNamespaces` where that cannot be."""
    if os.geteuid() != 0:
        raise NoNamespaces("network namespaces are made by root only")
    tag, net = os.getpid() % 100_000, os.getpid() % 16_000
    made = Namespace(f"vpbx{tag}", *(f"10.213.{net // 64}.{net % 64 * 4 + n}" for n in (1, 2)))
    outer, inner = f"vp{tag}a", f"vp{tag}b"
    try:
        _ip("netns", "add", made.name)
        _ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", made.name)
        _ip("addr", "add", f"{made.here}/30", "dev", outer)
        _ip("link", "set", outer, "up")
        for words in (
            ("addr", "add", f"{made.there}/30", "dev", inner),
            ("link", "set", inner, "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", made.name, *words)
        yield made
    finally:
        subprocess.run(["ip", "netns", "del", made.name], capture_output=True, check=False)


def _ip(*words: str) -> None:
    try:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NoNamespaces("there is no command `ip` (apt-get install iproute2)") from error
    if done.returncode:
        raise NoNamespaces(f"ip {' '.join(words)}: {done.stderr.strip()}")
