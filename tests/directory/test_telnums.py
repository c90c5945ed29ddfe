"""Numbers and their routes: what is stored, refused, scheduled."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from vpbx.directory import (
    Directory,
    DomainConfig,
    Hours,
    Invalid,
    NotFound,
    Number,
    NumberType,
    Subtype,
)

TELNUM = "74957654321"
MENU: dict[str, Any] = {
    "name": "Main menu",
    "greeting": True,
    "items": [
        {"button": "1", "type": "user", "user": "701"},
        {
            "button": 2,
            "type": "ivr",
            "ivr": {"name": "Deep", "items": [{"button": "*", "type": "user", "user": "admin"}]},
        },
        {"button": "timeout", "type": "user", "user": "admin"},
    ],
}
SCHEDULER: dict[str, Any] = {
    "type": "scheduler",
    "greeting": "0",
    "work": {"subtype": "user", "user": "admin", "greeting": True},
    "other": {"subtype": "message"},
    "schedule": {
        "monday": {"start": 32_400, "end": 64_800},
        "tuesday": {"start": "32429", "end": 64_771},
        "wednesday": {"start": 0, "end": 0, "holiday": True},
    },
}


@pytest.fixture
async def number(directory: Directory, acme: DomainConfig) -> Number:
    return await directory.telnums.add(acme, TELNUM, name="Office")


def wrong_fields(error: pytest.ExceptionInfo[Invalid]) -> set[str]:
    names = [each.field for each in error.value.errors]
    assert len(names) == len(set(names))
    return set(names)


async def test_first_number_is_main_and_goes_to_the_administrator(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    assert (number.type, number.user, number.enabled) == (NumberType.USER, "admin", True)
    assert number.location == "Moscow and Moscow region"
    await directory.telnums.add(acme, "78121234567")
    current = await directory.current(acme)
    assert current.main_telnum == TELNUM
    assert current.employees["admin"].telnum == TELNUM
    await directory.telnums.set_main(acme, "8 812 123-45-67")
    assert (await directory.current(acme)).main_telnum == "78121234567"


async def test_type_decides_what_is_needed_and_clears_the_rest(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    telnums = directory.telnums
    group = await directory.groups.add(acme, {"name": "Sales"})
    to_group = await telnums.edit(
        acme, TELNUM, {"type": "group", "greeting": "true", "group": group.id}
    )
    assert (to_group.type, to_group.group, to_group.user) == (NumberType.GROUP, group.id, "")
    assert (to_group.greeting, to_group.name) == (True, "Office")
    kept = await telnums.edit(acme, TELNUM, {"type": "group", "greeting": False, "name": "New"})
    assert (kept.group, kept.greeting, kept.name) == (group.id, False, "New")
    menu = await telnums.edit(acme, TELNUM, {"type": "ivr", "greeting": True, "ivr": MENU})
    assert menu.group == ""
    assert menu.ivr is not None
    assert [item.button for item in menu.ivr.items] == ["1", "2", "timeout"]
    assert menu.ivr.items[0].user == "admin"
    nested = menu.ivr.items[1].ivr
    assert nested is not None
    assert nested.items[0].user == "admin"
    fax = await telnums.edit(acme, TELNUM, {"type": "fax", "greeting": 0, "user": "701"})
    assert (fax.type, fax.user, fax.ivr) == (NumberType.FAX, "admin", None)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"type": "robot", "greeting": True}, {"type"}),
        ({"type": "group", "greeting": True}, {"group"}),
        ({"type": "group", "greeting": True, "group": "g_x"}, {"group"}),
        ({"type": "user", "greeting": True, "user": "ghost"}, {"user"}),
        ({"type": "ivr", "greeting": True}, {"ivr"}),
        ({"type": "ivr", "greeting": True, "ivr": {"name": "x"}}, {"ivr.items"}),
        (
            {"type": "ivr", "greeting": True, "ivr": {"items": [{"button": "12", "type": "x"}]}},
            {"ivr.items[0].button", "ivr.items[0].type"},
        ),
        (
            {
                "type": "ivr",
                "greeting": True,
                "ivr": {"items": [{"button": "1", "type": "user", "user": "701"}] * 2},
            },
            {"ivr.items[1].button"},
        ),
        ({"type": "scheduler", "greeting": True}, {"work", "other", "schedule"}),
        (
            {**SCHEDULER, "work": {"subtype": "telnum"}, "other": {"subtype": "fly"}},
            {"work.telnum", "other.subtype"},
        ),
        (
            {**SCHEDULER, "schedule": {"monday": {"start": 5}, "friday": {"start": 900, "end": 5}}},
            {"schedule.monday.end", "schedule.friday.end"},
        ),
        (
            {**SCHEDULER, "schedule": {"monday": {"start": -1, "end": 90_000}}},
            {"schedule.monday.start", "schedule.monday.end"},
        ),
        (
            {"type": "user", "greeting": True, "user": "701", "greeting_file": "x"},
            {"greeting_file"},
        ),
    ],
)
async def test_wrong_routes_are_named_and_change_nothing(
    directory: Directory,
    acme: DomainConfig,
    number: Number,
    values: dict[str, Any],
    wrong: set[str],
) -> None:
    with pytest.raises(Invalid) as error:
        await directory.telnums.edit(acme, TELNUM, values)
    assert wrong_fields(error) == wrong
    assert await directory.telnums.get(acme, TELNUM) == number


async def test_menus_nest_five_deep(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    menu: dict[str, Any] = {"items": [{"button": "1", "type": "user", "user": "701"}]}
    for _ in range(4):
        menu = {"items": [{"button": "1", "type": "ivr", "ivr": menu}]}
    await directory.telnums.edit(acme, TELNUM, {"type": "ivr", "greeting": True, "ivr": menu})
    menu = {"items": [{"button": "1", "type": "ivr", "ivr": menu}]}
    with pytest.raises(Invalid, match="nested 5 deep"):
        await directory.telnums.edit(acme, TELNUM, {"type": "ivr", "greeting": True, "ivr": menu})


async def test_schedule_rounds_to_the_minute_and_days_left_out_are_off(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    made = await directory.telnums.edit(acme, TELNUM, SCHEDULER)
    days = {day: (d.start, d.end, d.holiday) for day, d in made.schedule.items()}
    assert list(days) == [
        *("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    ]
    assert days["monday"] == (32_400, 64_800, False)
    assert days["tuesday"] == (32_400, 64_800, False)
    assert days["wednesday"] == days["thursday"] == days["sunday"] == (0, 0, True)
    assert made.work is not None
    assert made.other is not None
    assert (made.work.subtype, made.other.subtype) == (Subtype.USER, Subtype.MESSAGE)
    kept = await directory.telnums.edit(acme, TELNUM, {"type": "scheduler", "greeting": True})
    assert (kept.schedule, kept.work) == (made.schedule, made.work)


async def test_extra_interval_makes_a_route_and_the_next_uses_it(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    telnums = directory.telnums
    await telnums.edit(acme, TELNUM, SCHEDULER)
    values = {"days": ["tuesday", "monday"], "start": 68_400, "end": 82_800}
    made = await telnums.add_interval(acme, TELNUM, {**values, "route_name": "Third shift"})
    custom = made.custom_routes[0]
    interval = custom.interval_schedule[0]
    assert (custom.name, custom.route) == ("Third shift", made.work)
    assert (interval.days, interval.start, interval.end) == (("monday", "tuesday"), 68_400, 82_800)
    friday = {"days": ["friday"], "start": 0, "end": 86_400}
    both = await telnums.add_interval(acme, TELNUM, {**friday, "route_id": custom.id})
    assert len(both.custom_routes[0].interval_schedule) == 2
    named = await telnums.edit_interval(
        acme, TELNUM, interval.id, {"start": 70_000, "route_name": "Third shift"}
    )
    changed = {each.id: each for each in named.custom_routes[0].interval_schedule}[interval.id]
    assert (changed.start, changed.end, changed.days) == (70_020, 82_800, ("monday", "tuesday"))
    assert len(named.custom_routes) == 1
    moved = await telnums.edit_interval(acme, TELNUM, interval.id, {"route_name": "Fourth"})
    assert [len(each.interval_schedule) for each in moved.custom_routes] == [1, 1]
    await telnums.delete_interval(acme, TELNUM, interval.id)
    with pytest.raises(NotFound):
        await telnums.delete_interval(acme, TELNUM, interval.id)
    assert [
        len(each.interval_schedule) for each in (await telnums.get(acme, TELNUM)).custom_routes
    ] == [1, 0]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({}, {"days", "start", "end", "route_id"}),
        ({"days": ["someday"], "start": 0, "end": 60, "route_name": "x"}, {"days"}),
        ({"days": [], "start": 0, "end": 60, "route_name": "x"}, {"days"}),
        ({"days": ["monday"], "start": 60, "end": 60, "route_name": "x"}, {"end"}),
        ({"days": ["monday"], "start": 0, "end": 60, "route_id": "x"}, {"route_id"}),
        (
            {"days": ["friday", "monday"], "start": 7000, "end": 9000, "route_name": "x"},
            {"interval_schedule"},
        ),
    ],
)
async def test_wrong_intervals_are_named(
    directory: Directory,
    acme: DomainConfig,
    number: Number,
    values: dict[str, Any],
    wrong: set[str],
) -> None:
    await directory.telnums.edit(acme, TELNUM, SCHEDULER)
    before = await directory.telnums.add_interval(
        acme, TELNUM, {"days": ["monday"], "start": 3600, "end": 7200, "route_name": "first"}
    )
    with pytest.raises(Invalid) as error:
        await directory.telnums.add_interval(acme, TELNUM, values)
    assert wrong_fields(error) == wrong
    assert await directory.telnums.get(acme, TELNUM) == before


async def test_touching_intervals_and_other_days_do_not_overlap(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    await directory.telnums.edit(acme, TELNUM, SCHEDULER)
    for days, start, end in ((["monday"], 0, 60), (["monday"], 60, 120), (["sunday"], 0, 120)):
        values = {"days": days, "start": start, "end": end, "route_name": "x"}
        await directory.telnums.add_interval(acme, TELNUM, values)


async def test_special_days_are_local_and_may_not_overlap(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    telnums = directory.telnums
    await telnums.edit(acme, TELNUM, SCHEDULER)
    made = await telnums.add_special_day(
        acme,
        TELNUM,
        {"route_name": "New Year", "start": "2023-12-31T00:00:00", "end": "2024-01-07T23:59:00"},
    )
    day = made.custom_routes[0].calendar_schedule[0]
    assert (day.start, day.end) == (datetime(2023, 12, 31), datetime(2024, 1, 7, 23, 59))
    assert made.custom_routes[0].route == made.other
    whole = await telnums.add_special_day(
        acme, TELNUM, {"route_name": "New Year", "start": "2024-01-08", "end": "2024-01-08"}
    )
    assert whole.custom_routes[0].calendar_schedule[1].end == datetime(2024, 1, 8, 23, 59)
    utc = await telnums.add_special_day(
        acme,
        TELNUM,
        {"route_name": "x", "start": "2024-02-01T00:00:00Z", "end": "2024-02-01T05:00:30+00:00"},
    )
    assert utc.custom_routes[1].calendar_schedule[0].end == datetime(2024, 2, 1, 8, 0)
    with pytest.raises(Invalid) as error:
        await telnums.add_special_day(
            acme,
            TELNUM,
            {"route_name": "x", "start": "2024-01-07T23:59", "end": "2024-01-07T23:59"},
        )
    assert wrong_fields(error) == {"calendar_schedule"}
    for values in (
        {"start": "soon", "end": "2024-01-07"},
        {"start": "2024-03-02", "end": "2024-03-01"},
        {"start": "1024-03-02", "end": "2024-03-01"},
        {},
    ):
        with pytest.raises(Invalid):
            await telnums.add_special_day(acme, TELNUM, {"route_name": "x", **values})


@pytest.mark.parametrize(
    "start",
    [
        "2024-02-01T05:00:00Z",
        "2024-02-01T10:00:00+05:00",
        "2024-02-01T10:00:00 05:00",
        "2024-02-01T08:00:00",
        "2024-02-01 08:00",
        "20240201T050000Z",
    ],
)
async def test_a_special_day_takes_times_as_clients_write_them(
    directory: Directory, acme: DomainConfig, number: Number, start: str
) -> None:
    await directory.telnums.edit(acme, TELNUM, SCHEDULER)
    values = {"start": start, "end": "2024-02-02", "route_name": "Day"}
    made = await directory.telnums.add_special_day(acme, TELNUM, values)
    (day,) = made.custom_routes[0].calendar_schedule
    assert (day.start, day.end) == (datetime(2024, 2, 1, 8, 0), datetime(2024, 2, 2, 23, 59))


MENU_OF_MENUS: dict[str, Any] = {
    "name": "Main",
    "items": [
        {
            "button": "1",
            "type": "ivr",
            "ivr": {
                "name": "Support",
                "items": [
                    {"button": "1", "type": "user", "user": "admin"},
                    {"button": "9", "type": "ivr", "ivr": {"name": "Main"}},
                ],
            },
        },
        {"button": "2", "type": "ivr", "ivr": {"name": "Support"}},
    ],
}


async def test_a_menu_may_be_named_where_the_number_has_it(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    values = {"type": "ivr", "greeting": False, "ivr": MENU_OF_MENUS}
    main = (await directory.telnums.edit(acme, TELNUM, values)).ivr
    assert main is not None
    first, second = (item.ivr for item in main.items)
    assert first == second, "a named menu is a copy of the one meant"
    assert first is not None
    back = first.items[1].ivr
    assert back is not None
    assert (back.name, back.items) == ("Main", ()), "a way back is a name"
    assert main.find(back) == main

    scheduler = {**SCHEDULER, "work": {"subtype": "ivr", "ivr": {"name": "Support"}}}
    with pytest.raises(Invalid) as error:
        await directory.telnums.edit(
            acme, TELNUM, {**scheduler, "work": {"subtype": "ivr", "ivr": {"name": "Nothing"}}}
        )
    assert wrong_fields(error) == {"work.ivr.items"}
    work = (await directory.telnums.edit(acme, TELNUM, scheduler)).work
    assert work is not None
    assert work.ivr is not None
    assert [item.button for item in work.ivr.items] == ["1", "9"], "a menu it had before"
    other = {"other": {"subtype": "ivr", "ivr": {"name": "Support"}}}
    changed = await directory.telnums.edit(acme, TELNUM, other)
    assert changed.other is not None
    assert (changed.other.ivr, changed.work) == (work.ivr, work)


async def test_menus_that_name_each_other_are_bounded(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    def named(name: str, *others: str) -> dict[str, Any]:
        items = [
            {"button": str(i), "type": "ivr", "ivr": {"name": o}} for i, o in enumerate(others)
        ]
        return {"name": name, "items": items}

    names = [f"m{i}" for i in range(8)]
    menus = [named(name, *(other for other in names if other != name)) for name in names]
    items = [{"button": str(i), "type": "ivr", "ivr": menu} for i, menu in enumerate(menus)]
    values = {"type": "ivr", "greeting": False, "ivr": {"name": "top", "items": items}}
    with pytest.raises(Invalid):
        await directory.telnums.edit(acme, TELNUM, values)
    assert await directory.telnums.get(acme, TELNUM) == number


async def test_only_what_is_sent_changes(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    before = await directory.telnums.edit(acme, TELNUM, {**SCHEDULER, "greeting": True})
    assert await directory.telnums.edit(acme, TELNUM, {}) == before
    named = await directory.telnums.edit(acme, TELNUM, {"name": "Shop"})
    assert named == replace(before, name="Shop")
    extra = {
        "name": "Evening",
        "subtype": "voicemail",
        "interval_schedule": [{"days": ["friday"], "start": 68_400, "end": 72_000}],
    }
    changed = await directory.telnums.edit(acme, TELNUM, {"custom_routes": [extra]})
    assert changed == replace(named, custom_routes=changed.custom_routes)
    assert [each.name for each in changed.custom_routes] == ["Evening"]


async def test_production_calendar_needs_no_dates_and_is_there_once(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    telnums = directory.telnums
    await telnums.edit(acme, TELNUM, SCHEDULER)
    made = await telnums.add_special_day(
        acme, TELNUM, {"calendar_predefined": "true", "route_name": "Holidays"}
    )
    day = made.custom_routes[0].calendar_schedule[0]
    assert (day.calendar_predefined, day.start, day.end) == (True, None, None)
    with pytest.raises(Invalid) as error:
        await telnums.add_special_day(
            acme, TELNUM, {"calendar_predefined": 1, "route_name": "Again"}
        )
    assert wrong_fields(error) == {"calendar_predefined"}
    current = await directory.current(acme)
    held = current.holding(made, datetime(2026, 5, 9, 12, tzinfo=UTC))
    assert held is not None
    assert (held.hours, held.custom_id) == (Hours.SPECIAL, made.custom_routes[0].id)
    dated = await telnums.edit_special_day(
        acme,
        TELNUM,
        day.id,
        {"calendar_predefined": False, "start": "2026-05-09", "end": "2026-05-09"},
    )
    assert dated.custom_routes[0].calendar_schedule[0].start == datetime(2026, 5, 9)
    await telnums.delete_special_day(acme, TELNUM, day.id)
    assert (await telnums.get(acme, TELNUM)).custom_routes[0].calendar_schedule == ()


async def test_custom_routes_as_shown_can_be_sent_back(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    routes = [
        {
            "name": "Evening",
            "subtype": "ivr",
            "ivr": MENU,
            "greeting": True,
            "interval_schedule": [{"days": ["monday"], "start": 68_400, "end": 82_800}],
            "calendar_schedule": [{"start": "2024-01-01", "end": "2024-01-02"}],
        }
    ]
    made = await directory.telnums.edit(acme, TELNUM, {**SCHEDULER, "custom_routes": routes})
    custom = made.custom_routes[0]
    routes[0].update(id=custom.id)
    routes[0]["interval_schedule"][0]["id"] = custom.interval_schedule[0].id  # type: ignore[index]
    routes[0]["calendar_schedule"][0]["id"] = custom.calendar_schedule[0].id  # type: ignore[index]
    again = await directory.telnums.edit(acme, TELNUM, {**SCHEDULER, "custom_routes": routes})
    assert again == made
    routes[0]["id"] = "made up"
    renamed = await directory.telnums.edit(acme, TELNUM, {**SCHEDULER, "custom_routes": routes})
    assert renamed.custom_routes[0].id not in ("made up", custom.id)


async def test_only_schedulers_have_extra_routes(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    with pytest.raises(Invalid):
        await directory.telnums.add_interval(
            acme, TELNUM, {"days": ["monday"], "start": 0, "end": 60, "route_name": "x"}
        )


async def test_intervals_added_at_once_never_overlap(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    await directory.telnums.edit(acme, TELNUM, SCHEDULER)
    values = {"days": ["monday"], "start": 0, "end": 3600}
    results = await asyncio.gather(
        *(
            directory.telnums.add_interval(acme, TELNUM, {**values, "route_name": f"r{index}"})
            for index in range(5)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Invalid) for result in results) == 4


async def test_switching_search_and_responsible(
    directory: Directory, acme: DomainConfig, number: Number
) -> None:
    await directory.telnums.set_enabled(acme, "8(495)765-43-21", False)
    assert not (await directory.telnums.get(acme, TELNUM)).enabled
    for search in ("765432", "OFFICE", "adm", "administr"):
        assert (await directory.telnums.list(acme, search=search)).total == 1
    group = await directory.groups.add(acme, {"name": "Sales"})
    await directory.integrations.set_responsible(acme, TELNUM, enabled=True, fallback=group.id)
    number = await directory.telnums.get(acme, TELNUM)
    assert (number.responsible_first, number.crm) == (True, group.id)
    await directory.integrations.set_responsible(acme, TELNUM, enabled=True, fallback="701")
    assert (await directory.telnums.get(acme, TELNUM)).crm == "admin"
    with pytest.raises(Invalid):
        await directory.integrations.set_responsible(acme, TELNUM, enabled=True, fallback="ghost")


async def test_greeting_and_menu_take_uploaded_files(
    directory: Directory, acme: DomainConfig, other: DomainConfig, number: Number
) -> None:
    media, telnums = directory.media, directory.telnums
    hello = await media.add(acme, "Hello.mp3", "greeting", "a/hello")
    await media.add(acme, "Main menu.wav", "ivr", "a/menu")
    theirs = await media.add(other, "Hello.mp3", "greeting", "b/hello")
    base = {"type": "user", "greeting": True, "user": "701"}
    made = await telnums.edit(acme, TELNUM, {**base, "greeting_file": hello.id})
    assert (made.greeting_custom, made.greeting_file) == (True, hello.id)
    with pytest.raises(Invalid):
        await telnums.edit(acme, TELNUM, {**base, "greeting_file": theirs.id})
    menu = {**MENU, "greeting_custom": True}
    by_name = await telnums.edit(acme, TELNUM, {"type": "ivr", "greeting": True, "ivr": menu})
    assert by_name.ivr is not None
    assert by_name.ivr.greeting_custom
    menu = {**menu, "name": "Unknown"}
    with pytest.raises(Invalid):
        await telnums.edit(acme, TELNUM, {"type": "ivr", "greeting": True, "ivr": menu})
    back = await telnums.edit(acme, TELNUM, {**base, "greeting_file": ""})
    assert not back.greeting_custom


async def test_operator_sets_trunk_rating_and_outgoing_of_a_number(directory: Directory) -> None:
    domain, _ = await directory.companies.add("acme.example")
    await directory.trunk_rules.add("carrier", "192.0.2.1:5060")
    telnums = directory.telnums
    await telnums.add(domain, "74951234567", name="Main")
    changed = await telnums.configure(
        domain, "8 495 123-45-67", {"trunk": "carrier", "rating": "on", "outgoing": False}
    )
    assert (changed.trunk, changed.rating, changed.outgoing) == ("carrier", True, False)
    assert changed.name == "Main"
    current = await directory.current(domain)
    assert current.numbers_allowed_as_clid == frozenset()

    back = await telnums.configure(domain, "74951234567", {"trunk": "", "outgoing": 1})
    assert (back.trunk, back.rating, back.outgoing) == ("", True, True)
    with pytest.raises(Invalid, match="there is no trunk nobody"):
        await telnums.configure(domain, "74951234567", {"trunk": "nobody", "rating": False})
    assert (await telnums.get(domain, "74951234567")).rating


async def test_outgoing_of_another_operators_number_is_set_at_its_registration(
    directory: Directory,
) -> None:
    domain, _ = await directory.companies.add("acme.example")
    await directory.sip_registrations.add(
        domain,
        {
            "telnum": "74950000001",
            "name": "Other",
            "domain": "sip.other.example",
            "login": "u",
            "password": "p4ssw0rd!",
            "outgoing": True,
        },
    )
    with pytest.raises(Invalid, match="registration"):
        await directory.telnums.configure(domain, "74950000001", {"outgoing": False})
    assert (await directory.telnums.get(domain, "74950000001")).outgoing


@pytest.mark.parametrize("country", ["RU", "KZ", "DE"])
@pytest.mark.parametrize("typed", ["123", "701", "9-0-0", "123456", "7 (0) 1"])
async def test_what_may_be_an_internal_number_is_no_number_of_a_company(
    directory: Directory, acme: DomainConfig, typed: str, country: str
) -> None:
    acme = await directory.companies.edit(acme, {"country": country})
    with pytest.raises(Invalid, match="short number") as error:
        await directory.telnums.add(acme, typed)
    assert wrong_fields(error) == {"telnum"}
    assert not (await directory.current(acme)).numbers


async def test_a_carrier_may_hand_calls_over_under_a_short_number(
    directory: Directory, acme: DomainConfig
) -> None:
    made = await directory.telnums.add(acme, "900", short=True)
    assert (await directory.number("900")) == (await directory.current(acme), made)


@pytest.mark.parametrize("typed", ["112", "101", "1-0-4"])
async def test_an_emergency_number_is_nobodys(
    directory: Directory, acme: DomainConfig, typed: str
) -> None:
    with pytest.raises(Invalid, match="emergency"):
        await directory.telnums.add(acme, typed, short=True)


@pytest.mark.parametrize("typed", ["2907000", "7000000", "123456789012345", "+44 20 7946 0958"])
async def test_a_number_no_plan_may_know_yet_is_taken(
    directory: Directory, acme: DomainConfig, typed: str
) -> None:
    made = await directory.telnums.add(acme, typed)
    assert made.telnum in (await directory.current(acme)).numbers


async def test_a_number_is_no_longer_than_e164_allows(
    directory: Directory, acme: DomainConfig
) -> None:
    with pytest.raises(Invalid, match="at most 15 digits"):
        await directory.telnums.add(acme, "1234567890123456")
