"""We call a peer: ladders from our INVITE to the end (RFC 3261 §13.2, §22, RFC 3262)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from vpbx.sip import Credentials, Hop, Sdp, SessionState, Target

from .ladder import OURS, THEIRS, Stage, sdp, stage

CHALLENGE = 'Digest realm="r", nonce="{}", qop="auth"'
RELIABLE = ("Require: 100rel", "RSeq: {}")


@pytest.fixture
async def s() -> AsyncIterator[Stage]:
    async with stage() as made:
        yield made


async def test_call_is_answered_and_ended_by_us(s: Stage) -> None:
    session = s.call(headers=[("P-Test", "yes"), ("Max-Forwards", "12")])
    assert session.state is SessionState.CALLING
    invite = await s.peer.gets_request("INVITE")
    assert invite.raw_uri == s.peer.target.uri
    assert invite.text() == OURS
    assert invite.headers["P-Test"] == "yes"
    assert invite.headers.getlist("Max-Forwards") == ["12"]
    assert invite.from_address.name == "Ann"
    s.peer.respond(invite, 100)
    s.peer.respond(invite, 180)
    assert await s.owner.hears("progress") == ("progress", 180, None)
    assert session.state is SessionState.EARLY
    s.peer.respond(invite, 200, body=THEIRS)
    ack = await s.peer.gets_request("ACK")
    assert ack.raw_uri == f"sip:peer@127.0.0.1:{s.peer.port}"
    assert ack.branch != invite.branch
    assert await s.owner.hears("answer") == ("answer", 200, THEIRS)
    assert session.answered
    assert (session.local_sdp, session.remote_sdp) == (OURS, THEIRS)
    assert session.remote_party.uri.user == "bob"
    session.hangup(reason="Q.850;cause=16")
    session.hangup()
    bye = await s.peer.gets_request("BYE")
    assert bye.headers["Reason"] == "Q.850;cause=16"
    assert bye.cseq_number == invite.cseq_number + 1
    s.peer.respond(bye, 200)
    await s.nothing_left()
    assert s.owner.names() == ["progress", "answer"]


async def test_lost_ack_is_sent_again_for_each_answer(s: Stage) -> None:
    s.call()
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 200, body=THEIRS)
    first = await s.peer.gets_request("ACK")
    s.peer.respond(invite, 200, body=THEIRS)
    assert bytes(await s.peer.gets_request("ACK")) == bytes(first)
    assert s.owner.names() == ["answer"]


async def test_answer_that_comes_long_after_is_still_acknowledged(s: Stage) -> None:
    s.call()
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 200, body=THEIRS)
    await s.peer.gets_request("ACK")
    for _ in range(6):
        s.clock.advance(10)
    assert s.stack.layer.transactions == 0
    s.peer.respond(invite, 200, body=THEIRS)
    await s.peer.gets_request("ACK")
    s.peer.respond(invite, 200, body=THEIRS, tag="stranger")
    await s.quiet()
    s.peer.gets_nothing()


@pytest.mark.parametrize("code", [302, 486, 503, 603])
async def test_refusal_is_told_and_a_redirect_is_one(s: Stage, code: int) -> None:
    s.call()
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, code, contact="Contact: <sip:elsewhere@198.51.100.1>")
    await s.peer.gets_request("ACK")
    assert await s.owner.hears("failure") == ("failure", code, _phrase(code))
    s.peer.respond(invite, 180)  # overtaken by the refusal
    await s.nothing_left()
    assert s.owner.names() == ["failure"]


def _phrase(code: int) -> str:
    return {
        302: "Moved Temporarily",
        486: "Busy Here",
        503: "Service Unavailable",
        603: "Decline",
    }[code]


async def test_silence_is_408(s: Stage) -> None:
    s.call()
    s.clock.advance(32)
    assert await s.owner.hears("failure") == ("failure", 408, "Request Timeout")
    await s.nothing_left()


async def test_nobody_answering_in_time_is_408_at_once_and_cancelled(s: Stage) -> None:
    s.call(timeout_s=20)
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 180)
    await s.owner.hears("progress")
    s.clock.advance(20)
    assert s.owner.heard[-1] == ("failure", 408, "Request Timeout")
    cancel = await s.peer.gets_request("CANCEL")
    assert s.stack.sessions == 0
    s.peer.respond(cancel, 200)
    s.peer.respond(invite, 487)
    await s.peer.gets_request("ACK")
    await s.nothing_left()


async def test_answer_that_crosses_our_timeout_is_hung_up(s: Stage) -> None:
    s.call(timeout_s=20)
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 180)
    await s.owner.hears("progress")
    s.clock.advance(20)
    await s.peer.gets_request("CANCEL")
    s.peer.respond(invite, 200, body=THEIRS)
    await s.peer.gets_request("ACK")
    s.peer.respond(await s.peer.gets_request("BYE"), 200)
    await s.nothing_left()
    assert s.owner.names() == ["progress", "failure"]


async def test_place_nobody_can_send_to_is_503(s: Stage) -> None:
    s.stack.invite(
        Target("sip:x@127.0.0.1:1;transport=tcp", Hop("tcp", "127.0.0.1", 1)),
        from_="<sip:a@b.example>",
        to="<sip:x@b.example>",
        sdp=OURS,
        listener=s.owner,
    )
    assert s.owner.heard == []
    async with asyncio.timeout(30):
        while not s.owner.heard:
            await asyncio.sleep(0.001)
            s.clock.advance(0)
    assert s.owner.heard[0][:2] == ("failure", 503)
    await s.nothing_left()


async def test_hangup_while_it_rings_cancels(s: Stage) -> None:
    session = s.call()
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 180)
    await s.owner.hears("progress")
    session.hangup(reason='SIP;cause=200;text="Call completed elsewhere"')
    cancel = await s.peer.gets_request("CANCEL")
    assert cancel.branch == invite.branch
    assert "completed elsewhere" in cancel.headers["Reason"]
    s.peer.respond(cancel, 200)
    s.peer.respond(invite, 487)
    await s.peer.gets_request("ACK")
    assert await s.owner.hears("failure") == ("failure", 487, "Request Terminated")
    await s.nothing_left()


async def test_hangup_before_any_response_cancels_when_one_comes(s: Stage) -> None:
    session = s.call()
    invite = await s.peer.gets_request("INVITE")
    session.hangup()
    await s.quiet()
    s.peer.gets_nothing()
    s.peer.respond(invite, 100)
    await s.peer.gets_request("CANCEL")
    s.clock.advance(32)
    assert await s.owner.hears("failure") == ("failure", 487, "Request Terminated")


async def test_answer_that_crosses_our_cancel_is_acknowledged_and_hung_up(s: Stage) -> None:
    session = s.call()
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 180)
    await s.owner.hears("progress")
    session.hangup()
    cancel = await s.peer.gets_request("CANCEL")
    s.peer.respond(invite, 200, body=THEIRS)
    s.peer.respond(cancel, 481)
    await s.peer.gets_request("ACK")
    bye = await s.peer.gets_request("BYE")
    s.peer.respond(bye, 200)
    assert await s.owner.hears("failure") == ("failure", 487, "Request Terminated")
    s.peer.respond(invite, 200, body=THEIRS)
    await s.peer.gets_request("ACK")
    await s.nothing_left()
    assert "answer" not in s.owner.names()


async def test_first_fork_to_answer_wins_and_the_others_are_hung_up(s: Stage) -> None:
    session = s.call()
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 180, tag="one")
    s.peer.respond(invite, 183, tag="two", body=THEIRS)
    await s.owner.hears("progress", 2)
    assert len(s.stack.dialogs) == 2
    s.peer.respond(invite, 200, tag="one", body=sdp(7))
    ack = await s.peer.gets_request("ACK")
    assert ack.to_tag == "one"
    assert await s.owner.hears("answer") == ("answer", 200, sdp(7))
    s.peer.respond(invite, 200, tag="two", body=THEIRS)
    late = await s.peer.gets_request("ACK")
    bye = await s.peer.gets_request("BYE")
    assert (late.to_tag, bye.to_tag) == ("two", "two")
    s.peer.respond(bye, 200)
    s.peer.respond(invite, 200, tag="two", body=THEIRS)
    assert (await s.peer.gets_request("ACK")).to_tag == "two"
    s.peer.respond(invite, 200, tag="one", body=sdp(7))
    assert (await s.peer.gets_request("ACK")).to_tag == "one"
    s.peer.respond(invite, 200, tag="three", body=THEIRS)
    assert (await s.peer.gets_request("ACK")).to_tag == "three"
    s.peer.respond(await s.peer.gets_request("BYE"), 200)
    await s.quiet()
    assert len(s.stack.dialogs) == 1
    assert session.remote_sdp == sdp(7)
    session.hangup()
    s.peer.respond(await s.peer.gets_request("BYE"), 200)
    await s.nothing_left()
    assert s.owner.names() == ["progress", "progress", "answer"]


async def test_reliable_ringing_is_acknowledged_in_order_and_once(s: Stage) -> None:
    s.call()
    invite = await s.peer.gets_request("INVITE")
    assert "100rel" in invite.headers.getlist("Supported")

    def ring(code: int, rseq: int, body: str = "") -> None:
        headers = [line.format(rseq) for line in RELIABLE]
        s.peer.respond(invite, code, headers=headers, body=body)

    ring(180, 50)
    prack = await s.peer.gets_request("PRACK")
    assert prack.headers["RAck"] == f"50 {invite.cseq_number} INVITE"
    assert prack.to_tag == "their"
    s.peer.respond(prack, 200)
    ring(180, 50)
    ring(183, 52, THEIRS)
    await s.quiet()
    s.peer.gets_nothing()
    ring(183, 51, THEIRS)
    prack = await s.peer.gets_request("PRACK")
    assert prack.headers["RAck"] == f"51 {invite.cseq_number} INVITE"
    s.peer.respond(prack, 200)
    assert await s.owner.hears("progress", 2) == ("progress", 183, THEIRS)
    s.peer.respond(invite, 200, body=sdp(9))  # not the answer any more
    await s.peer.gets_request("ACK")
    assert await s.owner.hears("answer") == ("answer", 200, THEIRS)
    assert s.owner.session.remote_sdp == THEIRS


async def test_reliable_forks_are_counted_each_for_itself(s: Stage) -> None:
    s.call()
    invite = await s.peer.gets_request("INVITE")
    for tag, rseq in (("one", 9), ("two", 4), ("one", 10)):
        headers = [line.format(rseq) for line in RELIABLE]
        s.peer.respond(invite, 180, tag=tag, headers=headers)
        prack = await s.peer.gets_request("PRACK")
        assert (prack.to_tag, prack.headers["RAck"]) == (tag, f"{rseq} 1 INVITE")
        s.peer.respond(prack, 200)
    await s.owner.hears("progress", 3)
    s.peer.respond(invite, 200, tag="one", body=THEIRS)
    assert (await s.peer.gets_request("ACK")).cseq_number == 1
    s.peer.respond(invite, 200, tag="two", body=THEIRS)
    await s.peer.gets_request("ACK")
    assert (await s.peer.gets_request("BYE")).cseq_number == 3  # after its PRACK


async def test_early_update_of_a_fork_is_answered_in_its_dialog(s: Stage) -> None:
    session = s.call()
    invite = await s.peer.gets_request("INVITE")
    headers = [line.format(1) for line in RELIABLE]
    s.peer.respond(invite, 183, headers=headers, body=THEIRS)
    s.peer.respond(await s.peer.gets_request("PRACK"), 200)
    await s.owner.hears("progress")
    s.peer.request(
        "UPDATE",
        cseq=1,
        call_id=session.call_id,
        from_="<sip:bob@acme.example>;tag=their",
        to=invite.headers["From"],
        headers=[s.peer.contact],
        body=sdp(2, 2),
    )
    assert await s.owner.hears("offer") == ("offer", sdp(2, 2))
    session.answer(sdp(1, 2))
    assert (await s.peer.gets_response(200)).text() == sdp(1, 2)
    s.peer.respond(invite, 200)
    await s.peer.gets_request("ACK")
    assert await s.owner.hears("answer") == ("answer", 200, sdp(2, 2))


async def test_answer_without_description_falls_back_to_the_early_one(s: Stage) -> None:
    s.call()
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 183, body=THEIRS)
    assert await s.owner.hears("progress") == ("progress", 183, THEIRS)
    assert s.owner.session.remote_sdp == THEIRS
    s.peer.respond(invite, 200)
    await s.peer.gets_request("ACK")
    assert await s.owner.hears("answer") == ("answer", 200, THEIRS)


@pytest.mark.parametrize("body", ["", "v=0\r\nbroken\r\n"])
async def test_answer_without_any_description_is_hung_up(s: Stage, body: str) -> None:
    s.call()
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 200, body=body)
    await s.peer.gets_request("ACK")
    s.peer.respond(await s.peer.gets_request("BYE"), 200)
    assert (await s.owner.hears("failure"))[1] == 488
    await s.nothing_left()


async def test_call_without_offer_is_answered_in_the_ack(s: Stage) -> None:
    session = s.call(sdp=None)
    invite = await s.peer.gets_request("INVITE")
    assert invite.body == b""
    assert "100rel" not in invite.headers.getlist("Supported")
    s.peer.respond(invite, 200, body=THEIRS)
    assert await s.owner.hears("answer") == ("answer", 200, THEIRS)
    s.peer.respond(invite, 200, body=THEIRS)
    await s.quiet()
    s.peer.gets_nothing()
    session.ack(OURS)
    assert (await s.peer.gets_request("ACK")).text() == OURS
    s.peer.respond(invite, 200, body=THEIRS)
    assert (await s.peer.gets_request("ACK")).text() == OURS
    assert (session.local_sdp, session.remote_sdp) == (OURS, THEIRS)


async def test_hangup_instead_of_an_answer_refuses_the_offer_in_the_ack(s: Stage) -> None:
    session = s.call(sdp=None)
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 200, body=THEIRS)
    await s.owner.hears("answer")
    session.hangup()
    ack = await s.peer.gets_request("ACK")
    assert [media.port for media in Sdp.parse(ack.text()).media] == [0]
    s.peer.respond(await s.peer.gets_request("BYE"), 200)
    await s.nothing_left()


async def test_challenges_are_answered_once_each(s: Stage) -> None:
    s.call(credentials=Credentials("701", "sesame"))
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 407, headers=[f"Proxy-Authenticate: {CHALLENGE.format('p1')}"])
    await s.peer.gets_request("ACK")
    second = await s.peer.gets_request("INVITE")
    assert 'nonce="p1"' in second.headers["Proxy-Authorization"]
    assert second.cseq_number == 2
    assert second.call_id == invite.call_id
    assert second.from_tag == invite.from_tag
    assert second.text() == OURS
    s.peer.respond(second, 401, headers=[f"WWW-Authenticate: {CHALLENGE.format('w1')}"])
    await s.peer.gets_request("ACK")
    third = await s.peer.gets_request("INVITE")
    assert 'nonce="w1"' in third.headers["Authorization"]
    assert "nc=00000002" in third.headers["Proxy-Authorization"]
    s.peer.respond(third, 200, body=THEIRS)
    ack = await s.peer.gets_request("ACK")
    assert ack.headers["Authorization"] == third.headers["Authorization"]
    await s.owner.hears("answer")
    s.owner.session.hangup()
    bye = await s.peer.gets_request("BYE")
    assert "nc=00000002" in bye.headers["Authorization"]  # at once, without being asked
    assert s.owner.names() == ["answer"]


async def test_wrong_password_fails_after_one_try(s: Stage) -> None:
    s.call(credentials=Credentials("701", "wrong"))
    for nonce in ("1", "2"):
        invite = await s.peer.gets_request("INVITE")
        header = f"WWW-Authenticate: {CHALLENGE.format(nonce)}"
        s.peer.respond(invite, 401, headers=[header])
        await s.peer.gets_request("ACK")
    assert (await s.owner.hears("failure"))[1] == 401
    await s.nothing_left()
    s.peer.gets_nothing()


async def test_nonce_that_aged_is_answered_again(s: Stage) -> None:
    s.call(credentials=Credentials("701", "right"))
    for header in (CHALLENGE.format("1"), CHALLENGE.format("2") + ", stale=true"):
        invite = await s.peer.gets_request("INVITE")
        s.peer.respond(invite, 401, headers=[f"WWW-Authenticate: {header}"])
        await s.peer.gets_request("ACK")
    assert 'nonce="2"' in (await s.peer.gets_request("INVITE")).headers["Authorization"]


async def test_challenge_without_credentials_is_a_failure(s: Stage) -> None:
    s.call()
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 401, headers=[f"WWW-Authenticate: {CHALLENGE.format('1')}"])
    assert (await s.owner.hears("failure"))[1] == 401


async def test_interval_too_small_is_raised(s: Stage) -> None:
    s.call()
    invite = await s.peer.gets_request("INVITE")
    assert invite.headers["Session-Expires"] == "1800"
    s.peer.respond(invite, 422, headers=["Min-SE: 3600"])
    await s.peer.gets_request("ACK")
    again = await s.peer.gets_request("INVITE")
    assert (again.headers["Session-Expires"], again.headers["Min-SE"]) == ("3600", "3600")
    s.peer.respond(again, 422, headers=["Min-SE: 3600"])
    assert (await s.owner.hears("failure"))[1] == 422


async def test_callee_that_refreshes_no_more_is_hung_up(s: Stage) -> None:
    s.call()
    invite = await s.peer.gets_request("INVITE")
    headers = ["Session-Expires: 90;refresher=uas", "Require: timer"]
    s.peer.respond(invite, 200, body=THEIRS, headers=headers)
    await s.peer.gets_request("ACK")
    await s.owner.hears("answer")
    s.clock.advance(60)
    assert await s.owner.hears("end") == ("end", "session timer")
    await s.peer.gets_request("BYE")


async def test_callee_ends_the_call(s: Stage) -> None:
    session = s.call()
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 200, body=THEIRS)
    await s.peer.gets_request("ACK")
    await s.owner.hears("answer")
    s.peer.request(
        "BYE",
        cseq=1,
        call_id=session.call_id,
        from_=f"{invite.headers['To']};tag=their",
        to=invite.headers["From"],
    )
    await s.peer.gets(200)
    assert await s.owner.hears("end") == ("end", "bye")
    await s.nothing_left()


async def test_requests_follow_the_route_that_was_recorded(s: Stage) -> None:
    session = s.stack.invite(
        Target("sip:bob@acme.example", s.peer.hop, (f"<sip:127.0.0.1:{s.peer.port};lr>",)),
        from_="<sip:ann@acme.example>",
        to="<sip:bob@acme.example>",
        sdp=OURS,
        listener=s.owner,
    )
    invite = await s.peer.gets_request("INVITE")
    assert invite.raw_uri == "sip:bob@acme.example"
    assert invite.headers["Route"] == f"<sip:127.0.0.1:{s.peer.port};lr>"
    route = [f"<sip:127.0.0.1:{s.peer.port};lr;n={n}>" for n in (1, 2)]
    s.peer.respond(
        invite,
        200,
        body=THEIRS,
        headers=[f"Record-Route: {value}" for value in route],
        contact="Contact: <sip:bob@192.0.2.77>",
    )
    ack = await s.peer.gets_request("ACK")
    assert ack.raw_uri == "sip:bob@192.0.2.77"
    assert ack.headers.getlist("Route") == route[::-1]
    await s.owner.hears("answer")
    session.hangup()
    assert (await s.peer.gets_request("BYE")).headers.getlist("Route") == route[::-1]


async def test_call_that_meets_a_fork_that_only_rings_forgets_it(s: Stage) -> None:
    session = s.call()
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 180, tag="one")
    await s.owner.hears("progress")
    s.peer.respond(invite, 486, tag="two")
    assert (await s.owner.hears("failure"))[1] == 486
    assert session.state is SessionState.ENDED
    await s.nothing_left()


async def test_request_outside_of_dialogs_brings_its_response(s: Stage) -> None:
    codes: list[int] = []

    def ask() -> None:
        s.stack.request(
            "OPTIONS",
            s.peer.target,
            from_="<sip:ann@acme.example>",
            to="<sip:bob@acme.example>",
            credentials=Credentials("701", "sesame"),
            on_response=lambda response: codes.append(response.code),
        )

    ask()
    first = await s.peer.gets_request("OPTIONS")
    s.peer.respond(first, 401, headers=[f"WWW-Authenticate: {CHALLENGE.format('1')}"])
    second = await s.peer.gets_request("OPTIONS")
    assert (second.cseq_number, second.call_id) == (2, first.call_id)
    s.peer.respond(second, 200)
    await s.quiet()
    ask()
    s.clock.advance(32)
    assert codes == [200, 408]
    await s.nothing_left()
