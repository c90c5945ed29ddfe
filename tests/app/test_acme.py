"""Public certificates from a real ACME server (Debian's pebble), proved over HTTP-01."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.app.test_certificate import listening, shown, trusting, write_pair
from tests.support.dns import NameServer
from tests.support.pbx import free_port
from vpbx.app import DataDir
from vpbx.app.acme import Acme, Challenges
from vpbx.app.certificate import Certificate, Identities, acme_file
from vpbx.app.http import HttpListener
from vpbx.clock import ManualClock
from vpbx.config import Endpoint, ServeConfig

pytestmark = pytest.mark.skipif(
    shutil.which("pebble") is None, reason="pebble is not installed (apt-get install pebble)"
)


class Pebble:
    """A running authority: where it is, how to trust it, and where it looks for challenges."""

    def __init__(self, folder: Path) -> None:
        self.port, self.manager, self.challenge_port = free_port(), free_port(), free_port()
        self.folder = folder
        chain, key, trusted = write_pair(folder / "https", "localhost", "127.0.0.1")
        self.trust = folder / "trust.pem"
        self.trust.write_bytes(trusted)
        self.config = folder / "pebble.json"
        settings = {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self.manager}",
            "certificate": str(chain),
            "privateKey": str(key),
            "httpPort": self.challenge_port,
            "tlsPort": free_port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
        }
        self.config.write_text(json.dumps({"pebble": settings}))

    @property
    def directory(self) -> str:
        return f"https://127.0.0.1:{self.port}/dir"

    async def root(self) -> bytes:
        """Return the certificate of the authority that signs (its management interface)."""
        trust = ssl.create_default_context(cafile=str(self.trust))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.manager, ssl=trust)
        writer.write(b"GET /roots/0 HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer.partition(b"\r\n\r\n")[2]


@asynccontextmanager
async def pebble(folder: Path, names: NameServer) -> AsyncIterator[Pebble]:
    made = Pebble(folder)
    host, port = names.address
    process = await asyncio.create_subprocess_exec(
        *("pebble", "-config", str(made.config), "-dnsserver", f"{host}:{port}"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "20"},
    )
    try:
        async with asyncio.timeout(20):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", made.port)
                    writer.close()
                    break
                except OSError:
                    await asyncio.sleep(0.05)
        yield made
    finally:
        process.kill()
        await process.wait()


async def test_companies_get_public_certificates_and_renewals_and_failures_wait(
    tmp_path: Path,
) -> None:
    tls = DataDir(tmp_path / "data")
    tls.prepare()
    challenges = Challenges()
    companies = ["gone.example.com", "acme.example.com"]
    clock = ManualClock()
    async with NameServer() as names, pebble(tmp_path, names) as authority:
        names.put("acme.example.com", "A", ["127.0.0.1"])
        listener = HttpListener(Endpoint("127.0.0.1", authority.challenge_port))
        listener.bind()
        await listener.start(challenges)

        def keeper() -> Acme:
            return Acme(
                email="admin@acme.example.com",
                directory=authority.directory,
                trust=authority.trust,
                tls=tls.tls,
                names=lambda: companies,
                challenges=challenges,
                clock=clock,
            )

        acme = keeper()
        await acme.look()
        path = acme_file(tls.tls, "acme.example.com")
        first = path.read_bytes()
        assert path.stat().st_mode & 0o77 == 0
        assert Certificate.read(path).names == ("acme.example.com",)
        assert not acme_file(tls.tls, "gone.example.com").exists()

        identities = Identities(ServeConfig(data=tls.root), lambda name: name in companies)
        async with listening(identities) as port:
            trust = trusting(await authority.root())
            assert (await shown(port, "acme.example.com", trust)).getpeercert()

        asked = len(names.asked)
        await acme.look()
        assert path.read_bytes() == first
        assert len(names.asked) == asked, "a name that failed was tried again at once"

        names.put("gone.example.com", "A", ["127.0.0.1"])
        clock.advance(3601)
        await acme.look()
        assert Certificate.read(acme_file(tls.tls, "gone.example.com")).covers("gone.example.com")

        path.unlink()
        await keeper().look()  # after a restart: the account that was made before is used
        assert path.read_bytes() != first
        await listener.stop()


async def test_challenges_give_away_nothing_else() -> None:
    challenges = Challenges()
    challenges.put("token", "token.thumbprint")
    listener = HttpListener(Endpoint("127.0.0.1", 0))
    listener.bind()
    await listener.start(challenges)

    async def get(path: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.endpoint.port)
        writer.write(f"GET {path} HTTP/1.0\r\nHost: acme.example.com\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return answer

    good = await get("/.well-known/acme-challenge/token")
    assert good.startswith(b"HTTP/1.1 200")
    assert good.endswith(b"token.thumbprint")
    for path in ("/", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/x", "/token"):
        assert (await get(path)).startswith(b"HTTP/1.1 404"), path
    challenges.drop("token")
    assert (await get("/.well-known/acme-challenge/token")).startswith(b"HTTP/1.1 404")
    await listener.stop()
