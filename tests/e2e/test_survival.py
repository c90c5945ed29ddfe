"""What is left after a power cut, and after a CRM that was away."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import Company, make_company, needs_sipp
from tests.e2e.test_softphone import get_json
from tests.support.crm import Receiver
from tests.support.ladder import Caller, Sipp, pause, recv, respond, sdp
from tests.support.pbx import Pbx
from vpbx.sim import Carrier, Phone
from vpbx.sip import Hop

pytestmark = needs_sipp

CLIENT = "79101234567"


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Company]:
    """A company on a server of its own, which the test may kill."""
    pbx = await asyncio.to_thread(Pbx(tmp_path / "data").start)
    try:
        async with Receiver() as crm:
            yield await make_company(pbx, tmp_path, crm)
    finally:
        pbx.kill()


async def talking(company: Company, calls: int) -> list[Sipp]:
    """Bring `calls` calls up, each to an employee of its own, and leave them talking."""
    played = []
    for place in range(calls):
        login = await company.employee(f"71{place}")
        telnum = company.number[:-1] + str(place)
        await company.route(telnum, login)
        port = await company.registered_phone(login)
        phone = company.sipp(
            "phone",
            [
                recv("INVITE"),
                respond(180, "Ringing"),
                respond(200, "OK", body=sdp(), again=True),
                recv("ACK"),
                recv("BYE"),
                respond(200, "OK", tag=False),
            ],
        )
        customer = Caller(caller=f"{CLIENT[:-1]}{place}", called=telnum, domain="127.0.0.1")
        carrier = company.sipp(
            "carrier",
            [
                customer.send("INVITE", body=sdp()),
                recv(100, optional=True),
                recv(180),
                recv(200),
                customer.send("ACK", in_dialog=True),
                recv("BYE"),
                respond(200, "OK", tag=False),
            ],
        )
        played.append(await phone.start(target=company.pbx.sip, port=port))
        # every carrier call comes from the one address that the trunk is known by
        played.append(await carrier.start(target=company.pbx.sip, port=company.trunk_port))
        await company.crm.gets("event", type="ACCEPTED", user=login)
    await journaled(company, calls)
    return played


async def journaled(company: Company, calls: int) -> None:
    """Wait until the calls are on disk as answered: writes are gathered for up to 20 ms."""
    states = "SELECT state FROM call_journal"
    async with asyncio.timeout(30):
        while True:
            with closing(sqlite3.connect(company.pbx.data / "vpbx.sqlite3")) as database:
                found = [json.loads(state) for (state,) in database.execute(states)]
            if len([state for state in found if state.get("answered_at")]) == calls:
                return
            await asyncio.sleep(0.01)


async def rows_of(company: Company, count: int) -> list[dict[str, str]]:
    """Wait until today's history has `count` rows and return them."""
    async with asyncio.timeout(30):
        while True:
            rows = await get_json(company, "/history/json?period=today")
            if len(rows) == count:
                return rows
            await asyncio.sleep(0.02)


async def test_calls_cut_by_a_power_cut_get_exactly_one_history_row(own: Company) -> None:
    played = await talking(own, 1)
    own.pbx.kill()
    for sipp in played:
        sipp.kill()
    await asyncio.to_thread(own.pbx.start)
    history = await own.crm.gets("history")
    assert (history["status"], history["user"]) == ("Success", "user710")
    rows = await rows_of(own, 1)
    assert rows[0]["uid"] == history["callid"]
    # a second restart finds nothing left to close
    own.pbx.kill()
    await asyncio.to_thread(own.pbx.start)
    assert await rows_of(own, 1) == rows
    users = await get_json(own, "/users/user710?with=status")
    assert users["status"] == "online", "registrations survive a restart"


async def test_sigterm_tells_the_calls_within_five_seconds(own: Company) -> None:
    played = await talking(own, 1)
    seconds = await asyncio.to_thread(own.pbx.stop)
    assert seconds < 15, "promised within 5 s; this machine is busy"
    for sipp in played:
        result = await sipp.done()
        assert result.ok, f"each side must be sent BYE: {result.output}"
    await asyncio.to_thread(own.pbx.start)
    assert (await rows_of(own, 1))[0]["status"] == "success"


async def test_commands_to_a_crm_that_was_down_come_after_a_power_cut(own: Company) -> None:
    own.crm.status = 500
    login = await own.employee("710")
    await own.route(own.number, login)
    port = await own.registered_phone(login)
    customer = Caller(caller=CLIENT, called=own.number, domain="127.0.0.1")
    phone = await own.sipp(
        "phone",
        [
            recv("INVITE"),
            respond(180, "Ringing"),
            respond(200, "OK", body=sdp(), again=True),
            recv("ACK"),
            recv("BYE"),
            respond(200, "OK", tag=False),
        ],
    ).start(target=own.pbx.sip, port=port)
    carrier = await own.sipp(
        "carrier",
        [
            customer.send("INVITE", body=sdp()),
            recv(100, optional=True),
            recv(180),
            recv(200),
            customer.send("ACK", in_dialog=True),
            pause(200),
            customer.send("BYE", cseq=2, in_dialog=True),
            recv(200),
        ],
    ).start(target=own.pbx.sip, port=own.trunk_port)
    for sipp in (carrier, phone):
        result = await sipp.done()
        assert result.ok, f"the call goes through without the CRM: {result.output}"
    rows = await rows_of(own, 1)
    assert rows[0]["status"] == "success"
    own.pbx.kill()
    own.crm.status = 200
    await asyncio.to_thread(own.pbx.start)
    history = await own.crm.gets("history", timeout_s=20)
    assert history["callid"] == rows[0]["uid"]
    assert [event["type"] for event in own.crm.of("event")] == [
        "INCOMING",
        "ACCEPTED",
        "COMPLETED",
    ]


async def test_callers_in_a_queue_are_missed_once_each_after_a_power_cut(own: Company) -> None:
    login = await own.employee("710")
    async with own.directory() as (directory, domain):
        users = [{"login": login, "calls_enable": True}]
        group = await directory.groups.add(domain, {"name": "Sales", "users": users})
        await directory.telnums.add(domain, own.number, trunk=own.trunk, group=group.id)
    await own.known(f"/telnums/{own.number}")
    customer = Caller(caller=CLIENT, called=own.number, domain="127.0.0.1")
    callers = await own.sipp(
        "carrier",
        [
            customer.send("INVITE", body=sdp()),
            recv(100, optional=True),
            recv(180, optional=True),
            recv(200),
            customer.send("ACK", in_dialog=True),
            recv("BYE"),
            respond(200, "OK", tag=False),
        ],
    ).start(target=own.pbx.sip, port=own.trunk_port, calls=10)
    await own.crm.until(lambda: len(own.crm.of("contact")) == 10)
    await waiting_on_disk(own, 10)
    own.pbx.kill()
    callers.kill()
    await asyncio.to_thread(own.pbx.start)
    await own.crm.until(lambda: len(own.crm.of("history")) == 10)
    rows = await rows_of(own, 10)
    assert {row["uid"] for row in rows} == {h["callid"] for h in own.crm.of("history")}
    assert {(row["status"], row["destination"]) for row in rows} == {("missed", "group")}
    told = {(h["status"], h["user"], h["groupRealName"]) for h in own.crm.of("history")}
    assert told == {("Missed", login, "Sales")}
    assert own.crm.of("event") == []


async def waiting_on_disk(company: Company, calls: int) -> None:
    """Wait until so many calls are on disk."""
    async with asyncio.timeout(30):
        while True:
            with closing(sqlite3.connect(company.pbx.data / "vpbx.sqlite3")) as database:
                [(count,)] = database.execute("SELECT count(*) FROM call_journal")
            if count == calls:
                return
            await asyncio.sleep(0.01)


async def test_a_message_cut_off_by_a_power_cut_is_in_the_box_it_was_for(own: Company) -> None:
    """As history says that a message was left, who it is for finds it."""
    login = await own.employee("710")
    async with own.directory() as (directory, domain):
        await directory.am_users.add(domain, [login])
    await own.route(own.number, login)
    host, _, port = own.pbx.sip.rpartition(":")
    carrier = Carrier(Hop("udp", host, int(port)), port=own.trunk_port)
    await carrier.start()
    try:
        customer = await carrier.call(own.number, caller=CLIENT)
        await customer.answered()
        customer.dial("#")  # past the greeting
        await customer.heard(1000)
        customer.say(700)
        await heard_for(own, 2.5)
        own.pbx.kill()
    finally:
        await carrier.stop()
    await asyncio.to_thread(own.pbx.start)
    (row,) = await rows_of(own, 1)
    assert (row["destination"], row["account"]) == ("vm", login)
    async with asyncio.timeout(30):
        while not (found := messages(own)):
            await asyncio.sleep(0.05)
    ((owner, client, seconds),) = found
    assert (owner, client) == (login, CLIENT)
    assert seconds >= 2


async def heard_for(company: Company, seconds: float) -> None:
    """Wait until so much of a message is on the disk (G.711: 8000 bytes a second)."""
    async with asyncio.timeout(30):
        while True:
            files = company.pbx.data.rglob("*.rtp")
            if any(file.stat().st_size > seconds * 8000 for file in files):
                return
            await asyncio.sleep(0.05)


def messages(company: Company) -> list[tuple[str, str, int]]:
    with closing(sqlite3.connect(company.pbx.data / "vpbx.sqlite3")) as database:
        return database.execute("SELECT login, client, seconds FROM voicemail").fetchall()


@pytest.mark.parametrize("how", ["rings", "parked"])
async def test_a_transfer_cut_by_a_power_cut_is_exactly_two_rows(own: Company, how: str) -> None:
    """The first part is a success already; the second nobody has taken."""
    for ext in ("710", "711"):
        await own.employee(ext)
    await own.route(own.number, "user710")
    host, _, port = own.pbx.sip.rpartition(":")
    hop = Hop("udp", host, int(port))
    first = Phone("user710", own.password, own.domain, hop)
    second = Phone("user711", own.password, own.domain, hop)
    async with Carrier(hop, port=own.trunk_port) as carrier, first, second:
        await carrier.call(own.number, caller=CLIENT)
        call = await first.incoming()
        await call.answer()
        await own.crm.gets("event", type="ACCEPTED")
        assert call.session is not None
        to = "711" if how == "rings" else "*5"
        call.session.send("REFER", headers=[("Refer-To", f"<sip:{to}@{own.domain}>")])
        if how == "rings":
            await own.crm.gets("event", type="INCOMING", user="user711")
        await own.crm.gets("history")
        await waiting_on_disk(own, 1)
        own.pbx.kill()
    await asyncio.to_thread(own.pbx.start)
    taker = "user711" if how == "rings" else "user710"
    # what was under way when the power went is sent again: by callid it is known for the same
    await own.crm.until(lambda: len({h["callid"] for h in own.crm.of("history")}) == 2)
    told = {h["callid"]: (h["status"], h["user"]) for h in own.crm.of("history")}
    assert list(told.values()) == [("Success", "user710"), ("Missed", taker)]
    rows = await rows_of(own, 2)
    assert sorted(row["uid"] for row in rows) == sorted(told)
