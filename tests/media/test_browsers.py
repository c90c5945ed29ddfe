"""Browsers told apart at the port they all come to."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from vpbx.media.browsers import Browsers

from .test_stun import PASSWORD, check


@pytest.fixture
def browsers() -> Iterator[Browsers]:
    made = Browsers()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as public:
        public.bind(("127.0.0.1", 0))
        made.public = public
        yield made


def test_one_browser_cannot_take_the_room_of_all_others(browsers: Browsers) -> None:
    """It knows its password, and so may prove to be at any port it likes."""
    assert browsers.public is not None
    for name in ("ours", "other"):
        words = {"name": name, "password": PASSWORD, "ssrc": 1}
        browsers.name(1, words)
    page = browsers.by_ufrag["ours"]
    first = None
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
            mouth.bind(("127.0.0.1", 0))
            first = first or mouth.getsockname()
            mouth.sendto(
                check(nominates=mouth.getsockname() == first), browsers.public.getsockname()
            )
            browsers.receive()
    assert len(page.sources) == len(browsers._by_source) == 32
    assert page.at == first in page.sources
