"""Several addresses of one company: each its own commands, format, token, queue and log."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from tests.crm.test_crm_recorder import INCOMING, brief, incoming
from tests.crm.test_integration_log import until
from tests.crm.world import (
    TOKEN,
    Crm,
    Node,
    accept,
    domain,
    hang,
    integration,
    json_only,
    new_call,
    running_node,
    status,
)
from vpbx.crm import Asked, Contacts, CrmClient, Formats, IntegrationLog, State
from vpbx.db import Database
from vpbx.directory import Commands, Contact, Integration

HISTORY_ONLY = Commands(history=True, event=False, contact=False, rating=False)
NO_CONTACT = Commands(contact=False)


def further(url: str, name: str = "bi", **more: Any) -> Integration:
    return integration(url, **{"name": name, "commands": NO_CONTACT, **more})


async def test_each_is_sent_what_it_wants_in_its_format_with_its_token(
    database: Database, crm: Crm
) -> None:
    async with Crm(json_only) as bi:
        others = (further(bi.url, token="bi-token", commands=HISTORY_ONLY, signing_secret="s"),)
        async with running_node(database, {1: integration(crm.url, others=others)}) as node:
            call = new_call()
            incoming(node.bus, call)
            await crm.takes(7)
            (came,) = await bi.takes(1)
            assert (came["cmd"], came["crm_token"], came["callid"]) == (
                "history",
                "bi-token",
                call.callid,
            )
            assert bi.came[-1]["_type"] == "application/json"
            assert {each["crm_token"] for each in crm.taken} == {TOKEN}
            assert [brief(each) for each in crm.taken] == INCOMING
            assert {each["_type"] for each in crm.came} == {"application/x-www-form-urlencoded"}


async def test_one_that_hangs_delays_no_other_and_keeps_its_own_order(
    database: Database, crm: Crm
) -> None:
    async with Crm(hang) as slow:
        settings = {1: integration(slow.url, others=(further(crm.url),))}
        async with running_node(database, settings) as node:
            for _ in range(20):  # more than the hands that one lane has
                incoming(node.bus, new_call())
            await slow.until(lambda: slow.busy == 10)
            last = new_call()
            incoming(node.bus, last)
            await crm.until(lambda: sum(c["callid"] == last.callid for c in crm.taken) == 7)
            assert slow.busy == 10, "nobody had to wait for its timeout"
            mine = [brief(each) for each in crm.taken if each["callid"] == last.callid]
            assert mine == INCOMING
            assert slow.taken == []


async def test_what_one_does_not_take_waits_for_it_alone_over_a_restart(
    database: Database, crm: Crm
) -> None:
    async with Crm(status(503)) as bi:
        settings = {1: integration(crm.url, others=(further(bi.url),))}
        first = Node(database, settings)
        await first.start()
        incoming(first.bus, new_call())
        await crm.takes(7)
        rows = await first.until_rows(7)
        assert {row.address for row in rows} == {"bi"}
        await first.kill()
        bi.behave = accept
        async with running_node(database, settings) as node:
            await bi.takes(7)
            assert [brief(each) for each in bi.taken] == INCOMING
            await node.until_rows(0)
            assert len(crm.came) == 7


async def test_the_log_tells_which_address_it_was(database: Database, crm: Crm) -> None:
    async with Crm(status(400)) as bi:
        others = (further(bi.url, commands=HISTORY_ONLY),)
        async with running_node(database, {1: integration(crm.url, others=others)}) as node:
            incoming(node.bus, new_call())
            found = await until(
                node,
                lambda rows: len(rows) == 8 and all(r.attempts for r in rows if r.address == "bi"),
            )
            theirs = [entry for entry in found if entry.address == "bi"]
            assert [(e.cmd, e.state, e.status) for e in theirs] == [("history", "waiting", 400)]
            face = IntegrationLog(node.outbox)
            wanted = {"after": 0, "limit": 100, "callid": "", "cmd": "", "state": ""}
            once = await face.events(1, **wanted)
            assert [event["cmd"] for event in once].count("history") == 1
            assert {event["address"] for event in once} == {"main"}
            assert len(await face.events(1, address="bi", **wanted)) == 1
            assert len(await face.events(1, address="all", **wanted)) == 8


async def test_what_failed_at_one_is_sent_once_more_to_it_alone(
    database: Database, crm: Crm
) -> None:
    async with Crm() as bi:
        settings = {1: integration(crm.url, others=(further(bi.url),))}
        async with running_node(database, settings) as node:
            incoming(node.bus, new_call())
            await crm.takes(7)
            await bi.takes(7)
            await until(node, lambda rows: [r.state for r in rows] == [State.TAKEN] * 14)
            asked = Asked(1, after=0, addresses=("bi",))
            await node.outbox.replays.add(1, await node.outbox.record.find(asked))
            await bi.takes(14)
            assert [brief(each) for each in bi.taken[7:]] == INCOMING
            assert len(crm.came) == 7


async def test_what_one_took_can_be_given_to_a_new_one(database: Database, crm: Crm) -> None:
    async with Crm() as new:
        settings: dict[int, Integration | None] = {1: integration(crm.url)}
        async with running_node(database, settings) as node:
            incoming(node.bus, new_call())
            old = await until(node, lambda rows: [r.state for r in rows] == [State.TAKEN] * 7)
            settings[1] = integration(crm.url, others=(further(new.url, "new"),))
            await node.outbox.replays.add(1, old, "new")
            await new.takes(7)
            assert [brief(each) for each in new.taken] == INCOMING
            assert len(crm.came) == 7


async def test_a_replay_to_one_that_is_away_holds_up_no_other(database: Database, crm: Crm) -> None:
    async with Crm(hang) as bi:
        settings = {1: integration(crm.url, others=(further(bi.url),))}
        async with running_node(database, settings, timeout_s=30) as node:
            node.put("1")
            await crm.takes(1)
            (entry,) = await until(node, lambda rows: len(rows) == 1)
            await node.outbox.replays.add(1, [entry] * 4, "bi")
            await bi.until(lambda: bi.busy > 0)
            await node.outbox.replays.add(1, [entry])
            await crm.takes(2)


async def test_what_waits_for_an_address_that_is_removed_is_left_out(
    database: Database, crm: Crm
) -> None:
    async with Crm(status(503)) as bi:
        settings: dict[int, Integration | None] = {
            1: integration(crm.url, others=(further(bi.url, commands=HISTORY_ONLY),))
        }
        async with running_node(database, settings) as node:
            incoming(node.bus, new_call())
            (failed,) = [e for e in await until(node, lambda r: len(r) == 8) if e.address == "bi"]
            await bi.until(lambda: bool(bi.came))
            settings[1] = integration(crm.url)
            await node.outbox.replays.add(1, [failed])  # as what was asked for just before
            gone = await until(
                node,
                lambda rows: [r.state for r in rows if r.address == "bi"] == [State.LEFT_OUT] * 2,
            )
            assert {e.error for e in gone if e.address == "bi"} == {"the address was removed"}
            await node.until_rows(0)


async def test_switching_off_one_leaves_the_others_and_the_company_all(
    database: Database, crm: Crm
) -> None:
    async with Crm() as bi:
        off = further(bi.url, enabled=False)
        main = integration(crm.url, others=(off,))
        assert [each.name for each in main.receivers("history")] == ["main"]
        all_off = integration(crm.url, enabled=False, others=(further(bi.url),))
        assert all_off.receivers("history") == ()
        there = all_off.at("bi")
        assert there is not None
        assert not there.enabled


async def test_one_is_asked_who_calls_the_first_that_is_to_be_and_can_be(crm: Crm) -> None:
    async def knows(request: web.Request, fields: dict[str, Any]) -> web.StreamResponse:
        return web.json_response({"contact_name": "Ivan", "responsible": "ann"})

    crm.behave = knows
    everything = Commands()
    async with Crm(knows) as other:
        client = CrmClient(Formats())
        await client.start()
        heard: list[tuple[int, str]] = []
        asking = Contacts(client, lambda *who: heard.append(who))
        both = (further(crm.url, "a"), further(other.url, "b", commands=everything))
        for main in (
            integration("", others=both),  # fetches: it cannot be asked
            integration(other.url, commands=NO_CONTACT, others=both),
        ):
            found = await asking.contact(domain(main), "79101234567", "1")
            assert found == Contact("Ivan", "ann")
        assert heard == [(1, "b"), (1, "b")]
        main = integration(crm.url, others=both)
        await asking.contact(domain(main), "79101234567", "1")
        assert heard[-1] == (1, "main")
        assert len(crm.came) == 1
        none = integration(crm.url, commands=NO_CONTACT, others=(further(other.url),))
        assert await asking.contact(domain(none), "79101234567", "1") is None
        await client.close()


async def test_companies_have_addresses_of_the_same_name_apart(
    database: Database, crm: Crm
) -> None:
    async with Crm() as theirs:
        settings = {
            1: integration(crm.url, others=(further(crm.url, token="mine"),)),
            2: integration(theirs.url, others=(further(theirs.url, token="theirs"),)),
        }
        async with running_node(database, settings) as node:
            for domain_id in (1, 2):
                incoming(node.bus, new_call(domain_id=domain_id))
            await crm.takes(14)
            await theirs.takes(14)
            assert {each["crm_token"] for each in crm.taken} == {TOKEN, "mine"}
            assert {each["crm_token"] for each in theirs.taken} == {TOKEN, "theirs"}
            rows = await until(node, lambda found: len(found) == 14)
            (callid,) = {entry.callid for entry in rows}
            assert callid == crm.taken[0]["callid"]
            await asyncio.sleep(0)
