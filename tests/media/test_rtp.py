import pytest

from vpbx.media import g711
from vpbx.media.rtp import Packet, RtpEndpoint, dominant_frequency, goertzel, rms, tone


@pytest.mark.parametrize("payload", [g711.PCMU, g711.PCMA])
def test_g711_sound_survives_there_and_back(payload: int) -> None:
    sound = tone(440, 0.25)
    heard = g711.decode(payload, g711.encode(payload, sound))
    assert max(abs(a - b) for a, b in zip(sound, heard, strict=True)) < 600
    assert abs(dominant_frequency(heard) - 440) < 2


@pytest.mark.parametrize("payload", [g711.PCMU, g711.PCMA])
def test_every_g711_byte_keeps_its_value(payload: int) -> None:
    data = bytes(range(256))
    values = g711.decode(payload, data)
    assert g711.decode(payload, g711.encode(payload, values)) == values


def test_a_packet_survives_there_and_back() -> None:
    packet = Packet(8, 65535, 2**32 - 1, 7, b"abc", True)
    assert Packet.parse(bytes(packet)) == packet


def test_header_extension_sources_and_padding_are_no_sound() -> None:
    header = bytes(Packet(8, 1, 2, 3, b""))
    data = bytes([0x80 | 0x20 | 0x10 | 2]) + header[1:]
    data += bytes(8) + b"\xbe\xde\0\1" + bytes(4) + b"sound" + b"\0\0\3"
    packet = Packet.parse(data)
    assert packet is not None
    assert packet.payload == b"sound"
    assert Packet.parse(data[:-1] + b"\xff") is None


@pytest.mark.parametrize("data", [b"", b"\x80\x08", b"\x00" * 20, b"\x90" + b"\0" * 11])
def test_what_is_no_rtp_is_ignored(data: bytes) -> None:
    assert Packet.parse(data) is None


def test_measures_tell_tones_apart() -> None:
    sound = tone(425, 0.5)
    assert goertzel(sound, 425) > 0.95
    assert goertzel(sound, 700) < 0.01
    assert abs(dominant_frequency(sound) - 425) < 1
    assert dominant_frequency([0] * 800) == 0.0
    assert rms([0] * 10) == 0.0


async def test_two_endpoints_hear_each_other() -> None:
    one, two = await RtpEndpoint.open(), await RtpEndpoint.open(payload_type=g711.PCMU)
    try:
        one.connect(*two.local)
        two.connect(*one.local)
        one.send_tone(425)
        two.send_tone(700)
        await one.hear(30)
        await two.hear(5)
        assert abs(one.frequency() - 700) < 3
        assert abs(two.frequency() - 425) < 3
        assert set(one.payloads) == {0}
        two.send_digits("12#")
        while len(one.digits) < 3:
            await one.hear()
        assert one.digits == "12#"
    finally:
        one.close()
        two.close()
