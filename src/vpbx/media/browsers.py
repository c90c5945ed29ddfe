"""Browsers, which all come to one port: ICE (RFC 8445) tells them apart.

Loaded by the SRTP process alone.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from .secured import PACKET_BYTES, Secured, is_dtls, is_rtcp
from .stun import Check, is_stun

_MOST_SOURCES = 10_000
_MOST_OF_ONE = 32
"""Addresses of one browser: who knows its password may still not take those of all others."""


class Page:
    """One browser that was let come: where ICE has found it, and what was agreed with it."""

    def __init__(self, number: int, password: str, ssrc: int, public: socket.socket) -> None:
        self.number = number
        """Of the way that let it come; it may be talked with by another."""
        self.password = password
        self.at: tuple[str, int] | None = None
        self.sources: list[tuple[str, int]] = []
        """Where it has proved to be, the oldest first."""
        self.secured = Secured(ssrc)
        self.secured.send, self.secured.found = self.send, False
        self._nominated = False
        self._public = public

    def send(self, data: bytes) -> None:
        if self.at is not None:
            self._public.sendto(data, self.at)

    def checked(self, source: tuple[str, int], nominates: bool) -> None:
        """A pair works; the one that was nominated last is used, before that the first."""
        if nominates or not self._nominated:
            self.at = source
        self._nominated = self._nominated or nominates
        begins, self.secured.found = not self.secured.found, True
        if begins and self.secured.association is not None:
            self.secured.association.step()


class Browser:
    """The way inside of one leg of a browser; of several that ring, the one that answered."""

    def __init__(self, sockets: list[socket.socket], rtp: Any, rtcp: Any) -> None:
        self.inner, self.inner_rtcp = sockets
        self.page: Page | None = None
        self._rtp, self._rtcp = tuple(rtp), tuple(rtcp)

    def from_browser(self, data: bytes, secured: Secured) -> None:
        if is_rtcp(data):
            self.inner_rtcp.sendto(secured.decrypt_rtcp(data), self._rtcp)
        else:
            self.inner.sendto(secured.decrypt(data), self._rtp)

    def to_browser(self) -> None:
        data, source = self.inner.recvfrom(PACKET_BYTES)
        page = self.page
        if page is not None and source == self._rtp:
            page.send(page.secured.encrypt(data))

    def rtcp_to_browser(self) -> None:
        data, source = self.inner_rtcp.recvfrom(PACKET_BYTES)
        page = self.page
        if page is not None and source == self._rtcp:
            page.send(page.secured.encrypt_rtcp(data))

    def ways(self) -> list[tuple[socket.socket, Callable[[], None]]]:
        """Return each socket and what to do when something came to it."""
        return [(self.inner, self.to_browser), (self.inner_rtcp, self.rtcp_to_browser)]


class Browsers:
    """All of them, behind the public socket."""

    def __init__(self) -> None:
        self.public: socket.socket | None = None
        self.by_ufrag: dict[str, Page] = {}
        self._by_source: dict[tuple[str, int], Page] = {}

    def name(self, number: int, words: dict[str, Any]) -> None:
        assert self.public is not None
        page = Page(number, words["password"], words["ssrc"], self.public)
        self.by_ufrag[words["name"]] = page

    def receive(self) -> None:
        assert self.public is not None
        data, source = self.public.recvfrom(PACKET_BYTES)
        known = self._by_source.get(source)
        if not is_stun(data):
            if known is None:
                return
            if is_dtls(data):
                known.secured.take_dtls(data, source)
            elif isinstance(known.secured.channel, Browser):
                known.secured.channel.from_browser(data, known.secured)
            return
        check = Check.parse(data)
        page = self.by_ufrag.get(check.ufrag) if check is not None else None
        if check is None or page is None or not check.proves(page.password):
            return
        if known is not page and not self._place(source, page):
            return
        self.public.sendto(check.answer(source, page.password), source)
        page.checked(source, check.nominates)

    def _place(self, source: tuple[str, int], page: Page) -> bool:
        """Note that a browser is there too; False: there are too many of others."""
        if (before := self._by_source.pop(source, None)) is not None:
            before.sources.remove(source)
        if len(page.sources) >= _MOST_OF_ONE:
            oldest = next(place for place in page.sources if place != page.at)
            page.sources.remove(oldest)
            del self._by_source[oldest]
        if len(self._by_source) >= _MOST_SOURCES:
            return False
        self._by_source[source] = page
        page.sources.append(source)
        return True

    def seat(self, browser: Browser, page: Page) -> None:
        """Talk with a browser by this way, whichever it was by before."""
        before = page.secured.channel
        if isinstance(before, Browser) and before is not browser:
            before.page = None
        if browser.page is not None and browser.page is not page:
            browser.page.secured.channel = None
        browser.page, page.secured.channel = page, browser

    def forget(self, number: int, browser: Browser) -> None:
        """Forget who came by a way that is closed, unless they are talked with by another."""
        gone = [
            ufrag
            for ufrag, page in self.by_ufrag.items()
            if page.secured.channel is browser
            or (page.number == number and page.secured.channel is None)
        ]
        pages = {id(self.by_ufrag.pop(ufrag)) for ufrag in gone}
        if pages:
            self._by_source = {
                source: page for source, page in self._by_source.items() if id(page) not in pages
            }
