"""What is mixed: every codec there and back, lost and late packets, more than there is room for."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from vpbx.media.rtp import Packet, goertzel, tone
from vpbx.media.voices import FRAME, MIXABLE, Buffer, Hearing, Speech, mixed


def frames(hz: float) -> list[array[int]]:
    sound = tone(hz, 1.0)
    return [sound[at : at + FRAME] for at in range(0, len(sound), FRAME)]


@pytest.mark.parametrize("codec", sorted(MIXABLE))
def test_two_voices_are_both_heard_in_every_codec(codec: str) -> None:
    speech, hearing, heard = Speech(), Hearing(), array("h")
    for one, other in zip(frames(440), frames(880), strict=True):
        packet = Packet.parse(speech.say(mixed(one, other), 100, codec))
        if packet is not None:  # an encoder may gather first
            heard.extend(hearing.hear(packet, codec))
    sound = heard[-4000:]
    assert len(sound) == 4000
    assert goertzel(sound, 440) > 0.3
    assert goertzel(sound, 880) > 0.3


def test_a_stream_counts_on_and_begins_with_a_marker() -> None:
    speech = Speech()
    sent = [Packet.parse(speech.say(frame, 8, "PCMA")) for frame in frames(440)[:3]]
    first, second, third = (packet for packet in sent if packet is not None)
    assert (first.marker, second.marker) == (True, False)
    assert (second.sequence - first.sequence) & 0xFFFF == 1
    assert (third.timestamp - first.timestamp) & 0xFFFFFFFF == 2 * FRAME
    assert first.ssrc == third.ssrc


@pytest.mark.parametrize("codec", sorted(MIXABLE))
def test_a_voice_is_put_into_the_packets_of_another(codec: str) -> None:
    """Their numbers, times and SSRC stay, so that nobody notices where it begins and ends."""
    theirs, speech, hearing, heard = Speech(), Speech(), Hearing(), array("h")
    inner = Hearing()
    for one, other in zip(frames(440), frames(880), strict=True):
        packet = Packet.parse(theirs.say(one, 100, codec))
        if packet is None:
            continue
        sound = inner.hear(packet, codec)
        made = Packet.parse(speech.over(packet, mixed(sound, other), codec))
        if made is not None:
            assert replace(made, payload=packet.payload) == packet
            heard.extend(hearing.hear(made, codec))
    assert goertzel(heard[-4000:], 440) > 0.3
    assert goertzel(heard[-4000:], 880) > 0.3


def test_what_comes_late_or_twice_is_not_heard() -> None:
    hearing = Hearing()
    packets = [Packet(8, n, n * 160, 7, bytes([0xD5]) * 160) for n in (65535, 0, 0, 65534, 1)]
    assert [len(hearing.hear(packet, "PCMA")) for packet in packets] == [160, 160, 0, 0, 160]
    other = Packet(8, 65000, 0, 8, bytes([0xD5]) * 160)
    assert len(hearing.hear(other, "PCMA")) == 160  # another stream


def test_a_buffer_waits_for_40_ms_and_never_grows() -> None:
    buffer, loud, silence = Buffer(), array("h", [9] * FRAME), array("h", bytes(2 * FRAME))
    buffer.put(loud)
    assert buffer.take() == silence
    buffer.put(loud)
    assert [buffer.take() for _ in range(3)] == [loud, loud, silence]
    for _ in range(100):
        buffer.put(loud)
    taken = 0
    while buffer.take() == loud:
        taken += 1
    assert taken <= 12


def test_packets_of_30_ms_are_taken_20_ms_at_a_time() -> None:
    buffer, sound = Buffer(), tone(440, 0.12)
    for at in range(0, len(sound), 240):
        buffer.put(sound[at : at + 240])
    heard = array("h")
    for _ in range(6):
        heard.extend(buffer.take())
    assert heard == sound


def test_what_is_too_loud_together_is_cut_and_never_wraps() -> None:
    loud = array("h", [30000, -30000] * (FRAME // 2))
    assert mixed(loud, loud) == array("h", [32767, -32768] * (FRAME // 2))
