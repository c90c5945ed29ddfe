"""Session descriptions: read, written, turned to another address."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpbx.sip.offer_answer import codecs_of
from vpbx.sip.sdp import AudioCodec, MalformedSdp, Sdp
from vpbx.sip.sdp_text import build, direction_answer, refused, retarget

PHONE = (
    "v=0\r\n"
    "o=alice 2890844526 7 IN IP4 192.168.1.20\r\n"
    "s=talk\r\n"
    "c=IN IP4 192.168.1.20\r\n"
    "b=AS:380\r\n"
    "t=0 0\r\n"
    "a=ice-ufrag:abc\r\n"
    "m=audio 49170 RTP/AVP 8 0 101\r\n"
    "a=rtpmap:101 telephone-event/8000\r\n"
    "a=fmtp:101 0-16\r\n"
    "a=ptime:30\r\n"
    "a=rtcp:53020\r\n"
    "a=candidate:1 1 UDP 2130706431 192.168.1.20 49170 typ host\r\n"
    "m=video 51372 RTP/AVP 31\r\n"
    "c=IN IP4 192.168.1.21\r\n"
    "a=rtpmap:31 H261/90000\r\n"
)


def test_audio_stream_is_read_with_what_it_inherits() -> None:
    sdp = Sdp.parse(PHONE)
    audio = sdp.audio
    assert audio is not None
    assert (audio.address, audio.port) == ("192.168.1.20", 49170)
    assert audio.formats == ("8", "0", "101")
    assert audio.ptime_ms == 30
    assert audio.direction == sdp.direction == "sendrecv"
    assert audio.attribute("fmtp") == "101 0-16"
    assert audio.attribute("mid") is None
    assert sdp.media[1].address == "192.168.1.21"
    assert str(sdp) == PHONE


@pytest.mark.parametrize(
    ("change", "direction", "held"),
    [
        (("a=ptime:30", "a=sendonly"), "sendonly", True),
        (("a=ptime:30", "a=recvonly"), "recvonly", False),
        (("a=ptime:30", "a=inactive"), "inactive", True),
        (("a=ice-ufrag:abc", "a=sendonly"), "sendonly", True),
        (("c=IN IP4 192.168.1.20", "c=IN IP4 0.0.0.0"), "sendonly", True),
        (("s=talk", "s=hold"), "sendrecv", False),
    ],
)
def test_hold_is_seen_in_each_of_its_forms(
    change: tuple[str, str], direction: str, held: bool
) -> None:
    sdp = Sdp.parse(PHONE.replace(*change))
    assert (sdp.direction, sdp.held) == (direction, held)


def test_refused_and_missing_audio_is_none() -> None:
    assert Sdp.parse(PHONE.replace("audio 49170", "audio 0")).audio is None
    assert Sdp.parse("v=0\no=- 1 1 IN IP4 1.2.3.4\ns=-\nt=0 0\n").audio is None


def test_bare_newlines_and_ipv6_are_taken() -> None:
    text = "v=0\no=- 1 1 IN IP6 2001:db8::1\ns=-\nc=IN IP6 2001:db8::1\nt=0 0\nm=audio 4 RTP/AVP 8"
    audio = Sdp.parse(text).audio
    assert audio is not None
    assert audio.address == "2001:db8::1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "v=1\r\n",
        "v=0\r\n",
        PHONE.replace("c=IN IP4 192.168.1.20\r\n", "").replace("o=alice ", "x="),
        PHONE.replace("IN IP4 192.168.1.20", "IN IP4 ph!one").replace("o=alice ", "x="),
        PHONE.replace("49170", "70000"),
        PHONE.replace("49170", "-1"),
        PHONE.replace("49170", "\u0664\u0665"),
        PHONE.replace("m=audio 49170 RTP/AVP 8 0 101", "m=audio 49170"),
        PHONE + "m=audio 4 RTP/AVP 8\r\n" * 40,
        PHONE + "a=x\r\n" * 6000,
    ],
)
def test_malformed_descriptions_are_refused(text: str) -> None:
    with pytest.raises(MalformedSdp):
        Sdp.parse(text)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "\r\n\r\n",
        lambda text: "\r\n" + text,
        lambda text: "\ufeff" + text,
        lambda text: text.replace("s=talk\r\n", "s=talk\r\n\r\n"),
        lambda text: text.replace("\r\n", " \t\r\n"),
        lambda text: text.replace("\r\n", "\r\n "),
        lambda text: text.replace("\r\n", "\r"),
        lambda text: text.replace("=", " = ", 30),
        lambda text: text + "\0",
        lambda text: text.replace("s=talk", "s="),
        lambda text: text.replace("s=talk\r\n", ""),
        lambda text: text.replace("t=0 0\r\n", ""),
        lambda text: text.replace("s=talk", "what is this"),
        lambda text: text.replace("o=alice 2890844526 7 IN IP4 192.168.1.20", "o=alice"),
        lambda text: text.replace("o=alice 2890844526 7 IN IP4 192.168.1.20", "o=- 1 1 IN"),
        lambda text: text.replace("o=alice 2890844526 7 IN IP4 192.168.1.20\r\n", ""),
        lambda text: text.replace("o=alice", "o=My Gateway"),
        lambda text: text.replace("c=IN IP4 192.168.1.20\r\n", ""),
        lambda text: text.replace("c=IN IP4 192.168.1.20", "c=IN IP4"),
        lambda text: text.replace("c=IN IP4 192.168.1.20", "c=in ip4 192.168.1.20/127"),
        lambda text: text.replace("c=IN IP4 192.168.1.20", "c=IN IP4 192.168.001.020"),
        lambda text: text.replace("c=IN IP4 192.168.1.20", "c=IN IP4 192.168.1.20,"),
        lambda text: text.replace("RTP/AVP 8 0 101", "RTP/AVP 8, 0, 101,"),
        lambda text: text.replace("RTP/AVP 8 0 101", "rtp/avp  8 0  101 "),
        lambda text: text.replace("m=audio 49170", "m=AUDIO 49170/1"),
        lambda text: text.replace("51372 RTP/AVP 31", "x"),
        lambda text: text.replace("a=rtpmap:101 telephone", "a=RTPMAP: 101  TELEPHONE"),
        lambda text: text.replace("a=ptime:30", "a=ptime: 30.0"),
    ],
)
def test_small_faults_cost_nothing(change: Callable[[str], str]) -> None:
    """Each was seen in the field, and other stacks take it."""
    text = change(PHONE)
    sdp = Sdp.parse(text)
    audio = sdp.audio
    assert audio is not None
    assert (audio.address, audio.port, audio.direction) == ("192.168.1.20", 49170, "sendrecv")
    assert audio.formats == ("8", "0", "101")
    assert audio.ptime_ms == 30
    assert [codec.name for codec in codecs_of(sdp)] == ["PCMA", "PCMU", "telephone-event"]
    assert len(sdp.media) == 2
    assert Sdp.parse(retarget(sdp, "203.0.113.1", 4000)).audio is not None


def test_a_host_name_is_an_address_too() -> None:
    text = PHONE.replace("c=IN IP4 192.168.1.20", "c=IN IP4 Media.Example.COM.")
    audio = Sdp.parse(text).audio
    assert audio is not None
    assert audio.address == "media.example.com"
    assert not audio.held


def test_a_broken_stream_leaves_the_others_in_their_places() -> None:
    text = PHONE + "m=audio 99999 RTP/AVP 8\r\nm=audio 5000 RTP/AVP 0\r\n"
    assert [one.port for one in Sdp.parse(text).media] == [49170, 51372, 0, 5000]


@given(st.text(max_size=300) | st.lists(st.sampled_from(PHONE.split("\r\n"))).map("\n".join))
def test_nothing_but_malformed_sdp_is_ever_raised(text: str) -> None:
    try:
        sdp = Sdp.parse(text)
    except MalformedSdp:
        return
    Sdp.parse(retarget(sdp, "203.0.113.1", 4000))
    Sdp.parse(refused(sdp))


def test_built_description_reads_back() -> None:
    codecs = [AudioCodec("PCMA", 8), AudioCodec("opus", 96, 48000, "useinbandfec=1")]
    text = build("203.0.113.1", 4000, codecs, "sendonly", session_id=77, version=3)
    sdp = Sdp.parse(text)
    audio = sdp.audio
    assert audio is not None
    assert (audio.address, audio.port, audio.direction) == ("203.0.113.1", 4000, "sendonly")
    assert sdp.origin == "- 77 3 IN IP4 203.0.113.1"
    assert audio.attributes("rtpmap") == ["8 PCMA/8000", "96 opus/48000/2"]
    assert audio.attribute("fmtp") == "96 useinbandfec=1"
    assert "IN IP6 2001:db8::1" in build("2001:db8::1", 4, codecs, session_id=1)


def test_relayed_description_leads_to_us_and_refuses_other_media() -> None:
    sdp = Sdp.parse(retarget(Sdp.parse(PHONE), "203.0.113.1", 4000))
    audio, video = sdp.audio, sdp.media[1]
    assert audio is not None
    assert (audio.address, audio.port) == ("203.0.113.1", 4000)
    assert audio.formats == ("8", "0", "101")
    assert audio.attribute("ptime") == "30"
    assert (video.kind, video.port) == ("video", 0)
    assert sdp.origin == "- 2890844526 7 IN IP4 203.0.113.1"
    assert "192.168" not in str(sdp)
    assert "a=ice" not in str(sdp)
    order = [line[0] for line in sdp.lines]
    assert order == ["v", "o", "s", "c", "b", "t"]


def test_relayed_description_takes_other_codecs_direction_and_numbers() -> None:
    text = retarget(
        Sdp.parse(PHONE.replace("a=ptime:30", "a=sendonly")),
        "203.0.113.1",
        4000,
        [AudioCodec("PCMU", 0)],
        session_id=5,
        version=6,
        direction="recvonly",
    )
    audio = Sdp.parse(text).audio
    assert audio is not None
    assert audio.formats == ("0",)
    assert audio.attributes("rtpmap") == ["0 PCMU/8000"]
    assert audio.direction == "recvonly"
    assert "sendonly" not in text
    assert Sdp.parse(text).origin.startswith("- 5 6 ")


def test_refusal_answers_each_stream_with_port_zero() -> None:
    assert [m.port for m in Sdp.parse(refused(Sdp.parse(PHONE))).media] == [0, 0]


def test_directions_mirror() -> None:
    assert [direction_answer(d) for d in ("sendrecv", "sendonly", "recvonly", "inactive")] == [
        "sendrecv",
        "recvonly",
        "sendonly",
        "inactive",
    ]
