"""Nonces of digest, for whose challenges nothing is stored (RFC 7616 §3.3, §5.4).

They hold their own birth time and an HMAC over it, the realm and the source they were sent to;
so an answer shows that its sender receives what is sent to its address. What is stored (nonce
counts already used) belongs to requests that proved the password, and is bounded.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections import OrderedDict

from vpbx.clock import Clock

__all__ = ["Nonces"]

_BIRTH_BYTES, _RANDOM_BYTES, _SEAL_BYTES = 6, 4, 11
_NONCE_CHARS = 28
"""21 bytes: short, since an answer to a stranger has little room."""
_WINDOW = 64
_USED_UP = 0xFFFFFFFF


class Nonces:
    """Made and recognized by `secret`; good for `ttl_s`, and `max_kept` of them have counts."""

    def __init__(self, secret: bytes, *, clock: Clock, ttl_s: float, max_kept: int) -> None:
        if len(secret) < 16:
            raise ValueError("a digest secret has at least 16 bytes")
        self._secret = secret
        self._clock = clock
        self._ttl_ms = int(ttl_s * 1000)
        self._max_kept = max_kept
        self._counts: OrderedDict[str, tuple[int, int, int]] = OrderedDict()
        self._floor_ms = 0

    def seal(self, text: bytes) -> bytes:
        """Return what shows that we made a text."""
        return hmac.digest(self._secret, text, "sha256")[:_SEAL_BYTES]

    def make(self, realm: str, source: str) -> str:
        """Make one for a challenge that is sent to `source`."""
        birth = int(self._clock.steady() * 1000).to_bytes(_BIRTH_BYTES, "big")
        stamp = birth + secrets.token_bytes(_RANDOM_BYTES)
        seal = self.seal(stamp + f"{realm}\n{source}".encode("utf-8", "replace"))
        return base64.urlsafe_b64encode(stamp + seal).decode()

    def born_ms(self, nonce: str, realm: str, source: str) -> int | None:
        """Return when we made `nonce` for `realm` and `source`; None when we did not."""
        if len(nonce) != _NONCE_CHARS:
            return None
        try:
            raw = base64.urlsafe_b64decode(nonce)
        except ValueError:
            return None
        stamp, seal = raw[:-_SEAL_BYTES], raw[-_SEAL_BYTES:]
        ours = self.seal(stamp + f"{realm}\n{source}".encode("utf-8", "replace"))
        if not hmac.compare_digest(seal, ours):
            return None
        return int.from_bytes(stamp[:_BIRTH_BYTES], "big")

    def is_young(self, born: int) -> bool:
        """Say whether a nonce of that birth is good still, where no count was used."""
        age_ms = int(self._clock.steady() * 1000) - born
        return born > self._floor_ms and -1000 <= age_ms <= self._ttl_ms

    def spend(self, nonce: str, born: int, text: str) -> bool:
        """Use a nonce count once; False when nonce or count is no good (any more).

        Counts may come out of order within a window (UDP), each only once.
        """
        count = int(text, 16)
        if count < 1 or not self.is_young(born):
            return False
        _, highest, seen = self._counts.get(nonce, (born, 0, 0))
        if count > highest:
            seen = (seen << (count - highest)) | 1 if count - highest < _WINDOW else 1
            self._remember(nonce, born, count, seen & ((1 << _WINDOW) - 1))
            return True
        bit = 1 << (highest - count)
        if highest - count >= _WINDOW or seen & bit:
            return False
        self._remember(nonce, born, highest, seen | bit)
        return True

    def spend_once(self, nonce: str, born: int) -> bool:
        """Use up a nonce in an answer without a count; False when it is no good any more."""
        if not self.is_young(born) or nonce in self._counts:
            return False
        self._remember(nonce, born, _USED_UP, (1 << _WINDOW) - 1)
        return True

    def _remember(self, nonce: str, born: int, highest: int, seen: int) -> None:
        self._counts[nonce] = (born, highest, seen)
        oldest_good = int(self._clock.steady() * 1000) - self._ttl_ms
        while self._counts:
            first = next(iter(self._counts.values()))[0]
            if len(self._counts) > self._max_kept:
                self._floor_ms = max(self._floor_ms, first)
            elif first >= oldest_good:
                return
            self._counts.popitem(last=False)
