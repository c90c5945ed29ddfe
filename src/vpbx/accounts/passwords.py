"""Passwords of the console: what they must look like, and their argon2id hashes (RFC 9106)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from vpbx.accounts.errors import Busy, Refused
from vpbx.directory import composed, composed_if_short

T = TypeVar("T")

SHORTEST, LONGEST = 10, 256
_AT_ONCE = 2
"""A hash takes 64 MiB and 50 ms of a core beside the loop; calls need the others."""
_IN_LINE = 40
_COMMON = ("password", "qwertyuiop", "1234567890", "0123456789", "1q2w3e4r5t", "йцукенгшщз")


class Passwords:
    """Hashes and checks passwords, a few at a time, in threads."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        self._nobody = ""

    async def hash(self, password: str) -> str:
        """Return the hash to keep."""
        return await self._beside(self._hasher.hash, composed(password))

    async def fits(self, kept: str, password: str) -> bool:
        """Say whether `password` has the hash `kept`; as slow when there is none ("")."""
        if not self._nobody:
            self._nobody = await self._beside(self._hasher.hash, "nobody's")
        return await self._beside(self._verify, kept or self._nobody, password) and bool(kept)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, composed_if_short(password, LONGEST))
        except (VerificationError, InvalidHashError):
            return False

    async def _beside(self, work: Callable[..., T], *values: str) -> T:
        if self._waiting >= _IN_LINE:
            raise Busy
        self._waiting += 1
        try:
            async with self._places:
                return await asyncio.to_thread(work, *values)
        finally:
            self._waiting -= 1


def check(password: str, *names: str) -> None:
    """Raise `Refused` when `password` is too weak; `names` are words it must not be made of."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Refused("password", f"must be {SHORTEST} to {LONGEST} characters long")
    plain = password.lower()
    rest = plain
    for word in sorted({*names, *_COMMON}, key=len, reverse=True):
        if len(word) > 2:
            rest = rest.replace(word.lower(), "")
    if len(set(rest)) < 4:
        raise Refused("password", "is too easy to guess")
