"""The transfer keys of softphones that nobody here wrote, with sound that is measured.

The phone that transfers is theirs; the customer and the colleague are ours, which tell what they
hear (baresip 1.0 drops what comes after our music, where its timestamps begin lower).
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.e2e.conftest import Company, needs_baresip
from tests.e2e.test_softphone import get_json, softphone
from tests.support.linphone import Linphone
from tests.support.pbx import VPBX
from vpbx.sim import Carrier, Phone
from vpbx.sim.call import Call
from vpbx.sip import Hop, Request, Response
from vpbx.sip.message import parse_message

needs_linphone = pytest.mark.skipif(
    shutil.which("linphonec") is None,
    reason="linphonec is not installed (apt-get install linphone-cli)",
)
TOLD = [("REFER", 202), ("NOTIFY SIP/2.0 100 Trying", 200), ("NOTIFY SIP/2.0 200 OK", 200)]
"""A transfer on the wire, as RFC 3515 has it: each request and its answer."""
CUSTOMER_HZ, FIRST_HZ, SECOND_HZ = 700, 500, 1200


@asynccontextmanager
async def company_of_two(company: Company) -> AsyncIterator[tuple[Carrier, Phone]]:
    """711, whose phone is somebody else's, has the company's number; 712 has a phone of ours."""
    for ext in ("711", "712"):
        await company.employee(ext)
    await company.route(company.number, "user711")
    host, _, port = company.pbx.sip.rpartition(":")
    hop = Hop("udp", host, int(port))
    colleague = Phone("user712", company.password, company.domain, hop)
    async with Carrier(hop, port=company.trunk_port) as carrier, colleague:
        yield carrier, colleague


async def customer_of(company: Company, carrier: Carrier) -> Call:
    """The customer calls 711 once that phone is registered."""
    async with asyncio.timeout(30):
        while (await get_json(company, "/users/user711?with=status"))["status"] != "online":
            await asyncio.sleep(0.2)
    return await carrier.call(company.number, caller="79101234567", tone_hz=CUSTOMER_HZ)


def linphone(company: Company) -> Linphone:
    return Linphone(
        company.folder / "linphone",
        user="user711",
        password=company.password,
        domain=company.domain,
        proxy=company.pbx.sip,
        tone_hz=FIRST_HZ,
    )


async def talk(customer: Call, at_colleague: Call) -> None:
    """The two hear each other, and the customer's phone saw no SIP for it."""
    await asyncio.gather(
        customer.heard(SECOND_HZ, timeout_s=20), at_colleague.heard(CUSTOMER_HZ, timeout_s=20)
    )
    assert not customer.directions
    customer.hangup()


async def blind(company: Company, customer: Call, colleague: Phone) -> None:
    """It went on at the colleague's under a callid of its own."""
    at_colleague = await colleague.incoming(timeout_s=20)
    await at_colleague.answer(SECOND_HZ)
    await talk(customer, at_colleague)
    await company.crm.until(lambda: len(company.crm.of("history")) == 2)
    told = [(h["status"], h["user"]) for h in company.crm.of("history")]
    assert told == [("Success", "user711"), ("Success", "user712")]
    [passed] = company.crm.of("event", type="TRANSFERRED")
    assert passed["second_callid"] == company.crm.of("history")[1]["callid"]
    assert await ladder(company, passed["callid"]) == TOLD


async def ladder(company: Company, callid: str) -> list[tuple[str, int]]:
    """The REFER of a call that is over and its NOTIFYs, each with its answer."""
    process = await asyncio.create_subprocess_exec(
        *(str(VPBX), "calls", "trace", callid, "--json", "--data", str(company.pbx.data)),
        stdout=asyncio.subprocess.PIPE,
    )
    shown, _ = await process.communicate()
    asked: dict[str, str] = {}
    answers: dict[str, int] = {}
    for line in shown.splitlines():
        message = parse_message(json.loads(line)["message"].encode())
        number, _, method = message.headers["CSeq"].partition(" ")
        if method not in ("REFER", "NOTIFY"):
            continue
        if isinstance(message, Request):
            asked[f"{method} {number}"] = f"{method} {message.body.decode()}".strip()
        elif isinstance(message, Response):
            answers[f"{method} {number}"] = message.code
    return [(text, answers.get(key, 0)) for key, text in asked.items()]


@needs_baresip
async def test_baresip_s_transfer_key(company: Company) -> None:
    """The phone sends REFER, is told the end by NOTIFY, and hangs up by itself."""
    async with (
        company_of_two(company) as (carrier, colleague),
        softphone(company, "user711", tone_hz=FIRST_HZ, answer="auto") as first,
    ):
        customer = await customer_of(company, carrier)
        await customer.heard(FIRST_HZ, timeout_s=20)
        await first.command("transfer", f"sip:712@{company.domain}")
        await blind(company, customer, colleague)
        await first.happens("CALL_CLOSED")


@needs_linphone
async def test_linphone_s_blind_transfer(company: Company) -> None:
    async with company_of_two(company) as (carrier, colleague), linphone(company) as first:
        customer = await customer_of(company, carrier)
        await first.says("incoming call")
        await first.command("answer")
        await customer.heard(FIRST_HZ, timeout_s=20)
        await first.command(f"transfer 1 sip:712@{company.domain}")
        await blind(company, customer, colleague)


@needs_linphone
async def test_linphone_s_attended_transfer(company: Company) -> None:
    """Hold, a call to a colleague, and its own "transfer 1 --to-call 2": REFER with Replaces."""
    async with company_of_two(company) as (carrier, colleague), linphone(company) as first:
        customer = await customer_of(company, carrier)
        await first.says("incoming call")
        await first.command("answer")
        await customer.heard(FIRST_HZ, timeout_s=20)
        await first.command("pause")
        await first.says("is now paused")
        await first.command(f"call sip:712@{company.domain}")
        at_colleague = await colleague.incoming(timeout_s=20)
        await at_colleague.answer(SECOND_HZ)
        await at_colleague.heard(FIRST_HZ, timeout_s=20)
        await first.command("transfer 1 --to-call 2")
        await talk(customer, at_colleague)
        assert len(at_colleague.directions) == 1  # told of its new place by one re-INVITE
        history = await company.crm.gets("history")
    assert (history["status"], history["user"]) == ("Success", "user712")
    types = [(event["type"], event["user"]) for event in company.crm.of("event")]
    assert types == [
        *(("INCOMING", "user711"), ("ACCEPTED", "user711"), ("TRANSFERRED", "user711")),
        *(("ACCEPTED", "user712"), ("COMPLETED", "user712")),
    ]
    assert "second_callid" not in company.crm.of("event", type="TRANSFERRED")[0]
    assert await ladder(company, history["callid"]) == TOLD
