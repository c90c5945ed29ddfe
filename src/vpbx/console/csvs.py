"""CSV for spreadsheets, in which no text from outside becomes a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

__all__ = ["line"]

_UNSEEN = r"[\s\ufeff\u200b\"]*"
_FORMULA = re.compile(rf"(\A{_UNSEEN}|[;\t\r\n]{_UNSEEN})(?=[-=+@\uff0b\uff0d\uff1d\uff20])")
"""Where a formula begins: at the start of a field, and after what is between fields elsewhere
(a semicolon in many countries), whatever nobody sees before it; the wide signs count in some."""


def line(fields: Iterable[str]) -> str:
    """Return a line of CSV (RFC 4180); before what would be a formula stands an apostrophe."""
    safe = [_FORMULA.sub(r"\1'", each) for each in fields]
    out = io.StringIO()
    csv.writer(out).writerow(safe)
    return out.getvalue()
