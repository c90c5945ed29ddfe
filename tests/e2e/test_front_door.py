"""Settings that meet a call before anybody is rung, against SIPp: black list, greeting, schedule,
restrictions, feature codes."""

from __future__ import annotations

import asyncio

import aiohttp

from tests.e2e.conftest import Company, needs_sipp
from tests.support.ladder import Caller, Step, pause, recv, respond, sdp

pytestmark = needs_sipp

CLIENT = "79101234567"
REFUSED = [recv(100, optional=True)]


async def play(company: Company, steps: list[Step], *, port: int, name: str = "caller") -> None:
    sipp = await company.sipp(name, steps).start(target=company.pbx.sip, port=port)
    result = await sipp.done()
    assert result.ok, result.output


async def seen(company: Company, path: str, text: str) -> None:
    """Wait until the running server shows what a command has changed."""
    headers = {"X-API-KEY": company.key}
    async with asyncio.timeout(30), aiohttp.ClientSession() as http:
        while True:
            async with http.get(company.pbx.api + path, headers=headers) as got:
                if text in await got.text():
                    return
            await asyncio.sleep(0.1)


def customer(company: Company) -> Caller:
    return Caller(caller=CLIENT, called=company.number, domain="127.0.0.1")


async def test_a_caller_of_the_black_list_gets_603_and_leaves_no_trace(company: Company) -> None:
    login = await company.employee("711")
    await company.route(company.number, login)
    company.pbx.vpbx("blacklist", "add", company.domain, "7910*")
    await seen(company, "/blacklist/telnums", "7910*")
    caller = customer(company)
    steps = [
        caller.send("INVITE", body=sdp()),
        *REFUSED,
        recv(603),
        caller.send("ACK"),
    ]
    await play(company, steps, port=company.trunk_port)
    assert company.crm.commands == []
    [entry] = company.pbx.vpbx("blacklist", "list", company.domain)
    assert (entry["telnum"], entry["week"], entry["year"]) == ("7910*", 1, 1)


async def test_who_hangs_up_in_the_greeting_is_missed_there(company: Company) -> None:
    login = await company.employee("711")
    await company.route(company.number, login)
    company.pbx.vpbx("number", "set", company.domain, company.number, "--greeting", "on")
    await seen(company, f"/telnums/{company.number}", '"greeting":true')
    caller = customer(company)
    steps = [
        caller.send("INVITE", body=sdp()),
        recv(100, optional=True),
        recv(200),
        caller.send("ACK", in_dialog=True),
        pause(400),
        caller.send("BYE", cseq=2, in_dialog=True),
        recv(200),
    ]
    await play(company, steps, port=company.trunk_port)
    history = await company.crm.gets("history")
    assert (history["status"], history["user"]) == ("Missed", login)
    assert company.crm.of("event") == []


async def test_a_forbidden_call_is_explained_by_early_media(company: Company) -> None:
    login = await company.employee("711")
    await company.route(company.number, login)
    company.pbx.vpbx("callerid", "set", company.domain, company.number)
    company.pbx.vpbx("restrictions", "forbid", company.domain, "ALL")
    await seen(company, "/calls-restrictions", '"main":[]')
    port = await company.registered_phone(login)
    caller = Caller(caller=login, called=CLIENT, domain=company.domain)
    credentials = f"[authentication username={login} password={company.password}]"
    steps = [
        caller.send("INVITE", body=sdp()),
        recv(100, optional=True),
        recv(401, auth=True),
        caller.send("ACK"),
        caller.send("INVITE", cseq=2, body=sdp(), headers=credentials),
        recv(100, optional=True),
        recv(183),
        recv(403, timeout_ms=20_000),
        caller.send("ACK", cseq=2),
    ]
    await play(company, steps, port=port, name="phone")
    history = await company.crm.gets("history", timeout_s=20)
    assert history["status"] == "NotAllowed"
    assert company.crm.of("event") == []


async def test_do_not_disturb_by_star_78(company: Company) -> None:
    login = await company.employee("711")
    port = await company.registered_phone(login)
    caller = Caller(caller=login, called="*78", domain=company.domain)
    credentials = f"[authentication username={login} password={company.password}]"
    steps = [
        caller.send("INVITE", body=sdp()),
        recv(100, optional=True),
        recv(401, auth=True),
        caller.send("ACK"),
        caller.send("INVITE", cseq=2, body=sdp(), headers=credentials),
        recv(100, optional=True),
        recv(200),
        caller.send("ACK", cseq=2, in_dialog=True),
        recv("BYE", timeout_ms=20_000),
        respond(200, "OK", tag=False),
    ]
    await play(company, steps, port=port, name="phone")
    async with company.directory() as (_, domain):
        assert not domain.employees[login].receives_calls
