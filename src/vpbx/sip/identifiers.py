"""Branches, tags and Call-IDs: random, and telling nothing about this machine."""

from __future__ import annotations

import os

BRANCH_COOKIE = "z9hG4bK"
"""With it begins the branch of every peer since RFC 3261."""
_POOL_CHARS = 8192


class _Random:
    """Hexadecimal digits of the system's generator, fetched many at a time: a system call for
    each of a call's identifiers is dear. None is given out twice, as long as one thread takes
    them (the loop's); a forked child begins anew."""

    __slots__ = ("_at", "_digits")

    def __init__(self) -> None:
        self.empty()

    def empty(self) -> None:
        """Forget what is left."""
        self._digits, self._at = "", 0

    def take(self, count: int) -> str:
        """Return the next `count` digits, 4 random bits each."""
        at = self._at
        self._at = end = at + count
        if end > len(self._digits):
            self._digits = os.urandom(_POOL_CHARS // 2).hex()
            at, self._at = 0, count
        return self._digits[at : self._at]


_random = _Random()
os.register_at_fork(after_in_child=_random.empty)
_OUR_BRANCH = f"{BRANCH_COOKIE}v{_random.take(8)}"


OUR_BRANCH = _OUR_BRANCH.encode()
"""With it begins each branch of this process, as bytes to look for."""


def new_branch() -> str:
    """Return a branch no other transaction has (RFC 3261 §8.1.1.7)."""
    return _OUR_BRANCH + _random.take(16)


def is_our_branch(branch: str) -> bool:
    """Say whether this process made `branch`."""
    return branch.startswith(_OUR_BRANCH)


def new_tag() -> str:
    """Return a tag with 64 random bits (RFC 3261 §19.3 asks for 32)."""
    return _random.take(16)


def new_call_id() -> str:
    """Return a Call-ID that says nothing about this machine."""
    return _random.take(32)
