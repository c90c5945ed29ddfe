"""Who has the packets of a side instead of RTPProxy, for a while or as one who passes them on."""

from __future__ import annotations

import socket
from collections.abc import Callable

from .admission import Admission
from .doorway import Doorway
from .listeners import Address, read

__all__ = ["Heard", "Lender"]

Heard = Callable[[bytes], None]
"""Who is given packets."""


class Lender:
    """Of one gate. Those who have borrowed the packets have them before the one spliced in."""

    __slots__ = ("_borrower", "_doorway", "_spliced", "_takers", "inside", "kept")

    def __init__(self, doorway: Doorway) -> None:
        self._doorway = doorway
        self._takers: list[Heard] = []
        self._borrower: socket.socket | None = None
        """Hears the packets for them, while the gate is open."""
        self._spliced: Heard | None = None
        self.inside: Address | None = None
        """Whence RTPProxy hears what the one who is spliced in passes on."""
        self.kept = 0
        """Packets that those who borrowed them had, since nobody had borrowed any before."""

    @property
    def lends(self) -> bool:
        """Whether somebody else than RTPProxy has the packets."""
        return bool(self._takers) or self._spliced is not None

    @property
    def borrowed(self) -> bool:
        """Whether somebody has borrowed the packets, whoever else is spliced in."""
        return bool(self._takers)

    def has_lent(self, heard: Heard) -> bool:
        """Say whether somebody has borrowed the packets."""
        return heard in self._takers

    def borrow(self, heard: Heard, source: Address, admission: Admission) -> bool:
        """Give the packets to `heard` too; False: that cannot be."""
        if self._borrower is None and not self.lend(source, admission):
            return False
        if not self._takers:
            self.kept = 0
        self._takers.append(heard)
        return True

    def give_back(self, heard: Heard) -> None:
        """Give them to `heard` no more; harmless for who has not borrowed them."""
        if heard in self._takers:
            self._hear()
            self._takers.remove(heard)
            if not self.lends:
                self.stop()

    def splice(self, heard: Heard, inside: Address) -> bool:
        """Give all packets to `heard` while nobody borrows them; False: somebody is there."""
        if self._spliced is not None:
            return False
        self._spliced, self.inside = heard, inside
        return True

    def unsplice(self) -> bool:
        """Take out who is spliced in, and stop; False: nobody was."""
        if self._spliced is None:
            return False
        self.stop()
        self._spliced = self.inside = None
        return True

    def lend(self, source: Address | None, admission: Admission) -> bool:
        """Have who has borrowed the packets hear those of the source that is known now."""
        self.stop()
        if source is not None:
            # Connected where RTPProxy's own socket is to hear who is spliced in.
            connected = source if self.inside is not None else None
            program = admission.filter((source,))
            self._borrower = self._doorway.open(self._hear, program, connected)
        return self._borrower is not None

    def give(self, packet: bytes) -> None:
        """Let who has the packets now have this one."""
        for heard in tuple(self._takers):
            heard(packet)
        if not self._takers and self._spliced is not None:
            self._spliced(packet)

    def stop(self) -> None:
        """Hear nothing more for them, until `lend`."""
        self._hear()  # what has come already is not lost
        borrower, self._borrower = self._borrower, None
        if borrower is not None:
            self._doorway.close(borrower)

    def forget(self) -> None:
        """Give packets to nobody any more."""
        self._takers.clear()
        self._spliced = self.inside = None

    def _hear(self) -> None:
        packets = read(self._borrower)[0] if self._borrower is not None else []
        if self._takers:
            self.kept += len(packets)
        for packet, _ in packets:
            self.give(packet)
