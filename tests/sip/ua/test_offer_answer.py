"""Offer and answer: codecs in common, and whose turn it is (RFC 3264)."""

from __future__ import annotations

import pytest

from vpbx.sip.offer_answer import (
    NothingInCommon,
    OfferAnswer,
    OfferState,
    OutOfTurn,
    codecs_of,
    common,
)
from vpbx.sip.sdp import AudioCodec, Sdp

OURS = (
    AudioCodec("PCMA", 8),
    AudioCodec("PCMU", 0),
    AudioCodec("telephone-event", 101, fmtp="0-15"),
)


def described(formats: str, *lines: str) -> Sdp:
    head = ["v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0"]
    return Sdp.parse("\n".join([*head, f"m=audio 4000 RTP/AVP {formats}", *lines]))


def test_static_payload_types_need_no_rtpmap() -> None:
    assert [codec.name for codec in codecs_of(described("0 8 9"))] == ["PCMU", "PCMA", "G722"]


def test_dynamic_payload_types_are_named_by_rtpmap_in_any_case() -> None:
    sdp = described(
        "96 97 8",
        "a=rtpmap:96 OPUS/48000/2",
        "a=rtpmap:97 Telephone-Event/8000",
        "a=fmtp:97 0-16",
    )
    assert codecs_of(sdp) == (
        AudioCodec("opus", 96, 48000),
        AudioCodec("telephone-event", 97, 8000, "0-16"),
        AudioCodec("PCMA", 8),
    )


def test_unknown_and_odd_payload_types_are_left_out() -> None:
    sdp = described(
        "18 96 97 98 200 x 8",
        "a=rtpmap:18 G729/8000",
        "a=rtpmap:96 PCMA/16000",
        "a=rtpmap:97 opus",
        "a=rtpmap:98",
        "a=rtpmap:x y/z",
    )
    assert [codec.name for codec in codecs_of(sdp)] == ["PCMA"]
    assert codecs_of(Sdp.parse("v=0\no=- 1 1 IN IP4 1.2.3.4\ns=-\nt=0 0")) == ()


def test_common_codecs_keep_the_offers_order_and_numbers_and_our_parameters() -> None:
    offered = codecs_of(
        described("0 8 100", "a=rtpmap:100 telephone-event/8000", "a=fmtp:100 0-16")
    )
    assert common(offered, OURS) == (
        AudioCodec("PCMU", 0),
        AudioCodec("PCMA", 8),
        AudioCodec("telephone-event", 100, fmtp="0-15"),
    )


def test_nothing_but_digits_in_common_is_nothing_in_common() -> None:
    offered = codecs_of(described("9 101", "a=rtpmap:101 telephone-event/8000"))
    with pytest.raises(NothingInCommon):
        common(offered, OURS)


def test_digits_follow_the_clock_rate_of_the_voice() -> None:
    offered = (
        AudioCodec("opus", 96, 48000),
        AudioCodec("telephone-event", 97, 48000),
        AudioCodec("telephone-event", 98, 8000),
    )
    ours = (*OURS, AudioCodec("opus", 111, 48000), AudioCodec("telephone-event", 112, 48000))
    assert [codec.payload for codec in common(offered, ours)] == [96, 97]
    # A phone that offers digits at the wrong rate only means them all the same.
    assert [codec.payload for codec in common((offered[0], offered[2]), ours)] == [96, 98]


def test_offer_and_answer_take_turns() -> None:
    media = OfferAnswer()
    media.send_offer("ours")
    assert media.state is OfferState.LOCAL_OFFER
    assert media.offered_by_us == "ours"
    media.receive_answer("theirs")
    assert media.stable
    assert (media.local, media.remote) == ("ours", "theirs")
    media.receive_offer("theirs 2")
    assert media.offered_to_us == "theirs 2"
    media.send_answer("ours 2")
    assert (media.local, media.remote) == ("ours 2", "theirs 2")


def test_failed_offer_leaves_what_was_agreed() -> None:
    media = OfferAnswer()
    media.receive_offer("theirs")
    media.send_answer("ours")
    for offer in (media.send_offer, media.receive_offer):
        offer("other")
        media.fail()
        assert (media.local, media.remote) == ("ours", "theirs")
        assert media.offered_by_us is media.offered_to_us is None
    media.fail()
    assert media.stable


def test_out_of_turn_is_said() -> None:
    media = OfferAnswer()
    with pytest.raises(OutOfTurn):
        media.receive_answer("x")
    with pytest.raises(OutOfTurn):
        media.send_answer("x")
    media.send_offer("ours")
    for wrong in (media.send_offer, media.receive_offer, media.send_answer):
        with pytest.raises(OutOfTurn):
            wrong("x")
    assert media.offered_by_us == "ours"
