"""The shapes of crm-api §4: JSON rows and CSV lines, external and inner.

Built for hundreds of thousands of rows: a row costs a few microseconds, so no dataclass and
no csv writer here, and dates are written with the help of what the previous row had.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring as _json

from vpbx.db import Row
from vpbx.history.recordings import RecordingLinks
from vpbx.history.tables import RECORD_ENCODING, RECORD_READY

_MINUTES = [f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(1440)]
_SECONDS = [f"{second:02}Z" for second in range(60)]
_SPECIAL = re.compile(r'[",\r\n]')
_NOBODY = '"user":"","user_name":""'
_PLAYABLE = (RECORD_ENCODING, RECORD_READY)


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).strftime("%Y-%m-%d")


def utc(epoch_ms: int) -> str:
    """Return `YYYY-MM-DDTHH:MM:SSZ` (D10)."""
    day, second = divmod(epoch_ms // 1000, 86_400)
    return _day(day) + _MINUTES[second // 60] + _SECONDS[second % 60]


def _times(started_ms: int, answered_ms: int | None, ended_ms: int, status: str) -> tuple[int, int]:
    """Whole seconds of waiting and of talk; a call that was no success has no talk."""
    if answered_ms is None or status != "success":
        return (ended_ms - started_ms) // 1000, 0
    return (answered_ms - started_ms) // 1000, (ended_ms - answered_ms) // 1000


def _quoted(text: str) -> str:
    """Return a CSV field of RFC 4180."""
    if _SPECIAL.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


class Shapes:
    """Turns the rows of one domain's query into JSON and CSV."""

    def __init__(self, links: RecordingLinks, domain_id: int, domain: str) -> None:
        self._prefix = links.prefix(domain)
        self._sign: Callable[[int, str], str] = links.signature
        self._domain_id = domain_id
        self._at = "@" + domain

    def _record(self, record: int, callid: int) -> str:
        if record not in _PLAYABLE:
            return ""
        return f"{self._prefix}{callid}/{self._sign(self._domain_id, str(callid))}.mp3"

    def external_json(self, rows: Iterable[Row]) -> str:
        """Return rows of `query.EXTERNAL_COLUMNS` as JSON objects with commas between them.

        Written out by hand: half of what making dicts and encoding them costs. Texts of ours
        (direction, status, destination) need no quoting.
        """
        made: list[str] = []
        for row in rows:
            started, callid, direction, status, client, account, diversion, destination = row[:8]
            login, user_name, group_name, answered, ended, record, rating = row[8:]
            wait, duration = _times(started, answered, ended, status)
            who = f'"user":{_json(login)},"user_name":{_json(user_name)}'
            rated = "" if rating is None else f',"rating":{rating}'
            made.append(
                f'{{"uid":"{callid}","type":"{direction}","status":"{status}",'
                f'"client":{_json(client)},"account":{_json(account)},'
                f'"diversion":{_json(diversion)},"destination":"{destination}",'
                f"{who if login == account else _NOBODY},"
                f'"group_name":{_json(group_name)},"start":"{utc(started)}","wait":{wait},'
                f'"duration":{duration},"record":{_json(self._record(record, callid))}{rated}}}'
            )
        return ",".join(made)

    def inner_json(self, rows: Iterable[Row]) -> str:
        """Return rows of `query.INNER_COLUMNS` as JSON objects, like `external_json`."""
        made: list[str] = []
        for row in rows:
            started, callid, status, caller, caller_name, account = row[:6]
            login, user_name, group_name, answered, ended, record = row[6:]
            wait, duration = _times(started, answered, ended, status)
            ended_as = "success" if status == "success" else "noanswer"
            to_name = user_name if login == account else group_name
            made.append(
                f'{{"uid":"{callid}","status":"{ended_as}","from":{_json(caller)},'
                f'"to":{_json(account)},"from_name":{_json(caller_name)},'
                f'"to_name":{_json(to_name)},"start":"{utc(started)}","wait":{wait},'
                f'"duration":{duration},"record":{_json(self._record(record, callid))}}}'
            )
        return ",".join(made)

    def external_csv(self, rows: Iterable[Row]) -> str:
        """Return CSV lines, each with its CRLF, of `query.EXTERNAL_COLUMNS`.

        A line has a tenth field only if the call was rated.
        """
        lines: list[str] = []
        for row in rows:
            started, callid, direction, status, client, account, diversion = row[:7]
            answered, ended, record, rating = row[11:]
            wait, duration = _times(started, answered, ended, status)
            kind = "out" if direction == "out" else "success" if status == "success" else "missed"
            rated = "" if rating is None else f",{rating}"
            lines.append(
                f"{callid},{kind},{_quoted(client)},{self._full(account)},{_quoted(diversion)},"
                f"{utc(started)},{wait},{duration},{self._record(record, callid)}{rated}\r\n"
            )
        return "".join(lines)

    def inner_csv(self, rows: Iterable[Row]) -> str:
        """Return CSV lines, each with its CRLF, of `query.INNER_COLUMNS`."""
        lines: list[str] = []
        for row in rows:
            started, callid, status, caller, _, account = row[:6]
            answered, ended, record = row[9:]
            wait, duration = _times(started, answered, ended, status)
            ended_as = "success" if status == "success" else "noanswer"
            lines.append(
                f"{callid},{ended_as},{self._full(caller)},{self._full(account)},"
                f"{utc(started)},{wait},{duration},{self._record(record, callid)}\r\n"
            )
        return "".join(lines)

    def _full(self, account: str) -> str:
        return _quoted(account + self._at) if account else ""
