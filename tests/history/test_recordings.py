"""Where recordings lie, their links, and waiting for one in the making."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from vpbx.history import LINK_PATH, Encoding, RecordingLinks, recording_path

LINKS = RecordingLinks(b"0123456789abcdef")


def test_a_recording_lies_under_its_domain_and_utc_day() -> None:
    path = recording_path(Path("/data/records"), 7, "123456789", 1_700_000_000.0)
    assert path == Path("/data/records/7/2023/11/14/123456789.mp3")


def test_a_link_is_absolute_https_and_carries_its_signature() -> None:
    url = LINKS.url("acme.vpbx.example", 7, "123456789")
    signature = LINKS.signature(7, "123456789")
    path = LINK_PATH.format(callid="123456789", signature=signature)
    assert url == "https://acme.vpbx.example" + path


def test_a_link_may_start_with_another_base() -> None:
    links = RecordingLinks(b"0123456789abcdef", "http://127.0.0.1:8080/")
    assert links.url("acme", 7, "1").startswith("http://127.0.0.1:8080/crmapi/v1/records/1/")


def test_only_the_signature_of_that_call_in_that_domain_with_that_secret_is_good() -> None:
    good = LINKS.signature(7, "123456789")
    assert len(good) == 32
    assert LINKS.verify(7, "123456789", good)
    assert not LINKS.verify(8, "123456789", good)
    assert not LINKS.verify(7, "123456780", good)
    assert not LINKS.verify(71, "23456789", LINKS.signature(7, "123456789"))
    assert not RecordingLinks(b"another secret!!").verify(7, "123456789", good)
    assert not LINKS.verify(7, "123456789", good[:-1])
    assert not LINKS.verify(7, "123456789", "")
    assert not LINKS.verify(7, "123456789", "ü" * 32)
    assert not LINKS.verify(7, "123456789", "\ud800")


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        RecordingLinks(b"short")


async def test_who_waits_for_a_recording_wakes_when_it_is_there() -> None:
    encoding = Encoding()
    encoding.begin("1")
    waiting = [asyncio.create_task(encoding.wait("1", 5)) for _ in range(3)]
    await asyncio.sleep(0)
    encoding.end("1")
    assert await asyncio.gather(*waiting) == [True, True, True]
    assert not encoding.knows("1")


async def test_waiting_is_bounded() -> None:
    encoding = Encoding()
    encoding.begin("1")
    assert not await encoding.wait("1", 0.01)
    assert encoding.knows("1")
    assert await encoding.wait("another", 5)
