"""Fetching what was before: a cloud's history, day by day, into the company's database.

A day that was fetched when it had been over for a day is noted as finished in the database, in
which its calls are, and is not asked for again: an import that was interrupted is begun once
more and goes on where it stopped. Days after it are asked for anew, since calls of a day may end
on the next one and be rated later; a callid that is there already is not written again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import aiohttp

from vpbx.bridge.config import BridgeConfig, BridgeFault
from vpbx.bridge.store import Away, Store

__all__ = ["Import", "fetch_history"]

_STATUS = {"success": "Success", "missed": "Missed"}
_REASON = {
    "cancel": "Cancel",
    "busy": "Busy",
    "notavailable": "NotAvailable",
    "notallowed": "NotAllowed",
    "notfound": "NotFound",
}
_TIMEOUT_S = 120
_AT_ONCE = 500
_SETTLED = timedelta(days=1)
"""What began on a day has ended and been rated by the end of the next one."""


@dataclass(frozen=True, slots=True)
class Import:
    """How far it has come: after this day, so many calls were seen and so many were new."""

    day: date
    seen: int
    new: int
    skipped: bool = False
    """It was finished in an earlier run: nobody was asked."""


async def fetch_history(
    config: BridgeConfig,
    store: Store,
    since: date,
    until: date | None = None,
    *,
    again: bool = False,
) -> AsyncGenerator[Import]:
    """Write every external call since a day (both days included); tell after each day.

    `again`: ask for finished days, too.
    """
    if not config.api_url or not config.api_key:
        raise BridgeFault("import needs [api] with url and key of the PBX")
    day, last = since, until or datetime.now(UTC).date()
    base = config.api_url.rstrip("/").removesuffix("/crmapi/v1")
    cloud = f"{base}\n{config.api_key}"  # the key says which company's history it is
    try:
        finished = frozenset() if again else await store.finished_days(cloud)
    except Away as away:
        raise BridgeFault(f"the database cannot be asked: {away}") from away
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    headers = {"X-API-KEY": config.api_key}
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        while day <= last:
            if day in finished:
                yield Import(day, 0, 0, skipped=True)
                day += timedelta(days=1)
                continue
            asked_at = datetime.now(UTC)
            rows = await _day(session, f"{base}/crmapi/v1/history/json", day)
            try:
                new = await _write(store, rows)
                if asked_at.date() - day > _SETTLED:
                    await store.finish_day(cloud, day)
            except Away as away:
                raise BridgeFault(f"the database does not take a call: {away}") from away
            yield Import(day, len(rows), new)
            day += timedelta(days=1)


async def _write(store: Store, rows: Sequence[dict[str, Any]]) -> int:
    """Write rows of history, the newest of which is first; return how many were new."""
    commands = [_command(row) for row in reversed(rows)]  # the oldest first
    new = 0
    for start in range(0, len(commands), _AT_ONCE):
        new += await store.write_many("history", commands[start : start + _AT_ONCE])
    return new


async def _day(session: aiohttp.ClientSession, url: str, day: date) -> list[dict[str, Any]]:
    end = day + timedelta(days=1)
    params = {"start": f"{day:%Y%m%d}T000000Z", "end": f"{end:%Y%m%d}T000000Z"}
    try:
        async with session.get(url, params=params) as response:
            if response.status != 200:
                told = (await response.text())[:200]
                raise BridgeFault(f"the PBX answers {response.status}: {told}")
            rows: list[dict[str, Any]] = await response.json()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise BridgeFault(f"the PBX cannot be asked: {error or type(error).__name__}") from error
    return rows


def _command(row: dict[str, Any]) -> dict[str, str]:
    """Return a history row as the command `history` would have told it."""
    told = {
        "callid": row.get("uid"),
        "type": row.get("type"),
        "status": _STATUS.get(str(row.get("status"))) or _REASON.get(str(row.get("reason")), ""),
        "user": row.get("user") or row.get("account"),
        "phone": row.get("client"),
        "diversion": row.get("diversion"),
        "start": row.get("start"),
        "wait": row.get("wait"),
        "duration": row.get("duration"),
        "telnum_name": row.get("telnum_name"),
        "link": row.get("record"),
        "rating": row.get("rating"),
    }
    return {name: str(value) for name, value in told.items() if value is not None}
