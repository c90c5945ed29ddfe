"""What a history request asks for, as the one SQL statement that answers it page by page.

Pages are found by key (the last row's start and callid), newest first: each page is a short
read of its own, so a slow client holds neither a connection nor a snapshot, and page 4,000
costs what page 1 does. Every statement is scoped by domain here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, and_, bindparam, or_, select, tuple_

from vpbx.events import Direction, Status
from vpbx.history.period import InvalidQuery, Period
from vpbx.history.tables import call_history

EXTERNAL_TYPES = ("all", "in", "out", "missed")
INNER_TYPES = ("all", "success", "noanswer", "missed")


@dataclass(frozen=True, slots=True)
class Query:
    """One request for history (crm-api §4); empty text: not asked for.

    `user` is a login, `diversion` and `client` are digits (D8); `limit` None: all rows.
    """

    domain_id: int
    domain: str
    period: Period
    type: str = "all"
    limit: int | None = None
    user: str = ""
    diversion: str = ""
    client: str = ""


_C = call_history.c

EXTERNAL_COLUMNS = (
    _C.started_ms,
    _C.callid,
    _C.direction,
    _C.status,
    _C.client,
    _C.account,
    _C.diversion,
    _C.destination,
    _C.user_login,
    _C.user_name,
    _C.group_name,
    _C.answered_ms,
    _C.ended_ms,
    _C.record,
    _C.rating,
)
INNER_COLUMNS = (
    _C.started_ms,
    _C.callid,
    _C.status,
    _C.caller_login,
    _C.caller_name,
    _C.account,
    _C.user_login,
    _C.user_name,
    _C.group_name,
    _C.answered_ms,
    _C.ended_ms,
    _C.record,
)


def external(query: Query) -> Select[Any]:
    """Return the statement for external calls. Raises InvalidQuery for an unknown type."""
    if query.type not in EXTERNAL_TYPES:
        raise InvalidQuery("type", "must be one of " + ", ".join(EXTERNAL_TYPES))
    wanted = _scope(query, inner=0)
    if query.type in ("in", "missed"):
        wanted.append(_C.direction == Direction.IN.value)
    if query.type == "out":
        wanted.append(_C.direction == Direction.OUT.value)
    if query.type == "missed":
        wanted.append(_C.status == Status.MISSED.value)
    if query.user:
        wanted += [_C.account == query.user, _C.user_login == query.user]
    if query.diversion:
        wanted.append(_C.diversion == query.diversion)
    if query.client:
        wanted.append(_C.client == query.client)
    return _paged(select(*EXTERNAL_COLUMNS).where(*wanted))


def inner(query: Query) -> Select[Any]:
    """Return the statement for inner calls. Raises InvalidQuery for an unknown type."""
    if query.type not in INNER_TYPES:
        raise InvalidQuery("type", "must be one of " + ", ".join(INNER_TYPES))
    wanted = _scope(query, inner=1)
    if query.type == "success":
        wanted.append(_C.status == Status.SUCCESS.value)
    elif query.type != "all":
        wanted.append(_C.status != Status.SUCCESS.value)
    if query.user:
        to_them = and_(_C.account == query.user, _C.user_login == query.user)
        wanted.append(or_(_C.caller_login == query.user, to_them))
    return _paged(select(*INNER_COLUMNS).where(*wanted))


def _scope(query: Query, *, inner: int) -> list[ColumnElement[bool]]:
    return [
        _C.domain_id == query.domain_id,
        _C.is_inner == inner,
        _C.started_ms >= query.period.since_ms,
    ]


def _paged(statement: Select[Any]) -> Select[Any]:
    """Add what `page_key` binds: rows older than the last one, newest first."""
    last = tuple_(
        bindparam("last_ms", type_=BigInteger), bindparam("last_callid", type_=BigInteger)
    )
    return (
        statement.where(tuple_(_C.started_ms, _C.callid) < last)
        .order_by(_C.started_ms.desc(), _C.callid.desc())
        .limit(bindparam("page", type_=BigInteger))
    )


def page_key(last_ms: int, last_callid: int, page: int) -> dict[str, int]:
    """Return the values that select the `page` rows after the row given."""
    return {"last_ms": last_ms, "last_callid": last_callid, "page": page}
