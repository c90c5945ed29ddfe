"""Departments over HTTP (crm-api §8)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api, World
from vpbx.directory import LocationRow


@pytest.fixture
async def staffed(api: Api) -> Api:
    for login in ("anton", "ivan"):
        await api.post("/users", json={"name": login.title(), "login": login})
    return api


def member(login: str, name: str, enabled: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "login": login,
        "name": name,
        "calls_enable": enabled,
        "group_head": False,
        "is_absence_active": False,
        "is_forwarding_disabled": True,
        **more,
    }


async def test_a_department_with_nothing_but_a_name(api: Api) -> None:
    made = await api.post("/groups", json={"name": "Sales"})
    assert made.pop("id").startswith("g_")
    assert made == {
        "name": "Sales",
        "ext": "702",
        "call_order": "ALL",
        "call_duration": 0,
        "users": [],
        "timeout": {"time": 120, "target": "voicemail"},
        "advanced": "off",
        "queue_position": False,
    }


async def test_a_department_with_everything(staffed: Api) -> None:
    sent = {
        "name": "Supply department",
        "ext": 750,
        "call_order": "EVENLY",
        "call_duration": "10",
        "advanced": "callback",
        "queue_position": 1,
        "timeout": {"time": 30, "target": "user", "user": "701"},
        "users": [{"login": "702", "calls_enable": "false"}, {"login": "ivan", "calls_enable": 1}],
    }
    made = await staffed.post("/groups", json=sent)
    assert made == {
        "id": made["id"],
        "name": "Supply department",
        "ext": "750",
        "call_order": "EVENLY",
        "call_duration": 10,
        "users": [member("anton", "Anton", False), member("ivan", "Ivan")],
        "timeout": {"time": 30, "target": "user", "user": "admin"},
        "advanced": "callback",
        "queue_position": True,
    }
    assert await staffed.get(f"/groups/{made['id']}") == made
    page = await staffed.get("/groups", params={"search": "SUPPLY"})
    assert page["items"] == [made]
    assert (await staffed.get("/groups?search=nothing"))["info"]["total"] == 0


async def test_who_can_be_reached_is_shown(staffed: Api, world: World) -> None:
    domain = await world.domain()
    row = LocationRow("sip:x@192.0.2.1", "udp", "192.0.2.1", 5060, 0, "", "c", 1, 4e9)
    world.directory.locations.save(domain.id, "anton", [row])
    redirect = {"mobile": "79101234567", "mobile_redirect": {"enabled": True}}
    await staffed.put("/users/ivan", json=redirect)
    await staffed.delete("/users/ivan/dnd")
    users = [{"login": login, "calls_enable": True} for login in ("admin", "anton", "ivan")]
    made = await staffed.post("/groups", json={"name": "Sales", "users": users})
    shown = {
        user["login"]: (user["is_absence_active"], user["is_forwarding_disabled"])
        for user in made["users"]
    }
    assert shown == {"admin": (False, True), "anton": (False, False), "ivan": (True, False)}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": None}, "name"),
        ({"call_order": "RANDOM"}, "call_order"),
        ({"call_duration": 7, "call_order": "EVENLY"}, "call_duration"),
        ({"advanced": "music"}, "advanced"),
        ({"timeout": {"time": 31}}, "timeout.time"),
        ({"timeout": {"target": "user"}}, "timeout.user"),
        ({"timeout": {"target": "group", "group": "none"}}, "timeout.group"),
        ({"timeout": {"target": "moon"}}, "timeout.target"),
        ({"users": [{"login": "nobody", "calls_enable": True}]}, "users[0].login"),
        ({"users": [{"login": "admin"}]}, "users[0].calls_enable"),
        ({"users": "admin"}, "users"),
        ({"ext": "701"}, "ext"),
    ],
)
async def test_what_is_wrong_is_named(api: Api, change: dict[str, Any], field: str) -> None:
    assert await api.refused("POST", "/groups", json={"name": "Sales", **change}) == {field}
    assert (await api.get("/groups"))["items"] == []


async def test_editing_changes_only_what_is_sent(staffed: Api) -> None:
    users = [{"login": "admin", "calls_enable": True}]
    made = await staffed.post("/groups", json={"name": "Sales", "ext": "750", "users": users})
    path = f"/groups/{made['id']}"
    assert await staffed.put(path, json={"name": "Best sales"}) == {**made, "name": "Best sales"}
    users = [{"login": "ivan", "calls_enable": True}, {"login": "admin", "calls_enable": False}]
    after = await staffed.put("/groups/750", json={"users": users, "queue_position": "true"})
    assert [user["login"] for user in after["users"]] == ["ivan", "admin"]
    assert after["queue_position"] is True
    assert (await staffed.put(path, json={"users": []}))["users"] == []
    await staffed.refused("PUT", "/groups/none", 404, json={})


async def test_members_come_and_go(staffed: Api) -> None:
    made = await staffed.post("/groups", json={"name": "Sales"})
    path = f"/groups/{made['id']}"
    await staffed.post(f"{path}/users", json={"add": ["admin", "anton"]})
    change = {"add": ["ivan"], "position": 0, "calls_disable": ["703", "702"], "remove": ["701"]}
    await staffed.post(f"{path}/users", json=change)
    users = (await staffed.get(path))["users"]
    assert [(u["login"], u["calls_enable"]) for u in users] == [("ivan", False), ("anton", False)]
    assert await staffed.refused("POST", f"{path}/users", json={"add": ["nobody"]}) == {"add"}
    await staffed.refused("POST", "/groups/none/users", 404, json={})


async def test_deleting(api: Api) -> None:
    made = await api.post("/groups", json={"name": "Sales"})
    await api.delete(f"/groups/{made['id']}")
    await api.refused("GET", f"/groups/{made['id']}", 404)
    await api.refused("DELETE", f"/groups/{made['id']}", 404)
