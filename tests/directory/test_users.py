"""Employees: what is stored, what is refused, races, deletion."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

from vpbx.db import Database
from vpbx.directory import Directory, DomainConfig, Invalid, NotFound, Role, Secrets
from vpbx.directory.locations import LocationRow


def fields(error: pytest.ExceptionInfo[Invalid]) -> set[str]:
    return {each.field for each in error.value.errors}


async def test_new_employee_gets_every_default(directory: Directory, acme: DomainConfig) -> None:
    made = await directory.users.add(acme, {"name": "Анна Петрова"})
    employee = made.employee
    assert (employee.login, employee.ext, employee.position) == ("u702", "702", "Manager")
    assert employee.role is Role.USER
    assert employee.receives_calls
    assert len(made.password) == 16


async def test_password_is_kept_only_as_digest_of_login_and_of_ext(
    directory: Directory, acme: DomainConfig
) -> None:
    made = await directory.users.add(
        acme, {"name": "Ann", "login": "Ann", "ext": "750", "password": "secret-word"}
    )
    assert made.password == ""
    employee = made.employee

    def digest(name: str, username: str) -> str:
        return hashlib.new(name, f"{username}:acme.example:secret-word".encode()).hexdigest()

    assert employee.login == "ann"
    assert employee.ha1_login.md5 == digest("md5", "ann")
    assert employee.ha1_login.sha256 == digest("sha256", "ann")
    assert employee.ha1_ext.md5 == digest("md5", "750")
    assert employee.ha1_ext.sha256 == digest("sha256", "750")
    assert employee.ha1_login.md5 not in repr(employee)


async def test_new_ext_without_password_leaves_only_the_login_to_register(
    directory: Directory, acme: DomainConfig
) -> None:
    before = (await directory.users.add(acme, {"name": "Ann", "login": "ann"})).employee
    after = await directory.users.edit(acme, "ann", {"ext": "799"})
    assert after.ha1_login == before.ha1_login
    assert (after.ext, after.ha1_ext.md5, after.ha1_ext.sha256) == ("799", "", "")
    again = await directory.users.edit(acme, "799", {"password": "new-password"})
    assert again.ha1_ext.md5
    assert again.ha1_login != before.ha1_login


async def test_freed_ext_is_given_again_and_the_lowest_first(
    directory: Directory, acme: DomainConfig
) -> None:
    for _ in range(3):
        await directory.users.add(acme, {"name": "x"})
    await directory.users.delete(acme, "703")
    await directory.groups.add(acme, {"name": "g", "ext": "705"})
    exts = [(await directory.users.add(acme, {"name": "x"})).employee.ext for _ in range(2)]
    assert exts == ["703", "706"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({}, {"name"}),
        ({"name": "  "}, {"name"}),
        ({"name": "x" * 300}, {"name"}),
        ({"name": "x", "login": "7 7"}, {"login"}),
        ({"name": "x", "login": "707"}, {"login"}),
        ({"name": "x", "ext": "7"}, {"ext"}),
        ({"name": "x", "ext": "112"}, {"ext"}),
        ({"name": "x", "ext": "701"}, {"ext"}),
        ({"name": "x", "login": "ADMIN"}, {"login"}),
        ({"name": "x", "password": "short"}, {"password"}),
        ({"name": "x", "email": "nobody"}, {"email"}),
        ({"name": "x", "role": "king"}, {"role"}),
        ({"name": "x", "mobile": "call me"}, {"mobile"}),
        ({"name": "x", "mobile_redirect": {"enabled": True}}, {"mobile_redirect.enabled"}),
        ({"name": "x", "mobile_redirect": {}}, {"mobile_redirect.enabled"}),
        ({"name": "x", "mobile_redirect": 5}, {"mobile_redirect"}),
        (
            {"name": "x", "mobile": "79101234567", "mobile_redirect": {"enabled": 1, "delay": 7}},
            {"mobile_redirect.delay"},
        ),
        ({"name": True}, {"name"}),
    ],
)
async def test_wrong_values_are_named_and_nothing_is_added(
    directory: Directory, acme: DomainConfig, values: dict[str, Any], wrong: set[str]
) -> None:
    with pytest.raises(Invalid) as error:
        await directory.users.add(acme, values)
    assert fields(error) == wrong
    assert (await directory.users.list(acme)).total == 1


async def test_redirect_is_kept_and_the_mobile_it_needs_cannot_go(
    directory: Directory, acme: DomainConfig
) -> None:
    values = {
        "name": "Ann",
        "mobile": "8 (910) 123-45-67",
        "mobile_redirect": {"enabled": "true", "forward": "1", "delay": "10"},
    }
    employee = (await directory.users.add(acme, values)).employee
    assert employee.mobile == "79101234567"
    redirect = employee.mobile_redirect
    assert (redirect.enabled, redirect.forward, redirect.delay) == (True, True, 10)
    with pytest.raises(Invalid) as error:
        await directory.users.edit(acme, employee.login, {"mobile": ""})
    assert fields(error) == {"mobile"}
    off = await directory.users.edit(
        acme, employee.login, {"mobile": "", "mobile_redirect": {"enabled": False}}
    )
    assert (off.mobile, off.mobile_redirect.enabled) == ("", False)


async def test_edit_changes_only_what_is_sent(directory: Directory, acme: DomainConfig) -> None:
    values = {"name": "Ann", "email": "ann@acme.example", "position": "Boss", "role": "admin"}
    before = (await directory.users.add(acme, values)).employee
    after = await directory.users.edit(acme, before.login, {"position": "Chief", "nonsense": 1})
    assert after == before.__class__(
        **{
            **{name: getattr(before, name) for name in before.__dataclass_fields__},
            "position": "Chief",
        }
    )


async def test_last_administrator_stays(directory: Directory, acme: DomainConfig) -> None:
    with pytest.raises(Invalid):
        await directory.users.edit(acme, "admin", {"role": "user"})
    with pytest.raises(Invalid):
        await directory.users.delete(acme, "admin")
    await directory.users.add(acme, {"name": "x", "role": "admin"})
    await directory.users.delete(acme, "admin")
    current = await directory.current(acme)
    assert current.first_admin().login == "u702"


async def test_search_finds_any_script_in_any_case(
    directory: Directory, acme: DomainConfig
) -> None:
    for name in ("Анна Öster", "ΑΘΗΝΑ", "Straße"):
        await directory.users.add(acme, {"name": name, "email": "who@acme.example"})
    for search, count in [("АННА", 1), ("öSTER", 1), ("αθηνα", 1), ("STRASSE", 1), ("@ACME", 3)]:
        assert (await directory.users.list(acme, search=search)).total == count


async def test_pages_join_without_gap_or_double(directory: Directory, acme: DomainConfig) -> None:
    for number in range(9):
        await directory.users.add(acme, {"name": f"user {number}"})
    seen: list[str] = []
    start: int | None = 0
    while start is not None:
        page = await directory.users.list(acme, start=start, limit=4)
        seen += [employee.ext for employee in page.items]
        assert page.total == 10
        start = page.next
    assert seen == [str(ext) for ext in range(701, 711)]
    assert (await directory.users.list(acme, start=50)).items == ()
    with pytest.raises(Invalid):
        await directory.users.list(acme, start=-1)


async def test_limit_of_employees_holds(directory: Directory, acme: DomainConfig) -> None:
    await directory.companies.edit(acme, {"limit_users": 2})
    await directory.users.add(acme, {"name": "x"})
    with pytest.raises(Invalid) as error:
        await directory.users.add(acme, {"name": "y"})
    assert fields(error) == {"limits"}


async def test_requests_at_once_never_share_an_ext_or_break_the_limit(
    directory: Directory, acme: DomainConfig
) -> None:
    await directory.companies.edit(acme, {"limit_users": 6})
    results = await asyncio.gather(
        *(directory.users.add(acme, {"name": str(number)}) for number in range(12)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Invalid) for result in results) == 7
    page = await directory.users.list(acme)
    assert [employee.ext for employee in page.items] == [str(ext) for ext in range(701, 707)]


async def test_same_ext_at_once_goes_to_one(directory: Directory, acme: DomainConfig) -> None:
    adds = [directory.users.add(acme, {"name": "x", "ext": "777"}) for _ in range(4)]
    adds += [directory.groups.add(acme, {"name": "x", "ext": "777"}) for _ in range(4)]
    results = await asyncio.gather(*adds, return_exceptions=True)
    assert sum(isinstance(result, Invalid) for result in results) == 7


async def test_login_of_one_is_never_the_name_of_another(
    directory: Directory, acme: DomainConfig
) -> None:
    group = await directory.groups.add(acme, {"name": "g"})
    with pytest.raises(Invalid):
        await directory.users.add(acme, {"name": "x", "login": group.id.replace("_", "_")[:64]})


async def test_dnd_is_inverted_and_subscription_follows_departments(
    directory: Directory, acme: DomainConfig
) -> None:
    await directory.users.add(acme, {"name": "Ann", "login": "ann"})
    first = await directory.groups.add(
        acme, {"name": "a", "users": [{"login": "ann", "calls_enable": True}]}
    )
    second = await directory.groups.add(
        acme, {"name": "b", "users": [{"login": "ann", "calls_enable": True}]}
    )
    users = directory.users
    assert await users.dnd(acme, "ann")
    await users.set_dnd(acme, "702", False)
    assert not await users.dnd(acme, "ann")
    assert await users.subscription(acme, "ann")
    await users.set_subscription(acme, "ann", False, first.id)
    assert not await users.subscription(acme, "ann", first.id)
    assert await users.subscription(acme, "ann", second.id)
    assert not await users.subscription(acme, "ann")
    await users.set_subscription(acme, "ann", True)
    assert await users.subscription(acme, "ann")
    assert {group.id for group in await users.groups(acme, "ann")} == {first.id, second.id}
    with pytest.raises(Invalid):
        await users.set_subscription(acme, "admin", True, first.id)


async def test_unknown_employee_is_not_found(directory: Directory, acme: DomainConfig) -> None:
    for attempt in (
        directory.users.get(acme, "ghost"),
        directory.users.edit(acme, "ghost", {}),
        directory.users.delete(acme, "ghost"),
        directory.users.set_dnd(acme, "ghost", True),
    ):
        with pytest.raises(NotFound):
            await attempt


@pytest.mark.parametrize(
    ("text", "login"),
    [
        *(("ann", "ann"), ("ANN", "ann"), (" 750 ", "ann"), ("ann@acme.example", "ann")),
        *(("74951234567", "ann"), ("8 (495) 123-45-67", "ann"), ("+7 495 123 45 67", "ann")),
        *(("4951234567", "ann"), ("tel:+74951234567", "ann")),
        *(("ann@other.example", ""), ("74951234568", ""), ("123", ""), ("", ""), ("@", "")),
        *(("Ann Smith", ""), ("74951234567 ext. 5", "")),
    ],
)
async def test_other_programs_name_employees_by_what_they_store(
    directory: Directory, acme: DomainConfig, text: str, login: str
) -> None:
    await directory.users.add(acme, {"name": "Ann Smith", "login": "ann", "ext": "750"})
    await directory.telnums.add(acme, "74951234567", user="ann")
    found = (await directory.current(acme)).find_named(text)
    assert (found.login if found is not None else "") == login


async def test_devices_of_who_is_gone_do_not_ring_for_who_gets_their_login(
    directory: Directory, database: Database, acme: DomainConfig, tmp_path: Path
) -> None:
    """Another process removes and adds between two looks of this one."""
    await directory.users.add(acme, {"name": "Ann", "login": "ann"})
    here = Directory(database, poll_s=3600, secrets=Secrets.from_file(tmp_path / "secret.key"))
    await here.start()
    try:
        known = await here.domain("acme.example")
        assert known is not None
        device = LocationRow("sip:x@192.0.2.1", "udp", "192.0.2.1", 5060, 0, "", "c", 1, 4e9)
        here.locations.save(acme.id, "ann", [device])
        await here.writer.flush()
        acme = await directory.current(acme)
        await directory.users.delete(acme, "ann")
        await directory.users.add(acme, {"name": "Another Ann", "login": "ann"})
        assert here.locations.bindings(acme.id, "ann"), "it has not looked yet"
        await here.refresh()
        assert (await here.current(known)).employees["ann"].name == "Another Ann"
        assert not here.locations.bindings(acme.id, "ann")
    finally:
        await here.stop()
