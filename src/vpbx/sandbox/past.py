"""A year of history, made up but of likely kinds, the same for the same seed.

Each day is made by chances of its own (seed and date), so a day is the same whenever the
sandbox is started: business hours, quiet weekends and holidays, customers who call again when
nobody took their call or are called back, managers who are busy. It ends with the day before
today; what today has did happen. `missed_status` is what our own recorder would have made of
the same calls.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from vpbx.calls.callid import EPOCH_S
from vpbx.directory.routes import production_calendar
from vpbx.history import CALLED_AGAIN, CALLED_BACK, NO_RECORD, NOT_MISSED, TRIED_BACK, UNRETURNED
from vpbx.sandbox.company import (
    ACCOUNTING,
    DEPARTMENTS,
    LABELS,
    MAIN,
    OLGAS,
    RATED,
    SALES,
    SALES_LINE,
    STAFF,
    SUPPORT,
    SUPPORT_LINE,
    VOICEMAIL,
    Person,
)
from vpbx.sandbox.customers import Customers

__all__ = ["DAYS", "Past", "Row"]

DAYS = 365
Row = dict[str, Any]

_WEEKDAYS = (1.15, 1.08, 1.05, 1.0, 0.9, 0.22, 0.1)
_HOLIDAY = 0.08
_MONTHS = (0.8, 0.98, 1.05, 1.02, 0.92, 0.95, 0.86, 0.88, 1.05, 1.1, 1.12, 1.25)
_HOURS = (*(0.05,) * 7, 0.3, 1.5, 6, 9, 10, 8.5, 6.5, 8, 9.5, 9, 7, 3, 1.2, 0.7, 0.4, 0.2, 0.1)
_OPENS, _CLOSES = 9, 19
_IN_SHARE = 0.68
_INNER_SHARE = 0.1
"""Calls between employees, for each one with the outside."""
_NUMBERS = {MAIN: 0.45, SALES_LINE: 0.27, SUPPORT_LINE: 0.2, OLGAS: 0.06, VOICEMAIL: 0.02}
_CHOSEN = {SALES: 0.5, SUPPORT: 0.35, ACCOUNTING: 0.15}
"""In the menu."""
_TAKEN, _TAKEN_CLOSED = 0.86, 0.2
_RETURNED, _BY_US = 0.65, 0.5
_MARKS = {5: 0.62, 4: 0.2, 3: 0.08, 2: 0.04, 1: 0.06}
_RATED = 0.35
_OUT = {
    ("success", 0): 0.66,
    ("cancel", 487): 0.13,
    ("busy", 486): 0.09,
    ("notavailable", 480): 0.1,
    ("notfound", 404): 0.02,
}
_FIRST_DAY = datetime.fromtimestamp(EPOCH_S, UTC).date() + timedelta(days=1)
_TALK_S, _TALK_SPREAD, _TALK_LEAST_S, _TALK_MOST_S = 95.0, 0.95, 4, 2700


class _Owed(NamedTuple):
    """A missed call that somebody will do something about."""

    at_ms: int
    client: str
    number: str
    by_us: bool


@dataclass(frozen=True, slots=True)
class Past:
    """`calls` external calls spread over the year before `today` in the company's zone."""

    seed: int
    calls: int
    domain_id: int
    groups: dict[str, str]
    """Name of a department → its id."""
    zone: ZoneInfo
    country: str = "RU"

    def days(self, today: date, since: date | None = None) -> list[date]:
        """Return the days to make, oldest first; from `since` on where that is later.

        None lies before call ids begin.
        """
        first = max(today - timedelta(days=DAYS), _FIRST_DAY, since or _FIRST_DAY)
        return [first + timedelta(days=n) for n in range((today - first).days)]

    def rows(self, today: date, since: date | None = None) -> list[Row]:
        """Return the rows of history of these days, oldest first."""
        year = self.days(today)
        counts = dict(zip(year, self._spread(year), strict=True))
        made: list[Row] = []
        for day in self.days(today, since):
            made += _Day(self, day, counts[day]).rows()
        made.sort(key=lambda row: row["started_ms"])
        _number(made)
        _settle(made)
        return made

    def is_off(self, day: date) -> bool:
        """Tell whether it is a public holiday."""
        return production_calendar(self.country)(day)

    def _spread(self, days: Sequence[date]) -> list[int]:
        """Share the calls out to the days: largest remainders."""
        weights = [self._weight(day) for day in days]
        total = math.fsum(weights) or 1.0
        shares = [self.calls * weight / total for weight in weights]
        counts = [int(share) for share in shares]
        rest = sorted(range(len(days)), key=lambda n: counts[n] - shares[n])
        for place in rest[: self.calls - sum(counts) if days else 0]:
            counts[place] += 1
        return counts

    def _weight(self, day: date) -> float:
        usual = _WEEKDAYS[day.weekday()]
        if self.is_off(day):
            usual = min(usual, _HOLIDAY)
        return usual * _MONTHS[day.month - 1]


class _Day:
    """The calls of one day."""

    def __init__(self, past: Past, day: date, calls: int) -> None:
        self._past = past
        self._calls = calls
        self._chance = random.Random(f"{past.seed}/{day.isoformat()}")
        self._customers = Customers(past.seed)
        midnight = datetime.combine(day, time(), past.zone)
        self._starts_ms = int(midnight.timestamp()) * 1000
        self._works = day.weekday() < 5 and not past.is_off(day)
        self._owed: list[_Owed] = []

    def rows(self) -> list[Row]:
        """Return as many external calls as were asked for, and some between employees."""
        made: list[Row] = []
        while len(made) < self._calls:
            if self._owed:
                made.append(self._return(self._owed.pop()))
            elif self._chance.random() < _IN_SHARE:
                made.append(self._incoming(self._moment(), self._customers.somebody(self._chance)))
            else:
                at_ms = self._moment(within=True)
                made.append(self._outgoing(at_ms, self._customers.somebody(self._chance)))
        inner = round(self._calls * _INNER_SHARE)
        return made + [self._inner(self._moment(within=True)) for _ in range(inner)]

    def _moment(self, *, within: bool = False) -> int:
        """Return when a call begins; `within` business hours where people must be there."""
        hours = range(_OPENS, _CLOSES) if within else range(24)
        hour = self._chance.choices(hours, [_HOURS[hour] for hour in hours])[0]
        return self._starts_ms + hour * 3_600_000 + int(self._chance.random() * 3_600_000)

    def _is_open(self, at_ms: int) -> bool:
        hour = (at_ms - self._starts_ms) // 3_600_000
        return self._works and _OPENS <= hour < _CLOSES

    def _incoming(self, at_ms: int, client: str, number: str = "", *, again: bool = False) -> Row:
        chance = self._chance
        number = number or _choose(chance, _NUMBERS)
        department = {MAIN: _choose(chance, _CHOSEN), SUPPORT_LINE: SUPPORT}.get(number, SALES)
        person = self._member(department)
        if number == OLGAS:
            person = next(each for each in STAFF if each.login == "olga")
        row = self._row(at_ms, "in", client, person, number)
        if number != OLGAS:
            row["group_id"], row["group_name"] = self._past.groups[department], department
        taken = _TAKEN if self._is_open(at_ms) else _TAKEN_CLOSED
        if number != VOICEMAIL and chance.random() < (0.96 if again else taken):
            wait_s = chance.uniform(7, 40) if number == MAIN else chance.uniform(2, 25)
            self._talk(row, wait_s)
            row["destination"] = "user"
            if number in RATED and chance.random() < _RATED:
                row["rating"] = _choose(chance, _MARKS)
            return row
        return self._missed(row, number)

    def _missed(self, row: Row, number: str) -> Row:
        chance = self._chance
        row["status"], row["missed_status"], row["sip_code"] = "missed", UNRETURNED, 487
        row["ended_ms"] = row["started_ms"] + int(chance.uniform(4, 50) * 1000)
        if number == VOICEMAIL or (number != OLGAS and chance.random() < 0.06):
            row["destination"] = "vm" if chance.random() < 0.7 else "am"
        elif number == MAIN and chance.random() < 0.25:
            row.update(destination="ivr", account="ivr", group_id="", group_name="")
        else:
            row["destination"] = "user" if number == OLGAS else "group"
        if number == VOICEMAIL:
            row.update(group_id="", group_name="")
        if row["group_id"]:
            row["account"] = row["group_id"]
        latest_ms = self._starts_ms + (_CLOSES - 1) * 3_600_000
        if row["started_ms"] < latest_ms and self._works and chance.random() < _RETURNED:
            by_us = chance.random() < _BY_US
            self._owed.append(_Owed(row["ended_ms"], row["client"], number, by_us))
        return row

    def _return(self, owed: _Owed) -> Row:
        at_ms = owed.at_ms + int(self._chance.uniform(60, 3500) * 1000)
        if owed.by_us:
            return self._outgoing(max(at_ms, self._starts_ms + _OPENS * 3_600_000), owed.client)
        number = MAIN if owed.number == VOICEMAIL else owed.number
        return self._incoming(at_ms, owed.client, number, again=True)

    def _outgoing(self, at_ms: int, client: str) -> Row:
        person = self._member(_choose(self._chance, {SALES: 0.7, SUPPORT: 0.22, ACCOUNTING: 0.08}))
        row = self._row(at_ms, "out", client, person, MAIN)
        row["status"], row["sip_code"] = _choose(self._chance, _OUT)
        if row["status"] == "success":
            self._talk(row, self._chance.uniform(4, 25))
        else:
            row["ended_ms"] = at_ms + int(self._chance.uniform(3, 40) * 1000)
        return row

    def _inner(self, at_ms: int) -> Row:
        caller, called = self._chance.sample(STAFF, 2)
        row = self._row(at_ms, "inner", "", called, "")
        row.update(is_inner=1, caller_login=caller.login, caller_name=caller.name)
        if self._chance.random() < 0.83:
            self._talk(row, self._chance.uniform(2, 12))
        else:
            row["status"], row["sip_code"] = "noanswer", 487
            row["ended_ms"] = at_ms + int(self._chance.uniform(5, 30) * 1000)
        return row

    def _talk(self, row: Row, wait_s: float) -> None:
        talk_s = self._chance.lognormvariate(math.log(_TALK_S), _TALK_SPREAD)
        talk_s = min(max(talk_s, _TALK_LEAST_S), _TALK_MOST_S)
        row["status"], row["sip_code"] = "success", 0
        row["answered_ms"] = row["started_ms"] + int(wait_s * 1000)
        row["ended_ms"] = row["answered_ms"] + int(talk_s * 1000)

    def _member(self, department: str) -> Person:
        """Return one of a department; its head and the first ones work the most."""
        members = _MEMBERS[department]
        return members[int(self._chance.random() ** 1.4 * len(members))]

    def _row(self, at_ms: int, direction: str, client: str, person: Person, number: str) -> Row:
        return {
            "callid": 0,
            "domain_id": self._past.domain_id,
            "is_inner": 0,
            "started_ms": at_ms,
            "answered_ms": None,
            "ended_ms": at_ms,
            "direction": direction,
            "status": "",
            "client": client,
            "account": person.login,
            "diversion": number,
            "telnum_name": LABELS.get(number, ""),
            "destination": "",
            "user_login": person.login,
            "user_name": person.name,
            "user_ext": person.ext,
            "group_id": "",
            "group_name": "",
            "caller_login": "",
            "caller_name": "",
            "rating": None,
            "record": NO_RECORD,
            "sip_code": 0,
            "node": 0,
            "ended_by": "",
            "missed_status": NOT_MISSED,
        }


_MEMBERS = {name: [person for person in STAFF if person.department == name] for name in DEPARTMENTS}


def _choose(chance: random.Random, weights: dict[Any, float]) -> Any:
    return chance.choices(list(weights), list(weights.values()))[0]


def _number(rows: Iterable[Row]) -> None:
    """Give out call ids as this server's would have been (calls/callid.py)."""
    last = 0
    for row in rows:
        ms = max(row["started_ms"] - EPOCH_S * 1000, last + 1)
        row["callid"], last = ms * 1000, ms


def _settle(rows: Iterable[Row]) -> None:
    """Say of missed calls what later ones of the same customer came to (crm-api §4)."""
    unreturned: dict[str, list[Row]] = {}
    for row in rows:
        client = row["client"]
        if row["missed_status"]:
            unreturned.setdefault(client, []).append(row)
        elif client in unreturned and row["status"] == "success":
            status = CALLED_BACK if row["direction"] == "out" else CALLED_AGAIN
            for missed in unreturned.pop(client):
                missed["missed_status"] = status
        elif client in unreturned and row["direction"] == "out":
            for missed in unreturned[client]:
                missed["missed_status"] = TRIED_BACK
