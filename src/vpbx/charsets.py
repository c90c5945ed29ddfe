"""Charsets that a peer may name for its bytes."""

from __future__ import annotations

import codecs

__all__ = ["known_charset"]

_NOT_OF_A_NETWORK = frozenset(
    ("idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape", "utf_7")
)
"""Python's own, or other things than text; decoding punycode takes time by the square of its
length, and escapes make halves of characters."""


def known_charset(name: str) -> str | None:
    """Return Python's name of a charset of texts; None for one that nobody should name."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    is_text = getattr(found, "_is_text_encoding", False)
    return found.name if is_text and found.name.replace("-", "_") not in _NOT_OF_A_NETWORK else None
