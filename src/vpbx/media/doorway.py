"""The sockets at one media port: RTPProxy's with their filters, and those of ours beside them."""

from __future__ import annotations

import socket
from collections.abc import Callable

from . import kernel
from .listeners import Address, Listeners
from .packet_filter import NOTHING, rtcp_filter

__all__ = ["Doorway"]


class Doorway:
    """Of one port. A filter costs more than all else here: one is put on only where it says
    something else than the one before."""

    __slots__ = (
        *("_host", "_listeners", "_port", "_programs", "_reporter", "_sockets"),
        *("numbers", "reports_from"),
    )

    def __init__(
        self,
        host: str,
        port: int,
        numbers: tuple[int, int],
        *,
        sockets: kernel.Sockets,
        listeners: Listeners,
    ) -> None:
        self.numbers = numbers
        """RTPProxy's sockets for RTP and RTCP."""
        self._host = host
        self._port = port
        self._sockets = sockets
        self._listeners = listeners
        self._programs = [b"", b""]
        """Their filters; at the RTCP port one is put on by `guard`, unless an SDP came first."""
        self._reporter: socket.socket | None = None
        """Hears RTCP in the place of RTPProxy."""
        self.reports_from = ""
        """A host that sends RTCP from any port, as far as we hear it ourselves."""
        kernel.allow_second_socket(numbers[0])
        self.let_in(NOTHING)

    def let_in(self, program: bytes) -> None:
        """Let RTPProxy hear the RTP that a filter lets through."""
        self._put(0, program)

    def let_reports_in(self, program: bytes) -> None:
        """Let RTPProxy hear the RTCP that a filter lets through, or who hears it instead."""
        self._put(1, program)
        if self._reporter is not None:
            kernel.attach_filter(self._reporter.fileno(), self._reports_filter())

    def guard(self) -> None:
        """Let nothing come to the RTCP port that no filter has let in."""
        if not self._programs[1]:
            self._put(1, NOTHING)

    def _put(self, place: int, program: bytes) -> None:
        if program != self._programs[place]:
            self._programs[place] = program
            kernel.attach_filter(self.numbers[place], program)

    def hear_reports(self, heard: Callable[[], None]) -> socket.socket | None:
        """Open a socket that RTCP comes to from then on in the place of RTPProxy's, until
        `reports_no_more`; None: that cannot be."""
        kernel.allow_second_socket(self.numbers[1])
        self._reporter = self._listeners.open(
            self._host, self._port + 1, heard, program=self._reports_filter()
        )
        if self._reporter is not None:
            self._sockets.hold(self._reporter.fileno())
        return self._reporter

    def reports_no_more(self) -> None:
        """Let RTPProxy have RTCP again; harmless when it has."""
        reporter, self._reporter = self._reporter, None
        if reporter is not None:
            self.close(reporter)

    def _reports_filter(self) -> bytes:
        if self.reports_from:
            return rtcp_filter(((self.reports_from, None),))
        return self._programs[1] or NOTHING

    def open(
        self, heard: Callable[[], None], program: bytes = b"", connected: Address | None = None
    ) -> socket.socket | None:
        """Open a second socket on the port, for what a filter lets through if it is given;
        `connected`: RTPProxy's goes on hearing all others. None: there is no room for it."""
        sock = self._listeners.open(
            self._host, self._port, heard, program=program, connected=connected
        )
        if sock is not None:
            self._sockets.hold(sock.fileno())
        return sock

    def close(self, sock: socket.socket) -> None:
        """Close a socket that `open` returned."""
        self._sockets.closed(sock.fileno())
        self._listeners.drop(sock)
