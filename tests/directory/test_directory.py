"""Snapshots, other processes, isolation of domains, keys, trunks, devices."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.support.postgres import PostgresServer
from vpbx.db import Database
from vpbx.directory import (
    RIGHTS,
    AuthFailure,
    Commands,
    Directory,
    DomainConfig,
    Format,
    Invalid,
    LocationRow,
    NotFound,
    Role,
    Secrets,
)


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await check():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def another_process(database_url: str) -> AsyncIterator[Directory]:
    database = Database.from_url(database_url)
    directory = Directory(database, poll_s=0.05)
    await directory.start()
    yield directory
    await directory.stop()
    await database.close()


async def test_changes_of_others_are_seen_again_after_the_database_was_away(
    postgres_server: PostgresServer, postgres_url: str, database: Database
) -> None:
    if database.dialect != "postgresql":
        pytest.skip("a file is never away")
    name = postgres_url.partition("?")[0].rpartition("/")[2]
    hurried = Database.from_url(postgres_url, patience_s=0.2)
    directory = Directory(hurried, poll_s=0.02)
    await directory.start()
    acme = (await directory.companies.add("acme.example")).domain
    with capture_logs() as logs:
        postgres_server.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        postgres_server.sql(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )
        async with asyncio.timeout(30):
            while not logs:  # whatever the driver says of a connection that was cut off
                await asyncio.sleep(0.02)
    postgres_server.sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    async with another_process(postgres_url) as other:
        await other.companies.switch(acme, False)
    async with asyncio.timeout(30):
        while (cached := directory.cached("acme.example")) is None or cached.enabled:
            await asyncio.sleep(0.02)  # nobody asks for it: it is the poll that sees it
    await directory.stop()
    await hurried.close()


async def test_new_domain_has_its_administrator(directory: Directory) -> None:
    made = await directory.companies.add("Acme.Example", "Asia/Yekaterinburg")
    admin = made.domain.first_admin()
    assert (made.domain.name, made.domain.country, made.domain.language) == (
        "acme.example",
        "RU",
        "ru",
    )
    assert (admin.login, admin.ext, admin.role) == ("admin", "701", Role.ADMIN)
    assert (made.login, made.ext, len(made.password)) == ("admin", "701", 16)
    assert made.password not in repr(made)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("name", "timezone", "password", "field"),
    [
        ("no spaces", "UTC", None, "domain"),
        ("", "UTC", None, "domain"),
        ("acme.example", "Mars/Base", None, "timezone"),
        ("acme.example", "UTC", "short", "password"),
    ],
)
async def test_domain_of_no_use_is_refused(
    directory: Directory, name: str, timezone: str, password: str | None, field: str
) -> None:
    with pytest.raises(Invalid) as error:
        await directory.companies.add(name, timezone, password)
    assert [each.field for each in error.value.errors] == [field]


async def test_domain_cannot_be_added_twice(directory: Directory, acme: DomainConfig) -> None:
    results = await asyncio.gather(
        *(directory.companies.add("new.example") for _ in range(3)),
        directory.companies.add("ACME.example"),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Invalid) for result in results) == 3


async def test_change_of_another_process_is_seen(
    directory: Directory, acme: DomainConfig, database_url: str
) -> None:
    async with another_process(database_url) as cli:
        theirs = await cli.companies.get("acme.example")
        await cli.users.add(theirs, {"name": "Ann", "login": "ann"})
        await cli.telnums.add(theirs, "74957654321", user="ann")
        await cli.companies.add("third.example")

    async def seen() -> bool:
        number = await directory.number("74957654321")
        third = await directory.domain("third.example")
        return number is not None and third is not None and number[1].user == "ann"

    await eventually(seen)
    assert directory.cached("acme.example") is not None


async def test_own_change_is_seen_at_once_and_old_snapshot_stays(
    directory: Directory, acme: DomainConfig
) -> None:
    await directory.users.add(acme, {"name": "Ann"})
    current = await directory.domain("ACME.example")
    assert current is not None
    assert len(current.employees) == 2
    assert len(acme.employees) == 1
    assert directory.cached("acme.example") is current


async def test_snapshot_is_not_read_again_without_change(
    directory: Directory, acme: DomainConfig
) -> None:
    assert await directory.domain("acme.example") is await directory.domain("acme.example")


async def test_domains_reach_nothing_of_each_other(
    directory: Directory, acme: DomainConfig, other: DomainConfig
) -> None:
    ann = (await directory.users.add(acme, {"name": "Ann", "login": "ann", "ext": "750"})).employee
    group = await directory.groups.add(acme, {"name": "Sales"})
    number = await directory.telnums.add(acme, "74957654321", user="ann")
    key = await directory.keys.add(acme)
    for attempt in (
        directory.users.get(other, "ann"),
        directory.users.edit(other, "ann", {"name": "x"}),
        directory.users.delete(other, "750"),
        directory.groups.get(other, group.id),
        directory.groups.edit(other, group.id, {"name": "x"}),
        directory.groups.delete(other, group.id),
        directory.telnums.get(other, number.telnum),
        directory.telnums.delete(other, number.telnum),
        directory.telnums.set_enabled(other, number.telnum, False),
        directory.keys.revoke(other, key.id),
    ):
        with pytest.raises(NotFound):
            await attempt
    for refused in (
        directory.telnums.add(other, number.telnum),
        directory.telnums.add(other, "74950000000", user="ann"),
        directory.telnums.add(other, "74950000000", group=group.id),
        directory.groups.add(other, {"name": "x", "users": [{"login": "ann", "calls_enable": 1}]}),
        directory.groups.add(
            other, {"name": "x", "timeout": {"target": "group", "group": group.id}}
        ),
    ):
        with pytest.raises(Invalid):
            await refused
    assert (await directory.users.get(acme, "ann")) == (
        ann.__class__(
            **{
                **{name: getattr(ann, name) for name in ann.__dataclass_fields__},
                "telnum": number.telnum,
            }
        )
    )
    same = await directory.users.add(other, {"name": "Ann", "login": "ann", "ext": "750"})
    assert same.employee.ext == "750"


async def test_number_taken_by_two_domains_at_once_goes_to_one(
    directory: Directory, acme: DomainConfig, other: DomainConfig
) -> None:
    results = await asyncio.gather(
        directory.telnums.add(acme, "74957654321"),
        directory.telnums.add(other, "8 495 765-43-21"),
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, Invalid)]
    assert [each.errors[0].field for each in refused] == ["telnum"]


async def test_removed_domain_leaves_nothing(
    directory: Directory, acme: DomainConfig, other: DomainConfig
) -> None:
    await directory.telnums.add(acme, "74957654321")
    await directory.groups.add(acme, {"name": "g", "timeout": {"target": "user", "user": "admin"}})
    key = await directory.keys.add(acme)
    await directory.companies.delete(acme)
    assert await directory.domain("acme.example") is None
    assert await directory.number("74957654321") is None
    with pytest.raises(AuthFailure):
        await directory.authenticate_key(key.key, None, None)
    with pytest.raises(NotFound):
        await directory.users.add(acme, {"name": "x"})
    assert [domain.name for domain in await directory.domains()] == ["other.example"]


async def test_key_opens_its_domain_only(
    directory: Directory, acme: DomainConfig, other: DomainConfig
) -> None:
    key = await directory.keys.add(acme, ["employees -> view"])
    identity = await directory.authenticate_key(key.key, "acme.example", "192.0.2.1")
    assert identity.domain.name == "acme.example"
    assert identity.rights == {"Employees:View"}
    assert identity.allows("Employees", "View")
    assert not identity.allows("Employees", "Creating")
    for host in (None, "localhost", "192.0.2.7", "ACME.example"):
        assert (await directory.authenticate_key(key.key, host, None)).domain.id == acme.id
    for wrong, host in ((key.key, "other.example"), ("", None), (key.key + "x", None)):
        with pytest.raises(AuthFailure, match="Invalid token"):
            await directory.authenticate_key(wrong, host, None)
    await directory.keys.revoke(acme, key.id)
    with pytest.raises(AuthFailure, match="Invalid token"):
        await directory.authenticate_key(key.key, None, None)


async def test_key_has_all_rights_by_default_and_unknown_ones_are_refused(
    directory: Directory, acme: DomainConfig
) -> None:
    key = await directory.keys.add(acme)
    assert (await directory.authenticate_key(key.key, None, None)).rights == set(RIGHTS)
    with pytest.raises(Invalid):
        await directory.keys.add(acme, ["Employees:Eating"])
    listed = await directory.keys.list(acme)
    assert [each.id for each in listed] == [key.id]
    assert key.key not in repr(listed) + repr(key)


async def test_each_switch_says_its_own_message(directory: Directory, acme: DomainConfig) -> None:
    key = (await directory.keys.add(acme)).key
    values = {"url": "https://crm.example/x", "token": "t", "networks": ["192.0.2.0/24"]}
    await directory.integrations.set(acme, values)
    await directory.authenticate_key(key, None, "192.0.2.9")
    await directory.authenticate_key(key, None, "::ffff:192.0.2.9")
    with pytest.raises(AuthFailure, match="Invalid token"):
        await directory.authenticate_key(key, None, "198.51.100.1")
    await directory.integrations.set(acme, {"enabled": False})
    with pytest.raises(AuthFailure, match="CRM switched off"):
        await directory.authenticate_key(key, None, "192.0.2.9")
    await directory.companies.switch(acme, False)
    with pytest.raises(AuthFailure, match="CRM disabled"):
        await directory.authenticate_key(key, None, "192.0.2.9")


async def test_integration_is_kept_and_forgets_what_it_learned(
    directory: Directory, acme: DomainConfig
) -> None:
    integrations = directory.integrations
    with pytest.raises(Invalid) as error:
        await integrations.set(acme, {"url": "ftp://x", "networks": ["x"], "format": "xml"})
    assert {each.field for each in error.value.errors} == {"url", "token", "networks", "format"}
    made = await integrations.set(acme, {"url": "https://crm.example/x", "token": "t"})
    assert made.commands.history
    assert made.enabled
    assert "token" not in repr(made)
    await integrations.learn_format(acme.id, Format.JSON)
    kept = await integrations.set(acme, {"rating": False, "origins": ["https://CRM.example/"]})
    assert (kept.learned_format, kept.commands.rating) == (Format.JSON, False)
    assert kept.origins == ("https://crm.example",)
    changed = await integrations.set(acme, {"url": "https://crm.example/y"})
    assert changed.learned_format is Format.AUTO


async def test_further_addresses_are_each_company_s_own(
    directory: Directory, acme: DomainConfig
) -> None:
    integrations = directory.integrations
    values = {"url": "https://bi.example/x", "token": "b"}
    with pytest.raises(NotFound, match="no CRM"):
        await integrations.add_address(acme, "bi", values)
    await integrations.set(acme, {"url": "https://crm.example/x", "token": "t"})
    made = await integrations.add_address(acme, "bi", {**values, "format": "json", "sign": True})
    assert (made.name, made.format, made.enabled) == ("bi", Format.JSON, True)
    assert made.commands == Commands(contact=False)
    assert made.signing_secret.startswith("whsec_")
    assert "token" not in repr(made)
    for wrong in ("bi", "main", "all", "webhook", "B", "", "x" * 33, "a b"):
        with pytest.raises(Invalid) as refused:
            await integrations.add_address(acme, wrong, values)
        assert [each.field for each in refused.value.errors] == ["name"]
    with pytest.raises(Invalid) as refused:
        await integrations.add_address(acme, "x", {"url": "ftp://x", "format": "xml"})
    assert {each.field for each in refused.value.errors} == {"url", "token", "format"}
    other = (await directory.companies.add("other.example", "UTC")).domain
    await integrations.set(other, {"url": "https://other.example/x", "token": "o"})
    for attempt in (
        integrations.set_address(other, "bi", {"token": "stolen"}),
        integrations.delete_address(other, "bi"),
    ):
        with pytest.raises(NotFound):
            await attempt
    await integrations.learn_format(other.id, Format.JSON, "bi")
    assert (await integrations.get(acme)).at("bi") == made
    changed = await integrations.set_address(acme, "bi", {"event": False, "enabled": False})
    assert (changed.token, changed.commands.event, changed.enabled) == ("b", False, False)
    await integrations.learn_format(acme.id, Format.FORM, "bi")
    both = await integrations.get(acme)
    assert both.learned_format is Format.AUTO
    assert [each.learned_format for each in both.others] == [Format.FORM]
    with pytest.raises(Invalid):
        await integrations.set_address(acme, "main", {"enabled": False})
    await integrations.delete_address(acme, "bi")
    assert (await integrations.get(acme)).others == ()


async def test_a_company_has_no_more_than_so_many_addresses(
    directory: Directory, acme: DomainConfig
) -> None:
    values = {"url": "https://" + "long." * 60 + "example/x", "token": "t"}
    await directory.integrations.set(acme, values)
    for number in range(20):
        await directory.integrations.add_address(acme, f"a{number}", values)
    with pytest.raises(Invalid, match="20 addresses"):
        await directory.integrations.add_address(acme, "one-more", values)
    await directory.integrations.delete(acme)
    await directory.integrations.set(acme, values)
    assert (await directory.integrations.get(acme)).others == ()


async def test_own_trunks_come_first_and_wrong_ones_are_refused(
    directory: Directory, acme: DomainConfig
) -> None:
    await directory.trunk_rules.add("carrier", "192.0.2.5:5070")
    await directory.trunk_rules.add("own", "[2001:db8::1]:5060", domain=acme, transport="tcp")
    default = directory.trunks_of(await directory.current(acme))[0]
    assert (default.name, default.host, default.port) == ("own", "2001:db8::1", 5060)
    with pytest.raises(Invalid):
        await directory.trunk_rules.add("carrier", "192.0.2.6")
    with pytest.raises(Invalid):
        await directory.trunk_rules.add("x y", "192.0.2.6:99999")


async def test_deleted_trunk_leaves_its_numbers(directory: Directory, acme: DomainConfig) -> None:
    await directory.trunk_rules.add("carrier", "192.0.2.5")
    number = await directory.telnums.add(acme, "74957654321", trunk="carrier")
    assert number.trunk == "carrier"
    await directory.trunk_rules.delete("carrier")
    assert (await directory.telnums.get(acme, "74957654321")).trunk == ""


def device(port: int, expires_at: float) -> LocationRow:
    return LocationRow(
        f"sip:ann@192.0.2.1:{port}", "udp", "192.0.2.1", port, 7, "", "c1", 1, expires_at
    )


async def test_devices_survive_a_restart_and_go_with_the_employee(
    directory: Directory, acme: DomainConfig, database: Database
) -> None:
    await directory.users.add(acme, {"name": "Ann", "login": "ann"})
    soon = directory.clock.now() + 100
    locations = directory.locations
    locations.save(acme.id, "ann", [device(5060, soon)])
    locations.save(acme.id, "ann", [device(5061, soon), device(5062, soon - 200)])
    locations.save(acme.id, "ghost", [device(5063, soon)])
    assert [row.port for row in locations.bindings(acme.id, "ann")] == [5061]
    assert directory.users.is_online(acme, "ann")
    await directory.writer.flush()
    restarted = Directory(database)
    await restarted.start()
    rows = restarted.locations.bindings(acme.id, "ann")
    assert [(row.port, row.connection) for row in rows] == [(5061, 0)]
    assert not restarted.locations.online(acme.id, "ghost")
    await restarted.users.delete(acme, "ann")
    assert not restarted.locations.online(acme.id, "ann")
    await restarted.stop()

    async def forgotten() -> bool:
        await directory.domain("acme.example")
        return not locations.online(acme.id, "ann")

    await eventually(forgotten)


async def test_a_device_that_is_not_yet_written_is_not_the_next_ones_with_the_login(
    directory: Directory, acme: DomainConfig, database: Database
) -> None:
    for is_replaced in (False, True):
        await directory.users.add(acme, {"name": "Ann", "login": "ann"})
        directory.locations.save(acme.id, "ann", [device(5060, directory.clock.now() + 100)])
        await directory.users.delete(acme, "ann")
        if is_replaced:
            await directory.users.add(acme, {"name": "Another Ann", "login": "ann"})
        await directory.writer.flush()
        restarted = Directory(database)
        await restarted.start()
        assert not restarted.locations.online(acme.id, "ann"), is_replaced
        await restarted.stop()


def test_key_file_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "d" / "secret.key"
    sealed = Secrets.from_file(path).seal("pa$$word")
    assert "pa$$word" not in sealed
    assert Secrets.from_file(path).open(sealed) == "pa$$word"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["secret.key"]
    with pytest.raises(ValueError):
        Secrets.from_file(tmp_path / "another.key").open(sealed)


async def test_many_changes_at_once_starve_nobody(
    directory: Directory, acme: DomainConfig, other: DomainConfig
) -> None:
    async with asyncio.timeout(20):
        await asyncio.gather(
            *(directory.users.add(acme, {"name": str(n)}) for n in range(40)),
            *(directory.users.add(other, {"name": str(n)}) for n in range(10)),
            *(directory.keys.list(acme) for _ in range(20)),
        )
    current = await directory.current(acme)
    assert sorted(map(int, (e.ext for e in current.employees.values()))) == list(range(701, 742))


@pytest.mark.parametrize("code", ["ZZ", "XX", "UK", "Germany", "R", "7", ""])
async def test_country_must_be_one(directory: Directory, acme: DomainConfig, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        await directory.companies.edit(acme, {"country": code})
    assert [error.field for error in caught.value.errors] == ["country"]
    assert (await directory.companies.edit(acme, {"country": "de"})).country == "DE"
