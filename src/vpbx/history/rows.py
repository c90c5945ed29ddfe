"""The shapes of crm-api §4: JSON rows and CSV lines, external and inner.

Built for hundreds of thousands of rows: a row costs a few microseconds, so no dataclass and
no csv writer here, and dates are written with the help of what the previous row had.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring as _json

from vpbx.db import Row
from vpbx.events import lengths
from vpbx.history.recordings import MP3, PDF, RecordingLinks
from vpbx.history.tables import RECORD_ENCODING, RECORD_FAX, RECORD_READY, UNRETURNED

_MINUTES = [f"T{minute // 60:02}:{minute % 60:02}:" for minute in range(1440)]
_SECONDS = [f"{second:02}Z" for second in range(60)]
_SPECIAL = re.compile(r'[",\r\n]')
_NOBODY = '"user":"","user_name":""'
_SUCCESS = '"success"'
_UNANSWERED = {
    reason: f'"noanswer","reason":"{reason}"'
    for reason in ("cancel", "busy", "notavailable", "notallowed", "notfound")
}
"""How an outgoing call that nobody answered ended: one word for strict clients, and why."""
_UNAVAILABLE = _UNANSWERED["notavailable"]
_ENDINGS = {RECORD_ENCODING: MP3, RECORD_READY: MP3, RECORD_FAX: PDF}


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).strftime("%Y-%m-%d")


def utc(epoch_ms: int) -> str:
    """Return `YYYY-MM-DDTHH:MM:SSZ`, as all times in JSON are written."""
    day, second = divmod(epoch_ms // 1000, 86_400)
    return f"{_day(day)}{_MINUTES[second // 60]}{_SECONDS[second % 60]}"


def _lengths(
    started_ms: int, answered_ms: int | None, ended_ms: int, status: str
) -> tuple[int, int]:
    """Return `events.lengths`; a call that was no success has no talk."""
    return lengths(started_ms, answered_ms if status == "success" else None, ended_ms)


def _quoted(text: str) -> str:
    """Return a CSV field of RFC 4180."""
    if _SPECIAL.search(text):
        return '"' + text.replace('"', '""') + '"'
    return text


class Shapes:
    """Turns the rows of one domain's query into JSON and CSV."""

    def __init__(
        self,
        links: RecordingLinks,
        domain_id: int,
        domain: str,
        *,
        has_ratings: bool = False,
        link_base: str = "",
    ) -> None:
        self._has_ratings = has_ratings
        self._link = links.maker(domain, domain_id, link_base)
        self._at = "@" + domain

    def external_json(self, rows: Iterable[Row]) -> str:
        """Return rows of `query.EXTERNAL_COLUMNS` as JSON objects with commas between them.

        Written out by hand: less than what making dicts and encoding them costs. Texts of ours
        (direction, status, destination) need no quoting.
        """
        made: list[str] = []
        for row in rows:
            started, callid, direction, status, client, account, diversion, destination = row[:8]
            login, user_name, group_name, answered, ended, record, rating, name, missed = row[8:]
            uid = str(callid)
            if status == "success":
                wait, duration = lengths(started, answered, ended)
                how = _SUCCESS
            else:
                wait, duration = (ended - started) // 1000, 0
                how = f'"missed","missedStatus":{missed or UNRETURNED}'
                if direction != "in":
                    how = _UNANSWERED.get(status, _UNAVAILABLE)
            account_json = _json(account)
            who = _NOBODY
            if login == account:
                who = f'"user":{account_json},"user_name":{_json(user_name)}'
            link = _json(self._link(uid, _ENDINGS[record])) if record in _ENDINGS else '""'
            rated = "" if rating is None else f',"rating":{rating}'
            made.append(
                f'{{"uid":"{uid}","type":"{direction}","status":{how},'
                f'"client":{_json(client)},"account":{account_json},'
                f'"diversion":{_json(diversion)},"telnum_name":{_json(name)},'
                f'"destination":"{destination}",{who},'
                f'"group_name":{_json(group_name)},"start":"{utc(started)}","wait":{wait},'
                f'"duration":{duration},"record":{link}{rated}}}'
            )
        return ",".join(made)

    def inner_json(self, rows: Iterable[Row]) -> str:
        """Return rows of `query.INNER_COLUMNS` as JSON objects, like `external_json`."""
        made: list[str] = []
        for row in rows:
            started, callid, status, caller, caller_name, account = row[:6]
            login, user_name, group_name, answered, ended, record = row[6:]
            uid = str(callid)
            wait, duration = _lengths(started, answered, ended, status)
            ended_as = "success" if status == "success" else "noanswer"
            to_name = user_name if login == account else group_name
            link = _json(self._link(uid, _ENDINGS[record])) if record in _ENDINGS else '""'
            made.append(
                f'{{"uid":"{uid}","status":"{ended_as}","from":{_json(caller)},'
                f'"to":{_json(account)},"from_name":{_json(caller_name)},'
                f'"to_name":{_json(to_name)},"start":"{utc(started)}","wait":{wait},'
                f'"duration":{duration},"record":{link}}}'
            )
        return ",".join(made)

    def external_csv(self, rows: Iterable[Row]) -> str:
        """Return CSV lines, each with its CRLF, of `query.EXTERNAL_COLUMNS`.

        With ratings each line has a tenth field, empty where there is none.
        """
        lines: list[str] = []
        for row in rows:
            started, callid, direction, status, client, account, diversion = row[:7]
            answered, ended, record, rating = row[11:15]
            wait, duration = _lengths(started, answered, ended, status)
            kind = "missed" if direction == "in" and status != "success" else direction
            uid = str(callid)
            link = self._link(uid, _ENDINGS[record]) if record in _ENDINGS else ""
            rated = ""
            if self._has_ratings:
                rated = "," if rating is None else f",{rating}"
            lines.append(
                f"{uid},{kind},{_quoted(client)},{self._full(account)},{_quoted(diversion)},"
                f"{utc(started)},{wait},{duration},{link}{rated}\r\n"
            )
        return "".join(lines)

    def inner_csv(self, rows: Iterable[Row]) -> str:
        """Return CSV lines, each with its CRLF, of `query.INNER_COLUMNS`."""
        lines: list[str] = []
        for row in rows:
            started, callid, status, caller, _, account = row[:6]
            answered, ended, record = row[9:]
            wait, duration = _lengths(started, answered, ended, status)
            ended_as = "success" if status == "success" else "noanswer"
            uid = str(callid)
            link = self._link(uid, _ENDINGS[record]) if record in _ENDINGS else ""
            lines.append(
                f"{uid},{ended_as},{self._full(caller)},{self._full(account)},"
                f"{utc(started)},{wait},{duration},{link}\r\n"
            )
        return "".join(lines)

    def _full(self, account: str) -> str:
        return _quoted(account + self._at) if account else ""
