"""Which phones want keys by DTLS: remembered, so that they are not offered SDES first each time."""

from __future__ import annotations

__all__ = ["Tastes"]

_MOST = 10_000


class Tastes:
    """What phones at their Contacts took last. In memory, bounded: knowing nothing costs a
    refused INVITE more."""

    def __init__(self) -> None:
        self._dtls: dict[str, None] = {}

    def prefers_dtls(self, contact: str) -> bool:
        """Say whether the phone answered an offer of DTLS last."""
        return contact in self._dtls

    def learn(self, contact: str, dtls: bool) -> None:
        """Note which offer it has answered."""
        self._dtls.pop(contact, None)
        if dtls:
            if len(self._dtls) >= _MOST:
                del self._dtls[next(iter(self._dtls))]
            self._dtls[contact] = None
