"""Trunks as the operator sets them (issue of a carrier with login and password)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from vpbx.db import Database
from vpbx.directory import Directory, DomainConfig, Invalid, Trunk, TrunkMode


async def test_a_bare_name_is_left_to_dns_and_an_address_is_not(directory: Directory) -> None:
    rules = directory.trunk_rules
    assert _place(await rules.add("a", "Sip.Carrier.Example.")) == ("sip.carrier.example", 0, "")
    assert _place(await rules.add("b", "sip.carrier.example:5070")) == (
        "sip.carrier.example",
        5070,
        "udp",
    )
    assert _place(await rules.add("c", "192.0.2.1")) == ("192.0.2.1", 5060, "udp")
    tls = await rules.add("d", "192.0.2.1", transport="tls")
    assert _place(tls) == ("192.0.2.1", 5061, "tls")
    named = await rules.add("e", "carrier.example", transport="tcp")
    assert _place(named) == ("carrier.example", 0, "tcp")
    assert _place(await rules.edit("e", {"transport": "auto"})) == ("carrier.example", 0, "")


def _place(trunk: Trunk) -> tuple[str, int, str]:
    return trunk.host, trunk.port, trunk.transport


async def test_several_addresses_and_networks_are_kept(directory: Directory) -> None:
    trunk = await directory.trunk_rules.add(
        "main", ["a.example", "192.0.2.7:5080", "[2001:db8::7]:5061"], networks=["192.0.2.9/24"]
    )
    assert trunk.addresses == (("a.example", 0), ("192.0.2.7", 5080), ("2001:db8::7", 5061))
    assert [str(network) for network in trunk.networks] == ["192.0.2.0/24"]
    changed = await directory.trunk_rules.edit("main", {"address": "b.example", "networks": [""]})
    assert changed.addresses == (("b.example", 0),)
    assert changed.networks == ()


async def test_the_password_lies_sealed_and_goes_with_the_username(
    directory: Directory, database: Database
) -> None:
    rules = directory.trunk_rules
    trunk = await rules.add("main", "carrier.example", username="100200", password="pa$$ w0rd")
    assert rules.password(trunk) == "pa$$ w0rd"
    assert "pa$$" not in repr(trunk)
    async with database.connect() as connection:
        row = (await connection.execute(text("SELECT * FROM trunks"))).one()
    assert "pa$$" not in str(row)
    assert rules.password(await rules.edit("main", {"username": "100201"})) == "pa$$ w0rd"
    assert rules.password(await rules.edit("main", {"password": "x"})) == "x"
    bare = await rules.edit("main", {"username": ""})
    assert (bare.username, rules.password(bare)) == ("", "")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"address": None}, "address"),
        ({"address": ""}, "address"),
        ({"address": "a:0"}, "address"),
        ({"address": "a:99999"}, "address"),
        ({"address": "192.0.2.1:99999"}, "address"),
        ({"address": "a b"}, "address"),
        ({"address": "1.2.3"}, "address"),
        ({"address": ["a.example", "b c"]}, "address"),
        ({"transport": "sctp"}, "transport"),
        ({"username": "u"}, "password"),
        ({"password": "p"}, "username"),
        ({"username": "a b", "password": "p"}, "username"),
        ({"username": "u", "password": "a\nb"}, "password"),
        ({"mode": "register"}, "username"),
        ({"mode": "accept", "address": None}, "username"),
        ({"mode": "friend"}, "mode"),
        ({"networks": ["0.0.0.0/0"]}, "networks[0]"),
        ({"networks": ["x"]}, "networks[0]"),
        ({"identity": "name"}, "identity"),
        ({"from_domain": "a b"}, "from_domain"),
        ({"max_calls": -1}, "max_calls"),
        ({"priority": "first"}, "priority"),
    ],
)
async def test_wrong_values_are_named_and_nothing_is_added(
    directory: Directory, values: dict[str, Any], field: str
) -> None:
    values = {"address": "carrier.example", **values}
    with pytest.raises(Invalid) as error:
        await directory.trunk_rules.add("main", values.pop("address"), **values)
    assert [each.field for each in error.value.errors] == [field]
    assert directory.trunks() == ()


async def test_a_trunk_that_registers_here_needs_no_address_but_a_name_of_its_own(
    directory: Directory,
) -> None:
    rules = directory.trunk_rules
    made = await rules.add("gateway", mode="accept", username="gw1", password="secret")
    assert (made.mode, made.addresses) == (TrunkMode.ACCEPT, ())
    with pytest.raises(Invalid) as error:
        await rules.add("second", mode="accept", username="gw1", password="secret")
    assert error.value.errors[0].field == "username"
    await rules.keep_contact(made, "somewhere")
    assert await rules.contacts() == {made.id: "somewhere"}


async def test_removal_can_say_which_numbers_leave_by_a_trunk(
    directory: Directory, acme: DomainConfig, other: DomainConfig
) -> None:
    await directory.trunk_rules.add("main", "192.0.2.1")
    await directory.telnums.add(other, "74951110002", trunk="main")
    await directory.telnums.add(acme, "74951110001", trunk="main")
    await directory.telnums.add(acme, "74951110003")
    assert await directory.trunk_rules.numbers("main") == [
        ("acme.example", "74951110001"),
        ("other.example", "74951110002"),
    ]


async def test_the_lowest_priority_is_the_default_trunk(
    directory: Directory, acme: DomainConfig
) -> None:
    rules = directory.trunk_rules
    for name in ("a", "b", "c"):
        await rules.add(name, "192.0.2.1")
    await rules.edit("c", {"priority": 10})
    await rules.edit("b", {"name": "renamed", "priority": "200"})
    found = [trunk.name for trunk in directory.trunks_of(await directory.current(acme))]
    assert found == ["c", "a", "renamed"]
