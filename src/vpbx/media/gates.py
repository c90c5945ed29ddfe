"""The gates of an engine: how they come by the sockets that RTPProxy has opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import kernel
from .doorway import Doorway
from .gate import Doorkeeper, Gate
from .listeners import Listeners
from .packet_filter import EVERYTHING

__all__ = ["Gates"]

_ENOUGH_TO_WAKE = 4
"""RTP and RTCP have a thread each: those of one call are enough."""


class Gates:
    """Makes the gates of an engine."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._sockets = kernel.Sockets()
        self._listeners = Listeners()

    def expect(self) -> list[int]:
        """Return what `make` needs to know of the moment before RTPProxy opens the ports."""
        return self._sockets.free()

    def give_up(self, expected: Sequence[int]) -> None:
        """Note that `make` will not be asked for what was expected: there was no port, perhaps.

        RTPProxy closes those of ended calls when it opens others, or when a packet comes to any;
        where none is left to be opened, it is woken by packets of ours to some of them.
        """
        self._sockets.give_up(expected)
        for number, port in self._sockets.lingering(_ENOUGH_TO_WAKE):
            kernel.attach_filter(number, EVERYTHING)
            kernel.send_from(number, b"\0", (_near(self._host), port))

    def make(self, keepers: Mapping[int, Doorkeeper], expected: Sequence[int]) -> dict[int, Gate]:
        """Guard ports, shut at first; `keepers` by port. Empty when that cannot be done."""
        ports = [number for port in keepers for number in (port, port + 1)]
        found = self._sockets.find(ports, expected)
        if len(found) < 2 * len(keepers):
            self._sockets.release(found.values())
            return {}
        return {port: Gate(self._doorway(port, found), keepers[port]) for port in keepers}

    def _doorway(self, port: int, found: Mapping[int, int]) -> Doorway:
        numbers = found[port], found[port + 1]
        return Doorway(self._host, port, numbers, sockets=self._sockets, listeners=self._listeners)

    def release(self, gate: Gate) -> None:
        """Let a gate go; RTPProxy is about to close its sockets."""
        gate.close()
        self._sockets.release(gate.numbers)

    def look(self) -> None:
        """Hear what has come, should the event loop not have told."""
        self._listeners.look()

    def close(self) -> None:
        """Listen nowhere any more."""
        self._listeners.close()


def _near(host: str) -> str:
    """Return an address of this machine that comes to a socket bound to `host`."""
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104
