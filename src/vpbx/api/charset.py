"""Which characters the bytes of a request mean.

A body is UTF-8 unless its Content-Type names another charset (1C and old PHP send
windows-1251). What cannot be read in the charset it is in is refused: a letter that became
U+FFFD is lost for good, and whoever sent it was told 200.
"""

from __future__ import annotations

from vpbx.charsets import known_charset

__all__ = ["NotText", "charset_of", "decode", "known"]

_DEFAULT = "utf-8"


class NotText(ValueError):
    """Bytes that are no text, or a charset nobody knows; the message says which."""


def charset_of(content_type: str, default: str = _DEFAULT) -> str:
    """Return the charset a Content-Type names, `default` where it names none.

    Raises NotText for one that is not known.
    """
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip(" \t\"'"):
            return known(value.strip(" \t\"'"))
    return default


def known(charset: str) -> str:
    """Return Python's name of a charset; NotText when it is none."""
    found = known_charset(charset)
    if found is None:
        raise NotText(f"has an unknown charset: {charset[:40]}")
    return found


def decode(data: bytes, charset: str = _DEFAULT) -> str:
    """Return the text; NotText when the bytes are none in this charset."""
    try:
        return data.decode(charset)
    except UnicodeError:
        raise NotText(
            f"is not text in {charset}; another charset has to be named in Content-Type"
        ) from None
