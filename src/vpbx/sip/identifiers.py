"""Branches, tags and Call-IDs: random, and telling nothing about this machine."""

from __future__ import annotations

import secrets

BRANCH_COOKIE = "z9hG4bK"
"""With it begins the branch of every peer since RFC 3261."""
_OUR_BRANCH = f"{BRANCH_COOKIE}v{secrets.token_hex(4)}"


def new_branch() -> str:
    """Return a branch no other transaction has (RFC 3261 §8.1.1.7)."""
    return _OUR_BRANCH + secrets.token_hex(8)


def is_our_branch(branch: str) -> bool:
    """Say whether this process made `branch`."""
    return branch.startswith(_OUR_BRANCH)


def new_tag() -> str:
    """Return a tag with 64 random bits (RFC 3261 §19.3 asks for 32)."""
    return secrets.token_hex(8)


def new_call_id() -> str:
    """Return a Call-ID that says nothing about this machine."""
    return secrets.token_hex(16)
