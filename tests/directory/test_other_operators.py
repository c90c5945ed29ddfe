"""Numbers of other operators and connected PBXs (crm-api 14-16)."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from sqlalchemy import text

from vpbx.db import Database
from vpbx.directory import (
    BranchStatus,
    Directory,
    DomainConfig,
    Invalid,
    NotFound,
    Origin,
    RegistrationStatus,
)

TELNUM = "79001112233"
VALUES: dict[str, Any] = {
    "telnum": TELNUM,
    "name": "Test",
    "domain": "regtest.com",
    "login": "me",
    "password": "pa$$word",
}


async def test_registration_gets_defaults_and_its_number(
    directory: Directory, acme: DomainConfig
) -> None:
    made = await directory.sip_registrations.add(acme, VALUES)
    assert (made.telnum, made.active, made.outgoing, made.expires) == (TELNUM, True, True, 600)
    assert (made.auth_name, made.proxy, made.status) == ("", "", RegistrationStatus.WAITING)
    number = await directory.telnums.get(acme, TELNUM)
    assert (number.origin, number.user, number.outgoing) == (
        Origin.SIP_REGISTRATION,
        "admin",
        True,
    )
    found = await directory.number(TELNUM)
    assert found is not None
    assert found[0].id == acme.id
    await directory.sip_registrations.delete(acme, TELNUM)
    assert await directory.number(TELNUM) is None


async def test_password_lies_sealed_and_can_be_opened(
    directory: Directory, acme: DomainConfig, database: Database
) -> None:
    made = await directory.sip_registrations.add(acme, VALUES)
    assert directory.sip_registrations.password(made) == "pa$$word"
    assert "pa$$word" not in repr(made)
    async with database.connect() as connection:
        row = (await connection.execute(text("SELECT * FROM sip_registrations"))).one()
    assert "pa$$word" not in str(row)
    changed = await directory.sip_registrations.edit(acme, TELNUM, {"password": "other"})
    assert directory.sip_registrations.password(changed) == "other"


async def test_status_starts_anew_when_registering_changes(
    directory: Directory, acme: DomainConfig
) -> None:
    rules = directory.sip_registrations
    await rules.add(acme, VALUES)
    assert await rules.set_status(acme, TELNUM, RegistrationStatus.SUCCESS)
    assert not await rules.set_status(acme, TELNUM, RegistrationStatus.SUCCESS)
    named = await rules.edit(acme, TELNUM, {"name": "New", "telnum": "79999999999"})
    assert (named.status, named.name, named.telnum) == ("success", "New", TELNUM)
    off = await rules.edit(acme, TELNUM, {"active": "0"})
    assert off.status is RegistrationStatus.OFF
    assert not (await directory.telnums.get(acme, TELNUM)).outgoing
    on = await rules.edit(acme, TELNUM, {"active": 1, "outgoing": False})
    assert on.status is RegistrationStatus.WAITING
    assert not (await directory.telnums.get(acme, TELNUM)).outgoing
    for search in ("REGTEST", "new", "11122"):
        assert (await rules.list(acme, search=search)).total == 1
    assert (await rules.list(acme, search="me")).total == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"telnum": None}, "telnum"),
        ({"name": ""}, "name"),
        ({"domain": "not a host"}, "domain"),
        ({"login": "a b"}, "login"),
        ({"password": None}, "password"),
        ({"expires": 5}, "expires"),
        ({"expires": "soon"}, "expires"),
        ({"active": "maybe"}, "active"),
        ({"proxy": "x y"}, "proxy"),
    ],
)
async def test_wrong_registrations_are_named(
    directory: Directory, acme: DomainConfig, change: dict[str, Any], wrong: str
) -> None:
    with pytest.raises(Invalid) as error:
        await directory.sip_registrations.add(acme, {**VALUES, **change})
    assert [each.field for each in error.value.errors] == [wrong]
    assert (await directory.current(acme)).numbers == {}


async def test_limit_counts_both_kinds_and_the_service_may_be_off(
    directory: Directory, acme: DomainConfig
) -> None:
    await directory.companies.edit(acme, {"limit_local_gw": 2})
    await directory.sip_registrations.add(acme, VALUES)
    results = await asyncio.gather(
        *(directory.sipuri_transfers.add(acme, {"telnum": f"7900111000{n}"}) for n in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Invalid) for result in results) == 3
    await directory.companies.edit(acme, {"limit_local_gw": -1, "service_local_gw": False})
    with pytest.raises(Invalid) as error:
        await directory.sipuri_transfers.add(acme, {"telnum": "79001119999"})
    assert error.value.errors[0].field == "services"


async def test_sip_address_is_made_up_and_brings_calls_to_the_number(
    directory: Directory, acme: DomainConfig, other: DomainConfig
) -> None:
    rules = directory.sipuri_transfers
    made = await rules.add(acme, {"telnum": "8 900 111-22-33"})
    assert re.fullmatch(r"pbx-[A-Za-z0-9]{12}@acme\.example", made.uri)
    assert (made.telnum, made.active) == (TELNUM, True)
    current = await directory.current(acme)
    user = made.uri.partition("@")[0]
    number = rules.find(current, user.upper())
    assert number is not None
    assert (number.telnum, number.origin, number.outgoing) == (TELNUM, Origin.SIPURI, False)
    assert rules.find(await directory.current(other), user) is None
    off = await rules.edit(acme, TELNUM, {"active": False})
    assert (off.uri, off.active) == (made.uri, False)
    assert rules.find(await directory.current(acme), user) is None
    with pytest.raises(Invalid):
        await rules.add(acme, {"telnum": TELNUM})
    with pytest.raises(NotFound):
        await rules.get(other, TELNUM)
    assert (await rules.list(acme, search="PBX-")).total == 1
    await rules.delete(acme, TELNUM)
    with pytest.raises(NotFound):
        await directory.telnums.get(acme, TELNUM)


async def test_number_stays_as_long_as_anything_needs_it(
    directory: Directory, acme: DomainConfig, other: DomainConfig
) -> None:
    await directory.sip_registrations.add(acme, VALUES)
    await directory.sipuri_transfers.add(acme, {"telnum": TELNUM})
    await directory.sip_registrations.delete(acme, TELNUM)
    assert (await directory.telnums.get(acme, TELNUM)).origin is Origin.SIPURI
    await directory.sipuri_transfers.delete(acme, TELNUM)
    own = await directory.telnums.add(acme, "74957654321")
    await directory.sip_registrations.add(acme, {**VALUES, "telnum": own.telnum})
    await directory.sip_registrations.delete(acme, own.telnum)
    assert (await directory.telnums.get(acme, own.telnum)).outgoing
    with pytest.raises(Invalid):
        await directory.sip_registrations.add(other, {**VALUES, "telnum": own.telnum})


async def test_branches_connect_when_both_hold_the_same_key(
    directory: Directory, acme: DomainConfig, other: DomainConfig
) -> None:
    branches = directory.branches
    await directory.users.add(other, {"name": "Bob", "login": "bob", "ext": "750"})
    group = await directory.groups.add(other, {"name": "Their group"})
    made = await branches.add(
        acme, {"domain": "Other.example", "name": "Subsidiary", "key": "shared-key"}
    )
    assert (made.domain, made.status, made.exts_count) == ("other.example", "waiting", 0)
    assert "shared-key" not in repr(made)
    assert branches.key(made) == "shared-key"
    assert (await branches.sync(acme, "other.example")).status is BranchStatus.WAITING
    await branches.add(other, {"domain": "acme.example", "name": "Mother", "key": "another-key"})
    assert (await branches.sync(acme, "other.example")).status is BranchStatus.ERROR
    await branches.delete(other, "acme.example")
    await branches.add(other, {"domain": "acme.example", "name": "Mother", "key": "shared-key"})
    done = await branches.sync(acme, "other.example")
    assert (done.status, done.users_count, done.groups_count) == (BranchStatus.SUCCESS, 2, 1)
    assert (done.exts_count, done.collisions_count) == (3, 1)
    assert (await branches.get(other, "acme.example")).status is BranchStatus.SUCCESS

    ours = await directory.groups.add(
        acme, {"name": "Mixed", "users": [{"login": "bob@other.example", "calls_enable": True}]}
    )
    member = ours.members[0]
    assert (member.login, member.name, member.other_pbx_type, member.branch_domain) == (
        "bob",
        "Bob",
        "branch",
        "other.example",
    )
    await directory.groups.delete(other, group.id)
    await directory.users.delete(other, "bob")
    synced = await branches.sync(acme, "other.example")
    assert (synced.users_count, synced.groups_count) == (1, 0)
    assert (await directory.groups.get(acme, ours.id)).members == ()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({}, {"domain", "name", "key"}),
        ({"domain": "acme.example", "name": "x", "key": "long-enough"}, {"domain"}),
        ({"domain": "a b", "name": "x", "key": "long-enough"}, {"domain"}),
        ({"domain": "x.example", "name": "x", "key": "short"}, {"key"}),
    ],
)
async def test_wrong_branches_are_named(
    directory: Directory, acme: DomainConfig, values: dict[str, Any], wrong: set[str]
) -> None:
    with pytest.raises(Invalid) as error:
        await directory.branches.add(acme, values)
    assert {each.field for each in error.value.errors} == wrong


async def test_branch_is_renamed_found_and_gone(directory: Directory, acme: DomainConfig) -> None:
    branches = directory.branches
    values = {"domain": "x.example", "name": "x", "key": "long-enough"}
    await branches.add(acme, values)
    with pytest.raises(Invalid):
        await branches.add(acme, values)
    assert (await branches.edit(acme, "X.example", {"name": "Филиал"})).name == "Филиал"
    assert (await branches.list(acme, search="ФИЛ")).total == 1
    await branches.delete(acme, "x.example")
    for gone in (branches.get(acme, "x.example"), branches.edit(acme, "x.example", {})):
        with pytest.raises(NotFound):
            await gone
