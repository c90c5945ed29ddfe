"""CSV for spreadsheets, in which no text from outside becomes a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

__all__ = ["line"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def line(fields: Iterable[str]) -> str:
    """Return a line of CSV (RFC 4180); what would be a formula begins with an apostrophe."""
    safe = [f"'{each}" if each.startswith(_FORMULA) else each for each in fields]
    out = io.StringIO()
    csv.writer(out).writerow(safe)
    return out.getvalue()
