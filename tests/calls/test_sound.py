"""Descriptions into codecs and addresses, and back (RFC 3264)."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from vpbx.calls.encryption import DtlsWay
from vpbx.calls.sound import OUR_CODECS, Sound, Unusable
from vpbx.calls.tastes import Tastes
from vpbx.media import DtlsPeer
from vpbx.sip import AudioCodec, Sdp, build

PCMA, PCMU, G722 = AudioCodec("PCMA", 8), AudioCodec("PCMU", 0), AudioCodec("G722", 9)
EVENTS = AudioCodec("telephone-event", 101, fmtp="0-15")


def sound() -> Sound:
    return Sound(lambda: ("192.0.2.1", 4000))


def offer(*codecs: AudioCodec, direction: str = "sendrecv", host: str = "192.0.2.9") -> str:
    return build(host, 5000, codecs, direction, session_id=7)


def test_an_offer_is_read_into_codecs_and_an_address() -> None:
    leg = sound()
    leg.hear(offer(PCMA, G722, EVENTS))
    assert [codec.name for codec in leg.codecs] == ["PCMA", "G722", "telephone-event"]
    assert leg.peer is not None
    assert (leg.peer.host, leg.peer.port) == ("192.0.2.9", 5000)
    assert (leg.peer.payloads, leg.peer.dtmf_payload) == ((8, 9), 101)
    assert not leg.held


def test_an_answer_keeps_only_what_was_offered() -> None:
    leg = sound()
    leg.hear(offer(PCMU, PCMA, EVENTS), allowed=[PCMA])
    assert [codec.name for codec in leg.codecs] == ["PCMA"]


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        offer(EVENTS),
        offer(G722).replace("RTP/AVP", "RTP/SAVP"),
        offer(PCMA).replace("m=audio 5000", "m=audio 0"),
        offer(PCMA).replace("m=audio", "m=video"),
    ],
)
def test_what_cannot_be_used_changes_nothing(text: str) -> None:
    leg = sound()
    leg.hear(offer(PCMA))
    before = (leg.codecs, leg.peer)
    with pytest.raises(Unusable):
        leg.hear(text)
    assert (leg.codecs, leg.peer) == before


def test_nothing_in_common_with_the_other_side_is_unusable() -> None:
    with pytest.raises(Unusable):
        sound().hear(offer(G722), allowed=[PCMA, EVENTS])


def test_a_description_gets_a_new_version_only_when_it_changes() -> None:
    leg = sound()
    first = leg.describe(OUR_CODECS)
    assert leg.describe(OUR_CODECS) == first
    second = leg.describe([PCMA])
    before, after = Sdp.parse(first).origin.split(), Sdp.parse(second).origin.split()
    assert before[1] == after[1]
    assert int(after[2]) == int(before[2]) + 1


def test_a_twin_goes_on_by_itself() -> None:
    leg = sound()
    text = leg.describe(OUR_CODECS)
    twin = leg.twin()
    assert twin.local == text
    assert twin.describe(OUR_CODECS) == text
    twin.hear(offer(PCMA))
    assert leg.peer is None


@pytest.mark.parametrize(
    ("offered", "answered"),
    [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("inactive", "inactive")],
)
def test_an_answer_mirrors_the_direction(offered: str, answered: str) -> None:
    leg = sound()
    text = offer(PCMA, direction=offered)
    leg.hear(text)
    assert f"a={answered}\r\n" in leg.answer(text, leg.codecs)
    assert leg.held == (offered != "sendrecv")


def test_an_answer_keeps_the_places_of_other_streams() -> None:
    leg = sound()
    video = "m=video 6000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
    text = offer(PCMA).replace("m=audio", video + "m=audio") + "m=image 7000 udptl t38\r\n"
    leg.hear(text)
    kinds = [(m.kind, m.port) for m in Sdp.parse(leg.answer(text, leg.codecs)).media]
    assert kinds == [("video", 0), ("audio", 4000), ("image", 0)]


def test_feedback_profile_is_answered_in_kind() -> None:
    leg = sound()
    text = offer(PCMA).replace("RTP/AVP", "RTP/AVPF")
    leg.hear(text)
    assert "m=audio 4000 RTP/AVPF 8" in leg.answer(text, leg.codecs)


def test_the_codec_in_use_is_the_first_voice_one() -> None:
    leg = sound()
    leg.hear(offer(EVENTS, PCMU, PCMA))
    assert leg.voice == PCMU
    assert leg.speaks(PCMA)
    assert not leg.speaks(G722)
    assert leg.speaks(None)


def test_each_side_is_told_the_numbers_of_the_other_before_and_after_hold() -> None:
    """telephone-event is 101 for one and 96 for the other (RFC 3264 §5.1, §6.1)."""
    caller, called = sound(), sound()
    first = offer(PCMA, EVENTS)
    caller.hear(first)
    assert "a=rtpmap:101 telephone-event" in called.describe(caller.codecs)
    called.hear(offer(PCMA, replace(EVENTS, payload=96)), caller.codecs)
    assert "a=rtpmap:96 telephone-event" in caller.answer(first, called.codecs)
    for direction in ("sendonly", "sendrecv"):
        again = offer(PCMA, EVENTS, direction=direction)
        caller.hear(again, called.codecs)
        assert "a=rtpmap:96 telephone-event" in caller.answer(again, called.codecs)
    assert caller.peer is not None
    assert called.peer is not None
    assert (caller.peer.dtmf_payload, caller.peer.digits_come_as) == (101, 96)
    assert (called.peer.dtmf_payload, called.peer.digits_come_as) == (96, 101)


def test_a_number_means_the_same_for_a_legs_life() -> None:
    leg = sound()
    text = offer(PCMA, EVENTS)
    leg.hear(text)
    leg.answer(text, [PCMA, replace(EVENTS, payload=96)])
    opus = AudioCodec("opus", 96, 48000)
    again = leg.describe([PCMA, opus, EVENTS])
    assert "a=rtpmap:96 opus" not in again
    assert "opus/48000" in again
    assert "a=rtpmap:101 telephone-event" in again


def test_a_number_the_leg_uses_for_another_codec_is_not_told_to_it() -> None:
    leg = sound()
    text = offer(PCMA, AudioCodec("opus", 96, 48000), EVENTS)
    leg.hear(text)
    told = leg.answer(text, [PCMA, replace(EVENTS, payload=96)])
    assert "a=rtpmap:101 telephone-event" in told
    assert ":96 " not in told


def test_telephone_events_are_agreed_with_each_side_by_itself() -> None:
    """A caller without them may still be called by one who presses keys, and the reverse."""
    leg = sound()
    assert "telephone-event" in leg.describe([PCMA])
    caller = sound()
    text = offer(PCMA, EVENTS)
    caller.hear(text)
    assert "a=rtpmap:101 telephone-event" in caller.answer(text, [PCMA])
    without = sound()
    text = offer(PCMA)
    without.hear(text)
    assert "telephone-event" not in without.answer(text, [PCMA, EVENTS])


TWICE = offer(PCMA).replace("m=audio", "m=audio 4000 RTP/SAVP 8\r\nm=audio", 1)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        (TWICE, ["0 RTP/SAVP", "4000 RTP/AVP"]),
        (offer(PCMA) + "m=audio 4002 RTP/SAVP 8\r\n", ["4000 RTP/AVP", "0 RTP/SAVP"]),
        (offer(PCMA) + "m=video 4002 RTP/AVP 31\r\n", ["4000 RTP/AVP", "0 RTP/AVP"]),
        (
            offer(AudioCodec("G722", 18)).replace("G722", "G729") + "m=audio 7 RTP/AVP 0\r\n",
            ["0 RTP/AVP", "4000 RTP/AVP"],
        ),
        (
            "v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\nt=0 0\r\nm=audio 7 RTP/AVP 0\r\nc=IN IP6 ::1\r\n"
            "m=audio 9 RTP/AVP 0\r\nc=IN IP4 192.0.2.9\r\n",
            ["0 RTP/AVP", "4000 RTP/AVP"],
        ),
    ],
)
def test_the_best_of_several_streams_is_taken_the_others_refused_in_place(
    text: str, places: list[str]
) -> None:
    leg = sound()
    leg.hear(text)
    answered = Sdp.parse(leg.answer(text, leg.codecs))
    assert [f"{media.port} {media.protocol}" for media in answered.media] == places


def test_ipv6_alone_is_unusable_and_says_so() -> None:
    text = offer(PCMA).replace("c=IN IP4 192.0.2.9", "c=IN IP6 2001:db8::1")
    with pytest.raises(Unusable, match="IPv6"):
        sound().hear(text)


def test_an_offer_that_is_refused_leaves_what_was_told() -> None:
    leg = sound()
    text = offer(PCMA, PCMU, EVENTS)
    leg.hear(text)
    leg.answer(text, [PCMA, EVENTS])
    before = leg.told
    leg.describe([PCMU])
    leg.refused()
    assert leg.told == before


def secure_sound() -> Sound:
    made = Sound(lambda: ("192.0.2.1", 4000), lambda: ("192.0.2.1", 5000))
    made.encryption.may_encrypt = True
    return made


KEY = "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"


def secured(text: str, protocol: str = "RTP/SAVP") -> str:
    return text.replace("RTP/AVP", protocol) + f"{KEY}\r\n"


@pytest.mark.parametrize("protocol", ["RTP/SAVP", "RTP/SAVPF", "RTP/AVP"])
def test_keys_are_answered_with_ours_and_lead_to_the_encrypted_port(protocol: str) -> None:
    leg = secure_sound()
    text = secured(offer(PCMA, EVENTS), protocol)
    leg.hear(text)
    answered = Sdp.parse(leg.answer(text, leg.codecs)).audio
    assert answered is not None
    assert (answered.protocol, answered.port) == (protocol, 5000)
    assert (answered.attribute("crypto") or "").startswith("1 AES_CM_128_HMAC_SHA1_32 inline:")
    assert leg.peer is not None
    assert leg.peer.srtp is not None
    assert leg.peer.srtp.suite == "AES_CM_128_HMAC_SHA1_32"
    first = answered.attribute("crypto")
    leg.hear(text, leg.codecs)
    again = Sdp.parse(leg.answer(text, leg.codecs)).audio
    assert again is not None
    assert again.attribute("crypto") == first, "a hold changes no key"


def test_keys_in_the_clear_are_not_taken() -> None:
    leg = secure_sound()
    leg.encryption.may_encrypt = False
    with pytest.raises(Unusable):
        leg.hear(secured(offer(PCMA)))
    text = secured(offer(PCMA), "RTP/AVP")
    leg.hear(text)
    assert "crypto" not in leg.answer(text, leg.codecs)
    assert leg.peer is not None
    assert leg.peer.srtp is None


@pytest.mark.parametrize("secure_first", [True, False])
def test_of_two_streams_the_encrypted_one_is_taken(secure_first: bool) -> None:
    plain = "m=audio 7000 RTP/AVP 8\r\n"
    secure = f"m=audio 7002 RTP/SAVP 8\r\n{KEY}\r\n"
    head = "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
    text = head + (secure + plain if secure_first else plain + secure)
    leg = secure_sound()
    leg.hear(text)
    places = [f"{m.protocol} {m.port}" for m in Sdp.parse(leg.answer(text, leg.codecs)).media]
    expected = ["RTP/SAVP 5000", "RTP/AVP 0"]
    assert places == (expected if secure_first else expected[::-1])


def test_an_offer_is_encrypted_and_has_a_plain_twin_at_another_port() -> None:
    leg = secure_sound()
    text = leg.describe([PCMA])
    audio, plain = Sdp.parse(text).audio, Sdp.parse(leg.otherwise[-1]).audio
    assert audio is not None
    assert plain is not None
    assert (audio.protocol, audio.port, len(audio.attributes("crypto"))) == ("RTP/SAVP", 5000, 2)
    assert (plain.protocol, plain.port, plain.attribute("crypto")) == ("RTP/AVP", 4000, None)
    leg.hear(offer(PCMA), [PCMA])
    assert not leg.encrypted
    assert leg.peer is not None
    assert leg.peer.relayed, "it was told the other port"
    assert "RTP/AVP" in leg.describe([PCMA])
    assert not leg.peer.relayed


def test_the_plain_twin_leads_to_the_plain_port() -> None:
    leg = secure_sound()
    leg.describe([PCMA])
    leg.settled_for(leg.otherwise[-1])
    leg.hear(offer(PCMA), [PCMA])
    assert leg.peer is not None
    assert (leg.peer.relayed, leg.peer.srtp) == (False, None)


def dtls_sound() -> Sound:
    """A leg over TLS where the engine knows DTLS."""
    fingerprint = ":".join(["AB"] * 32)
    leg = Sound(
        lambda: ("192.0.2.1", 4000), lambda: ("192.0.2.1", 5000), lambda _: DtlsWay(fingerprint)
    )
    leg.encryption.may_encrypt = True
    return leg


def transports(leg: Sound) -> list[str]:
    """How each offer of a leg would have the packets, in the order they are tried."""
    found = [Sdp.parse(text).audio for text in (leg.describe([PCMA]), *leg.otherwise)]
    return [audio.protocol for audio in found if audio is not None]


def test_a_phone_over_tls_is_offered_sdes_then_dtls_then_none_or_what_it_took_last_first() -> None:
    assert transports(dtls_sound()) == ["RTP/SAVP", "UDP/TLS/RTP/SAVP", "RTP/AVP"]
    leg = dtls_sound()
    leg.encryption.prefers_dtls = True
    assert transports(leg) == ["UDP/TLS/RTP/SAVP", "RTP/SAVP", "RTP/AVP"]
    assert transports(secure_sound()) == ["RTP/SAVP", "RTP/AVP"], "no DTLS in the engine"
    leg = dtls_sound()
    leg.encryption.may_encrypt = False
    assert transports(leg) == ["RTP/AVP"]


@pytest.mark.parametrize(("setup", "active"), [("active", True), ("passive", False)])
def test_an_answer_by_dtls_is_taken_at_the_port_for_encrypted_legs_and_remembered(
    setup: str, active: bool
) -> None:
    leg, tastes = dtls_sound(), Tastes()
    leg.encryption.on_settled = lambda dtls: tastes.learn("sip:bob@192.0.2.9", dtls)
    leg.describe([PCMA])
    offered = Sdp.parse(leg.otherwise[0]).audio
    assert offered is not None
    assert (offered.port, offered.attribute("setup")) == (5000, "actpass")
    assert not offered.attributes("crypto")
    leg.settled_for(leg.otherwise[0])
    fingerprint = ":".join(["CD"] * 32)
    lines = f"a=setup:{setup}\r\na=fingerprint:sha-256 {fingerprint}\r\n"
    leg.hear(offer(PCMA).replace("RTP/AVP", "UDP/TLS/RTP/SAVP") + lines, [PCMA])
    assert leg.peer is not None
    assert leg.peer.dtls == DtlsPeer(fingerprint, active=active)
    assert (leg.peer.srtp, leg.peer.relayed) == (None, True)
    assert tastes.prefers_dtls("sip:bob@192.0.2.9")
    again = Sdp.parse(leg.describe([PCMA, PCMU])).audio
    assert again is not None
    assert again.protocol == "UDP/TLS/RTP/SAVP"
    assert again.attribute("fingerprint") == offered.attribute("fingerprint")


@pytest.mark.parametrize(("setup", "ours"), [("passive", "active"), ("active", "passive")])
def test_a_phone_that_holds_keeps_the_role_it_has_in_dtls(setup: str, ours: str) -> None:
    """Its later offers say actpass (RFC 8842 §5.2); another role would be another handshake."""
    leg = dtls_sound()
    leg.describe([PCMA])
    leg.settled_for(leg.otherwise[0])
    stream = offer(PCMA).replace("RTP/AVP", "UDP/TLS/RTP/SAVP")

    def lines(setup: str, digit: str) -> str:
        return f"a=setup:{setup}\r\na=fingerprint:sha-256 {':'.join([digit] * 32)}\r\n"

    leg.hear(stream + lines(setup, "CD"), [PCMA])
    held = stream + "a=sendonly\r\n" + lines("actpass", "CD")
    leg.hear(held, [PCMA])
    assert leg.peer is not None
    assert leg.peer.dtls == DtlsPeer(":".join(["CD"] * 32), active=setup == "active")
    answered = Sdp.parse(leg.answer(held, leg.codecs)).audio
    assert answered is not None
    assert answered.attribute("setup") == ours
    other = stream + lines("actpass", "EF")
    leg.hear(other, [PCMA])
    answered = Sdp.parse(leg.answer(other, leg.codecs)).audio
    assert answered is not None
    assert answered.attribute("setup") == "passive", "with another certificate it is another one"


def test_a_phone_that_answers_keys_with_a_fingerprint_stays_at_the_port_it_was_told() -> None:
    """baresip takes RTP/SAVP whatever the keys, and answers with its own way."""
    leg = dtls_sound()
    first = Sdp.parse(leg.describe([PCMA])).audio
    assert first is not None
    assert (first.protocol, first.port, first.attribute("setup")) == ("RTP/SAVP", 5000, "actpass")
    assert len(first.attributes("crypto")) == 2
    leg.settled_for(leg.local)
    fingerprint = ":".join(["CD"] * 32)
    lines = f"a=setup:active\r\na=fingerprint:sha-256 {fingerprint}\r\n"
    leg.hear(offer(PCMA).replace("RTP/AVP", "RTP/SAVP") + lines, [PCMA])
    assert leg.peer is not None
    assert leg.peer.dtls == DtlsPeer(fingerprint, active=True)
    assert (leg.peer.srtp, leg.peer.relayed) == (None, True)
    again = Sdp.parse(leg.describe([PCMA, PCMU])).audio
    assert again is not None
    assert (again.port, again.attributes("crypto")) == (5000, [])
    assert leg.peer.relayed


def test_a_phone_that_took_something_else_is_not_offered_dtls_first_any_more() -> None:
    tastes = Tastes()
    tastes.learn("sip:bob@192.0.2.9", True)
    assert not tastes.prefers_dtls("sip:ann@192.0.2.9")
    tastes.learn("sip:bob@192.0.2.9", False)
    assert not tastes.prefers_dtls("sip:bob@192.0.2.9")


@pytest.mark.parametrize("browser", [True, False])
def test_without_dtls_in_the_media_engine_a_leg_that_insists_is_refused(browser: bool) -> None:
    leg = secure_sound()
    leg.encryption.browser = browser
    lines = f"a=setup:actpass\r\na=fingerprint:sha-256 {':'.join(['CD'] * 32)}\r\n"
    ice = "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\n" if browser else ""
    with pytest.raises(Unusable):
        leg.hear(offer(PCMA).replace("RTP/AVP", "UDP/TLS/RTP/SAVPF") + lines + ice)


def test_keys_in_the_answer_to_a_plain_offer_mean_nothing() -> None:
    leg = dtls_sound()
    leg.describe([PCMA])
    leg.settled_for(leg.otherwise[-1])
    leg.hear(secured(offer(PCMA), "RTP/AVP"), [PCMA])
    assert not leg.encrypted


def test_the_answer_chooses_one_of_our_keys() -> None:
    leg = secure_sound()
    ours = Sdp.parse(leg.describe([PCMA])).audio
    assert ours is not None
    leg.hear(secured(offer(PCMA)).replace("crypto:1", "crypto:2"), [PCMA])
    assert leg.peer is not None
    assert leg.peer.srtp is not None
    sent = base64.b64encode(leg.peer.srtp.send).decode()
    assert sent in ours.attributes("crypto")[1]
    assert f"crypto:2 AES_CM_128_HMAC_SHA1_32 inline:{sent}" in leg.describe([PCMA, PCMU])
