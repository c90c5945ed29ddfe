"""What happens within a call, from both sides (RFC 3261 §12.2, §14, RFC 3311, 4028, 5057)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from vpbx.sip import Credentials, Request, Response, SessionAdapter, SessionState, make_response

from .ladder import OURS, THEIRS, Stage, sdp, stage

HELD = sdp(2, 2, "sendonly")
ALLOW_UPDATE = "Allow: INVITE, ACK, BYE, UPDATE"


class Talk:
    """A confirmed call in which the peer called us; `to` is our side of the dialog."""

    def __init__(self, s: Stage, to: str) -> None:
        self.s = s
        self.to = to
        self.cseq = 1

    def theirs(self, method: str, *, body: str = "", headers: tuple[str, ...] = ()) -> str:
        """The peer sends its next request in the dialog."""
        self.cseq += 1
        contact = (self.s.peer.contact,) if method in ("INVITE", "UPDATE") else ()
        return self.s.peer.request(
            method, cseq=self.cseq, to=self.to, headers=[*contact, *headers], body=body
        )

    def ack(self, body: str = "") -> None:
        self.s.peer.request("ACK", cseq=self.cseq, to=self.to, body=body)


@pytest.fixture
async def s() -> AsyncIterator[Stage]:
    async with stage() as made:
        yield made


async def talking(s: Stage, *headers: str) -> Talk:
    s.owner.on_call = lambda session: session.accept(OURS)
    s.peer.invite(headers=headers)
    ok = await s.peer.gets_response(200)
    s.peer.request("ACK", cseq=1, to=ok.headers["To"])
    await s.owner.hears("established")
    return Talk(s, ok.headers["To"])


# The peer offers.


async def test_hold_of_the_peer_is_answered_by_the_owner(s: Stage) -> None:
    talk = await talking(s)
    talk.theirs("INVITE", body=HELD)
    assert await s.owner.hears("offer") == ("offer", HELD)
    assert s.owner.session.remote_sdp == HELD
    answer = sdp(1, 2, "recvonly")
    s.owner.session.answer(answer)
    assert (await s.peer.gets_response(200)).text() == answer
    talk.ack()
    await s.quiet()
    s.clock.advance(10)
    await s.quiet()
    s.peer.gets_nothing()
    assert (s.owner.session.local_sdp, s.owner.session.remote_sdp) == (answer, HELD)
    assert s.owner.names().count("established") == 1


async def test_refused_offer_leaves_what_was_agreed(s: Stage) -> None:
    talk = await talking(s)
    branch = talk.theirs("INVITE", body=HELD)
    await s.owner.hears("offer")
    s.owner.session.refuse()
    await s.peer.gets(488)
    s.peer.request("ACK", cseq=talk.cseq, to=talk.to, branch=branch)
    assert s.owner.session.remote_sdp == THEIRS
    assert s.owner.session.state is SessionState.CONFIRMED
    s.owner.session.answer(OURS)  # too late, and harmless
    await s.quiet()
    s.peer.gets_nothing()


async def test_repeated_description_is_answered_without_asking(s: Stage) -> None:
    talk = await talking(s)
    for method in ("INVITE", "UPDATE"):
        talk.theirs(method, body=THEIRS)
        assert (await s.peer.gets_response(200)).text() == OURS
        if method == "INVITE":
            talk.ack()
    assert "offer" not in s.owner.names()


async def test_offerless_reinvite_gets_an_offer_whose_answer_is_told(s: Stage) -> None:
    talk = await talking(s)
    talk.theirs("INVITE")
    assert await s.owner.hears("offer") == ("offer", None)
    s.owner.session.answer(sdp(1, 2))
    assert (await s.peer.gets_response(200)).text() == sdp(1, 2)
    talk.ack(HELD)
    assert await s.owner.hears("reanswer") == ("reanswer", 200, HELD)
    assert s.owner.session.remote_sdp == HELD


async def test_second_offer_before_the_first_is_answered_is_500(s: Stage) -> None:
    talk = await talking(s)
    talk.theirs("INVITE", body=HELD)
    await s.owner.hears("offer")
    for method in ("INVITE", "UPDATE"):
        talk.theirs(method, body=sdp(2, 3))
        refused = await s.peer.gets_response(500)
        assert 0 <= int(refused.headers["Retry-After"]) <= 10
    s.owner.session.answer(OURS)
    await s.peer.gets(200)


async def test_number_lower_than_the_last_is_500(s: Stage) -> None:
    talk = await talking(s)
    s.peer.request("INFO", cseq=0, to=talk.to)
    await s.peer.gets(500)
    assert "request" not in s.owner.names()


async def test_lost_ack_of_the_call_is_made_good_by_a_reinvite(s: Stage) -> None:
    s.owner.on_call = lambda session: session.accept(OURS)
    s.peer.invite()
    ok = await s.peer.gets_response(200)
    talk = Talk(s, ok.headers["To"])
    talk.theirs("INVITE", body=HELD)
    assert await s.owner.hears("offer") == ("offer", HELD)
    assert s.owner.names() == ["invite", "established", "offer"]


async def test_update_is_answered_and_a_bare_one_only_refreshes(s: Stage) -> None:
    talk = await talking(s)
    talk.theirs("UPDATE")
    assert (await s.peer.gets_response(200)).body == b""
    assert "offer" not in s.owner.names()
    talk.theirs("UPDATE", body=HELD)
    await s.owner.hears("offer")
    s.owner.session.answer(sdp(1, 2, "recvonly"))
    assert (await s.peer.gets_response(200)).text() == sdp(1, 2, "recvonly")


async def test_reinvite_may_be_cancelled(s: Stage) -> None:
    talk = await talking(s)
    branch = talk.theirs("INVITE", body=HELD)
    await s.owner.hears("offer")
    s.peer.request("CANCEL", cseq=talk.cseq, branch=branch)
    assert (await s.peer.gets_response(200)).cseq_method == "CANCEL"
    await s.peer.gets(487)
    assert s.owner.session.state is SessionState.CONFIRMED
    assert s.owner.session.remote_sdp == THEIRS


async def test_broken_offer_is_400_and_a_bye_ends_a_pending_one(s: Stage) -> None:
    talk = await talking(s)
    branch = talk.theirs("INVITE", body="v=0\r\nwhat\r\n")
    await s.peer.gets(400)
    s.peer.request("ACK", cseq=talk.cseq, to=talk.to, branch=branch)
    branch = talk.theirs("INVITE", body=HELD)
    cseq = talk.cseq
    await s.owner.hears("offer")
    talk.theirs("BYE")
    assert {(await s.peer.gets_response(code)).cseq_method for code in (200, 487)} == {
        "BYE",
        "INVITE",
    }
    s.peer.request("ACK", cseq=cseq, to=talk.to, branch=branch)
    await s.nothing_left()


async def test_new_contact_is_where_later_requests_go(s: Stage) -> None:
    talk = await talking(s)
    async with stage() as other:
        talk.cseq += 1
        s.peer.request(
            "UPDATE", cseq=talk.cseq, to=talk.to, headers=[other.peer.contact, "Supported: timer"]
        )
        await s.peer.gets(200)
        s.owner.session.hangup()
        bye = await other.peer.gets_request("BYE")
        assert bye.raw_uri == f"sip:peer@127.0.0.1:{other.peer.port}"


# We offer.


async def test_hold_of_ours_is_told_when_answered(s: Stage) -> None:
    await talking(s)
    held = sdp(1, 2, "sendonly")
    s.owner.session.reinvite(held)
    invite = await s.peer.gets_request("INVITE")
    assert invite.text() == held
    s.peer.respond(invite, 180)
    s.peer.respond(invite, 200, body=HELD)
    ack = await s.peer.gets_request("ACK")
    assert ack.cseq_number == invite.cseq_number
    assert await s.owner.hears("reanswer") == ("reanswer", 200, HELD)
    s.peer.respond(invite, 200, body=HELD)
    await s.peer.gets_request("ACK")
    assert s.owner.names().count("reanswer") == 1


async def test_reinvites_wait_for_each_other(s: Stage) -> None:
    await talking(s)
    s.owner.session.reinvite(sdp(1, 2))
    s.owner.session.reinvite(sdp(1, 3))
    first = await s.peer.gets_request("INVITE")
    await s.quiet()
    s.peer.gets_nothing()
    s.peer.respond(first, 200, body=sdp(2, 2))
    await s.peer.gets_request("ACK")
    assert (await s.peer.gets_request("INVITE")).text() == sdp(1, 3)


async def test_reinvite_waits_for_the_ack_of_the_answer(s: Stage) -> None:
    s.owner.on_call = lambda session: session.accept(OURS)
    s.peer.invite()
    ok = await s.peer.gets_response(200)
    s.owner.session.reinvite(sdp(1, 2))
    await s.quiet()
    s.peer.gets_nothing()
    s.peer.request("ACK", cseq=1, to=ok.headers["To"])
    assert (await s.peer.gets_request("INVITE")).text() == sdp(1, 2)


async def test_reinvite_without_offer_brings_theirs(s: Stage) -> None:
    await talking(s)
    s.owner.session.reinvite(None)
    invite = await s.peer.gets_request("INVITE")
    assert invite.body == b""
    s.peer.respond(invite, 200, body=HELD)
    assert await s.owner.hears("reanswer") == ("reanswer", 200, HELD)
    await s.quiet()
    s.peer.gets_nothing()
    s.owner.session.ack(sdp(1, 2, "recvonly"))
    assert (await s.peer.gets_request("ACK")).text() == sdp(1, 2, "recvonly")


async def test_refused_reinvite_leaves_what_was_agreed(s: Stage) -> None:
    await talking(s)
    s.owner.session.reinvite(sdp(1, 2))
    s.peer.respond(await s.peer.gets_request("INVITE"), 488)
    await s.peer.gets_request("ACK")
    assert await s.owner.hears("reanswer") == ("reanswer", 488, None)
    assert s.owner.session.local_sdp == OURS


async def test_offers_that_meet_are_491_and_ours_comes_again_later(s: Stage) -> None:
    talk = await talking(s)
    s.owner.session.reinvite(sdp(1, 2))
    ours = await s.peer.gets_request("INVITE")
    branch = talk.theirs("INVITE", body=HELD)
    await s.peer.gets(491)
    s.peer.request("ACK", cseq=talk.cseq, to=talk.to, branch=branch)
    talk.theirs("UPDATE", body=HELD)
    await s.peer.gets(491)
    s.peer.respond(ours, 491)
    await s.peer.gets_request("ACK")
    # Now the peer may have its way first: it called, so we wait at most two seconds.
    talk.theirs("INVITE", body=HELD)
    await s.owner.hears("offer")
    s.owner.session.answer(sdp(1, 3, "recvonly"))
    await s.peer.gets(200)
    talk.ack()
    await s.quiet()
    s.clock.advance(2.01)
    again = await s.peer.gets_request("INVITE")
    assert again.text() == sdp(1, 2)
    assert again.cseq_number == ours.cseq_number + 1
    s.peer.respond(again, 200, body=sdp(2, 3))
    assert await s.owner.hears("reanswer") == ("reanswer", 200, sdp(2, 3))


async def test_peer_that_is_busy_answering_is_asked_again_when_it_says(s: Stage) -> None:
    await talking(s)
    s.owner.session.reinvite(sdp(1, 2))
    s.peer.respond(await s.peer.gets_request("INVITE"), 500, headers=["Retry-After: 3 (soon)"])
    await s.peer.gets_request("ACK")
    s.clock.advance(2.9)
    await s.quiet()
    s.peer.gets_nothing()
    s.clock.advance(0.2)
    await s.peer.gets_request("INVITE")


async def test_endless_glare_comes_to_an_end(s: Stage) -> None:
    await talking(s)
    s.owner.session.reinvite(sdp(1, 2))
    for _ in range(9):
        s.peer.respond(await s.peer.gets_request("INVITE"), 491)
        await s.peer.gets_request("ACK")
        s.clock.advance(2.01)
    assert await s.owner.hears("reanswer") == ("reanswer", 491, None)


@pytest.mark.parametrize("body", ["", "v=0\r\nbroken\r\n"])
async def test_answer_that_is_missing_or_broken_leaves_what_was_agreed(s: Stage, body: str) -> None:
    await talking(s)
    before = s.owner.session.local_sdp, s.owner.session.remote_sdp
    s.owner.session.reinvite(sdp(1, 2))
    s.peer.respond(await s.peer.gets_request("INVITE"), 200, body=body)
    await s.peer.gets_request("ACK")
    assert await s.owner.hears("reanswer") == ("reanswer", 488, None)
    assert (s.owner.session.local_sdp, s.owner.session.remote_sdp) == before
    assert s.owner.session.state is SessionState.CONFIRMED


@pytest.mark.parametrize("body", ["", "v=0\r\nbroken\r\n"])
async def test_ack_without_the_answer_leaves_what_was_agreed(s: Stage, body: str) -> None:
    """A re-INVITE asked for our offer, and its ACK brings no answer."""
    talk = await talking(s)
    before = s.owner.session.local_sdp, s.owner.session.remote_sdp
    talk.theirs("INVITE")
    await s.owner.hears("offer")
    s.owner.session.answer(sdp(1, 2))
    await s.peer.gets(200)
    talk.ack(body=body)
    assert await s.owner.hears("reanswer") == ("reanswer", 488, None)
    assert (s.owner.session.local_sdp, s.owner.session.remote_sdp) == before
    assert s.owner.session.state is SessionState.CONFIRMED


@pytest.mark.parametrize("code", [405, 501, 403, 488])
async def test_refused_update_is_followed_by_a_reinvite_and_no_other_update(
    s: Stage, code: int
) -> None:
    await talking(s, "Allow: INVITE, ACK, BYE, UPDATE")
    for update in (True, False):
        s.clock.advance(s.owner.session.timer.interval_s / 2 + 1)
        if update:
            s.peer.respond(await s.peer.gets_request("UPDATE"), code)
        s.peer.respond(await s.peer.gets_request("INVITE"), 200, body=s.owner.session.remote_sdp)
        await s.peer.gets_request("ACK")
    assert s.owner.session.state is SessionState.CONFIRMED


async def test_hangup_during_a_reinvite_says_bye_and_still_acknowledges(s: Stage) -> None:
    await talking(s)
    s.owner.session.reinvite(sdp(1, 2))
    invite = await s.peer.gets_request("INVITE")
    s.owner.session.hangup()
    bye = await s.peer.gets_request("BYE")
    s.peer.respond(invite, 200, body=HELD)
    await s.peer.gets_request("ACK")
    s.peer.respond(bye, 200)
    await s.nothing_left()
    assert s.owner.names() == ["invite", "established"]


async def test_reinvite_nobody_finishes_is_given_up(s: Stage) -> None:
    await talking(s)
    s.owner.session.reinvite(sdp(1, 2))
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 180)
    await s.quiet()
    s.clock.advance(61)
    s.peer.respond(await s.peer.gets_request("CANCEL"), 200)
    s.peer.respond(invite, 487)
    assert await s.owner.hears("reanswer") == ("reanswer", 487, None)


async def test_challenged_and_too_short_reinvites_are_sent_again(s: Stage) -> None:
    session = s.call(credentials=Credentials("701", "sesame"))
    invite = await s.peer.gets_request("INVITE")
    s.peer.respond(invite, 200, body=THEIRS)
    await s.peer.gets_request("ACK")
    await s.owner.hears("answer")
    assert session.supports("100rel") is False
    session.reinvite(sdp(1, 2))
    challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"'
    s.peer.respond(await s.peer.gets_request("INVITE"), 401, headers=[challenge])
    await s.peer.gets_request("ACK")
    second = await s.peer.gets_request("INVITE")
    assert 'nonce="n"' in second.headers["Authorization"]
    s.peer.respond(second, 422, headers=["Min-SE: 5000"])
    await s.peer.gets_request("ACK")
    third = await s.peer.gets_request("INVITE")
    assert third.headers["Session-Expires"].startswith("5000")
    s.peer.respond(third, 401, headers=[challenge])
    await s.peer.gets_request("ACK")
    assert await s.owner.hears("reanswer") == ("reanswer", 401, None)


async def test_hangup_in_the_pause_after_glare_forgets_the_reinvite(s: Stage) -> None:
    await talking(s)
    s.owner.session.reinvite(sdp(1, 2))
    s.peer.respond(await s.peer.gets_request("INVITE"), 491)
    await s.peer.gets_request("ACK")
    await s.quiet()
    s.owner.session.hangup()
    s.peer.respond(await s.peer.gets_request("BYE"), 200)
    await s.nothing_left()
    s.peer.gets_nothing()


# Other requests.


async def test_requests_in_the_dialog_reach_the_owner(s: Stage) -> None:
    talk = await talking(s)
    for number, method in enumerate(("INFO", "REFER", "NOTIFY", "MESSAGE"), 1):
        talk.theirs(method)
        assert await s.owner.hears("request", number) == ("request", method)
        tx = s.owner.transactions[-1]
        tx.respond(make_response(tx.request, 202))
        await s.peer.gets(202)


async def test_options_in_the_dialog_is_answered_for_the_owner(s: Stage) -> None:
    talk = await talking(s)
    talk.theirs("OPTIONS")
    ok = await s.peer.gets_response(200)
    assert "UPDATE" in ok.headers.getlist("Allow")
    assert ok.headers.getlist("Supported") == ["timer", "100rel", "replaces"]


async def test_adapter_takes_info_declines_refer_and_new_media(s: Stage) -> None:
    talk = await talking(s)
    s.owner.session.listener = SessionAdapter()
    for method, code in (("INFO", 200), ("REFER", 603), ("MESSAGE", 501), ("UPDATE", 488)):
        talk.theirs(method, body=HELD if method == "UPDATE" else "")
        await s.peer.gets(code)


async def test_request_of_ours_brings_its_response(s: Stage) -> None:
    await talking(s)
    codes: list[int] = []
    s.owner.session.send(
        "INFO",
        headers=[("X-Y", "z")],
        body=b"Signal=1",
        content_type="application/dtmf-relay",
        on_response=lambda response: codes.append(response.code),
    )
    info = await s.peer.gets_request("INFO")
    assert (info.text(), info.headers["X-Y"]) == ("Signal=1", "z")
    assert "Contact" not in info.headers
    s.peer.respond(info, 415)
    await s.quiet()
    assert codes == [415]
    s.owner.session.send("NOTIFY", headers=[("Event", "refer")])
    assert "Contact" in (await s.peer.gets_request("NOTIFY")).headers
    assert s.owner.session.state is SessionState.CONFIRMED


@pytest.mark.parametrize(("code", "bye"), [(481, False), (408, True)])
async def test_peer_that_knows_no_such_call_ends_it(s: Stage, code: int, bye: bool) -> None:
    await talking(s)
    s.owner.session.send("INFO")
    s.peer.respond(await s.peer.gets_request("INFO"), code)
    assert await s.owner.hears("end") == ("end", "gone")
    if bye:
        s.peer.respond(await s.peer.gets_request("BYE"), 481)
    await s.nothing_left()
    s.peer.gets_nothing()


async def test_peer_that_answers_nothing_any_more_ends_the_call(s: Stage) -> None:
    await talking(s)
    codes: list[int] = []
    s.owner.session.send("INFO", on_response=lambda response: codes.append(response.code))
    s.clock.advance(32)
    assert await s.owner.hears("end") == ("end", "transport")
    assert codes == [408]
    s.clock.advance(32)
    await s.nothing_left()


async def test_reinvite_nobody_answers_ends_the_call(s: Stage) -> None:
    await talking(s)
    s.owner.session.reinvite(sdp(1, 2))
    s.clock.advance(32)
    assert await s.owner.hears("end") == ("end", "transport")


# Refresh.


async def refreshing(s: Stage, *headers: str) -> Talk:
    return await talking(s, "Supported: timer", "Session-Expires: 200;refresher=uas", *headers)


async def test_we_refresh_by_update_when_the_peer_allows_it(s: Stage) -> None:
    await refreshing(s, ALLOW_UPDATE)
    for _ in range(3):
        s.clock.advance(100)
        update = await s.peer.gets_request("UPDATE")
        assert update.headers["Session-Expires"] == "200;refresher=uac"
        assert update.body == b""
        s.peer.respond(update, 200, headers=["Session-Expires: 200;refresher=uac"])
        await s.quiet()
    assert s.owner.names() == ["invite", "established"]


async def test_refused_refresh_by_reinvite_is_tried_again(s: Stage) -> None:
    await refreshing(s)
    s.clock.advance(100)
    s.peer.respond(await s.peer.gets_request("INVITE"), 503)
    await s.peer.gets_request("ACK")
    await s.quiet()
    s.clock.advance(50)
    await s.peer.gets_request("INVITE")
    assert "reanswer" not in s.owner.names()


async def test_we_refresh_by_reinvite_otherwise_and_the_owner_does_not_hear_of_it(
    s: Stage,
) -> None:
    await refreshing(s)
    s.clock.advance(100)
    invite = await s.peer.gets_request("INVITE")
    assert invite.text() == OURS
    s.peer.respond(invite, 200, body=THEIRS, headers=["Session-Expires: 200;refresher=uac"])
    await s.peer.gets_request("ACK")
    s.clock.advance(100)
    invite = await s.peer.gets_request("INVITE")
    assert s.owner.names() == ["invite", "established"]
    s.peer.respond(invite, 200, body=HELD, headers=["Session-Expires: 200;refresher=uac"])
    await s.peer.gets_request("ACK")
    assert await s.owner.hears("reanswer") == ("reanswer", 200, HELD)


async def test_refresh_with_too_small_an_interval_is_made_again(s: Stage) -> None:
    await refreshing(s, ALLOW_UPDATE)
    s.clock.advance(100)
    s.peer.respond(await s.peer.gets_request("UPDATE"), 422, headers=["Min-SE: 500"])
    update = await s.peer.gets_request("UPDATE")
    assert update.headers["Session-Expires"] == "500;refresher=uac"
    assert update.headers["Min-SE"] == "500"


async def test_refused_refreshes_end_in_bye(s: Stage) -> None:
    await refreshing(s, ALLOW_UPDATE)
    s.clock.advance(100)
    s.peer.respond(await s.peer.gets_request("UPDATE"), 503)
    await s.quiet()
    s.clock.advance(50)
    s.peer.respond(await s.peer.gets_request("UPDATE"), 503)
    await s.quiet()
    s.clock.advance(18.1)
    assert await s.owner.hears("end") == ("end", "session timer")
    await s.peer.gets_request("BYE")


@pytest.mark.parametrize("allow", ["", ALLOW_UPDATE])
async def test_peer_that_vanished_is_found_out_by_the_refresh(s: Stage, allow: str) -> None:
    await refreshing(s, *([allow] if allow else []))
    s.clock.advance(100)
    s.clock.advance(32)
    assert await s.owner.hears("end") == ("end", "transport")
    s.clock.advance(32)
    await s.nothing_left()


async def test_stop_says_bye_to_everybody() -> None:
    async with stage() as s:
        await talking(s)
        s.owner.on_call = lambda session: session.ring()
        s.peer.invite(call_id="call-2")
        await s.peer.gets(180)

        async def answer() -> None:
            messages = [await s.peer.receive() for _ in range(2)]
            (bye,) = (one for one in messages if isinstance(one, Request))
            (refusal,) = (one for one in messages if isinstance(one, Response))
            assert (bye.method, refusal.code) == ("BYE", 503)
            s.peer.respond(bye, 200)

        await asyncio.gather(s.stack.stop(2.0), answer())
        assert s.stack.sessions == s.stack.under_way == 0
