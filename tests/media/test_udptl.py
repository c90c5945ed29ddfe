"""UDPTL: what T.38's datagrams hold, and what is made of those that get lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpbx.media.udptl import Arrivals, Junk, Sender, parse

PACKETS = [bytes([number]) * (number % 5 + 1) for number in range(1, 60)]


def _arrive(datagrams: list[bytes]) -> list[tuple[int, bytes]]:
    arrivals = Arrivals()
    return [packet for datagram in datagrams for packet in arrivals.take(datagram)]


def test_a_datagram_is_laid_out_as_the_standard_says() -> None:
    """Number, length and packet, no parity, then the one before it (T.38 §9.1.1)."""
    sender = Sender(copies=1)
    assert sender.write(b"\x06") == bytes.fromhex("0000 01 06 00 00")
    assert sender.write(b"\xc0\x01") == bytes.fromhex("0001 02 c001 00 01 01 06")
    assert sender.write(bytes(300))[:6] == bytes.fromhex("0002 812c 0000")


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_so_many_lost_in_a_row_come_with_the_next(lost: int) -> None:
    sender = Sender(copies=3)
    sent = [sender.write(packet) for packet in PACKETS]
    kept = [data for number, data in enumerate(sent) if number % (lost + 1) == 0]
    last = len(sent) - 1 - (len(sent) - 1) % (lost + 1)
    assert _arrive(kept) == list(enumerate(PACKETS[: last + 1]))


def with_parity(number: int, span: int, groups: int) -> bytes:
    """Write a datagram as one who sends parity does (T.38 §9.1.4, as in its figure)."""
    head = number.to_bytes(2, "big") + bytes([len(PACKETS[number])]) + PACKETS[number]
    parts = [head, bytes([0x80, 1, span, groups])]
    for which in range(groups):
        first = number - span * groups + which
        covered = [PACKETS[n] for n in range(first, number, groups) if n >= 0]
        parity = bytearray(max(map(len, covered), default=1))
        for packet in covered:
            for at, byte in enumerate(packet):
                parity[at] ^= byte
        parts.append(bytes([len(parity)]) + parity)
    return b"".join(parts)


@pytest.mark.parametrize(("span", "groups"), [(3, 1), (3, 3), (4, 2), (1, 2)])
def test_as_many_lost_in_a_row_as_there_are_groups_are_made_anew_from_parity(
    span: int, groups: int
) -> None:
    sent = [with_parity(number, span, groups) for number in range(40)]
    lost = set(range(20, 20 + groups)) | set(range(33, 33 + groups))
    got = _arrive([data for number, data in enumerate(sent) if number not in lost])
    assert [number for number, _ in got] == list(range(40))
    for number, packet in got:  # the end of a shorter one is not to be known: zeros
        assert packet.rstrip(b"\0") == PACKETS[number]
        assert number in lost or packet == PACKETS[number]


def test_two_lost_of_one_group_stay_lost_and_nothing_is_made_up() -> None:
    sent = [with_parity(number, 3, 1) for number in range(12)]
    got = _arrive([data for number, data in enumerate(sent) if number not in (5, 6)])
    assert got == [(n, PACKETS[n]) for n in range(12) if n not in (5, 6)]


@pytest.mark.parametrize("tail", [b"", b"\x02\0\3\1", b"\1\xff\xff", b"\1\3\1\x09ab", b"\1\0\0"])
def test_parity_that_cannot_be_read_costs_not_the_packet_itself(tail: bytes) -> None:
    assert _arrive([b"\0\7\1\6\x80" + tail]) == [(7, b"\6")]


def test_what_comes_twice_or_late_counts_once() -> None:
    sender = Sender(copies=0)
    first, second, third = (sender.write(packet) for packet in PACKETS[:3])
    assert _arrive([first, first, third, second, third]) == [(0, PACKETS[0]), (2, PACKETS[2])]


def test_numbers_go_round_and_may_begin_anew() -> None:
    arrivals = Arrivals()
    turn = [(65_534).to_bytes(2, "big"), b"\xff\xff", b"\0\0", b"\0\1"]
    got = [arrivals.take(number + b"\x01\x06\0\0") for number in turn]
    assert [packets[0][0] for packets in got] == [65_534, 65_535, 0, 1]
    anew = [arrivals.take(bytes([90, number]) + b"\x01\x06\0\0") for number in range(6)]
    assert [bool(packets) for packets in anew] == [False, False, False, True, True, True]


def test_copies_that_do_not_fit_are_left_out() -> None:
    sender = Sender(copies=3, most_bytes=120)
    sizes = [len(sender.write(bytes(50))) for _ in range(5)]
    assert max(sizes) <= 120
    assert sizes[-1] > 100
    assert len(Sender(most_bytes=20).write(bytes(50))) > 50


@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    try:
        datagram = parse(data)
    except Junk:
        with pytest.raises(Junk):
            Arrivals().take(data)
        return
    assert datagram.ifp in data
    assert Arrivals().take(data)[-1] == (datagram.number, datagram.ifp)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=30))
def test_what_is_written_is_read(packets: list[bytes]) -> None:
    sender = Sender()
    assert _arrive([sender.write(packet) for packet in packets]) == list(enumerate(packets))
