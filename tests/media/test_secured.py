"""The context of SRTP of one leg (RFC 3711)."""

from __future__ import annotations

import os
from collections import defaultdict

import pytest
from pylibsrtp import Error, Policy, Session

from vpbx.media.rtp import Packet
from vpbx.media.secured import Secured

SUITE = "AES_CM_128_HMAC_SHA1_80"
RX, TX = os.urandom(30), os.urandom(30)


def speech(ssrc: int, number: int) -> bytes:
    return bytes(Packet(8, number & 0xFFFF, 160 * number, ssrc, os.urandom(160)))


def sent(leg: Secured, packet: bytes) -> list[bytes]:
    try:
        return [leg.encrypt(packet)]
    except Error:
        return []


@pytest.mark.parametrize(
    "order",
    [
        [(1, 100), (1, 101), (2, 5000), (2, 4999), (2, 5001)],
        [(1, 100), (2, 5000), (1, 101), (2, 4999), (1, 100), (2, 5001)],
        [(1, 100), (1, 9000), (1, 8999), (1, 9001)],
        [(1, 100), (1, 101), (1, 101), (1, 100)],
        [(1, n) for n in (*range(65000, 66000), *range(65950, 66050))],
    ],
    ids=["late after a turn", "to and fro", "late after a leap", "twice", "past the wrap"],
)
def test_no_two_packets_are_encrypted_under_one_index(order: list[tuple[int, int]]) -> None:
    """Who has both would have one XOR the other (RFC 3711 §9.1)."""
    leg = Secured(5)
    leg.keys(SUITE, RX, TX)
    wire = [one for ssrc, number in order for one in sent(leg, speech(ssrc, number))]
    by_number: dict[bytes, set[bytes]] = defaultdict(set)
    for one in wire:
        by_number[one[2:4] + one[8:12]].add(one)
    assert {len(under) for under in by_number.values()} == {1}
    phone = Session(Policy(key=TX, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=1))
    assert len([phone.unprotect(one) for one in wire]) == len(wire) > 1
