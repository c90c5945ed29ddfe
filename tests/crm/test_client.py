"""What the client makes of CRMs that behave, and of those that do not."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.crm.world import TOKEN, Behaviour, Crm, close, hang, integration, json_only, status
from vpbx.app import DataDir
from vpbx.app.certificate import Identities
from vpbx.config import ServeConfig
from vpbx.crm import CrmClient, Formats
from vpbx.crm.post import MAX_ANSWER
from vpbx.directory import Format
from vpbx.outside import is_public

FIELDS: dict[str, str | int] = {"cmd": "event", "callid": "1", "groupRealName": "Отдел"}


@pytest.fixture
async def client() -> AsyncIterator[CrmClient]:
    running = CrmClient(Formats(), timeout_s=5)
    await running.start()
    yield running
    await running.close()


async def test_a_command_arrives_as_a_form_with_the_token(client: CrmClient, crm: Crm) -> None:
    answer = await client.send(1, integration(crm.url), FIELDS)
    assert answer.taken
    (came,) = crm.came
    assert came["_type"] == "application/x-www-form-urlencoded"
    assert came["crm_token"] == TOKEN
    assert came["groupRealName"] == "Отдел"


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
async def test_any_2xx_is_success(client: CrmClient, crm: Crm, code: int) -> None:
    crm.behave = status(code)
    assert (await client.send(1, integration(crm.url), FIELDS)).taken


@pytest.mark.parametrize("code", [301, 302, 307, 308])
async def test_redirections_are_not_followed(client: CrmClient, crm: Crm, code: int) -> None:
    crm.behave = status(code)
    answer = await client.send(1, integration(crm.url), FIELDS)
    assert (answer.taken, answer.reason) == (False, f"HTTP {code}")
    assert [came["_path"] for came in crm.came] == ["/crm"]


async def test_auto_sends_json_once_after_415_and_then_first(client: CrmClient, crm: Crm) -> None:
    crm.behave = json_only
    for _ in range(2):
        assert (await client.send(1, integration(crm.url), FIELDS)).taken
    assert [came["_type"] for came in crm.came] == [
        "application/x-www-form-urlencoded",
        "application/json",
        "application/json",
    ]


@pytest.mark.parametrize("code", [400, 422])
async def test_auto_tries_twice_at_most(client: CrmClient, crm: Crm, code: int) -> None:
    crm.behave = status(code)
    answer = await client.send(1, integration(crm.url), FIELDS)
    assert answer.reason == f"HTTP {code}"
    assert len(crm.came) == 2


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (Format.FORM, "application/x-www-form-urlencoded"),
        (Format.JSON, "application/json"),
    ],
)
async def test_a_fixed_format_is_tried_once(
    client: CrmClient, crm: Crm, form: Format, kind: str
) -> None:
    crm.behave = status(415)
    assert not (await client.send(1, integration(crm.url, format=form), FIELDS)).taken
    assert [came["_type"] for came in crm.came] == [kind]


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (status(500), "HTTP 500"),
        (status(401), "HTTP 401"),
        (close, "the CRM closed the connection without an answer"),
    ],
)
async def test_failures_say_why(
    client: CrmClient, crm: Crm, behave: Behaviour, reason: str
) -> None:
    crm.behave = behave
    assert (await client.send(1, integration(crm.url), FIELDS)).reason == reason
    assert len(crm.came) == 1


async def test_a_crm_that_hangs_is_left_after_the_timeout(crm: Crm) -> None:
    crm.behave = hang
    client = CrmClient(Formats(), timeout_s=0.05)
    await client.start()
    answer = await client.send(1, integration(crm.url), FIELDS)
    assert (answer.status, answer.reason) == (0, "no answer in time")
    await client.close()


async def test_nobody_listening_is_a_failure(client: CrmClient, crm: Crm) -> None:
    await crm.down()
    answer = await client.send(1, integration(crm.url), FIELDS)
    assert (answer.status, answer.reason) == (0, "cannot connect: Connection refused")


@pytest.mark.parametrize(
    "url", ["", "crm.example", "ftp://crm.example/", "file:///etc/passwd", "http://", "http://[::"]
)
async def test_only_http_addresses_are_used(client: CrmClient, url: str) -> None:
    answer = await client.send(1, integration(url), FIELDS)
    assert "no http or https URL" in answer.reason


async def test_one_kept_connection_serves_many_commands(client: CrmClient, crm: Crm) -> None:
    for _ in range(20):
        await client.send(1, integration(crm.url), FIELDS)
    assert len(crm.connections) == 1


async def test_an_endless_answer_is_cut_off(client: CrmClient, crm: Crm) -> None:
    async def endless(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 8192)

    crm.behave = endless
    async with asyncio.timeout(30):
        answer = await client.send(1, integration(crm.url), FIELDS)
    assert answer.taken
    assert len(answer.body) == MAX_ANSWER


async def test_a_compressed_answer_is_not_unpacked(client: CrmClient, crm: Crm) -> None:
    async def bomb(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(body=b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"})

    crm.behave = bomb
    assert (await client.send(1, integration(crm.url), FIELDS)).body == b"\x1f\x8b\x08"


async def test_private_addresses_can_be_ruled_out(crm: Crm) -> None:
    client = CrmClient(Formats(), private=lambda: False)
    await client.start()
    by_address = await client.send(1, integration(crm.url), FIELDS)
    by_name = await client.send(1, integration(f"http://localhost:{crm.port}/crm"), FIELDS)
    await client.close()
    assert not by_address.taken
    assert not by_name.taken
    assert crm.came == []


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.1", "localhost"])
async def test_another_spelling_of_a_private_address_is_one(crm: Crm, host: str) -> None:
    client = CrmClient(Formats(), private=lambda: False)
    await client.start()
    answer = await client.send(1, integration(f"http://{host}:{crm.port}/crm"), FIELDS)
    await client.close()
    assert not answer.taken
    assert crm.came == []


async def test_a_second_company_ends_connections_to_private_addresses(crm: Crm) -> None:
    """The kept one of before is not used any more, by name or by address."""
    alone = True
    client = CrmClient(Formats(), private=lambda: alone)
    await client.start()
    urls = [crm.url, f"http://localhost:{crm.port}/crm"]
    for url in urls:
        assert (await client.send(1, integration(url), FIELDS)).taken
    alone = False
    for url in urls:
        answer = await client.send(1, integration(url), FIELDS)
        assert "private" in answer.reason
    alone = True
    assert (await client.send(1, integration(crm.url), FIELDS)).taken
    await client.close()
    assert len(crm.came) == 3


async def test_a_name_that_changes_its_address_gets_nowhere(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: public when it is looked at, private when it is connected to."""
    answers = iter(["93.184.216.34", "127.0.0.1"])
    looked_up = []

    class Rebinding:
        async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
            looked_up.append(address := next(answers))
            one = {"hostname": host, "host": address, "port": port}
            return [{**one, "family": socket.AF_INET, "proto": 0, "flags": 0}]

        async def close(self) -> None: ...

    monkeypatch.setattr("vpbx.crm.client.aiohttp.DefaultResolver", Rebinding)
    client = CrmClient(Formats(), private=lambda: False, timeout_s=0.3)
    await client.start()
    answer = await client.send(1, integration(f"http://x.example:{crm.port}/crm"), FIELDS)
    await client.close()
    assert not answer.taken
    assert crm.came == []
    assert looked_up == ["93.184.216.34"], "what was looked at is what is connected to"


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def says(*pieces: bytes, then_close: bool) -> AsyncIterator[tuple[str, list[int]]]:
    """Run a server that answers each request with these pieces, whatever it was.

    Gives its address, and how many requests came on each connection.
    """
    came: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        place = len(came)
        came.append(0)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                assert head.startswith("POST /x?y=1 HTTP/1.1\r\n")
                (length,) = re.findall(r"Content-Length: (\d+)\r\n", head)
                await reader.readexactly(int(length))
                came[place] += 1
                for piece in pieces:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)
                if then_close:
                    break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x?y=1", came


@pytest.mark.parametrize(
    ("pieces", "then_close", "body", "kept"),
    [
        ([HEAD, b"Content-Length: 4\r\n\r\nab", b"cd"], False, b"abcd", True),
        (
            [HEAD, b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", b"0\r\n\r\n"],
            False,
            b"ab",
            True,
        ),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], False, b"", True),
        (
            [b"HTTP/1.1 103 Early Hints\r\n\r\n", HEAD, b"Content-Length: 0\r\n\r\n"],
            False,
            b"",
            True,
        ),
        ([HEAD, b"Connection: close\r\nContent-Length: 2\r\n\r\nab"], False, b"ab", False),
        ([HEAD, b"\r\nab", b"cd"], True, b"abcd", False),
        ([b"HTTP/1.0 200 OK\r\n\r\nab"], True, b"ab", False),
    ],
)
async def test_each_way_http_ends_an_answer(
    client: CrmClient, pieces: list[bytes], then_close: bool, body: bytes, kept: bool
) -> None:
    async with says(*pieces, then_close=then_close) as (url, came), asyncio.timeout(30):
        for _ in range(3):
            answer = await client.send(1, integration(url), FIELDS)
            assert (answer.taken, answer.body) == (True, body)
        assert came == ([3] if kept else [1, 1, 1])


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ([b"SSH-2.0-OpenSSH_9.2\r\n"], "the CRM's answer is not HTTP"),
        ([HEAD + b"Content-Length: x\r\n\r\n"], "the CRM's answer is not HTTP"),
        (
            [b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"],
            "HTTP 101",
        ),
        ([HEAD + b"Content-Length: 9\r\n\r\nab"], "ClientPayloadError"),
        ([HEAD[:7]], "the CRM closed the connection without an answer"),
    ],
)
async def test_answers_that_are_none(client: CrmClient, pieces: list[bytes], reason: str) -> None:
    async with says(*pieces, then_close=True) as (url, came), asyncio.timeout(30):
        for _ in range(2):
            assert (await client.send(1, integration(url), FIELDS)).reason == reason
        assert came == [1, 1]


async def test_a_name_and_password_of_the_address_are_sent(client: CrmClient, crm: Crm) -> None:
    async def guarded(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        right = request.headers.get("Authorization") == "Basic bWU6c2UgY3JldA=="
        return web.Response(status=200 if right else 401)

    crm.behave = guarded
    url = crm.url.replace("//", "//me:se%20cret@")
    assert (await client.send(1, integration(url), FIELDS)).taken


async def test_a_certificate_that_is_not_trusted_is_a_failure(
    client: CrmClient, tmp_path: Path
) -> None:
    DataDir(tmp_path).prepare()
    ours = Identities(ServeConfig(data=tmp_path)).context
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0, ssl=ours)
    async with server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        answer = await client.send(1, integration(url), FIELDS)
    assert answer.reason == "the CRM's certificate is not trusted"


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("crm.example", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("[::1]", False),
        ("64:ff9b::10.0.0.1", False),
        ("64:ff9b::8.8.8.8", True),
        ("2002:7f00:1::1", False),
        ("::127.0.0.1", False),
        ("::10.0.0.1", False),
        ("64:ff9b:1::a00:1", False),
        ("fec0::1", False),
        ("255.255.255.255", False),
        ("192.0.0.1", False),
        ("198.18.0.1", False),
    ],
)
def test_which_addresses_are_public(host: str, public: bool) -> None:
    assert is_public(host) is public
