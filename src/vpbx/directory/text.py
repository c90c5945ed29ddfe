"""Text as it is kept and compared: composed (Unicode NFC), without characters nobody sees.

The same letter may come as one character or as two (`й`, or `и` and a breve): macOS sends file
names in pieces, browsers what was typed. All text is composed on its way in and when it is
searched for, so that both are one. Format characters (zero-width spaces, byte-order marks, marks
of direction, soft hyphens, tags) come with what was copied from elsewhere, or to make one name
look like another: they are left out. Two of them, the joiners, stay where scripts and pictures
need them: between characters that are no ASCII. Marks beyond thirty over one letter are left out
as well (UAX #15 §13 has no writing with more): putting them in order takes time by the square of
their number, a minute for a form full of them.
"""

from __future__ import annotations

import unicodedata

__all__ = ["composed", "composed_if_short", "folded"]

_JOINERS = "\u200c\u200d"
_MOST_MARKS = 30
_LOOKED_AT = 4
"""So many times the longest text may be longer with what nobody sees in it."""
_PAIRS_OF_MARKS = "\u0f73\u0f75\u0f81"
"""Taken apart these are marks alone, though they count as letters."""


def composed(text: str) -> str:
    """Return `text` in NFC without format characters."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFC", _with_few_marks(text))
    if any(unicodedata.category(sign) == "Cf" for sign in text):
        text = "".join(sign for place, sign in enumerate(text) if _is_kept(text, place))
    return text


def composed_if_short(text: str, longest: int) -> str:
    """Return `text` composed; as it is when it is longer than `longest` however it is written,
    and so is refused: no work is done for it."""
    return composed(text) if len(text) <= _LOOKED_AT * longest else text


def _with_few_marks(text: str) -> str:
    if len(text) <= _MOST_MARKS:
        return text
    kept, marks = [], 0
    for sign in text:
        is_mark = unicodedata.combining(sign) or sign in _PAIRS_OF_MARKS
        marks = marks + 1 if is_mark else 0
        if marks <= _MOST_MARKS:
            kept.append(sign)
    return "".join(kept)


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
