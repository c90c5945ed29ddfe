"""The way of an encrypted leg that has ports of its own. Loaded by the SRTP process alone."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from .secured import PACKET_BYTES, Secured, is_dtls, is_rtcp


class Channel:
    """The way of one encrypted leg that has ports of its own."""

    def __init__(self, sockets: list[socket.socket], rtp: Any, rtcp: Any) -> None:
        self.outer, self.outer_rtcp, self.inner, self.inner_rtcp = sockets
        self._rtp, self._rtcp = tuple(rtp), tuple(rtcp)
        self._to: tuple[str, int] | None = None
        self._to_rtcp: tuple[str, int] | None = None
        self._plain = False
        self._behind = ""
        self.secured = Secured()
        self.bear(self.secured)

    def bear(self, secured: Secured) -> None:
        """Carry this leg's packets."""
        self.secured, secured.channel = secured, self
        secured.send, secured.knows = self._send, self._known

    def _send(self, data: bytes) -> None:
        if self._to is not None:
            self.outer.sendto(data, self._to)

    def encrypted(self, to: Any) -> None:
        """The phone encrypts, and is at `to` until it is heard."""
        self._plain = False
        if to is not None:
            self.at(to)

    def at(self, to: Any, behind: str = "") -> None:
        """It is at `to`, or at the port of `behind` that is heard: the first one, or where
        keys are agreed on by DTLS the last one before its packets prove to be the phone's."""
        self._behind = behind
        self._to = (to[0], to[1]) if to is not None else None
        self._to_rtcp = (to[0], to[1] + 1) if to is not None else None

    def pass_plain(self, to: Any, behind: str) -> None:
        """Pass packets as they are."""
        self._plain = True
        self.at(to, behind)

    def _known(self, source: tuple[str, int]) -> bool:
        if source == self._to:
            return True
        if source[0] != self._behind:
            return False
        if self._plain:
            self._behind = ""  # else it has yet to prove that it is the phone
        self._to, self._to_rtcp = source, (source[0], source[1] + 1)
        return True

    def from_phone(self) -> None:
        data, source = self.outer.recvfrom(PACKET_BYTES)
        if self._plain:
            if self._known(source):
                self.inner.sendto(data, self._rtp)
        elif is_dtls(data):
            self.secured.take_dtls(data, source)
        elif is_rtcp(data):
            self.inner_rtcp.sendto(self.secured.decrypt_rtcp(data), self._rtcp)
        else:
            plain = self.secured.decrypt(data)
            self._to, self._behind = source, ""
            self.inner.sendto(plain, self._rtp)

    def from_phone_rtcp(self) -> None:
        data, source = self.outer_rtcp.recvfrom(PACKET_BYTES)
        if self._plain:
            if source == self._to_rtcp:
                self.inner_rtcp.sendto(data, self._rtcp)
        else:
            plain = self.secured.decrypt_rtcp(data)
            self._to_rtcp = source
            self.inner_rtcp.sendto(plain, self._rtcp)

    def to_phone(self) -> None:
        data, source = self.inner.recvfrom(PACKET_BYTES)
        if self._to is None or source != self._rtp:
            return
        self.outer.sendto(data if self._plain else self.secured.encrypt(data), self._to)

    def to_phone_rtcp(self) -> None:
        data, source = self.inner_rtcp.recvfrom(PACKET_BYTES)
        if self._to_rtcp is None or source != self._rtcp:
            return
        told = data if self._plain else self.secured.encrypt_rtcp(data)
        self.outer_rtcp.sendto(told, self._to_rtcp)

    def ways(self) -> list[tuple[socket.socket, Callable[[], None]]]:
        """Return each socket and what to do when something came to it."""
        return [
            (self.outer, self.from_phone),
            (self.outer_rtcp, self.from_phone_rtcp),
            (self.inner, self.to_phone),
            (self.inner_rtcp, self.to_phone_rtcp),
        ]
