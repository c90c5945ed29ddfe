"""Calls by SIPp, a program that nobody here wrote, on both ends of the PBX."""

from __future__ import annotations

import asyncio

from tests.e2e.conftest import Company, needs_sipp
from tests.support.ladder import (
    Caller,
    SippResult,
    Step,
    answer_invite,
    callee_sends,
    pause,
    recv,
    recv_invite,
    respond,
    sdp,
)

pytestmark = needs_sipp

CLIENT = "79101234567"

RINGS = [recv(100, optional=True), recv(180)]


async def both(
    company: Company,
    *,
    phone: list[Step],
    carrier: list[Step],
    calls: int = 1,
    transport: str = "u1",
) -> None:
    """Route the number to one employee and let both ends play their ladders."""
    login = await company.employee("711")
    await company.route(company.number, login)
    port = await company.registered_phone(login)
    callee = await company.sipp("phone", phone).start(
        target=company.pbx.sip, port=port, calls=calls
    )
    caller = await company.sipp("carrier", carrier).start(
        target=company.pbx.sip, port=company.trunk_port, calls=calls, transport=transport
    )
    results: list[SippResult] = []
    try:
        results = list(await asyncio.gather(caller.done(), callee.done()))
    finally:
        caller.kill()
        callee.kill()
    for result in results:
        assert result.ok, result.output


def customer(company: Company) -> Caller:
    return Caller(caller=CLIENT, called=company.number, domain="127.0.0.1")


PHONE_ANSWERS = [
    recv("INVITE"),
    respond(180, "Ringing"),
    pause(200),
    respond(200, "OK", body=sdp(), again=True),
    recv("ACK"),
]
PHONE_HEARS_BYE = [recv("BYE"), respond(200, "OK", tag=False)]


IS_CANCELLED = [
    recv("CANCEL"),
    respond(200, "OK"),
    answer_invite(487, "Request Terminated", again=True),
    recv("ACK"),
]


def gives_up(caller: Caller) -> list[Step]:
    """CANCEL in the INVITE's own transaction, and the two answers to it."""
    return [caller.send("CANCEL"), recv(200), recv(487), caller.send("ACK")]


async def test_customer_calls_talks_and_hangs_up(company: Company) -> None:
    customer_ = customer(company)
    await both(
        company,
        phone=[*PHONE_ANSWERS, *PHONE_HEARS_BYE],
        carrier=[
            customer_.send("INVITE", body=sdp()),
            *RINGS,
            recv(200),
            customer_.send("ACK", in_dialog=True),
            pause(300),
            customer_.send("BYE", cseq=2, in_dialog=True),
            recv(200),
        ],
    )
    history = await company.crm.gets("history")
    assert history["status"] == "Success"
    assert (history["type"], history["phone"], history["diversion"], history["user"]) == (
        "in", CLIENT, company.number, "user711",
    )  # fmt: skip
    events = [event["type"] for event in company.crm.of("event")]
    assert events == ["INCOMING", "ACCEPTED", "COMPLETED"]


async def test_customer_calls_over_tcp(company: Company) -> None:
    customer_ = customer(company)
    await both(
        company,
        transport="t1",
        phone=[*PHONE_ANSWERS, *PHONE_HEARS_BYE],
        carrier=[
            customer_.send("INVITE", body=sdp()),
            *RINGS,
            recv(200),
            customer_.send("ACK", in_dialog=True),
            pause(100),
            customer_.send("BYE", cseq=2, in_dialog=True),
            recv(200),
        ],
    )
    assert (await company.crm.gets("history"))["status"] == "Success"


async def test_employee_hangs_up(company: Company) -> None:
    customer_ = customer(company)
    await both(
        company,
        phone=[
            recv_invite(),
            *PHONE_ANSWERS[1:],
            pause(200),
            callee_sends("BYE"),
            recv(200),
        ],
        carrier=[
            customer_.send("INVITE", body=sdp()),
            *RINGS,
            recv(200),
            customer_.send("ACK", in_dialog=True),
            recv("BYE"),
            respond(200, "OK", tag=False),
        ],
    )
    assert (await company.crm.gets("history"))["status"] == "Success"


async def test_customer_gives_up_while_it_rings(company: Company) -> None:
    customer_ = customer(company)
    await both(
        company,
        phone=[
            recv_invite(),
            respond(180, "Ringing"),
            *IS_CANCELLED,
        ],
        carrier=[
            customer_.send("INVITE", body=sdp()),
            *RINGS,
            *gives_up(customer_),
        ],
    )
    history = await company.crm.gets("history")
    assert (history["status"], history["user"]) == ("Missed", "user711")
    events = [event["type"] for event in company.crm.of("event")]
    assert events == ["INCOMING", "CANCELLED"]


async def test_customer_gives_up_before_the_phone_has_said_anything(company: Company) -> None:
    customer_ = customer(company)
    await both(
        company,
        phone=[
            recv_invite(),
            pause(400),
            respond(100, "Trying", tag=False),
            *IS_CANCELLED,
        ],
        carrier=[
            customer_.send("INVITE", body=sdp()),
            recv(100),
            pause(200),
            *gives_up(customer_),
        ],
    )
    assert (await company.crm.gets("history"))["status"] == "Missed"


async def test_phone_answers_at_the_moment_the_customer_gives_up(company: Company) -> None:
    """The 200 crosses the CANCEL: the phone must be told the call is over."""
    customer_ = customer(company)
    await both(
        company,
        phone=[
            recv_invite(),
            respond(180, "Ringing"),
            recv("CANCEL"),
            respond(200, "OK"),
            answer_invite(200, "OK", body=sdp()),
            recv("ACK"),
            recv("BYE"),
            respond(200, "OK", tag=False),
        ],
        carrier=[
            customer_.send("INVITE", body=sdp()),
            *RINGS,
            *gives_up(customer_),
        ],
    )
    assert (await company.crm.gets("history"))["status"] == "Missed"
    assert [event["type"] for event in company.crm.of("event")] == ["INCOMING", "CANCELLED"]


async def test_busy_phone_makes_a_missed_call(company: Company) -> None:
    customer_ = customer(company)
    await both(
        company,
        phone=[recv("INVITE"), respond(486, "Busy Here", again=True), recv("ACK")],
        carrier=[
            customer_.send("INVITE", body=sdp()),
            recv(100, optional=True),
            recv(180, optional=True),
            recv(486),
            customer_.send("ACK"),
        ],
    )
    assert (await company.crm.gets("history"))["status"] == "Missed"


async def test_invite_sent_again_rings_the_phone_once(company: Company) -> None:
    """The carrier repeats its INVITE to the letter: it is answered again, not called again."""
    customer_ = customer(company)
    invite = customer_.send("INVITE", body=sdp())
    await both(
        company,
        phone=[*PHONE_ANSWERS, *PHONE_HEARS_BYE],
        carrier=[
            invite,
            *RINGS,
            invite,
            recv(200),
            customer_.send("ACK", in_dialog=True),
            pause(300),
            customer_.send("BYE", cseq=2, in_dialog=True),
            recv(200),
        ],
    )
    assert (await company.crm.gets("history"))["status"] == "Success"
    assert len(company.crm.of("event", type="INCOMING")) == 1
    rung = next(company.folder.glob("*-phone-messages.log")).read_text()
    assert rung.count("\nINVITE sip:") == 1


async def test_lost_ack_is_asked_for_again(company: Company) -> None:
    """The carrier acknowledges late; meanwhile the 200 comes again and the call stands."""
    customer_ = customer(company)
    await both(
        company,
        phone=[*PHONE_ANSWERS, *PHONE_HEARS_BYE],
        carrier=[
            customer_.send("INVITE", body=sdp()),
            *RINGS,
            recv(200),
            pause(1700),
            customer_.send("ACK", in_dialog=True),
            pause(200),
            customer_.send("BYE", cseq=2, in_dialog=True),
            recv(200),
        ],
    )
    assert (await company.crm.gets("history"))["status"] == "Success"
    heard = next(company.folder.glob("*-carrier-messages.log")).read_text()
    answers = [part for part in heard.split("message received") if " INVITE\n" in part]
    repeated = [part for part in answers if "SIP/2.0 200 OK" in part]
    assert len(repeated) >= 3, "500 ms and 1.5 s after the first (RFC 3261 13.3.1.4)"


async def test_customer_holds_and_resumes(company: Company) -> None:
    customer_ = customer(company)
    await both(
        company,
        phone=[*PHONE_ANSWERS, *PHONE_HEARS_BYE],
        carrier=[
            customer_.send("INVITE", body=sdp()),
            *RINGS,
            recv(200),
            customer_.send("ACK", in_dialog=True),
            pause(100),
            customer_.send("INVITE", cseq=2, body=sdp("sendonly", 2), in_dialog=True),
            recv(100, optional=True),
            recv(200),
            customer_.send("ACK", cseq=2, in_dialog=True),
            pause(100),
            customer_.send("INVITE", cseq=3, body=sdp("sendrecv", 3), in_dialog=True),
            recv(100, optional=True),
            recv(200),
            customer_.send("ACK", cseq=3, in_dialog=True),
            customer_.send("BYE", cseq=4, in_dialog=True),
            recv(200),
        ],
    )
    assert (await company.crm.gets("history"))["status"] == "Success"


async def test_employee_holds(company: Company) -> None:
    customer_ = customer(company)
    await both(
        company,
        phone=[
            recv_invite(),
            *PHONE_ANSWERS[1:],
            callee_sends("INVITE", cseq=5, body=sdp("sendonly", 2)),
            recv(100, optional=True),
            recv(200),
            callee_sends("ACK", cseq=5),
            pause(100),
            callee_sends("BYE", cseq=6),
            recv(200),
        ],
        carrier=[
            customer_.send("INVITE", body=sdp()),
            *RINGS,
            recv(200),
            customer_.send("ACK", in_dialog=True),
            recv("BYE"),
            respond(200, "OK", tag=False),
        ],
    )


async def refused(company: Company, called: str, code: int, body: str) -> None:
    """Let the carrier call `called` and be refused with `code`."""
    caller = Caller(caller=CLIENT, called=called, domain="127.0.0.1")
    ladder = [
        caller.send("INVITE", body=body),
        recv(100, optional=True),
        recv(code),
        caller.send("ACK"),
    ]
    sipp = await company.sipp("carrier", ladder).start(
        target=company.pbx.sip, port=company.trunk_port
    )
    result = await sipp.done()
    assert result.ok, result.output


async def test_nothing_in_common_is_488(company: Company) -> None:
    await company.route(company.number, await company.employee("711"))
    await refused(company, company.number, 488, sdp(payloads="18 3"))


async def test_unknown_number_is_404(company: Company) -> None:
    await refused(company, "74990000001", 404, sdp())


async def test_a_carrier_cannot_call_through_us_to_the_outside(company: Company) -> None:
    await refused(company, "79031112233", 404, sdp())
