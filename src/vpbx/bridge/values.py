"""What a command offers to statements: its fields, and forms of them that databases want."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

__all__ = ["MOST_NAMES", "identity", "values_of"]

_TIMES = ("start", "time")
_WHOLE = ("duration", "wait", "rating")
_RUSSIAN = 11
_TEXT = (
    *("callid", "type", "user", "phone", "diversion", "status", "ext", "groupRealName"),
    *("telnum", "telnum_name", "link", "direction", "second_callid"),
)
MOST_NAMES = (*_TEXT, *_TIMES, *_WHOLE, "e164", "national", "last10")


def values_of(fields: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of a command: every documented name, None or "" where not told.

    start, time: datetime, UTC without a zone (what most databases store); duration, wait,
    rating: whole numbers; e164 (`+79…`), national (`89…` of Russia, else as `phone`), last10:
    forms of `phone`.
    """
    values: dict[str, Any] = {name: fields.get(name, "") for name in _TEXT}
    for name in _TIMES:
        values[name] = _time(fields.get(name, ""))
    for name in _WHOLE:
        text = fields.get(name, "")
        values[name] = int(text) if text.isdigit() else None
    phone = values["phone"]
    digits = phone if phone.isdigit() else ""
    values["e164"] = f"+{digits}" if digits else ""
    russian = len(digits) == _RUSSIAN and digits.startswith("7")
    values["national"] = "8" + digits[1:] if russian else digits
    values["last10"] = digits[-10:]
    return values


def identity(cmd: str, fields: Mapping[str, str]) -> str:
    """Return what is the same when a command comes again, and only then."""
    names = ("callid", "type", "user", "time", "second_callid")
    return "|".join((cmd, *(fields.get(name, "") for name in names)))


def _time(text: str) -> datetime | None:
    for form in ("%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC).replace(tzinfo=None)
        except ValueError:
            continue
    return None
