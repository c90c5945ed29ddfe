"""The older version of the API, as clients that know only it speak it (older-api.md)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from tests.api.conftest import DOMAIN, Answer, Api, Server, World
from tests.api.test_history import Past
from vpbx.api import ApiConfig, ApiServices, create_app
from vpbx.events import Direction

PATH = "/sys/crm_api.wcgp"


class Older:
    """A client of the older version."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.key = api.key

    async def __call__(self, cmd: str, *, method: str = "POST", **parameters: Any) -> Answer:
        fields = {"cmd": cmd, "token": self.key, **parameters}
        kwargs: dict[str, Any] = {"params" if method == "GET" else "data": fields}
        return await self.send(method, **kwargs)

    async def send(self, method: str, **kwargs: Any) -> Answer:
        headers = {"Host": DOMAIN, **kwargs.pop("headers", {})}
        url = self.api.base + PATH
        async with self.api.session.request(method, url, headers=headers, **kwargs) as reply:
            return Answer(reply.status, reply.headers, await reply.read())


@pytest.fixture
async def older(api: Api) -> Older:
    await api.post("/users", json={"name": "Ольга", "login": "olga", "ext": "707"})
    return Older(api)


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_employees_without_what_is_empty(older: Older, method: str) -> None:
    answer = await older("accounts", method=method)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json() == [
        {"name": "admin", "realName": "Administrator", "ext": "701"},
        {"name": "olga", "realName": "Ольга", "ext": "707"},
    ]


async def test_departments_of_all_and_of_one(older: Older) -> None:
    member = {"login": "olga", "calls_enable": True}
    sales = await older.api.post("/groups", json={"name": "Sales", "users": [member]})
    await older.api.post("/groups", json={"name": "Supply"})
    assert [each["realName"] for each in (await older("groups")).json()] == ["Sales", "Supply"]
    for user in ("olga", "707", f"olga@{DOMAIN}"):
        (found,) = (await older("groups", user=user)).json()
        assert found == {"id": sales["id"], "realName": "Sales", "ext": sales["ext"]}


async def test_receiving_calls_of_departments(older: Older) -> None:
    member = {"login": "olga", "calls_enable": True}
    group = await older.api.post("/groups", json={"name": "Sales", "users": [member]})
    for kwargs in ({"group_id": group["id"]}, {}):
        answer = await older("subscribeOnCalls", user="olga", status="off", **kwargs)
        assert (answer.status, answer.body) == (200, b"OK")
        for cmd in ("subscriptionStatus", "subscribtionstatus"):
            assert (await older(cmd, user="olga", **kwargs)).json() == {"status": "off"}
        await older("subscribeOnCalls", user="olga", status="on", **kwargs)
        assert (await older("subscriptionStatus", user="olga", **kwargs)).json() == {"status": "on"}


async def test_do_not_disturb_means_what_it_says(older: Older) -> None:
    assert (await older("get_dnd", user="olga")).json() == {"state": "false"}
    assert (await older("set_dnd", user="707", state="true")).json() == {"state": "true"}
    assert (await older("get_dnd", user="olga", method="GET")).json() == {"state": "true"}
    assert await older.api.get("/users/olga/dnd") == {"state": False}


async def test_history_is_csv_of_nine_columns_with_plus(older: Older, world: World) -> None:
    past = Past(world, (await world.domain()).id)
    await past.writer.start()
    await past.call(Direction.IN, rating=5)
    await past.call(Direction.OUT)
    await past.writer.stop()
    span = {"start": "20231114T000000Z", "end": "20231116T000000Z"}
    answer = await older("history", **span)
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = [line.split(",") for line in answer.body.decode().splitlines()]
    newer = await older.api("GET", "/history/csv", params=span)
    newer_rows = [line.split(",") for line in newer.body.decode().splitlines()]
    assert len(rows) == len(newer_rows) == 2
    for row, as_now in zip(rows, newer_rows, strict=True):
        assert len(row) == 9
        assert (row[2], row[4]) == (f"+{as_now[2]}", f"+{as_now[4]}")
        assert [*row[:2], row[3], *row[5:]] == [*as_now[:2], as_now[3], *as_now[5:9]]
    answer = await older("history", type="out", limit="1", **span)
    assert [line.split(b",")[1] for line in answer.body.splitlines()] == [b"out"]
    answer = await older("history", start="soon")
    assert (answer.status, answer.json()) == (400, {"error": "Invalid parameters: [start]"})


@pytest.mark.parametrize(
    ("cmd", "parameters", "wrong"),
    [
        ("dance", {}, "cmd"),
        ("", {}, "cmd"),
        ("makeCall", {"user": "olga"}, "phone"),
        ("makeCall", {"phone": "79101234567"}, "user"),
        ("makeCall", {"phone": "79101234567", "user": "olga@other.example"}, "user"),
        ("subscribeOnCalls", {"user": "ghost", "status": "on"}, "user"),
        ("subscribeOnCalls", {"user": "olga", "status": "maybe"}, "status"),
        ("subscribeOnCalls", {"user": "olga", "status": "on", "group_id": "g_x"}, "group_id"),
        ("set_dnd", {"user": "olga"}, "state"),
        ("groups", {"user": "ghost"}, "user"),
    ],
)
async def test_what_is_wrong_is_named(
    older: Older, cmd: str, parameters: dict[str, str], wrong: str
) -> None:
    answer = await older(cmd, **parameters)
    assert (answer.status, answer.json()) == (400, {"error": f"Invalid parameters: [{wrong}]"})


async def test_the_key_is_looked_at_first(older: Older, world: World) -> None:
    older.key = "wrong"
    answer = await older("dance")
    assert (answer.status, answer.json()) == (401, {"error": "Invalid token"})
    older.key = ""
    assert (await older("accounts")).status == 401
    await world.directory.companies.add("globex.vpbx.example")
    older.key = await world.key(domain="globex.vpbx.example")
    assert (await older("accounts")).status == 401, "a key of another company than the host's"


async def test_guessing_is_braked_as_in_the_newer_version(world: World) -> None:
    services = ApiServices(
        world.services.directory,
        world.services.history,
        world.services.calls,
        world.services.clock,
        ApiConfig(wrong_keys_per_minute=3),
    )
    async with Server(create_app(services)) as base, aiohttp.ClientSession() as session:
        older = Older(Api(base, "wrong", session))
        assert [(await older("accounts")).status for _ in range(5)] == [401, 401, 401, 429, 429]


async def test_parameters_may_stand_in_query_form_json_and_header(older: Older) -> None:
    query = urlencode({"cmd": "get_dnd", "user": "olga"})
    url = f"{older.api.base}{PATH}?{query}"
    for kwargs in (
        {"data": {"token": older.key}},
        {"json": {"token": older.key}},
        {"headers": {"X-API-KEY": older.key}},
    ):
        async with older.api.session.post(url, **kwargs) as reply:  # type: ignore[arg-type]
            assert (reply.status, json.loads(await reply.read())) == (200, {"state": "false"})
    form = f"cmd=accounts&token={older.key}".encode()
    answer = await older.send("POST", data=form, headers={"Content-Type": "text/plain"})
    assert answer.status == 200
    assert (await older.send("PUT", data=form)).status == 405
