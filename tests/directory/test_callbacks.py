"""Promises to call back, on both databases."""

from dataclasses import replace

from vpbx.db import Database
from vpbx.directory import Directory, PromisedCall


async def test_a_promise_outlives_a_restart_until_it_is_kept(database: Database) -> None:
    directory = Directory(database)
    await directory.start()
    acme = (await directory.companies.add("acme.example")).domain
    sales = await directory.groups.add(acme, {"name": "Sales"})
    promised = PromisedCall("123", acme.id, sales.id, "79101234567", "74950000001", 1000.25)
    later = replace(promised, callid="124", since=2000.0)
    await directory.callbacks.promise(later)
    await directory.callbacks.promise(promised)
    assert await Directory(database).callbacks.all() == [promised, later]
    tried = replace(promised, tries=1, not_before=1300.0)
    directory.callbacks.keep(tried)
    directory.callbacks.forget("124")
    await directory.stop()
    assert await Directory(database).callbacks.all() == [tried]


async def test_what_was_promised_for_a_department_goes_with_it(database: Database) -> None:
    directory = Directory(database)
    await directory.start()
    acme = (await directory.companies.add("acme.example")).domain
    sales = await directory.groups.add(acme, {"name": "Sales"})
    await directory.callbacks.promise(
        PromisedCall("123", acme.id, sales.id, "79101234567", "74950000001", 1000.0)
    )
    await directory.groups.delete(acme, sales.id)
    assert await directory.callbacks.all() == []
    await directory.stop()
