"""One of RTPProxy's sockets: its filter, and a socket of ours in front of it.

A filter costs more than all else here. One of ours that is bound to the same port last is given
all its packets by the kernel: while it stands in front, RTPProxy's own filter can wait.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from . import kernel
from .listeners import Listeners
from .packet_filter import NOTHING

__all__ = ["Post", "nothing"]


def nothing() -> bytes:
    """Let nothing in."""
    return NOTHING


class Post:
    """Of one socket."""

    __slots__ = (
        *("_filter", "_host", "_listeners", "_port", "_sockets", "_wanted"),
        *("front", "number", "sifts"),
    )

    def __init__(
        self, number: int, host: str, port: int, sockets: kernel.Sockets, listeners: Listeners
    ) -> None:
        self.number = number
        self.front: socket.socket | None = None
        """The one of ours, while it is there."""
        self.sifts = False
        """Whether that has a filter."""
        self._host = host
        self._port = port
        self._sockets = sockets
        self._listeners = listeners
        self._wanted: Callable[[], bytes] = nothing
        self._filter = b""
        kernel.allow_second_socket(number)

    def let_in(self, program: Callable[[], bytes]) -> None:
        """Let RTPProxy hear what a filter lets through; at once, or when nobody is in front."""
        self._wanted = program
        if self.front is None:
            self.ready()

    def ready(self) -> None:
        """Have RTPProxy's filter on from now on, whoever is in front."""
        program = self._wanted()
        if program != self._filter:
            self._filter = program
            kernel.attach_filter(self.number, program)

    def stand(self, heard: Callable[[], None] | None) -> socket.socket | None:
        """Have what comes from now on instead of RTPProxy, and `heard` called; what came before
        is dropped. None: it is to be dropped too. Returns where to read; None: it cannot be."""
        old = self.front
        if old is not None and not self.sifts:
            self._listeners.wait(old, heard)
            return old
        new = self._listeners.open(self._host, self._port, heard)
        if new is None:
            self.aside()
            return None
        self._sockets.hold(new.fileno())
        self._close()
        self.front = new
        return new

    def sift(self, program: bytes) -> None:
        """Let the one in front hear only what a filter lets through."""
        if self.front is not None:
            self.sifts = True
            kernel.attach_filter(self.front.fileno(), program)

    def aside(self) -> None:
        """Have nobody in front any more; harmless when nobody is."""
        self.ready()
        self._close()

    def deafen(self) -> None:
        """Hear nothing more: all is dropped, until `leave`."""
        if self.front is not None:
            self._listeners.wait(self.front, None)

    def leave(self) -> None:
        """Have nobody in front: RTPProxy hears nothing at this port any more."""
        self._close()

    def _close(self) -> None:
        front, self.front = self.front, None
        self.sifts = False
        if front is not None:
            self._sockets.closed(front.fileno())
            self._listeners.drop(front)
