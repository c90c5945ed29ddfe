"""Keys in descriptions (RFC 4568): which lines can be followed, and which one an answer chose."""

from __future__ import annotations

import base64

import pytest

from vpbx.sip.sdes import (
    SUITES,
    CryptoLine,
    fresh_lines,
    matching,
    reply_to,
    usable_lines,
)
from vpbx.sip.sdp import AudioCodec, MediaDescription, Sdp
from vpbx.sip.sdp_text import build

KEY = base64.b64encode(bytes(range(30))).decode()
GOOD = f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"


def stream(*values: str) -> MediaDescription:
    lines = [f"a=crypto:{value}" for value in values]
    text = build("192.0.2.1", 4000, [AudioCodec("PCMA", 8)], session_id=1, attributes=lines)
    audio = Sdp.parse(text).audio
    assert audio is not None
    return audio


@pytest.mark.parametrize(
    "value",
    [
        GOOD,
        f"{GOOD}|2^20",
        f"{GOOD}|1048576",
        f"{GOOD} WSH=128",
        GOOD.replace("inline", "INLINE").replace("AES_CM", "aes_cm"),
        GOOD.replace(" inline", "   inline"),
    ],
)
def test_lines_that_can_be_followed(value: str) -> None:
    (line,) = usable_lines(stream(value))
    assert (line.tag, line.suite, line.key) == (1, SUITES[0], bytes(range(30)))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        "x" + GOOD[1:],
        GOOD.replace("SHA1_80", "SHA1_96"),
        "1 AEAD_AES_256_GCM inline:" + KEY,
        GOOD.replace("inline:", "uri:"),
        GOOD[:-4],
        GOOD.replace(KEY, "!" * 40),
        f"{GOOD}|2^20|1:4",
        f"{GOOD};inline:{KEY}",
        f"{GOOD} UNENCRYPTED_SRTP",
        f"{GOOD} UNAUTHENTICATED_SRTP",
        f"{GOOD} KDR=1",
    ],
)
def test_lines_that_cannot_be_followed_are_left_out(value: str) -> None:
    assert usable_lines(stream(value)) == ()
    assert len(usable_lines(stream(value, GOOD))) == 1


def test_an_offer_has_another_key_for_each_suite_and_time() -> None:
    one, two = fresh_lines(), fresh_lines()
    assert [line.suite for line in one] == list(SUITES)
    assert len({line.key for line in (*one, *two)}) == 4
    assert usable_lines(stream(*(str(line).removeprefix("a=crypto:") for line in one))) == one


def test_an_answer_chooses_by_tag_and_suite_or_by_suite() -> None:
    ours = fresh_lines()
    assert matching(ours, CryptoLine(2, SUITES[1], b"")) is ours[1]
    assert matching(ours, CryptoLine(1, SUITES[1], b"")) is ours[1]
    assert matching(ours[:1], CryptoLine(1, SUITES[1], b"")) is None


def test_our_key_stays_for_a_suite() -> None:
    ours = fresh_lines()[0]
    again = reply_to(CryptoLine(7, SUITES[0], b"x"), ours)
    assert (again.tag, again.key) == (7, ours.key)
    other = reply_to(CryptoLine(7, SUITES[1], b"x"), ours)
    assert other.key != ours.key


def test_keys_are_not_shown_where_values_are_printed() -> None:
    line = fresh_lines()[0]
    assert base64.b64encode(line.key).decode() not in repr(line)
    assert repr(line.key)[2:-1] not in repr(line)
