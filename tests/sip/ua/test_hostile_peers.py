"""Peers that lie, stammer or do what they may not: the stack answers, or is silent, and lives."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from vpbx.sip import Session, SessionState

from .ladder import OURS, THEIRS, Stage, sdp, stage

ODD = (
    "",
    "\x00",
    "<",
    "<sip:",
    "1",
    "-1",
    "99999999999999999999",
    ";",
    "=",
    '"',
    "é\u2028",
    "a" * 5000,
    "1 1 INVITE",
    "90;refresher=;refresher=uac",
    "application/sdp; boundary",
    "multipart/mixed; boundary=",
    "Digest " + "a=b," * 200,
    "<sip:x@[::1>",
    "<sip:peer@0.0.0.0:0>",
)
NAMES = (
    "Allow",
    "Authorization",
    "Contact",
    "Content-Disposition",
    "Content-Type",
    "Expires",
    "Min-SE",
    "RAck",
    "RSeq",
    "Record-Route",
    "Reason",
    "Require",
    "Retry-After",
    "Session-Expires",
    "Supported",
    "WWW-Authenticate",
)
BODIES = ("", THEIRS, "v=0\r\n", "\x00\xff", THEIRS.replace("4000", "x"), "m=" * 300)


@pytest.fixture
async def s() -> AsyncIterator[Stage]:
    async with stage() as made:
        yield made


def odd_headers(chance: random.Random) -> list[str]:
    return [f"{name}: {chance.choice(ODD)}" for name in chance.sample(NAMES, 3)]


def answer_offers(name: str, session: Session) -> None:
    if name == "offer":
        session.answer(sdp(1, 2))


@pytest.mark.parametrize("seed", range(12))
async def test_odd_requests_in_and_out_of_a_call_never_raise(s: Stage, seed: int) -> None:
    chance = random.Random(seed)
    s.owner.on_call = lambda session: session.accept(OURS)
    s.peer.invite()
    to = (await s.peer.gets_response(200)).headers["To"]
    s.peer.request("ACK", cseq=1, to=to)
    await s.owner.hears("established")
    s.owner.on_event = answer_offers
    methods = ("INVITE", "UPDATE", "PRACK", "INFO", "REFER", "OPTIONS", "ACK", "NOTIFY", "CANCEL")
    with capture_logs() as logs:
        for number in range(2, 60):
            s.peer.request(
                chance.choice(methods),
                cseq=chance.choice((number, number, number, 1)),
                to=chance.choice((to, to, to, "<sip:701@acme.example>", "<sip:x@y>;tag=z")),
                headers=odd_headers(chance),
                body=chance.choice(BODIES),
                call_id=chance.choice(("call-1", "call-1", f"odd-{number}")),
            )
            if number % 8 == 0:
                await s.quiet()
                s.clock.advance(0.3)
        await s.quiet()
    assert [entry for entry in logs if entry["log_level"] in ("error", "critical")] == []
    s.peer.request("OPTIONS", cseq=2**31 + 1, call_id="last")
    await s.quiet()
    assert s.owner.transactions[-1].request.call_id == "last"


async def test_odd_responses_to_our_calls_never_raise(s: Stage) -> None:
    chance = random.Random(11)
    codes = (101, 180, 183, 199, 200, 202, 299, 300, 401, 407, 422, 487, 491, 500, 699)
    with capture_logs() as logs:
        for number in range(60):
            session = s.call(sdp=chance.choice((OURS, None)))
            if number % 7 == 0:
                session.hangup()
            invite = await s.peer.gets_request("INVITE")
            for _ in range(6):
                s.peer.respond(
                    invite,
                    chance.choice(codes),
                    tag=chance.choice(("one", "two")),
                    headers=odd_headers(chance),
                    body=chance.choice(BODIES),
                )
            await s.quiet()
            if chance.random() < 0.3:
                session.hangup()
            while not s.peer._inbox.empty():
                s.peer._inbox.get_nowait()
        await s.quiet()
    assert [entry for entry in logs if entry["log_level"] in ("error", "critical")] == []
    for left in s.owner.sessions:
        left.hangup()
    for _ in range(30):
        s.clock.advance(10)
        await s.quiet()
    assert s.stack.sessions == s.stack.under_way == 0


async def test_callee_that_says_bye_while_ringing_still_owes_a_final_answer(s: Stage) -> None:
    session = s.call()
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 180)
    await s.owner.hears("progress")
    s.peer.request(
        "BYE",
        cseq=1,
        call_id=session.call_id,
        from_="<sip:bob@acme.example>;tag=their",
        to=invite.headers["From"],
    )
    await s.peer.gets(200)
    assert session.state is SessionState.EARLY
    s.peer.respond(invite, 487)
    assert (await s.owner.hears("failure"))[1] == 487


async def test_offers_of_two_forks_do_not_mix(s: Stage) -> None:
    session = s.call()
    invite = await s.peer.gets_request("INVITE")
    for tag, number in (("one", 11), ("two", 12)):
        headers = ["Require: 100rel", "RSeq: 1"]
        s.peer.respond(invite, 183, tag=tag, headers=headers, body=sdp(number))
        s.peer.respond(await s.peer.gets_request("PRACK"), 200)
    await s.owner.hears("progress", 2)
    s.peer.request(
        "UPDATE",
        cseq=1,
        call_id=session.call_id,
        from_="<sip:bob@acme.example>;tag=one",
        to=invite.headers["From"],
        headers=[s.peer.contact],
        body=sdp(11, 2),
    )
    await s.owner.hears("offer")
    session.answer(sdp(1, 2))
    await s.peer.gets(200)
    assert session.remote_sdp == sdp(12)  # the fork heard last
    s.peer.respond(invite, 200, tag="one")
    assert await s.owner.hears("answer") == ("answer", 200, sdp(11, 2))
    assert (session.local_sdp, session.remote_sdp) == (sdp(1, 2), sdp(11, 2))


async def test_answer_to_a_reinvite_that_is_never_acknowledged_ends_the_call(s: Stage) -> None:
    s.owner.on_call = lambda session: session.accept(OURS)
    s.peer.invite()
    to = (await s.peer.gets_response(200)).headers["To"]
    s.peer.request("ACK", cseq=1, to=to)
    s.peer.request("INVITE", cseq=2, to=to, headers=[s.peer.contact], body=THEIRS)
    await s.peer.gets(200)
    s.clock.advance(32)
    assert await s.owner.hears("end") == ("end", "no ack")


async def test_hangup_right_after_answering_a_reinvite_does_not_wait(s: Stage) -> None:
    s.owner.on_call = lambda session: session.accept(OURS)
    s.peer.invite()
    to = (await s.peer.gets_response(200)).headers["To"]
    s.peer.request("ACK", cseq=1, to=to)
    s.peer.request("INVITE", cseq=2, to=to, headers=[s.peer.contact], body=THEIRS)
    await s.peer.gets(200)
    s.owner.session.hangup()
    s.peer.respond(await s.peer.gets_request("BYE"), 200)
    await s.nothing_left()


async def test_stopped_stack_waits_for_nothing(s: Stage) -> None:
    s.owner.on_call = lambda session: session.accept(OURS)
    s.peer.invite()
    await s.peer.gets(200)
    s.owner.session.hangup()  # its BYE waits for an ACK that will not come
    s.call()
    await s.stack.stop(0.05)
    assert s.owner.heard[-1] == ("failure", 487, "Request Terminated")
    assert not len(s.stack.dialogs)
    assert s.stack.sessions == s.stack.under_way == 0
    s.clock.advance(100)
