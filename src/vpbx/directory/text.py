"""Text as it is kept and compared: composed (Unicode NFC), without characters nobody sees.

The same letter may come as one character or as two (`й`, or `и` and a breve): macOS sends file
names in pieces, browsers what was typed. All text is composed on its way in and when it is
searched for, so that both are one. Format characters (zero-width spaces, byte-order marks, marks
of direction, soft hyphens, tags) come with what was copied from elsewhere, or to make one name
look like another: they are left out. Two of them, the joiners, stay where scripts and pictures
need them: between characters that are no ASCII.
"""

from __future__ import annotations

import unicodedata

__all__ = ["composed", "folded"]

_JOINERS = "\u200c\u200d"


def composed(text: str) -> str:
    """Return `text` in NFC without format characters."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", text)
    if any(unicodedata.category(sign) == "Cf" for sign in text):
        text = "".join(sign for place, sign in enumerate(text) if _is_kept(text, place))
    return text


def _is_kept(text: str, place: int) -> bool:
    if unicodedata.category(text[place]) != "Cf":
        return True
    around = text[place - 1 : place] + text[place + 1 : place + 2]
    return (
        text[place] in _JOINERS
        and len(around) == 2
        and all(unicodedata.category(sign)[0] in "LMS" and not sign.isascii() for sign in around)
    )


def folded(text: str) -> str:
    """Return `text` for comparing without regard to case, in any script."""
    return text.casefold() if text.isascii() else composed(composed(text).casefold())
