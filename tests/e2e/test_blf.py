"""BLF between programs that nobody here wrote: SIPp watches a line, baresip is at its end."""

from __future__ import annotations

import asyncio

from tests.e2e.conftest import Company, needs_baresip, needs_sipp
from tests.e2e.test_softphone import get_json, softphone
from tests.support.ladder import Caller, Step, recv, respond
from tests.support.ports import free_port

pytestmark = [needs_sipp, needs_baresip]


def told(*words: str) -> list[Step]:
    """A NOTIFY whose message has these words, in this order; it is accepted."""
    pattern = ".*".join(words)
    return [
        Step(
            '<recv request="NOTIFY"><action>'
            f'<ereg regexp="{pattern}" search_in="msg" check_it="true" assign_to="7"/>'
            '</action></recv><Reference variables="7"/>'
        ),
        respond(200, "OK", tag=False),
    ]


async def test_a_key_shows_a_colleague_come_talk_and_go(company: Company) -> None:
    watcher, login = await company.employee("711"), await company.employee("712")
    async with company.directory() as (directory, domain):
        await directory.blf.add(domain, [watcher])
    caller = Caller(caller=watcher, called="712", domain=company.domain)
    credentials = f"[authentication username={watcher} password={company.password}]"
    asked = "Event: dialog\nAccept: application/dialog-info+xml\nExpires: "
    steps = [
        caller.send("SUBSCRIBE", headers=asked + "600"),
        recv(401, auth=True),
        caller.send("SUBSCRIBE", cseq=2, headers=f"{credentials}\n{asked}600"),
        recv(200),
        *told("active;expires=600", "version=.0. state=.full.", "closed"),
        *told("version=.1. state=.full.", "open"),
        *told("version=.2. state=.partial.", "initiator", "confirmed", "sip:712@"),
        *told("version=.3. state=.partial.", "terminated"),
        caller.send("SUBSCRIBE", cseq=3, in_dialog=True, headers=asked + "0"),
        recv(200),
        *told("terminated;reason=timeout", "version=.4. state=.full.", "open"),
    ]
    async with asyncio.timeout(30):  # the server looks for what others change twice a second
        while not await get_json(company, "/blf/users"):
            await asyncio.sleep(0.1)
    sipp = await company.sipp("watcher", steps).start(target=company.pbx.sip, port=free_port())
    phone = softphone(company, login)
    async with asyncio.timeout(30):
        while not sipp.saw("active;expires=600"):
            await asyncio.sleep(0.05)
    async with phone:
        await phone.registers()
        await phone.command("dial", f"sip:*43@{company.domain}")
        await phone.happens("CALL_ESTABLISHED")
        await phone.command("hangup")
        result = await sipp.done()
    assert result.ok, result.output
