"""What the client makes of CRMs that behave, and of those that do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from tests.crm.world import TOKEN, Behaviour, Crm, close, hang, integration, json_only, status
from vpbx.crm import CrmClient, Formats
from vpbx.crm.client import MAX_ANSWER, is_public
from vpbx.directory import Format

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
    async with asyncio.timeout(5):
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
    client = CrmClient(Formats(), private_addresses=False)
    await client.start()
    by_address = await client.send(1, integration(crm.url), FIELDS)
    by_name = await client.send(1, integration(f"http://localhost:{crm.port}/crm"), FIELDS)
    await client.close()
    assert not by_address.taken
    assert not by_name.taken
    assert crm.came == []


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
    ],
)
def test_which_addresses_are_public(host: str, public: bool) -> None:
    assert is_public(host) is public
