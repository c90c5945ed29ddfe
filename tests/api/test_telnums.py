"""Numbers and their routes over HTTP (crm-api §9)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Api, World

MAIN, OTHER = "79007775555", "79007771122"


@pytest.fixture
async def numbers(api: Api, world: World) -> Api:
    domain = await world.domain()
    await world.directory.telnums.add(domain, MAIN, name="Main")
    await world.directory.telnums.add(domain, OTHER)
    return api


def number(telnum: str, **more: Any) -> dict[str, Any]:
    return {
        "telnum": telnum,
        "name": "",
        "type": "user",
        "greeting": False,
        "is_main_phone": False,
        "disabled": False,
        "crm": "",
        "calltracking": "",
        "greeting_custom": False,
        "greeting_file": "",
        "user": "",
        "user_name": "",
        "group": "",
        "group_name": "",
        "route_group_id": "",
        "route_group_name": "",
        **more,
    }


ADMIN = {"user": "admin", "user_name": "Administrator"}


async def test_numbers_are_listed_and_found(numbers: Api) -> None:
    page = await numbers.get("/telnums")
    location = page["items"][0]["location"]
    main = number(MAIN, name="Main", is_main_phone=True, location=location, **ADMIN)
    assert page["items"] == [number(OTHER, location=location, **ADMIN), main]
    assert page["info"] == {"search": "", "total": 2, "start": 0, "limit": 2}
    assert (await numbers.get("/telnums?search=main"))["items"] == [main]
    assert (await numbers.get("/telnums?search=ADMINIS"))["info"]["total"] == 2
    assert await numbers.get("/telnums/8 (900) 777-55-55") == main
    await numbers.refused("GET", "/telnums/79990000000", 404)


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_number_is_routed_to_an_employee_or_a_department(numbers: Api, method: str) -> None:
    group = await numbers.post("/groups", json={"name": "Sales"})
    sent = {"type": "group", "group": group["id"], "greeting": "true", "name": "Shop"}
    answer = await numbers(method, f"/telnums/{OTHER}", data=sent)
    assert answer.status == 200
    shown = answer.json()
    assert (shown["type"], shown["group_name"], shown["greeting"]) == ("group", "Sales", True)
    assert (shown["user"], shown["name"]) == ("", "Shop")
    answer = await numbers(
        method, f"/telnums/{OTHER}", json={"type": "user", "user": "701", "greeting": 0}
    )
    assert (answer.json()["user"], answer.json()["group"]) == ("admin", "")
    sent = {"type": "fax", "user": "admin", "greeting": False}
    assert (await numbers(method, f"/telnums/{OTHER}", json=sent)).json()["type"] == "fax"


async def test_a_menu_with_a_menu_inside(numbers: Api) -> None:
    inside = {"name": "Inside", "items": [{"button": "0", "type": "user", "user": "701"}]}
    menu = {
        "name": "Welcome",
        "greeting": True,
        "items": [
            {"button": 1, "type": "user", "user": "admin"},
            {"button": "timeout", "type": "ivr", "ivr": inside},
        ],
    }
    sent = {"type": "ivr", "greeting": False, "ivr": menu}
    shown = await numbers.put(f"/telnums/{OTHER}", json=sent)
    assert shown["ivr"] == {
        "name": "Welcome",
        "greeting": True,
        "greeting_custom": False,
        "items": [
            {"button": "1", "type": "user", "user": "admin", "user_name": "Administrator"},
            {
                "button": "timeout",
                "type": "ivr",
                "ivr": {
                    "name": "Inside",
                    "greeting": False,
                    "greeting_custom": False,
                    "items": [
                        {
                            "button": "0",
                            "type": "user",
                            "user": "admin",
                            "user_name": "Administrator",
                        }
                    ],
                },
            },
        ],
    }
    assert await numbers.put(f"/telnums/{OTHER}", json=shown) == shown, "what is shown can be sent"


async def test_a_menu_may_be_given_by_its_name(numbers: Api) -> None:
    items = [
        {"button": "1", "type": "user", "user": "admin"},
        {"button": "0", "type": "ivr", "ivr": "Welcome"},
    ]
    inside = {"name": "Support", "items": items}
    menu = {"name": "Welcome", "items": [{"button": "2", "type": "ivr", "ivr": inside}]}
    sent = {"type": "ivr", "greeting": False, "ivr": menu}
    shown = await numbers.put(f"/telnums/{OTHER}", json=sent)
    back = shown["ivr"]["items"][0]["ivr"]["items"][1]["ivr"]
    assert back == {"name": "Welcome", "greeting": False, "greeting_custom": False, "items": []}
    assert await numbers.put(f"/telnums/{OTHER}", json=shown) == shown, "what is shown can be sent"
    sent = {"ivr": {"name": "Welcome", "items": [{"button": "5", "type": "ivr", "ivr": "Support"}]}}
    shown = await numbers.put(f"/telnums/{OTHER}", json=sent)
    assert shown["ivr"]["items"][0]["ivr"]["items"][0]["user_name"] == "Administrator"


async def test_put_changes_only_what_is_sent(numbers: Api) -> None:
    group = await numbers.post("/groups", json={"name": "Sales"})
    sent = {"type": "group", "group": group["id"], "greeting": True, "name": "Shop"}
    before = await numbers.post(f"/telnums/{OTHER}", json=sent)
    assert before["greeting"] is True
    assert await numbers.put(f"/telnums/{OTHER}", json={}) == before
    after = await numbers.put(f"/telnums/{OTHER}", json={"name": "Stall"})
    assert after == {**before, "name": "Stall"}
    after = await numbers.put(f"/telnums/{OTHER}?greeting=false")
    assert after == {**before, "name": "Stall", "greeting": False}
    after = await numbers.put(f"/telnums/{OTHER}", data={"type": "user", "user": "admin"})
    assert (after["type"], after["user"], after["group"]) == ("user", "admin", "")


SCHEDULER = {
    "type": "scheduler",
    "greeting": False,
    "work": {"subtype": "user", "user": "admin", "greeting": True},
    "other": {"subtype": "telnum", "telnum": "8 910 123-45-67"},
    "schedule": {"monday": {"start": 32400, "end": 64829}, "friday": {"start": "0", "end": 86400}},
}


async def test_a_schedule_with_extra_routes(numbers: Api) -> None:
    shown = await numbers.put(f"/telnums/{OTHER}", json=SCHEDULER)
    assert shown["work"] == {"subtype": "user", "user": "admin", "greeting": True}
    assert shown["other"] == {"subtype": "telnum", "telnum": "79101234567", "greeting": False}
    assert shown["custom_routes"] == []
    assert list(shown["schedule"]) == [
        *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    ]
    assert shown["schedule"]["monday"] == {"start": 32400, "end": 64800, "holiday": False}
    assert shown["schedule"]["sunday"] == {"start": 0, "end": 0, "holiday": True}

    path = f"/telnums/{OTHER}/interval-schedule"
    interval = {"days": ["monday"], "start": 68400, "end": 82800, "route_name": "Third shift"}
    shown = await numbers.post(path, json=interval)
    (route,) = shown["custom_routes"]
    assert (route["name"], route["interval_schedule"][0]["days"]) == ("Third shift", ["monday"])
    interval_id = route["interval_schedule"][0]["id"]
    shown = await numbers.put(f"{path}/{interval_id}", json={"days": ["sunday"]})
    assert shown["custom_routes"][0]["interval_schedule"] == [
        {"id": interval_id, "days": ["sunday"], "start": 68400, "end": 82800}
    ]

    calendar = f"/telnums/{OTHER}/calendar-schedule"
    day = {"start": "2023-12-31T00:00:00", "end": "2024-01-07T23:59:00", "route_id": route["id"]}
    shown = await numbers.post(calendar, json=day)
    (special,) = shown["custom_routes"][0]["calendar_schedule"]
    assert special == {
        "id": special["id"],
        "start": day["start"],
        "end": day["end"],
        "calendar_predefined": False,
    }
    production = {"calendar_predefined": True, "start": None, "end": None}
    shown = await numbers.put(f"{calendar}/{special['id']}", json=production)
    assert shown["custom_routes"][0]["calendar_schedule"] == [
        {"id": special["id"], "start": "", "end": "", "calendar_predefined": True}
    ]
    assert await numbers.put(f"/telnums/{OTHER}", json=shown) == shown, "what is shown can be sent"

    await numbers.delete(f"{path}/{interval_id}")
    await numbers.delete(f"{calendar}/{special['id']}", json={})
    (route,) = (await numbers.get(f"/telnums/{OTHER}"))["custom_routes"]
    assert (route["interval_schedule"], route["calendar_schedule"]) == ([], [])
    for gone in (f"{path}/{interval_id}", f"{calendar}/{special['id']}"):
        await numbers.refused("DELETE", gone, 404)
        await numbers.refused("PUT", gone, 404, json={})


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ({}, {"type", "greeting"}),
        ({"type": "robot", "greeting": True}, {"type"}),
        ({"type": "group", "greeting": False}, {"group"}),
        ({"type": "group", "group": "none", "greeting": False}, {"group"}),
        ({"type": "user", "user": "nobody", "greeting": False}, {"user"}),
        ({"type": "ivr", "greeting": False}, {"ivr"}),
        (
            {
                "type": "ivr",
                "greeting": 0,
                "ivr": {"items": [{"button": "x", "type": "user", "user": "admin"}]},
            },
            {"ivr.items[0].button"},
        ),
        (
            {"type": "user", "user": "admin", "greeting": True, "greeting_file": "none"},
            {"greeting_file"},
        ),
        ({**SCHEDULER, "work": {"subtype": "dance"}}, {"work.subtype"}),
        ({**SCHEDULER, "schedule": {"monday": {"start": 1}}}, {"schedule.monday.end"}),
    ],
)
async def test_what_is_wrong_is_named(numbers: Api, sent: dict[str, Any], fields: set[str]) -> None:
    before = await numbers.get(f"/telnums/{OTHER}")
    assert await numbers.refused("POST", f"/telnums/{OTHER}", json=sent) == fields
    if sent.keys() >= {"type", "greeting"}:
        assert await numbers.refused("PUT", f"/telnums/{OTHER}", json=sent) == fields
    assert await numbers.get(f"/telnums/{OTHER}") == before


async def test_wrong_intervals_and_special_days_are_named(numbers: Api) -> None:
    await numbers.put(f"/telnums/{OTHER}", json=SCHEDULER)
    path = f"/telnums/{OTHER}/interval-schedule"
    assert await numbers.refused("POST", path, json={}) == {"days", "start", "end"}
    wrong = {"days": ["moonday"], "start": 1, "end": 2, "route_name": "x"}
    assert await numbers.refused("POST", path, json=wrong) == {"days[0]"}
    path = f"/telnums/{OTHER}/calendar-schedule"
    assert await numbers.refused("POST", path, json={"route_name": "x"}) == {"start", "end"}


async def test_a_number_is_switched_off_and_on(numbers: Api) -> None:
    await numbers.delete(f"/telnums/{OTHER}/enabled")
    assert (await numbers.get(f"/telnums/{OTHER}"))["disabled"] is True
    await numbers.post(f"/telnums/{OTHER}/enabled", json={})
    assert (await numbers.get(f"/telnums/{OTHER}"))["disabled"] is False
    await numbers.refused("POST", "/telnums/79990000000/enabled", 404)
