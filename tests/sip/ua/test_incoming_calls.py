"""A peer calls us: ladders from its INVITE to the end (RFC 3261 §13.3, §15, RFC 3262)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from vpbx.sip import Response, Session, SessionState, WrongState

from .ladder import OURS, THEIRS, Stage, sdp, stage


@pytest.fixture
async def s() -> AsyncIterator[Stage]:
    async with stage() as made:
        yield made


async def answered(s: Stage, *headers: str) -> tuple[Response, str]:
    """The peer calls, we answer; returns our 200 and the To value of the dialog."""
    s.owner.on_call = lambda session: session.accept(OURS)
    s.peer.invite(headers=headers)
    ok = await s.peer.gets_response(200)
    return ok, ok.headers["To"]


async def talking(s: Stage, *headers: str) -> str:
    """As `answered`, with the ACK; returns the To value of the dialog."""
    _, to = await answered(s, *headers)
    s.peer.request("ACK", cseq=1, to=to)
    await s.owner.hears("established")
    return to


async def test_call_is_rung_answered_and_ended_by_the_caller(s: Stage) -> None:
    s.owner.on_call = lambda session: session.ring()
    s.peer.invite()
    ringing = await s.peer.gets_response(180)
    assert ringing.to_tag
    assert ringing.headers["Contact"] == f"<sip:127.0.0.1:{s.peer.stack_port}>"
    assert s.owner.session.state is SessionState.EARLY
    assert s.owner.session.remote_sdp == THEIRS
    assert s.owner.session.remote_party.uri.user == "peer"
    s.owner.session.accept(OURS)
    ok = await s.peer.gets_response(200)
    assert ok.text() == OURS
    assert ok.to_tag == ringing.to_tag
    assert s.owner.session.answered
    s.peer.request("ACK", cseq=1, to=ok.headers["To"])
    assert await s.owner.hears("established") == ("established", None)
    s.peer.request("BYE", cseq=2, to=ok.headers["To"], headers=["Reason: Q.850;cause=16"])
    await s.peer.gets(200)
    assert await s.owner.hears("end") == ("end", "bye")
    bye = s.owner.session.bye
    assert bye is not None
    assert bye.headers["Reason"] == "Q.850;cause=16"
    await s.nothing_left()


async def test_answer_is_repeated_until_its_ack(s: Stage) -> None:
    ok, to = await answered(s)
    for pause in (0.5, 1.0, 2.0, 4.0, 4.0):
        s.clock.advance(pause)
        again = await s.peer.gets_response(200)
        assert bytes(again) == bytes(ok)
    s.peer.request("ACK", cseq=1, to=to)
    await s.owner.hears("established")
    s.clock.advance(30)
    await s.quiet()
    s.peer.gets_nothing()


async def test_answer_that_is_never_acknowledged_ends_in_bye(s: Stage) -> None:
    await answered(s)
    s.clock.advance(32)
    assert await s.owner.hears("end") == ("end", "no ack")
    while isinstance(message := await s.peer.receive(), Response):
        assert message.code == 200
    assert message.method == "BYE"
    s.peer.respond(message, 200)
    await s.nothing_left()


async def test_hangup_before_the_ack_waits_for_it(s: Stage) -> None:
    _, to = await answered(s)
    s.owner.session.hangup(reason="changed my mind")
    assert s.stack.sessions == 0
    await s.quiet()
    s.peer.gets_nothing()
    s.peer.request("ACK", cseq=1, to=to)
    bye = await s.peer.gets_request("BYE")
    assert bye.headers["Reason"] == 'SIP;cause=200;text="changed my mind"'
    s.peer.respond(bye, 200)
    await s.nothing_left()
    assert s.owner.names() == ["invite"]


async def test_bye_that_overtakes_the_ack_ends_the_call(s: Stage) -> None:
    _, to = await answered(s)
    s.peer.request("BYE", cseq=2, to=to)
    await s.peer.gets(200)
    assert await s.owner.hears("end") == ("end", "bye")
    s.peer.request("ACK", cseq=1, to=to)
    s.clock.advance(40)
    await s.quiet()
    s.peer.gets_nothing()
    await s.nothing_left()


async def test_bye_while_our_bye_waits_for_the_ack(s: Stage) -> None:
    _, to = await answered(s)
    s.owner.session.hangup()
    s.peer.request("BYE", cseq=2, to=to)
    await s.peer.gets(200)
    await s.nothing_left()
    s.peer.gets_nothing()


async def test_caller_cancels_while_it_rings(s: Stage) -> None:
    s.owner.on_call = lambda session: session.ring()
    branch = s.peer.invite()
    await s.peer.gets(180)
    s.peer.request("CANCEL", cseq=1, branch=branch)
    assert (await s.peer.gets_response(200)).cseq_method == "CANCEL"
    terminated = await s.peer.gets_response(487)
    assert await s.owner.hears("end") == ("end", "cancel")
    s.peer.request("ACK", cseq=1, branch=branch, to=terminated.headers["To"])
    s.owner.session.accept(OURS)
    s.owner.session.ring()
    s.owner.session.reject(486)
    s.owner.session.hangup()
    await s.nothing_left()
    s.peer.gets_nothing()


async def test_cancel_that_crosses_the_answer_changes_nothing(s: Stage) -> None:
    s.owner.on_call = lambda session: session.accept(OURS)
    branch = s.peer.invite()
    ok = await s.peer.gets_response(200)
    s.peer.request("CANCEL", cseq=1, branch=branch)
    assert (await s.peer.gets_response(200)).cseq_method == "CANCEL"
    s.peer.request("ACK", cseq=1, to=ok.headers["To"])
    await s.owner.hears("established")
    assert s.owner.session.state is SessionState.CONFIRMED


async def test_caller_ends_its_early_dialog_by_bye(s: Stage) -> None:
    s.owner.on_call = lambda session: session.ring()
    s.peer.invite()
    ringing = await s.peer.gets_response(180)
    s.peer.request("BYE", cseq=2, to=ringing.headers["To"])
    assert (await s.peer.gets_response(200)).cseq_method == "BYE"
    assert (await s.peer.gets_response(487)).cseq_method == "INVITE"
    assert await s.owner.hears("end") == ("end", "cancel")


async def test_invitation_expires(s: Stage) -> None:
    s.owner.on_call = lambda session: session.ring()
    s.peer.invite(headers=["Expires: 20"])
    await s.peer.gets(180)
    s.clock.advance(20)
    await s.peer.gets(487)
    assert await s.owner.hears("end") == ("end", "cancel")


async def test_long_ringing_is_said_again_each_minute(s: Stage) -> None:
    s.owner.on_call = lambda session: session.ring(headers=[("Alert-Info", "<x>")])
    s.peer.invite()
    await s.peer.gets(180)
    for _ in range(3):
        s.clock.advance(60)
        assert (await s.peer.gets_response(180)).headers["Alert-Info"] == "<x>"


async def test_call_is_rejected_or_challenged(s: Stage) -> None:
    s.owner.on_call = lambda session: session.reject(486, headers=[("Retry-After", "5")])
    branch = s.peer.invite()
    busy = await s.peer.gets_response(486)
    assert busy.headers["Retry-After"] == "5"
    s.peer.request("ACK", cseq=1, branch=branch, to=busy.headers["To"])
    s.owner.on_call = lambda session: session.challenge(["Digest a", "Digest b"], proxy=True)
    branch = s.peer.invite(call_id="call-2")
    asked = await s.peer.gets_response(407)
    assert asked.headers.getlist("Proxy-Authenticate") == ["Digest a", "Digest b"]
    s.peer.request("ACK", cseq=1, branch=branch, to=asked.headers["To"], call_id="call-2")
    s.owner.on_call = lambda session: session.hangup()
    branch = s.peer.invite(call_id="call-3")
    gone = await s.peer.gets_response(480)
    s.peer.request("ACK", cseq=1, branch=branch, to=gone.headers["To"], call_id="call-3")
    await s.nothing_left()
    assert s.owner.names() == ["invite"] * 3


async def test_offer_of_ours_is_answered_in_the_ack(s: Stage) -> None:
    s.owner.on_call = lambda session: session.accept(OURS)
    s.peer.invite(body="")
    ok = await s.peer.gets_response(200)
    assert ok.text() == OURS
    s.peer.request("ACK", cseq=1, to=ok.headers["To"], body=THEIRS)
    assert await s.owner.hears("established") == ("established", THEIRS)
    assert s.owner.session.remote_sdp == THEIRS
    assert s.owner.session.local_sdp == OURS


@pytest.mark.parametrize("answer", ["", "v=0\r\nnonsense\r\n"])
async def test_ack_without_the_answer_it_owes_ends_the_call(s: Stage, answer: str) -> None:
    s.owner.on_call = lambda session: session.accept(OURS)
    s.peer.invite(body="")
    ok = await s.peer.gets_response(200)
    s.peer.request("ACK", cseq=1, to=ok.headers["To"], body=answer)
    assert await s.owner.hears("end") == ("end", "bad sdp")
    s.peer.respond(await s.peer.gets_request("BYE"), 200)
    await s.nothing_left()


async def test_broken_description_is_400_and_never_reaches_the_owner(s: Stage) -> None:
    s.peer.invite(body="v=0\r\nm=audio\r\n")
    assert (await s.peer.gets_response(400)).phrase.startswith("Bad SDP")
    assert s.owner.heard == []
    assert s.stack.sessions == 0


async def test_description_is_found_in_a_multipart_body(s: Stage) -> None:
    s.owner.on_call = lambda session: session.ring()
    body = (
        "--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
        f"--x\r\nContent-Type: application/sdp\r\n\r\n{THEIRS}\r\n--x--\r\n"
    )
    lines = ["Content-Type: multipart/mixed; boundary=x"]
    head = [
        "INVITE sip:701@127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:{s.peer.port};branch=z9hG4bKm1;rport",
        "From: <sip:a@b.example>;tag=t",
        "To: <sip:701@b.example>",
        "Call-ID: multi",
        "CSeq: 1 INVITE",
        s.peer.contact,
        *lines,
        f"Content-Length: {len(body)}",
    ]
    s.peer.send("\r\n".join([*head, "", body]))
    await s.peer.gets(180)
    assert (s.owner.session.remote_sdp or "").strip() == THEIRS.strip()


async def test_owner_that_fails_at_a_call_costs_only_that_call(s: Stage) -> None:
    def fail(_: Session) -> None:
        raise RuntimeError("mistake")

    s.owner.on_call = fail
    s.peer.invite()
    await s.peer.gets(500)
    assert s.stack.sessions == 0


async def test_reliable_ringing_is_repeated_until_prack(s: Stage) -> None:
    s.owner.on_call = lambda session: session.ring()
    s.peer.invite(headers=["Require: 100rel"])
    ringing = await s.peer.gets_response(180)
    assert ringing.headers["Require"] == "100rel"
    to, rseq = ringing.headers["To"], ringing.headers["RSeq"]
    s.clock.advance(0.5)
    assert bytes(await s.peer.gets(180)) == bytes(ringing)
    s.peer.request("PRACK", cseq=2, to=to, headers=[f"RAck: {int(rseq) + 1} 1 INVITE"])
    await s.peer.gets(481)
    s.peer.request("PRACK", cseq=3, to=to, headers=[f"RAck: {rseq} 1 INVITE"])
    await s.peer.gets(200)
    s.clock.advance(10)
    s.owner.session.accept(OURS)
    assert (await s.peer.gets_response(200)).text() == OURS


async def test_answer_waits_for_the_prack_of_early_media(s: Stage) -> None:
    def answer_early(session: Session) -> None:
        session.ring(183, OURS)
        session.accept(sdp(9))

    s.owner.on_call = answer_early
    s.peer.invite(headers=["Require: 100rel"])
    progress = await s.peer.gets_response(183)
    await s.quiet()
    s.peer.gets_nothing()
    to, rseq = progress.headers["To"], progress.headers["RSeq"]
    s.peer.request("PRACK", cseq=2, to=to, headers=[f"RAck: {rseq} 1 INVITE"])
    assert (await s.peer.gets_response(200)).cseq_method == "PRACK"
    ok = await s.peer.gets_response(200)
    assert ok.cseq_method == "INVITE"
    assert ok.body == b""  # the 183 was the answer
    assert s.owner.session.local_sdp == OURS
    s.peer.request("ACK", cseq=1, to=to)
    await s.owner.hears("established")


async def test_early_offer_of_ours_is_answered_in_the_prack(s: Stage) -> None:
    s.owner.on_call = lambda session: session.ring(183, OURS)
    s.peer.invite(body="", headers=["Require: 100rel"])
    progress = await s.peer.gets_response(183)
    to, rseq = progress.headers["To"], progress.headers["RSeq"]
    s.peer.request("PRACK", cseq=2, to=to, headers=[f"RAck: {rseq} 1 INVITE"], body=THEIRS)
    await s.peer.gets(200)
    assert s.owner.session.remote_sdp == THEIRS
    s.owner.session.accept(None)
    ok = await s.peer.gets_response(200)
    assert ok.body == b""
    s.peer.request("ACK", cseq=1, to=to)
    assert await s.owner.hears("established") == ("established", None)


async def test_prack_with_an_offer_is_answered_by_the_owner(s: Stage) -> None:
    s.owner.on_call = lambda session: session.ring(183, OURS)
    s.peer.invite(headers=["Require: 100rel"])
    progress = await s.peer.gets_response(183)
    to, rseq = progress.headers["To"], progress.headers["RSeq"]
    held = sdp(2, 2, "sendonly")
    s.peer.request("PRACK", cseq=2, to=to, headers=[f"RAck: {rseq} 1 INVITE"], body=held)
    assert await s.owner.hears("offer") == ("offer", held)
    s.owner.session.answer(sdp(1, 2, "recvonly"))
    ok = await s.peer.gets_response(200)
    assert (ok.cseq_method, ok.text()) == ("PRACK", sdp(1, 2, "recvonly"))


async def test_reliable_ringing_without_prack_gives_up(s: Stage) -> None:
    s.owner.on_call = lambda session: session.ring()
    s.peer.invite(headers=["Require: 100rel"])
    s.clock.advance(0)
    await s.peer.gets(180)
    s.clock.advance(33)
    assert await s.owner.hears("end") == ("end", "no ack")
    for _ in range(6):
        await s.peer.gets(180)
    await s.peer.gets(504)


async def test_early_media_without_reliability_may_be_the_answer(s: Stage) -> None:
    def early(session: Session) -> None:
        session.ring(183, OURS)
        session.accept(None)

    s.owner.on_call = early
    s.peer.invite()
    assert (await s.peer.gets_response(183)).text() == OURS
    assert (await s.peer.gets_response(200)).text() == OURS


async def test_requests_for_no_dialog_of_ours_are_481(s: Stage) -> None:
    to = "<sip:701@acme.example>;tag=nobody"
    for number, method in enumerate(("BYE", "INVITE", "INFO", "UPDATE", "OPTIONS"), 1):
        s.peer.request(method, cseq=number, to=to)
        await s.peer.gets(481)
    s.peer.request("PRACK", cseq=9, headers=["RAck: 1 1 INVITE"])
    await s.peer.gets(481)
    s.peer.request("ACK", cseq=9, to=to)
    await s.quiet()
    s.peer.gets_nothing()


async def test_too_short_a_session_interval_is_422(s: Stage) -> None:
    s.peer.invite(headers=["Supported: timer", "Session-Expires: 60"])
    assert (await s.peer.gets_response(422)).headers["Min-SE"] == "90"
    assert s.owner.heard == []


async def test_caller_that_refreshes_no_more_is_hung_up(s: Stage) -> None:
    ok, to = await answered(s, "Supported: timer", "Session-Expires: 120")
    assert ok.headers["Session-Expires"] == "120;refresher=uac"
    assert ok.headers["Require"] == "timer"
    s.peer.request("ACK", cseq=1, to=to)
    await s.owner.hears("established")
    s.clock.advance(80)
    s.peer.request("UPDATE", cseq=2, to=to, headers=["Supported: timer", "Session-Expires: 120"])
    await s.peer.gets(200)
    s.clock.advance(80)
    assert s.owner.session.state is SessionState.CONFIRMED
    s.clock.advance(10)
    assert await s.owner.hears("end") == ("end", "session timer")
    s.peer.respond(await s.peer.gets_request("BYE"), 200)
    await s.nothing_left()


async def test_mistakes_of_the_owner_are_told_to_it(s: Stage) -> None:
    await talking(s)
    session = s.owner.session
    for wrong in (
        lambda: session.ring(),
        lambda: session.accept(OURS),
        lambda: session.reject(486),
    ):
        with pytest.raises(WrongState):
            wrong()
    s.owner.on_call = None
    s.peer.invite(call_id="call-2")
    await s.owner.hears("invite", 2)
    session = s.owner.session
    for wrong in (
        lambda: session.ring(200),
        lambda: session.accept(None),
        lambda: session.reject(200),
        lambda: session.send("INFO"),
    ):
        with pytest.raises(WrongState):
            wrong()


async def test_more_calls_than_allowed_are_503() -> None:
    async with stage(max_sessions=1) as s:
        s.peer.invite()
        await s.owner.hears("invite")
        s.peer.invite(call_id="call-2")
        assert (await s.peer.gets_response(503)).headers["Retry-After"] == "10"


@pytest.mark.parametrize("answer", ["", "v=0\r\nbroken\r\n"])
async def test_prack_without_the_answer_it_owes_ends_the_call(s: Stage, answer: str) -> None:
    s.owner.on_call = lambda session: session.ring(183, OURS)
    s.peer.invite(body="", headers=["Require: 100rel"])
    progress = await s.peer.gets_response(183)
    rack = f"RAck: {progress.headers['RSeq']} 1 INVITE"
    s.peer.request("PRACK", cseq=2, to=progress.headers["To"], headers=[rack], body=answer)
    assert {(await s.peer.gets_response(code)).cseq_method for code in (400, 488)} == {
        "PRACK",
        "INVITE",
    }
    assert await s.owner.hears("end") == ("end", "bad sdp")


async def test_prack_with_a_broken_offer_is_refused_and_the_call_goes_on(s: Stage) -> None:
    def early(session: Session) -> None:
        session.ring(183, OURS)
        session.ring(180, sdp(9))  # a second answer is none
        session.accept(None)

    s.owner.on_call = early
    s.peer.invite(headers=["Require: 100rel"])
    progress = await s.peer.gets_response(183)
    rseq, to = int(progress.headers["RSeq"]), progress.headers["To"]
    body = "v=0\r\nbroken\r\n"
    s.peer.request("PRACK", cseq=2, to=to, headers=[f"RAck: {rseq} 1 INVITE"], body=body)
    seen = [await s.peer.receive() for _ in range(3)]
    codes = [message.code for message in seen if isinstance(message, Response)]
    assert sorted(codes) == [180, 200, 400]
    assert all(not m.body for m in seen if isinstance(m, Response) and m.code == 180)


async def test_our_offer_does_not_go_into_unreliable_ringing(s: Stage) -> None:
    s.owner.on_call = lambda session: session.ring(183, OURS)
    s.peer.invite(body="")
    assert (await s.peer.gets_response(183)).body == b""
    with pytest.raises(WrongState):
        s.owner.session.accept(None)
    s.owner.session.accept(OURS)
    assert (await s.peer.gets_response(200)).text() == OURS


async def test_answer_given_up_after_our_hangup_ends_in_bye(s: Stage) -> None:
    await answered(s)
    s.owner.session.hangup(reason="bored")
    s.clock.advance(32)
    while isinstance(message := await s.peer.receive(), Response):
        assert message.code == 200
    assert message.headers["Reason"].endswith('text="bored"')
    s.peer.respond(message, 200)
    await s.nothing_left()


async def test_owner_that_fails_at_a_request_answers_500(s: Stage) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("mistake")

    s.owner.on_request = fail  # type: ignore[method-assign, assignment]
    s.peer.request("MESSAGE", cseq=1)
    await s.peer.gets(500)


async def test_caller_whose_connection_is_gone_ends_the_call(s: Stage) -> None:
    s.owner.on_call = lambda session: session.ring()
    s.peer.invite()
    await s.peer.gets(180)
    unreachable = s.owner.session._tx.on_transport_error  # type: ignore[attr-defined]
    unreachable("the connection is gone")
    assert await s.owner.hears("end") == ("end", "transport")
    assert s.stack.sessions == 0
