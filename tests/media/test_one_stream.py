"""What an encrypted leg hears is one stream, whoever speaks (RFC 3550 §7.1, RFC 4733)."""

import itertools
import struct

from vpbx.media.one_stream import OneStream
from vpbx.media.rtcp import parse
from vpbx.media.rtp import Packet

OURS = 0x12345678
EVENTS = 101


def stream() -> OneStream:
    made = OneStream(OURS)
    made.events, made.rates = EVENTS, {111: 48000}
    return made


def passed(to: OneStream, packet: Packet, now: float) -> Packet:
    found = Packet.parse(to.pass_on(bytes(packet), now))
    assert found is not None
    assert (found.ssrc, found.payload) == (OURS, packet.payload)
    assert found.payload_type == packet.payload_type
    return found


def speech(ssrc: int, number: int, time: int, *, kind: int = 8, payload: bytes = b"x") -> Packet:
    return Packet(kind, number & 0xFFFF, time & 0xFFFFFFFF, ssrc, payload)


def test_numbers_and_times_go_on_when_another_one_speaks() -> None:
    """Music that began at its own zero, and the colleague again, who was silent for 10 s."""
    to = stream()
    talk = [passed(to, speech(1, 65530 + n, 4294967000 + 160 * n), 0.02 * n) for n in range(10)]
    music = [passed(to, speech(2, n, 160 * n), 0.2 + 0.02 * n) for n in range(500)]
    again = [
        passed(to, speech(1, 65540 + n, 4294967000 + 1600 + 160 * n), 10.2 + 0.02 * n)
        for n in range(5)
    ]
    heard = [*talk, *music, *again]
    for before, after in itertools.pairwise(heard):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        assert abs(((after.timestamp - before.timestamp) & 0xFFFFFFFF) - 160) <= 1
    assert [n for n, packet in enumerate(heard) if packet.marker] == [0, 10, 510]


def test_what_was_lost_or_came_late_stays_so() -> None:
    """Else a browser could not know of it."""
    to = stream()
    order = [10, 11, 14, 13, 15]
    found = [passed(to, speech(1, n, 160 * n), 0.02 * n) for n in order]
    first = found[0]
    assert [(p.sequence - first.sequence) & 0xFFFF for p in found] == [0, 1, 4, 3, 5]
    assert [p.timestamp - first.timestamp for p in found] == [0, 160, 640, 480, 800]
    other = passed(to, speech(2, 500, 0), 0.32)
    assert (other.sequence - first.sequence) & 0xFFFF == 6


def test_a_phone_that_begins_anew_with_its_old_ssrc_goes_on_too() -> None:
    to = stream()
    before = passed(to, speech(1, 40000, 9_000_000), 1.0)
    after = passed(to, speech(1, 7, 160), 1.02)
    assert (after.sequence - before.sequence) & 0xFFFF == 1
    assert abs(after.timestamp - before.timestamp - 160) <= 1


def test_a_key_press_in_a_stream_of_its_own_stays_one_press() -> None:
    """Some phones press keys with another SSRC while they speak: all packets of a press have
    one timestamp, between whatever else is heard."""
    to, presses = stream(), []
    for n in range(20):
        passed(to, speech(1, n, 160 * n), 0.02 * n)
        if n >= 5:
            press = speech(9, n, 77_000, kind=EVENTS, payload=b"\x05\x0a" + bytes((0, n)))
            presses.append(passed(to, press, 0.02 * n + 0.001))
    assert len({press.timestamp for press in presses}) == 1
    second = [passed(to, speech(9, 30 + n, 85_000, kind=EVENTS), 1.4 + 0.02 * n) for n in range(3)]
    assert len({press.timestamp for press in second}) == 1
    assert second[0].timestamp != presses[0].timestamp


def test_time_goes_on_by_the_clock_of_the_codec() -> None:
    to = stream()
    first = passed(to, speech(1, 1, 0, kind=111), 0.0)
    again = passed(to, speech(2, 1, 0, kind=111), 2.0)
    assert again.timestamp - first.timestamp == 96_000


def test_a_speaker_is_told_its_own_numbers_wherever_ours_began() -> None:
    """With the cycles of its own count (RFC 3550 §6.4.1), whatever the leg's count says."""
    for begins, ours in itertools.product((3, 30_000, 65_500), (0, 2, 20_000, 65_530)):
        to = stream()
        number, out = 0, passed(to, speech(9, 0, 0), 0.0)
        while ahead := (ours - 1 - out.sequence) & 0xFFFF:
            number += min(ahead, 2000)
            out = passed(to, speech(9, number, 0), 0.0)
        for n in range(100):
            out = passed(to, speech(1, begins + n, 160 * n), 0.02 * n)
            block = struct.pack("!IIIIII", OURS, 0, out.sequence, 3, 0, 0)
            heard = to.heard_of(struct.pack("!BBHI", 0x81, 201, 7, 5) + block)
            assert struct.unpack_from("!IIII", heard, 4) == (5, 1, 0, begins + n)


def test_reports_speak_of_the_one_stream_on_the_one_side_and_of_who_speaks_on_the_other() -> None:
    to = stream()
    out = passed(to, speech(1, 100, 16_000), 0.0)
    sender = struct.pack("!BBHIQIII", 0x80, 200, 6, 1, 7, 16_160, 50, 8000)
    name = b"\x81\xca\x00\x03" + struct.pack("!I", 1) + b"\x01\x03abc\x00\x00\x00"
    bye = struct.pack("!BBHI", 0x81, 203, 1, 1)
    told = to.report(sender + name + bye)
    kind, ssrc, _, time = struct.unpack_from("!xBxxIQI", told)
    assert (kind, ssrc, time) == (200, OURS, (out.timestamp + 160) & 0xFFFFFFFF)
    assert told[28:30] == b"\x81\xca"
    assert struct.unpack_from("!I", told, 32) == (OURS,)
    assert b"abc" not in told
    assert b"\xcb" not in told[28:]
    assert to.report(bye) == b""
    assert to.report(b"\x80") == b""
    block = struct.pack("!IIIIII", OURS, 0, out.sequence, 3, 0, 0)
    heard = to.heard_of(struct.pack("!BBHI", 0x81, 201, 7, 5) + block)
    assert struct.unpack_from("!IIII", heard, 4) == (5, 1, 0, 100)
    cut = struct.pack("!BBHI", 0x9F, 201, 1, 5)
    assert to.heard_of(cut) == cut


def test_padding_and_blocks_that_are_not_there_do_not_spoil_a_report() -> None:
    """Ours are followed by our name, and only the last packet may be padded (RFC 3550 §6.4.1)."""
    to = stream()
    passed(to, speech(1, 100, 160), 0.0)
    padding = bytes(3) + b"\x04"
    sender = struct.pack("!IIIIII", 1, 2, 3, 160, 5, 800)
    for kind, words, body in ((200, 6, sender), (201, 1, struct.pack("!I", 1))):
        head = struct.pack("!BBH", 0x80, kind, words)
        padded = struct.pack("!BBH", 0xA0, kind, words + 1) + body + padding
        assert to.report(padded) == to.report(head + body)
        assert parse(to.report(padded)) is not None
        for wrong in (b"\0\0\0\0", b"\0\0\0\x03", b"\0\0\0\xff"):
            assert to.report(padded[:-4] + wrong) == b""
        assert to.report(struct.pack("!BBH", 0x9F, kind, words) + body) == b""
