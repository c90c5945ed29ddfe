"""The least that FastAPI can do to answer the history of today, to measure our own API against.

One SELECT by `sqlite3` and a dict for each row, of which FastAPI makes the JSON. The quickest of
the usual ways: on the loop, though a long search would hold up everybody else, and without a
model of the row. It gives the same rows, links to the recordings included, and knows no keys,
rights, filters or pages.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import FastAPI

from bench.company import DOMAIN
from vpbx.app.datadir import DataDir
from vpbx.history import RecordingLinks

ZONE = ZoneInfo("Europe/Moscow")
START = "%Y-%m-%dT%H:%M:%SZ"
DAY = """
    SELECT callid, direction, status, client, account, diversion, destination, user_login,
           user_name, group_name, started_ms, answered_ms, ended_ms, record, rating
    FROM call_history
    WHERE domain_id = ? AND is_inner = 0 AND started_ms >= ? AND started_ms < ?
    ORDER BY started_ms DESC, callid DESC
"""


def add_history(app: FastAPI, data: Path) -> None:
    """Let `app` answer GET /history from this data directory."""
    links = RecordingLinks(DataDir(data).secret("recording links"))
    connection = sqlite3.connect(data / "vpbx.sqlite3")
    (domain_id,) = connection.execute("SELECT id FROM domains WHERE name = ?", (DOMAIN,)).fetchone()

    @app.get("/history")
    async def history(period: str) -> list[dict[str, Any]]:
        assert period == "today"
        today = datetime.now(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
        borders = (today.timestamp() * 1000, (today + timedelta(days=1)).timestamp() * 1000)
        return [shown(row) for row in connection.execute(DAY, (domain_id, *borders))]

    def shown(row: tuple[Any, ...]) -> dict[str, Any]:
        callid, direction, status, client, account, diversion, destination = row[:7]
        login, name, group_name, started_ms, answered_ms, ended_ms, record, rating = row[7:]
        talked_ms = answered_ms if answered_ms is not None and status == "success" else ended_ms
        values = {
            "uid": str(callid),
            "type": direction,
            "status": status,
            "client": client,
            "account": account,
            "diversion": diversion,
            "destination": destination,
            "user": login if login == account else "",
            "user_name": name if login == account else "",
            "group_name": group_name,
            "start": datetime.fromtimestamp(started_ms // 1000, UTC).strftime(START),
            "wait": (talked_ms - started_ms) // 1000,
            "duration": (ended_ms - talked_ms) // 1000,
            "record": links.url(DOMAIN, domain_id, str(callid)) if record in (1, 2) else "",
        }
        return values if rating is None else {**values, "rating": rating}
