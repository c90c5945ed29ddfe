"""Phone numbers as the API writes them: digits, with the country code, without `+`."""

from __future__ import annotations

import re

__all__ = ["normalize"]

_HIDDEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_RUSSIAN = 11


def normalize(text: str) -> str:
    """Return the digits of a number; `8XXXXXXXXXX` of Russia becomes `7XXXXXXXXXX`.

    Good for joining: what the PBX tells is compared with what a CRM has. Whether the number
    exists, and what an extension behind it means, is the PBX's to say.
    """
    plain = _HIDDEN.sub("", text).strip()
    digits = re.sub(r"\D", "", plain)
    international = plain.lstrip("(").startswith(("+", "＋"))
    if digits.startswith("00") and not international:
        return digits[2:]
    if digits.startswith("8") and len(digits) == _RUSSIAN and not international:
        return "7" + digits[1:]
    return digits
