"""A whole server, while HTTP clients do their worst: calls go on, memory stays."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.support.pbx import Pbx, free_port
from vpbx.app import DataDir
from vpbx.db import Database
from vpbx.directory import Directory, Secrets
from vpbx.sim import Carrier, Phone, answering
from vpbx.sip import Hop

DOMAIN = "acme.example"
NUMBER = "74951234567"
PASSWORD = "correct horse 7"


async def found_company(data: Path, carrier_port: int) -> None:
    """One company with a number, in a data directory that no server has used yet."""
    DataDir(data).prepare()
    database = Database.for_data_dir(data)
    await database.migrate()
    directory = Directory(database, secrets=Secrets.from_file(DataDir(data).secrets_key))
    await directory.start()
    made = await directory.companies.add(DOMAIN, password=PASSWORD)
    await directory.trunk_rules.add("main", f"127.0.0.1:{carrier_port}")
    await directory.telnums.add(made.domain, NUMBER, trunk="main", user="admin")
    await directory.stop()
    await database.close()


def serve(data: Path, *under: str) -> Iterator[Site]:
    carrier_port = free_port()
    asyncio.run(found_company(data, carrier_port))
    pbx = Pbx(data, under=under)
    try:
        yield Site(pbx.start(), carrier_port)
    finally:
        pbx.kill()


@dataclass
class Site:
    """A server, and where its carrier calls from."""

    pbx: Pbx
    carrier_port: int

    async def call_goes_through(self) -> None:
        """A carrier's call to the administrator's phone is answered and heard on both sides."""
        sip = hop(self.pbx)
        async with (
            Carrier(sip, port=self.carrier_port) as carrier,
            Phone("admin", PASSWORD, DOMAIN, sip, behaviour=answering(1000)) as phone,
        ):
            call = await carrier.call(NUMBER, tone_hz=440)
            await call.answered()
            await call.heard(1000)
            await (await phone.rings()).heard(440)
            call.hangup()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    yield from serve(tmp_path / "data")


@pytest.fixture
def small_site(tmp_path: Path) -> Iterator[Site]:
    """A server that may open 256 files, and finds itself allowed 64."""
    yield from serve(tmp_path / "data", "prlimit", "--nofile=64:256")


def hop(pbx: Pbx) -> Hop:
    host, _, port = pbx.sip.rpartition(":")
    return Hop("udp", host, int(port))


def http_port(pbx: Pbx) -> int:
    return int(pbx.api.split("/")[2].rpartition(":")[2])


def resident_mb(pbx: Pbx) -> float:
    status = Path(f"/proc/{pbx.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def test_half_requests_do_not_take_the_files_that_calls_need(small_site: Site) -> None:
    pbx = small_site.pbx
    limits = Path(f"/proc/{pbx.pid}/limits").read_text()
    assert limits.partition("Max open files")[2].split()[:2] == ["256", "256"]
    held = []
    for _ in range(400):
        client = socket.create_connection(("127.0.0.1", http_port(pbx)), 5)
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b")
        held.append(client)
    try:
        assert len(list(Path(f"/proc/{pbx.pid}/fd").iterdir())) < 160
        async with aiohttp.ClientSession() as session, session.get(f"{pbx.api}/users") as answer:
            assert answer.status == 401
        await small_site.call_goes_through()
    finally:
        for client in held:
            client.close()


async def test_floods_of_headers_and_requests_leave_calls_and_memory_alone(site: Site) -> None:
    pbx = site.pbx
    port = http_port(pbx)
    head = b"GET /crmapi/v1/users HTTP/1.1\r\nHost: a\r\n"
    floods = [
        (head + b"X-A: ", b"x" * 65536),
        (head, b"".join(b"X-%d: y\r\n" % i for i in range(4000))),
        (b"", (head + b"\r\n") * 1000),
        (
            head.replace(b"GET", b"POST") + b"Transfer-Encoding: chunked\r\n\r\n",
            b"1\r\n{\r\n" * 9000,
        ),
    ]
    over = False

    async def flood(first: bytes, block: bytes) -> None:
        while not over:
            with contextlib.suppress(OSError, TimeoutError):
                _reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(first)
                until = time.monotonic() + 2
                while not over and time.monotonic() < until:
                    writer.write(block)
                    async with asyncio.timeout(1):
                        await writer.drain()
                writer.transport.abort()

    before = resident_mb(pbx)
    async with asyncio.TaskGroup() as tasks:
        for first, block in floods * 5:
            tasks.create_task(flood(first, block))
        try:
            await site.call_goes_through()
        finally:
            over = True
    assert resident_mb(pbx) - before < 60
    assert "Traceback" not in pbx.log()
