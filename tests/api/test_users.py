"""Employees over HTTP (crm-api §6)."""

from __future__ import annotations

import pytest

from tests.api.conftest import Api, World
from vpbx.directory import LocationRow

ADMIN = {
    "login": "admin",
    "name": "Administrator",
    "position": "Administrator",
    "email": "",
    "ext": "701",
    "telnum": "",
    "role": "admin",
    "mobile": "",
    "mobile_redirect": {"enabled": False},
}


async def test_an_employee_is_shown_with_exactly_its_fields(api: Api) -> None:
    assert await api.get("/users/admin") == ADMIN
    assert await api.get("/users/701") == ADMIN
    assert (await api.get("/users"))["items"] == [ADMIN]


async def test_status_is_shown_only_when_asked(api: Api, world: World) -> None:
    assert (await api.get("/users/admin?with=status"))["status"] == "offline"
    row = LocationRow("sip:x@192.0.2.1", "udp", "192.0.2.1", 5060, 0, "", "c", 1, 4e9)
    world.directory.locations.save((await world.domain()).id, "admin", [row])
    assert (await api.get("/users/admin", json={"with": "status"}))["status"] == "online"
    assert (await api.get("/users?with=status"))["items"][0]["status"] == "online"
    assert await api.refused("GET", "/users?with=everything") == {"with"}


async def test_adding_needs_a_name_and_fills_in_the_rest(api: Api) -> None:
    user = await api.post("/users", json={"name": "Ann"})
    assert len(user.pop("password")) >= 8
    assert user == {
        **ADMIN,
        "login": "u702",
        "name": "Ann",
        "position": "Manager",
        "ext": "702",
        "role": "user",
    }


async def test_a_password_that_was_sent_is_not_shown(api: Api) -> None:
    sent = {"name": "Ann", "login": "ann", "password": "Correct-Horse-9"}
    assert "password" not in await api.post("/users", json=sent)


async def test_adding_with_everything(api: Api) -> None:
    sent = {
        "name": "Ann",
        "login": "ann",
        "email": "ann@acme.example",
        "ext": 750,
        "role": "group_head",
        "mobile": "8 (910) 123-45-67",
        "mobile_redirect": {"enabled": "true", "forward": 0, "delay": "15"},
    }
    user = await api.post("/users", json=sent)
    assert (user["ext"], user["mobile"]) == ("750", "79101234567")
    assert user["mobile_redirect"] == {"enabled": True, "forward": False, "delay": 15}


async def test_redirect_needs_a_mobile(api: Api) -> None:
    wrong = {"name": "Ann", "mobile_redirect": {"enabled": True}}
    assert await api.refused("POST", "/users", json=wrong) == {"mobile_redirect.enabled"}
    wrong = {"name": "Ann", "mobile": "79101234567", "mobile_redirect": {"enabled": 1, "delay": 7}}
    assert await api.refused("POST", "/users", json=wrong) == {"mobile_redirect.delay"}
    assert (await api.get("/users"))["info"]["total"] == 1


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_logins_and_exts_stay_unique(api: Api, method: str) -> None:
    await api.post("/users", json={"name": "Ann", "login": "ann", "ext": "750"})
    path = "/users" if method == "POST" else "/users/admin"
    assert await api.refused(method, path, json={"name": "Bob", "ext": "750"}) == {"ext"}
    if method == "POST":
        assert await api.refused(method, path, json={"name": "B", "login": "ann"}) == {"login"}


async def test_editing_changes_only_what_is_sent(api: Api) -> None:
    await api.post("/users", json={"name": "Ann", "login": "ann", "mobile": "79101234567"})
    before = await api.get("/users/ann")
    after = await api.put("/users/702", json={"name": "Anna", "position": None})
    assert after == {**before, "name": "Anna"}
    assert await api.put("/users/ann", data={"mobile": ""}) == {**after, "mobile": ""}
    assert await api.put("/users/ann", data=b"") == {**after, "mobile": ""}
    assert await api.refused("PUT", "/users/ann", json={"name": ""}) == {"name"}
    assert await api.refused("PUT", "/users/bob", 404, json={"name": "Bob"}) == set()


async def test_deleting(api: Api) -> None:
    await api.post("/users", json={"name": "Ann", "login": "ann"})
    await api.delete("/users/702", json={})
    assert await api.refused("GET", "/users/ann", 404) == set()
    assert await api.refused("DELETE", "/users/ann", 404) == set()
    assert await api.refused("DELETE", "/users/admin") == {"login"}


async def test_search_finds_any_script_and_any_case(api: Api) -> None:
    await api.post("/users", json={"name": "Ёлкина Анна"})
    found = await api.get("/users", params={"search": "ЁЛКИ"})
    assert [user["name"] for user in found["items"]] == ["Ёлкина Анна"]


async def test_departments_of_an_employee_and_receiving_calls_in_them(
    api: Api, world: World
) -> None:
    members = [{"login": "admin", "calls_enable": True}]
    domain = await world.domain()
    sales = await world.directory.groups.add(domain, {"name": "Sales", "users": members})
    support = await world.directory.groups.add(domain, {"name": "Support", "users": members})
    assert await api.get("/users/701/groups") == [
        {"id": sales.id, "name": "Sales", "ext": "702"},
        {"id": support.id, "name": "Support", "ext": "703"},
    ]
    path = "/users/admin/subscription"
    assert await api.get(path) == {"state": True}
    await api.delete(f"{path}?group_id={sales.id}")
    assert await api.get(f"{path}?group_id={sales.id}") == {"state": False}
    assert await api.get(path) == {"state": False}
    assert await api.get(path, json={"group_id": support.id}) == {"state": True}
    await api.post(path)
    assert await api.get(path) == {"state": True}
    await api.delete(path, json={})
    await api.post(path, json={"group_id": support.id})
    assert await api.get(path, params={"group_id": support.id}) == {"state": True}
    assert await api.get(path, params={"group_id": sales.id}) == {"state": False}
    assert await api.refused("POST", f"{path}?group_id=none") == {"group_id"}


async def test_do_not_disturb_is_inverted_against_its_name(api: Api, world: World) -> None:
    assert await api.get("/users/admin/dnd") == {"state": True}
    await api.delete("/users/admin/dnd")
    assert await api.get("/users/701/dnd") == {"state": False}
    assert not (await world.domain()).employees["admin"].receives_calls
    await api.post("/users/admin/dnd")
    assert await api.get("/users/admin/dnd") == {"state": True}
    await api.refused("POST", "/users/nobody/dnd", 404)
