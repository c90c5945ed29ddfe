"""What a command offers to statements: its fields, and forms of them that databases want."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any

__all__ = ["MOST_NAMES", "TIMES", "WHOLE", "digits_of", "identity", "values_of"]

_OWN_TIMES = ("start", "time")
TIMES = (*_OWN_TIMES, "answered", "end")
WHOLE = ("duration", "wait", "rating")
_RUSSIAN, _NATIONAL = 11, 10
_WHOLE_DIGITS = 10
"""So many do not fit into what databases call an integer."""
_TEXT = (
    *("callid", "type", "user", "phone", "diversion", "status", "ext", "groupRealName"),
    *("telnum", "telnum_name", "link", "direction", "second_callid"),
)
MOST_NAMES = (*_TEXT, *TIMES, *WHOLE, "e164", "national", "last10", "ends10", "uuid")
_NAMESPACE = uuid.UUID("6f2f0f0e-6f4d-5d0c-9d6b-0c9a3f1f7a11")
_NO_NUMBER = "-"
"""For LIKE: what no phone number is like."""


def values_of(
    fields: Mapping[str, str], zone: tzinfo = UTC, names: Iterable[str] = MOST_NAMES
) -> dict[str, Any]:
    """Return the parameters `names` of a command, None or "" where it does not tell them.

    start, time, and answered and end, which follow from start: datetime without a zone, told in
    `zone`; duration, wait, rating: whole numbers; e164 (`+79…`), national (`89…` of Russia, else
    as `phone`), last10, and ends10 (`%` and these, for LIKE): forms of `phone`; uuid: one that
    is always the same for a callid.
    """
    return {
        name: make(fields, zone) if (make := _MADE.get(name)) else fields.get(name, "")
        for name in names
    }


def _whole(fields: Mapping[str, str], name: str) -> int | None:
    text = fields.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < _WHOLE_DIGITS else None


def _told_time(name: str, fields: Mapping[str, str], zone: tzinfo) -> datetime | None:
    return _time(fields.get(name, ""), zone)


def _told_whole(name: str, fields: Mapping[str, str], zone: tzinfo) -> int | None:
    return _whole(fields, name)


def _answered(fields: Mapping[str, str], zone: tzinfo) -> datetime | None:
    start, wait = _time(fields.get("start", ""), zone), _whole(fields, "wait")
    if start is None or wait is None or not _whole(fields, "duration"):
        return None
    return _later(start, wait)


def _end(fields: Mapping[str, str], zone: tzinfo) -> datetime | None:
    start, wait = _time(fields.get("start", ""), zone), _whole(fields, "wait")
    if start is None or wait is None:
        return None
    return _later(start, wait + (_whole(fields, "duration") or 0))


def _later(start: datetime, seconds: int) -> datetime | None:
    try:
        return start + timedelta(seconds=seconds)
    except OverflowError:  # the calendar ends
        return None


def _digits(fields: Mapping[str, str]) -> str:
    phone = fields.get("phone", "")
    return phone if phone.isascii() and phone.isdigit() else ""


def _e164(fields: Mapping[str, str], zone: tzinfo) -> str:
    digits = _digits(fields)
    return f"+{digits}" if digits else ""


def _national(fields: Mapping[str, str], zone: tzinfo) -> str:
    digits = _digits(fields)
    russian = len(digits) == _RUSSIAN and digits.startswith("7")
    return "8" + digits[1:] if russian else digits


def _last10(fields: Mapping[str, str], zone: tzinfo) -> str:
    return _digits(fields)[-_NATIONAL:]


def _ends10(fields: Mapping[str, str], zone: tzinfo) -> str:
    digits = _digits(fields)
    return f"%{digits[-_NATIONAL:]}" if digits else _NO_NUMBER


def _uuid(fields: Mapping[str, str], zone: tzinfo) -> str:
    return str(uuid.uuid5(_NAMESPACE, fields.get("callid", "")))


_MADE: dict[str, Callable[[Mapping[str, str], tzinfo], Any]] = {
    **{name: partial(_told_time, name) for name in _OWN_TIMES},
    **{name: partial(_told_whole, name) for name in WHOLE},
    "answered": _answered,
    "end": _end,
    "e164": _e164,
    "national": _national,
    "last10": _last10,
    "ends10": _ends10,
    "uuid": _uuid,
}


def identity(cmd: str, fields: Mapping[str, str]) -> str:
    """Return what is the same when a command comes again, and only then.

    A call has one history and one rating, whoever tells of them, live or by an import.
    """
    names = ("callid", "type", "user", "time", "second_callid") if cmd == "event" else ("callid",)
    return "|".join((cmd, *(fields.get(name, "") for name in names)))[:250]


def digits_of(text: str) -> str:
    """Return a number as people write it in the form of `phone`: digits, E.164 without +.

    What is national is taken for Russian: 8 and ten digits, or ten alone.
    """
    digits = "".join(char for char in text if char.isascii() and char.isdigit())
    if text.strip().startswith("+"):
        return digits
    if len(digits) == _RUSSIAN and digits.startswith("8"):
        return "7" + digits[1:]
    return "7" + digits if len(digits) == _NATIONAL else digits


def _time(text: str, zone: tzinfo) -> datetime | None:
    """Read YYYYmmddTHHMMSSZ or YYYY-MM-DDTHH:MM:SSZ."""
    if not text.endswith("Z"):
        return None
    try:
        told = datetime.fromisoformat(text[:-1])
    except ValueError:
        return None
    if zone is UTC or told.tzinfo is not None:
        return told.replace(tzinfo=None)
    try:
        return told.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        return None
