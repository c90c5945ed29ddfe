"""Where messages end in a stream, however the stream is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpbx.sip.transport.framing import Framer, Unframable

ONE = b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 4\r\n\r\nbody"
TWO = b"BYE sip:a@b SIP/2.0\r\nVia: x\r\nl : 0\r\n\r\n"
THREE = b"ACK sip:a@b SIP/2.0\r\nCONTENT-LENGTH:\r\n 2\r\nX: y\r\n\r\n\r\n"


@given(
    cuts=st.lists(st.integers(0, len(ONE + TWO + THREE)), max_size=40),
    pings=st.tuples(*[st.integers(0, 3)] * 3),
)
def test_messages_come_out_however_the_stream_is_cut(
    cuts: list[int], pings: tuple[int, int, int]
) -> None:
    stream = b"".join(
        b"\r\n\r\n" * count + message
        for count, message in zip(pings, (ONE, TWO, THREE), strict=True)
    )
    framer = Framer(1000)
    messages: list[bytes] = []
    at = 0
    for cut in [*sorted(cuts), len(stream)]:
        messages += framer.feed(stream[at:cut])
        at = max(at, cut)
    assert messages == [ONE, TWO, THREE]
    assert framer.pings == sum(pings)
    assert not framer.inside


def test_a_single_line_end_is_neither_ping_nor_message() -> None:
    framer = Framer(1000)
    assert framer.feed(b"\r\n") == []
    assert not framer.inside
    assert framer.feed(ONE) == [ONE]
    assert framer.pings == 0


def test_two_line_ends_in_pieces_are_a_ping() -> None:
    framer = Framer(1000)
    for byte in (b"\r", b"\n", b"\r", b"\n"):
        framer.feed(byte)
    assert framer.pings == 1
    assert not framer.inside


def test_it_knows_when_a_message_is_incomplete() -> None:
    framer = Framer(1000)
    framer.feed(ONE + TWO[:5])
    assert framer.inside
    assert framer.feed(TWO[5:]) == [TWO]
    assert not framer.inside


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"A sip:b SIP/2.0\r\nTo: x\r\n\r\n", 400),
        (b"A sip:b SIP/2.0\r\nl: -1\r\n\r\n", 400),
        (b"A sip:b SIP/2.0\r\nl: 1\r\nContent-Length: 1\r\n\r\n", 400),
        (b"A sip:b SIP/2.0\r\nl: 99999999999999\r\n\r\n", 400),
        (b"A sip:b SIP/2.0\r\nl: 2000\r\n\r\n", 513),
        (b"A sip:b SIP/2.0\r\nX: " + b"y" * 1000, 513),
        (b"y" * 1001, 513),
    ],
)
def test_a_stream_that_cannot_go_on(data: bytes, code: int) -> None:
    with pytest.raises(Unframable) as caught:
        Framer(1000).feed(data)
    assert caught.value.code == code


def test_a_length_in_the_body_does_not_count() -> None:
    data = b"A sip:b SIP/2.0\r\nl: 24\r\n\r\nv\r\nContent-Length: 5\r\n\r\n"
    assert Framer(1000).feed(data) == [data]
