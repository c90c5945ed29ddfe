"""Black list, lists, music, outgoing numbers, restrictions, webhooks (crm-api 10-13, 17)."""

from __future__ import annotations

import asyncio

import pytest

from vpbx.clock import ManualClock
from vpbx.db import Database
from vpbx.directory import BlackListEntry, Directory, DomainConfig, Invalid, NotFound, ordered

DAY_S = 86_400


async def test_black_list_takes_numbers_and_ranges(
    directory: Directory, acme: DomainConfig, other: DomainConfig
) -> None:
    blacklist = directory.blacklist
    await blacklist.add(acme, [{"telnum": "8 999 888-00-11", "comment": "Spam"}])
    await blacklist.add(acme, [{"telnum": "7900800*"}, {"telnum": "79998880011", "comment": "x"}])
    assert await blacklist.list(acme) == (
        BlackListEntry("7900800*", ""),
        BlackListEntry("79998880011", "x"),
    )
    rules = (await directory.current(acme)).settings.blacklist
    assert rules.entry_for("79008001234") == "7900800*"
    assert rules.entry_for("79998880011") == "79998880011"
    assert rules.entry_for("79101234567") is None
    assert rules.entry_for("") is None
    for wrong in ("", "*", "79*0", "words", "7900*8*"):
        with pytest.raises(Invalid):
            await blacklist.add(acme, [{"telnum": wrong}])
    with pytest.raises(NotFound):
        await blacklist.delete(acme, ["7900800*", "70000000000"])
    with pytest.raises(NotFound):
        await blacklist.delete(other, ["7900800*"])
    with pytest.raises(Invalid):
        await blacklist.delete(acme, [])
    await blacklist.delete(acme, ["7900800*", "+7 999 888 00 11"])
    assert await blacklist.list(acme) == ()


async def test_anonymous_callers_are_refused_when_asked(
    directory: Directory, acme: DomainConfig
) -> None:
    await directory.blacklist.set_block_anonymous(acme, True)
    rules = (await directory.current(acme)).settings.blacklist
    assert rules.block_anonymous
    assert rules.entry_for("") == ""
    await directory.blacklist.set_block_anonymous(acme, False)


async def test_blocked_calls_are_counted_by_week_and_year(database: Database) -> None:
    clock = ManualClock()
    directory = Directory(database, clock=clock)
    await directory.start()
    acme = (await directory.companies.add("acme.example")).domain
    await directory.blacklist.add(acme, [{"telnum": "7900*"}])
    for days in (300, 100, 6, 1):
        directory.blacklist.blocked(acme, "7900*")
        directory.blacklist.blocked(acme, "7900*")
        clock.advance(days * DAY_S)
    directory.blacklist.blocked(acme, "7900*")
    directory.blacklist.blocked(acme, "")
    await directory.writer.flush()
    assert await directory.blacklist.list(acme, statistics=True) == (
        BlackListEntry("7900*", "", 3, 7),
    )
    await directory.stop()


async def test_lists_of_employees_and_departments(
    directory: Directory, acme: DomainConfig, other: DomainConfig
) -> None:
    await directory.users.add(acme, {"name": "Ann", "login": "ann"})
    group = await directory.groups.add(acme, {"name": "Sales"})
    for each in (directory.record_exceptions, directory.blf, directory.am_users):
        await each.add(acme, ["702", "admin", "ann"])
        await each.add(acme, ["ann"])
        assert [employee.login for employee in await each.list(acme)] == ["admin", "ann"]
        with pytest.raises(Invalid) as error:
            await each.add(acme, ["admin", "ghost"])
        assert error.value.errors[0].field == "[1]"
        with pytest.raises(NotFound):
            await each.delete(acme, ["ann", "ghost"])
        with pytest.raises(NotFound):
            await each.delete(other, ["admin"])
        with pytest.raises(Invalid):
            await each.delete(acme, [])
        await each.delete(acme, ["701"])
        assert [employee.login for employee in await each.list(acme)] == ["ann"]
    await directory.am_groups.add(acme, [group.id])
    assert [each.id for each in await directory.am_groups.list(acme)] == [group.id]
    current = await directory.current(acme)
    assert current.record_exceptions == {"ann"}
    assert current.settings.voicemail.groups == (group.id,)
    await directory.am_groups.delete(acme, [group.id])
    with pytest.raises(NotFound):
        await directory.am_groups.delete(acme, [group.id])


async def test_music_is_built_in_or_uploaded(
    directory: Directory, acme: DomainConfig, other: DomainConfig
) -> None:
    music = directory.music
    assert (await music.get(acme))["holdmusic"].file == "holdmusic"
    file = await directory.media.add(acme, "Song.mp3", "music", "a/song", duration_s=3.5)
    await music.set(acme, "holdmusic", file.id)
    chosen = (await music.get(acme))["holdmusic"]
    assert (chosen.file, chosen.name, chosen.uploaded) == (file.id, "Song.mp3", True)
    await music.set(acme, "ringback", "calm")
    assert (await music.get(acme))["ringback"].file == "calm"
    for domain, kind, name, error in (
        (other, "holdmusic", file.id, Invalid),
        (acme, "holdmusic", "noise", Invalid),
        (acme, "doorbell", file.id, NotFound),
    ):
        with pytest.raises(error):
            await music.set(domain, kind, name)
    assert [each.id for each in await directory.media.list(acme, "music")] == [file.id]
    assert await directory.media.list(other, "music") == ()
    with pytest.raises(NotFound):
        await directory.media.list(acme, "video")


async def test_outgoing_number_is_the_first_that_applies(
    directory: Directory, acme: DomainConfig
) -> None:
    numbers = {}
    for name, telnum in enumerate(("74950000001", "74950000002", "74950000003", "74950000004")):
        numbers[name] = (await directory.telnums.add(acme, telnum)).telnum
    await directory.users.add(acme, {"name": "Ann", "login": "ann"})
    group = await directory.groups.add(
        acme, {"name": "Sales", "users": [{"login": "ann", "calls_enable": False}]}
    )
    rules = directory.caller_ids

    async def shown(called: str) -> str:
        current = await directory.current(acme)
        number = current.outgoing_number(current.employees["ann"], called)
        return number.telnum if number else ""

    await rules.set_main(acme, {"telnum": numbers[0]})
    assert await shown("73882221234") == numbers[0]
    await rules.set_region(acme, {"telnum": numbers[1], "id": 2})
    assert await shown("73882221234") == numbers[1]
    assert await shown("79101234567") == numbers[0]
    await rules.set_group(acme, {"telnum": numbers[2], "id": group.id})
    assert await shown("73882221234") == numbers[2]
    await rules.set_user(acme, {"telnum": "8 495 000-00-04", "login": "702"})
    assert await shown("73882221234") == numbers[3]
    main, rules_now = await rules.get(acme)
    assert (main, rules_now.users, rules_now.groups, rules_now.regions) == (
        numbers[0],
        {"ann": numbers[3]},
        {group.id: numbers[2]},
        {"2": numbers[1]},
    )
    await rules.set_user(acme, {"telnum": numbers[0], "login": "ann"})
    await rules.delete_user(acme, "ann")
    await rules.delete_group(acme, group.id)
    await rules.delete_region(acme, "2")
    for gone in (
        rules.delete_user(acme, "ann"),
        rules.delete_group(acme, group.id),
        rules.delete_region(acme, "2"),
    ):
        with pytest.raises(NotFound):
            await gone
    assert await shown("73882221234") == numbers[0]


async def test_outgoing_numbers_must_be_the_companys_own(
    directory: Directory, acme: DomainConfig, other: DomainConfig
) -> None:
    await directory.telnums.add(other, "74950000001")
    await directory.sipuri_transfers.add(acme, {"telnum": "74950000002"})
    rules = directory.caller_ids
    for values, wrong in (
        ({}, "telnum"),
        ({"telnum": "74950000001"}, "telnum"),
        ({"telnum": "74950000002"}, "telnum"),
    ):
        with pytest.raises(Invalid) as error:
            await rules.set_main(acme, values)
        assert error.value.errors[0].field == wrong
    assert [(n.telnum, n.outgoing) for n in await rules.telnums(acme)] == [("74950000002", False)]
    await directory.telnums.add(acme, "74950000003")
    with pytest.raises(Invalid) as error:
        await rules.set_user(acme, {"telnum": "74950000003", "login": "ghost"})
    assert error.value.errors[0].field == "login"
    with pytest.raises(Invalid) as error:
        await rules.set_region(acme, {"telnum": "74950000003", "id": "999"})
    assert error.value.errors[0].field == "id"


async def test_narrowest_restriction_decides(directory: Directory, acme: DomainConfig) -> None:
    await directory.telnums.add(acme, "74957654321")
    await directory.users.add(acme, {"name": "Ann", "login": "ann"})
    group = await directory.groups.add(
        acme, {"name": "Sales", "users": [{"login": "ann", "calls_enable": True}]}
    )
    rules = directory.restrictions

    async def may(*called: str) -> list[bool]:
        current = await directory.current(acme)
        ann = current.employees["ann"]
        return [current.settings.restrictions.allows(current, ann, number) for number in called]

    local, far, mobile, berlin = "74991112233", "78121112233", "79101112233", "493012345678"
    assert await may(local, berlin) == [True, True]
    await rules.delete_main(acme, ["ALL"])
    assert await may(local, far, mobile, berlin) == [False] * 4
    assert await rules.add_main(acme, ["179", "LOCAL"]) == ("179", "LOCAL")
    assert await may(local, far, mobile, berlin) == [True, False, True, False]
    assert await rules.add_main(acme, ["ru"]) == ("RU", "179", "LOCAL")
    assert await may(local, far, mobile, berlin) == [True, True, True, False]
    assert await rules.add_groups(acme, [{"login": group.id, "allowed": ["EURO"]}]) == {
        group.id: {"EURO"}
    }
    assert await may(local, berlin) == [False, True]
    assert await rules.add_users(acme, [{"login": "702", "allowed": []}]) == {"ann": frozenset()}
    assert await may(local, berlin) == [False, False]
    both = await rules.add_users(acme, [{"login": "ann", "allowed": ["CIS", "ALL"]}])
    assert ordered(both["ann"]) == ("CIS", "ALL")
    assert await may(local, berlin) == [True, True]
    await rules.delete_user(acme, "ann", ["ALL"])
    assert (await rules.get(acme)).users == {"ann": {"CIS"}}
    await rules.delete_user(acme, "ann", ["CIS"])
    assert await may(berlin) == [False]
    await rules.delete_user(acme, "ann")
    assert await may(berlin) == [True]
    await rules.delete_group(acme, group.id)
    assert await may(berlin) == [False]
    for gone in (rules.delete_user(acme, "ann"), rules.delete_group(acme, group.id, ["RU"])):
        with pytest.raises(NotFound):
            await gone
    for wrong in (
        rules.add_main(acme, ["MOON"]),
        rules.delete_main(acme, []),
        rules.add_users(acme, [{"login": "ghost", "allowed": ["RU"]}]),
        rules.add_users(acme, [{"login": "ann"}]),
        rules.add_groups(acme, [{"id": "g_x", "allowed": ["RU"]}]),
    ):
        with pytest.raises(Invalid):
            await wrong


async def test_directions_added_at_once_are_all_kept(
    directory: Directory, acme: DomainConfig
) -> None:
    each = ("CIS", "EURO", "ASIA", "AFR", "NA")
    await asyncio.gather(
        *(directory.restrictions.add_users(acme, [{"login": "701", "allowed": [d]}]) for d in each)
    )
    assert (await directory.restrictions.get(acme)).users == {"admin": frozenset(each)}


async def test_webhooks(directory: Directory, acme: DomainConfig, other: DomainConfig) -> None:
    made = await directory.webhooks.add(acme, {"url": "https://hook.example/x"})
    assert made.type == "sipregs_error"
    assert await directory.webhooks.list(acme) == (made,)
    for values in ({}, {"url": "gopher://x"}, {"url": "https://x", "type": "nonsense"}):
        with pytest.raises(Invalid):
            await directory.webhooks.add(acme, values)
    with pytest.raises(NotFound):
        await directory.webhooks.delete(other, made.id)
    await directory.webhooks.delete(acme, made.id)
    assert await directory.webhooks.list(acme) == ()
