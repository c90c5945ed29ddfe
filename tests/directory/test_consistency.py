"""Deleting anything leaves no reference to it anywhere: each line of docs/consistency.md."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from vpbx.db import Database
from vpbx.directory import Directory, DomainConfig, Invalid, NumberType, TimeoutTarget, tables

SCHEDULED = "74950000002"
MENU = "74950000003"


@pytest.fixture
async def company(directory: Directory, acme: DomainConfig) -> DomainConfig:
    """Name employee `ann` and department `Sales` (ext 800) wherever anyone can be named."""
    d = directory
    await d.users.add(acme, {"name": "Ann", "login": "ann", "ext": "750"})
    await d.groups.add(acme, {"name": "Sales", "ext": "800"})
    member = [{"login": "ann", "calls_enable": True}]
    await d.groups.edit(acme, "800", {"users": member})
    await d.groups.add(
        acme,
        {"name": "A", "ext": "801", "timeout": {"target": "user", "user": "ann"}, "users": member},
    )
    await d.groups.add(
        acme, {"name": "B", "ext": "802", "timeout": {"target": "group", "group": "800"}}
    )
    await d.telnums.add(acme, "74950000001", user="ann")
    await d.telnums.add(acme, SCHEDULED, group="800")
    await d.telnums.add(acme, MENU)
    await d.telnums.add(acme, "74950000004", group="800")
    menu: dict[str, Any] = {
        "items": [
            {"button": "1", "type": "user", "user": "ann"},
            {"button": "2", "type": "group", "group": "800"},
            {"button": "3", "type": "user", "user": "admin"},
        ]
    }
    nested = {"items": [{"button": "0", "type": "ivr", "ivr": menu}, *menu["items"]]}
    await d.telnums.edit(acme, MENU, {"type": "ivr", "greeting": True, "ivr": nested})
    await d.telnums.edit(
        acme,
        SCHEDULED,
        {
            "type": "scheduler",
            "greeting": True,
            "work": {"subtype": "user", "user": "ann", "greeting": True},
            "other": {"subtype": "group", "group": "800"},
            "schedule": {"monday": {"start": 0, "end": 3600}},
            "custom_routes": [
                {"name": "u", "subtype": "user", "user": "750"},
                {"name": "g", "subtype": "group", "group": "800"},
                {"name": "i", "subtype": "ivr", "ivr": menu},
            ],
        },
    )
    await d.integrations.set_responsible(acme, "74950000001", enabled=True, fallback="ann")
    await d.integrations.set_responsible(acme, SCHEDULED, enabled=True, fallback="800")
    for each in (d.record_exceptions, d.blf, d.am_users):
        await each.add(acme, ["ann"])
    await d.am_groups.add(acme, ["800"])
    await d.caller_ids.set_user(acme, {"telnum": MENU, "login": "ann"})
    group = await d.groups.get(acme, "800")
    await d.caller_ids.set_group(acme, {"telnum": MENU, "id": group.id})
    await d.caller_ids.set_region(acme, {"telnum": MENU, "id": "43"})
    await d.caller_ids.set_main(acme, {"telnum": MENU})
    await d.restrictions.add_users(acme, [{"login": "ann", "allowed": ["RU"]}])
    await d.restrictions.add_groups(acme, [{"id": group.id, "allowed": ["RU"]}])
    return await d.current(acme)


async def test_deleted_employee_is_named_nowhere(
    directory: Directory, company: DomainConfig
) -> None:
    await directory.users.delete(company, "ann")
    after = await directory.current(company)
    direct = after.numbers["74950000001"]
    assert (direct.type, direct.user, direct.crm) == (NumberType.USER, "admin", "")
    scheduled = after.numbers[SCHEDULED]
    assert scheduled.work is not None
    assert (scheduled.work.user, scheduled.work.greeting) == ("admin", True)
    assert scheduled.custom_routes[0].route.user == "admin"
    for menu in (after.numbers[MENU].ivr, scheduled.custom_routes[2].route.ivr):
        assert menu is not None
        assert "1" not in [item.button for item in menu.items]
        assert "3" in [item.button for item in menu.items]
    nested = after.numbers[MENU].ivr
    assert nested is not None
    assert nested.items[0].ivr is not None
    assert [item.button for item in nested.items[0].ivr.items] == ["2", "3"]
    by_name = {group.name: group for group in after.departments.values()}
    assert by_name["A"].timeout.target is TimeoutTarget.VOICEMAIL
    assert by_name["A"].members == by_name["Sales"].members == ()
    settings = after.settings
    assert after.record_exceptions == settings.blf_users == frozenset()
    assert settings.voicemail.users == ()
    assert settings.caller_ids.users == {}
    assert settings.restrictions.users == {}
    again = await directory.users.add(company, {"name": "New", "login": "ann", "ext": "750"})
    assert again.employee.ext == "750"


async def test_deleted_department_is_named_nowhere(
    directory: Directory, company: DomainConfig
) -> None:
    await directory.groups.delete(company, "800")
    after = await directory.current(company)
    number = after.numbers["74950000004"]
    assert (number.type, number.user, number.group) == (NumberType.USER, "admin", "")
    scheduled = after.numbers[SCHEDULED]
    assert scheduled.other is not None
    assert (scheduled.other.subtype, scheduled.other.user) == ("user", "admin")
    assert (scheduled.custom_routes[1].route.user, scheduled.crm) == ("admin", "")
    menu = after.numbers[MENU].ivr
    assert menu is not None
    assert [item.button for item in menu.items] == ["0", "1", "3"]
    by_name = {group.name: group for group in after.departments.values()}
    assert by_name["B"].timeout.target is TimeoutTarget.VOICEMAIL
    assert after.settings.voicemail.groups == ()
    assert after.settings.caller_ids.groups == {}
    assert after.settings.restrictions.groups == {}


async def test_deleted_number_is_named_nowhere(directory: Directory, company: DomainConfig) -> None:
    await directory.sipuri_transfers.add(company, {"telnum": MENU})
    await directory.telnums.delete(company, MENU)
    after = await directory.current(company)
    assert MENU not in after.numbers
    rules = after.settings.caller_ids
    assert (after.main_telnum, rules.users, rules.groups, rules.regions) == ("", {}, {}, {})
    assert after.settings.sipuri_transfers == {}


async def test_deleted_file_is_named_nowhere(directory: Directory, company: DomainConfig) -> None:
    media, telnums = directory.media, directory.telnums
    hello = await media.add(company, "hello", "greeting", "p")
    prompt = await media.add(company, "prompt", "ivr", "p")
    song = await media.add(company, "song", "music", "p")
    values = {"type": "user", "user": "ann", "greeting": True, "greeting_file": hello.id}
    await telnums.edit(company, "74950000001", values)
    menu = {
        "greeting": True,
        "greeting_file": prompt.id,
        "items": [{"button": "1", "type": "user", "user": "ann"}],
    }
    made = await telnums.edit(company, MENU, {"type": "ivr", "greeting": True, "ivr": menu})
    assert made.ivr is not None
    assert made.ivr.greeting_custom
    await directory.music.set(company, "holdmusic", song.id)
    for file in (hello, prompt, song):
        assert (await media.delete(company, file.id)) == file
    after = await directory.current(company)
    number = after.numbers["74950000001"]
    assert (number.greeting, number.greeting_custom, number.greeting_file) == (True, False, "")
    ivr = after.numbers[MENU].ivr
    assert ivr is not None
    assert (ivr.greeting, ivr.greeting_custom) == (True, False)
    assert after.settings.holdmusic.file == "holdmusic"


async def test_deleted_branch_takes_its_people_along(
    directory: Directory, company: DomainConfig, other: DomainConfig
) -> None:
    values = {"name": "x", "key": "shared-key"}
    await directory.branches.add(company, {**values, "domain": "other.example"})
    await directory.branches.add(other, {**values, "domain": "acme.example"})
    await directory.branches.sync(company, "other.example")
    users = [{"login": "admin@other.example", "calls_enable": True}]
    group = await directory.groups.add(company, {"name": "mixed", "users": users})
    assert len(group.members) == 1
    await directory.branches.delete(company, "other.example")
    assert (await directory.groups.get(company, group.id)).members == ()


async def test_database_refuses_what_a_rule_would_forget(
    directory: Directory, company: DomainConfig
) -> None:
    async def delete(name: str, row_id: int) -> None:
        table = getattr(tables, name)
        async with directory.edit(company) as tx:
            await tx.delete(table, table.c.id == row_id)

    group = company.find_department("800")
    assert group is not None
    for name, row_id in (("users", company.employees["ann"].id), ("groups", group.row_id)):
        with pytest.raises(IntegrityError):
            await delete(name, row_id)


async def test_database_refuses_a_reference_into_another_domain(
    directory: Directory, company: DomainConfig, other: DomainConfig
) -> None:
    async def cross() -> None:
        async with directory.edit(other) as tx:
            await tx.insert(tables.user_lists, list="blf", user_id=company.employees["ann"].id)

    with pytest.raises(IntegrityError):
        await cross()


async def test_whole_company_can_be_removed(directory: Directory, company: DomainConfig) -> None:
    await directory.companies.delete(company)
    assert await directory.domains() == []


async def test_name_of_one_party_is_never_that_of_another(
    directory: Directory, company: DomainConfig
) -> None:
    group = company.find_department("800")
    assert group is not None
    with pytest.raises(Invalid):
        await directory.users.add(company, {"name": "x", "login": group.id})


async def test_snapshot_kept_through_changes_is_that_of_a_fresh_reading(
    directory: Directory, company: DomainConfig, database: Database
) -> None:
    d = directory

    async def check() -> None:
        fresh = Directory(database)
        await fresh.refresh()
        assert await fresh.domain(company.name) == await d.domain(company.name)

    await check()
    for change in (
        d.users.edit(company, "ann", {"name": "Anna", "role": "group_head"}),
        d.users.set_dnd(company, "ann", False),
        d.groups.change_users(company, "800", {"add": ["admin"], "position": 0}),
        d.telnums.set_enabled(company, MENU, False),
        d.blacklist.add(company, [{"telnum": "79101234567"}]),
        d.companies.edit(company, {"record_inner": True, "ring_timeout_s": 20}),
        d.trunk_rules.add("carrier", "192.0.2.1"),
        d.telnums.add(company, "74950000009", trunk="carrier"),
        d.trunk_rules.delete("carrier"),
        d.integrations.set(company, {"url": "https://crm.example", "token": "t"}),
        d.users.delete(company, "ann"),
        d.groups.delete(company, "800"),
        d.telnums.delete(company, MENU),
    ):
        await change
        await check()
