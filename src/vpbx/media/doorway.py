"""The sockets at one media port: RTPProxy's with their guards, and those of ours beside them."""

from __future__ import annotations

import socket
from collections.abc import Callable

from . import kernel
from .listeners import Address, Listeners, Packets, read
from .packet_filter import rtcp_filter
from .post import Post, nothing

__all__ = ["Doorway"]


class Doorway:
    """Of one port, shut at first."""

    __slots__ = (
        *("_host", "_listeners", "_port", "_report", "_reports", "_sockets", "_sound"),
        *("beside", "numbers", "reports_from"),
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
        self._sound = Post(numbers[0], host, port, sockets, listeners)
        self._reports: Post | None = None
        """Of the RTCP port, from `guard` on."""
        self._report: Callable[[], None] | None = None
        """Is called when RTCP has come, in the place of RTPProxy."""
        self.beside: tuple[Address, ...] = ()
        """Where RTCP may come from."""
        self.reports_from = ""
        """A host that sends RTCP from any port, as far as we hear it ourselves."""
        self._sound.stand(None)

    # -- sound -----------------------------------------------------------------------------------

    def let_in(self, program: Callable[[], bytes] = nothing) -> None:
        """Let RTPProxy hear the RTP that a filter lets through, when nobody listens any more."""
        self._sound.let_in(program)

    def listen(self, heard: Callable[[], None] | None) -> socket.socket | None:
        """Hear what comes from now on instead of RTPProxy, until `aside`; None: drop it. Returns
        where to read; None: there is no room for it, so RTPProxy hears what it may."""
        return self._sound.stand(heard)

    @property
    def sifts(self) -> bool:
        """Whether the one that listens has a filter."""
        return self._sound.sifts

    def sift(self, program: bytes) -> None:
        """Have the one that listens hear only what a filter lets through."""
        self._sound.sift(program)

    def ready(self) -> None:
        """Make sure that RTPProxy will hear only what it may when nobody listens any more."""
        self._sound.ready()

    def aside(self) -> None:
        """Listen no more; harmless when nobody does."""
        self._sound.aside()

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

    # -- reports ---------------------------------------------------------------------------------

    def hear_reports(self, heard: Callable[[], None]) -> None:
        """Have `heard` called when RTCP has come, from `guard` on."""
        self._report = heard

    def guard(self) -> None:
        """Let nothing come to the RTCP port that was not let in; before RTPProxy knows a peer
        whom it would pass it on to."""
        if self._reports is None:
            self._reports = Post(
                self.numbers[1], self._host, self._port + 1, self._sockets, self._listeners
            )
            if self._report is not None:
                self._reports.stand(self._report)
            self._reports.let_in(self._allowed)

    @property
    def hears_reports(self) -> bool:
        """Whether RTCP comes to us."""
        return self._reports is not None and self._reports.front is not None

    def let_reports_in(self, beside: tuple[Address, ...], host: str) -> None:
        """Let RTCP in that comes from one of these; where it comes to us, from any port of that
        host, if one is given."""
        self.beside, self.reports_from = beside, host
        if self._reports is not None:
            self._reports.let_in(self._allowed)
            if self._reports.sifts:
                self._reports.sift(self._fitting())

    def reports(self) -> Packets:
        """Return the RTCP that has come; from then on strangers are kept off by the kernel."""
        post = self._reports
        packets = read(post.front)[0] if post is not None and post.front is not None else []
        fitting = [one for one in packets if self._fits(one[1])]
        if len(fitting) != len(packets) and post is not None and not post.sifts:
            post.sift(self._fitting())
        return fitting

    def reports_no_more(self) -> None:
        """Let RTPProxy have RTCP again; harmless when it has."""
        if self._reports is not None:
            self._reports.aside()

    def _fits(self, source: Address) -> bool:
        return source[0] == self.reports_from if self.reports_from else source in self.beside

    def _fitting(self) -> bytes:
        """Return the filter that does the same as `_fits`."""
        return rtcp_filter(((self.reports_from, None),)) if self.reports_from else self._allowed()

    def _allowed(self) -> bytes:
        return rtcp_filter(self.beside) if self.beside else nothing()

    # -- the end ---------------------------------------------------------------------------------

    def shut(self) -> None:
        """Hear nothing more; RTPProxy is about to close its sockets."""
        self._report = None
        self._sound.deafen()
        if self._reports is not None:
            self._reports.deafen()

    def leave(self) -> None:
        """Close our own sockets: RTPProxy knows nobody any more to pass on to what comes."""
        self._sound.leave()
        if self._reports is not None:
            self._reports.leave()
