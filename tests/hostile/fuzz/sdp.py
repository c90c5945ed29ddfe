"""Session descriptions by the grammar of RFC 8866, nearly right."""

from __future__ import annotations

from tests.hostile.fuzz.chance import Chance


def _address(c: Chance) -> str:
    return c.choice(
        (
            *("IN IP4 192.0.2.1", "IN IP4 0.0.0.0", "IN IP6 2001:db8::1", "IN IP4 pbx.example"),
            *("IN IP4 224.2.1.1/127/3", "IN IP6 ff15::101/3", "ATM NSAP 47.0091", "IN IP4"),
        )
    )


def _attribute(c: Chance) -> str:
    number = c.number(130)
    return c.choice(
        (
            *(f"rtpmap:{number} PCMA/8000", f"rtpmap:{number} opus/48000/2", "rtpmap:8"),
            *(f"rtpmap:{number} telephone-event/8000", f"fmtp:{number} 0-16", "fmtp:"),
            *("sendrecv", "sendonly", "recvonly", "inactive", f"ptime:{c.number(200)}", "rtcp-mux"),
            *(f"rtcp:{c.number()}", f"rtcp:{c.number()} {_address(c)}", "maxptime:x"),
            f"crypto:{c.number(9)} AES_CM_128_HMAC_SHA1_80 inline:{c.token(40)}|2^20|1:4",
            f"fingerprint:sha-256 {':'.join(f'{c.randrange(256):02X}' for _ in range(32))}",
            *("setup:actpass", "setup:", f"ice-ufrag:{c.token()}", f"ice-pwd:{c.token(30)}"),
            f"candidate:1 1 UDP {c.number()} 192.0.2.1 {c.number()} typ host",
            *("group:BUNDLE 0 1", f"mid:{c.token()}", c.token(), f"{c.token()}:{c.odd()}", ""),
        )
    )


def _media(c: Chance) -> list[str]:
    kind = c.choice(("audio", "audio", "audio", "video", "image", "application", c.token()))
    profile = c.choice(("RTP/AVP", "RTP/SAVP", "UDP/TLS/RTP/SAVPF", "udptl", "RTP/AVPF", ""))
    formats = " ".join(c.number(130) for _ in range(c.randint(0, 6)))
    lines = [f"m={kind} {c.number()} {profile} {formats}"]
    if c.maybe(0.3):
        lines.append(f"c={_address(c)}")
    lines += [f"a={_attribute(c)}" for _ in range(c.randint(0, 6))]
    return lines


def description(c: Chance) -> str:
    """A session description."""
    lines = [
        "v=0",
        f"o={c.choice(('- 1 1', 'ann 53655765 2353687637', '-', c.token()))} {_address(c)}",
        f"s={c.choice(('-', ' ', '', 'call'))}",
        f"c={_address(c)}",
        f"t={c.choice(('0 0', '2873397496 2873404696', ''))}",
    ]
    lines += [f"b=AS:{c.number()}", "i=x"][: c.randint(0, 2)]
    lines += [f"a={_attribute(c)}" for _ in range(c.randint(0, 2))]
    for _ in range(c.choice((0, 1, 1, 1, 1, 2, 3, 40))):
        lines += _media(c)
    lines = [c.sometimes_spoilt(line, 0.04) for line in lines if c.maybe(0.97)]
    if c.maybe(0.05):
        c.shuffle(lines)
    return c.choice(("\r\n", "\r\n", "\r\n", "\n", "\r")).join([*lines, ""])
