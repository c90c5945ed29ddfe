"""How two PBXs prove to each other that they hold the same key, which itself never travels.

Pure. From the key and the two domains both sides derive the same secret (scrypt, so that what
travels is no quick way to a weak key). The one that asks is given a challenge; it answers with
one of its own and a MAC over both, the two names and what it sends; the answer's MAC covers the
same and what comes back. Each MAC names who made it, so none can be sent back to its maker.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["Challenges", "derive", "proof", "proven", "sip_password"]

_GOOD_FOR_S = 60
_MAX_USED = 10_000


def derive(key: str, one: str, other: str) -> bytes:
    """Return the secret of two domains (in either order) that share `key`; takes some 50 ms."""
    salt = "|".join(["vpbx branch 1", *sorted((one.lower(), other.lower()))])
    return hashlib.scrypt(key.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=32)


def sip_password(secret: bytes) -> str:
    """Return what the two authenticate their calls with."""
    return hmac.new(secret, b"sip", hashlib.sha256).hexdigest()


def proof(secret: bytes, *, by: str, to: str, challenge: str, counter: str, content: bytes) -> str:
    """Return the MAC of `content` that `by` sends to `to`; both challenges are under it."""
    text = "\n".join([by.lower(), to.lower(), challenge, counter]).encode()
    return hmac.new(
        secret, text + b"\n" + hashlib.sha256(content).digest(), hashlib.sha256
    ).hexdigest()


def proven(given: str, expected: str) -> bool:
    """Compare two proofs in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


class Challenges:
    """Challenges of ours: nothing is kept of one until somebody has proved something with it."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._secret = secrets.token_bytes(32)
        self._now = now
        self._used: OrderedDict[str, float] = OrderedDict()

    def new(self) -> str:
        """Return a challenge, good for a minute and once."""
        head = f"{int(self._now())}.{secrets.token_hex(16)}"
        return f"{head}.{self._seal(head)}"

    def good(self, challenge: str) -> bool:
        """Say whether it is one of ours, in time and not used."""
        head, _, seal = challenge.rpartition(".")
        if not proven(seal, self._seal(head)) or challenge in self._used:
            return False
        return 0 <= self._now() - int(head.partition(".")[0]) <= _GOOD_FOR_S

    def use(self, challenge: str) -> None:
        """Let it be good no more."""
        self._used[challenge] = self._now()
        while self._used:
            oldest = next(iter(self._used.values()))
            if len(self._used) <= _MAX_USED and self._now() - oldest <= _GOOD_FOR_S:
                break
            self._used.popitem(last=False)

    def _seal(self, head: str) -> str:
        return hmac.new(self._secret, head.encode(), hashlib.sha256).hexdigest()[:32]
