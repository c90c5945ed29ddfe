"""Calls that are over, put into history as the server would have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from vpbx.causes import Cause, dump_causes
from vpbx.history import call_history, recording_path
from vpbx.legs import CallLeg, Sound, dump_legs
from vpbx.mail.tables import voicemail

SOUND = bytes(range(256)) * 4
HOSTILE = """<script>alert("client")</script>"""

PATH = json.dumps(
    [
        [0, "at", "ivr", "ivr"],
        [2000, "in", "Sales", "g_1"],
        [2000, "ring", "Bob", "bob"],
        [4000, "stop", "Bob", "bob"],
        [4000, "ring", HOSTILE, "ann"],
        [6000, "talk", HOSTILE, "ann"],
        [60000, "passed", HOSTILE, "1000000999999"],
        [60000, "over", HOSTILE, "ann"],
    ]
)
"""Of the newest call: who rang, who talked, who passed it on."""


LEGS = dump_legs(
    (
        CallLeg(HOSTILE, "ann", "", "PCMA", Sound(2950, 50, 12.5, 4.02)),
        CallLeg(
            "79123450000",
            "",
            "trunk first",
            "opus",
            Sound(700, 300, None, 2.21),
            Sound(990, 10, 5.0, 4.3),
            82.4,
        ),
    )
)
"""Of the same: one who was hard to understand."""

CAUSES = dump_causes((Cause("phone_silent", HOSTILE, 408), Cause("gave_up")))
"""Of all that nobody took."""


async def keep_calls(
    connection: AsyncConnection, domain_id: int, now: float, gid: str, count: int = 120
) -> dict[str, Any]:
    """Keep `count` calls of the last hours, of all kinds and endings; return one with sound."""
    rows = [_call(domain_id, number, now, gid) for number in range(count)]
    await connection.execute(call_history.insert(), rows)
    return next(row for row in rows if row["record"])


async def keep_messages(connection: AsyncConnection, row: dict[str, Any]) -> None:
    """Leave the recording of a call in the mailboxes of Ann, Bob and the head of department."""
    message = {
        "domain_id": row["domain_id"],
        "callid": row["callid"],
        "client": "79123450001",
        "name": HOSTILE,
        "left_ms": row["started_ms"],
        "seconds": 12,
        "heard": 0,
        "path": "",
    }
    boxes = ("ann", "ann", "bob", "head", "admin")
    await connection.execute(voicemail.insert(), [{**message, "login": box} for box in boxes])


def keep_sound(records: Path, domain_id: int, row: dict[str, Any]) -> None:
    """Put a recording where the server looks for that of a call."""
    path = recording_path(records, domain_id, str(row["callid"]), row["started_ms"] / 1000)
    path.parent.mkdir(parents=True)
    path.write_bytes(SOUND)


def call_of(domain_id: int, login: str, number: int, at_ms: int, client: str) -> dict[str, Any]:
    """Return a call from outside that an employee has just taken."""
    row = _call(domain_id, 5, 0, "")
    return row | {
        "callid": domain_id * 10**12 + 5 * 10**6 + number,
        "started_ms": at_ms,
        "answered_ms": at_ms + 1,
        "ended_ms": at_ms + 2,
        "direction": "in",
        "status": "success",
        "client": client,
        "user_login": login,
        "group_id": "",
        "group_name": "",
        "is_inner": 0,
        "record": 2,
        "missed_status": 0,
    }


def _call(domain_id: int, number: int, now: float, gid: str) -> dict[str, Any]:
    started = round((now - 60 - number * 240) * 1000)
    is_inner, out, missed = number % 7 == 3, number % 3 == 1, number % 5 == 2
    unanswered = "noanswer" if is_inner else ("busy" if out else "missed")
    login = ("ann", "bob", "head")[number % 3]
    answered = None if missed else started + 6_000
    return {
        "callid": domain_id * 10**12 + 10**6 - number,
        "domain_id": domain_id,
        "is_inner": int(is_inner),
        "started_ms": started,
        "answered_ms": answered,
        "ended_ms": started + 6_000 + (0 if missed else 65_000 + number * 1000),
        "direction": "inner" if is_inner else ("out" if out else "in"),
        "status": unanswered if missed else "success",
        "client": "" if is_inner else f"7912345{number:04}",
        "account": login,
        "diversion": "" if is_inner else "74951234567",
        "telnum_name": HOSTILE if number == 4 else "Main",
        "destination": "" if out or is_inner else "user",
        "user_login": login,
        "user_name": login.title(),
        "user_ext": "703",
        "group_id": gid if number % 4 == 0 else "",
        "group_name": "Sales" if number % 4 == 0 else "",
        "caller_login": "bob" if is_inner else "",
        "caller_name": HOSTILE if is_inner and number == 3 else ("Bob" if is_inner else ""),
        "rating": 5 if number % 9 == 0 else None,
        "record": 2 if number == 6 else 0,
        "sip_code": 200,
        "node": 0,
        "ended_by": "",
        "path": PATH if number == 0 else None,
        "legs": LEGS if number == 0 else None,
        "mos": 221 if number == 0 else None,
        "causes": CAUSES if missed else None,
        "missed_status": 3 if missed and not out and not is_inner else 0,
    }
