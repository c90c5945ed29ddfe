"""What happens while two talk: hold, digits, new descriptions, transfers asked for, silence."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from tests.calls.conftest import running
from tests.calls.world import ANN, BOB, OFFICE, Agent, World, media_config
from tests.support.sockets import udp_ports
from vpbx.calls.fax_between import may_be_sent
from vpbx.events import Answered, Completed, RecordingReady, Status
from vpbx.media import MediaEngine, Side
from vpbx.media.rtp import RtpEndpoint
from vpbx.media.timeline import runs
from vpbx.sim.call import Call
from vpbx.sip import AudioCodec, Response, Sdp, Session, build
from vpbx.sip.client_transaction import ClientTransaction


async def talking(world: World) -> tuple[Agent, Call, Call]:
    """A customer (440 Hz) who talks to ann (880 Hz)."""
    phone = await world.phone(ANN)
    customer = await world.customer_calls(tone_hz=440)
    call = await phone.incoming()
    await call.answer(880)
    await customer.answered()
    await asyncio.gather(customer.heard(880), call.heard(440))
    return phone, call, customer


async def test_a_held_customer_hears_music_and_the_employee_again_after(world: World) -> None:
    _, call, customer = await talking(world)
    assert await call.hold() == 200
    assert call.session is not None
    assert "a=recvonly" in (call.session.remote_sdp or "")
    assert not customer.directions  # the customer's phone is not bothered
    assert customer.rtp is not None
    await differs(customer, 880)
    assert customer.rtp.received > 0
    assert await call.resume() == 200
    await asyncio.gather(customer.heard(880), call.heard(440))
    customer.hangup()
    await world.ended()


async def differs(call: Call, tone_hz: float) -> None:
    """Wait until something else than this tone is heard."""
    async with asyncio.timeout(20):
        while abs(call.hears_hz - tone_hz) < 15:
            await asyncio.sleep(0.05)


async def test_the_old_way_to_hold_works_too(world: World) -> None:
    """RFC 2543: c=0.0.0.0."""
    _, call, customer = await talking(world)
    assert await reinvite(call, call.offer().replace("127.0.0.1", "0.0.0.0")) == 200
    await differs(customer, 880)
    assert await call.resume() == 200
    await customer.heard(880)
    customer.hangup()
    await world.ended()


async def reinvite(call: Call, sdp: str | None) -> int:
    call._reanswer = None
    assert call.session is not None
    call.session.reinvite(sdp)
    async with asyncio.timeout(20):
        while call._reanswer is None:
            await asyncio.sleep(0.01)
    return call._reanswer


async def test_the_customer_may_hold_as_well(world: World) -> None:
    _, call, customer = await talking(world)
    assert await customer.hold("inactive") == 200
    assert customer.session is not None
    assert "a=inactive" in (customer.session.remote_sdp or "")
    await differs(call, 440)
    assert await customer.resume() == 200
    await call.heard(440)
    call.hangup()
    await world.ended()


async def test_media_follows_a_phone_that_moves(world: World) -> None:
    _, call, customer = await talking(world)
    old = call.rtp
    call.rtp = None
    await call.open_sound()
    call.say(880)
    assert await call.resume() == 200
    assert old is not None
    old.close()
    await asyncio.gather(call.heard(440), customer.heard(880))
    customer.hangup()
    await world.ended()


async def test_a_phone_that_wants_our_offer_gets_it(world: World) -> None:
    _, call, customer = await talking(world)
    assert await call.ask_offer() == 200
    await asyncio.gather(call.heard(440), customer.heard(880))
    customer.hangup()
    await world.ended()


async def test_a_codec_the_other_side_does_not_speak_is_refused(world: World) -> None:
    _, call, customer = await talking(world)
    assert call.rtp is not None
    wideband = build(*call.rtp.local, [AudioCodec("G722", 9)], session_id=1, version=9)
    assert await reinvite(call, wideband) == 488
    await customer.heard(880)
    customer.hangup()
    await world.ended()


async def test_the_other_side_follows_when_one_settles_for_another_codec(world: World) -> None:
    """PCMA was in use; ann's phone now wants PCMU only, so the customer is asked for it too."""
    _, call, customer = await talking(world)
    assert call.rtp is not None
    other = build(*call.rtp.local, [AudioCodec("PCMU", 0)], session_id=1, version=9)
    call._codecs = (AudioCodec("PCMU", 0),)
    assert await reinvite(call, other) == 200
    async with asyncio.timeout(20):
        while not customer.directions:
            await asyncio.sleep(0.01)
    await asyncio.gather(call.heard(440), customer.heard(880))
    assert call.rtp.payloads[0] > 0
    customer.hangup()
    await world.ended()


async def test_digits_pass_both_ways(world: World) -> None:
    _, call, customer = await talking(world)
    call.dial("159#")
    await customer.heard_digits("159#")
    customer.dial("0*")
    await call.heard_digits("0*")
    customer.hangup()
    await world.ended()


async def send(call: Call, method: str, **options: object) -> Response:
    done: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
    assert call.session is not None
    call.session.send(method, on_response=done.set_result, **options)  # type: ignore[arg-type]
    return await asyncio.wait_for(done, 20)


async def infos(call: Call, count: int) -> list[bytes]:
    """The bodies of the INFO that a phone got, once there are so many."""
    async with asyncio.timeout(20):
        while len(got := [each for each in call.requests if each.method == "INFO"]) < count:
            await asyncio.sleep(0.01)
    return [each.body for each in got]


INFO_5 = b"Signal=5\r\nDuration=160\r\n"


async def test_digits_by_info_reach_a_side_that_takes_rfc_4733(world: World) -> None:
    _, call, customer = await talking(world)
    assert customer.rtp is not None
    customer.rtp.forget()
    sound = customer.rtp.heard
    for digit in "5#":
        body = b"Signal=" + digit.encode()
        response = await send(call, "INFO", body=body, content_type="application/dtmf-relay")
        assert response.code == 200
    response = await send(call, "INFO", body=b"<x/>", content_type="application/xml")
    assert response.code == 200
    await customer.heard_digits("5#")
    await customer.heard(880)
    assert len({packet.ssrc for packet in sound}) == 1
    customer.hangup()
    await world.ended()


async def test_digits_by_info_reach_it_though_nobody_speaks(world: World) -> None:
    _, call, customer = await talking(world)
    call.hush()
    await send(call, "INFO", body=INFO_5, content_type="application/dtmf-relay")
    await customer.heard_digits("5")
    customer.hangup()
    await world.ended()


async def without_events(call: Call) -> None:
    """The phone says in a re-INVITE that it takes no telephone-events."""
    call._codecs = tuple(codec for codec in call._codecs if codec.name != "telephone-event")
    assert await call.resume() == 200


async def test_digits_go_by_info_to_a_side_that_takes_no_rfc_4733(world: World) -> None:
    _, call, customer = await talking(world)
    await without_events(customer)
    assert customer.rtp is not None
    await customer.rtp.hear(20)
    await send(call, "INFO", body=INFO_5, content_type="application/dtmf-relay")
    call.dial("7")
    bodies = await infos(customer, 2)
    assert bodies[0] == INFO_5
    assert b"Signal=7" in bodies[1]
    assert customer.rtp.payloads[101] == 0
    customer.hangup()
    await world.ended()


async def test_options_in_a_call_are_answered(world: World) -> None:
    _, call, customer = await talking(world)
    assert (await send(call, "OPTIONS")).code == 200
    customer.hangup()
    await world.ended()


async def test_a_carrier_that_loses_the_call_ends_it(world: World) -> None:
    _, call, _ = await talking(world)
    await world.carrier.stop()
    assert (await call.ended()).cause == "bye"
    await world.ended()


async def test_silence_from_both_sides_ends_the_call(new_world: World, tmp_path: Path) -> None:
    media = MediaEngine(media_config(tmp_path, no_media_timeout_s=0.4))
    await media.start()
    world = new_world
    world.media = media
    async with running(world):
        phone = await world.phone(ANN)
        customer = await world.customer_calls(tone_hz=440)
        call = await phone.incoming()
        call.ring()
        await asyncio.sleep(0.7)  # nobody speaks while it rings: that is no silence
        await call.answer(880)
        await customer.heard(880)
        customer.hush()
        call.hush()
        assert (await customer.ended()).cause == "bye"
        assert (await call.ended()).cause == "bye"
        assert (await world.ended()).status is Status.SUCCESS
    await media.stop()


async def test_a_recording_is_encoded_with_the_customer_on_the_left(world: World) -> None:
    _, _, customer = await talking(world)
    customer.hangup()
    end = await world.ended()
    ready = await world.until(RecordingReady)
    assert end.recorded
    assert ready.ok
    [(recording, path, left)] = world.encoder.jobs
    assert left is Side.A
    customer_heard, employee_heard = runs(recording.files, {})
    assert customer_heard
    assert employee_heard
    assert str(path) == f"/records/{end.call.domain_id}/{end.call.callid}.mp3"
    phone = world._agents[-1]
    call = await world.phone_calls(phone, "79101234567", tone_hz=440)
    customer = await world.carrier.incoming()
    await customer.answer(880)
    await call.heard(880)
    call.hangup()
    await world.until(RecordingReady, 2)
    assert world.encoder.jobs[1][2] is Side.B


async def test_excepted_employees_and_switched_off_recording_leave_no_trace(
    world: World,
) -> None:
    await world.settings(record_external=False)
    _, _, customer = await talking(world)
    customer.hangup()
    assert not (await world.ended()).recorded
    assert world.encoder.jobs == []


async def test_a_phone_that_hangs_up_right_after_its_answer(world: World) -> None:
    phone = await world.phone(ANN)
    customer = await world.customer_calls()
    call = await phone.incoming()
    await call.answer()
    call.hangup()
    assert (await customer.ended()).cause in ("bye", "cancel")
    end = await world.ended()
    assert end.status is Status.SUCCESS
    assert len(world.of(Answered)) == len(world.of(Completed)) == 1
    await world.quiet()


async def test_two_calls_do_not_hear_each_other(world: World) -> None:
    ann, bob = await world.phone(ANN), await world.phone(BOB)
    await world.directory.telnums.add(await world.domain(), "74950000009", user=BOB)
    first = await world.customer_calls(OFFICE, tone_hz=440)
    second = await world.customer_calls("74950000009", tone_hz=660)
    at_ann, at_bob = await ann.incoming(), await bob.incoming()
    await at_ann.answer(880)
    await at_bob.answer(1020)
    await asyncio.gather(first.heard(880), second.heard(1020), at_ann.heard(440), at_bob.heard(660))
    first.hangup()
    second.hangup()
    await world.ended(2)


async def test_a_transfer_asked_for_while_it_rings_is_declined_too(world: World) -> None:
    """Not by the talk: a step that serves no transfers, here a greeting, leaves none waiting."""
    greeting = {"type": "user", "user": ANN, "greeting": True}
    await world.directory.telnums.edit(await world.domain(), OFFICE, greeting)
    customer = await world.customer_calls()
    await customer.answered()
    response = await send(customer, "REFER", headers=[("Refer-To", "<sip:703@acme.example>")])
    assert response.code == 603
    customer.hangup()
    await world.ended()


async def test_both_on_hold_hear_music_and_whoever_is_back_first_hears_it_still(
    world: World,
) -> None:
    """Neither hears the other one until both have come back."""
    file = await world.own_sound("music", "tune", 620)
    await world.directory.music.set(await world.domain(), "holdmusic", file)
    _, call, customer = await talking(world)
    assert await call.hold() == 200
    await customer.heard(620)
    assert await customer.hold("inactive") == 200
    assert [each.on_hold for each in world.service.active()] == [True]
    assert await call.resume() == 200
    await call.heard(620)
    assert await customer.resume() == 200
    await asyncio.gather(customer.heard(880), call.heard(440))
    assert [each.on_hold for each in world.service.active()] == [False]
    customer.hangup()
    await world.ended()


async def test_who_holds_first_and_comes_back_last(world: World) -> None:
    file = await world.own_sound("music", "tune", 620)
    await world.directory.music.set(await world.domain(), "holdmusic", file)
    _, call, customer = await talking(world)
    assert await customer.hold() == 200
    await call.heard(620)
    assert await call.hold() == 200
    assert await call.resume() == 200
    await call.heard(620)
    assert await customer.resume() == 200
    await asyncio.gather(customer.heard(880), call.heard(440))
    call.hangup()
    await world.ended()


async def test_codec_and_port_change_in_one_reinvite(world: World) -> None:
    """A phone moves to another socket and to mu-law at once, and back to a hold of that."""
    _, call, customer = await talking(world)
    other = await RtpEndpoint.open("127.0.0.1")
    try:
        host, port = other.local
        mulaw = (AudioCodec("PCMU", 0), AudioCodec("telephone-event", 101, fmtp="0-15"))
        assert await reinvite(call, build(host, port, mulaw, "sendrecv", session_id=7)) == 200
        assert call.session is not None
        answer = Sdp.parse(call.session.remote_sdp or "").audio
        assert answer is not None
        assert "0" in answer.formats
        other.connect(answer.address, answer.port, payload_type=0)
        other.send_tone(1020)
        async with asyncio.timeout(20):
            while abs(other.frequency(0.25) - 440) > 12:
                await asyncio.sleep(0.05)
        await customer.heard(1020)
    finally:
        other.close()
    customer.hangup()
    await world.ended()


_T38 = "m=image 40000 udptl t38\r\na=T38FaxVersion:0\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"


def picture_at(port: int, version: int) -> str:
    """What a machine says that speaks T.38 at a port of its own."""
    return (
        "v=0\r\no=- 7 7 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=image {port} udptl t38\r\na=T38FaxVersion:{version}\r\na=T38MaxBitRate:9600\r\n"
    )


def udp_socket() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    return sock


@pytest.mark.parametrize("asks", ["carrier", "adapter"])
async def test_two_machines_that_speak_t38_do_so_with_each_other(world: World, asks: str) -> None:
    """Each is told the other's words and an address of ours; strangers are not heard. After the
    page they speak again."""
    _, ata, carrier = await talking(world)
    one, other = (carrier, ata) if asks == "carrier" else (ata, carrier)
    mine, theirs, stranger = udp_socket(), udp_socket(), udp_socket()
    loop = asyncio.get_running_loop()
    talks, offered = other.on_offer, []

    def on_offer(session: Session, sdp: str | None) -> None:
        if "udptl" not in (sdp or ""):
            talks(session, sdp)
            return
        offered.append(sdp)
        session.answer(picture_at(theirs.getsockname()[1], 3))

    try:
        other.on_offer = on_offer  # type: ignore[method-assign]
        assert await reinvite(one, picture_at(mine.getsockname()[1], 2)) == 200
        assert one.session is not None
        (told,), (got,) = (Sdp.parse(text).media for text in (one.session.remote_sdp, offered[0]))
        assert (told.kind, told.attribute("t38faxversion")) == ("image", "3")
        assert (got.kind, got.attribute("t38faxversion")) == ("image", "2")
        assert got.attribute("t38maxbitrate") == "9600"
        stranger.sendto(b"forged", ("127.0.0.1", told.port))
        mine.sendto(b"\x00\x01page", ("127.0.0.1", told.port))
        theirs.sendto(b"\x00\x02answer", ("127.0.0.1", got.port))
        async with asyncio.timeout(20):
            assert await loop.sock_recv(theirs, 99) == b"\x00\x01page"
            assert await loop.sock_recv(mine, 99) == b"\x00\x02answer"
        assert await reinvite(one, picture_at(mine.getsockname()[1], 2)) == 200  # a refresh
        assert len(offered) == 1
        assert await reinvite(one, one.offer()) == 200
        await asyncio.gather(carrier.heard(880), ata.heard(440))
    finally:
        for sock in (mine, theirs, stranger):
            sock.close()
    carrier.hangup()
    assert (await world.ended()).status is Status.SUCCESS


class Asking:
    """A re-INVITE of an agent's that it may cancel, as machines do that change their mind."""

    def __init__(self, agent: Agent, call: Call, sdp: str) -> None:
        assert call.session is not None
        dialog = call.session.dialog
        assert dialog is not None
        contact = [("Contact", agent.stack.contact(dialog.hop))]
        request = dialog.request(
            "INVITE", headers=contact, body=sdp.encode(), content_type="application/sdp"
        )
        self.code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.tx = agent.stack.layer.request(request, dialog.hop, self)

    def on_response(self, tx: ClientTransaction, response: Response) -> None:
        if response.code >= 200:
            self.code.set_result(response.code)

    def on_timeout(self, tx: ClientTransaction) -> None:
        self.code.set_result(408)

    def on_transport_error(self, tx: ClientTransaction, reason: str) -> None:
        self.code.set_result(503)


async def test_t38_that_was_taken_back_before_the_answer_ends_at_once(world: World) -> None:
    """The other machine agrees as the first one cancels: it is asked for sound again."""
    _, ata, carrier = await talking(world)
    asked: asyncio.Future[Session] = asyncio.get_running_loop().create_future()
    talks = ata.on_offer

    def on_offer(session: Session, sdp: str | None) -> None:
        if "udptl" in (sdp or ""):
            asked.set_result(session)
        else:
            talks(session, sdp)

    ata.on_offer = on_offer  # type: ignore[method-assign]
    asking = Asking(world.carrier, carrier, picture_at(40_000, 0))
    session = await asyncio.wait_for(asked, 20)
    asking.tx.cancel()
    assert await asyncio.wait_for(asking.code, 20) == 487
    session.answer(picture_at(40_002, 0))
    async with asyncio.timeout(20):
        while not ata.directions:
            await asyncio.sleep(0.01)
    await asyncio.gather(carrier.heard(880), ata.heard(440))
    carrier.hangup()
    await world.ended()


@pytest.mark.parametrize(
    ("host", "signalled", "goes"),
    [
        ("203.0.113.9", "203.0.113.9", True),
        ("203.0.113.10", "203.0.113.9", True),
        ("192.168.1.5", "203.0.113.9", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("198.51.100.1", "198.51.100.1", True),
        ("127.0.0.1", "203.0.113.9", False),
        ("127.8.8.8", "", False),
        ("198.51.100.1", "203.0.113.9", False),
        ("224.0.0.251", "203.0.113.9", False),
        ("239.1.1.1", "239.1.1.1", False),
        ("0177.0.0.1", "203.0.113.9", False),
    ],
)
def test_what_listens_on_this_machine_is_sent_no_t38_by_who_is_elsewhere(
    host: str, signalled: str, goes: bool
) -> None:
    """It may hold anything, and would come from an address that is trusted here."""
    assert may_be_sent(host, signalled, "198.51.100.1") is goes


async def test_t38_for_a_group_is_refused_before_the_answer_and_in_it(world: World) -> None:
    _, ata, carrier = await talking(world)
    group = picture_at(5353, 0).replace("IP4 127.0.0.1", "IP4 224.0.0.251")
    assert await reinvite(carrier, group) == 488
    talks = ata.on_offer

    def on_offer(session: Session, sdp: str | None) -> None:
        if "udptl" in (sdp or ""):
            session.answer(group)
        else:
            talks(session, sdp)

    ata.on_offer = on_offer  # type: ignore[method-assign]
    assert await reinvite(carrier, picture_at(40_000, 0)) == 488
    await asyncio.gather(carrier.heard(880), ata.heard(440))
    carrier.hangup()
    await world.ended()


async def test_t38_that_is_refused_within_a_200_leads_back_to_sound_and_may_be_tried_again(
    world: World,
) -> None:
    """`m=image 0` is how many adapters say no: no stream is left then, so sound is agreed anew."""
    _, ata, carrier = await talking(world)
    talks, asked, mine = ata.on_offer, [], udp_socket()

    def on_offer(session: Session, sdp: str | None) -> None:
        if "udptl" not in (sdp or ""):
            talks(session, sdp)
            return
        asked.append(sdp)
        session.answer(picture_at(0 if len(asked) == 1 else 40_002, 0))

    ata.on_offer = on_offer  # type: ignore[method-assign]
    try:
        wanted = picture_at(mine.getsockname()[1], 0)
        assert await reinvite(carrier, wanted) == 488
        async with asyncio.timeout(20):
            while not ata.directions:
                await asyncio.sleep(0.01)
        await asyncio.gather(carrier.heard(880), ata.heard(440))
        assert await reinvite(carrier, wanted) == 200
    finally:
        mine.close()
    assert len(asked) == 2
    carrier.hangup()
    await world.ended()


async def test_who_hangs_up_amid_t38_leaves_nothing_behind(world: World) -> None:
    _, ata, carrier = await talking(world)
    mine = udp_socket()
    try:
        ata.on_offer = lambda session, sdp: session.answer(picture_at(40_000, 0))  # type: ignore[method-assign]
        before = udp_ports()
        assert await reinvite(carrier, picture_at(mine.getsockname()[1], 0)) == 200
        relay = udp_ports() - before
        assert len(relay) == 2
    finally:
        mine.close()
    ata.hangup()
    assert (await world.ended()).status is Status.SUCCESS
    await world.quiet()
    assert not udp_ports() & relay


async def test_a_fax_call_between_two_machines_stays_with_sound_when_one_asks_for_t38(
    world: World,
) -> None:
    """The machine that asked goes on by G.711, as T.38 Annex D wants after a refusal: the other
    one speaks no T.38."""
    _, ata, carrier = await talking(world)
    for one, other in ((carrier, ata), (ata, carrier)):
        head, audio, rest = one.offer().partition("m=audio")
        silent = "m=audio 0 " + rest.partition(" ")[2]
        assert await reinvite(one, head + _T38) == 488
        assert await reinvite(one, head + _T38 + silent) == 488
        assert await reinvite(one, head + audio + rest + _T38) == 200
        assert one.session is not None
        sound, picture = Sdp.parse(one.session.remote_sdp or "").media
        assert (sound.kind, picture.kind, picture.port) == ("audio", "image", 0)
        assert sound.port
        assert len(other.directions) == 2  # where T.38 is offered beside sound, sound is taken
        other.directions.clear()
    await asyncio.gather(carrier.heard(880), ata.heard(440))
    carrier.hangup()
    assert (await world.ended()).status is Status.SUCCESS
