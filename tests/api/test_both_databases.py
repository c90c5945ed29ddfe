"""Every section once on SQLite and on PostgreSQL: what differs is found by the others here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.conftest import Api, World, found_world
from tests.api.test_history import Past
from vpbx.db import Database
from vpbx.events import Direction

NUMBER = "79007775555"


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    """The world of the other tests, on each database in turn."""
    async with found_world(database, tmp_path) as found:
        yield found


async def test_history(api: Api, world: World) -> None:
    past = Past(world, (await world.domain()).id)
    await past.writer.start()
    await past.call(Direction.IN, rating=5)
    await past.call(Direction.OUT)
    await past.writer.stop()
    span = "start=20231114T000000Z&end=20231116T000000Z"
    rows = await api.get(f"/history/json?{span}")
    assert [row["type"] for row in rows] == ["out", "in"]
    assert rows[1]["rating"] == 5
    assert len(await api.get(f"/history/json?{span}&type=in&limit=1")) == 1
    answer = await api("GET", f"/history/csv?{span}")
    assert answer.body.count(b"\r\n") == 2
    assert await api.get(f"/history/inner/json?{span}") == []
    assert (await api("GET", f"/history/inner/csv?{span}")).body == b""


async def test_employees_and_departments(api: Api) -> None:
    added = await api.post("/users", json={"name": "Анна Смирнова", "login": "anna"})
    assert added["ext"] == "702"
    page = await api.get("/users?search=смир")  # any case, any script
    assert [user["login"] for user in page["items"]] == ["anna"]
    group = await api.post(
        "/groups", json={"name": "Продажи", "users": [{"login": "702", "calls_enable": True}]}
    )
    path = f"/groups/{group['id']}"
    await api.post(f"{path}/users", json={"add": ["admin"], "position": 0})
    members = (await api.get(path))["users"]
    assert [member["login"] for member in members] == ["admin", "anna"]
    assert (await api.get("/users/anna/groups"))[0]["name"] == "Продажи"
    await api.delete("/users/anna/subscription")
    assert await api.get("/users/anna/subscription") == {"state": False}
    await api.delete("/users/anna/dnd")
    assert await api.get("/users/anna/dnd") == {"state": False}
    assert await api.refused("POST", "/users", json={"name": "x", "login": "ANNA"}) == {"login"}
    assert (await api.put("/users/anna", json={"ext": "750"}))["ext"] == "750"
    await api.delete("/users/750")
    assert [user["login"] for user in (await api.get(path))["users"]] == ["admin"]
    assert (await api.get("/groups?search=ПРОД"))["info"]["total"] == 1
    await api.delete(path)
    await api.refused("GET", path, 404)


async def test_exts_of_employees_added_at_once_are_all_different(api: Api) -> None:
    added = await asyncio.gather(
        *(api.post("/users", json={"name": f"Employee {i}"}) for i in range(8))
    )
    assert len({user["ext"] for user in added}) == 8


async def test_numbers(api: Api, world: World) -> None:
    await world.directory.telnums.add(await world.domain(), NUMBER)
    path = f"/telnums/{NUMBER}"
    route = {"subtype": "user", "user": "admin", "greeting": False}
    body = {"type": "scheduler", "greeting": True, "work": route, "other": route}
    hours = {"monday": {"start": 32400, "end": 64800}}
    number = await api.post(path, json={**body, "schedule": hours})
    assert number["schedule"]["sunday"]["holiday"] is True
    extra = {"days": ["saturday"], "start": 36000, "end": 50400, "route_name": "Saturday"}
    number = await api.post(f"{path}/interval-schedule", json=extra)
    interval = number["custom_routes"][0]["interval_schedule"][0]["id"]
    await api.put(f"{path}/interval-schedule/{interval}", json={"end": 54000})
    holidays = {"calendar_predefined": True, "route_name": "Holidays"}
    number = await api.post(f"{path}/calendar-schedule", json=holidays)
    assert [custom["name"] for custom in number["custom_routes"]] == ["Saturday", "Holidays"]
    await api.delete(f"{path}/interval-schedule/{interval}")
    await api.delete(f"{path}/enabled")
    (found,) = (await api.get("/telnums?search=7775"))["items"]
    assert found["disabled"] is True


async def test_black_list(api: Api) -> None:
    await api.post("/blacklist/telnums", json=[{"telnum": "7900800*", "comment": "Spam"}])
    counted = {"telnum": "7900800*", "comment": "Spam", "week": 0, "year": 0}
    assert await api.get("/blacklist/telnums?with=statistics") == [counted]
    await api.delete("/blacklist/telnums?telnum=7900800*")
    await api.post("/blacklist/block-anonymous")
    assert await api.get("/blacklist/block-anonymous") == {"state": True}


async def test_settings_of_the_company(api: Api) -> None:
    group = (await api.post("/groups", json={"name": "Sales"}))["id"]
    assert (await api.get("/domain"))["limits"]["groups"]["used"] == 1
    chosen = await api.get("/music")
    await api.post("/music/holdmusic", json={"file": chosen["holdmusic"]["file"]})
    assert await api.get("/media-catalog/greeting") == []
    for path, name, ids in (
        ("/record/users-exception", "user", ["admin"]),
        ("/blf/users", "user", ["admin"]),
        ("/am/users", "user", ["admin"]),
        ("/am/groups", "group", [group]),
    ):
        await api.post(path, json=ids)
        await api.post(path, json=ids)  # again: nothing new
        await api.delete(path, params={name: ids[0]})
        await api.refused("DELETE", path, 404, params={name: ids[0]})


async def test_outgoing_numbers_and_restrictions(api: Api, world: World) -> None:
    await world.directory.telnums.add(await world.domain(), NUMBER)
    group = (await api.post("/groups", json={"name": "Sales"}))["id"]
    await api.post("/caller-ids/main", json={"telnum": NUMBER})
    await api.post("/caller-ids/users", json={"telnum": NUMBER, "login": "701"})
    await api.post("/caller-ids/groups", json={"telnum": NUMBER, "id": group})
    await api.post("/caller-ids/regions", json={"telnum": NUMBER, "id": "43"})
    shown = await api.get("/caller-ids")
    assert [shown["main"], *(shown[kind][0]["telnum"] for kind in ("users", "groups", "regions"))]
    for path in ("users/admin", f"groups/{group}", "regions/43"):
        await api.delete(f"/caller-ids/{path}")
        await api.refused("DELETE", f"/caller-ids/{path}", 404)
    rule = {"allowed": ["CIS", 179]}
    await api.post("/calls-restrictions/main", json=rule)
    await api.post("/calls-restrictions/users", json=[{"login": "admin", **rule}])
    await api.post("/calls-restrictions/groups", json=[{"id": group, **rule}])
    await api.delete("/calls-restrictions/users/admin?allowed=CIS")
    await api.delete(f"/calls-restrictions/groups/{group}?allowed=CIS&allowed=179")
    rules = await api.get("/calls-restrictions")
    assert rules["users"][0]["allowed"] == ["179"]
    assert rules["groups"][0]["allowed"] == []


async def test_other_operators_other_pbxs_and_webhooks(api: Api) -> None:
    registration = {"telnum": NUMBER, "name": "Second", "domain": "sip.example", "login": "x"}
    await api.post("/sip-registrations", json={**registration, "password": "secret"})
    await api.put(f"/sip-registrations/{NUMBER}", json={"active": False})
    assert (await api.get("/sip-registrations?search=second"))["items"][0]["active"] is False
    await api.delete(f"/sip-registrations/{NUMBER}")
    made = await api.post("/sipuri-transfers", json={"telnum": NUMBER})
    assert made["uri"] in str(await api.get("/sipuri-transfers"))
    await api.delete(f"/sipuri-transfers/{NUMBER}")
    branch = {"domain": "branch.example", "name": "Kazan", "key": "16faeb17-be58-43e8"}
    await api.post("/branches", json=branch)
    assert await api.refused("POST", "/branches", json=branch) == {"domain"}
    await api.put("/branches/branch.example", json={"name": "Kazan office"})
    assert (await api.post("/branches/branch.example/sync"))["name"] == "Kazan office"
    await api.delete("/branches/branch.example")
    hook = await api.post("/webhook", json={"url": "https://crm.example/hook"})
    assert await api.get("/webhook") == [hook]
    await api.delete(f"/webhook/{hook['id']}")
