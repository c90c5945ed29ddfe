"""T.38 in session descriptions: what is understood of offers, and what they are answered."""

from __future__ import annotations

import pytest

from vpbx.calls.t38 import answer, offer, peer_of
from vpbx.sip import Sdp

HEAD = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
AUDIO = "m=audio 4000 RTP/AVP 8 0\r\n"
IMAGE = "m=image 4002 udptl t38\r\na=T38FaxVersion:0\r\n"


def test_what_the_other_side_says_of_its_machine_is_heard() -> None:
    peer = peer_of(
        HEAD + "m=image 4002 UDPTL T38\r\na=T38FaxVersion:3\r\na=T38MaxBitRate:9600\r\n"
        "a=T38FaxRateManagement:localTCF\r\na=T38FaxMaxDatagram:500\r\n"
    )
    assert peer is not None
    assert (peer.host, peer.port, peer.version, peer.rate) == ("192.0.2.7", 4002, 0, 9600)
    assert (peer.local_tcf, peer.most_bytes) == (True, 500)


def test_what_it_does_not_say_or_says_wrongly_is_what_everybody_can() -> None:
    peer = peer_of(HEAD + IMAGE + "a=T38MaxBitRate:fast\r\na=T38FaxMaxDatagram:72\r\n")
    assert peer is not None
    assert (peer.rate, peer.local_tcf, peer.most_bytes) == (14400, False, 200)
    over = peer_of(HEAD + IMAGE + "a=T38MaxBitRate:33600\r\na=T38FaxMaxDatagram:99999\r\n")
    assert over is not None
    assert (over.rate, over.most_bytes) == (14400, 1400)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "junk",
        HEAD + AUDIO,
        HEAD + "m=image 0 udptl t38\r\n",
        HEAD + "m=image 4002 tcp t38\r\n",
        HEAD + "m=image 4002 RTP/AVP 98\r\n",
        HEAD + "m=image 4002 udptl wb\r\n",
        HEAD.replace("192.0.2.7\r\nt", "0.0.0.0\r\nt") + IMAGE,
        HEAD.replace("IP4 192.0.2.7\r\nt", "IP6 2001:db8::1\r\nt") + IMAGE,
        HEAD.replace("192.0.2.7\r\nt", "fax.example\r\nt") + IMAGE,
    ],
)
def test_what_is_no_t38_for_us(text: str | None) -> None:
    assert peer_of(text) is None


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (IMAGE, [("image", True)]),
        (AUDIO + IMAGE, [("audio", False), ("image", True)]),
        (IMAGE + AUDIO, [("image", True), ("audio", False)]),
        ("m=audio 0 RTP/AVP 8\r\n" + IMAGE, [("audio", False), ("image", True)]),
        (IMAGE + IMAGE.replace("4002", "4004"), [("image", True), ("image", False)]),
    ],
)
def test_an_answer_takes_one_stream_and_refuses_the_others_in_their_places(
    offered: str, expected: list[tuple[str, bool]]
) -> None:
    answered = Sdp.parse(answer(HEAD + offered, (7, 3), "198.51.100.1", 20_002))
    assert [(media.kind, media.port == 20_002) for media in answered.media] == expected
    assert all(media.port in (0, 20_002) for media in answered.media)
    assert answered.origin == "- 7 3 IN IP4 198.51.100.1"
    taken = next(media for media in answered.media if media.port)
    assert (taken.address, taken.attribute("t38faxratemanagement")) == (
        "198.51.100.1",
        "transferredTCF",
    )


def test_an_answer_keeps_to_the_rate_management_that_was_offered() -> None:
    offered = HEAD + IMAGE + "a=T38FaxRateManagement:localTCF\r\n"
    answered = Sdp.parse(answer(offered, (7, 3), "198.51.100.1", 20_002))
    assert answered.media[0].attribute("t38faxratemanagement") == "localTCF"


def test_our_offer_puts_the_picture_where_the_sound_was() -> None:
    before = HEAD + "m=audio 20000 RTP/AVP 8\r\nm=video 0 RTP/AVP 34\r\n"
    offered = Sdp.parse(offer(before, (7, 2), "198.51.100.1", 20_002))
    assert [(media.kind, media.port) for media in offered.media] == [
        ("image", 20_002),
        ("video", 0),
    ]
    assert peer_of(str(offered)) is not None
    alone = Sdp.parse(offer(None, (7, 1), "198.51.100.1", 20_002))
    assert [(media.kind, media.port) for media in alone.media] == [("image", 20_002)]
