"""Departments: order, members, timeouts, changes, deletion."""

from __future__ import annotations

from typing import Any

import pytest

from vpbx.directory import Department, Directory, DomainConfig, Invalid, TimeoutTarget


async def people(directory: Directory, domain: DomainConfig, *logins: str) -> None:
    for login in logins:
        await directory.users.add(domain, {"name": login.title(), "login": login})


def members(group: Department) -> list[tuple[str, bool]]:
    return [(member.login, member.calls_enable) for member in group.members]


async def test_new_department_gets_every_default(directory: Directory, acme: DomainConfig) -> None:
    group = await directory.groups.add(acme, {"name": "Sales"})
    assert group.id.startswith("g_")
    assert (group.ext, group.call_order, group.call_duration) == ("702", "ALL", 0)
    assert (group.timeout.time, group.timeout.target) == (120, "voicemail")
    assert (group.advanced, group.queue_position, group.members) == ("off", False, ())


async def test_interval_shows_0_for_all_and_comes_back(
    directory: Directory, acme: DomainConfig
) -> None:
    group = await directory.groups.add(
        acme, {"name": "Sales", "call_order": "EVENLY", "call_duration": "20"}
    )
    assert group.call_duration == 20
    shown = await directory.groups.edit(acme, group.id, {"call_order": "ALL"})
    assert shown.call_duration == 0
    same = await directory.groups.edit(acme, group.id, {"call_order": "ALL", "call_duration": 0})
    assert same.call_duration == 0
    with pytest.raises(Invalid):
        await directory.groups.edit(acme, group.id, {"call_order": "EVENLY", "call_duration": 0})


async def test_head_is_who_has_the_role(directory: Directory, acme: DomainConfig) -> None:
    await people(directory, acme, "ann")
    await directory.users.edit(acme, "ann", {"role": "group_head"})
    group = await directory.groups.add(
        acme,
        {"name": "g", "users": [{"login": x, "calls_enable": True} for x in ("ann", "701")]},
    )
    assert [member.group_head for member in group.members] == [True, False]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({}, {"name"}),
        ({"name": "x", "call_order": "RANDOM"}, {"call_order"}),
        ({"name": "x", "call_order": "EVENLY", "call_duration": 7}, {"call_duration"}),
        ({"name": "x", "advanced": "sing"}, {"advanced"}),
        ({"name": "x", "timeout": {"time": 1}}, {"timeout.time"}),
        ({"name": "x", "timeout": {"target": "user"}}, {"timeout.user"}),
        ({"name": "x", "timeout": {"target": "user", "user": "ghost"}}, {"timeout.user"}),
        ({"name": "x", "timeout": {"target": "group", "group": "g_x"}}, {"timeout.group"}),
        ({"name": "x", "timeout": {"target": "telnum", "telnum": "?"}}, {"timeout.telnum"}),
        ({"name": "x", "users": [{"login": "ghost", "calls_enable": 1}]}, {"users[0].login"}),
        ({"name": "x", "users": [{"login": "admin"}]}, {"users[0].calls_enable"}),
        ({"name": "x", "users": ["admin"]}, {"users[0]"}),
        (
            {"name": "x", "users": [{"login": x, "calls_enable": 1} for x in ("admin", "701")]},
            {"users[1].login"},
        ),
    ],
)
async def test_wrong_values_are_named(
    directory: Directory, acme: DomainConfig, values: dict[str, Any], wrong: set[str]
) -> None:
    with pytest.raises(Invalid) as error:
        await directory.groups.add(acme, values)
    assert {each.field for each in error.value.errors} == wrong


async def test_timeout_keeps_what_is_not_sent_and_drops_the_old_target(
    directory: Directory, acme: DomainConfig
) -> None:
    group = await directory.groups.add(
        acme, {"name": "g", "timeout": {"time": 30, "target": "user", "user": "701"}}
    )
    assert (group.timeout.time, group.timeout.user) == (30, "admin")
    longer = await directory.groups.edit(acme, group.id, {"timeout": {"time": 600}})
    assert (longer.timeout.time, longer.timeout.user) == (600, "admin")
    out = await directory.groups.edit(
        acme, group.id, {"timeout": {"target": "telnum", "telnum": "8 910 123-45-67"}}
    )
    assert (out.timeout.target, out.timeout.user) == (TimeoutTarget.TELNUM, "")
    assert (out.timeout.telnum, out.timeout.time) == ("79101234567", 600)
    with pytest.raises(Invalid):
        await directory.groups.edit(
            acme, group.id, {"timeout": {"target": "group", "group": group.id}}
        )


async def test_users_change_adds_then_disables_then_removes(
    directory: Directory, acme: DomainConfig
) -> None:
    await people(directory, acme, "a", "b", "c", "d")
    group = await directory.groups.add(
        acme, {"name": "g", "users": [{"login": x, "calls_enable": True} for x in ("a", "b")]}
    )

    async def change(**values: Any) -> list[tuple[str, bool]]:
        await directory.groups.change_users(acme, group.id, values)
        return members(await directory.groups.get(acme, group.id))

    assert await change(add=["c"], calls_disable=["c"]) == [("a", True), ("b", True), ("c", False)]
    assert await change(add=["d"], position=0) == [
        ("d", True),
        ("a", True),
        ("b", True),
        ("c", False),
    ]
    assert await change(add=["c"], position=1) == [
        ("d", True),
        ("c", True),
        ("a", True),
        ("b", True),
    ]
    assert await change(add=["b"], remove=["b", "d"], position=99) == [("c", True), ("a", True)]
    assert await change(calls_disable=["702"]) == [("c", True), ("a", False)]
    unchanged = [("c", True), ("a", False)]
    assert await change(calls_disable=["d", "ghost"], remove=["b", "ghost"]) == unchanged
    for wrong in ({"add": ["ghost"]}, {"position": -2}):
        with pytest.raises(Invalid):
            await change(**wrong)


async def test_users_in_edit_replace_the_list_in_this_order(
    directory: Directory, acme: DomainConfig
) -> None:
    await people(directory, acme, "a", "b")
    group = await directory.groups.add(
        acme, {"name": "g", "users": [{"login": "a", "calls_enable": True}]}
    )
    users = [{"login": "b", "calls_enable": "0"}, {"login": "a", "calls_enable": "true"}]
    edited = await directory.groups.edit(acme, group.id, {"users": users})
    assert members(edited) == [("b", False), ("a", True)]
    assert members(await directory.groups.edit(acme, group.id, {"name": "h"})) == members(edited)
    assert members(await directory.groups.edit(acme, group.id, {"users": []})) == []


async def test_limit_and_search(directory: Directory, acme: DomainConfig) -> None:
    await directory.companies.edit(acme, {"limit_groups": 1})
    group = await directory.groups.add(acme, {"name": "Отдел продаж", "ext": "9000"})
    with pytest.raises(Invalid):
        await directory.groups.add(acme, {"name": "two"})
    for search in ("ПРОДАЖ", "900", group.id[2:8]):
        assert (await directory.groups.list(acme, search=search)).total == 1
    assert (await directory.groups.list(acme, search="x")).total == 0
    assert (await directory.groups.edit(acme, "9000", {"ext": "9001"})).ext == "9001"
    assert (await directory.users.add(acme, {"name": "x", "ext": "9000"})).employee.ext == "9000"


async def test_timeouts_that_lead_in_a_circle_are_refused(
    directory: Directory, acme: DomainConfig, other: DomainConfig
) -> None:
    def to(group: Department) -> dict[str, Any]:
        return {"timeout": {"target": "group", "group": group.id}}

    a, b, c = [await directory.groups.add(acme, {"name": name}) for name in "abc"]
    await directory.groups.edit(acme, a.id, to(b))
    await directory.groups.edit(acme, b.id, to(c))
    for last, first in ((c, a), (c, b), (b, a)):
        with pytest.raises(Invalid, match="in a circle") as caught:
            await directory.groups.edit(acme, last.id, to(first))
        assert caught.value.errors[0].field == "timeout.group"
    await directory.groups.edit(acme, a.id, {"timeout": {"target": "msg_busy"}})
    await directory.groups.edit(acme, c.id, to(a))
