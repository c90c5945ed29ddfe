"""Clients that exist, each with the raw requests it sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.api.conftest import DOMAIN, Api, World
from tests.api.raw import ask_raw
from vpbx.events import Direction


def request(api: Api, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [
        f"{method} /crmapi/v1{path} HTTP/1.1",
        f"Host: {DOMAIN}",
        f"X-API-KEY: {api.key}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.mark.parametrize(
    "path",
    [
        "/users",
        "/users/admin",
        "/users/admin/groups",
        "/users/admin/dnd",
        "/groups",
        "/telnums",
        "/history/json",
        "/history/inner/json",
        "/openapi.json",
    ],
)
async def test_ruby_sends_an_empty_object_with_every_get(api: Api, path: str) -> None:
    """It accepts 200 and 204 only."""
    raw = request(api, "GET", path, b"{}", Content_Type="application/json", User_Agent="Ruby")
    answer = await ask_raw(api.base, raw)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"


async def test_ruby_deletes_and_posts_with_an_empty_object(api: Api) -> None:
    kind = {"Content_Type": "application/json"}
    for method, status in (("DELETE", 204), ("POST", 204)):
        raw = request(api, method, "/users/admin/dnd", b"{}", **kind)
        assert (await ask_raw(api.base, raw)).status == status
    raw = request(api, "POST", "/users", b'{"name": "Ann"}', **kind)
    assert (await ask_raw(api.base, raw)).status == 200


async def test_csharp_reads_strictly_and_sends_iso_times(api: Api, world: World) -> None:
    """System.Text.Json: known names only, nulls for what is not set, `o` format of times."""
    from tests.api.test_history import Past

    past = Past(world, (await world.domain()).id)
    await past.writer.start()
    await past.call(Direction.IN, rating=5)
    await past.writer.stop()
    span = "start=2023-11-14T00:00:00.0000000Z&end=2023-11-15T23:59:59Z"
    for path in (f"/history/json?{span}", "/history/json?period=this_week"):
        answer = await ask_raw(api.base, request(api, "GET", path, Accept="application/json"))
        assert answer.status == 200
    (row,) = (await ask_raw(api.base, request(api, "GET", f"/history/json?{span}"))).json()
    assert isinstance(row["uid"], str)
    assert isinstance(row["wait"], int)
    assert row["start"].endswith("Z")
    body = {"name": "Ann", "login": None, "mobile": None, "mobile_redirect": None, "role": "user"}
    raw = request(
        api,
        "POST",
        "/users",
        json.dumps(body).encode(),
        Content_Type="application/json; charset=utf-8",
        Expect="100-continue",
    )
    answer = await ask_raw(api.base, raw)
    assert answer.status in (100, 200)


async def test_a_cron_importer_pages_to_the_end(api: Api) -> None:
    for number in range(5):
        await api.post("/users", json={"name": f"Employee {number}"})
    start, seen, requests = 0, [], 0
    while True:
        path = f"/users?start={start}&limit=4"
        page: Any = (await ask_raw(api.base, request(api, "GET", path))).json()
        requests += 1
        seen += page["items"]
        if "next" not in page["info"]:
            break
        start = page["info"]["next"]
    assert (requests, len(seen), page["info"]["total"]) == (2, 6, 6)


async def test_a_browser_fetch_from_the_crm_works_where_allowed(api: Api, world: World) -> None:
    origin = "https://crm.example"
    crm = {"url": "https://crm.example/", "token": "t", "origins": [origin]}
    await world.directory.integrations.set(await world.domain(), crm)
    preflight = (
        f"OPTIONS /crmapi/v1/users HTTP/1.1\r\nHost: {DOMAIN}\r\nOrigin: {origin}\r\n"
        "Access-Control-Request-Method: GET\r\n"
        "Access-Control-Request-Headers: x-api-key\r\n\r\n"
    )
    answer = await ask_raw(api.base, preflight.encode())
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == origin
    assert "x-api-key" in answer.headers["access-control-allow-headers"].lower()
    answer = await ask_raw(api.base, request(api, "GET", "/users", Origin=origin))
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["vary"] == "Origin"


async def test_old_clients_speak_http_1_0(api: Api) -> None:
    raw = f"GET /crmapi/v1/users HTTP/1.0\r\nX-API-KEY: {api.key}\r\n\r\n".encode()
    answer = await ask_raw(api.base, raw)
    assert (answer.status, answer.json()["info"]["total"]) == (200, 1)
