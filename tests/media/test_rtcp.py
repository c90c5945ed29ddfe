"""RTCP as it stands in RFC 3550, and what is none."""

import random
import struct

import pytest

from tests.support.rtcp import build_report
from vpbx.media.rtcp import Block, parse

BLOCK = Block(0x01020304, 64, 25, 0x1FFFF, 160, 0xABCD1234, 65536)


def test_a_receiver_report_is_read() -> None:
    """Written out by hand from RFC 3550 §6.4.2, not by our own builder."""
    packet = bytes.fromhex(
        "81c90007"  # V=2, one block, RR, 8 words
        "00000001"
        "01020304" "40000019" "0001ffff" "000000a0" "abcd1234" "00010000"
    )  # fmt: skip
    reports = parse(packet)
    assert reports is not None
    assert (reports.ssrc, reports.stamp, reports.blocks) == (1, 0, (BLOCK,))


def test_a_sender_report_says_the_middle_of_its_ntp_time() -> None:
    packet = bytes.fromhex("80c80006000000091122aabbccdd33440000000000000005000003e8")
    reports = parse(packet)
    assert reports is not None
    assert (reports.ssrc, reports.stamp, reports.blocks) == (9, 0xAABBCCDD, ())


def test_more_that_came_than_was_sent_is_negative() -> None:
    packet = build_report(1, (Block(2, 0, -3, 1, 0, 0, 0),))
    reports = parse(packet)
    assert reports is not None
    assert reports.blocks[0].lost == -3


def test_a_compound_packet_of_a_phone_is_read_whole() -> None:
    reports = parse(build_report(7, (BLOCK, BLOCK), ntp=3_900_000_000.5, packets=250))
    assert reports is not None
    assert reports.ssrc == 7
    assert reports.stamp == (3_900_000_000 & 0xFFFF) << 16 | 0x8000
    assert reports.blocks == (BLOCK, BLOCK)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x80\xc9\x00\x01\x00\x00\x00",  # cut off
        bytes.fromhex("40c9000100000001"),  # version 1
        bytes.fromhex("81c9000100000001"),  # a block that is not there
        bytes.fromhex("80c8000100000001"),  # a sender without its information
        bytes.fromhex("80c900ff00000001"),  # longer than it is
        bytes.fromhex("80ca000100000001"),  # does not begin with a report
        bytes.fromhex("80c90001000000018012000100000001"),  # RTP behind it
        bytes.fromhex("a0c900010000000180ca000100000001"),  # padded, and not the last
        build_report(1, (BLOCK,) * 20) * 4,  # longer than a packet
    ],
)
def test_what_is_no_rtcp_is_not_read(packet: bytes) -> None:
    assert parse(packet) is None


def test_no_garbage_breaks_it() -> None:
    chance = random.Random(3550)
    whole = build_report(1, (BLOCK,), ntp=1.0)
    for _ in range(3000):
        broken = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        parse(bytes(broken))
        parse(chance.randbytes(chance.randrange(80)))
        parse(struct.pack("!BBH", 0x9F, 201, chance.randrange(40)) + chance.randbytes(150))
