"""Text as it is kept and compared: composed (Unicode NFC).

The same letter may come as one character or as two (`й`, or `и` and a breve): macOS sends file
names in pieces, browsers what was typed. All text is composed on its way in and when it is
searched for, so that both are one.
"""

from __future__ import annotations

import unicodedata

__all__ = ["composed", "folded"]


def composed(text: str) -> str:
    """Return `text` in NFC."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """Return `text` for comparing without regard to case, in any script."""
    return text.casefold() if text.isascii() else composed(composed(text).casefold())
