"""Two servers, one company on each, connected by a key (crm-api §16)."""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.command import run_vpbx
from tests.support.crm import Receiver
from tests.support.pbx import Pbx, free_port
from vpbx.sim import Call, Carrier, Phone
from vpbx.sip import Hop

KEY = "16faeb17-be58-43e8-be9f"
PASSWORD = "s3cret-pass"
_numbers = itertools.count(1)


@dataclass
class Office:
    """A server with one company."""

    pbx: Pbx
    domain: str
    key: str = ""

    async def found(self, *exts: str) -> None:
        """Make the company, and employees with these exts."""
        self.pbx.vpbx("domain", "add", self.domain)
        self.key = self.pbx.vpbx("key", "add", self.domain)["key"]
        await self.knows("/users", pause_s=0.4)  # a key it does not know yet is a wrong one
        for ext in exts:
            await self.api(
                "POST",
                "/users",
                {
                    "name": f"{self.domain} {ext}",
                    "login": f"u{ext}",
                    "ext": ext,
                    "password": PASSWORD,
                },
            )

    async def knows(self, path: str, pause_s: float = 0.05) -> None:
        """Wait until the API shows this."""
        headers = {"X-API-KEY": self.key}
        async with asyncio.timeout(30), aiohttp.ClientSession(headers=headers) as http:
            while True:
                async with http.get(self.pbx.api + path) as got:
                    if got.status == 200:
                        return
                await asyncio.sleep(pause_s)

    async def taken(self) -> None:
        """Wait until the server knows what commands have changed: one more change shows."""
        login = f"mark{next(_numbers)}"
        self.pbx.vpbx("user", "add", self.domain, "Mark", "--login", login)
        await self.knows(f"/users/{login}")

    def connect(self, other: Office, key: str = KEY) -> dict[str, Any]:
        """Add the other office as this one's administrator would."""
        command = ["branch", "add", self.domain, other.domain, "--name", "Other"]
        command += ["--key-stdin"]
        if other.pbx is not self.pbx:
            command += ["--url", other.pbx.api.removesuffix("/crmapi/v1")]
        done = run_vpbx(*command, "--data", self.pbx.data, "--json", stdin=key)
        assert done.returncode == 0, done.stderr
        assert key not in done.stdout + done.stderr
        return self.branch()

    def branch(self) -> dict[str, Any]:
        """Return the connection as `vpbx branch list` shows it."""
        (row,) = self.pbx.vpbx("branch", "list", self.domain)
        return dict(row)

    async def stands(self, status: str, reason: str = "") -> dict[str, Any]:
        """Wait until the connection stands so, with these words in the reason."""
        async with asyncio.timeout(30):
            while True:
                row = await asyncio.to_thread(self.branch)
                if row["status"] == status and reason in row["reason"]:
                    return row
                await asyncio.sleep(0.1)

    async def api(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"X-API-KEY": self.key}
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, self.pbx.api + path, json=body, headers=headers) as got,
        ):
            assert got.status in (200, 204), await got.text()
            return await got.json() if got.status == 200 else None

    def phone(self, login: str) -> Phone:
        host, _, port = self.pbx.sip.partition(":")
        return Phone(login, PASSWORD, self.domain, Hop("udp", host, int(port)))


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Pbx, Pbx]]:
    pair = Pbx(tmp_path / "one"), Pbx(tmp_path / "two")
    with ThreadPoolExecutor() as both:
        list(both.map(Pbx.start, pair))
    yield pair
    for server in pair:
        server.kill()


@pytest.fixture
async def offices(servers: tuple[Pbx, Pbx]) -> tuple[Office, Office]:
    one, two = Office(servers[0], "one.example"), Office(servers[1], "two.example")
    await one.found("731", "702")
    await two.found("711", "702")
    return one, two


async def test_two_servers_connect_and_their_people_call_each_other(
    offices: tuple[Office, Office],
) -> None:
    one, two = offices
    one.connect(two)
    await one.stands("waiting", "not added")
    two.connect(one)
    row = await two.stands("success")
    assert (row["users"], row["exts"], row["collisions"]) == (3, 2 + 1, 2)  # admin has an ext too
    await one.stands("success")

    async with one.phone("u731") as ann, two.phone("u711") as bob:
        call = await ann.call("711", tone_hz=440)
        taken = await bob.incoming()
        assert taken.session is not None
        assert taken.session.from_.name == "one.example 731"
        assert taken.session.from_.uri.user == "731"
        await taken.answer(880)
        await call.answered()
        await asyncio.gather(call.heard(880), taken.heard(440))
        call.hangup()
        await taken.ended()
        for office in offices:  # both have it in their inner history
            (history,) = await rows(office)
            assert history["status"] == "success"
            assert (history["from_name"], history["to_name"]) == (
                "one.example 731",
                "two.example 711",
            )
        # the own one of an ext that both have
        call = await ann.call("702")
        assert (await call.ended()).code in (480, 404)
        assert not bob.calls[1:]
        # a member across, in a department that a phone of the company calls
        made = await one.api("POST", "/groups", {"name": "Both", "ext": "750"})
        await asyncio.sleep(0.1)
        await one.api(
            "PUT",
            f"/groups/{made['id']}",
            {"users": [{"login": "u711", "branch_domain": two.domain, "calls_enable": True}]},
        )
        call = await ann.call("750", tone_hz=440)
        taken = await bob.nth_call(1)
        await taken.answer(880)
        await call.answered()
        call.hangup()
        await taken.ended()


async def reaches(caller: Phone, ext: str, called: Phone) -> tuple[Call, Call]:
    """Call until it rings there: the server hears of a change within a second."""
    before = len(called.calls)
    async with asyncio.timeout(30):
        while True:
            call = await caller.call(ext, tone_hz=440)
            while not call.is_over:
                if called.calls[before:]:
                    return call, called.calls[before]
                await asyncio.sleep(0.02)


async def rows(office: Office) -> list[dict[str, Any]]:
    async with asyncio.timeout(30):
        while not (found := await office.api("GET", "/history/inner/json?period=today")):
            await asyncio.sleep(0.1)
    return list(found)


async def test_changes_are_told_at_once_and_another_key_is_an_error(
    offices: tuple[Office, Office],
) -> None:
    one, two = offices
    two.connect(one)
    one.connect(two)
    await one.stands("success")
    await two.stands("success")
    await two.api("POST", "/users", {"name": "New", "ext": "722"})
    async with asyncio.timeout(30):
        while one.branch()["users"] != 4:
            await asyncio.sleep(0.1)
    shown = await one.api("GET", "/branches/two.example")
    assert (shown["status"], shown["users_count"]) == ("success", 4)
    synced = await one.api("POST", "/branches/two.example/sync")
    assert synced["status"] == "success"
    two.pbx.vpbx("branch", "remove", two.domain, one.domain, "--yes")
    assert (await one.api("POST", "/branches/two.example/sync"))["status"] == "waiting"
    two.connect(one, key="quite another key")
    await two.stands("error", "the keys are not the same")
    assert (await one.api("POST", "/branches/two.example/sync"))["status"] == "error"
    assert KEY not in one.pbx.log() + two.pbx.log()


async def test_a_server_that_is_away_is_an_error_and_comes_back(
    offices: tuple[Office, Office],
) -> None:
    one, two = offices
    two.connect(one)
    one.connect(two)
    await one.stands("success")
    two.pbx.stop()
    assert (await one.api("POST", "/branches/two.example/sync"))["status"] == "error"
    assert "cannot be reached" in one.branch()["reason"]
    async with one.phone("u731") as ann:
        call = await ann.call("711")
        assert (await call.ended()).code in (480, 503)
    two.pbx.start()
    await one.stands("success")


async def test_nobody_else_gets_the_directory_or_a_call_through(
    offices: tuple[Office, Office],
) -> None:
    one, two = offices
    two.connect(one)
    one.connect(two)
    await one.stands("success")
    base = one.pbx.api.removesuffix("/crmapi/v1") + "/branch/v1"
    async with aiohttp.ClientSession() as http:

        async def post(path: str, body: Any) -> tuple[int, Any]:
            async with http.post(f"{base}/{path}", json=body) as got:
                return got.status, await got.json()

        status, given = await post("challenge", {"from": two.domain, "to": one.domain})
        assert status == 200
        told = {
            "from": two.domain,
            "to": one.domain,
            "challenge": given["challenge"],
            "counter": "1",
            "content": '{"people": []}',
            "proof": "0" * 64,
        }
        assert (await post("exchange", told))[0] == 403
        assert (await post("exchange", {**told, "from": "evil.example"}))[0] == 404
        assert (await post("exchange", {**told, "challenge": "1.2.3"}))[0] == 409
        for body in ([], {}, {"to": 1}, "x"):
            assert (await post("exchange", body))[0] == 400
            assert (await post("challenge", body))[0] in (400, 404)
    assert one.branch()["users"] == 3
    # an employee of the other company with a right password of their own is no key
    host, _, port = one.pbx.sip.partition(":")
    async with two.phone("u711") as bob:
        call = await bob.invite(
            f"sip:731@{one.domain}", Hop("udp", host, int(port)), from_=f"<sip:711@{two.domain}>"
        )
        assert (await call.ended()).code == 401


async def test_two_companies_of_one_server_connect_and_keep_their_own_history(
    tmp_path: Path,
) -> None:
    pbx = Pbx(tmp_path / "both").start()
    try:
        one, two = Office(pbx, "one.example"), Office(pbx, "two.example")
        await one.found("731", "702")
        await two.found("711", "702")
        async with one.phone("u731") as ann, two.phone("u711") as bob:
            call = await ann.call("711")
            assert (await call.ended()).code in (403, 404)  # they are not connected
            call = await ann.invite(f"sip:711@{two.domain}", ann.pbx, from_=f"<{ann.address}>")
            assert (await call.ended()).code in (401, 403)
            one.connect(two)
            two.connect(one)
            await one.stands("success")
            await two.stands("success")
            call, taken = await reaches(ann, "711", bob)
            assert taken.session is not None
            assert taken.session.from_.name == "one.example 731"
            await taken.answer(880)
            await call.answered()
            await asyncio.gather(call.heard(880), taken.heard(440))
            call.hangup()
            await taken.ended()
            for office in (one, two):
                (history,) = await rows(office)
                assert (history["status"], history["from_name"], history["to_name"]) == (
                    "success",
                    "one.example 731",
                    "two.example 711",
                )
            # a call back, which nobody takes, is busy for both
            call = await bob.call("731")
            (await ann.incoming()).reject(486)
            assert (await call.ended()).code == 486
    finally:
        pbx.kill()


async def test_a_customer_reaches_a_member_across_and_the_other_sides_crm_hears_nothing(
    offices: tuple[Office, Office],
) -> None:
    one, two = offices
    two.connect(one)
    one.connect(two)
    await one.stands("success")
    await two.stands("success")
    port = free_port()
    one.pbx.vpbx("trunk", "add", "main", "--address", f"127.0.0.1:{port}")
    group = await one.api("POST", "/groups", {"name": "Both", "ext": "750"})
    member = {"login": "u711", "branch_domain": two.domain, "calls_enable": True}
    await one.api("PUT", f"/groups/{group['id']}", {"users": [member]})
    one.pbx.vpbx("number", "add", one.domain, "74951234567", "--group", "750")
    async with Receiver() as crm, Receiver() as others:
        for office, receiver in ((one, crm), (two, others)):
            office.pbx.vpbx("crm", "set", office.domain, "--url", receiver.url, "--token", "t")
            await office.taken()
        host, _, sip = one.pbx.sip.partition(":")
        carrier = Carrier(Hop("udp", host, int(sip)), port=port)
        async with carrier, two.phone("u711") as bob:
            call = await carrier.call("74951234567", caller="79101234567", tone_hz=440)
            taken = await bob.incoming()
            assert taken.session is not None
            assert taken.session.from_.uri.user == "79101234567"
            await taken.answer(880)
            await call.answered()
            await asyncio.gather(call.heard(880), taken.heard(440))
            call.hangup()
            await taken.ended()
            history = await crm.gets("history")
            assert (history["type"], history["status"]) == ("in", "Success")
            assert history["user"] == f"u711@{two.domain}"
        assert others.commands == []


def address(office: Office, kind: str) -> str:
    """Return HOST:PORT of one of a server's listeners."""
    return office.pbx.addresses[kind].split("://")[-1].rstrip("/")


async def test_two_servers_with_certificates_of_their_own_need_no_authority(
    offices: tuple[Office, Office],
) -> None:
    """The certificate that is shown goes under the proof of the key."""
    one, two = offices
    for office, other in ((one, two), (two, one)):
        office.connect(other)
        https = f"https://{address(other, 'https')}"
        office.pbx.vpbx("branch", "address", office.domain, other.domain, "--url", https)
    await one.stands("success")
    await two.stands("success")
    assert (await one.api("POST", "/branches/two.example/sync"))["status"] == "success"


async def test_somebody_in_between_with_another_certificate_gets_nothing(
    offices: tuple[Office, Office], tmp_path: Path
) -> None:
    """A proxy that ends TLS and passes everything on, as an eavesdropper would."""
    one, two = offices
    two.connect(one)
    certificate, key = tmp_path / "eve.pem", tmp_path / "eve.key"
    made = await asyncio.create_subprocess_exec(
        *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=eve"),
        *("-keyout", str(key), "-out", str(certificate), "-days", "2"),
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert await made.wait() == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    host, _, port = address(two, "http").partition(":")
    passed = bytearray()

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection(host, int(port))

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                passed.extend(data)
                sink.write(data)
            sink.close()

        await asyncio.gather(pump(reader, to_writer), pump(to_reader, writer))

    server = await asyncio.start_server(between, "127.0.0.1", 0, ssl=context)
    try:
        own = server.sockets[0].getsockname()[1]
        one.connect(two)
        one.pbx.vpbx(
            *("branch", "address", one.domain, two.domain),
            *("--url", f"https://127.0.0.1:{own}"),
        )
        async with asyncio.timeout(30):
            # the state shows it too, until the other office, which nobody spies on, comes here
            while "in between" not in one.pbx.log():
                await asyncio.sleep(0.1)
        assert b"two.example 711" not in passed
        assert b"one.example 731" not in passed
        assert KEY.encode() not in passed
    finally:
        server.close()
